"""What every surface shows: an Answer, serialised one way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from corpus.article import Evidence
from corpus.language import Language
from corpus.segment import Span

MAX_QUESTION_CHARACTERS = 500
"""Longest question that is answered."""

MAX_MESSAGE_CHARACTERS = 4_000
"""Longest message that the boxes of the page and the widget take: too long to be answered, but read for a crisis."""


class Status(StrEnum):
    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    SAFETY = "safety"


class Reason(StrEnum):
    """Why there is no answer; `bot.messages` says it in the reader's language."""

    OFF_TOPIC = "off_topic"
    NOT_IN_ARTICLE = "not_in_article"
    MEDICAL_ADVICE = "medical_advice"
    CRISIS = "crisis"
    SMALL_TALK = "small_talk"
    NOT_A_QUESTION = "not_a_question"


@dataclass(frozen=True, slots=True)
class AnswerSentence:
    """One sentence of the article, verbatim; `highlights` are spans within `quote`."""

    id: int
    span: Span
    quote: str
    highlights: tuple[Span, ...]
    evidence: Evidence
    translation: str | None
    doubt: str | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a sentence of the answer stands; `passage` is the article's text around it, verbatim."""

    n: int
    article: str
    sentence_id: int
    section: str
    passage: str
    span: Span
    retrieval_score: float
    span_score: float


@dataclass(frozen=True, slots=True)
class Related:
    """A sentence near the question that does not answer it."""

    sentence_id: int
    section: str
    quote: str
    span: Span
    translation: str | None


@dataclass(frozen=True, slots=True)
class ArticleCard:
    id: str
    title: str
    title_en: str | None
    url: str | None
    sha256: str


@dataclass(frozen=True, slots=True)
class Disclaimer:
    text: str
    sentence_id: int
    translation: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """The one result of a question, an abstention included.

    `message` is the bot's own sentence to the reader (never part of the article): why there is no answer, the crisis
    card, or a line that goes before the quotes, such as "this was found in mice".
    """

    question: str
    question_language: Language
    status: Status
    reason: Reason | None
    message: str
    sentences: tuple[AnswerSentence, ...]
    citations: tuple[Citation, ...]
    related: tuple[Related, ...]
    suggestions: tuple[str, ...]
    disclaimer: Disclaimer
    article: ArticleCard
    crisis: bool = False
    hotline: str | None = None

    @property
    def abstained(self) -> bool:
        return self.status is not Status.ANSWERED

    @property
    def text(self) -> str:
        """The extracted original text alone, in article order."""
        return "\n".join(sentence.quote for sentence in self.sentences)

    def as_dict(self) -> dict[str, Any]:
        """The form of `POST /api/ask` and of `yuanwen ask --json`."""
        return {
            "question": self.question,
            "question_lang": self.question_language,
            "status": self.status.value,
            "reason": self.reason.value if self.reason else None,
            "message": self.message,
            "answer": {
                "sentences": [
                    {
                        "id": s.id,
                        "quote": s.quote,
                        "start": s.span.start,
                        "end": s.span.end,
                        "highlights": [[h.start, h.end] for h in s.highlights],
                        "translation": s.translation,
                        "evidence": s.evidence.value,
                        "doubt": s.doubt,
                    }
                    for s in self.sentences
                ]
            },
            "citations": [
                {
                    "n": c.n,
                    "article": c.article,
                    "sentence_id": c.sentence_id,
                    "section": c.section,
                    "passage": c.passage,
                    "start": c.span.start,
                    "end": c.span.end,
                    "retrieval_score": round(c.retrieval_score, 4),
                    "span_score": round(c.span_score, 4),
                }
                for c in self.citations
            ],
            "related": [
                {
                    "sentence_id": r.sentence_id,
                    "section": r.section,
                    "quote": r.quote,
                    "start": r.span.start,
                    "end": r.span.end,
                    "translation": r.translation,
                }
                for r in self.related
            ],
            "suggestions": list(self.suggestions),
            "crisis": self.crisis,
            "hotline": self.hotline,
            "disclaimer": {
                "text": self.disclaimer.text,
                "sentence_id": self.disclaimer.sentence_id,
                "translation": self.disclaimer.translation,
            },
            "article": {
                "id": self.article.id,
                "title": self.article.title,
                "title_en": self.article.title_en,
                "url": self.article.url,
                "sha256": self.article.sha256,
            },
        }


def distinct_passages(citations: Sequence[Citation]) -> list[str]:
    """The cited passages, best first, each once."""
    ranked = sorted(citations, key=lambda citation: -citation.span_score)
    return list(dict.fromkeys(citation.passage for citation in ranked))
