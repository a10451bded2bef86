"""The chat page in Chromium: what it shows, says to assistive technology, and sends."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from bot.feedback import Feedback, FeedbackStore
from bot.messages import MOUSE_FIRST
from bot.settings import Settings
from corpus.article import load_article
from tests.browser.conftest import DESK
from tests.browser.standin import StandInChatbot
from tests.payloads import PAYLOADS

LANGUAGES = {"zh": "zh-CN", "en": "en-US"}
QUESTIONS = {
    "zh": {
        "answered": "和氟西汀相比效果怎么样?",
        "no answer": "这个治疗要多少钱?",
        "safety": "我不想活了",
    },
    "en": {
        "answered": "How did it compare with fluoxetine?",
        "no answer": "How much does the treatment cost?",
        "safety": "I want to kill myself",
    },
}
HAN = re.compile(r"[\u3400-\u9fff]")


@dataclass
class Bot:
    url: str
    chatbot: StandInChatbot
    feedback: Path

    def verdicts(self) -> list[Feedback]:
        store = FeedbackStore(self.feedback)
        try:
            return [given for _, _, given in store.rows()]
        finally:
            store.close()


@contextmanager
def running(serve: Any, chatbot: StandInChatbot, **settings: Any) -> Iterator[str]:
    """The whole application, with no limit on how fast a test may ask, once its page is there."""
    from bot.api import create_app

    app = create_app(chatbot, Settings(rate="100000/minute", page_rate="100000/minute", **settings))
    with serve(app) as url:
        limit = time.monotonic() + 60
        while httpx.get(f"{url}/readyz").status_code != 200:
            assert time.monotonic() < limit, "expected the page within 60 s"
            time.sleep(0.05)
        yield url


@pytest.fixture(scope="module")
def bot(serve: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bot]:
    """The application over the stand-in, for an operator who takes verdicts."""
    chatbot, feedback = StandInChatbot(), tmp_path_factory.mktemp("feedback") / "feedback.sqlite"
    with running(serve, chatbot, feedback=feedback) as url:
        yield Bot(url, chatbot, feedback)


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(bot: Bot, new_context: Callable[..., BrowserContext]) -> OpenPage:
    def open_it(lang: str = "zh", scheme: str = "light", *, query: str = "", url: str = "", **more: Any) -> Page:
        page = new_context(LANGUAGES.get(lang, lang), scheme, **more).new_page()
        page.goto((url or bot.url) + query)
        page.wait_for_selector("html.ready")
        return page

    return open_it


def ask(page: Page, question: str) -> None:
    """Type a question, send it with Enter and wait for its turn."""
    before = page.locator(".turn").count()
    page.fill("#question", question)
    page.press("#question", "Enter")
    expect(page.locator(".turn")).to_have_count(before + 1)


def focused(page: Page) -> str:
    """Id, class or tag of the element that has the focus."""
    return str(page.evaluate("document.activeElement.id || document.activeElement.className || 'body'"))


def sideways(page: Page) -> list[str]:
    """Elements that are wider than the room they have, of those that scroll."""
    return list(
        page.evaluate(
            "['html', '#log', '#pane-body'].filter(name => { const e = document.querySelector(name);"
            " return e && e.offsetParent !== null | name === 'html' && e.scrollWidth > e.clientWidth })"
        )
    )


# --- every state, both languages, both themes -------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_state_is_accessible(
    open_page: OpenPage, axe_violations: Any, screenshot: Any, lang: str, scheme: str
) -> None:
    page = open_page(lang, scheme)

    def check(state: str) -> None:
        screenshot(page, f"page-{lang}-{scheme}-{state.replace(' ', '-')}")
        # The article is the same in every state: it is looked at when the page opens and when a citation opens it.
        parts = None if state in ("empty", "article open") else ["#top", "#log", "#composer"]
        assert axe_violations(page, parts) == [], state
        expect(page.locator(".disclaimer .line")).to_be_in_viewport()

    check("empty")
    for state, question in QUESTIONS[lang].items():
        ask(page, question)
        check(state)
        if state == "answered":
            page.locator(".cite").first.click()
            expect(page.locator("#s31.on")).to_be_focused()
            check("article open")
    assert page.evaluate("document.body.classList.contains('dark')") is (scheme == "dark")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_state_is_accessible_on_a_phone(
    open_page: OpenPage, axe_violations: Any, screenshot: Any, lang: str
) -> None:
    page = open_page(lang, phone=True)
    screenshot(page, f"page-phone-{lang}-empty")
    ask(page, QUESTIONS[lang]["answered"])
    screenshot(page, f"page-phone-{lang}-answered")
    assert axe_violations(page, ["#top", "#log", "#composer"]) == []
    page.locator(".cite").first.click()
    expect(page.locator("#s31")).to_be_in_viewport()
    page.wait_for_function("document.querySelector('#reader').getBoundingClientRect().left < 1")
    screenshot(page, f"page-phone-{lang}-article-open")
    assert axe_violations(page) == []


def accessible(page: Page) -> list[tuple[str, str]]:
    """Role and name of every control that assistive technology can reach."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    controls = {"button", "link", "textbox", "checkbox", "combobox", "DisclosureTriangle", "tab", "menuitem", "radio"}
    return [
        (node["role"]["value"], node.get("name", {}).get("value", "").strip())
        for node in nodes
        if not node.get("ignored") and node["role"]["value"] in controls
    ]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_control_has_a_name_in_the_language_of_the_page(open_page: OpenPage, lang: str) -> None:
    page = open_page(lang)
    ask(page, QUESTIONS[lang]["answered"])
    controls = accessible(page)
    assert len(controls) > 20
    assert [control for control in controls if not control[1]] == []
    names = [name for _, name in controls if name not in ("简体中文", "繁體中文", "English")]
    own = [name for name in names if not name.startswith("Human Umbilical Cord")]
    if lang == "zh":
        assert [name for name in own if not HAN.search(name)] == []
    else:
        assert [name for name in own if HAN.search(name)] == []


