"""An answer as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.answer import Answer, AnswerSentence, Citation
from bot.messages import COMMAND, EVIDENCE, PAGE, Tongue, say, tongue
from corpus.article import Article
from corpus.segment import Span

BOLD, DIM, PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"


def render(answer: Answer, articles: Sequence[Article], *, styled: bool = False) -> str:
    """The quotes with label, place and, for an English question, translation; what to ask next; the disclaimer.

    Args:
        styled: whether to set highlights in bold and the rest in faint type.
    """
    language = tongue(answer.question_language)
    known = {article.id: article for article in articles}
    ink = _Ink(styled)
    parts = [answer.message] if answer.message else []
    for sentence, citation in zip(answer.sentences, answer.citations, strict=True):
        parts.append(_quoted(sentence, citation, known, language, ink))
    if answer.related:
        lines = [ink.faint(f"{say(PAGE['related'], language)}:")]
        for related in answer.related:
            place = _place(known[answer.article.id], related.sentence_id, related.quote, related.section, language)
            lines.append(f"· {_pair(related.quote, related.translation, language, ink)} {ink.faint(f'({place})')}")
        parts.append("\n".join(lines))
    if answer.hotline:
        parts.append(answer.hotline)
    if answer.suggestions:
        parts.append("\n".join([ink.faint(f"{say(PAGE['next'], language)}:"), *(f"· {s}" for s in answer.suggestions)]))
    disclaimer = _pair(answer.disclaimer.text, answer.disclaimer.translation, language, _Ink(False))
    name = say(COMMAND["disclaimer"], language)
    parts.append(ink.faint(disclaimer if disclaimer.startswith(name) else f"{name}: {disclaimer}"))
    return "\n\n".join(parts)


class _Ink:
    def __init__(self, styled: bool) -> None:
        self._styled = styled

    def faint(self, text: str) -> str:
        return f"{DIM}{text}{PLAIN}" if self._styled else text

    def mark(self, text: str, spans: Sequence[Span]) -> str:
        for span in sorted(spans, key=lambda span: -span.start) if self._styled else ():
            text = f"{text[: span.start]}{BOLD}{text[span.start : span.end]}{PLAIN}{text[span.end :]}"
        return text


def _quoted(
    sentence: AnswerSentence, citation: Citation, known: Mapping[str, Article], language: Tongue, ink: _Ink
) -> str:
    article = known[citation.article]
    lines = [_translated(sentence.translation, language, ink)] if sentence.translation else []
    lines.append(ink.mark(sentence.quote, sentence.highlights))
    place = _place(article, sentence.id, sentence.quote, citation.section, language)
    labels = [place, say(EVIDENCE[sentence.evidence], language)]
    if len(known) > 1:
        labels.insert(0, (article.title_en if language == "en" else None) or article.title)
    lines.append(ink.faint(f"[{citation.n}] {' · '.join(labels)}"))
    if sentence.doubt:
        lines.append(ink.faint(say(COMMAND["note"], language).format(text=sentence.doubt)))
    return "\n".join(lines)


def _place(article: Article, sentence_id: int, quote: str, title: str, language: Tongue) -> str:
    """Section, in the reader's language where that is known, and number of the sentence."""
    if language == "en" and sentence_id <= len(article.sentences) and article.sentence(sentence_id).text == quote:
        heading = article.sentence(article.section_of(article.sentence(sentence_id)).sentences[0])
        title = (heading.translation if heading.is_heading else None) or title
    sentence = say(PAGE["sentence"], language).format(n=sentence_id)
    return f"{title} · {sentence}" if title else sentence


def _pair(text: str, translation: str | None, language: Tongue, ink: _Ink) -> str:
    """The translation, named as one, and the original beside it."""
    return f"{_translated(translation, language, ink)} {text}" if translation else text


def _translated(translation: str, language: Tongue, ink: _Ink) -> str:
    name = say(PAGE["translation"], language)
    return f"{translation} {ink.faint(f'({name})')}"
