"""Train the reader: `python -m training.reader` writes bot/reader.json.

Every question of the bank serves as a query from which its own row is hidden, and half of the rows that share its
answer, so that the model sees the bank as a stranger's question meets it; known gaps likewise, with half of their
topic hidden; and the classifier that is asked has learned from the other half of the bank. `hard.tsv` are rows of the
bank by authors of their own: only their own row is hidden, and they count threefold. Thresholds are chosen on the
development questions of `evaluation/questions`. For an article whose bank is too small for a classifier the models
learn from parts of the bank; for one without a bank they learn from `articles/` as well, a fifth of which is kept
apart for the thresholds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier
from tqdm import tqdm

from bot.chatbot import load_articles, load_chatbot
from bot.dialogue import parts
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
from bot.reader import CONSIDERED, MODEL, Network, ReaderModel, TrainedReader, together
from corpus.article import Article, BankQuestion, Sentence
from corpus.language import core, search_key
from corpus.passage import passages
from corpus.segment import JiebaTokenizer, Tokenizer
from index.classifier import Classifier
from index.encoder import Encoder, FloatArray, load_encoder
from index.retriever import BankMatch, Hit, LocalRetriever, SentenceEvidence, Taught
from index.store import Index
from training.reader.examples import Example, Written, development, examples, group_of, written

WRITTEN_WEIGHT = 4.0
"""What a question on an article written for training counts beside one of the bank."""
PLAIN_STRIDE = 8
"""Of the examples on the shipped article, how many times fewer train the plain models."""
APART = 5
"""Every fifth of those articles is kept apart, to choose the plain thresholds on."""
NEGATIVES = 16
BANK_DEPTH = 32
SMALL = (40, 130, 430)
"""Questions and known gaps in each of the small banks that are drawn from the whole."""
FALSELY_REFUSED = {"taught": 0.01, "bank": 0.03, "plain": 0.03}
"""How much of what an article answers may be refused; more where less is known, or hardly anything would be."""
UNITS = 16
BAGS = 5
ALPHA = 0.5
EPOCHS = 100
BATCH = 1024
RATE = 0.003


@dataclass(frozen=True, slots=True)
class Measured:
    """One example with all that retrieval found for it."""

    example: Example
    asked: Asked
    hits: Sequence[Hit]
    evidence: SentenceEvidence
    bank: Sequence[BankMatch]
    matched: FloatArray

    @property
    def wanted(self) -> frozenset[int]:
        return frozenset().union(*self.example.answers)


class Collector:
    """Asks the examples of the real retriever, with a part of the bank hidden from those that stem from it."""

    def __init__(self, article: Article, reader: TrainedReader, seed: int, cache: Path) -> None:
        self.article = article
        self.chatbot = load_chatbot([article], reader=reader, cache=cache, say_line=print)
        assert isinstance(self.chatbot.retriever, LocalRetriever)
        self.retriever = self.chatbot.retriever
        self._random = np.random.default_rng(seed)
        self._groups: dict[str, list[int]] = {}
        self._rows: dict[str, int] = {}
        known = article.known
        for row, question in enumerate(known):
            self._rows[question.text] = row
            self._groups.setdefault(group_of(question), []).append(row)
        self._half = self._random.integers(2, size=len(known))
        place = self.retriever.index.place(article.id)
        taught = place.segment.classifiers.of(place.member) is not None
        halves = (np.flatnonzero(self._half != half) for half in range(2))
        self._taught_by_other = [self._learned(rows) for rows in halves] if taught else []

    def measure(self, example: Example) -> Measured:
        asked = self.chatbot.in_conversation(example.question, example.history)
        hits = self.retriever.retrieve(asked.query)
        hidden = self._hidden(example)
        found = self.retriever.bank(asked.query, self.article.id, BANK_DEPTH + min(len(hidden), 96))
        bank = [match for match in found if match.row not in hidden][:BANK_DEPTH]
        evidence = self.retriever.evidence(asked.query, self.article.id, hits)
        if self._taught_by_other and example.question in self._rows:
            classifier = self._taught_by_other[self._half[self._rows[example.question]]]
            evidence = replace(evidence, taught=Taught.of(classifier, asked.query, evidence.sentences))
        return Measured(example, asked, hits, evidence, bank, match_features(asked, evidence, bank))

    def _learned(self, rows: NDArray[np.int64]) -> Classifier:
        """What these questions of the bank and known gaps teach."""
        place, known = self.retriever.index.place(self.article.id), self.article.known
        vectors = place.segment.tables["questions"].vectors[place.within["questions"].start + rows]
        chosen = [known[row] for row in rows]
        return Classifier.fit([core(search_key(q.text)) for q in chosen], vectors, [q.sentences for q in chosen])

    def _hidden(self, example: Example) -> set[int]:
        """Its own row, and of a row that others wrote alongside, half of the rows that share its answer."""
        own = {self._rows[example.question]} if example.question in self._rows else set()
        siblings = set(self._groups.get(example.group, ())) - own
        return own | {other for other in sorted(siblings) if self._random.random() < 0.5}


def measure_written(held: Sequence[Written], encoder: Encoder, tokenizer: Tokenizer) -> list[Measured]:
    """The examples of articles that nothing else is known of."""
    measured = []
    for one in tqdm(held, desc="other articles", disable=None):
        index = Index.build([one.article], passages(one.article, tokenizer), encoder, tokenizer)
        retriever = LocalRetriever(index, encoder, tokenizer)
        for example in one.examples:
            asked = Asked(retriever.prepare(example.question))
            hits = retriever.retrieve(asked.query)
            evidence = retriever.evidence(asked.query, one.article.id, hits)
            measured.append(Measured(example, asked, hits, evidence, (), match_features(asked, evidence, ())))
    return measured


def fit(rows: FloatArray, labels: FloatArray, weights: FloatArray, units: int, seed: int) -> Network:
    """Networks of one hidden layer, each on a sample drawn by the weights, averaged; a plain regression for 0 units.

    The mean of several networks' log odds is one network with all their units, and standardised features are
    folded into its first layer.
    """
    mean, spread = rows.mean(axis=0), rows.std(axis=0)
    spread = np.where(spread > 1e-6, spread, 1)
    scaled = (rows - mean) / spread
    if units:
        parts = [_network(scaled, labels, weights, units, seed + bag) for bag in range(BAGS)]
        first, shift, second, last = (np.concatenate([part[i] for part in parts], axis=-1) for i in range(4))
        layers = [(first, shift), (second.T / BAGS, last.mean(keepdims=True))]
    else:
        model = LogisticRegression(C=0.3, max_iter=2000).fit(scaled, labels, sample_weight=weights)
        layers = [(model.coef_.T, model.intercept_)]
    first, shift = layers[0]
    layers[0] = (first / spread[:, None], shift - (mean / spread) @ first)
    return Network(tuple((w.astype(np.float32), b.astype(np.float32)) for w, b in layers))


def _network(
    scaled: FloatArray, labels: FloatArray, weights: FloatArray, units: int, seed: int
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Weights and bias of the hidden layer, then of the output, (1, units) and (1,)."""
    # scikit-learn's network takes no sample weights: a sample is drawn by them instead.
    draw = np.random.default_rng(seed).choice(len(scaled), len(scaled), p=weights / weights.sum())
    net = MLPClassifier(
        (units,),
        alpha=ALPHA,
        batch_size=min(BATCH, len(scaled)),
        learning_rate_init=RATE,
        max_iter=EPOCHS,
        early_stopping=True,
        random_state=seed,
    )
    net.fit(scaled[draw], labels[draw])
    (first, second), (shift, last) = net.coefs_, net.intercepts_
    return first, shift, second.T, last


