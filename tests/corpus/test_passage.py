"""Passages: whole sentences of one section and item, 80 to 220 characters, never cut inside a word.

What may fall short of 80 characters: the end of a section, the end of an item, and a passage that the next sentence
would carry over 220. What may go over 220: nothing but one word that is longer.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.article import Article, Sentence, load_article, parse
from corpus.passage import MAX_CHARACTERS, MIN_CHARACTERS, Passage, passages
from corpus.segment import JiebaTokenizer
from tests.tiny import write_article


def held(article: Article, passage: Passage) -> list[Sentence]:
    return [article.sentence(n) for n in passage.sentences]


def check(article: Article, tokenizer: JiebaTokenizer) -> None:
    """Every promise of a passage, over a whole article."""
    found = passages(article, tokenizer)
    assert [p.number for p in found] == list(range(1, len(found) + 1))
    covered: dict[int, list[Passage]] = {}
    for passage in found:
        assert article.text[passage.span.start : passage.span.end] == passage.text
        assert len({s.section for s in held(article, passage)}) == 1
        assert len({s.item for s in held(article, passage)}) == 1
        for n in passage.sentences:
            covered.setdefault(n, []).append(passage)
    for sentence in article.sentences:
        parts = covered.get(sentence.id, [])
        if sentence.is_heading and not parts:
            continue
        assert parts[0].span.start <= sentence.span.start
        assert sentence.span.end <= parts[-1].span.end
        if len(parts) > 1:
            assert len(sentence.text) > MAX_CHARACTERS
            inside(sentence, parts, tokenizer)
    for passage, following in itertools.pairwise(found):
        lengths(article, passage, following)


def inside(sentence: Sentence, parts: list[Passage], tokenizer: JiebaTokenizer) -> None:
    """The parts of one long sentence follow each other and meet between two words."""
    assert all(a.span.end == b.span.start for a, b in itertools.pairwise(parts))
    cuts = {p.span.end - sentence.span.start for p in parts[:-1]}
    for token in tokenizer.tokens(sentence.text):
        assert not any(token.span.start < cut < token.span.end for cut in cuts), token.text
    longest = max(len(token.text) for token in tokenizer.tokens(sentence.text))
    assert all(len(p.text) <= max(MAX_CHARACTERS, longest + 2) for p in parts)


def lengths(article: Article, passage: Passage, following: Passage) -> None:
    first, last = held(article, passage)[0], held(article, passage)[-1]
    if len(passage.sentences) > 1:
        assert len(passage.text) <= MAX_CHARACTERS
    after = held(article, following)[0]
    alike = (first.section, first.item) == (after.section, after.item)
    if len(passage.text) < MIN_CHARACTERS and alike and last.id != after.id:
        assert after.span.end - first.span.start > MAX_CHARACTERS


def test_passages_of_the_shipped_article_keep_their_promises(article: Article, tokenizer: JiebaTokenizer) -> None:
    check(article, tokenizer)


def test_every_sentence_of_the_shipped_article_but_headings_is_in_a_passage(
    article: Article, tokenizer: JiebaTokenizer
) -> None:
    covered = {n for passage in passages(article, tokenizer) for n in passage.sentences}
    assert {s.id for s in article.sentences if not s.is_heading} <= covered


def test_no_passage_of_the_shipped_article_holds_two_trials(article: Article, tokenizer: JiebaTokenizer) -> None:
    assert all(p.text.count("ClinicalTrials.gov ID") <= 1 for p in passages(article, tokenizer))


def test_no_passage_cuts_a_glossary_term(article: Article, tokenizer: JiebaTokenizer) -> None:
    edges = [edge for p in passages(article, tokenizer) for edge in (p.span.start, p.span.end)]
    for name in {name for term in article.glossary for name in term.chinese}:
        at = article.text.find(name)
        while at >= 0:
            assert not any(at < edge < at + len(name) for edge in edges), name
            at = article.text.find(name, at + 1)


WORDS = [
    "人脐带间充质干细胞",
    "hUC-MSCs",
    "抑郁症",
    "血脑屏障",
    "的",
    "能够",
    "减轻",
    "2×10⁶",
    "小鼠",
    "神经炎症",
    "IL-1β",
    "在",
]
CLAUSE = st.lists(st.sampled_from(WORDS), min_size=1, max_size=14).map("".join)
SENTENCE = st.tuples(
    st.lists(CLAUSE, min_size=1, max_size=9), st.sampled_from([",", "、", "", "："]), st.sampled_from("。!?;")
).map(lambda parts: parts[1].join(parts[0]) + parts[2])
LINE = st.one_of(
    st.lists(SENTENCE, min_size=1, max_size=5).map("".join),
    SENTENCE.map("第一项:{}".format),
    SENTENCE.map("方法:{}".format),
    CLAUSE.map("## {}".format),
)


@settings(max_examples=120, deadline=None)
@given(lines=st.lists(LINE, min_size=1, max_size=12))
def test_passages_of_any_article_keep_their_promises(tokenizer: JiebaTokenizer, lines: list[str]) -> None:
    text = "\n\n".join(lines) + "\n"
    sections, sentences = parse(text, run_in_headings=("方法",))
    assert [n for s in sections for n in s.sentences] == [s.id for s in sentences]
    assert all(text[s.span.start : s.span.end] == s.text for s in sentences)
    made = Article("made", "made", None, "zh-Hans", text, "", sections, sentences, (1,))
    check(made, tokenizer)


def test_long_sentence_is_cut_after_a_pause(tokenizer: JiebaTokenizer) -> None:
    text = ("神经炎症" * 28 + ",") + "抑郁症" * 50 + "。"
    sections, sentences = parse(text)
    made = Article("made", "made", None, "zh-Hans", text, "", sections, sentences, (1,))
    first, second = passages(made, tokenizer)
    assert first.text == "神经炎症" * 28 + ","
    assert second.text == "抑郁症" * 50 + "。"
    assert list(first.sentences) == list(second.sentences) == [1]


@pytest.mark.parametrize(("length", "count"), [(MAX_CHARACTERS, 1), (MAX_CHARACTERS + 1, 2)])
def test_sentence_is_cut_from_221_characters_on(tokenizer: JiebaTokenizer, length: int, count: int) -> None:
    text = "灯" * (length - 1) + "。"
    sections, sentences = parse(text)
    made = Article("made", "made", None, "zh-Hans", text, "", sections, sentences, (1,))
    assert len(passages(made, tokenizer)) == count


def test_heading_with_nothing_under_it_is_a_passage_of_its_own(tmp_path: Path, tokenizer: JiebaTokenizer) -> None:
    text = "# 题目\n\n一句话。\n\n## 空的一节\n\n## 说明\n\n不能代替医生。\n"
    meta = 'id = "a"\ntitle = "题目"\n[disclaimer]\nsentences = [5]\n'
    article = load_article(write_article(tmp_path, {"article.md": text, "article.toml": meta, "questions.tsv": None}))
    assert [p.text for p in passages(article, tokenizer)] == ["一句话。", "空的一节", "不能代替医生。"]
