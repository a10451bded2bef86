"""The measures, each over plain arrays."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

TIE = 1e-9
"""Scores nearer than this are the same."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """What the ranks of the gold items come to; nDCG for one gold item a query."""

    n: int
    hit1: float
    hit5: float
    mrr10: float
    ndcg10: float

    @classmethod
    def of(cls, ranks: ArrayLike) -> Ranking:
        """From ranks that count from 1."""
        rank = np.asarray(ranks, dtype=np.float64)
        near = rank <= 10
        return cls(
            n=len(rank),
            hit1=float((rank <= 1).mean()),
            hit5=float((rank <= 5).mean()),
            mrr10=float(np.where(near, 1 / rank, 0).mean()),
            ndcg10=float(np.where(near, 1 / np.log2(1 + rank), 0).mean()),
        )

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def gold_ranks(scores: NDArray[np.floating], gold: NDArray[np.integer]) -> NDArray[np.int64]:
    """Rank of the gold item of each row, from 1: how many items score at least as much, so that ties count against it.

    Args:
        scores: (queries, items); minus infinity for an item that was not found.
        gold: (queries,)
    """
    own = scores[np.arange(len(gold)), gold][:, None]
    return np.asarray((scores >= own - TIE).sum(axis=1), dtype=np.int64)


def best_rows(scores: NDArray[np.floating], k: int) -> NDArray[np.int64]:
    """Places of the k best, best first; the earlier one where two are alike."""
    return np.argsort(-scores, kind="stable")[:k]


def auroc(positive: ArrayLike, negative: ArrayLike) -> float:
    """Chance that a positive scores above a negative; ties count half."""
    above, below = np.asarray(positive, dtype=np.float64), np.sort(np.asarray(negative, dtype=np.float64))
    less, less_or_same = np.searchsorted(below, above, "left"), np.searchsorted(below, above, "right")
    return float((less + less_or_same).mean() / (2 * len(below)))


def rejected(positive: ArrayLike, negative: ArrayLike, kept: float = 0.95) -> float:
    """Share of the negatives under the threshold that keeps this share of the positives."""
    return float((np.asarray(negative) < np.quantile(np.asarray(positive), round(1 - kept, 9))).mean())


def bitext_accuracy(scores: NDArray[np.floating], texts: list[str]) -> float:
    """Share of rows whose best column is their own translation, or the same text.

    Args:
        scores: (n, n), a row a sentence, a column each of `texts`, its translation at the same place.
    """
    best = scores.argmax(axis=1)
    return float(np.mean([b == i or texts[b] == texts[i] for i, b in enumerate(best)]))


def standardise(scores: NDArray[np.floating]) -> NDArray[np.float32]:
    """Scores as distances from their mean, in standard deviations; zeros where all are alike."""
    spread = float(scores.std())
    return np.asarray((scores - scores.mean()) / spread if spread > TIE else np.zeros_like(scores), dtype=np.float32)