def untrained() -> ReaderModel:
    """Says even odds to everything: stands in until there is a first model."""

    def even(inputs: Sequence[str]) -> Network:
        return Network(((np.zeros((len(inputs), 1), np.float32), np.zeros(1, np.float32)),))

    question = even(QUESTION_FEATURES)
    return ReaderModel(even(MATCH_FEATURES), even(SENTENCE_FEATURES), question, question, even(JOIN_FEATURES), 0.5, 0.9)


def fit_match(measured: Sequence[Measured], units: int, seed: int) -> Network:
    """Same answer or not, over the questions of the bank near each example."""
    rows, labels, weights = [], [], []
    for one in measured:
        if one.bank:
            rows.append(one.matched)
            labels += [_same(one, match.question) for match in one.bank]
            weights += [one.example.weight / len(one.bank)] * len(one.bank)
    if not rows:
        return untrained().match
    return fit(np.concatenate(rows), np.array(labels, np.float32), np.array(weights, np.float32), units, seed)


def _same(one: Measured, question: BankQuestion) -> bool:
    if one.example.answers:
        return bool(one.wanted & set(question.sentences))
    return one.example.kind == "gap" and question.topic == one.example.group


@dataclass(frozen=True, slots=True)
class Read:
    """A measured example after the first two stages."""

    one: Measured
    matches: FloatArray
    features: FloatArray
    scores: FloatArray

    def overall(self) -> FloatArray:
        one = self.one
        return question_features(
            one.asked, one.evidence, one.bank, one.matched, self.matches, self.features, self.scores
        )

    @property
    def order(self) -> NDArray[np.int64]:
        return np.argsort(-self.scores, kind="stable")[:CONSIDERED]

    def joining(self) -> FloatArray:
        one = self.one
        return join_features(one.asked, one.evidence, one.bank, self.matches, self.scores, self.order)

    def shown(self, joined: FloatArray, threshold: float) -> list[Sentence]:
        return [self.one.evidence.sentences[self.order[rank]] for rank in together(joined, threshold)]


