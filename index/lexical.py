"""BM25 over the terms of a text: inverted lists that can be mapped from files, searched without reading all of them."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from index.encoder import FloatArray, IntArray

K1 = 0.8
B = 0.5

LOOKUP = 16
"""Looking a row up in a list takes as long as reading so many entries of it."""

DENSE_ROWS = 4096
"""So few rows are all scored; of more, only those that can be among the best."""


@dataclass(frozen=True, slots=True)
class Postings:
    """The inverted lists of some rows: counts only, so that idf and mean length can be those of all rows there are."""

    terms: NDArray[np.uint64]
    """(terms,): hashes, ascending."""
    offsets: NDArray[np.int64]
    """(terms + 1,): the list of term t is `rows[offsets[t]:offsets[t + 1]]`."""
    rows: IntArray
    """Ascending within a list."""
    counts: NDArray[np.uint16]
    """How often the term is in the row."""
    lengths: IntArray
    """(rows,): terms in each row."""

    @classmethod
    def build(cls, texts: Iterable[Sequence[str]]) -> Postings:
        """From the terms of each text, in row order."""
        numbers: dict[str, int] = {}
        terms, counts, distinct, lengths = array("q"), array("q"), array("q"), array("q")
        for text in texts:
            counted = Counter(text)
            terms.extend([numbers.setdefault(term, len(numbers)) for term in counted])
            counts.extend(counted.values())
            distinct.append(len(counted))
            lengths.append(len(text))
        hashes = np.array([term_hash(term) for term in numbers], dtype=np.uint64)
        rows = np.repeat(np.arange(len(lengths)), np.array(distinct, dtype=np.int64))
        return cls._sorted(hashes[np.array(terms, dtype=np.int64)], rows, np.array(counts), np.array(lengths))

    @classmethod
    def merge(cls, parts: Sequence[Postings], kept: Sequence[NDArray[np.bool_]]) -> Postings:
        """The kept rows of each part, one part after the other."""
        terms, rows, counts, base = [], [], [], 0
        for part, keep in zip(parts, kept, strict=True):
            places = np.flatnonzero(keep[part.rows])
            terms.append(np.repeat(part.terms, np.diff(part.offsets))[places])
            rows.append((np.cumsum(keep) - 1 + base)[part.rows[places]])
            counts.append(part.counts[places])
            base += int(keep.sum())
        lengths = [part.lengths[keep] for part, keep in zip(parts, kept, strict=True)]
        return cls._sorted(np.concatenate(terms), np.concatenate(rows), np.concatenate(counts), np.concatenate(lengths))

    @classmethod
    def _sorted(
        cls, terms: NDArray[np.uint64], rows: NDArray[np.int64], counts: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> Postings:
        order = np.argsort(terms, kind="stable")
        distinct, found = np.unique(terms[order], return_counts=True)
        return cls(
            terms=distinct,
            offsets=np.concatenate([[0], np.cumsum(found)]).astype(np.int64),
            rows=rows[order].astype(np.int32),
            counts=np.minimum(counts[order], np.iinfo(np.uint16).max).astype(np.uint16),
            lengths=lengths.astype(np.int32),
        )

    def __len__(self) -> int:
        return len(self.lengths)

    def find(self, terms: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the list of each term begins and ends; both zero for a term that is in no row."""
        if not len(self.terms):
            return np.zeros(len(terms), dtype=np.int64), np.zeros(len(terms), dtype=np.int64)
        places = np.minimum(np.searchsorted(self.terms, terms), len(self.terms) - 1)
        known = self.terms[places] == terms
        return self.offsets[places] * known, self.offsets[places + 1] * known


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a query, the rarest first, and their lists in each part."""

    idf: FloatArray
    """(words,): a word that is repeated counts each time."""
    lists: tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]


class Bm25:
    """BM25 in Lucene's form over one or more parts, whose rows are numbered through."""

    def __init__(self, parts: Sequence[Postings], live: Sequence[NDArray[np.bool_] | None] | None = None) -> None:
        self.parts = tuple(parts)
        self._live = tuple(live) if live is not None else (None,) * len(self.parts)
        self._bases = np.cumsum([0, *(len(part) for part in self.parts)])
        total = sum(int(part.lengths.sum(dtype=np.int64)) for part in self.parts)
        self._mean = total / max(1, len(self)) or 1.0

    @classmethod
    def build(cls, texts: Iterable[Sequence[str]]) -> Bm25:
        """From the terms of each text, in row order."""
        return cls((Postings.build(texts),))

    def __len__(self) -> int:
        return int(self._bases[-1])

    def words(self, terms: Iterable[str]) -> Words:
        """Look the terms up, once for every use of them."""
        repeated = Counter(terms)
        hashes = np.array([term_hash(term) for term in repeated], dtype=np.uint64)
        lists = [part.find(hashes) for part in self.parts]
        df = sum((stops - starts for starts, stops in lists), np.zeros(len(hashes), dtype=np.int64))
        idf = np.log1p((len(self) - df + 0.5) / (df + 0.5)) * np.array(list(repeated.values()), dtype=np.float64)
        order = np.argsort(-idf, kind="stable")
        order = order[df[order] > 0]
        return Words(idf[order].astype(np.float32), tuple((starts[order], stops[order]) for starts, stops in lists))

    def scores(self, terms: Iterable[str], among: range | None = None) -> FloatArray:
        """(rows,): the score of each row, or of each of a range that lies within one part."""
        words = self.words(terms)
        if among is not None:
            return self.between(words, among)
        return np.concatenate(
            [np.empty(0, np.float32), *(self.between(words, range(*each)) for each in pairwise(self._bases))]
        )

    def between(self, words: Words, among: range) -> FloatArray:
        """(len(among),): the score of each row of a range that lies within one part."""
        if not among:
            return np.empty(0, dtype=np.float32)
        number = int(np.searchsorted(self._bases, among.start, side="right")) - 1
        part, base = self.parts[number], int(self._bases[number])
        starts, stops = words.lists[number]
        first, last = among.start - base, among.stop - base
        if last - first < len(part):
            bounds = [np.searchsorted(part.rows[a:b], (first, last)) + a for a, b in zip(starts, stops, strict=True)]
            starts, stops = np.array(bounds, dtype=np.int64).reshape(-1, 2).T
        places = ragged(starts, stops - starts)
        rows = part.rows[places]
        weights = np.repeat(words.idf, stops - starts) * self._saturation(part, rows, places)
        return np.bincount(rows - first, weights, last - first).astype(np.float32)

    def at(self, words: Words, rows: NDArray[np.int64]) -> FloatArray:
        """(len(rows),): the score of each of these rows, which ascend."""
        found = np.zeros(len(rows), dtype=np.float32)
        bounds = np.searchsorted(rows, self._bases)
        for number, (begin, end) in enumerate(pairwise(bounds)):
            if begin < end:
                own = rows[begin:end] - self._bases[number]
                if len(self.parts[number]) <= DENSE_ROWS:
                    whole = range(int(self._bases[number]), int(self._bases[number + 1]))
                    found[begin:end] = self.between(words, whole)[own]
                else:
                    found[begin:end] = self._at(words, number, own, range(len(words.idf)))
        return found

    def top(self, words: Words, k: int) -> NDArray[np.int64]:
        """The rows of the k best scores above zero, in no order."""
        rows, scores = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
        for number in range(len(self.parts)):
            own, found = self._top(words, number, k)
            rows.append(own + self._bases[number])
            scores.append(found)
        return np.concatenate(rows)[largest(np.concatenate(scores), k)]

    def _top(self, words: Words, number: int, k: int) -> tuple[NDArray[np.int64], FloatArray]:
        """Exact, yet lists of frequent words are read only where the rows found so far could still rise or fall.

        A row that has none of the rarer words cannot score more than the idf of the others together (MaxScore).
        """
        part, live = self.parts[number], self._live[number]
        if len(part) <= DENSE_ROWS:
            base = int(self._bases[number])
            scores = self.between(words, range(base, base + len(part)))
            rows = np.flatnonzero(scores if live is None else scores * live)
            return rows, scores[rows]
        starts, stops = words.lists[number]
        ceilings = np.append(np.cumsum(words.idf[::-1])[::-1], 0)[1:]
        scores = np.zeros(len(part), dtype=np.float32)
        rows, complete = np.empty(0, dtype=np.int32), False
        for word, ceiling in enumerate(ceilings):
            if complete and LOOKUP * len(rows) < stops[word] - starts[word]:
                scores[rows] += self._at(words, number, rows, range(word, word + 1))
            else:
                places = slice(starts[word], stops[word])
                own = part.rows[places]
                gained = words.idf[word] * self._saturation(part, own, places)
                if live is not None:
                    own, gained = own[live[own]], gained[live[own]]
                if not complete:
                    rows = np.concatenate([rows, own[scores[own] == 0]])
                scores[own] += gained
            if len(rows) > k:
                least = np.partition(scores[rows], -k)[-k]
                rows = rows[scores[rows] + ceiling >= least]
                complete = complete or ceiling <= least
        return rows.astype(np.int64), scores[rows]

    def _at(self, words: Words, number: int, rows: NDArray[np.int64], which: range) -> FloatArray:
        part = self.parts[number]
        starts, stops = words.lists[number]
        found = np.zeros(len(rows), dtype=np.float32)
        for word in which:
            own = part.rows[starts[word] : stops[word]]
            if len(own):
                places = np.minimum(np.searchsorted(own, rows), len(own) - 1)
                has = own[places] == rows
                found[has] += words.idf[word] * self._saturation(part, rows[has], starts[word] + places[has])
        return found

    def _saturation(self, part: Postings, rows: NDArray[np.integer], places: NDArray[np.int64] | slice) -> FloatArray:
        """What a word counts in each row, from 0 to 1: more where it is frequent and the row short."""
        counts = part.counts[places].astype(np.float32)
        norms = K1 * (1 - B) + np.float32(K1 * B / self._mean) * part.lengths[rows]
        return np.asarray(counts / (counts + norms), dtype=np.float32)


@lru_cache(maxsize=65_536)
def term_hash(term: str) -> int:
    """Eight bytes that stand for a term, so that no vocabulary need be held in memory."""
    return int.from_bytes(hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def ragged(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """All places of the runs of these lengths that begin at `starts`, one run after the other."""
    begins = np.cumsum(lengths) - lengths
    return np.asarray(np.arange(int(lengths.sum())) + np.repeat(starts - begins, lengths), dtype=np.int64)


def nearest(scores: FloatArray, k: int) -> NDArray[np.int64]:
    """Rows of the k largest scores, best first."""
    rows = np.arange(len(scores))
    if len(scores) > k:  # a partition of values is several times as fast as one of places
        rows = np.flatnonzero(scores >= np.partition(scores, -k)[-k])
    return rows[np.argsort(-scores[rows], kind="stable")[:k]]


def largest(scores: FloatArray, k: int) -> NDArray[np.int64]:
    """Rows of the k largest scores above zero, best first."""
    rows = nearest(scores, k)
    return np.asarray(rows[scores[rows] > 0], dtype=np.int64)
