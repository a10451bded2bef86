"""Segments: articles that were encoded together, in files that are written once and mapped into memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import accumulate, compress, pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from corpus.article import Article, Sentence
from corpus.language import core, search_key
from corpus.passage import Passage
from corpus.segment import Tokenizer
from index.classifier import ENOUGH, ENOUGH_GAPS, Classifier, Classifiers
from index.encoder import Encoder, FloatArray, IntArray
from index.lexical import Postings, ragged

KINDS = ("passages", "sentences", "translations", "questions")
LEXICAL_KINDS = KINDS[:3]

HALF_PRECISION = 100_000
"""Tables of more rows keep their vectors in half precision."""


class StoreError(Exception):
    """Where the passages are to live cannot be used; the message says what was expected and what to do."""


_Arrays = TypeVar("_Arrays", Postings, Classifiers)

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The token ids of some rows, one row after the other."""

    ids: IntArray
    begins: NDArray[np.int64]
    """Where each row's begin."""

    @classmethod
    def join(cls, parts: Sequence[Tokens]) -> Tokens:
        """One part's rows after the other's."""
        bases = np.cumsum([0, *(len(part.ids) for part in parts)])
        begins = [part.begins + base for part, base in zip(parts, bases, strict=False)]
        ids = [np.empty(0, np.int32), *(part.ids for part in parts)]
        return cls(np.concatenate(ids), np.concatenate([np.empty(0, np.int64), *begins]))