def fit_sentences(measured: Sequence[Measured], match: Network, units: int, seed: int) -> Network:
    """From the sentences that answer, the strongest ones that do not, and a few at random."""
    random = np.random.default_rng(seed)
    lead = [SENTENCE_FEATURES.index(name) for name in ("bank_vote", "late_context", "bank", "dense", "taught")]
    rows, labels, weights = [], [], []
    for one in measured:
        if not one.example.answers:
            continue
        features = sentence_features(one.asked, one.hits, one.evidence, one.bank, match.probability(one.matched))
        right = np.array([s.id in one.wanted for s in one.evidence.sentences], dtype=np.float32)
        strength = features[:, lead].sum(axis=1) - 9 * right
        other = random.choice(len(right), 6, replace=False)
        kept = np.unique(np.concatenate([np.flatnonzero(right), np.argsort(-strength)[:NEGATIVES], other]))
        rows.append(features[kept])
        labels.append(right[kept])
        weights.append(np.full(len(kept), one.example.weight, dtype=np.float32))
    return fit(np.concatenate(rows), np.concatenate(labels), np.concatenate(weights), units, seed)


def read(one: Measured, match: Network, sentence: Network) -> Read:
    matches = match.probability(one.matched)
    features = sentence_features(one.asked, one.hits, one.evidence, one.bank, matches)
    return Read(one, matches, features, sentence.probability(features))


def fit_join(reads: Sequence[Read], units: int, seed: int) -> Network:
    """Over the answers whose best sentence is right: which of the next ones belong to it."""
    rows, labels, weights = [], [], []
    for one in reads:
        ids = [one.one.evidence.sentences[i].id for i in one.order]
        if one.one.example.answers and ids[0] in one.one.wanted:
            rows.append(one.joining())
            labels += [other in one.one.wanted for other in ids[1:]]
            weights += [one.one.example.weight] * (len(ids) - 1)
    return fit(np.concatenate(rows), np.array(labels, np.float32), np.array(weights, np.float32), units, seed)


def focused(shown: Sequence[Sentence], answers: Sequence[frozenset[int]]) -> bool:
    """All of one answer shown, and at least half of what is shown an answer."""
    ids = {s.id for s in shown}
    wanted = frozenset().union(*answers)
    good = sum(len(s.text) for s in shown if s.id in wanted)
    return any(answer <= ids for answer in answers) and 2 * good >= sum(len(s.text) for s in shown)


def tune(
    model: ReaderModel, measured: Sequence[Measured], more: Sequence[Measured], falsely_refused: float
) -> ReaderModel:
    """The two thresholds that serve the development questions best."""
    held = [read(one, model.match, model.sentence) for one in measured]
    scores = np.array([model.answerable.probability(one.overall()).item() for one in held])
    truth = np.array([bool(one.one.example.answers) for one in held])
    # Few development questions want several sentences: those written for training help to choose how readily they
    # join, each kind with one voice.
    lists = [read(one, model.match, model.sentence) for one in more if one.example.answers]
    kinds: dict[str, list[tuple[Read, FloatArray]]] = {}
    for one in (*held, *lists):
        if one.one.example.answers:
            kinds.setdefault(one.one.example.kind, []).append((one, model.join.probability(one.joining())))

    def right(threshold: float) -> float:
        return sum(
            float(np.mean([focused(one.shown(join, threshold), one.one.example.answers) for one, join in kind]))
            for kind in kinds.values()
        )

    # As strict as it may be while no more than that of what the article answers is refused.
    threshold = float(np.quantile(scores[truth], falsely_refused))
    model = replace(model, threshold=threshold, together=float(max(np.linspace(0.2, 0.8, 25), key=right)))
    print(report(model, held))
    return model


def report(model: ReaderModel, held: Sequence[Read]) -> str:
    scores = np.array([model.answerable.probability(one.overall()).item() for one in held])
    truth = np.array([bool(one.one.example.answers) for one in held])
    refused = scores < model.threshold
    answered = [one for one in held if one.one.example.answers]
    shown = [one.shown(model.join.probability(one.joining()), model.together) for one in answered]
    first = [sentences[0].id in one.one.wanted for sentences, one in zip(shown, answered, strict=True)]
    good = [focused(sentences, one.one.example.answers) for sentences, one in zip(shown, answered, strict=True)]
    return (
        f"first sentence right {np.mean(first):.3f} · focused, abstention apart {np.mean(good):.3f} · "
        f"refused {refused[~truth].mean():.3f} · falsely refused {refused[truth].mean():.3f} · "
        f"AUROC {roc_auc_score(truth, scores):.3f} · threshold {model.threshold:.3f}, together {model.together:.3f}"
    )


