"""Answers and articles as HTML: what is shown, in which language, and that no text becomes markup."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from bot.answer import Answer
from bot.messages import MOUSE_FIRST, PAGE, REASONS, Tongue, say
from bot.page import render
from bot.page.render import Turn
from bot.page.terms import article_terms, explained
from corpus.article import Article, load_article
from corpus.language import search_key
from corpus.segment import Span
from tests.browser.standin import ARTICLE, StandInChatbot
from tests.payloads import PAYLOADS

OWN_TAGS = re.compile(
    r"a|abbr|article|b|blockquote|button|cite|details|div|h[1-6]|li|mark|nav|ol|option|p|path|section|"
    r"select|span|summary|svg|ul"
)
OWN_ATTRIBUTES = re.compile(
    r"class|id|href|title|lang|role|tabindex|type|hidden|target|rel|value|selected|focusable|"
    r"viewbox|d|aria-(label|pressed|hidden|expanded|controls)"
)


class Inspector(HTMLParser):
    """Tags and attributes of a piece of HTML, its text, that of each id, and whether every tag is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: set[str] = set()
        self.words: list[str] = []
        self.open: list[str] = []
        self.within: list[str] = []
        self.named: dict[str, str] = {}
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.open.append(tag)
        self.within.append(dict(attrs).get("id") or "")
        self.attributes |= {name for name, _ in attrs if not name.startswith("data-")}
        self.addresses |= {value or "" for name, value in attrs if name in ("href", "src", "action")}

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1:] == [tag], f"expected </{self.open[-1:]}>, found </{tag}>"
        self.open.pop()
        self.within.pop()

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        for name in filter(None, self.within):
            self.named[name] = self.named.get(name, "") + data

    @property
    def text(self) -> str:
        return "".join(self.words)


def assert_own_markup(html: str) -> Inspector:
    found = Inspector(html)
    assert found.open == []
    assert [tag for tag in found.tags if not OWN_TAGS.fullmatch(tag)] == []
    assert [name for name in found.attributes if not OWN_ATTRIBUTES.fullmatch(name)] == []
    for address in found.addresses:
        assert re.fullmatch(r"#s\d+|#question|tel:\d+|https://doi\.org/[!-~]+", address), address
    return found


@pytest.fixture(scope="module")
def chatbot() -> StandInChatbot:
    return StandInChatbot(load_article(ARTICLE))


@pytest.fixture(scope="module")
def article(chatbot: StandInChatbot) -> Article:
    return chatbot.articles[0]


def turn_html(answer: Answer, article: Article | None, page: Tongue, **more: Any) -> str:
    return render.render_turn(Turn(answer, render.asker_tongue(answer, page)), 1, article, page, **more)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_payload_in_question_message_and_suggestion_stays_text(
    chatbot: StandInChatbot, article: Article, payload: str
) -> None:
    answer = replace(chatbot.ask("氟西汀?"), question=payload, message=payload, suggestions=(payload,), hotline=payload)
    found = assert_own_markup(turn_html(answer, article, "en", feedback=True))
    assert found.text.count(payload) == 4
    crisis = replace(chatbot.ask("我不想活了"), question=payload, message=f"{payload}\n{payload}")
    assert assert_own_markup(turn_html(crisis, article, "zh")).text.count(payload) == 3


