"""Retrieval against the slow and plain way of computing the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bot.chatbot import Chatbot
from corpus.article import Article, load_article
from corpus.language import search_key
from corpus.segment import JiebaTokenizer
from index.encoder import IntArray
from index.retriever import COMMON, IMPORTANCE, TAUGHT, Fusion, LocalRetriever
from index.segment import context_of
from index.store import Index, manifest_inputs, open_index
from tests.tiny import TablelessEncoder, TinyEncoder, write_article

QUESTIONS = [
    "氟西汀和干细胞哪个更好?",
    "每年有多少人死于自杀?",
    "Does fluoxetine raise BDNF?",
    "cum鼠 dose 是多少",
    "?",
    "ж",
]


def cosine(table: np.ndarray, a: int, b: int) -> float:
    return float(sum(x * y for x, y in zip(table[a], table[b], strict=True)))


def max_sim(encoder: TinyEncoder, query: IntArray, row: IntArray) -> list[float]:
    """For each query token the best cosine among a row's tokens, one at a time."""
    return [max((cosine(encoder.table.rows, q, t) for t in row), default=0.0) for q in query]


def rarity(weights: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Importance of each query token times how few rows have it, one token at a time."""
    counted = []
    for weight, cosines in zip(weights, best, strict=True):
        share = sum(c >= COMMON * max(cosines) for c in cosines) / len(cosines)
        counted.append(weight**IMPORTANCE * np.log(1 + 1 / share))
    return np.array(counted) / sum(counted)


@pytest.mark.parametrize("question", QUESTIONS)
def test_late_interaction_equals_plain_max_sim(
    tiny_retriever: LocalRetriever, tiny: TinyEncoder, question: str
) -> None:
    query = tiny_retriever.prepare(question)
    evidence = tiny_retriever.evidence(query, "msc-depression", ())
    assert evidence.late.shape == (len(query.ids), len(evidence.sentences))
    for column in range(0, len(evidence.sentences), 13):
        sentence = evidence.sentences[column]
        for scores, text in ((evidence.late, sentence.text), (evidence.late_translation, sentence.translation)):
            row = tiny.token_ids([search_key(text or "")])[0]
            np.testing.assert_allclose(scores[:, column], max_sim(tiny, query.ids, row), atol=1e-5)


def test_context_is_what_a_sentence_stands_under_and_beside(
    article: Article, tiny_retriever: LocalRetriever, tiny: TinyEncoder
) -> None:
    query = tiny_retriever.prepare("目前临床试验最新动态是什么?")
    evidence = tiny_retriever.evidence(query, "msc-depression", ())

    def late(*numbers: int) -> list[float]:
        rows = [tiny.token_ids([search_key(article.sentence(n).text)])[0] for n in numbers]
        return [max(scores) for scores in zip(*(max_sim(tiny, query.ids, row) for row in rows), strict=True)]

    # 92 reports on the second trial (89 opens it) under the heading 74; 91 and 93 stand beside it.
    np.testing.assert_allclose(evidence.late_context[:, 91], late(74, 89), atol=1e-5)
    np.testing.assert_allclose(evidence.late_neighbours[:, 91], late(91, 93), atol=1e-5)
    # 1 has no heading over it, and only 2 beside it.
    assert not evidence.late_context[:, 0].any()
    np.testing.assert_allclose(evidence.late_neighbours[:, 0], late(2), atol=1e-5)


@pytest.mark.parametrize("question", QUESTIONS)
def test_dense_and_lexical_evidence_equal_brute_force(
    tiny_retriever: LocalRetriever, tiny: TinyEncoder, question: str
) -> None:
    query = tiny_retriever.prepare(question)
    evidence = tiny_retriever.evidence(query, "msc-depression", ())
    vectors = tiny.encode_passages([search_key(s.text) for s in evidence.sentences])
    np.testing.assert_allclose(query.vector, tiny.encode_queries([search_key(question)])[0], atol=1e-6)
    np.testing.assert_allclose(evidence.dense, vectors @ query.vector, atol=1e-5)
    english = tiny.encode_passages([search_key(s.translation or "") for s in evidence.sentences])
    np.testing.assert_allclose(evidence.dense_translation, english @ query.vector, atol=1e-5)
    scores = tiny_retriever.index.lexical["sentences"].scores(query.terms)
    np.testing.assert_allclose(evidence.lexical, scores)


@pytest.mark.parametrize("question", QUESTIONS[:4])
def test_hits_are_ordered_by_the_sum_of_standardised_scores(
    tiny_retriever: LocalRetriever, tiny: TinyEncoder, question: str
) -> None:
    fusion = Fusion()
    query = tiny_retriever.prepare(question)
    index = tiny_retriever.index
    hits = tiny_retriever.retrieve(query, len(index.passages))
    assert len(hits) == len(index.passages) <= fusion.candidates
    keys = []
    for passage in index.passages:
        article = index.articles[0]
        keys.append(search_key(f"{context_of(article, article.sentence(passage.sentences[0]))} {passage.text}"))
    dense = tiny.encode_passages(keys) @ query.vector
    found = np.array([max_sim(tiny, query.ids, row) for row in tiny.token_ids(keys)]).T
    late = rarity(query.weights, found) @ found
    lexical = index.lexical["passages"].scores(query.terms)

    def standard(scores: np.ndarray) -> np.ndarray:
        return (scores - scores.mean()) / scores.std() if scores.std() > 1e-9 else scores * 0

    sentences = index.lexical["sentences"].scores(query.terms)
    vectors = tiny.encode_passages([search_key(s.text) for s in index.articles[0].sentences])
    held = [[number - 1 for number in passage.sentences] for passage in index.passages]
    best_dense = np.array([(vectors[rows] @ query.vector).max() for rows in held])
    best_lexical = np.array([sentences[rows].max() for rows in held])
    share, sentence_share = (
        (fusion.lexical_latin, 0) if question.isascii() else (fusion.lexical, fusion.lexical_sentence)
    )
    total = fusion.dense * standard(dense) + share * standard(lexical) + fusion.late * standard(late)
    total += fusion.dense_sentence * standard(best_dense) + sentence_share * standard(best_lexical)
    by_number = {hit.passage.number: hit for hit in hits}
    np.testing.assert_allclose([by_number[p.number].dense for p in index.passages], dense, atol=1e-5)
    np.testing.assert_allclose([by_number[p.number].late for p in index.passages], late, atol=1e-5)
    np.testing.assert_allclose([by_number[p.number].dense_sentence for p in index.passages], best_dense, atol=1e-5)
    np.testing.assert_allclose([by_number[p.number].lexical_sentence for p in index.passages], best_lexical, atol=1e-5)
    np.testing.assert_allclose([by_number[p.number].retrieval_score for p in index.passages], total, atol=1e-3)
    scores = [hit.retrieval_score for hit in hits]
    assert scores == sorted(scores, reverse=True)


def test_bank_finds_a_question_of_its_own_first(tiny_retriever: LocalRetriever, tiny_index: Index) -> None:
    for _, question in tiny_index.questions[::97]:
        matches = tiny_retriever.bank(tiny_retriever.prepare(question.text), "msc-depression")
        assert matches[0].retrieval_score == pytest.approx(1, abs=1e-3)
        # To the tiny encoder two words now and then are one.
        best = {search_key(m.question.text) for m in matches if m.retrieval_score > matches[0].retrieval_score - 1e-3}
        assert search_key(question.text) in best


def test_bank_scores_are_half_cosine_half_late_interaction_both_ways(
    tiny_retriever: LocalRetriever, tiny: TinyEncoder
) -> None:
    query = tiny_retriever.prepare("小鼠的体重怎么变?")
    matches = tiny_retriever.bank(query, "msc-depression")
    scores = [match.retrieval_score for match in matches]
    assert scores == sorted(scores, reverse=True)
    for match in matches[:5]:
        key = search_key(match.question.text)
        row = tiny.token_ids([key])[0]
        there = query.weights @ np.array(max_sim(tiny, query.ids, row))
        back = np.average(max_sim(tiny, row, query.ids), weights=tiny.table.weights[row])
        dense = tiny.encode_queries([key])[0] @ query.vector
        assert match.retrieval_score == pytest.approx(dense / 2 + (there + back) / 4, abs=1e-4)


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("Does Flu help?", "氟西汀"),
        ("does fluoxetine help?", "氟西汀"),
        ("百忧解 and fluoxetine", "氟西汀"),
        ("serotonin levels", "5-HT"),
        ("Is the BBB thick?", "血脑屏障"),
        ("Is the bbb thick?", None),
        ("I caught the flu.", None),
        ("influenza", None),
        ("the hip joint", None),
        ("氟西汀有用吗", None),
    ],
)
def test_question_is_widened_by_the_chinese_names_of_its_terms(
    tiny_retriever: LocalRetriever, tokenizer: JiebaTokenizer, question: str, name: str | None
) -> None:
    terms = set(tiny_retriever.prepare(question).terms)
    added = terms - set(tokenizer.search_terms(search_key(question)))
    if name is None:
        assert not added
    else:
        assert set(tokenizer.search_terms(search_key(name))) <= terms


def test_passage_of_a_sentence_holds_it_whole(article: Article, tiny_retriever: LocalRetriever) -> None:
    for sentence in article.sentences:
        span = tiny_retriever.passage_of(article, sentence)
        assert span.start <= sentence.span.start
        assert sentence.span.end <= span.end
        assert sentence.text in span.of(article.text)


def test_later_question_leans_on_the_one_before(tiny_retriever: LocalRetriever) -> None:
    before, now = tiny_retriever.prepare("氟西汀提高BDNF吗?"), tiny_retriever.prepare("那5-HT呢?")
    both = now.after(before, 0.6)
    assert both.weights.sum() == pytest.approx(1, abs=1e-5)
    assert np.linalg.norm(both.vector) == pytest.approx(1, abs=1e-5)
    assert len(both.ids) == len(now.ids) + len(before.ids) == both.similarities.shape[0]
    share = both.weights[: len(now.ids)].sum()
    assert 0.5 < share < 1
    assert set(before.terms) | set(now.terms) == set(both.terms)


def test_token_that_both_questions_have_counts_once(tiny_retriever: LocalRetriever) -> None:
    before, now = tiny_retriever.prepare("氟西汀有用吗"), tiny_retriever.prepare("氟西汀贵吗")
    both = now.after(before, 0.6)
    carried = dict(zip(before.ids.tolist(), both.weights[len(now.ids) :].tolist(), strict=True))
    assert all(carried[token] == 0 for token in now.ids.tolist() if token in carried)
    assert any(weight > 0 for weight in carried.values())


def test_encoder_without_a_token_table_searches_by_vectors_and_words(
    article: Article, tokenizer: JiebaTokenizer, tmp_path: Path
) -> None:
    encoder = TablelessEncoder()
    index = open_index(tmp_path, (article,), encoder, tokenizer, manifest_inputs((article,), encoder, ()))
    retriever = LocalRetriever(index, encoder, tokenizer)
    query = retriever.prepare("每年有多少人死于自杀?")
    hits = retriever.retrieve(query)
    assert len(hits) == 10
    assert {hit.late for hit in hits} == {0}
    evidence = retriever.evidence(query, "msc-depression", hits)
    assert evidence.late.shape == (0, len(evidence.sentences))
    assert [match.retrieval_score for match in retriever.bank(query, "msc-depression")] == sorted(
        (match.retrieval_score for match in retriever.bank(query, "msc-depression")), reverse=True
    )


def test_long_article_has_the_sentences_of_its_hits_read_and_those_that_its_bank_teaches(
    tiny_retriever: LocalRetriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = tiny_retriever.prepare("氟西汀和干细胞哪个更好?")
    hits = tiny_retriever.retrieve(query, 3)
    whole = tiny_retriever.evidence(query, "msc-depression", hits)
    monkeypatch.setattr("index.retriever.EXHAUSTIVE", 0)
    part = tiny_retriever.evidence(query, "msc-depression", hits)
    ids = [s.id for s in part.sentences]
    hit_on = {n for hit in hits for n in hit.passage.sentences}
    likely = np.argsort(-whole.taught.sentences, kind="stable")[:TAUGHT] + 1
    assert ids == sorted({*ids, *hit_on})
    assert set(ids) - hit_on <= set(likely.tolist())
    assert likely[0] in ids
    rows = [n - 1 for n in ids]
    for name in ("dense", "lexical", "late", "late_translation", "late_context", "late_neighbours"):
        np.testing.assert_allclose(getattr(part, name), getattr(whole, name)[..., rows], atol=1e-6, err_msg=name)


def test_two_articles_keep_their_sentences_apart(article: Article, tokenizer: JiebaTokenizer, tmp_path: Path) -> None:
    lighthouse = load_article(write_article(tmp_path / "lighthouse"))
    encoder = TinyEncoder()
    articles = (lighthouse, article)
    index = open_index(tmp_path / "index", articles, encoder, tokenizer, manifest_inputs(articles, encoder, ()))
    retriever = LocalRetriever(index, encoder, tokenizer)
    hits = retriever.retrieve(retriever.prepare("守塔人林海今年多大?"))
    assert hits[0].passage.article == "lighthouse"
    for held in articles:
        query = retriever.prepare("守塔人有多少?")
        evidence = retriever.evidence(query, held.id, hits)
        assert evidence.article is held
        assert evidence.sentences == held.sentences
        assert {match.question for match in retriever.bank(query, held.id)} <= {*held.questions, *held.gaps}
        assert {hit.passage.article for hit in retriever.retrieve(query, article=held.id)} == {held.id}
    for hit in hits:
        held = next(a for a in articles if a.id == hit.passage.article)
        assert hit.passage.span.of(held.text) == hit.passage.text


def test_article_without_questions_has_an_empty_bank(tokenizer: JiebaTokenizer, tmp_path: Path) -> None:
    bare = {"questions.tsv": None, "gaps.tsv": None, "glossary.tsv": None, "translation.en.tsv": None}
    article = load_article(write_article(tmp_path / "lighthouse", bare))
    encoder = TinyEncoder()
    index = open_index(tmp_path / "index", (article,), encoder, tokenizer, manifest_inputs((article,), encoder, ()))
    retriever = LocalRetriever(index, encoder, tokenizer)
    query = retriever.prepare("守塔人叫什么?")
    assert retriever.bank(query, "lighthouse") == []
    assert not retriever.evidence(query, "lighthouse", retriever.retrieve(query)).dense_translation.any()


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("每年有多少人死于自杀?", 9),
        ("How many people does MDD affect worldwide?", 9),
        ("氟西汀和hUC-MSCs对BDNF的作用有差别吗?", 55),
        ("Which university runs the bipolar trial?", 89),
        ("CM-Dil標記的細胞用來做什麼?", 27),
    ],
)
def test_shipped_encoder_finds_the_passage_in_both_languages(chatbot: Chatbot, question: str, sentence: int) -> None:
    retriever = chatbot.retriever
    hits = retriever.retrieve(retriever.prepare(question), 3)
    assert any(sentence in hit.passage.sentences for hit in hits)
