"""Finding the sentences in which an article says that it is no medical advice."""

from __future__ import annotations

import re
from collections.abc import Sequence

from corpus.article import Section, Sentence

_TITLE = re.compile(
    r"[【\[(（*]*(?:免责(?:声明|说明|聲明|条款)|免責(?:聲明|說明|条款|條款)|郑重(?:声明|提示)|鄭重(?:聲明|提示)|(?:重要|特别|特別)(?:声明|聲明|提示)"
    r"|(?:medical |legal |important )?disclaimer|important notice)",
    re.IGNORECASE,
)
_STATEMENT = re.compile(
    r"不(?:构成|構成|作为|作為|能作为|能作為|应作为|應作為|可作为|可作為|能替代|能代替|能取代|应替代|可替代|得替代|替代|代替|取代).{0,30}"
    r"(?:建议|建議|诊断|診斷|诊疗|診療|治疗|治療|依据|依據|意见|意見|咨询|諮詢)"
    r"|(?:仅|僅|只)(?:供|作).{0,12}(?:参考|參考|学习|學習|科普|交流)|(?:仅|僅)用于.{0,12}(?:科普|知识|知識|学习|學習|交流|传播|傳播)"
    r"|(?:does|do|is|are|should|may|must)\s+not\s+(?:be\s+|intended\s+|to\s+|as\s+|constitute\s+|considered\s+|construed\s+"
    r"|used\s+|taken\s+|provide\s+|replace\s+|meant\s+|relied\s+|upon\s+|a\s+|substitute\s+|for\s+|the\s+|any\s+|professional\s+"
    r"|medical\s+|legal\s+|financial\s+|clinical\s+|specific\s+)*(?:advice|diagnosis|recommendations?|treatment|guidance|opinion)"
    r"|not\s+(?:a\s+|intended\s+(?:as|to\s+be)\s+(?:a\s+)?)?substitute\s+for\s+(?:the\s+)?(?:professional|medical|advice|expert)"
    r"|for\s+(?:general\s+)?(?:informational|information|educational|reference)(?:\s+(?:and|or)\s+\w+)?(?:\s+purposes)?\s+only",
    re.IGNORECASE,
)
_MOST = 12
"""Sentences: what is longer than this under one heading is more than a disclaimer."""


def find_disclaimer(sections: Sequence[Section], sentences: Sequence[Sentence]) -> tuple[int, ...]:
    """Ids of the disclaimer's sentences: the section or paragraph so named, or else the sentences that say it."""
    for section in reversed(sections):
        if _TITLE.match(section.title):
            body = [n for n in section.sentences if not sentences[n - 1].is_heading]
            if body:
                return tuple(body[:_MOST])
    for sentence in reversed(sentences):
        opening = sentences[sentence.id - 2].paragraph != sentence.paragraph if sentence.id > 1 else True
        if opening and not sentence.is_heading and _is_label(sentence.text):
            own = [s.id for s in sentences if s.paragraph == sentence.paragraph]
            label = _TITLE.match(sentence.text)
            if len(own) == 1 and label and not any(c.isalnum() for c in sentence.text[label.end() :]):
                own += [s.id for s in sentences if s.paragraph == sentence.paragraph + 1 and not s.is_heading]
            return tuple(own[:_MOST])
    return tuple(s.id for s in sentences if not s.is_heading and says_disclaimer(s.text))[:_MOST]


def says_disclaimer(text: str) -> bool:
    """Whether a text says that it is no advice."""
    return len(text) <= 600 and _STATEMENT.search(text) is not None


def _is_label(text: str) -> bool:
    """Whether a sentence opens as a disclaimer's label does: the word alone, or before a colon or bracket."""
    label = _TITLE.match(text)
    return label is not None and (label.end() == len(text) or text[label.end()] in ":：】])）*.—-–|。 ")
