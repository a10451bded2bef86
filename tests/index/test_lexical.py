"""BM25 against another implementation of it."""

from __future__ import annotations

import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.article import Article
from corpus.language import search_key
from corpus.passage import passages
from corpus.segment import JiebaTokenizer
from index.lexical import K1, B, Bm25

TERM = st.sampled_from(["stem", "cell", "干细胞", "抑郁", "小鼠", "炎症", "dose"])
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
