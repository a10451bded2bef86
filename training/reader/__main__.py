"""Train the reader: `python -m training.reader` writes bot/reader.json.

Every question of the bank serves as a query from which its own row is hidden, and half of the rows that share its
answer, so that the model sees the bank as a stranger's question meets it; known gaps likewise, with half of their
topic hidden. Thresholds are chosen on the development questions of `evaluation/questions`.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier
from tqdm import tqdm

from bot.chatbot import load_chatbot
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
from bot.reader import MODEL, Network, ReaderModel, Scored, TrainedReader, choose, rank
from corpus.article import BankQuestion
from index.retriever import BankMatch, Hit, LocalRetriever, SentenceEvidence

HERE = Path(__file__).parent
DEVELOPMENT = HERE.parent.parent / "evaluation" / "questions" / "dev.jsonl"

NEGATIVES = 16
BANK_DEPTH = 32
FALSELY_REFUSED = 0.03
UNITS = 24
ALPHA = 1.0
EPOCHS = 60


@dataclass(frozen=True, slots=True)
class Example:
    """A question with the sets of sentences that answer it, none if the article does not."""

    question: str
    history: tuple[str, ...]
    answers: tuple[frozenset[int], ...]
    kind: str
    """bank, gap, hard, follow_up or off_topic."""
    group: str = ""
    """Rows of the bank with the same group are partly hidden."""
    weight: float = 1.0


def examples(retriever: LocalRetriever) -> Iterator[Example]:
    for _, question in retriever.index.questions:
        if question.sentences:
            yield Example(question.text, (), (frozenset(question.sentences),), "bank", _group(question))
        else:
            yield Example(question.text, (), (), "gap", _group(question))
    for row in _table(HERE / "hard.tsv"):
        answer = frozenset(int(n) for n in row["sids"].split(","))
        yield Example(row["question"], (), (answer,), "hard", weight=3)
    for row in _table(HERE / "off_topic.tsv"):
        yield Example(row["question"], (), (), "off_topic")
    for row in _lines(HERE / "followups.jsonl"):
        answers: tuple[frozenset[int], ...] = (frozenset(row["sids"]),) if row["sids"] else ()
        yield Example(row["question"], tuple(row["history"]), answers, "follow_up", weight=2)


def _table(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


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

    def __init__(self, seed: int) -> None:
        self.chatbot = load_chatbot(reader=TrainedReader({"bank": untrained(), "plain": untrained()}), say_line=print)
        retriever = self.chatbot.retriever
        assert isinstance(retriever, LocalRetriever)
        self.retriever = retriever
        self._random = np.random.default_rng(seed)
        self._groups: dict[str, list[int]] = {}
        self._rows: dict[str, int] = {}
        for row, (_, question) in enumerate(retriever.index.questions):
            self._rows[question.text] = row
            self._groups.setdefault(_group(question), []).append(row)

    def measure(self, example: Example, with_bank: bool) -> Measured:
        asked = self.chatbot.in_conversation(example.question, example.history)
        hits = self.retriever.retrieve(asked.query)
        bank: list[BankMatch] = []
        if with_bank:
            hidden = self._hidden(example)
            found = self.retriever.bank(asked.query, BANK_DEPTH + min(len(hidden), 96))
            bank = [match for match in found if match.row not in hidden][:BANK_DEPTH]
        evidence = self.retriever.evidence(asked.query, hits)
        return Measured(example, asked, hits, evidence, bank, match_features(asked, bank))

    def _hidden(self, example: Example) -> set[int]:
        row = self._rows.get(example.question) if example.kind in ("bank", "gap") else None
        if row is None:
            return set()
        siblings = [other for other in self._groups[example.group] if other != row]
        return {row, *(other for other in siblings if self._random.random() < 0.5)}


def _group(question: BankQuestion) -> str:
    return ",".join(map(str, question.sentences)) or question.topic


def fit(rows: FloatArray, labels: FloatArray, weights: FloatArray, units: int, seed: int) -> Network:
    """A network with one hidden layer of that many units, none for 0, on standardised features (folded into it)."""
    mean, spread = rows.mean(axis=0), rows.std(axis=0)
    spread = np.where(spread > 1e-6, spread, 1)
    scaled = (rows - mean) / spread
    if units:
        # scikit-learn's network takes no sample weights: a sample is drawn by them instead.
        draw = np.random.default_rng(seed).choice(len(rows), len(rows), p=weights / weights.sum())
        net = MLPClassifier((units,), alpha=ALPHA, max_iter=EPOCHS, early_stopping=True, random_state=seed)
        net.fit(scaled[draw], labels[draw])
        layers = list(zip(net.coefs_, net.intercepts_, strict=True))
    else:
        model = LogisticRegression(C=0.3, max_iter=2000).fit(scaled, labels, sample_weight=weights)
        layers = [(model.coef_.T, model.intercept_)]
    first, shift = layers[0]
    layers[0] = (first / spread[:, None], shift - (mean / spread) @ first)
    return Network(tuple((w.astype(np.float32), b.astype(np.float32)) for w, b in layers))


def untrained() -> ReaderModel:
    """Says even odds to everything: stands in until there is a first model."""

    def even(inputs: Sequence[str]) -> Network:
        return Network(((np.zeros((len(inputs), 1), np.float32), np.zeros(1, np.float32)),))

    question = even(QUESTION_FEATURES)
    return ReaderModel(even(MATCH_FEATURES), even(SENTENCE_FEATURES), question, question, 0.5, 0.6, 0.5)


def fit_match(measured: Sequence[Measured], seed: int) -> Network:
    """Same answer or not, over the questions of the bank near each example."""
    rows, labels, weights = [], [], []
    for one in measured:
        if one.bank:
            rows.append(one.matched)
            labels += [_same(one, match.question) for match in one.bank]
            weights += [one.example.weight / len(one.bank)] * len(one.bank)
    if not rows:
        return untrained().match
    return fit(np.concatenate(rows), np.array(labels, np.float32), np.array(weights, np.float32), 0, seed)


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

    def chosen(self, model: ReaderModel) -> tuple[Scored, ...]:
        return choose(rank(self.one.evidence, self.scores, ()), self.one.bank, self.matches, model)


def fit_sentences(measured: Sequence[Measured], match: Network, units: int, seed: int) -> Network:
    """From the sentences that answer, the strongest ones that do not, and a few at random."""
    random = np.random.default_rng(seed)
    lead = [SENTENCE_FEATURES.index(name) for name in ("bank_vote", "late_context", "bank", "dense")]
    rows, labels, weights = [], [], []
    for one in measured:
        if not one.example.answers:
            continue
        features = sentence_features(one.asked, one.hits, one.evidence, one.bank, match.probability(one.matched))
        right = np.array([s.id in one.wanted for _, s in one.evidence.sentences], dtype=np.float32)
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


def focused(chosen: Sequence[Scored], answers: Sequence[frozenset[int]]) -> bool:
    """All of one answer shown, and at least half of what is shown an answer."""
    shown = {s.sentence.id for s in chosen}
    wanted = frozenset().union(*answers)
    total = sum(len(s.sentence.text) for s in chosen)
    good = sum(len(s.sentence.text) for s in chosen if s.sentence.id in wanted)
    return any(answer <= shown for answer in answers) and good >= 0.5 * total


def tune(model: ReaderModel, measured: Sequence[Measured]) -> ReaderModel:
    """The thresholds that serve the development questions best."""
    held = [read(one, model.match, model.sentence) for one in measured]
    answerable = [one for one in held if one.one.example.answers]
    candidates = [
        replace(model, second=second, together=together)
        for second in (0.5, 0.6, 0.7, 0.8, 0.9, 1.01)
        for together in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.01)
    ]
    model = max(candidates, key=lambda m: sum(focused(one.chosen(m), one.one.example.answers) for one in answerable))
    scores = np.array([model.answerable.probability(one.overall()).item() for one in held])
    truth = np.array([bool(one.one.example.answers) for one in held])
    # As strict as it may be while at most FALSELY_REFUSED of what the article answers is refused.
    model = replace(model, threshold=float(np.quantile(scores[truth], FALSELY_REFUSED)))
    print(report(model, held))
    return model


def report(model: ReaderModel, held: Sequence[Read]) -> str:
    answerable = [one for one in held if one.one.example.answers]
    first = [one.chosen(model)[0].sentence.id in one.one.wanted for one in answerable]
    good = [focused(one.chosen(model), one.one.example.answers) for one in answerable]
    scores = np.array([model.answerable.probability(one.overall()).item() for one in held])
    truth = np.array([bool(one.one.example.answers) for one in held])
    refused = scores < model.threshold
    return (
        f"first sentence right {np.mean(first):.3f} · focused, abstention apart {np.mean(good):.3f} · "
        f"refused {refused[~truth].mean():.3f} · falsely refused {refused[truth].mean():.3f} · "
        f"AUROC {roc_auc_score(truth, scores):.3f} · "
        f"threshold {model.threshold:.3f}, second {model.second}, together {model.together}"
    )


def train(measured: Sequence[Measured], units: int, seed: int) -> ReaderModel:
    """Match, then sentence, then the two decisions on the question as a whole, each over what the one before says."""
    match = fit_match(measured, seed)
    sentence = fit_sentences(measured, match, units, seed)
    rows = np.stack([read(one, match, sentence).overall() for one in measured])
    weights = np.array([one.example.weight for one in measured])
    truth = np.array([bool(one.example.answers) for one in measured])
    topical = np.array([one.example.kind != "off_topic" for one in measured])

    def decision(labels: NDArray[np.bool_]) -> Network:
        share = np.where(labels, weights / weights[labels].sum(), weights / weights[~labels].sum())
        return fit(rows, labels.astype(np.float32), (share * len(labels) / 2).astype(np.float32), units, seed)

    return ReaderModel(match, sentence, decision(truth), decision(topical), threshold=0.5, second=0.8, together=0.5)


def development(file: Path = DEVELOPMENT) -> list[Example]:
    """What reaches the reader of the development questions: the rest is met by rules before it."""
    aside = {"advice", "crisis", "greeting", "injection"}
    return [
        Example(
            row["question"],
            tuple(row.get("history", ())),
            tuple(frozenset(ids) for ids in row["gold_sids"]) if row["answerable"] else (),
            "development",
        )
        for row in _lines(file)
        if row["type"] not in aside
    ]


def as_dict(model: ReaderModel) -> dict[str, Any]:
    def plain(network: Network, inputs: Sequence[str]) -> dict[str, Any]:
        layers = [[np.round(w, 4).tolist(), np.round(b, 4).tolist()] for w, b in network.layers]
        return {"inputs": list(inputs), "layers": layers}

    return {
        "match": plain(model.match, MATCH_FEATURES),
        "sentence": plain(model.sentence, SENTENCE_FEATURES),
        "answerable": plain(model.answerable, QUESTION_FEATURES),
        "on_topic": plain(model.on_topic, QUESTION_FEATURES),
        "threshold": round(model.threshold, 4),
        "second": model.second,
        "together": model.together,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.reader", description="Train the reader.")
    parser.add_argument("--out", type=Path, default=MODEL)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--units", type=int, default=UNITS, help="hidden units, 0 for logistic regressions")
    given = parser.parse_args()
    models = {}
    for name in ("bank", "plain"):
        collector = Collector(given.seed)
        every = list(examples(collector.retriever))
        alone = [one for one in every if not one.history]
        measured = [collector.measure(one, name == "bank") for one in tqdm(alone, desc=name, disable=None)]
        # What a follow-up leans on is the answer to the question before, so a first reader must be there to give it.
        first = train(measured, given.units, given.seed)
        collector.chatbot = replace(collector.chatbot, reader=TrainedReader({"bank": first, "plain": first}))
        measured += [collector.measure(one, name == "bank") for one in every if one.history]
        held = [collector.measure(one, name == "bank") for one in development()]
        models[name] = as_dict(tune(train(measured, given.units, given.seed), held))
    given.out.write_text(json.dumps(models) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
