"""Marks within a quote: what was asked for, or the words it shares with the question."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.chatbot import Chatbot
from bot.highlight import Highlighter
from corpus.article import Article
from corpus.segment import JiebaTokenizer
from tests.tiny import TablelessEncoder, TinyEncoder


@pytest.fixture(scope="module")
def highlighter(tokenizer: JiebaTokenizer, tiny: TinyEncoder) -> Highlighter:
    return Highlighter(tiny, tokenizer)


def marked(highlighter: Highlighter, question: str, sentence: str) -> list[str]:
    return [span.of(sentence) for span in highlighter.highlights(question, sentence)]


@pytest.mark.parametrize(
    ("question", "sentence", "marks"),
    [
        ("全球有多少人受影响?", "据估计,MDD影响全球超过3.5亿人,每年有超过70万人死于自杀。", ["3.5", "70"]),
        ("How many people?", "据估计,MDD影响全球超过3.5亿人,每年有超过70万人死于自杀。", ["3.5", "70"]),
        ("哪一年的研究?", "2016年,“实验生物学和医学公报”报道了一项临床研究结果。", ["2016"]),
        ("第一项试验的注册号是什么?", "已登记,编号是NCT02675556,见登记平台。", ["NCT02675556"]),
    ],
)
def test_what_is_asked_for_is_marked(highlighter: Highlighter, question: str, sentence: str, marks: list[str]) -> None:
    assert marked(highlighter, question, sentence) == marks


def test_number_that_the_question_gives_is_not_the_answer(highlighter: Highlighter) -> None:
    assert marked(highlighter, "70万人之外,有多少人受影响?", "MDD影响全球超过3.5亿人,每年有超过70万人死于自杀。") == [
        "3.5"
    ]


def test_words_of_the_question_are_marked_without_a_token_table(tokenizer: JiebaTokenizer) -> None:
    plain = Highlighter(TablelessEncoder(), tokenizer)
    sentence = "本研究发现,干预可以穿过受损的血脑屏障并定位于海马等关键脑区。"
    assert marked(plain, "能穿过血脑屏障吗", sentence) == ["穿过", "血脑屏障"]
    assert marked(plain, "法国首都", sentence) == []


def test_whole_sentence_is_never_marked(highlighter: Highlighter) -> None:
    sentence = "血脑屏障受损"
    assert highlighter.highlights(sentence, sentence) == ()


@settings(max_examples=60, deadline=None)
@given(
    question=st.text(max_size=40) | st.sampled_from(["多少", "哪一年", "编号", "谁", "图1"]),
    number=st.integers(1, 105),
)
def test_marks_are_in_order_apart_and_within_the_sentence(
    highlighter: Highlighter, article: Article, question: str, number: int
) -> None:
    sentence = article.sentence(number).text
    spans = highlighter.highlights(question, sentence)
    ends = [0, *(edge for span in spans for edge in (span.start, span.end)), len(sentence)]
    assert ends == sorted(ends)
    assert all(span.start < span.end for span in spans)
    assert sum(span.end - span.start for span in spans) < 0.7 * len(sentence) or not spans


def test_english_question_marks_chinese_words_of_the_same_meaning(chatbot: Chatbot) -> None:
    sentence = "hUC-MSCs能够穿过受损的血脑屏障,并定位于海马、前额叶皮层等关键脑区。"
    marks = marked(chatbot.highlighter, "Does it reach the hippocampus?", sentence)
    assert "海马" in marks