@dataclass(frozen=True, slots=True)
class Table:
    """The texts of one kind: a vector and the token ids of each row."""

    vectors: NDArray[np.floating[Any]]
    """(rows, dim)"""
    ids: IntArray
    """Token ids of all rows, one after the other."""
    offsets: NDArray[np.int64]
    """(rows + 1,): row r has ids[offsets[r]:offsets[r + 1]]."""

    @classmethod
    def of(cls, vectors: NDArray[np.floating[Any]], ids: Sequence[IntArray]) -> Table:
        offsets = np.cumsum([0, *(len(row) for row in ids)], dtype=np.int64)
        return cls(vectors, np.concatenate([np.empty(0, np.int32), *ids]).astype(np.int32), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def dense(self, vector: FloatArray, rows: NDArray[np.int64] | slice) -> FloatArray:
        """The inner product of each of these rows with the vector."""
        return np.asarray(self.vectors[rows].astype(np.float32, copy=False) @ vector)

    def tokens(self, rows: NDArray[np.int64]) -> Tokens:
        starts = self.offsets[rows]
        lengths = self.offsets[rows + 1] - starts
        return Tokens(self.ids[ragged(starts, lengths)], np.cumsum(lengths) - lengths)

    def only(self, rows: NDArray[np.int64]) -> Table:
        tokens = self.tokens(rows)
        return Table(self.vectors[rows], tokens.ids, np.append(tokens.begins, len(tokens.ids)))


@dataclass(frozen=True, slots=True)
class Member:
    """An article of a segment, as it was when it was encoded."""

    article: str
    version: str
    rows: tuple[int, ...]
    """How many of each kind; they stand together."""


@dataclass(frozen=True, slots=True)
class Segment:
    """The rows of some articles."""

    members: tuple[Member, ...]
    places: IntArray
    """(passages, 5): section, start, end, first and last sentence."""
    vocabulary: IntArray
    """The distinct token ids of the articles' own texts."""
    tables: Mapping[str, Table]
    """Of passages only where the engine keeps them in files."""
    postings: Mapping[str, Postings]
    classifiers: Classifiers
    """Of each member whose bank is large enough."""

    @classmethod
    def build(
        cls,
        articles: Sequence[Article],
        held: Sequence[Passage],
        versions: Mapping[str, str],
        encoder: Encoder,
        tokenizer: Tokenizer,
        progress: Progress | None = None,
    ) -> Segment:
        """Encode every text of the articles and of the passages that they hold, in the order of the articles."""
        texts = _texts(articles, held)
        # Questions count twice: they are encoded, and then learned from.
        total, done = sum(len(rows) for rows in texts.values()) + len(texts["questions"]), 0
        tables = {}
        for kind in KINDS:
            vectors, ids = [np.empty((0, encoder.dim), dtype=np.float32)], []
            encode = encoder.encode_queries if kind == "questions" else encoder.encode_passages
            for part in _batches(texts[kind], 256):
                vectors.append(encode(part))
                ids += encoder.token_ids(part)
                done += len(part)
                if progress:
                    progress(kind, done, total)
            tables[kind] = Table.of(np.concatenate(vectors), ids)
        classifiers = []
        ends = accumulate(len(article.known) for article in articles)
        for article, (begin, end) in zip(articles, pairwise((0, *ends)), strict=True):
            own = slice(begin, end)
            classifiers.append(classifier_of(article, texts["questions"][own], tables["questions"].vectors[own]))
            done += end - begin
            if progress:
                progress("classifiers", done, total)
        postings = {k: Postings.build(tokenizer.search_terms(text) for text in texts[k]) for k in LEXICAL_KINDS}
        numbers = {article.id: 0 for article in articles}
        for passage in held:
            numbers[passage.article] += 1
        places = [(p.section, p.span.start, p.span.end, p.sentences.start, p.sentences.stop - 1) for p in held]
        return cls(
            members=tuple(
                Member(article.id, versions[article.id], (numbers[article.id], *counts(article)))
                for article in articles
            ),
            places=np.array(places, dtype=np.int32).reshape(-1, 5),
            vocabulary=np.unique(np.concatenate([tables[kind].ids for kind in LEXICAL_KINDS])),
            tables=tables,
            postings=postings,
            classifiers=Classifiers.join(classifiers),
        )

    @classmethod
    def merge(cls, segments: Sequence[Segment], live: Sequence[Sequence[bool]]) -> Segment:
        """The members that live, in their order."""
        kept = {
            kind: [np.repeat(alive, [m.rows[n] for m in s.members]) for s, alive in zip(segments, live, strict=True)]
            for n, kind in enumerate(KINDS)
        }
        tables = {}
        for kind in KINDS:
            parts = [
                segment.tables[kind].only(np.flatnonzero(keep))
                for segment, keep in zip(segments, kept[kind], strict=True)
                if kind in segment.tables
            ]
            if parts:
                lengths = np.concatenate([np.diff(part.offsets) for part in parts])
                tables[kind] = Table(
                    np.concatenate([part.vectors for part in parts]),
                    np.concatenate([part.ids for part in parts]),
                    np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
                )
        return cls(
            members=tuple(m for s, alive in zip(segments, live, strict=True) for m in compress(s.members, alive)),
            places=np.concatenate([s.places[keep] for s, keep in zip(segments, kept["passages"], strict=True)]),
            vocabulary=np.unique(np.concatenate([segment.vocabulary for segment in segments])),
            tables=tables,
            postings={k: Postings.merge([s.postings[k] for s in segments], kept[k]) for k in LEXICAL_KINDS},
            classifiers=Classifiers.join(
                [one for s, alive in zip(segments, live, strict=True) for one in s.classifiers.only(alive)]
            ),
        )

    def mask(self, live: Sequence[bool]) -> NDArray[np.bool_] | None:
        """Which passages are of members that live; None if all are."""
        return None if all(live) else np.repeat(live, [member.rows[0] for member in self.members])

    def save(self, folder: Path) -> None:
        """Write everything but the passages' table, which is the engine's."""
        np.save(folder / "places.npy", self.places)
        np.save(folder / "vocabulary.npy", self.vocabulary)
        for kind in KINDS[1:]:
            save_table(folder, kind, self.tables[kind])
        for kind, postings in self.postings.items():
            save_arrays(folder, f"{kind}.lexical", postings)
        save_arrays(folder, "classifier", self.classifiers)
        members = [[member.article, member.version, member.rows] for member in self.members]
        (folder / "members.json").write_text(json.dumps(members, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, passages: Table | None) -> Segment:
        """Map the files, which have to be sound, beside the passages' table from the engine, if it has one here."""
        tables = {kind: load_table(folder, kind) for kind in KINDS[1:]}
        return cls(
            members=tuple(
                Member(article, version, tuple(rows))
                for article, version, rows in json.loads((folder / "members.json").read_text(encoding="utf-8"))
            ),
            places=mapped(folder / "places.npy"),
            vocabulary=mapped(folder / "vocabulary.npy"),
            tables=tables if passages is None else {"passages": passages, **tables},
            postings={kind: load_arrays(folder, f"{kind}.lexical", Postings) for kind in LEXICAL_KINDS},
            classifiers=load_arrays(folder, "classifier", Classifiers),
        )


def counts(article: Article) -> tuple[int, int, int]:
    """How many sentences, translations and questions an article has."""
    translated = sum(1 for sentence in article.sentences if sentence.translation)
    return len(article.sentences), translated, len(article.known)


def classifier_of(article: Article, keys: Sequence[str], vectors: FloatArray) -> Classifier | None:
    """What its bank and known gaps teach, if they are many enough.

    Args:
        keys: search keys of the questions and the gaps, in their order.
        vectors: (questions and gaps, dim)
    """
    if len(article.questions) < ENOUGH or len(article.gaps) < ENOUGH_GAPS:
        return None
    return Classifier.fit(keys, vectors, [q.sentences for q in article.known])


def version_of(article: Article) -> str:
    """Changes with the text, the sentence boundaries, the translation, the bank, the glossary and the labels."""
    return hashlib.sha256(repr(article).encode()).hexdigest()


def context_of(article: Article, sentence: Sentence) -> str:
    """What a sentence stands under: its section's title and the opening of its item."""
    opener = article.sentence(sentence.item).text if sentence.item and sentence.item != sentence.id else ""
    return f"{article.section_of(sentence).title} {opener}".strip()


def save_table(folder: Path, kind: str, table: Table) -> None:
    precision = np.float16 if len(table) > HALF_PRECISION else np.float32
    np.save(folder / f"{kind}.vectors.npy", table.vectors.astype(precision, copy=False))
    np.save(folder / f"{kind}.ids.npy", table.ids)
    np.save(folder / f"{kind}.offsets.npy", table.offsets)


def load_table(folder: Path, kind: str) -> Table:
    return Table(*(mapped(folder / f"{kind}.{part}.npy") for part in ("vectors", "ids", "offsets")))


def save_arrays(folder: Path, name: str, held: Postings | Classifiers) -> None:
    """A file for each array."""
    for part in fields(held):
        np.save(folder / f"{name}.{part.name}.npy", getattr(held, part.name))


def load_arrays(folder: Path, name: str, kind: type[_Arrays]) -> _Arrays:
    """Map the files that `save_arrays` wrote."""
    return kind(*(mapped(folder / f"{name}.{part.name}.npy") for part in fields(kind)))


def mapped(file: Path) -> NDArray[Any]:
    """An array whose pages are read when they are needed, and shared with every process that maps the same file."""
    return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))


def _texts(articles: Sequence[Article], held: Sequence[Passage]) -> dict[str, list[str]]:
    """The search keys of every row of every table."""
    by_id = {article.id: article for article in articles}
    contexts = [context_of(by_id[p.article], by_id[p.article].sentence(p.sentences[0])) for p in held]
    sentences = [sentence for article in articles for sentence in article.sentences]
    return {
        "passages": [search_key(f"{context} {p.text}") for context, p in zip(contexts, held, strict=True)],
        "sentences": [search_key(sentence.text) for sentence in sentences],
        "translations": [search_key(sentence.translation) for sentence in sentences if sentence.translation],
        "questions": [core(search_key(q.text)) for article in articles for q in article.known],
    }


def _batches(texts: Sequence[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(texts), size):
        yield list(texts[start : start + size])
