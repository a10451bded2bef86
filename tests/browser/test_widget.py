"""The widget in Chromium: on its own, in a page of another origin, under a hostile style sheet, on a phone."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fastapi
import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Frame, Locator, Page, expect
from playwright.sync_api import Error as PlaywrightError

from bot.api import Asks, Report, create_app
from bot.feedback import FeedbackStore
from bot.settings import Settings
from corpus.article import Article
from tests.browser.conftest import AXE_OPTIONS, serving
from tests.browser.standin import StandInChatbot

PANEL = {"width": 420, "height": 680}
PHONE = {"width": 390, "height": 844}
LANGUAGES = {"zh": "zh-CN", "zh-Hant": "zh-TW", "en": "en-GB"}
QUESTIONS = {
    "zh": {"answered": "和氟西汀比怎么样?", "no answer": "今天天气怎么样?", "safety": "我不想活了"},
    "en": {
        "answered": "How did it compare with fluoxetine?",
        "no answer": "How is the weather?",
        "safety": "kill myself",
    },
}
HAN = r"[\u4e00-\u9fff]"


@dataclass
class Sites:
    """The bot, and pages of a site on another origin that it may be shown on; `stranger` is one that may not."""

    bot: str
    chatbot: StandInChatbot
    feedback: Path
    host: str
    stranger: str
    pages: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)

    def page(self, options: str = "", *, lang: str = "zh-CN", head: str = "", body: str = "", csp: str = "") -> str:
        """Put up a host page with the widget on it; its address on the listed site."""
        script = f'<script defer src="{self.bot}/widget/v1/widget.js" {options}></script>'
        text = (
            f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>A site</title>'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">{head}</head>'
            f"<body><main><h1>A site</h1><p>Words of the site.</p>{body}</main>{script}</body></html>"
        )
        path = f"/{len(self.pages)}"
        self.pages[path] = (text, {"content-security-policy": csp.format(bot=self.bot)} if csp else {})
        return self.host + path


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    site = fastapi.FastAPI()
    found = Sites("", StandInChatbot(), tmp_path_factory.mktemp("feedback") / "feedback.sqlite", "", "")

    @site.get("/{path:path}")
    def show(path: str) -> fastapi.Response:
        text, headers = found.pages.get(f"/{path}", ("", {}))
        return fastapi.responses.HTMLResponse(text, headers=headers)

    with ExitStack() as running:
        found.host = running.enter_context(serving(site)).replace("127.0.0.1", "localhost")
        found.stranger = running.enter_context(serving(site)).replace("127.0.0.1", "localhost")
        settings = Settings(rate="100000/minute", feedback=found.feedback, embed_origins=(found.host,))
        found.bot = running.enter_context(serving(create_app(found.chatbot, settings, page=False)))
        while httpx.get(f"{found.bot}/readyz").status_code != 200:
            threading.Event().wait(0.05)
        yield found


def wcag(page: Page) -> list[str]:
    """What axe finds on a page that need not have a button."""
    found = Axe().run(page, options=AXE_OPTIONS).response
    assert "color-contrast" in {rule["id"] for rule in (*found["passes"], *found["violations"])}
    return [f"{rule['id']}: {[node['html'][:160] for node in rule['nodes'][:4]]}" for rule in found["violations"]]


OpenPanel = Callable[..., Page]


@pytest.fixture
def open_panel(sites: Sites, new_context: Callable[..., BrowserContext]) -> OpenPanel:
    """The panel by itself, as the frame shows it."""

    def open_it(lang: str = "zh", scheme: str = "light", *, options: str = "", **more: Any) -> Page:
        viewport = more.pop("viewport", PANEL)
        page = new_context(LANGUAGES[lang], scheme, viewport=viewport, **more).new_page()
        page.goto(f"{sites.bot}/embed?lang={lang}#lang={lang}{options}")
        expect(page.locator("textarea")).to_be_visible()
        return page

    return open_it


@pytest.fixture
def visit(new_context: Callable[..., BrowserContext]) -> Callable[..., Page]:
    """A host page with the loader in it."""

    def open_it(url: str, lang: str = "zh", scheme: str = "light", **more: Any) -> Page:
        page = new_context(LANGUAGES[lang], scheme, **more).new_page()
        page.goto(url)
        return page

    return open_it


def launcher(page: Page) -> Locator:
    return page.locator("yuanwen-widget button.launch")


def opened(page: Page) -> Frame:
    """Open the panel by its launcher; its frame."""
    launcher(page).click()
    return frame_of(page)


def frame_of(page: Page) -> Frame:
    expect(page.frame_locator("yuanwen-widget iframe").locator("textarea")).to_be_visible()
    handle = page.locator("yuanwen-widget iframe").element_handle()
    frame = handle.content_frame()
    assert frame is not None
    return frame


def ask(panel: Page | Frame, question: str) -> None:
    before = panel.locator("[role=log] .turn").count()
    panel.fill("textarea", question)
    panel.press("textarea", "Enter")
    expect(panel.locator("[role=log] .turn")).to_have_count(before + 1)


def focused(panel: Page | Frame) -> str:
    script = "(e => e.id || (e.className.split ? e.className.split(' ')[0] : '') || e.tagName)(document.activeElement)"
    return str(panel.evaluate(script))


def problems(page: Page) -> list[str]:
    return list(page.context.watched.problems)  # type: ignore[attr-defined]


# --- every state ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lang", "scheme", "phone"),
    [
        *((lang, scheme, False) for lang in ("zh", "en") for scheme in ("light", "dark")),
        ("zh", "light", True),
        ("en", "dark", True),
    ],
)
def test_every_state_is_accessible(
    open_panel: OpenPanel, axe_violations: Any, screenshot: Any, lang: str, scheme: str, phone: bool
) -> None:
    page = open_panel(lang, scheme, viewport=PHONE if phone else PANEL, reduced_motion="reduce")

    def check(state: str) -> None:
        screenshot(page, f"widget-{lang}-{scheme}-{'phone' if phone else 'desk'}-{state.replace(' ', '-')}")
        assert axe_violations(page) == [], state

    check("empty")
    for state, question in QUESTIONS[lang].items():
        ask(page, question)
        check(state)
        expect(page.locator(".small summary")).to_be_in_viewport()
        expect(page.locator("textarea")).to_be_in_viewport()
    page.locator(".quote .cite").first.click()
    expect(page.locator(".sheet .on").first).to_be_in_viewport()
    check("article")
    assert problems(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("colour", ["#ffd400", "#0033aa", "#1d1d1d", "#7ee0c2"])
def test_a_site_s_own_colour_stays_legible(
    open_panel: OpenPanel, axe_violations: Any, colour: str, scheme: str
) -> None:
    page = open_panel("en", scheme, options=f"&color={colour.replace('#', '%23')}")
    ask(page, QUESTIONS["en"]["answered"])
    assert axe_violations(page) == []
    set_to = page.evaluate("document.documentElement.style.getPropertyValue('--accent')")
    assert set_to == f"rgb({' '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))})"


@pytest.mark.parametrize("lang", ["zh", "zh-Hant", "en"])
def test_every_control_has_a_name_in_the_language_of_the_panel(open_panel: OpenPanel, lang: str) -> None:
    page = open_panel(lang)
    assert page.evaluate("document.documentElement.lang") == {"zh": "zh-CN"}.get(lang, lang)
    ask(page, "和氟西汀比怎么样?" if lang != "en" else QUESTIONS["en"]["answered"])
    names = page.evaluate(
        """() => [...document.querySelectorAll('button, select, textarea, summary, [role=log]')]
            .filter((one) => one.checkVisibility())
            .map((one) => one.getAttribute('aria-label') || one.textContent.trim())"""
    )
    assert len(names) > 8
    assert all(names)
    if lang == "en":
        assert [name for name in names if any("\u4e00" <= c <= "\u9fff" for c in name)] == []
    if lang == "zh-Hant":
        assert "送出" in names or "傳送" in names


def test_answer_shows_quote_marks_label_place_and_doubt(open_panel: OpenPanel, sites: Sites) -> None:
    page = open_panel()
    ask(page, "和氟西汀比怎么样?")
    answer = sites.chatbot.ask("和氟西汀比怎么样?")
    quotes = page.locator(".quote blockquote")
    assert quotes.all_text_contents() == [sentence.quote for sentence in answer.sentences]
    assert quotes.first.get_attribute("lang") == "zh-CN"
    marks = [span.of(s.quote) for s in answer.sentences for span in s.highlights]
    assert page.locator(".quote mark").all_text_contents() == marks
    assert page.locator(".said.first").inner_text() == answer.message
    expect(page.locator(".kind").first).to_have_text("小鼠实验")
    expect(page.locator(".quote .cite").first).to_contain_text("第 31 句")
    assert page.locator("mark").first.evaluate("(e) => getComputedStyle(e).textDecorationLine") == "underline"


def test_highlights_count_code_points(open_panel: OpenPanel) -> None:
    page = open_panel()
    parts = page.evaluate("marked('𝒳𝒴中文😀字', [[1, 3], [4, 5]]).map((one) => one.textContent ?? one)")
    assert parts == ["𝒳", "𝒴中", "文", "😀", "字"]


def test_english_reader_gets_labelled_translation_then_original(open_panel: OpenPanel, sites: Sites) -> None:
    page = open_panel("en")
    ask(page, QUESTIONS["en"]["answered"])
    order = page.locator(".quote").first.evaluate("(e) => [...e.children].map((one) => one.className || one.tagName)")
    assert order[:5] == ["kind", "tag", "english", "tag", "BLOCKQUOTE"]
    expect(page.locator(".quote .tag").first).to_have_text("translation")
    sentence = sites.chatbot.articles[0].sentence(31)
    assert page.locator(".english").first.inner_text() == sentence.translation
    expect(page.locator(".quote .cite").first).to_contain_text("hUC-MSCs improve CUMS-induced")


def test_chinese_question_on_an_english_page_is_translated_too(open_panel: OpenPanel, sites: Sites) -> None:
    page = open_panel("en")
    ask(page, "和氟西汀比怎么样?")
    assert page.locator(".english").first.inner_text() == sites.chatbot.articles[0].sentence(31).translation


def test_no_answer_is_plain_with_related_sentences_that_lead_to_the_article(open_panel: OpenPanel) -> None:
    page = open_panel()
    ask(page, "今天天气怎么样?")
    expect(page.locator(".near .label")).to_have_text("相关，但不是回答")
    page.locator(".near .cite").nth(1).click()
    expect(page.locator("#s18.on")).to_be_focused()


def test_crisis_card_stands_alone_with_numbers_to_call(open_panel: OpenPanel) -> None:
    page = open_panel("en")
    ask(page, "kill myself")
    assert page.locator(".card a").evaluate_all("all => all.map((one) => one.getAttribute('href'))") == [
        f"tel:{number}" for number in ("12356", "120", "110", "988", "911")
    ]
    assert page.locator(".turn .quote, .turn .acts, .turn .asks").count() == 0


# --- reading the article ----------------------------------------------------------------------------------------------


def test_source_sheet_shows_the_whole_article_word_for_word(open_panel: OpenPanel, sites: Sites) -> None:
    page = open_panel()
    ask(page, "和氟西汀比怎么样?")
    page.locator(".quote .cite").first.click()
    expect(page.locator("#s31.on")).to_be_focused()
    shown = page.locator(".sheet [id^=s]").evaluate_all("all => all.map((one) => one.textContent)")
    assert shown == [sentence.text for sentence in sites.chatbot.articles[0].sentences]
    page.get_by_label("显示英文译文").check()
    expect(page.locator("#e31.on")).to_be_in_viewport()
    assert page.locator(".sheet [id^=e]").count() == len(shown)
    page.get_by_role("button", name="回到回答").click()
    expect(page.locator(".quote .cite").first).to_be_focused()


def test_disclaimer_is_always_in_view_and_whole_on_demand(open_panel: OpenPanel, article: Article) -> None:
    page = open_panel()
    line = page.locator(".small summary")
    expect(line).to_be_in_viewport()
    assert line.evaluate("(e) => e.offsetHeight") < 30
    line.click()
    assert line.inner_text() == article.disclaimer_text
    page.get_by_role("button", name="在原文中查看").click()
    expect(page.locator(f"#s{article.disclaimer[0]}.on")).to_be_focused()


# --- asking -----------------------------------------------------------------------------------------------------------


def test_enter_that_ends_a_composition_does_not_send(open_panel: OpenPanel) -> None:
    page = open_panel()
    page.fill("textarea", "氟西汀")
    page.evaluate(
        """() => { const box = document.querySelector('textarea');
            const key = (more) => box.dispatchEvent(new KeyboardEvent('keydown',
                {key: 'Enter', bubbles: true, cancelable: true, ...more}));
            key({isComposing: true}); key({keyCode: 229}); key({shiftKey: true}); }"""
    )
    assert page.locator(".turn").count() == 0
    assert page.input_value("textarea") == "氟西汀"
    page.press("textarea", "Enter")
    expect(page.locator("[role=log] .turn")).to_have_count(1)


def test_focus_stays_in_the_box_after_sending(open_panel: OpenPanel) -> None:
    page = open_panel()
    ask(page, "氟西汀")
    expect(page.locator("textarea")).to_be_focused()
    assert page.input_value("textarea") == ""


def test_one_log_and_one_announcement_an_answer(open_panel: OpenPanel) -> None:
    page = open_panel()
    assert page.locator("[role=log]").count() == 1
    page.evaluate(
        """() => { window.added = [];
            new MutationObserver((all) => all.forEach((one) => window.added.push(one.addedNodes.length)))
            .observe(document.querySelector('[role=log]'), {childList: true, subtree: true}); }"""
    )
    ask(page, "和氟西汀比怎么样?")
    assert page.evaluate("window.added") == [1]


def test_history_goes_with_the_next_question(open_panel: OpenPanel, sites: Sites) -> None:
    page = open_panel()
    ask(page, "和氟西汀比怎么样?")
    ask(page, "我不想活了")
    ask(page, "那炎症呢?")
    assert sites.chatbot.asked[-1] == ("那炎症呢?", ("和氟西汀比怎么样?",))


def test_starters_and_follow_ups_are_asked_by_a_click(open_panel: OpenPanel) -> None:
    page = open_panel("en")
    starter = page.locator(".ask").nth(2)
    text = starter.inner_text()
    starter.click()
    expect(page.locator(".turn h2")).to_contain_text(text)
    page.locator(".turn .ask").first.click()
    expect(page.locator("[role=log] .turn")).to_have_count(2)
    assert page.locator(".turn").first.locator(".ask").count() == 0


def test_silence_ends_after_15_seconds_with_a_retry(open_panel: OpenPanel) -> None:
    page = open_panel()
    page.clock.install()
    page.route("**/api/ask", lambda route: None)
    page.fill("textarea", "氟西汀")
    page.press("textarea", "Enter")
    expect(page.locator(".busy")).to_be_visible()
    page.clock.fast_forward(14_000)
    expect(page.locator(".busy")).to_be_visible()
    page.clock.fast_forward(1_500)
    expect(page.locator(".trouble")).to_contain_text("等了 15 秒")
    page.unroute("**/api/ask")
    page.get_by_role("button", name="再试一次").click()
    expect(page.locator(".quote")).to_have_count(3)
    expect(page.locator(".trouble")).to_have_count(0)


def test_being_offline_is_said_and_mended(open_panel: OpenPanel) -> None:
    page = open_panel("en")
    page.context.set_offline(True)
    expect(page.locator(".foot .line")).to_contain_text("You are offline")
    ask(page, "fluoxetine")
    expect(page.locator(".trouble")).to_contain_text("offline")
    page.context.set_offline(False)
    expect(page.locator(".foot .line")).to_be_empty()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".quote").first).to_be_visible()


def test_errors_of_the_service_are_shown_in_its_words(open_panel: OpenPanel) -> None:
    page = open_panel("en")
    ask(page, "please break down")
    expect(page.locator(".trouble")).to_contain_text("Something went wrong")
    assert "secret" not in page.content()


def test_crisis_in_a_message_that_is_too_long_gets_the_card(open_panel: OpenPanel) -> None:
    page = open_panel()
    page.fill("textarea", "每天都很难熬。" * 120 + "我不想活了")
    page.press("textarea", "Enter")
    expect(page.locator(".card a[href='tel:12356']")).to_be_visible()


def test_too_long_a_question_is_counted_and_stays_in_the_box(open_panel: OpenPanel) -> None:
    page = open_panel()
    page.fill("textarea", "好" * 480)
    expect(page.locator(".foot .line")).to_contain_text("20")
    page.fill("textarea", "好" * 503)
    expect(page.locator(".foot .line")).to_contain_text("多了 3 个字")
    page.press("textarea", "Enter")
    expect(page.locator("textarea")).to_have_value("好" * 503)
    expect(page.locator(".foot .line")).to_contain_text("多了 3 个字")
    expect(page.locator(".turn")).to_have_count(0)


def test_clear_empties_the_conversation_and_its_memory(open_panel: OpenPanel) -> None:
    page = open_panel(options="&persist=session")
    ask(page, "氟西汀")
    ask(page, "我不想活了")
    kept = json.loads(page.evaluate("sessionStorage.getItem('yuanwen:conversation')"))
    assert [turn["question"] for turn in kept] == ["氟西汀"]
    page.reload()
    expect(page.locator("[role=log] .turn")).to_have_count(1)
    page.get_by_role("button", name="清空对话").click()
    expect(page.locator("[role=log] .turn")).to_have_count(0)
    expect(page.locator("textarea")).to_be_focused()
    assert page.evaluate("Object.keys(sessionStorage)") == []


PAYLOADS = [
    "<script>fetch('{0}')</script>",
    "<img src={0} onerror=fetch('{0}')>",
    "<svg onload=fetch('{0}')>",
    "<iframe src={0}></iframe>",
    "<form action={0}><input type=submit></form>",
    "<a href=javascript:fetch('{0}')>x</a>",
    "<style>*{{background:url({0})}}</style>",
    "<div style=position:fixed;inset:0;background:url({0})>x</div>",
    "<link rel=stylesheet href={0}>",
    "<meta http-equiv=refresh content=0;url={0}>",
    "<object data={0}></object>",
    "<video src={0} autoplay></video>",
    "![x]({0}) [y](javascript:fetch('{0}'))",
    "</textarea><base href={0}><mark onmouseover=fetch('{0}')>",
]


def test_fourteen_payloads_stay_text(open_panel: OpenPanel, sites: Sites) -> None:
    page = open_panel(options="&persist=session")
    for payload in PAYLOADS:
        ask(page, payload.format("http://127.0.0.1:9/beacon"))
    shown = page.locator(".turn h2").all_text_contents()
    assert [text.removeprefix("您问 ") for text in shown] == [
        one.format("http://127.0.0.1:9/beacon") for one in PAYLOADS
    ]
    inside = page.locator("[role=log]").locator(
        "script, img, iframe, form, style, link, object, video, base, meta, [style]"
    )
    assert inside.count() == 0
    assert {url.split("/")[2] for url in page.context.watched.requests} == {sites.bot.split("/")[2]}  # type: ignore[attr-defined]


def test_copy_takes_source_and_disclaimer_along(open_panel: OpenPanel, article: Article) -> None:
    page = open_panel(permissions=["clipboard-read", "clipboard-write"])
    ask(page, "和氟西汀比怎么样?")
    page.get_by_role("button", name="复制", exact=False).first.click()
    expect(page.get_by_text("已复制")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert article.sentence(31).text in copied
    assert article.title in copied
    assert article.disclaimer_text in copied


def test_verdict_with_a_reason_reaches_the_operator(open_panel: OpenPanel, sites: Sites) -> None:
    page = open_panel()
    ask(page, "和氟西汀比怎么样?")
    page.get_by_role("button", name="这个回答没帮助").click()
    expect(page.locator(".why small")).to_contain_text("30")
    page.get_by_role("button", name="引文没错，但没回答我").click()
    expect(page.get_by_text("谢谢")).to_be_visible()
    _, _, kept = FeedbackStore(sites.feedback).rows()[-1]
    assert (kept.question, kept.verdict, kept.reason) == ("和氟西汀比怎么样?", "down", "right_but_no_answer")


def test_language_switch_changes_everything(open_panel: OpenPanel) -> None:
    page = open_panel("zh")
    ask(page, "和氟西汀比怎么样?")
    page.locator("select").select_option("zh-Hant")
    assert page.evaluate("document.documentElement.lang") == "zh-Hant"
    expect(page.get_by_label("清空對話")).to_be_visible()
    expect(page.locator(".kind").first).to_have_text("小鼠實驗")
    page.locator("select").select_option("en")
    expect(page.locator(".kind").first).to_have_text("mouse study")
    expect(page.locator("select")).to_be_focused()
    expect(page.locator(".small summary")).to_contain_text("Disclaimer")
    assert page.locator("[role=log]").get_attribute("aria-label") == "Conversation"


# --- room, motion, colours --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize(
    "viewport", [{"width": 320, "height": 640}, {"width": 210, "height": 340}], ids=["320 px", "200 %"]
)
def test_no_sideways_scroll_and_large_targets(open_panel: OpenPanel, lang: str, viewport: dict[str, int]) -> None:
    page = open_panel(lang, viewport=viewport)
    for question in QUESTIONS[lang].values():
        ask(page, question)
    page.locator(".near .cite").first.scroll_into_view_if_needed()

    def wide() -> list[str]:
        return list(
            page.evaluate(
                "[...document.querySelectorAll('html, .talk, .sheet .body, .foot')]"
                ".filter((e) => e.scrollWidth > e.clientWidth)"
                ".map((e) => e.className || e.tagName)"
            )
        )

    assert wide() == []
    small = page.evaluate(
        """() => [...document.querySelectorAll('button, a, select, textarea, summary, input')]
            .filter((e) => e.checkVisibility())
            .map((e) => [e.textContent.slice(0, 20) || e.className, e.getBoundingClientRect()])
            .filter(([, box]) => box.width < 24 || box.height < 24).map(([name]) => name)"""
    )
    assert small == []
    assert float(page.locator("textarea").evaluate("(e) => parseFloat(getComputedStyle(e).fontSize)")) >= 16
    page.locator(".quote .cite").first.click()
    expect(page.locator(".sheet .on").first).to_be_in_viewport()
    assert wide() == []


def test_reduced_motion_stills_everything(open_panel: OpenPanel) -> None:
    page = open_panel(reduced_motion="reduce")
    page.route("**/api/ask", lambda route: None)
    page.fill("textarea", "氟西汀")
    page.press("textarea", "Enter")
    expect(page.locator(".busy")).to_be_visible()
    assert page.evaluate("document.getAnimations().length") == 0
    assert page.locator(".talk").evaluate("(e) => getComputedStyle(e).scrollBehavior") == "auto"


def test_forced_colours_keep_marks_and_edges(open_panel: OpenPanel) -> None:
    page = open_panel(forced_colors="active")
    ask(page, "和氟西汀比怎么样?")
    colours = page.evaluate(
        "['mark', 'body'].map((name) => getComputedStyle(document.querySelector(name)).backgroundColor)"
    )
    assert colours[0] != colours[1]
    assert page.locator(".send").evaluate("(e) => getComputedStyle(e).borderTopWidth") == "1px"


def test_nothing_jumps_while_it_opens(open_panel: OpenPanel) -> None:
    page = open_panel()
    shift = page.evaluate(
        """() => new Promise((done) => { let sum = 0; new PerformanceObserver((list) => list.getEntries()
            .forEach((one) => { if (!one.hadRecentInput) sum += one.value; }))
            .observe({type: 'layout-shift', buffered: true});
            requestAnimationFrame(() => setTimeout(() => done(sum), 100)); })"""
    )
    assert shift < 0.05


def test_without_scripts_there_is_a_link_to_the_page(new_context: Callable[..., BrowserContext], sites: Sites) -> None:
    page = new_context("en-GB", java_script_enabled=False).new_page()
    page.goto(f"{sites.bot}/embed?lang=en")
    link = page.get_by_role("link", name="Open the full page")
    expect(link).to_be_visible()
    assert link.get_attribute("href") == "./"


def test_panel_waits_while_the_article_is_made_ready(
    new_context: Callable[..., BrowserContext], serve: Any, sites: Sites
) -> None:
    gate = threading.Event()

    def load(report: Report) -> Asks:
        gate.wait(30)
        return sites.chatbot

    with serve(create_app(load, Settings(), page=False)) as url:
        page = new_context("zh-CN").new_page()
        page.goto(f"{url}/embed#lang=zh")
        expect(page.locator(".busy")).to_contain_text("正在准备文章")
        gate.set()
        expect(page.locator(".ask")).to_have_count(4)
        expect(page.locator(".small summary")).to_be_visible()


# --- in a page of another site ----------------------------------------------------------------------------------------


def test_sizes_and_requests_of_the_first_opening(sites: Sites, visit: Callable[..., Page]) -> None:
    loader = httpx.get(f"{sites.bot}/widget/v1/widget.js").content
    assert len(loader) <= 10_000
    parts = [
        httpx.get(f"{sites.bot}/{path}").content for path in ("embed", "widget/v1/embed.css", "widget/v1/embed.js")
    ]
    assert sum(map(len, parts)) <= 60_000
    page = visit(sites.page())
    expect(launcher(page)).to_be_visible()
    seen = page.context.watched.requests  # type: ignore[attr-defined]
    assert [url for url in seen if url.startswith(sites.bot)] == [f"{sites.bot}/widget/v1/widget.js"]
    opened(page)
    page.wait_for_load_state("networkidle")
    assert len([url for url in seen if url.startswith(sites.bot)]) <= 6
    assert {url.split("/")[2] for url in seen} == {one.split("/")[2] for one in (sites.bot, sites.host)}


def test_answers_where_third_party_storage_is_blocked(sites: Sites, visit: Callable[..., Page]) -> None:
    page = visit(sites.page('data-persist="session"'))
    frame = opened(page)
    # Chromium's private windows keep nothing for frames of other sites.
    with pytest.raises(PlaywrightError, match="Access is denied"):
        frame.evaluate("sessionStorage.length")
    ask(frame, "和氟西汀比怎么样?")
    expect(frame.locator(".quote")).to_have_count(3)
    frame.locator(".quote .cite").first.click()
    expect(frame.locator("#s31.on")).to_be_focused()
    frame.get_by_role("button", name="回到回答").click()
    frame.get_by_role("button", name="清空对话").click()
    expect(frame.locator("[role=log] .turn")).to_have_count(0)
    assert problems(page) == []


@pytest.mark.parametrize("persist", ["none", "session"])
def test_no_cookies_and_no_keys_but_those_asked_for(sites: Sites, visit: Callable[..., Page], persist: str) -> None:
    page = visit(sites.page(f'data-persist="{persist}"'))
    frame = opened(page)
    ask(frame, "和氟西汀比怎么样?")
    assert page.context.cookies() == []
    keys = "Object.keys(localStorage).concat(Object.keys(sessionStorage))"
    assert page.evaluate(keys) == []
    own = visit(f"{sites.bot}/embed#persist={persist}")
    ask(own, "氟西汀")
    assert own.evaluate(keys) == ([] if persist == "none" else ["yuanwen:conversation"])
    assert own.context.cookies() == []
    seen = page.context.watched.requests  # type: ignore[attr-defined]
    assert not any("%E6%B0%9F" in url or "氟" in url for url in seen)
    assert problems(page) == []


HIDING = "display: none !important; visibility: hidden !important; opacity: 0 !important"


def test_launcher_and_panel_survive_a_hostile_style_sheet(
    sites: Sites, visit: Callable[..., Page], screenshot: Any
) -> None:
    page = visit(sites.page(head="<style>* { all: unset !important }</style>"))
    expect(launcher(page)).to_be_visible()
    box = launcher(page).bounding_box()
    assert box is not None
    assert (box["width"] > 100, box["height"] >= 48) == (True, True)
    assert page.viewport_size is not None
    assert abs(page.viewport_size["width"] - box["x"] - box["width"] - 20) < 2
    frame = opened(page)
    ask(frame, "和氟西汀比怎么样?")
    expect(frame.locator(".quote").first).to_be_visible()
    screenshot(page, "widget-hostile-style-sheet")


def test_even_a_style_sheet_that_hides_everything_leaves_the_launcher(sites: Sites, visit: Callable[..., Page]) -> None:
    page = visit(sites.page(head=f"<style>body * {{ all: unset !important; {HIDING} }}</style>"))
    expect(launcher(page)).to_be_visible()


def test_unlisted_site_gets_no_frame_but_a_way_out(sites: Sites, visit: Callable[..., Page]) -> None:
    page = visit("about:blank")
    page.add_init_script("addEventListener('yuanwen:error', (e) => { window.failed = e.detail.error; })")
    page.goto(sites.page().replace(sites.host, sites.stranger))
    launcher(page).click()
    link = page.locator("yuanwen-widget .note a")
    expect(link).to_be_visible()
    assert link.get_attribute("href") == f"{sites.bot}/"
    assert page.evaluate("window.failed") == "unavailable"
    expect(page.locator("yuanwen-widget iframe")).to_be_hidden()
    shown = [frame for frame in page.frames if frame.url.startswith(sites.bot)]
    assert all(frame.locator("textarea").count() == 0 for frame in shown)
    page.get_by_role("button", name="关闭").click()
    expect(launcher(page)).to_be_focused()


def test_forged_messages_have_no_effect(sites: Sites, visit: Callable[..., Page]) -> None:
    attacker = '<iframe id="attacker" srcdoc="<p>attacker</p>"></iframe>'
    page = visit(sites.page(body=attacker))
    frame = opened(page)
    page.evaluate("window.events = []; addEventListener('yuanwen:answer', () => events.push('answer'))")
    asked = len(sites.chatbot.asked)
    other = next(one for one in page.frames if one.parent_frame is page.main_frame and "srcdoc" in one.url)
    # To the panel, from a window that is not its parent.
    other.evaluate(
        """(question) => { for (let i = 0; i < parent.frames.length; i += 1)
            for (const type of ['hello', 'ask', 'lang', 'focus'])
            parent.frames[i].postMessage({yuanwen: 1, type, question, lang: 'en'}, '*'); }""",
        "forged 氟西汀",
    )
    # To the loader, from a window that is not the panel; from the panel's window nothing unknown either.
    other.evaluate(
        "for (const type of ['close', 'answer', 'lang'])"
        " parent.postMessage({yuanwen: 1, type, key: 'status', value: 'x', lang: 'en'}, '*')"
    )
    page.evaluate("postMessage({yuanwen: 1, type: 'close'}, '*')")
    frame.evaluate("for (const said of [{yuanwen: 2, type: 'close'}, 'close', null]) parent.postMessage(said, '*')")
    ask(frame, "和氟西汀比怎么样?")
    assert [question for question, _ in sites.chatbot.asked[asked:]] == ["和氟西汀比怎么样?"]
    expect(page.locator("yuanwen-widget .panel")).to_be_visible()
    assert page.evaluate("events") == ["answer"]
    assert frame.evaluate("document.documentElement.lang") == "zh-CN"
    assert page.locator("yuanwen-widget .box").get_attribute("lang") == "zh-CN"


def test_panel_on_its_own_listens_to_nobody(open_panel: OpenPanel, sites: Sites) -> None:
    page = open_panel()
    asked = len(sites.chatbot.asked)
    page.evaluate("for (const type of ['hello', 'ask']) postMessage({yuanwen: 1, type, question: '氟西汀'}, '*')")
    ask(page, "炎症")
    assert len(sites.chatbot.asked) == asked + 1


@pytest.mark.parametrize(
    "csp",
    [
        "default-src 'none'; script-src {bot}; frame-src {bot}",
        "default-src 'none'; script-src {bot}; frame-src {bot}; style-src 'none'; require-trusted-types-for 'script'",
    ],
)
def test_host_s_policy_needs_only_script_and_frame(sites: Sites, visit: Callable[..., Page], csp: str) -> None:
    page = visit(sites.page(csp=csp))
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if "Security Policy" in message.text else None)
    assert launcher(page).evaluate("(e) => getComputedStyle(e).position") == "fixed"
    frame = opened(page)
    ask(frame, "和氟西汀比怎么样?")
    assert said == []
    assert problems(page) == []


def test_by_keyboard_alone_open_ask_cite_back_and_close(sites: Sites, visit: Callable[..., Page]) -> None:
    page = visit(sites.page())
    expect(launcher(page)).to_be_visible()
    page.keyboard.press("Tab")
    expect(launcher(page)).to_be_focused()
    page.keyboard.press("Enter")
    frame = frame_of(page)
    expect(frame.locator("textarea")).to_be_focused()
    page.keyboard.type("fluoxetine 怎么样")
    page.keyboard.press("Enter")
    expect(frame.locator("[role=log] .turn")).to_have_count(1)
    for _ in range(12):
        page.keyboard.press("Shift+Tab")
        if focused(frame) == "cite" and frame.evaluate("document.activeElement.closest('.quote') !== null"):
            break
    place = frame.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    expect(frame.locator(".sheet .on").last).to_be_focused()
    page.keyboard.press("Escape")
    expect(frame.locator(".sheet")).to_be_hidden()
    assert frame.evaluate("document.activeElement.textContent") == place
    page.keyboard.press("Escape")
    expect(page.locator("yuanwen-widget .panel")).to_be_hidden()
    expect(launcher(page)).to_be_focused()


def test_close_button_gives_the_focus_back_and_keeps_the_conversation(sites: Sites, visit: Callable[..., Page]) -> None:
    page = visit(sites.page())
    frame = opened(page)
    ask(frame, "氟西汀")
    page.get_by_role("button", name="关闭").click()
    expect(launcher(page)).to_be_focused()
    launcher(page).click()
    expect(frame.locator("[role=log] .turn")).to_have_count(1)


WITHOUT_WIDGET = """[getComputedStyle(document.body).cssText,
    document.documentElement.outerHTML.replace(/<yuanwen-widget.*?<\\/yuanwen-widget>/, '')]"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_host_page_with_the_widget_is_accessible_and_untouched(
    sites: Sites, visit: Callable[..., Page], axe_violations: Any, screenshot: Any, lang: str, scheme: str
) -> None:
    page = visit(sites.page(lang="fr", options=f'data-lang="{lang}"'), lang, scheme)
    before = page.evaluate(WITHOUT_WIDGET)
    expect(launcher(page)).to_be_visible()
    screenshot(page, f"widget-{lang}-{scheme}-host-closed")
    assert axe_violations(page) == []
    frame = opened(page)
    ask(frame, QUESTIONS[lang]["answered"])
    screenshot(page, f"widget-{lang}-{scheme}-host-open")
    assert axe_violations(page) == []
    after = page.evaluate(WITHOUT_WIDGET)
    assert before == after
    assert page.evaluate("document.documentElement.lang") == "fr"
    assert frame.evaluate("document.documentElement.lang") == {"zh": "zh-CN", "en": "en"}[lang]
    assert page.locator("yuanwen-widget .panel").get_attribute("aria-label")
    assert page.locator("yuanwen-widget iframe").get_attribute("title")


