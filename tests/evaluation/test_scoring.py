"""Answers judged by hand: what counts as covered, cited, focused and rightly refused."""

import pytest

from evaluation.scoring import Item, Judgement, Shown, Summary, by, covers, judge, share_of_gold, shows

SENTENCES = {
    1: "灯塔建于1902年，高三十米，耗银五千两。",
    2: "守塔人叫林海，今年七十岁。",
    3: "试验编号：NCT02675556，招募六十人。",
    4: "试验编号：NCT03522545，招募六十人。",
}


def item(answers: tuple[frozenset[int], ...] = (frozenset({1}),), **changes: object) -> Item:
    plain: dict[str, object] = {
        "id": "q",
        "language": "zh",
        "type": "number",
        "question": "?",
        "history": (),
        "answers": answers,
        "must_contain": (),
        "must_not_contain": (),
        "answerable": True,
    }
    return Item(**{**plain, **changes})  # type: ignore[arg-type]


def shown(*numbers: int, cited: tuple[int, ...] | None = None) -> Shown:
    citations = numbers if cited is None else cited
    return Shown("\n".join(SENTENCES[n] for n in numbers), tuple(SENTENCES[n] for n in citations), abstained=False)


ABSTAINED = Shown("", (), abstained=True)


@pytest.mark.parametrize(
    ("text", "covered"),
    [
        (SENTENCES[1], True),
        ("灯塔建于１９０２年,高三十米,耗银五千两", True),  # width and punctuation
        ("灯塔建于1902年，高三十米，耗银五千", True),  # 16 of 17 characters
        ("灯塔建于1902年", False),
        ("", False),
    ],
)
def test_covers(text: str, covered: bool) -> None:
    assert covers(text, SENTENCES[1]) is covered


def test_another_trial_number_does_not_cover() -> None:
    assert not covers(SENTENCES[4], SENTENCES[3])


@pytest.mark.parametrize(
    ("text", "piece", "there"),
    [
        ("5-HT、DA和BDNF", "DA", True),
        ("data", "DA", False),
        ("MDA", "DA", False),
        ("20，45 （2025）", "20, 45", True),
        ("320, 45", "20, 45", False),
        ("每剂2×10⁶个细胞", "2×106个", True),
        ("灯 塔", "灯塔", True),
    ],
)
def test_shows(text: str, piece: str, there: bool) -> None:
    assert shows(text, piece) is there


def test_right_and_focused() -> None:
    one = judge(item(), shown(1), SENTENCES)
    assert (one.correct, one.focused, one.hit1, one.hit3, one.precision, one.refused) == (
        True,
        True,
        True,
        True,
        1.0,
        False,
    )


def test_too_much_shown_is_right_but_not_focused() -> None:
    one = judge(item((frozenset({2}),)), shown(1, 2, 3), SENTENCES)
    assert one.correct
    assert not one.focused
    assert one.precision is not None
    assert 0.2 < one.precision < 0.3


def test_one_whole_set_is_needed() -> None:
    both = item((frozenset({1, 2}), frozenset({3})))
    assert not judge(both, shown(1), SENTENCES).correct
    assert judge(both, shown(1, 2), SENTENCES).correct
    assert judge(both, shown(3), SENTENCES).correct


def test_pieces_that_must_and_must_not_be_shown() -> None:
    assert not judge(item(must_contain=(("四十米",),)), shown(1), SENTENCES).correct
    assert judge(item(must_contain=(("四十米", "三十米"), ("1902",))), shown(1), SENTENCES).correct
    assert not judge(item(must_not_contain=("五千两",)), shown(1), SENTENCES).correct


def test_hits_follow_the_order_of_citations() -> None:
    one = judge(item(), shown(1, cited=(2, 3, 1)), SENTENCES)
    assert (one.hit1, one.hit3) == (False, True)
    late = judge(item(), shown(1, cited=(2, 3, 4, 1)), SENTENCES)
    assert not late.hit3


def test_a_long_citation_points_at_nothing() -> None:
    long = Shown(SENTENCES[1], (SENTENCES[1] + "别的内容没有关系" * 80,), abstained=False)
    assert not judge(item(), long, SENTENCES).hit3


def test_abstaining_where_the_article_answers() -> None:
    one = judge(item(), ABSTAINED, SENTENCES)
    assert (one.correct, one.focused, one.hit1, one.refused, one.precision) == (False, False, False, True, None)


def test_abstaining_where_it_does_not() -> None:
    near_miss = item((), answerable=False, must_not_contain=("林海",))
    assert judge(near_miss, ABSTAINED, SENTENCES).good
    assert not judge(near_miss, shown(1), SENTENCES).good
    assert not judge(near_miss, Shown("林海", (), abstained=True), SENTENCES).rightly_refused


def test_share_of_gold_counts_runs_of_six() -> None:
    assert share_of_gold("今年七十岁的人不多", ["守塔人叫林海，今年七十岁。"]) == 0.0
    assert share_of_gold("守塔人叫林海abcdef", ["守塔人叫林海，今年七十岁。"]) == 0.5
    assert share_of_gold("……", ["守塔人叫林海"]) == 0.0


def test_summary_takes_each_mean_over_those_it_applies_to() -> None:
    judgements = [
        judge(item(), shown(1), SENTENCES),
        judge(item((frozenset({2}),), language="en"), shown(1, 2, 3), SENTENCES),
        judge(item(), ABSTAINED, SENTENCES),
        judge(item((), answerable=False, language="en"), ABSTAINED, SENTENCES),
    ]
    found = Summary.of(judgements)
    assert (found.n, found.accuracy, found.focused) == (4, pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert (found.false_abstention, found.abstention_recall) == (pytest.approx(1 / 3), 1.0)
    assert found.precision == pytest.approx((1 + (judgements[1].precision or 0)) / 2)
    languages = by(judgements, lambda one: one.language)
    assert list(languages) == ["en", "zh"]
    assert (languages["en"].n, languages["zh"].abstention_recall) == (2, None)


def test_item_reads_a_line_without_history() -> None:
    row = {
        "id": "d1",
        "lang": "en",
        "type": "list",
        "question": "Which?",
        "gold_sids": [[1, 2], [3]],
        "must_contain": ["a", ["b", "c"]],
        "answerable": True,
    }
    read = Item.of(row)
    assert read.gold == {1, 2, 3}
    assert (read.history, read.must_contain) == ((), (("a",), ("b", "c")))
    assert isinstance(judge(read, ABSTAINED, SENTENCES), Judgement)
