"""The measures on cases worked out by hand."""

import numpy as np
import pytest

from evaluation.metrics import Ranking, auroc, best_rows, bitext_accuracy, gold_ranks, rejected, standardise


def test_rank_counts_ties_against_the_system() -> None:
    scores = np.array([[0.9, 0.5, 0.5, 0.1], [0.3, 0.3, 0.3, 0.3], [0.1, 0.2, 0.3, 0.4]], dtype=np.float32)
    assert gold_ranks(scores, np.array([1, 0, 3])).tolist() == [3, 4, 1]


def test_rank_of_what_was_not_found_is_the_last() -> None:
    scores = np.array([[0.9, -np.inf, 0.2, -np.inf]], dtype=np.float32)
    assert gold_ranks(scores, np.array([1])).tolist() == [4]


def test_ranking_of_three_ranks() -> None:
    ranking = Ranking.of([1, 3, 11])
    assert ranking.n == 3
    assert ranking.hit1 == pytest.approx(1 / 3)
    assert ranking.hit5 == pytest.approx(2 / 3)
    assert ranking.mrr10 == pytest.approx((1 + 1 / 3) / 3)
    assert ranking.ndcg10 == pytest.approx((1 + 0.5) / 3)  # 1 / log2(1 + 3) is a half


def test_best_rows_keep_the_order_of_equals() -> None:
    assert best_rows(np.array([0.1, 0.7, 0.7, 0.9]), 3).tolist() == [3, 1, 2]


@pytest.mark.parametrize(
    ("positive", "negative", "expected"),
    [([2, 3], [0, 1], 1.0), ([0, 1], [2, 3], 0.0), ([1, 1], [1, 1], 0.5), ([1, 3], [2, 0], 0.75), ([1], [1, 0], 0.75)],
)
def test_auroc(positive: list[float], negative: list[float], expected: float) -> None:
    assert auroc(positive, negative) == pytest.approx(expected)


def test_rejection_keeps_ninety_five_in_a_hundred() -> None:
    positive = np.arange(1, 102)  # the fifth percentile is 6
    assert rejected(positive, [5.9, 6.0, 7.0, -1.0]) == 0.5


def test_bitext_accepts_another_line_of_the_same_text() -> None:
    scores = np.array([[0.1, 0.9, 0.0], [0.2, 0.8, 0.1], [0.9, 0.0, 0.1]], dtype=np.float32)
    assert bitext_accuracy(scores, ["a", "a", "c"]) == pytest.approx(2 / 3)
    assert bitext_accuracy(scores, ["a", "b", "c"]) == pytest.approx(1 / 3)


def test_standardised_scores_have_no_mean_and_a_deviation_of_one() -> None:
    found = standardise(np.array([1.0, 2.0, 3.0, 6.0]))
    assert found.mean() == pytest.approx(0, abs=1e-6)
    assert found.std() == pytest.approx(1)
    assert standardise(np.full(4, 0.3)).tolist() == [0, 0, 0, 0]