def test_phone_gets_a_full_screen_with_close_and_box_in_view(
    sites: Sites, visit: Callable[..., Page], screenshot: Any
) -> None:
    page = visit(sites.page(), phone=True)
    launcher(page).tap()
    frame = frame_of(page)
    box = page.locator("yuanwen-widget .panel").bounding_box()
    assert box == {"x": 0, "y": 0, **{key: float(value) for key, value in PHONE.items()}}
    expect(page.get_by_role("button", name="关闭")).to_be_in_viewport()
    ask(frame, "和氟西汀比怎么样?")
    screenshot(page, "widget-zh-light-phone-host")
    # A keyboard comes up over the lower half.
    page.evaluate(
        """() => { Object.defineProperty(visualViewport, 'height', {value: 420, configurable: true});
            visualViewport.dispatchEvent(new Event('resize')); }"""
    )
    expect(page.locator("yuanwen-widget .panel")).to_have_css("height", "420px")
    bottom = frame.locator(".write").evaluate("(e) => innerHeight - e.getBoundingClientRect().bottom")
    assert 0 <= bottom < 40
    expect(page.get_by_role("button", name="关闭")).to_be_in_viewport()
    page.get_by_role("button", name="关闭").tap()
    expect(launcher(page)).to_be_focused()


def test_script_may_open_ask_switch_and_take_it_away(sites: Sites, visit: Callable[..., Page]) -> None:
    page = visit("about:blank")
    page.add_init_script(
        """window.heard = [];
        for (const name of ['ready', 'open', 'close', 'answer', 'error'])
          document.addEventListener('yuanwen:' + name, (event) => heard.push([name, event.detail]));"""
    )
    page.goto(sites.page())
    expect(launcher(page)).to_be_visible()
    page.evaluate("Yuanwen.ask('和氟西汀比怎么样?')")
    frame = frame_of(page)
    expect(frame.locator(".quote")).to_have_count(3)
    page.evaluate("Yuanwen.ask('please break down')")
    expect(frame.locator(".trouble")).to_be_visible()
    page.evaluate("Yuanwen.setLang('en')")
    expect(frame.locator(".kind").first).to_have_text("mouse study")
    expect(page.get_by_role("button", name="Close")).to_be_visible()
    page.evaluate("Yuanwen.close()")
    page.evaluate("Yuanwen.open()")
    expect(frame.locator("textarea")).to_be_focused()
    heard = page.evaluate("heard")
    assert heard == [
        ["ready", None],
        ["open", None],
        ["answer", {"status": "answered"}],
        ["error", {"error": "internal"}],
        ["close", None],
        ["open", None],
    ]
    page.evaluate("Yuanwen.destroy()")
    assert page.locator("yuanwen-widget").count() == 0
    assert page.evaluate("'Yuanwen' in window") is False


