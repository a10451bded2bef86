"""BM25 over the terms of a text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.encoder import FloatArray, IntArray

K1 = 0.8
B = 0.5


@dataclass(frozen=True, slots=True)
class Bm25:
    """Inverted lists with ready impacts (idf and length normalisation in Lucene's form)."""

    size: int
    vocabulary: dict[str, int]
    offsets: NDArray[np.int64]
    """(terms + 1,): the list of term t is `rows[offsets[t]:offsets[t + 1]]`."""
    rows: IntArray
    impacts: FloatArray

    @classmethod
    def build(cls, texts: Iterable[Sequence[str]]) -> Bm25:
        """From the terms of each text, in row order."""
        counts = [Counter(terms) for terms in texts]
        lengths = np.array([sum(count.values()) for count in counts], dtype=np.float64)
        mean = lengths.mean() if lengths.size and lengths.any() else 1.0
        vocabulary: dict[str, int] = {}
        entries: list[tuple[int, int, int]] = []
        for row, count in enumerate(counts):
            for term, frequency in count.items():
                entries.append((vocabulary.setdefault(term, len(vocabulary)), row, frequency))
        table = np.array(sorted(entries), dtype=np.int64).reshape(-1, 3)
        terms, rows, frequencies = table[:, 0], table[:, 1], table[:, 2].astype(np.float64)
        df = np.bincount(terms, minlength=len(vocabulary)).astype(np.float64)
        idf = np.log1p((len(counts) - df + 0.5) / (df + 0.5))
        norm = K1 * (1 - B + B * lengths[rows] / mean)
        return cls(
            size=len(counts),
            vocabulary=vocabulary,
            offsets=np.concatenate([[0], np.cumsum(df)]).astype(np.int64),
            rows=rows.astype(np.int32),
            impacts=(idf[terms] * frequencies / (frequencies + norm)).astype(np.float32),
        )

    def scores(self, terms: Iterable[str]) -> FloatArray:
        """(size,): the BM25 score of each row; a term that is repeated counts each time."""
        found = np.zeros(self.size, dtype=np.float32)
        for term in terms:
            number = self.vocabulary.get(term)
            if number is not None:
                part = slice(self.offsets[number], self.offsets[number + 1])
                found[self.rows[part]] += self.impacts[part]
        return found