def test_language_of_document_title_and_quotes(open_page: OpenPage) -> None:
    page = open_page("en")
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.title() == "Yuanwen · answers in the article's own words"
    ask(page, QUESTIONS["en"]["answered"])
    assert set(page.locator("blockquote").evaluate_all("all => all.map(e => e.lang)")) == {"zh-CN"}
    page = open_page("zh")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"


def test_nothing_says_gradio(open_page: OpenPage) -> None:
    page = open_page("en")
    assert "gradio" not in page.locator("body").inner_text().lower()
    assert page.locator("footer:visible").count() == 0
    served = httpx.get(page.url, headers={"accept-language": "zh-CN"}).text
    head = served[: served.index("<script")]
    assert "gradio" not in head.lower()
    assert '<html\n\tlang="zh-CN"' in head
    assert "<title>原文问答" in head


# --- asking -----------------------------------------------------------------------------------------------------------


def test_chinese_answer_shows_quotes_marks_labels_and_places(open_page: OpenPage, bot: Bot) -> None:
    page = open_page("zh")
    ask(page, QUESTIONS["zh"]["answered"])
    article = bot.chatbot.articles[0]
    assert page.locator("blockquote").all_text_contents() == [article.sentence(n).text for n in (31, 37, 39)]
    assert page.locator(".message").inner_text() == MOUSE_FIRST["zh"]
    assert page.locator("mark").all_text_contents()[0] == "优于传统抗抑郁药氟西汀(Flu)"
    assert page.locator(".cited .evidence").all_inner_texts() == ["小鼠实验"] * 3
    assert page.locator(".cited .cite").first.inner_text() == "[1] hUC-MSCs改善CUMS诱发的抑郁和焦虑样行为 第 31 句"
    assert page.locator(".cited .translation").count() == 0
    assert "第36句" in page.locator(".doubt").last.inner_text()


