"""Which sentences answer, and how sure we are: a small trained model over what retrieval and the words say."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from bot.features import (
    JOIN_FEATURES,
    MATCH_FEATURES,
    QUESTION_FEATURES,
    SENTENCE_FEATURES,
    Asked,
    join_features,
    match_features,
    question_features,
    sentence_features,
)
from corpus.article import Article, Sentence
from index.encoder import FloatArray
from index.reranker import Reranker
from index.retriever import BankMatch, Hit, SentenceEvidence

MODEL = Path(__file__).with_name("reader.json")

TRAIN = "run: python -m training.reader"

MOST = 3
"""Most sentences of an answer."""

CONSIDERED = 6
"""So many of the best sentences are considered for it."""

HARDLY_ON_TOPIC = 0.3
"""A question this unlikely to be about the article's subject has no answer in it, whatever seems to answer."""

RANKED = 12
"""So many sentences are kept in order, for what is shown as related."""


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
    margin: float
    """How far that is over what is asked for, and the question not off topic, in log odds; it answers from 0 on."""
    on_topic: bool
    """Whether the question is about what the article is about."""

    @property
    def answers(self) -> bool:
        return self.margin >= 0


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
            raise ValueError(f"expected a reader trained on the present features; {TRAIN}")
        layers = [(np.array(w, dtype=np.float32), np.array(b, dtype=np.float32)) for w, b in data["layers"]]
        return cls(tuple(layers))


@dataclass(frozen=True, slots=True)
class ReaderModel:
    """Weights and thresholds, trained by `python -m training.reader`."""

    match: Network
    """Whether a question of the bank asks for the same."""
    sentence: Network
    """Whether a sentence belongs to the answer."""
    answerable: Network
    on_topic: Network
    join: Network
    """Whether a further sentence belongs beside the best one."""
    threshold: float
    """Abstain under this probability of being answerable."""
    together: float
    """A further sentence joins from this probability on."""

    @classmethod
    def load(cls, file: Path = MODEL) -> dict[str, ReaderModel]:
        """The models by what there is beside the article: `taught`, `bank` and `plain`; see `TrainedReader`.

        Raises:
            ValueError: they were trained on other features, or for other articles.
        """
        data = json.loads(file.read_text(encoding="utf-8"))
        if set(data) != {"taught", "bank", "plain"}:
            raise ValueError(f"expected readers taught, bank and plain, found {', '.join(data)}; {TRAIN}")
        return {
            name: cls(
                Network.read(part["match"], MATCH_FEATURES),
                Network.read(part["sentence"], SENTENCE_FEATURES),
                Network.read(part["answerable"], QUESTION_FEATURES),
                Network.read(part["on_topic"], QUESTION_FEATURES),
                Network.read(part["join"], JOIN_FEATURES),
                part["threshold"],
                part["together"],
            )
            for name, part in data.items()
        }


@dataclass(slots=True)
class TrainedReader:
    """Has a model for an article with a classifier learned from its bank, with a bank alone, and with neither."""

    models: Mapping[str, ReaderModel] = field(default_factory=ReaderModel.load)

    def read(self, asked: Asked, hits: Sequence[Hit], evidence: SentenceEvidence, bank: Sequence[BankMatch]) -> Reading:
        if not evidence.sentences:
            return Reading((), (), 0.0, margin=-np.inf, on_topic=False)
        model = self.models["plain" if not bank else "taught" if evidence.taught.learned else "bank"]
        matched = match_features(asked, evidence, bank)
        matches = model.match.probability(matched)
        article = evidence.article
        hits = [hit for hit in hits if hit.passage.article == article.id]
        features = sentence_features(asked, hits, evidence, bank, matches)
        scores = model.sentence.probability(features)
        overall = question_features(asked, evidence, bank, matched, matches, features, scores)
        answerable = model.answerable.probability(overall).item()
        on_topic = model.on_topic.probability(overall).item()
        order = np.argsort(-scores, kind="stable")[:RANKED]
        joined = model.join.probability(join_features(asked, evidence, bank, matches, scores, order[:CONSIDERED]))
        found = {n: hit.retrieval_score for hit in reversed(hits) for n in hit.passage.sentences}
        best = [(evidence.sentences[i], float(scores[i])) for i in order]
        ranked = tuple(Scored(article, s, score, found.get(s.id, 0.0)) for s, score in best)
        return Reading(
            ranked=ranked,
            chosen=tuple(ranked[i] for i in together(joined, model.together)),
            answerable=answerable,
            margin=min(
                _log_odds(answerable) - _log_odds(model.threshold), _log_odds(on_topic) - _log_odds(HARDLY_ON_TOPIC)
            ),
            on_topic=on_topic >= 0.5,
        )


def reranked(reading: Reading, question: str, reranker: Reranker) -> Reading:
    """The best sentences in the order of a reranker, whose scores are the span scores then.

    How many answer, and whether any, is left as it was.
    """
    if not reading.ranked:
        return reading
    scores = reranker.scores(question, [s.sentence.text for s in reading.ranked])
    order = np.argsort(-scores, kind="stable")
    ranked = tuple(replace(reading.ranked[i], span_score=float(scores[i])) for i in order)
    return replace(reading, ranked=ranked, chosen=ranked[: len(reading.chosen)])


def _log_odds(probability: float) -> float:
    inside = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(inside / (1 - inside))


def together(joined: FloatArray, threshold: float) -> list[int]:
    """Ranks of the sentences to show: the best, and the surest of those that belong beside it."""
    further = [int(i) + 1 for i in np.argsort(-joined, kind="stable") if joined[i] >= threshold]
    return [0, *further[: MOST - 1]]