def test_choosing_a_language_in_the_panel_changes_the_launcher_too(sites: Sites, visit: Callable[..., Page]) -> None:
    page = visit(sites.page())
    frame = opened(page)
    frame.locator("select").select_option("en")
    page.get_by_role("button", name="Close").click()
    expect(launcher(page)).to_have_text("文Ask the article")


def test_included_twice_there_is_one(sites: Sites, visit: Callable[..., Page]) -> None:
    page = visit(sites.page(body=f'<script defer src="{sites.bot}/widget/v1/widget.js"></script>'))
    expect(launcher(page)).to_have_count(1)
    assert problems(page) == []


def test_options_place_name_and_fill_the_widget(sites: Sites, visit: Callable[..., Page]) -> None:
    page = visit(
        sites.page(
            'data-position="top-left" data-offset-x="40" data-offset-y="60" data-z-index="77" data-color="#1f5f8b" '
            'data-title="Ask &lt;b&gt;us" data-greeting="Hello &amp; welcome" data-questions="One?|Two?| " '
            'data-lang="en" data-theme="dark" data-article="msc-depression"'
        )
    )
    box = launcher(page).bounding_box()
    assert box is not None
    assert (box["x"], box["y"]) == (40, 60)
    host = "document.querySelector('yuanwen-widget')"
    assert page.evaluate(f"getComputedStyle({host}).zIndex") == "77"
    assert launcher(page).evaluate("(e) => getComputedStyle(e).backgroundColor") == "rgb(31, 95, 139)"
    frame = opened(page)
    assert frame.locator("h1").inner_text() == "Ask <b>us"
    assert frame.locator(".hello").inner_text() == "Hello & welcome"
    assert frame.locator(".ask").all_inner_texts() == ["One?", "Two?"]
    assert frame.evaluate("document.documentElement.dataset.theme") == "dark"
    assert frame.evaluate("document.documentElement.style.getPropertyValue('--accent')") == "rgb(31 95 139)"