def test_english_answer_shows_a_labelled_translation_before_the_original(open_page: OpenPage, bot: Bot) -> None:
    page = open_page("en")
    ask(page, QUESTIONS["en"]["answered"])
    first = page.locator(".cited").first
    article = bot.chatbot.articles[0]
    assert first.locator(".translation .tag").inner_text() == "translation"
    assert first.locator(".translation [lang=en]").text_content() == article.sentence(31).translation
    assert first.locator("blockquote").text_content() == article.sentence(31).text
    order = first.locator(".translation, blockquote").evaluate_all("all => all.map(e => e.tagName)")
    assert order == ["P", "BLOCKQUOTE"]
    assert first.locator(".evidence").inner_text() == "mouse study"


def test_marks_are_not_told_by_colour_alone(open_page: OpenPage) -> None:
    page = open_page("zh")
    ask(page, QUESTIONS["zh"]["answered"])
    assert page.locator("mark").first.evaluate("e => getComputedStyle(e).textDecorationLine") == "underline"
    page.locator(".cite").first.click()
    assert page.locator("#s31").evaluate("e => getComputedStyle(e).textDecorationLine") == "underline"


def test_no_answer_is_said_plainly_with_related_sentences(open_page: OpenPage) -> None:
    page = open_page("en")
    ask(page, QUESTIONS["en"]["no answer"])
    assert page.locator(".message").inner_text().startswith("The article does not say.")
    assert page.locator(".related .lead-in").inner_text() == "Related, not an answer"
    assert page.locator(".related blockquote").count() == 2
    assert page.locator(".copy").count() == 0


def test_crisis_card_stands_alone_with_numbers_to_call(open_page: OpenPage) -> None:
    page = open_page("zh")
    ask(page, QUESTIONS["zh"]["safety"])
    card = page.locator(".answer.crisis")
    numbers = card.locator("a[href^='tel:']").evaluate_all("all => all.map(e => e.getAttribute('href'))")
    assert numbers == ["tel:12356", "tel:120", "tel:110", "tel:988", "tel:911"]
    assert card.locator(".quotes, .related, .tools, .next").count() == 0


def test_hotline_line_follows_an_answer_on_the_topic(open_page: OpenPage) -> None:
    page = open_page("en")
    ask(page, "What is the suicide rate?")
    assert page.locator(".hotline a[href='tel:988']").count() == 1
    assert page.locator(".cited").count() == 1


def test_starters_and_follow_ups_are_asked_by_a_click(open_page: OpenPage, bot: Bot) -> None:
    page = open_page("en")
    starters = page.locator(".welcome .follow")
    expect(starters).to_have_count(4)
    starters.nth(2).click()
    expect(page.locator(".turn")).to_have_count(1)
    expect(page.locator(".welcome")).to_be_empty()
    expect(page.locator("#question")).to_be_focused()
    page.locator(".next .follow").last.click()
    expect(page.locator(".turn")).to_have_count(2)
    question, history = bot.chatbot.asked[-1]
    assert question == "Which clinical trials are there?"
    assert history == ("How did the stem cells compare with fluoxetine on body weight?",)


def test_conversations_are_apart(open_page: OpenPage, bot: Bot) -> None:
    one, other = open_page("zh"), open_page("zh")
    ask(one, QUESTIONS["zh"]["answered"])
    ask(other, QUESTIONS["zh"]["no answer"])
    assert bot.chatbot.asked[-1] == (QUESTIONS["zh"]["no answer"], ())
    assert other.locator(".turn").count() == 1


def test_focus_stays_in_the_box_after_sending(open_page: OpenPage) -> None:
    page = open_page("zh")
    ask(page, QUESTIONS["zh"]["answered"])
    assert focused(page) == "question"
    assert page.input_value("#question") == ""
    page.fill("#question", QUESTIONS["zh"]["no answer"])
    page.click("#box .submit-button")
    expect(page.locator(".turn")).to_have_count(2)
    expect(page.locator("#question")).to_be_focused()
    expect(page.locator("#turn-2 .question")).to_be_in_viewport()


def test_clear_empties_the_conversation(open_page: OpenPage, bot: Bot) -> None:
    page = open_page("zh")
    ask(page, QUESTIONS["zh"]["answered"])
    page.click("#clear")
    expect(page.locator(".turn")).to_have_count(0)
    expect(page.locator(".welcome")).to_be_visible()
    expect(page.locator("#question")).to_be_focused()
    ask(page, QUESTIONS["zh"]["no answer"])
    assert bot.chatbot.asked[-1][1] == ()


