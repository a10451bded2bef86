"""BM25 against another implementation of it."""

from __future__ import annotations

from dataclasses import fields
from itertools import compress

import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.article import Article
from corpus.language import search_key
from corpus.passage import passages
from corpus.segment import JiebaTokenizer
from index.lexical import K1, B, Bm25, Postings

TERM = st.sampled_from(["stem", "cell", "干细胞", "抑郁", "小鼠", "炎症", "dose"])
ZIPF = (1 / np.arange(1, 401)) / (1 / np.arange(1, 401)).sum()
TEXTS = st.lists(st.lists(TERM, max_size=12), min_size=1, max_size=15).filter(any)


def oracle(texts: list[list[str]], query: list[str]) -> np.ndarray:
    """bm25s, Lucene's form; it takes no text twice and no unknown term."""
    made = bm25s.BM25(method="lucene", k1=K1, b=B)
    vocabulary = {term: n for n, term in enumerate(dict.fromkeys(term for text in texts for term in text))}
    made.index(([[vocabulary[t] for t in text] for text in texts], vocabulary), show_progress=False)
    scores = np.zeros(len(texts))
    for term in query:
        if term in vocabulary:
            scores += made.get_scores([term])
    return scores


@settings(deadline=None, max_examples=60)
@given(TEXTS, st.lists(TERM, max_size=6))
def test_scores_equal_those_of_bm25s(texts: list[list[str]], query: list[str]) -> None:
    np.testing.assert_allclose(Bm25.build(texts).scores(query), oracle(texts, query), atol=1e-5)


@pytest.mark.parametrize(
    "question", ["氟西汀和干细胞哪个好?", "每年有多少人死于自杀?", "does it cross the blood-brain barrier?"]
)
def test_scores_over_the_shipped_article_equal_those_of_bm25s(
    article: Article, tokenizer: JiebaTokenizer, question: str
) -> None:
    texts = [tokenizer.search_terms(search_key(p.text)) for p in passages(article, tokenizer)]
    query = tokenizer.search_terms(search_key(question))
    scores = Bm25.build(texts).scores(query)
    np.testing.assert_allclose(scores, oracle(texts, query), atol=1e-5)
    assert scores.shape == (len(texts),)


def test_term_that_is_asked_twice_counts_twice() -> None:
    bm25 = Bm25.build([["a", "b"], ["b"]])
    np.testing.assert_allclose(bm25.scores(["a", "a"]), 2 * bm25.scores(["a"]))


def test_rare_term_weighs_more_than_a_common_one() -> None:
    bm25 = Bm25.build([["common", "rare"], ["common", "other"], ["common", "more"]])
    assert bm25.scores(["rare"])[0] > bm25.scores(["common"])[0] > 0


@pytest.mark.parametrize("texts", [[], [[]], [[], []]])
def test_nothing_to_search_scores_nothing(texts: list[list[str]]) -> None:
    scores = Bm25.build(texts).scores(["a"])
    assert scores.tolist() == [0.0] * len(texts)


@settings(deadline=None, max_examples=60)
@given(TEXTS, st.lists(TERM, max_size=6), st.data())
def test_parts_score_as_if_they_were_one(texts: list[list[str]], query: list[str], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(texts)))
    parts = [Postings.build(texts[:cut]), Postings.build(texts[cut:])]
    whole, split = Bm25.build(texts), Bm25(parts)
    np.testing.assert_allclose(split.scores(query), whole.scores(query), atol=1e-6)
    rows = np.arange(0, len(texts), 2)
    np.testing.assert_allclose(split.at(split.words(query), rows), whole.scores(query)[rows], atol=1e-6)
    first, last = sorted(data.draw(st.tuples(st.integers(cut, len(texts)), st.integers(cut, len(texts)))))
    some = split.between(split.words(query), range(first, last))
    np.testing.assert_allclose(some, whole.scores(query)[first:last], atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(TEXTS, TEXTS, st.data())
def test_merged_parts_are_those_of_one_build(one: list[list[str]], other: list[list[str]], data: st.DataObject) -> None:
    kept = [
        np.array(data.draw(st.lists(st.booleans(), min_size=len(part), max_size=len(part)))) for part in (one, other)
    ]
    merged = Postings.merge([Postings.build(one), Postings.build(other)], kept)
    fresh = Postings.build([t for part, keep in zip((one, other), kept, strict=True) for t in compress(part, keep)])
    for part in fields(Postings):
        np.testing.assert_array_equal(getattr(merged, part.name), getattr(fresh, part.name), err_msg=part.name)


@pytest.mark.parametrize("k", [1, 10, 100, 3000])
@pytest.mark.parametrize("dead", [False, True])
def test_best_rows_are_found_without_scoring_all(monkeypatch: pytest.MonkeyPatch, k: int, dead: bool) -> None:
    random = np.random.default_rng(3)
    words = [f"w{n}" for n in range(400)]
    texts = [list(random.choice(words, 12, p=ZIPF)) for _ in range(2000)]
    live = random.random(2000) < (0.9 if dead else 1)
    bm25 = Bm25([Postings.build(texts[:1500]), Postings.build(texts[1500:])], [live[:1500], live[1500:]])
    for query in (["w0", "w1", "w300"], ["w0"], ["w399", "w399", "w20", "w2"], [*words[::7]], ["unknown"], []):
        scores = bm25.scores(query) * live
        monkeypatch.setattr("index.lexical.DENSE_ROWS", 0)
        rows = bm25.top(bm25.words(query), k)
        monkeypatch.undo()
        assert len(rows) == min(k, np.count_nonzero(scores))
        np.testing.assert_allclose(np.sort(scores[rows]), np.sort(scores)[len(scores) - len(rows) :], atol=1e-5)
        np.testing.assert_allclose(scores[np.sort(bm25.top(bm25.words(query), k))].sum(), scores[rows].sum(), rtol=1e-5)


def test_frequent_words_are_not_read_where_rare_ones_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.lexical.DENSE_ROWS", 0)
    bm25 = Bm25.build([["rare", "common"]] * 20 + [["common", "common"]] * 5000)
    read: list[int] = []
    own = Bm25._saturation

    def counted(self: Bm25, part: Postings, rows: np.ndarray, places: np.ndarray) -> np.ndarray:
        read.append(len(rows))
        return own(self, part, rows, places)

    monkeypatch.setattr(Bm25, "_saturation", counted)
    assert set(bm25.top(bm25.words(["common", "rare"]), 10).tolist()) <= set(range(20))
    assert sum(read) < 100
