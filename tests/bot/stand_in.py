"""A chatbot for tests of the shells: real answers from the real article, found by counting shared words."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from bot.answer import (
    Answer,
    AnswerSentence,
    ArticleCard,
    Citation,
    Disclaimer,
    Reason,
    Related,
    Status,
)
from bot.messages import MOUSE_FIRST, REASONS, say, tongue
from bot.safety import Concern, SafetyRules
from corpus.article import Article, Evidence, Sentence, load_article
from corpus.language import detect_language, search_key
from corpus.segment import Span

ARTICLE = Path(__file__).parents[2] / "corpus" / "articles" / "msc-depression"
FIXED = {"weather": (), "天气": (), "天氣": (), "350 million": (9,), "患者": (9,), "fluoxetine": (31, 36), "氟西汀": (31, 36)}


def words(text: str) -> set[str]:
    key = search_key(text)
    return {key[i : i + 2] for i in range(len(key) - 1)} if not key.isascii() else set(key.split())


class StandIn:
    """`gate`, when given, holds every answer back until it is set; `error` is raised instead of answering."""

    def __init__(self, gate: threading.Event | None = None) -> None:
        self.articles: tuple[Article, ...] = (load_article(ARTICLE),)
        self.gate = gate
        self.error: Exception | None = None
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self._rules = SafetyRules.load()

    def ask(self, question: str, history: Sequence[str] = (), *, article: str | None = None) -> Answer:
        found = self.articles[0]
        if question != found.title:
            self.asked.append((question, tuple(history)))
            if self.gate is not None:
                self.gate.wait(20)
            if self.error is not None:
                raise self.error
        language = detect_language(question)
        own = tongue(language)
        english = language == "en"
        card = ArticleCard(found.id, found.title, found.title_en, found.url, found.sha256)
        disclaimer = Disclaimer(
            found.disclaimer_text, found.disclaimer[0], found.disclaimer_text_en if english else None
        )

        def answer(
            status: Status, reason: Reason | None, message: str, ids: Sequence[int], related: Sequence[int] = ()
        ) -> Answer:
            held = [found.sentence(n) for n in ids]
            near = [found.sentence(n) for n in related]
            return Answer(
                question=question,
                question_language=language,
                status=status,
                reason=reason,
                message=message,
                sentences=tuple(_quoted(found, s, english) for s in held),
                citations=tuple(_cited(found, n, s) for n, s in enumerate(held, start=1)),
                related=tuple(
                    Related(s.id, found.section_of(s).title, s.text, s.span, s.translation if english else None)
                    for s in near
                ),
                suggestions=()
                if status is Status.SAFETY
                else (("What are mesenchymal stem cells?",) if english else ("间充质干细胞是什么?", "试验进行得怎么样了?")),
                disclaimer=disclaimer,
                article=card,
                crisis=reason is Reason.CRISIS,
            )

        if self._rules.assess(question).concern is Concern.CRISIS:
            return answer(Status.SAFETY, Reason.CRISIS, say(REASONS[Reason.CRISIS], own), ())
        ids = next((ids for key, ids in FIXED.items() if key in question), None)
        if ids is None:
            asked = words(question)

            def shared(sentence: Sentence) -> int:
                return len(asked & words((sentence.translation or "") if english else sentence.text))

            best = max((s for s in found.sentences if not s.is_heading), key=shared)
            ids = (best.id,) if shared(best) > 1 else ()
        if not ids:
            reason = Reason.NOT_IN_ARTICLE
            return answer(Status.NO_ANSWER, reason, say(REASONS[reason], own), (), (18, 6))
        mice = any(found.sentence(n).evidence is Evidence.MOUSE_STUDY for n in ids)
        return answer(Status.ANSWERED, None, say(MOUSE_FIRST, own) if mice else "", ids)


def _quoted(article: Article, sentence: Sentence, english: bool) -> AnswerSentence:
    doubt = next((d for d in article.doubts if d.sentence == sentence.id), None)
    length = len(sentence.text)
    return AnswerSentence(
        id=sentence.id,
        span=sentence.span,
        quote=sentence.text,
        highlights=(Span(min(4, length), min(18, length)),),
        evidence=sentence.evidence,
        translation=sentence.translation if english else None,
        doubt=(doubt.en if english else doubt.zh) if doubt else None,
    )


def _cited(article: Article, n: int, sentence: Sentence) -> Citation:
    section = article.section_of(sentence).title
    return Citation(n, article.id, sentence.id, section, sentence.text, sentence.span, 0.8, 0.9)
