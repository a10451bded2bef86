"""Chromium, servers on free ports and pages to look at, shared by every test of what people see."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastapi
import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
DESK = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
OUTPUT = Path("test-output")
PATIENCE = 60_000
"""Milliseconds that a busy machine may take; a test that passes does not wait for them."""

Serve = Callable[[fastapi.FastAPI], AbstractContextManager[str]]
Open = Callable[..., Page]


def chromium_path() -> str | None:
    """Chromium of this machine: CHROMIUM, else the first that is installed, else Playwright's own."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next((path for name in names if (path := shutil.which(name))), None)


@contextmanager
def serving(app: fastapi.FastAPI) -> Iterator[str]:
    """An application on a free loopback port for as long as the block lasts; its address."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    limit = time.monotonic() + 60
    while not server.started:
        if time.monotonic() > limit or not thread.is_alive():
            raise RuntimeError(f"expected a server on port {port} within 60 s, found none")
        threading.Event().wait(0.05)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="session")
def serve() -> Serve:
    return serving


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium_path()
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        try:
            launched = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        except Exception as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"expected Chromium, found none ({error}); run: apt-get install chromium fonts-noto-cjk")
        yield launched
        launched.close()


@dataclass
class Watched:
    """What a context asked of the network, and what its pages complained about."""

    requests: list[str]
    problems: list[str]


@pytest.fixture
def new_context(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Contexts by language, colour scheme and size; each has `watched`, and is closed after the test."""
    opened: list[BrowserContext] = []

    def make(lang: str = "zh-CN", scheme: str = "light", *, phone: bool = False, **more: Any) -> BrowserContext:
        context = browser.new_context(
            locale=lang,
            color_scheme="dark" if scheme == "dark" else "light",
            viewport=more.pop("viewport", PHONE if phone else DESK),  # type: ignore[arg-type]
            has_touch=phone,
            **more,
        )
        context.set_default_timeout(PATIENCE)
        watched = Watched([], [])
        context.on("request", lambda request: watched.requests.append(request.url))
        context.on("weberror", lambda error: watched.problems.append(str(error.error)))
        context.watched = watched  # type: ignore[attr-defined]
        opened.append(context)
        return context

    yield make
    for context in opened:
        context.close()


@pytest.fixture
def screenshot() -> Callable[[Page, str], None]:
    """Keep what a page looks like under test-output/, for people to look at."""

    def keep(page: Page, name: str) -> None:
        OUTPUT.mkdir(exist_ok=True)
        page.screenshot(path=OUTPUT / f"{name}.png")

    return keep


AXE_OPTIONS = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}


@pytest.fixture(scope="session")
def axe_violations() -> Callable[..., list[str]]:
    """The rules of WCAG 2.2, A and AA, that a page or parts of it break, each with the first elements that do."""
    from axe_playwright_python.sync_playwright import Axe

    axe = Axe()

    def run(page: Page, parts: list[str] | None = None) -> list[str]:
        found = axe.run(page, context=[[part] for part in parts] if parts else None, options=AXE_OPTIONS).response
        checked = {rule["id"] for rule in (*found["passes"], *found["violations"])}
        assert {"color-contrast", "button-name", "target-size"} <= checked, "expected axe to look at the page"
        return [f"{rule['id']}: {[node['html'][:160] for node in rule['nodes'][:4]]}" for rule in found["violations"]]

    return run
