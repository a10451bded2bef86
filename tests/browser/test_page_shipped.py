"""The chat page over everything that is shipped: encoder, index, reader, article."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from bot.settings import Settings

QUESTIONS = {
    "zh-CN": ("神经炎症如何破坏血脑屏障？", {14}),
    "en-US": ("How did the stem cells compare with fluoxetine on body weight?", {31}),
}


@pytest.fixture(scope="module")
def url(serve: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from bot.api import create_app
    from bot.chatbot import load_chatbot

    cache: Path = tmp_path_factory.mktemp("cache")
    app = create_app(load_chatbot(cache=cache), Settings(rate="100000/minute", page_rate="100000/minute"))
    with serve(app) as address:
        for _ in range(600):
            if httpx.get(f"{address}/readyz").status_code == 200:
                break
            threading.Event().wait(0.1)
        yield address


@pytest.mark.parametrize("lang", QUESTIONS)
def test_question_is_answered_and_its_citation_opens_the_article(
    url: str, new_context: Callable[..., BrowserContext], screenshot: Callable[[Page, str], None], lang: str
) -> None:
    question, wanted = QUESTIONS[lang]
    page = new_context(lang).new_page()
    page.goto(url)
    page.wait_for_selector("html.ready")
    page.fill("#question", question)
    page.press("#question", "Enter")
    expect(page.locator(".turn .cited").first).to_be_visible()
    link = page.locator(".cited .cite").first
    number = int((link.get_attribute("href") or "").removeprefix("#s"))
    assert number in wanted
    quote = page.locator(".cited blockquote").first.text_content()
    link.click()
    sentence = page.locator(f"#s{number}")
    expect(sentence).to_be_focused()
    expect(sentence).to_be_in_viewport()
    assert sentence.text_content() == quote
    screenshot(page, f"page-shipped-{lang}")