@pytest.mark.parametrize("payload", PAYLOADS)
def test_payload_in_an_article_stays_text(tmp_path: Path, payload: str) -> None:
    line = payload.replace("\n", " ")
    (tmp_path / "article.md").write_text(f"# {line}\n\n正文{line}。\n\n免责{line}。\n", encoding="utf-8")
    quoted = "'''" + line + "'''" if "'" in line else f"'{line}'"
    (tmp_path / "article.toml").write_text(
        f"id = 'x'\ntitle = {quoted}\npublisher = {quoted}\n[paper]\ntitle = {quoted}\n[disclaimer]\nsentences = [2]\n"
        f"[[figures]]\nnumber = 1\nsentences = [2]\n[[doubts]]\nsentence = 2\nzh = {quoted}\nen = {quoted}\n",
        encoding="utf-8",
    )
    article = load_article(tmp_path)
    for page in ("zh", "en"):
        found = assert_own_markup(render.render_article(article, page, [article, article]))
        assert found.text.count(line) >= 4
        assert_own_markup(render.render_disclaimer(article, page))
    answer = StandInChatbot(load_article(ARTICLE)).ask("氟西汀?")
    quote = article.sentence(2).text
    hostile = replace(
        answer,
        sentences=(replace(answer.sentences[0], quote=quote, highlights=(Span(0, 4), Span(6, 9)), doubt=quote),),
        citations=(replace(answer.citations[0], section=quote, passage=quote),),
        article=replace(answer.article, title=quote),
    )
    assert_own_markup(turn_html(hostile, None, "zh", feedback=True))


def test_texts_around_the_conversation_are_escaped() -> None:
    assert render.render_notice("<b>&") == '<p id="notice-line" role="status" data-version="0">&lt;b&gt;&amp;</p>'
    assert_own_markup(render.render_log([], {}, "en", ["<img src=x>"]))


def test_english_question_shows_the_translation_before_the_chinese(chatbot: StandInChatbot, article: Article) -> None:
    html = turn_html(chatbot.ask("How did fluoxetine do?"), article, "en")
    first = html[html.index('<li class="cited">') :]
    assert first.index('<span class="tag">translation</span>') < first.index('<blockquote class="quote" lang="zh-CN">')


def test_chinese_question_shows_the_original_alone_on_a_chinese_page(chatbot: StandInChatbot, article: Article) -> None:
    html = turn_html(chatbot.ask("氟西汀怎么样?"), article, "zh")
    assert "translation" not in html
    assert "小鼠实验" in html
    assert "小鼠實驗" in turn_html(chatbot.ask("氟西汀怎么样?"), article, "zh-Hant")


def test_chinese_question_on_an_english_page_keeps_its_order_and_adds_the_translation(
    chatbot: StandInChatbot, article: Article
) -> None:
    html = turn_html(chatbot.ask("氟西汀怎么样?"), article, "en")
    first = html[html.index('<li class="cited">') :]
    assert first.index("<blockquote") < first.index('<span class="tag">translation</span>')
    assert "mouse study" in html


@pytest.mark.parametrize(
    ("question", "page", "speaks"),
    [
        ("BDNF?", "zh", "zh"),
        ("BDNF?", "en", "en"),
        ("What about BDNF?", "zh", "en"),
        ("效果如何?", "en", "zh"),
        ("效果如何?", "zh-Hant", "zh-Hant"),
        ("療效如何?", "zh", "zh-Hant"),
    ],
)
def test_answer_speaks_the_language_of_the_asker(
    chatbot: StandInChatbot, question: str, page: Tongue, speaks: Tongue
) -> None:
    assert render.asker_tongue(chatbot.ask(question), page) == speaks


def test_set_phrases_are_said_again_in_another_language(chatbot: StandInChatbot) -> None:
    answered, unanswered = chatbot.ask("氟西汀怎么样?"), chatbot.ask("天气?")
    assert render.message_of(answered, "en") == MOUSE_FIRST["en"]
    assert unanswered.reason is not None
    assert render.message_of(unanswered, "zh-Hant") == say(REASONS[unanswered.reason], "zh-Hant")
    assert render.message_of(replace(answered, message="其他"), "en") == "其他"


def test_highlights_are_marked_at_code_points_and_overlaps_do_no_harm(article: Article) -> None:
    terms = article_terms(article, "zh")
    text = "a𝒜b<c>DA和5-HT"
    html = explained(text, terms, marks=(Span(1, 3), Span(2, 6), Span(6, 6)))
    assert html.startswith("a<mark>𝒜b</mark><mark>&lt;c&gt;</mark><abbr")
    assert Inspector(html).text == text


