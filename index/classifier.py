"""Which sentences a question asks for, learned from the question bank: by its words, and by its vector.

Where the nearest questions of the bank compare one wording with another, this weighs what all of them have in common:
a linear classifier over characters and words and a small network over the encoder's vectors, each learned by itself,
for together they err less than either, and less than one that learns from both.
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
NETWORK_EPOCHS = 6
BATCH = 128
RATE = 2.0
NETWORK_RATE = 0.1
UNITS = 256
"""Of the network's hidden layer, ..."""
DROPPED = 0.3
"""... and which share of them is left out at each step."""
SPREAD = 0.3
"""Standard deviation of the hidden layer's weights before they learn, for vectors of length one."""
NOISE = 0.03
"""Standard deviation of what is added to every number of a vector at each step: a typo moves it, too."""
SEED = 7

ENOUGH = 500
"""A bank of fewer questions teaches too little ..."""
ENOUGH_GAPS = 100
"""... and without so many known gaps every question seems to be answered."""

SHARED = 3
"""An n-gram counts that so many questions share."""

LEARNING = (
    f"{EPOCHS} epochs of {BATCH} at {RATE}, {SHARED} shared, from {ENOUGH} questions and {ENOUGH_GAPS} gaps, grams 2; "
    f"{NETWORK_EPOCHS} epochs at {NETWORK_RATE} of {UNITS} units, {DROPPED} dropped, from {SPREAD}, noise {NOISE}"
)
"""Stands for the rule in the manifest: another rule makes other classifiers."""

GAP = 0
"""The class of known gaps; the others are sentence ids, which begin at one."""

_RUN = re.compile(r"[\u3400-\u9fff]+|[^\W_\u3400-\u9fff]+")
_STEM = 5


def grams(key: str) -> Iterator[str]:
    """One to three characters of Chinese in a row; words of other scripts, their beginnings, and pairs of them.

    >>> list(grams("bdnf升高"))
    ['bdnf', '升', '高', '升高']
    >>> list(grams("mouse studies of tnf-α"))
    ['mouse', 'studies', 'studi*', 'mouse studies', 'of', 'studies of', 'tnf', 'of tnf', 'α', 'tnf α']
    """
    before = ""
    for run in _RUN.findall(key):
        if "\u3400" <= run[0] <= "\u9fff":
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
    """Softmax over the sentences that a bank asks for and the known gaps: half by the words, half by the vector."""

    features: NDArray[np.uint64]
    """(features,): hashes of the n-grams that count, ascending."""
    rarity: FloatArray
    """(features,): inverse document frequency among the questions."""
    weights: NDArray[np.float16]
    """(features, classes): for weighted n-grams at length one."""
    inner: FloatArray
    """(dim, UNITS): the network's hidden layer, of rectified units."""
    shift: FloatArray
    """(UNITS,)"""
    outer: FloatArray
    """(classes, UNITS)"""
    bias: FloatArray
    """(classes,): of the words and of the network."""
    classes: IntArray
    """(classes,): sentence ids, GAP among them."""

    @classmethod
    def fit(cls, keys: Sequence[str], vectors: FloatArray, answers: Sequence[Sequence[int]]) -> Classifier:
        """By stochastic gradient descent whose rate falls with what each weight has moved (Adagrad).

        Args:
            keys: search keys of the questions.
            vectors: (questions, dim), the encoder's for the keys, of length one.
            answers: the sentences that answer each, none for a known gap.
        """
        hashed = [_hashes(key) for key in keys]
        every, counts = np.unique(np.concatenate([np.empty(0, np.uint64), *hashed]), return_counts=True)
        features, rarity = every[counts >= SHARED], np.log((1 + len(keys)) / (1 + counts[counts >= SHARED])) + 1
        rarity = rarity.astype(np.float32)
        classes = np.unique([number for answer in answers for number in answer or (GAP,)]).astype(np.int32)
        wanted = np.zeros((len(keys), len(classes)), dtype=np.float32)
        for row, answer in enumerate(answers):
            wanted[row, np.searchsorted(classes, answer or (GAP,))] = 1 / max(len(answer), 1)
        weights, bias = _words_learned([_weighed(features, rarity, one) for one in hashed], len(features), wanted)
        inner, shift, outer, more = _network_learned(vectors, wanted)
        return cls(
            features,
            rarity,
            (weights / 2).astype(np.float16),
            inner,
            shift,
            np.ascontiguousarray(outer.T / 2),
            np.asarray((bias + more) / 2, np.float32),
            classes,
        )

    def probabilities(self, key: str, vector: FloatArray) -> FloatArray:
        """(classes,): summing to one, for the search key of a question and its vector (dim,)."""
        places, shares = _weighed(self.features, self.rarity, _hashes(key))
        by_words = shares @ self.weights[places].astype(np.float32)
        hidden = np.maximum(vector @ self.inner + self.shift, 0)
        scores = by_words + self.outer @ hidden + self.bias
        return np.asarray(_softmax(scores[None])[0])


