"""Sentences and tokens: where they end, and that their spans are of the unmodified text."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.article import Article
from corpus.segment import JiebaTokenizer, Span, split_sentences, trim


def pieces(text: str) -> list[str]:
    return [span.of(text) for span in split_sentences(text)]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("一句。两句!三句?四句;五句", ["一句。", "两句!", "三句?", "四句;", "五句"]),
        ("一句！两句？三句；四句", ["一句！", "两句？", "三句；", "四句"]),
        ("他说:“走吧。”她走了。", ["他说:“走吧。”", "她走了。"]),
        ("真的吗?!是的。", ["真的吗?!", "是的。"]),
        ("(见图1。)后面。", ["(见图1。)", "后面。"]),
        ("Liu, G. et al. 发表于J. Neuro. 20, 45 (2025). 完。", ["Liu, G. et al. 发表于J. Neuro. 20, 45 (2025). 完。"]),
        ("剂量为3.5毫克,见https://doi.org/10.1007/s11481。", ["剂量为3.5毫克,见https://doi.org/10.1007/s11481。"]),
        ("他想……还是算了。", ["他想……还是算了。"]),
        ("他想…… 还是算了。", ["他想……", "还是算了。"]),
        ("  前后有空格。  第二句。 ", ["前后有空格。", "第二句。"]),
        ("First one. Second one! Third?", ["First one.", "Second one!", "Third?"]),
        ("See Fig. 3 and Dr. Smith et al. Nothing else.", ["See Fig. 3 and Dr. Smith et al. Nothing else."]),
        ("It grew 3.5 times. J. Smith said so.", ["It grew 3.5 times.", "J. Smith said so."]),
        ("“Is it?” She left.", ["“Is it?”", "She left."]),
        ("", []),
        ("   ", []),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, sentences: list[str]) -> None:
    assert pieces(text) == sentences


PROSE = st.text("干细胞抑郁症MSCa1 .。!?！？;；…“”()（）\n\t", max_size=120)


@given(PROSE)
def test_sentences_leave_out_nothing_but_white_space(text: str) -> None:
    spans = split_sentences(text)
    assert all(0 <= a.start < a.end <= b.start for a, b in itertools.pairwise(spans))
    end = 0
    for span in spans:
        assert not text[end : span.start].strip()
        assert span.of(text) == span.of(text).strip()
        end = span.end
    assert not text[end:].strip()


@given(PROSE, st.integers(0, 20), st.integers(0, 20))
def test_sentences_of_a_part_stay_within_it(text: str, before: int, after: int) -> None:
    start, end = min(before, len(text)), max(min(before, len(text)), len(text) - after)
    part = [span.of(text) for span in split_sentences(text, start, end)]
    assert part == pieces(text[start:end])


def test_trim_of_white_space_alone_is_nothing() -> None:
    assert trim(" \n\t", 0, 3) is None
    assert trim(" a ", 0, 3) == Span(1, 2)


def test_tokens_of_the_shipped_article_keep_their_place(article: Article, tokenizer: JiebaTokenizer) -> None:
    tokens = tokenizer.tokens(article.text)
    assert all(token.span.of(article.text) == token.text for token in tokens)
    edges = [0, *(edge for token in tokens for edge in (token.span.start, token.span.end)), len(article.text)]
    assert not "".join(article.text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)).strip()


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.sampled_from("人脐带间充质干细胞抑郁症血脑屏障hUC-MSDA 5H。,\n🙂é\u0301")))
def test_tokens_cover_any_text_in_order(tokenizer: JiebaTokenizer, text: str) -> None:
    tokens = tokenizer.tokens(text)
    assert all(token.span.of(text) == token.text for token in tokens)
    assert "".join("".join(token.text.split()) for token in tokens) == "".join(text.split())


def test_every_glossary_term_is_one_token(article: Article, tokenizer: JiebaTokenizer) -> None:
    for term in article.glossary:
        text = f"关于{term.zh},见下文。"
        held = [token for token in tokenizer.tokens(text) if token.span.start <= 2 < token.span.end]
        assert [token.span.end for token in held] == [2 + len(term.zh)], term.zh


def test_longer_term_wins_over_the_one_inside_it() -> None:
    tokenizer = JiebaTokenizer(["间充质", "间充质干细胞", "干细胞"])
    assert [t.text for t in tokenizer.tokens("间充质干细胞")] == ["间充质干细胞"]


def test_term_is_not_found_inside_a_latin_word() -> None:
    tokenizer = JiebaTokenizer(["DA"])
    assert "DA" not in [t.text for t in tokenizer.tokens("DATA")]
    assert "DA" in [t.text for t in tokenizer.tokens("提高DA水平")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("血脑屏障 (BBB) 受损", ["血脑屏障", "(", "BBB", ")", "受损"]),
        ("减轻海马体神经元凋亡", ["减轻", "海马体", "神经元凋亡"]),
        # What jieba gets wrong: kept here so that a change is seen.
        ("乒乓球拍卖完了", ["乒乓球", "拍卖", "完", "了"]),
        ("hUC-MSCs", ["hUC", "-", "MSCs"]),
    ],
)
def test_tokens_of_ordinary_text(tokenizer: JiebaTokenizer, text: str, words: list[str]) -> None:
    assert [t.text for t in tokenizer.tokens(text)] == words


@pytest.mark.parametrize(
    ("key", "term"),
    [
        ("stem cells", "cell"),
        ("il-1β", "il-1β"),
        ("il-1β", "il"),
        ("status", "status"),
        ("analysis", "analysis"),
        ("less", "less"),
        ("抑郁症状", "郁"),
        ("抑郁症状", "症状"),
        ("nct02675556", "nct02675556"),
    ],
)
def test_search_terms_hold_words_characters_and_pairs(tokenizer: JiebaTokenizer, key: str, term: str) -> None:
    assert term in tokenizer.search_terms(key)


def test_search_terms_leave_out_marks(tokenizer: JiebaTokenizer) -> None:
    assert tokenizer.search_terms("?!。,“” -- /") == []