def test_enter_that_ends_a_composition_does_not_send(open_page: OpenPage, bot: Bot) -> None:
    page = open_page("zh")
    asked = len(bot.chatbot.asked)
    page.focus("#question")
    session = page.context.new_cdp_session(page)
    session.send("Input.imeSetComposition", {"text": "shiyan", "selectionStart": 6, "selectionEnd": 6})
    page.evaluate(
        "for (const type of ['keydown', 'keypress']) document.querySelector('#question').dispatchEvent("
        "new KeyboardEvent(type, {key: 'Enter', keyCode: 229, isComposing: true, bubbles: true, cancelable: true}))"
    )
    session.send("Input.insertText", {"text": "试验"})
    assert page.input_value("#question") == "试验"
    page.wait_for_timeout(300)
    assert page.locator(".turn").count() == 0
    assert len(bot.chatbot.asked) == asked
    page.press("#question", "Enter")
    expect(page.locator(".turn")).to_have_count(1)


def test_empty_and_too_long_questions_get_a_friendly_line(open_page: OpenPage, bot: Bot) -> None:
    page = open_page("en")
    asked = len(bot.chatbot.asked)
    assert page.get_attribute("#question", "maxlength") == "4000"
    page.fill("#question", "   ")
    page.press("#question", "Enter")
    expect(page.locator("#notice-line")).to_have_text(re.compile("^There is no question yet"))
    assert len(bot.chatbot.asked) == asked
    page.fill("#question", "长" * 501)
    page.press("#question", "Enter")
    expect(page.locator("#notice-line")).to_have_text(re.compile("^问题请不超过 500 个字（现在是 501 个）"))
    assert page.input_value("#question") == "长" * 501
    assert page.locator(".turn").count() == 0


def test_crisis_in_a_message_that_is_too_long_gets_the_card(open_page: OpenPage) -> None:
    page = open_page("zh")
    page.fill("#question", "每天都很难熬。" * 120 + "我不想活了")
    page.press("#question", "Enter")
    expect(page.locator(".answer.crisis a[href='tel:12356']")).to_be_visible()


def test_characters_are_counted_near_the_limit(open_page: OpenPage) -> None:
    page = open_page("en")
    page.fill("#question", "a" * 450)
    assert page.locator("#count").inner_text() == "450 / 500 characters"
    page.fill("#question", "a" * 20)
    assert page.locator("#count").inner_text() == ""


def test_a_failure_leaks_nothing(open_page: OpenPage) -> None:
    page = open_page("en")
    bodies: list[str] = []
    page.on("response", lambda response: bodies.append(response.url))
    page.fill("#question", "Please break down now")
    page.press("#question", "Enter")
    expect(page.locator("#notice-line")).to_have_text("That did not work. Please try once more.")
    assert page.input_value("#question") == "Please break down now"
    content = page.content()
    assert "secret internals" not in content
    assert "Traceback" not in content
    assert bodies


def test_a_lost_connection_is_said_and_nothing_is_lost_when_it_is_back(open_page: OpenPage) -> None:
    page = open_page("en")
    ask(page, QUESTIONS["en"]["answered"])
    page.route("**/gradio_api/**", lambda route: route.abort())
    page.locator(".next .follow").first.click()
    expect(page.locator("#notice-line")).to_have_text(re.compile("^Not connected"))
    assert page.input_value("#question") == "How do these stem cells reduce neuroinflammation?"
    assert page.locator("#composer.pending").count() == 0
    assert "Connection" not in page.locator("body").inner_text()
    with page.expect_navigation():
        page.unroute_all()
    expect(page.locator(".turn")).to_have_count(1)
    assert page.input_value("#question") == "How do these stem cells reduce neuroinflammation?"
    assert page.evaluate("history.state") is None