def _weighed(
    features: NDArray[np.uint64], rarity: FloatArray, hashes: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], FloatArray]:
    """Which features a question has and what each weighs."""
    places = np.searchsorted(features, hashes)
    inside = places < len(features)
    places, hashes = places[inside], hashes[inside]
    places = places[features[places] == hashes]
    shares = rarity[places]
    return places, shares / max(float(np.linalg.norm(shares)), 1e-9)


def _words_learned(
    rows: Sequence[tuple[NDArray[np.int64], FloatArray]], features: int, wanted: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Weights (features, classes) and bias (classes,)."""
    weights, bias = np.zeros((features, wanted.shape[1]), np.float32), np.zeros(wanted.shape[1], np.float32)
    moved, bias_moved = _unmoved(weights), _unmoved(bias)
    for drawn, left in _steps(len(rows), EPOCHS, np.random.default_rng(SEED)):
        used, questions = _together([rows[i] for i in drawn])
        error = (_softmax(questions @ weights[used] + bias) - wanted[drawn]) / len(drawn) ** 0.5
        # Only these rows move: a copy of them, put back.
        here, here_moved = weights[used], moved[used]
        _move(here, here_moved, questions.T @ error, RATE * left)
        weights[used], moved[used] = here, here_moved
        _move(bias, bias_moved, error.sum(axis=0), RATE * left)
    return weights, bias


def _network_learned(vectors: FloatArray, wanted: FloatArray) -> tuple[FloatArray, ...]:
    """Hidden layer (dim, UNITS) and its bias, output layer (UNITS, classes) and its bias."""
    random = np.random.default_rng(SEED)
    layers = (
        random.normal(0, SPREAD, (vectors.shape[1], UNITS)).astype(np.float32),
        np.zeros(UNITS, np.float32),
        random.normal(0, 0.5 / np.sqrt(UNITS), (UNITS, wanted.shape[1])).astype(np.float32),
        np.zeros(wanted.shape[1], np.float32),
    )
    moved = [_unmoved(layer) for layer in layers]
    inner, shift, outer, bias = layers
    for drawn, left in _steps(len(vectors), NETWORK_EPOCHS, random):
        given = vectors[drawn] + random.normal(0, NOISE, (len(drawn), vectors.shape[1])).astype(np.float32)
        given /= np.linalg.norm(given, axis=1, keepdims=True)
        kept = (random.random((len(drawn), UNITS), np.float32) >= DROPPED) / np.float32(1 - DROPPED)
        hidden = np.maximum(given @ inner + shift, 0) * kept
        error = (_softmax(hidden @ outer + bias) - wanted[drawn]) / len(drawn) ** 0.5
        inside = error @ outer.T * kept * (hidden > 0)
        slopes = given.T @ inside, inside.sum(axis=0), hidden.T @ error, error.sum(axis=0)
        for layer, far, slope in zip(layers, moved, slopes, strict=True):
            _move(layer, far, slope, NETWORK_RATE * left)
    return layers


def _steps(count: int, epochs: int, random: np.random.Generator) -> Iterator[tuple[NDArray[np.int64], float]]:
    """Which rows each step is over, and what share of all steps is still to come."""
    size = min(BATCH, max(count, 1))
    order = np.concatenate([random.permutation(count) for _ in range(epochs)])
    steps = len(order) // size
    for step in range(steps):
        yield order[step * size : (step + 1) * size], 1 - step / steps


def _unmoved(weights: FloatArray) -> FloatArray:
    return np.full_like(weights, 1e-3)


def _move(weights: FloatArray, moved: FloatArray, slope: FloatArray, rate: float) -> None:
    """One step against the slope, in place."""
    moved += slope * slope
    weights -= np.float32(rate) * slope / np.sqrt(moved)


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
    inner: FloatArray
    shift: FloatArray
    outer: FloatArray
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
            np.concatenate([np.empty((0, UNITS), np.float32), *(part.inner for part in held)]),
            np.concatenate([np.empty(0, np.float32), *(part.shift for part in held)]),
            np.concatenate([np.empty((0, UNITS), np.float32), *(part.outer for part in held)]),
            np.concatenate([np.empty(0, np.float32), *(part.bias for part in held)]),
            np.concatenate([np.empty(0, np.int32), *(part.classes for part in held)]),
        )

    def of(self, article: int) -> Classifier | None:
        """That of the article of this number."""
        features, classes = self.sizes[article].tolist()
        if not classes:
            return None
        before = self.sizes[:article]
        held = np.count_nonzero(before[:, 1])
        dim = len(self.inner) // np.count_nonzero(self.sizes[:, 1])
        first, label, weight = int(before[:, 0].sum()), int(before[:, 1].sum()), int(before.prod(axis=1).sum())
        rows, labels = slice(first, first + features), slice(label, label + classes)
        return Classifier(
            self.features[rows],
            self.rarity[rows],
            self.weights[weight : weight + features * classes].reshape(features, classes),
            self.inner[held * dim : (held + 1) * dim],
            self.shift[held * UNITS : (held + 1) * UNITS],
            self.outer[labels],
            self.bias[labels],
            self.classes[labels],
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
