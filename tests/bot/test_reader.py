"""The reader: which sentences it chooses, and when it says that the article does not answer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.chatbot import Chatbot
from bot.features import Asked
from bot.reader import MODEL, Network, ReaderModel, Reading, TrainedReader, together
from corpus.article import Article
from index.retriever import LocalRetriever, Taught


def test_network_is_a_rectified_layer_and_a_logistic_one() -> None:
    layers = ((np.eye(2, dtype=np.float32), np.zeros(2, np.float32)), (np.ones((2, 1), np.float32), np.zeros(1)))
    found = Network(layers).probability(np.array([[1.0, -5.0], [0.0, 0.0]], dtype=np.float32))
    np.testing.assert_allclose(found, [1 / (1 + np.exp(-1)), 0.5], atol=1e-6)


def test_reader_that_was_trained_on_other_features_is_refused(tmp_path: Path) -> None:
    data = json.loads(MODEL.read_text(encoding="utf-8"))
    data["bank"]["sentence"]["inputs"] = data["bank"]["sentence"]["inputs"][:-1]
    (tmp_path / "reader.json").write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(
        ValueError, match=r"expected a reader trained on the present features; run: python -m training\.reader"
    ):
        ReaderModel.load(tmp_path / "reader.json")


@pytest.mark.parametrize(
    ("joined", "ranks"),
    [([], [0]), ([0.1, 0.2], [0]), ([0.6, 0.9], [0, 2, 1]), ([0.6, 0.7, 0.8, 0.9], [0, 4, 3]), ([0.5, 0.4], [0, 1])],
)
def test_surest_further_sentences_join_the_best_up_to_three(joined: list[float], ranks: list[int]) -> None:
    assert together(np.array(joined, dtype=np.float32), 0.5) == ranks


def test_reader_that_lacks_a_model_is_refused(tmp_path: Path) -> None:
    data = json.loads(MODEL.read_text(encoding="utf-8"))
    del data["taught"]
    (tmp_path / "reader.json").write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ValueError, match=r"expected readers taught, bank and plain, found bank, plain; run: python -m"):
        ReaderModel.load(tmp_path / "reader.json")


@pytest.fixture(scope="module")
def reader() -> TrainedReader:
    return TrainedReader()


def read(reader: TrainedReader, retriever: LocalRetriever, question: str, *, bank: bool = True) -> Reading:
    query = retriever.prepare(question)
    hits = retriever.retrieve(query)
    matches = retriever.bank(query, "msc-depression") if bank else []
    return reader.read(Asked(query), hits, retriever.evidence(query, "msc-depression", hits), matches)


@pytest.mark.parametrize("bank", [True, False])
@pytest.mark.parametrize(
    "question", ["每年有多少人死于自杀?", "Who ran the trial?", "ж", "1", "a b c d e f", "干" * 500]
)
def test_reading_is_sound_whatever_is_asked(
    reader: TrainedReader, tiny_retriever: LocalRetriever, question: str, bank: bool
) -> None:
    reading = read(reader, tiny_retriever, question, bank=bank)
    scores = [s.span_score for s in reading.ranked]
    assert scores == sorted(scores, reverse=True)
    assert 1 <= len(reading.chosen) <= 3
    assert reading.chosen[0] == reading.ranked[0]
    assert set(reading.chosen) <= set(reading.ranked)
    assert 0 <= reading.answerable <= 1
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    ("name", "known", "bank"), [("taught", True, True), ("bank", False, True), ("plain", False, False)]
)
def test_model_is_that_for_what_is_known_of_the_article(
    reader: TrainedReader, tiny_retriever: LocalRetriever, name: str, known: bool, bank: bool
) -> None:
    """The others would tell that they were asked: they are no models at all."""
    query = tiny_retriever.prepare("每年有多少人死于自杀?")
    hits, evidence = tiny_retriever.retrieve(query), tiny_retriever.evidence(query, "msc-depression", ())
    assert evidence.taught.learned
    if not known:
        evidence = replace(evidence, taught=Taught.of(None, query, evidence.sentences))
    matches = tiny_retriever.bank(query, "msc-depression") if bank else []
    alone = TrainedReader({name: reader.models[name]})
    assert alone.read(Asked(query), hits, evidence, matches) == reader.read(Asked(query), hits, evidence, matches)


def test_nothing_to_read_is_no_answer(reader: TrainedReader, tiny_retriever: LocalRetriever) -> None:
    query = tiny_retriever.prepare("问")
    nothing = replace(tiny_retriever.evidence(query, "msc-depression", ()), sentences=())
    assert not reader.read(Asked(query), (), nothing, ()).answers


@pytest.fixture(scope="module")
def retriever(chatbot: Chatbot) -> LocalRetriever:
    assert isinstance(chatbot.retriever, LocalRetriever)
    return chatbot.retriever


def test_question_of_the_bank_is_answered_by_its_sentences(
    reader: TrainedReader, retriever: LocalRetriever, article: Article
) -> None:
    asked = article.questions[:: len(article.questions) // 40]
    readings = [read(reader, retriever, q.text) for q in asked]
    right = [r.chosen[0].sentence.id in q.sentences for r, q in zip(readings, asked, strict=True)]
    assert np.mean(right) >= 0.9
    assert np.mean([r.answers for r in readings]) >= 0.9


def test_known_gap_is_no_answer(reader: TrainedReader, retriever: LocalRetriever, article: Article) -> None:
    asked = article.gaps[:: max(1, len(article.gaps) // 40)]
    assert np.mean([not read(reader, retriever, gap.text).answers for gap in asked]) >= 0.9


def test_question_on_something_else_is_off_topic(reader: TrainedReader, retriever: LocalRetriever) -> None:
    questions = (
        "法国的首都是哪里?", "昨晚的球赛谁赢了?", "红烧肉怎么做好吃", "帮我订一张去上海的机票", "二元一次方程怎么解",
        "推荐几首周杰伦的歌",
        "How do I bake sourdough bread?", "What is the capital of Peru?", "Fix my printer driver",
        "Who won the World Cup in 1998?", "Translate this poem into German", "How much does a used car cost?",
    )  # fmt: skip
    readings = [read(reader, retriever, question) for question in questions]
    assert np.mean([not r.answers for r in readings]) >= 0.9
    assert np.mean([not r.on_topic for r in readings]) >= 0.9