@pytest.mark.parametrize("colour", ["#7b7b7b", "red", "url(x)", "#12345"])
def test_colour_that_text_cannot_be_read_on_is_refused(sites: Sites, visit: Callable[..., Page], colour: str) -> None:
    page = visit("about:blank")
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(sites.page(f'data-color="{colour}"'))
    assert launcher(page).evaluate("(e) => getComputedStyle(e).backgroundColor") == "rgb(156, 55, 34)"
    assert any("4.5:1" in text for text in said)


def test_odd_options_fall_back_to_the_defaults(sites: Sites, visit: Callable[..., Page]) -> None:
    page = visit(
        sites.page('data-position="}*{display:none" data-offset-x="1e9" data-z-index="-1;}" data-theme="pink"')
    )
    box = launcher(page).bounding_box()
    assert box is not None
    assert page.viewport_size is not None
    assert round(page.viewport_size["width"] - box["x"] - box["width"]) == 20
    assert page.evaluate("getComputedStyle(document.querySelector('yuanwen-widget')).zIndex") == "9990"


def test_inline_mode_stands_in_its_place_and_answers(
    sites: Sites, visit: Callable[..., Page], axe_violations: Any, screenshot: Any
) -> None:
    page = visit(sites.page('data-mode="inline" data-target="#here"', body='<div id="here"></div>'))
    frame = frame_of(page)
    assert page.evaluate("document.querySelector('#here > yuanwen-widget') !== null")
    assert launcher(page).count() == 0
    assert page.evaluate("document.activeElement === document.body")
    ask(frame, "和氟西汀比怎么样?")
    screenshot(page, "widget-inline")
    assert wcag(page) == []
    page.evaluate("Yuanwen.close()")
    expect(frame.locator(".quote").first).to_be_visible()


