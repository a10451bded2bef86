"""Which sentences answer, and how sure we are: a small trained model over what retrieval and the words say."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from bot.features import (
    MATCH_FEATURES,
    QUESTION_FEATURES,
    SENTENCE_FEATURES,
    Asked,
    FloatArray,
    match_features,
    question_features,
    sentence_features,
)
from corpus.article import Article, Sentence
from index.retriever import BankMatch, Hit, SentenceEvidence

MODEL = Path(__file__).with_name("reader.json")

MOST = 3
"""Most sentences of an answer."""


@dataclass(frozen=True, slots=True)
class Scored:
    article: Article
    sentence: Sentence
    span_score: float
    """Probability that the sentence belongs to the answer, if the article answers at all."""
    retrieval_score: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader makes of a question."""

    ranked: tuple[Scored, ...]
    chosen: tuple[Scored, ...]
    """One to three, best first."""
    answerable: float
    """Probability that the article answers."""
    answers: bool
    """Whether that is enough."""
    on_topic: bool
    """Whether the question is about what the article is about."""


class Reader(Protocol):
    def read(
        self, asked: Asked, hits: Sequence[Hit], evidence: SentenceEvidence, bank: Sequence[BankMatch]
    ) -> Reading: ...


@dataclass(frozen=True, slots=True)
class Network:
    """A logistic regression, or one hidden layer of rectified units before it."""

    layers: tuple[tuple[FloatArray, FloatArray], ...]
    """Weights (inputs, outputs) and bias (outputs,) of each layer; the last has one output."""

    def probability(self, features: FloatArray) -> FloatArray:
        """(..., inputs) to (...,)."""
        *hidden, (weights, bias) = self.layers
        for inner, shift in hidden:
            features = np.maximum(features @ inner + shift, 0)
        return np.asarray(1 / (1 + np.exp(-(features @ weights + bias)[..., 0])), dtype=np.float32)

    @classmethod
    def read(cls, data: Mapping[str, Any], inputs: Sequence[str]) -> Network:
        """
        Raises:
            ValueError: the model was trained on other features.
        """
        if data["inputs"] != list(inputs):
            raise ValueError("expected a reader trained on the present features; run: make train-reader")
        layers = [(np.array(w, dtype=np.float32), np.array(b, dtype=np.float32)) for w, b in data["layers"]]
        return cls(tuple(layers))


@dataclass(frozen=True, slots=True)
class ReaderModel:
    """Weights and thresholds, trained by `python -m training.reader`; one set with a question bank, one without."""

    match: Network
    """Whether a question of the bank asks for the same."""
    sentence: Network
    """Whether a sentence belongs to the answer."""
    answerable: Network
    on_topic: Network
    threshold: float
    """Abstain under this probability of being answerable."""
    second: float
    """A further sentence joins if its probability is at least this share of the best one's ..."""
    together: float
    """... or if this share of the bank's votes for the best one are for both."""

    @classmethod
    def load(cls, file: Path = MODEL) -> dict[str, ReaderModel]:
        """The models by name: `bank` and `plain`."""
        data = json.loads(file.read_text(encoding="utf-8"))
        return {
            name: cls(
                Network.read(part["match"], MATCH_FEATURES),
                Network.read(part["sentence"], SENTENCE_FEATURES),
                Network.read(part["answerable"], QUESTION_FEATURES),
                Network.read(part["on_topic"], QUESTION_FEATURES),
                part["threshold"],
                part["second"],
                part["together"],
            )
            for name, part in data.items()
        }


@dataclass(slots=True)
class TrainedReader:
    models: Mapping[str, ReaderModel] = field(default_factory=ReaderModel.load)

    def read(self, asked: Asked, hits: Sequence[Hit], evidence: SentenceEvidence, bank: Sequence[BankMatch]) -> Reading:
        if not evidence.sentences:
            return Reading((), (), 0.0, answers=False, on_topic=False)
        model = self.models["bank" if bank else "plain"]
        matched = match_features(asked, bank)
        matches = model.match.probability(matched)
        features = sentence_features(asked, hits, evidence, bank, matches)
        scores = model.sentence.probability(features)
        overall = question_features(asked, evidence, bank, matched, matches, features, scores)
        answerable = model.answerable.probability(overall).item()
        ranked = rank(evidence, scores, hits)
        return Reading(
            ranked=ranked,
            chosen=choose(ranked, bank, matches, model),
            answerable=answerable,
            answers=answerable >= model.threshold,
            on_topic=model.on_topic.probability(overall).item() >= 0.5,
        )


def rank(evidence: SentenceEvidence, scores: FloatArray, hits: Sequence[Hit]) -> tuple[Scored, ...]:
    """The twelve best sentences, best first."""
    found = {(h.passage.article, n): h.retrieval_score for h in reversed(hits) for n in h.passage.sentences}
    best = [(evidence.sentences[i], float(scores[i])) for i in np.argsort(-scores, kind="stable")[:12]]
    return tuple(Scored(a, s, score, found.get((a.id, s.id), 0.0)) for (a, s), score in best)


def choose(
    ranked: Sequence[Scored], bank: Sequence[BankMatch], matches: FloatArray, model: ReaderModel
) -> tuple[Scored, ...]:
    """The best sentence and those that belong with it, best first."""
    best = ranked[0]
    votes = [
        (float(p) ** 2, frozenset(match.question.sentences))
        for p, match in zip(matches, bank, strict=True)
        if best.sentence.id in match.question.sentences and match.article is best.article
    ]
    total = sum(vote for vote, _ in votes)
    chosen = [best]
    for other in ranked[1:6]:
        joint = sum(vote for vote, held in votes if other.sentence.id in held and other.article is best.article)
        if other.span_score >= model.second * best.span_score or (total > 0 and joint >= model.together * total):
            chosen.append(other)
    return tuple(chosen[:MOST])
