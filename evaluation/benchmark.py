"""The benchmark's files, and its passages as an index in memory."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpus.article import Article, parse
from corpus.passage import Passage
from corpus.segment import Span, Tokenizer
from index.encoder import Encoder
from index.retriever import Fusion, LocalRetriever
from index.store import Index

Row = dict[str, Any]

_BREAK = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_HEADING = re.compile(r"(?<!\S)#(?=#*[ \t])")


def rows_of(file: Path) -> list[Row]:
    """The objects of a JSONL file, none if there is no such file."""
    if not file.is_file():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]


@dataclass(frozen=True, slots=True)
class Collection:
    """Passages, each text once, and the questions on them."""

    texts: tuple[str, ...]
    questions: tuple[str, ...]
    gold: NDArray[np.int64]
    """(questions,): place in `texts` of the passage that answers."""

    @classmethod
    def of(cls, passages: Sequence[Row], questions: Sequence[Row], asked: str, told: str) -> Collection:
        """Questions in the language `asked` on passages in the language `told`."""
        places: dict[str, int] = {}
        of_passage = {p["id"]: places.setdefault(p[told], len(places)) for p in passages}
        kept = [
            q for q in questions if q.get(f"q_{asked}") and q["passage_id"] in of_passage and not q.get("is_impossible")
        ]
        gold = np.array([of_passage[q["passage_id"]] for q in kept], dtype=np.int64)
        return cls(tuple(places), tuple(q[f"q_{asked}"] for q in kept), gold)


@dataclass(frozen=True, slots=True)
class Text:
    """Passages put together to one article, and the questions on it."""

    article: Article
    passages: tuple[Passage, ...]
    questions: tuple[Row, ...]
    starts: dict[str, int]
    """Where each passage begins, by its id."""

    @classmethod
    def of(cls, passages: Sequence[Row], questions: Sequence[Row]) -> Text:
        article, held = article_of([p["zh"] for p in passages])
        starts = {row["id"]: passage.span.start for row, passage in zip(passages, held, strict=True)}
        return cls(article, tuple(held), tuple(questions), starts)

    @property
    def sentences(self) -> tuple[str, ...]:
        return tuple(s.text for s in self.article.sentences)

    def gold(self, question: Row) -> frozenset[int]:
        """Places in `sentences` of those that the answer touches."""
        offset = question.get("answer_start_zh", -1)
        if offset < 0:
            return frozenset()
        start = self.starts[question["passage_id"]] + offset
        end = start + len(question["answer_zh"])
        return frozenset(i for i, s in enumerate(self.article.sentences) if s.span.start < end and s.span.end > start)


def article_of(texts: Sequence[str]) -> tuple[Article, list[Passage]]:
    """An article of one section with a paragraph a text, and its passages: exactly those texts, trimmed."""
    # Character for character, so that offsets hold: a passage is one line, and none is a heading.
    lines = [_HEADING.sub("＃", _BREAK.sub(" ", text)) for text in texts]
    text = "\n".join(lines)
    sections, sentences = parse(text)
    starts = np.array([s.span.start for s in sentences])
    digest = hashlib.sha256(text.encode()).hexdigest()
    found, at = [], 0
    for number, line in enumerate(lines, start=1):
        first, last = np.searchsorted(starts, (at, at + len(line)))
        span = Span(at, at + len(line))
        found.append(Passage(digest[:12], number, 0, span, span.of(text), range(int(first) + 1, int(last) + 1)))
        at += len(line) + 1
    return Article(digest[:12], "", None, "zh-Hans", text, digest, sections, sentences, ()), found


def retriever_of(
    article: Article,
    passages: Sequence[Passage],
    encoder: Encoder,
    tokenizer: Tokenizer,
    fusion: Fusion | None = None,
) -> LocalRetriever:
    """The project's own retriever over these passages."""
    return LocalRetriever(Index.build([article], passages, encoder, tokenizer), encoder, tokenizer, fusion)


def by_article(passages: Iterable[Row], questions: Iterable[Row]) -> list[Text]:
    """XQuAD's passages put together again to the articles that they are from, in the order of the articles' numbers."""
    held: dict[int, tuple[list[Row], list[Row]]] = {}
    of_passage = {}
    for passage in passages:
        held.setdefault(passage["article"], ([], []))[0].append(passage)
        of_passage[passage["id"]] = passage["article"]
    for question in questions:
        held[of_passage[question["passage_id"]]][1].append(question)
    return [Text.of(*held[number]) for number in sorted(held)]