def train(measured: Sequence[Measured], units: int, seed: int) -> ReaderModel:
    """Match, then sentence, then the two decisions on the question as a whole, each over what the one before says."""
    match = fit_match(measured, units, seed)
    sentence = fit_sentences(measured, match, units, seed)
    reads = [read(one, match, sentence) for one in measured]
    rows = np.stack([one.overall() for one in reads])
    weights = np.array([one.example.weight for one in measured])
    truth = np.array([bool(one.example.answers) for one in measured])
    topical = np.array([one.example.kind != "off_topic" for one in measured])

    def decision(labels: NDArray[np.bool_]) -> Network:
        share = np.where(labels, weights / weights[labels].sum(), weights / weights[~labels].sum())
        return fit(rows, labels.astype(np.float32), (share * len(labels) / 2).astype(np.float32), units, seed)

    join = fit_join(reads, units, seed)
    return ReaderModel(match, sentence, decision(truth), decision(topical), join, threshold=0.5, together=0.5)


def as_dict(model: ReaderModel) -> dict[str, Any]:
    def plain(network: Network, inputs: Sequence[str]) -> dict[str, Any]:
        layers = [[_short(w), _short(b)] for w, b in network.layers]
        return {"inputs": list(inputs), "layers": layers}

    return {
        "match": plain(model.match, MATCH_FEATURES),
        "sentence": plain(model.sentence, SENTENCE_FEATURES),
        "answerable": plain(model.answerable, QUESTION_FEATURES),
        "on_topic": plain(model.on_topic, QUESTION_FEATURES),
        "join": plain(model.join, JOIN_FEATURES),
        "threshold": round(model.threshold, 4),
        "together": round(model.together, 4),
    }


def _short(numbers: FloatArray) -> list[Any]:
    """Four significant digits."""
    text = np.vectorize(lambda number: f"{number:.4g}", otypes=[object])(numbers)
    return np.asarray(text, dtype=np.float64).tolist()  # type: ignore[no-any-return]


def collected(
    name: str, banks: Sequence[tuple[Article, Sequence[Example]]], seed: int
) -> tuple[list[Measured], list[Measured]]:
    """All examples measured, then the development questions, by each article that they are asked of.

    Args:
        name: of the models that are to be trained.
        banks: the article with its bank or a part of it, and the examples that are put to it.
    """
    measured: list[Measured] = []
    held: list[Measured] = []
    with TemporaryDirectory() as cache:
        reader = TrainedReader({name: untrained()})
        asked = [(Collector(article, reader, seed, Path(cache) / str(i)), ex) for i, (article, ex) in enumerate(banks)]
        # A follow-up leans on the answer to the question before, and one that asks several things on the answer to
        # each: a first reader must be there to give them.
        for leaning in (False, True):
            for collector, questions in asked:
                chosen = [one for one in questions if bool(one.history or parts(one.question)) is leaning]
                collector.chatbot = replace(collector.chatbot, reader=reader)
                measured += [collector.measure(one) for one in tqdm(chosen, desc=name, disable=None)]
            if not leaning:
                reader = TrainedReader({name: train(measured, 0, seed)})
        for collector, _ in asked:
            held += [collector.measure(one) for one in development()]
    return measured, held


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.reader", description="Train the reader.")
    parser.add_argument("--out", type=Path, default=MODEL)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--units", type=int, default=UNITS, help="hidden units, 0 for logistic regressions")
    given = parser.parse_args()
    article, models = load_articles()[0], {}
    articles = written(weight=WRITTEN_WEIGHT)
    halves = ([a for i, a in enumerate(articles) if bool(i % APART) is used] for used in (True, False))
    others, apart = (measure_written(half, load_encoder(), JiebaTokenizer()) for half in halves)
    every = list(examples(article))
    # A large bank without known gaps has no classifier either.
    few = [*(article.with_bank(count, given.seed + i) for i, count in enumerate(SMALL)), replace(article, gaps=())]
    banks = {
        "taught": [(article, every)],
        "bank": [(bank, every[i :: len(few)]) for i, bank in enumerate(few)],
        # Without its bank the shipped article is one among others.
        "plain": [(article.with_bank(0), every[::PLAIN_STRIDE])],
    }
    for name, parts_of_it in banks.items():
        measured, held = collected(name, parts_of_it, given.seed)
        further = [one for one in measured if one.example.kind in ("hard", "follow_up")]
        if name == "plain":
            measured, held = measured + others, apart
        models[name] = as_dict(tune(train(measured, given.units, given.seed), held, further, FALSELY_REFUSED[name]))
    given.out.write_text(json.dumps(models) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
