"""The README's pictures of the chat page, of everything that is shipped: python -m tests.browser.pictures"""

from __future__ import annotations

import threading
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from bot.api import create_app
from bot.chatbot import load_chatbot
from bot.settings import Settings
from tests.browser.conftest import DESK, FLAGS, PHONE, chromium_path, serving

FOLDER = Path("docs/images")
ZH = ("这个研究是在病人身上做的吗？", "神经炎症如何破坏血脑屏障？")
EN = ("How did the stem cells compare with fluoxetine on body weight?",)


def opened(browser: Browser, url: str, lang: str, scheme: str, *, phone: bool = False) -> Page:
    context = browser.new_context(
        locale=lang,
        color_scheme="dark" if scheme == "dark" else "light",
        viewport=PHONE if phone else DESK,  # type: ignore[arg-type]
        has_touch=phone,
        reduced_motion="reduce",
        device_scale_factor=2 if phone else 1,
    )
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("html.ready")
    return page


def ask(page: Page, question: str) -> None:
    number = page.locator(".turn").count() + 1
    page.fill("#question", question)
    page.press("#question", "Enter")
    page.locator(f"#turn-{number}").wait_for()


def keep(page: Page, name: str) -> None:
    page.mouse.move(0, 0)
    page.wait_for_timeout(300)
    page.screenshot(path=FOLDER / name)
    print(FOLDER / name, (FOLDER / name).stat().st_size)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    app = create_app(load_chatbot(), Settings())
    with serving(app) as url, sync_playwright() as playwright:
        while httpx.get(f"{url}/readyz").status_code != 200:
            threading.Event().wait(0.1)
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
        page = opened(browser, url, "zh-CN", "light")
        ask(page, ZH[0])
        page.locator("#turn-1 .cited .cite").last.click()
        keep(page, "chat-zh.png")
        page = opened(browser, url, "en-US", "dark")
        ask(page, EN[0])
        page.locator("#turn-1 .cited .cite").first.click()
        keep(page, "chat-en.png")
        page = opened(browser, url, "zh-CN", "light", phone=True)
        ask(page, ZH[1])
        keep(page, "chat-phone.png")
        browser.close()


if __name__ == "__main__":
    main()