def test_abbreviations_are_found_whole_and_reached_once_by_tab(article: Article) -> None:
    terms = article_terms(article, "zh")
    html = explained("DA升高,DATA不变,hUC-MSCs与DA", terms)
    assert re.findall(r">([^<>]+)</abbr>", html) == ["DA", "hUC-MSCs", "DA"]
    assert html.count('tabindex="0"') == 2


def test_numbers_to_call_are_links_only_in_what_the_bot_says_itself(chatbot: StandInChatbot, article: Article) -> None:
    html = turn_html(chatbot.ask("自杀率?"), article, "zh")
    assert '<a class="call" href="tel:12356">12356</a>' in html
    assert "tel:" not in turn_html(chatbot.ask("氟西汀?"), article, "zh")


def test_copy_holds_quote_place_source_and_disclaimer(chatbot: StandInChatbot, article: Article) -> None:
    answer = chatbot.ask("氟西汀怎么样?")
    lines = render.copy_text(Turn(answer, "zh"), article).splitlines()
    assert lines[0] == "问：氟西汀怎么样?"
    assert f"“{article.sentence(31).text}” [1] (第 31 句; 小鼠实验)" in lines
    assert lines[-1] == article.disclaimer_text
    english = render.copy_text(Turn(chatbot.ask("How did fluoxetine do?"), "en"), article)
    assert f"(translation) {article.sentence(31).translation}" in english


def test_reading_pane_holds_every_sentence_word_for_word(article: Article) -> None:
    html = render.render_article(article, "zh")
    found = {int(name[1:]): text for name, text in Inspector(html).named.items() if re.fullmatch(r"s\d+", name)}
    assert found == {s.id: s.text for s in article.sentences}


def test_run_in_headings_have_names_in_english(article: Article) -> None:
    named = {s.title: render.section_title(article, s, "en") for s in article.sections}
    assert named["讨论"] == "Discussion"
    assert named["免责说明"] == "Disclaimer"


def test_every_string_of_the_page_is_there_in_both_languages() -> None:
    for key, text in PAGE.items():
        assert set(text) == {"zh", "en"}, key
        assert re.search(r"[\u4e00-\u9fff]|^\{", text["zh"]), key
        assert not re.search(r"[\u4e00-\u9fff]", text["en"]), key
        assert set(re.findall(r"\{\w+\}", text["zh"])) == set(re.findall(r"\{\w+\}", text["en"])), key


# --- colours ----------------------------------------------------------------------------------------------------------

STYLE = Path("bot/page/page.css").read_text(encoding="utf-8")


def colours(selector: str) -> dict[str, str]:
    block = STYLE[STYLE.index(f"{selector} {{") :]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block[: block.index("}")]))


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("selector", [":root", ":root:has(body.dark)"])
def test_colours_keep_their_contrast_in_both_themes(selector: str) -> None:
    named = colours(selector)
    text = [(ink, ground) for ink in ("ink", "soft", "accent") for ground in ("paper", "sheet", "raised", "wash")]
    for ink, ground in (*text, ("ink", "mark"), ("accent-ink", "accent")):
        assert contrast(named[ink], named[ground]) >= 4.5, (ink, ground)
    for line, ground in (("edge", "paper"), ("edge", "raised"), ("edge", "sheet"), ("accent", "paper")):
        assert contrast(named[line], named[ground]) >= 3, (line, ground)


def test_questions_to_begin_with_are_known_to_be_answered(article: Article) -> None:
    from bot.ui import starters

    known = {search_key(question.text) for question in article.questions}
    for page in ("zh", "en"):
        chosen = starters(article, page)
        assert len(chosen) == 4
        assert [text for text in chosen if search_key(text) not in known] == []