def test_first_visit_opens_once_without_taking_the_focus(sites: Sites, visit: Callable[..., Page]) -> None:
    page = visit(sites.page('data-open="first-visit"'))
    frame_of(page)
    assert page.evaluate("document.activeElement === document.body")
    page.reload()
    expect(launcher(page)).to_be_visible()
    assert page.locator("yuanwen-widget iframe").count() == 0


@pytest.mark.parametrize(
    ("host", "own", "label"),
    [
        ("zh-TW", "en", "問問這篇文章"),
        ("en-US", "zh", "Ask the article"),
        ("fr", "en", "Ask the article"),
        ("", "zh", "问问这篇文章"),
    ],
)
def test_language_is_the_page_s_then_the_browser_s(
    sites: Sites, visit: Callable[..., Page], host: str, own: str, label: str
) -> None:
    page = visit(sites.page(lang=host), own)
    expect(launcher(page)).to_contain_text(label)


def test_every_shipped_example_works(sites: Sites, visit: Callable[..., Page]) -> None:
    for file in sorted(Path("examples").glob("*.html")):
        path = f"/{file.name}"
        sites.pages[path] = (file.read_text(encoding="utf-8").replace("http://127.0.0.1:7860", sites.bot), {})
        page = visit(sites.host + path)
        frame = frame_of(page) if file.name == "inline.html" else opened(page)
        ask(frame, "和氟西汀比怎么样?")
        expect(frame.locator(".quote")).to_have_count(3)
        assert problems(page) == [], file.name
        page.context.close()


