"""Which sentences a question asks for, learned from the question bank: a linear classifier over characters and words.

Where the nearest questions of the bank compare one wording with another, this weighs what all of them have in common.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from index.encoder import FloatArray, IntArray
from index.lexical import term_hash

EPOCHS = 4
BATCH = 128
RATE = 2.0
SEED = 7

ENOUGH = 500
"""A bank of fewer questions teaches too little ..."""
ENOUGH_GAPS = 100
"""... and without so many known gaps every question seems to be answered."""

SHARED = 3
"""An n-gram counts that so many questions share."""

LEARNING = (
    f"{EPOCHS} epochs of {BATCH} at {RATE}, {SHARED} shared, from {ENOUGH} questions and {ENOUGH_GAPS} gaps, grams 1"
)
"""Stands for the rule in the manifest: another rule makes other classifiers."""

GAP = 0
"""The class of known gaps; the others are sentence ids, which begin at one."""

_RUN = re.compile(r"[a-z0-9]+|[\u3400-\u9fff]+")
_STEM = 5


def grams(key: str) -> Iterator[str]:
    """One to three characters of Chinese in a row; words of other scripts, their beginnings, and pairs of them.

    >>> list(grams("bdnf升高"))
    ['bdnf', '升', '高', '升高']
    >>> list(grams("mouse studies"))
    ['mouse', 'studies', 'studi*', 'mouse studies']
    """
    before = ""
    for run in _RUN.findall(key):
        if run > "\u3000":
            yield from (run[i : i + n] for n in (1, 2, 3) for i in range(len(run) - n + 1))
            before = ""
            continue
        yield run
        if len(run) > _STEM:
            yield f"{run[:_STEM]}*"
        if before:
            yield f"{before} {run}"
        before = run


@dataclass(frozen=True, slots=True)
class Classifier:
    """Softmax over the sentences that a bank asks for and the known gaps, of weighted n-grams at length one."""

    features: NDArray[np.uint64]
    """(features,): hashes of the n-grams that count, ascending."""
    rarity: FloatArray
    """(features,): inverse document frequency among the questions."""
    weights: NDArray[np.float16]
    """(features, classes)"""
    bias: FloatArray
    """(classes,)"""
    classes: IntArray
    """(classes,): sentence ids, GAP among them."""

    @classmethod
    def fit(cls, keys: Sequence[str], answers: Sequence[Sequence[int]]) -> Classifier:
        """By stochastic gradient descent whose rate falls with what each weight has moved (Adagrad).

        Args:
            keys: search keys of the questions.
            answers: the sentences that answer each, none for a known gap.
        """
        hashed = [_hashes(key) for key in keys]
        every, counts = np.unique(np.concatenate([np.empty(0, np.uint64), *hashed]), return_counts=True)
        features, rarity = every[counts >= SHARED], np.log((1 + len(keys)) / (1 + counts[counts >= SHARED])) + 1
        classes = np.unique([number for answer in answers for number in answer or (GAP,)]).astype(np.int32)
        wanted = np.zeros((len(keys), len(classes)), dtype=np.float32)
        for row, answer in enumerate(answers):
            wanted[row, np.searchsorted(classes, answer or (GAP,))] = 1 / max(len(answer), 1)
        fitted = cls(
            features,
            rarity.astype(np.float32),
            np.zeros((len(features), len(classes)), np.float16),
            np.zeros(len(classes), np.float32),
            classes,
        )
        return fitted._learned([fitted._row(hashes) for hashes in hashed], wanted)

    def probabilities(self, key: str) -> FloatArray:
        """(classes,): summing to one, for the search key of a question."""
        places, shares = self._row(_hashes(key))
        scores = shares @ self.weights[places].astype(np.float32) + self.bias
        return np.asarray(_softmax(scores[None])[0])

    def _row(self, hashes: NDArray[np.uint64]) -> tuple[NDArray[np.int64], FloatArray]:
        """Which features a question has and what each weighs."""
        places = np.searchsorted(self.features, hashes)
        inside = places < len(self.features)
        places, hashes = places[inside], hashes[inside]
        places = places[self.features[places] == hashes]
        shares = self.rarity[places]
        return places, shares / max(float(np.linalg.norm(shares)), 1e-9)

    def _learned(self, rows: Sequence[tuple[NDArray[np.int64], FloatArray]], wanted: FloatArray) -> Classifier:
        weights, bias = np.zeros(self.weights.shape, np.float32), np.zeros(len(self.bias), np.float32)
        moved, bias_moved = np.full_like(weights, 1e-3), np.full_like(bias, 1e-3)
        random = np.random.default_rng(SEED)
        size = min(BATCH, max(len(rows), 1))
        order = np.concatenate([np.empty(0, np.int64), *(random.permutation(len(rows)) for _ in range(EPOCHS))])
        steps = len(order) // size
        for step in range(steps):
            drawn = order[step * size : (step + 1) * size]
            used, questions = _together([rows[i] for i in drawn])
            error = _softmax(questions @ weights[used] + bias) - wanted[drawn]
            rate = RATE * (1 - step / steps)
            slope = questions.T @ error / np.sqrt(size)
            moved[used] += slope * slope
            weights[used] -= rate * slope / np.sqrt(moved[used])
            bias_slope = error.sum(axis=0) / np.sqrt(size)
            bias_moved += bias_slope * bias_slope
            bias -= rate * bias_slope / np.sqrt(bias_moved)
        return Classifier(self.features, self.rarity, weights.astype(np.float16), bias, self.classes)


@dataclass(frozen=True, slots=True)
class Classifiers:
    """Those of the articles of a segment, in files that are mapped; an article whose bank is small has none."""

    sizes: NDArray[np.int64]
    """(articles, 2): features and classes of each, zero for none."""
    features: NDArray[np.uint64]
    """Of all articles, one after the other, like what follows."""
    rarity: FloatArray
    weights: NDArray[np.float16]
    """Each article's row by row."""
    bias: FloatArray
    classes: IntArray

    @classmethod
    def join(cls, parts: Sequence[Classifier | None]) -> Classifiers:
        held = [part for part in parts if part]
        return cls(
            np.array([part.weights.shape if part else (0, 0) for part in parts], np.int64).reshape(-1, 2),
            np.concatenate([np.empty(0, np.uint64), *(part.features for part in held)]),
            np.concatenate([np.empty(0, np.float32), *(part.rarity for part in held)]),
            np.concatenate([np.empty(0, np.float16), *(part.weights.ravel() for part in held)]),
            np.concatenate([np.empty(0, np.float32), *(part.bias for part in held)]),
            np.concatenate([np.empty(0, np.int32), *(part.classes for part in held)]),
        )

    def of(self, article: int) -> Classifier | None:
        """That of the article of this number."""
        features, classes = self.sizes[article].tolist()
        if not classes:
            return None
        before = self.sizes[:article]
        first, label, weight = int(before[:, 0].sum()), int(before[:, 1].sum()), int(before.prod(axis=1).sum())
        return Classifier(
            self.features[first : first + features],
            self.rarity[first : first + features],
            self.weights[weight : weight + features * classes].reshape(features, classes),
            self.bias[label : label + classes],
            self.classes[label : label + classes],
        )

    def only(self, live: Sequence[bool]) -> list[Classifier | None]:
        return [self.of(article) for article in compress(range(len(live)), live)]


def _together(
    rows: Sequence[tuple[NDArray[np.int64], FloatArray]],
) -> tuple[NDArray[np.int64], FloatArray]:
    """The features that some questions use, and (questions, features used) what they weigh."""
    used, places = np.unique(np.concatenate([places for places, _ in rows]), return_inverse=True)
    questions = np.zeros((len(rows), len(used)), dtype=np.float32)
    owners = np.repeat(np.arange(len(rows)), [len(places) for places, _ in rows])
    questions[owners, places] = np.concatenate([shares for _, shares in rows])
    return used, questions


def _hashes(key: str) -> NDArray[np.uint64]:
    return np.unique(np.array([term_hash(gram) for gram in grams(key)], dtype=np.uint64))


def _softmax(scores: FloatArray) -> FloatArray:
    """Over each row."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float32)
