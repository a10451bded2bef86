"""Whether a question leans on the one before it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dialogue import brief, leans, parts


@pytest.mark.parametrize(
    "question",
    [
        "它的剂量是多少?",
        "那氟西汀呢?",
        "那个试验的注册号?",
        "這個試驗的目的是什麼?",
        "为什么?",
        "什么时候",
        "结果呢?",
        "上述试验由谁开展?",
        "前者和后者有什么不同?",
        "What about fluoxetine?",
        "and in humans?",
        "Who ran it?",
        "Why?",
        "How does this one compare?",
        "Which of them is bigger?",
    ],
)
def test_wording_points_back(question: str) -> None:
    assert leans(question)


@pytest.mark.parametrize(
    "question",
    [
        "每年有多少人死于自杀?",
        "这篇文章讲了什么?",
        "本文的免责说明是什么?",
        "氟西汀和其他药物有什么区别?",
        "What does this article say about fluoxetine?",
        "Is it true that MDD affects millions of people?",
        "How many people does MDD affect worldwide?",
    ],
)
def test_wording_stands_alone(question: str) -> None:
    assert not leans(question)


@pytest.mark.parametrize(
    ("question", "short"),
    [
        ("注册号?", True),
        ("氟西汀", True),
        ("body weight?", True),
        ("人脐带间充质干细胞能穿过血脑屏障吗?", False),
        ("How many people does MDD affect worldwide?", False),
        ("", True),
    ],
)
def test_few_words_may_lean_without_saying_so(question: str, short: bool) -> None:
    assert brief(question) is short


@given(st.text(max_size=60))
def test_any_text_leans_or_not(question: str) -> None:
    assert leans(question) in (True, False)
    assert leans(question) == leans(f"  {question}\u200b ")


@pytest.mark.parametrize(
    "question",
    [
        "OK, different topic - how did they trace them?",
        "换个问题，它的价格是多少?",
        "by the way, who wrote it?",
        "说点别的，那天气呢",
    ],
)
def test_announced_change_of_subject_does_not_lean(question: str) -> None:
    assert not leans(question)
    assert not brief(question)


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("Who ran the Houston trial and what is its number?", ["who ran the houston trial", "what is its number"]),
        ("休斯顿那项是谁做的，现在到哪一步了？", ["休斯顿那项是谁做的", "现在到哪一步了"]),
        ("原论文发在哪本期刊,doi是多少", ["原论文发在哪本期刊", "doi是多少"]),
        ("How many people does MDD affect worldwide?", []),
        ("我弟弟长期酗酒，家里人很担心，结果出了没", []),
        ("Serotonin and dopamine: what happens to them?", []),
        ("what is a, what is b, what is c, what is d", []),
        ("My brother drinks and is depressed, is there a study?", []),
        ("Is it safe, and is it approved?", ["is it safe", "is it approved"]),
        ("", []),
    ],
)
def test_question_that_asks_several_things_falls_into_them(question: str, asked: list[str]) -> None:
    assert parts(question) == asked


@given(st.text(max_size=80))
def test_any_text_falls_into_parts_that_ask_something(question: str) -> None:
    assert len(parts(question)) in (0, 2, 3)
    assert all(parts(question))