def test_payloads_stay_text(open_page: OpenPage) -> None:
    page = open_page("en")
    for number, payload in enumerate(PAYLOADS, start=1):
        ask(page, payload)
        assert payload in (page.locator(f"#turn-{number} .question").text_content() or "")
    live = "form, img, style, script, iframe, link, video, math, object, embed, a[href^='javascript']"
    assert page.locator(f"#turns :is({live})").count() == 0
    assert page.locator("#turns [onerror], #turns [onload], #turns [onfocus], #turns [ontoggle]").count() == 0
    assert [url for url in page.context.watched.requests if "beacon" in url] == []  # type: ignore[attr-defined]


# --- the article ------------------------------------------------------------------------------------------------------


def test_every_sentence_is_in_the_reading_pane_word_for_word(open_page: OpenPage, bot: Bot) -> None:
    page = open_page("en")
    article = bot.chatbot.articles[0]
    shown = page.evaluate("[...document.querySelectorAll('#reader .s')].map(e => [e.id, e.textContent, e.lang])")
    assert shown == [[f"s{s.id}", s.text, "zh-CN"] for s in article.sentences]


def test_by_keyboard_alone_ask_open_a_citation_go_back_and_clear(open_page: OpenPage) -> None:
    page = open_page("zh")

    def tab_to(selector: str, key: str = "Tab", most: int = 60) -> None:
        for _ in range(most):
            page.keyboard.press(key)
            if page.evaluate("s => document.activeElement.matches(s)", selector):
                return
        raise AssertionError(f"expected {selector} within {most} presses of {key}, found {focused(page)}")

    tab_to(".skip", most=3)
    page.keyboard.press("Enter")
    assert focused(page) == "question"
    page.keyboard.insert_text(QUESTIONS["zh"]["answered"])
    page.keyboard.press("Enter")
    expect(page.locator(".turn")).to_have_count(1)
    tab_to(".cite:not(.plain)", "Shift+Tab")
    name = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    expect(page.locator(".s.on")).to_be_focused()
    page.keyboard.press("Tab")
    while focused(page) != "back":
        assert page.evaluate("document.activeElement.closest('.s.on') !== null"), (
            "only what is in the sentence is between"
        )
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.textContent") == name
    page.keyboard.press("Enter")
    expect(page.locator(".s.on")).to_be_focused()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.textContent") == name
    tab_to("#clear", "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".turn")).to_have_count(0)


def test_citation_opens_the_article_at_the_sentence_without_leaving_the_page(open_page: OpenPage) -> None:
    page = open_page("en")
    before = page.url
    ask(page, "Which trials are there?")
    page.locator(".cite").nth(2).click()
    expect(page.locator("#s92")).to_be_focused()
    expect(page.locator("#s92")).to_be_in_viewport()
    expect(page.locator(".e.on")).to_be_in_viewport()
    assert page.locator(".s.on").count() == 1
    assert page.url == before
    section = page.locator("#s92").evaluate("e => e.closest('.section').dataset.section")
    expect(page.locator(".outline a[aria-current]")).to_have_attribute("data-section", section)


def test_drawer_on_a_phone_opens_closes_and_gives_the_focus_back(open_page: OpenPage) -> None:
    page = open_page("zh", phone=True)
    assert page.locator("#reader").evaluate("e => getComputedStyle(e).visibility") == "hidden"
    page.click("#open-article")
    expect(page.locator("#close-article")).to_be_focused()
    assert page.get_attribute("#reader", "role") == "dialog"
    assert page.evaluate(
        "document.querySelector('#chat').inert && document.querySelector('.bar').closest('[inert]') !== null"
    )
    page.keyboard.press("Escape")
    expect(page.locator("#open-article")).to_be_focused()
    ask(page, QUESTIONS["zh"]["answered"])
    page.locator(".cite").nth(1).click()
    expect(page.locator("#s37")).to_be_focused()
    expect(page.locator("#s37")).to_be_in_viewport()
    page.click("#close-article")
    expect(page.locator(".cite").nth(1)).to_be_focused()
    assert not page.evaluate("document.querySelector('#chat').inert")


def test_outline_leads_to_each_section(open_page: OpenPage, bot: Bot) -> None:
    page = open_page("en")
    links = page.locator(".outline a")
    titled = [section for section in bot.chatbot.articles[0].sections if section.title]
    assert links.count() == len(titled)
    last = links.filter(has_text="Disclaimer")
    last.click()
    expect(page.locator("#s101")).to_be_focused()
    expect(page.locator("#s101")).to_be_in_viewport()


def test_evidence_stands_beside_each_paragraph(open_page: OpenPage) -> None:
    page = open_page("zh")
    label = page.locator("#s75").locator("xpath=ancestor::div[contains(@class, 'paragraph')]").locator(".evidence")
    assert label.inner_text() == "人体试验"
    box, text = label.bounding_box(), page.locator("#s75").bounding_box()
    assert box is not None and text is not None  # noqa: PT018
    assert box["x"] + box["width"] <= text["x"]


def test_abbreviations_explain_themselves_on_hover_and_focus(open_page: OpenPage) -> None:
    page = open_page("zh")
    term = page.locator("#reader abbr.term", has_text="MDD").first
    term.hover()
    expect(page.locator("#tip")).to_be_visible()
    assert "重度抑郁症" in page.locator("#tip").inner_text()
    page.locator("#tip").hover()
    page.wait_for_timeout(250)
    expect(page.locator("#tip")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#tip")).to_be_hidden()
    term.focus()
    expect(page.locator("#tip")).to_be_visible()
    assert term.get_attribute("aria-describedby") == "tip"
    page.focus("#question")
    expect(page.locator("#tip")).to_be_hidden()
    page = open_page("en")
    page.locator("#reader abbr.term", has_text="BDNF").first.focus()
    assert page.locator("#tip").inner_text().startswith("brain-derived neurotrophic factor:")


def test_doubts_are_told_where_they_are(open_page: OpenPage) -> None:
    page = open_page("en")
    marks = page.locator("#reader .doubt-mark")
    assert marks.count() == 19
    marks.first.focus()
    expect(page.locator("#tip")).to_have_text(re.compile("neurodegenerative"))


def test_english_can_be_shown_beside_the_chinese(open_page: OpenPage) -> None:
    page = open_page("zh")
    expect(page.locator("#reader .en").first).to_be_hidden()
    page.click("#parallel")
    expect(page.locator("#reader .en").first).to_be_visible()
    assert page.get_attribute("#parallel", "aria-pressed") == "true"


def test_disclaimer_is_whole_on_demand_in_the_words_of_the_article(open_page: OpenPage, bot: Bot) -> None:
    article = bot.chatbot.articles[0]
    page = open_page("zh")
    assert page.locator(".disclaimer .line").inner_text() == article.sentence(101).text
    page.click(".disclaimer summary")
    assert article.disclaimer_text in page.locator(".disclaimer .whole").inner_text()
    page.click(".disclaimer .cite")
    expect(page.locator("#s101")).to_be_focused()


def test_citation_of_another_article_opens_that_article(
    serve: Any, open_page: OpenPage, tmp_path: Path, new_context: Any
) -> None:
    (tmp_path / "article.md").write_text("# 茶\n\n茶是一种饮料。它来自山茶。本文只供参考。\n", encoding="utf-8")
    (tmp_path / "article.toml").write_text(
        'id = "tea"\ntitle = "茶"\n[disclaimer]\nsentences = [4]\n', encoding="utf-8"
    )
    chatbot = StandInChatbot(extra=[load_article(tmp_path)])
    with running(serve, chatbot) as url:
        page = open_page("zh", url=url)
        ask(page, QUESTIONS["zh"]["answered"])
        assert page.locator(".thumb").count() == 0, "nobody takes verdicts here"
        page.select_option("#choose-article", "tea")
        expect(page.locator("#reader #s2")).to_have_text("茶是一种饮料。")
        expect(page.locator(".disclaimer .line")).to_have_text("本文只供参考。")
        ask(page, "茶是什么?")
        assert page.locator("#turn-2 blockquote").all_text_contents() == ["茶是一种饮料。"]
        page.locator("#turn-1 .cite").first.click()
        expect(page.locator("#s31")).to_be_focused()
        assert page.locator("#reader .pane").get_attribute("data-article") == "msc-depression"
        page.context.close()


# --- languages and addresses ------------------------------------------------------------------------------------------


def test_language_switch_changes_everything_and_stays_in_the_address(open_page: OpenPage) -> None:
    page = open_page("zh")
    ask(page, QUESTIONS["zh"]["answered"])
    page.click("[data-language='en']")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert page.url.endswith("?lang=en")
    expect(page.locator(".message")).to_have_text(re.compile("experiments in mice"))
    expect(page.locator(".evidence").first).to_have_text("mouse study")
    assert page.locator(".cited .translation").count() == 3
    assert page.get_attribute("#question", "placeholder") == "Ask the article…"
    assert page.locator("#box .submit-button").inner_text() == "Send"
    assert page.locator(".disclaimer .line").get_attribute("lang") == "en"
    page.click("[data-language='zh-Hant']")
    expect(page.locator("html")).to_have_attribute("lang", "zh-TW")
    assert page.url.endswith("?lang=zh-Hant")
    expect(page.locator(".evidence").first).to_have_text("小鼠實驗")
    assert page.get_attribute("#question", "placeholder") == "問問這篇文章……"
    page.reload()
    page.wait_for_selector("html.ready")
    assert page.evaluate("document.documentElement.lang") == "zh-TW"


@pytest.mark.parametrize(
    ("accepted", "query", "expected"),
    [
        ("zh-HK", "", "zh-TW"),
        ("fr-FR", "", "en"),
        ("zh-CN", "?lang=en", "en"),
        ("en-US", "?lang=zh", "zh-CN"),
    ],
)
def test_language_comes_from_the_address_then_the_browser(
    open_page: OpenPage, accepted: str, query: str, expected: str
) -> None:
    page = open_page(accepted, query=query)
    assert page.evaluate("document.documentElement.lang") == expected


def test_deep_link_asks_once_and_leaves_the_address(open_page: OpenPage, bot: Bot) -> None:
    page = open_page("zh", query="/?q=How+did+it+compare+with+fluoxetine%3F&lang=en")
    expect(page.locator(".turn")).to_have_count(1)
    assert page.locator(".turn .question").text_content() == "You asked: How did it compare with fluoxetine?"
    assert page.url == f"{bot.url}/?lang=en"
    page.reload()
    page.wait_for_selector("html.ready")
    assert page.locator(".turn").count() == 0


# --- copying, verdicts, printing --------------------------------------------------------------------------------------


def test_copy_takes_source_and_disclaimer_along(open_page: OpenPage, bot: Bot) -> None:
    page = open_page("en", permissions=["clipboard-read", "clipboard-write"])
    ask(page, QUESTIONS["en"]["answered"])
    page.click(".copy")
    expect(page.locator("#notice-line")).to_have_text("Copied, with source and disclaimer")
    text = page.evaluate("navigator.clipboard.readText()")
    article = bot.chatbot.articles[0]
    for part in (
        article.sentence(31).text,
        "[1]",
        article.title,
        "10.1007/s11481-025-10198-2",
        article.disclaimer_text,
    ):
        assert part in text


def test_verdict_with_a_reason_reaches_the_operator(open_page: OpenPage, bot: Bot) -> None:
    page = open_page("en")
    ask(page, QUESTIONS["en"]["answered"])
    page.click(".thumb[data-verdict=down]")
    reasons = page.locator(".why .reason")
    assert reasons.first.inner_text() == "The quote is right but does not answer me"
    reasons.first.click()
    expect(page.locator("#notice-line")).to_have_text("Thank you, noted.")
    page.click(".thumb[data-verdict=up]")
    limit = time.monotonic() + 30
    while len(bot.verdicts()) < 2 and time.monotonic() < limit:
        page.wait_for_timeout(50)
    question = QUESTIONS["en"]["answered"]
    assert bot.verdicts() == [
        Feedback("msc-depression", question, (31, 37, 39), "down", "right_but_no_answer"),
        Feedback("msc-depression", question, (31, 37, 39), "up"),
    ]


def test_print_shows_answers_and_article_alone(open_page: OpenPage) -> None:
    page = open_page("zh", "dark")
    ask(page, QUESTIONS["zh"]["answered"])
    page.emulate_media(media="print")
    for hidden in ("#top", "#box", ".tools", ".outline", ".pane-bar"):
        expect(page.locator(hidden).first).to_be_hidden()
    for shown in ("#turn-1 blockquote", "#s104", ".disclaimer .line"):
        expect(page.locator(shown).first).to_be_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('#s50')).color") == "rgb(0, 0, 0)"
    assert page.evaluate("document.documentElement.scrollHeight") > 4 * DESK["height"]


# --- screens, motion, announcements, network ------------------------------------------------------------------------


@pytest.mark.parametrize("viewport", [{"width": 320, "height": 640}, {"width": 720, "height": 450}])
def test_no_sideways_scroll_on_a_narrow_or_zoomed_page(open_page: OpenPage, viewport: dict[str, int]) -> None:
    page = open_page("en", viewport=viewport)
    assert sideways(page) == []
    for question in QUESTIONS["en"].values():
        ask(page, question)
        assert sideways(page) == []
    assert page.locator("#question").evaluate("e => parseFloat(getComputedStyle(e).fontSize)") >= 16
    expect(page.locator("#box")).to_be_in_viewport(ratio=1)
    page.click("#open-article")
    expect(page.locator("#close-article")).to_be_focused()
    assert sideways(page) == []


def test_targets_are_large_enough(open_page: OpenPage) -> None:
    page = open_page("en", phone=True)
    ask(page, QUESTIONS["en"]["answered"])
    page.click(".thumb[data-verdict=down]")
    small = page.evaluate(
        "[...document.querySelectorAll('#top button, #chat button, #chat .cite, summary')]"
        ".filter(e => e.checkVisibility({visibilityProperty: true, contentVisibilityAuto: true}))"
        ".map(e => [e.className || e.id, e.getBoundingClientRect()]).filter(([, r]) => r.width < 24 || r.height < 24)"
        ".map(([name]) => name)"
    )
    assert small == []


def test_one_log_and_one_announcement_an_answer(open_page: OpenPage) -> None:
    page = open_page("zh")
    assert page.locator("[role=log]").count() == 1
    page.evaluate(
        "window.heard = []; for (const region of document.querySelectorAll('[role=log], [role=status], [aria-live]'))"
        " new MutationObserver(changes => { for (const change of changes) for (const node of change.addedNodes)"
        " if (node.textContent.trim()) window.heard.push(region.id) })"
        ".observe(region, {childList: true, subtree: true, characterData: true})"
    )
    ask(page, QUESTIONS["zh"]["answered"])
    ask(page, QUESTIONS["zh"]["no answer"])
    page.wait_for_timeout(300)
    assert page.evaluate("window.heard") == ["turns", "turns"]


def test_reduced_motion_and_forced_colours_are_honoured(open_page: OpenPage) -> None:
    page = open_page("zh", phone=True, reduced_motion="reduce", forced_colors="active")
    seconds = page.locator("#reader").evaluate("e => parseFloat(getComputedStyle(e).transitionDuration)")
    assert seconds < 0.001
    ask(page, QUESTIONS["zh"]["answered"])
    border = page.locator("#box").evaluate("e => getComputedStyle(e).borderTopWidth")
    assert border == "1px"
    mark = page.locator("mark").first.evaluate("e => getComputedStyle(e).backgroundColor")
    plain = page.locator("blockquote").first.evaluate("e => getComputedStyle(e).backgroundColor")
    assert mark != plain


def test_no_cookie_no_storage_and_no_request_but_to_the_bot(open_page: OpenPage, bot: Bot) -> None:
    page = open_page("en")
    ask(page, QUESTIONS["en"]["answered"])
    page.locator(".cite").first.click()
    watched = page.context.watched  # type: ignore[attr-defined]
    assert [url for url in watched.requests if not url.startswith((bot.url, "data:", "blob:"))] == []
    assert page.context.cookies() == []
    assert page.evaluate("[...Object.keys(localStorage), ...Object.keys(sessionStorage)]") == []
    asked = "fluoxetine"
    assert [url for url in watched.requests if asked in url] == [], "questions travel in bodies, not in addresses"
    assert watched.problems == []