# --- for site owners and developers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("name", ["widget", "api"])
def test_pages_for_owners_and_developers_are_accessible(
    sites: Sites, visit: Callable[..., Page], screenshot: Any, name: str, lang: str, scheme: str
) -> None:
    page = visit(f"{sites.bot}/{name}?lang={lang}", lang, scheme)
    page.wait_for_load_state("networkidle")
    screenshot(page, f"{name}-{lang}-{scheme}")
    assert wcag(page) == []
    page.set_viewport_size({"width": 320, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    hosts = {url.split("/")[2] for url in page.context.watched.requests}  # type: ignore[attr-defined]
    assert hosts == {sites.bot.split("/")[2]}
    assert problems(page) == []


def test_owner_picks_sees_and_copies_the_line(sites: Sites, visit: Callable[..., Page], screenshot: Any) -> None:
    page = visit(f"{sites.bot}/widget?lang=en", "en", permissions=["clipboard-read", "clipboard-write"])
    line = page.locator("#snippet")
    expect(line).to_have_text(f'<script defer src="{sites.bot}/widget/v1/widget.js"></script>')
    page.locator("[name=position]").select_option("bottom-left")
    page.locator("[name=title]").fill('Ask "us"')
    page.locator("[name=questions]").fill("One?\nTwo?")
    page.locator("[name=color]").fill("#1f5f8b")
    wanted = (
        'data-color="#1f5f8b" data-position="bottom-left" data-title="Ask &quot;us&quot;" data-questions="One?|Two?"'
    )
    expect(line).to_have_text(f'<script defer src="{sites.bot}/widget/v1/widget.js" {wanted}></script>')
    shown = page.frame_locator("#preview")
    expect(shown.locator("yuanwen-widget button.launch")).to_have_css("background-color", "rgb(31, 95, 139)")
    page.locator("#preview").evaluate("(e) => e.scrollIntoView({block: 'end'})")
    shown.locator("yuanwen-widget button.launch").click()
    panel = shown.frame_locator("yuanwen-widget iframe")
    expect(panel.locator("h1")).to_have_text('Ask "us"')
    screenshot(page, "widget-configurator-open")
    page.get_by_role("button", name="Copy the line").click()
    expect(page.locator("#copied")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == line.inner_text()
    page.locator("[name=color]").fill("#7b7b7b")
    expect(page.locator("#colour-hint")).to_contain_text("4.5:1")
    assert "7b7b7b" not in line.inner_text()
    page.locator("[name=mode]").select_option("inline")
    expect(page.locator("[name=target]")).to_be_visible()
    expect(page.locator("[name=position]")).to_be_hidden()
    expect(line).to_contain_text('data-mode="inline"')
    assert "position" not in line.inner_text()


def test_first_page_says_how_far_the_index_is(
    new_context: Callable[..., BrowserContext], serve: Any, sites: Sites, screenshot: Any
) -> None:
    gate = threading.Event()

    def load(report: Report) -> Asks:
        report("passages", 30, 100)
        gate.wait(30)
        return sites.chatbot

    with serve(create_app(load, Settings(), page=False)) as url:
        page = new_context("en-GB").new_page()
        page.goto(url)
        expect(page.locator("progress")).to_have_attribute("value", "30")
        expect(page.get_by_role("status")).to_contain_text("being made ready")
        screenshot(page, "page-getting-ready")
        assert wcag(page) == []
        gate.set()
