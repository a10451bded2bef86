"""The head of the page as it is served: its own name and language where Gradio would put Gradio's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.messages import PAGE, Tongue, say
from bot.page.render import HTML_LANGUAGE

_FOREIGN = re.compile(r'(?<!\s)\s*<meta\s[^>]*(?:property|name)="(?:og|twitter):[^>]*>')
_CHARSET = '<meta charset="utf-8" />'


def page_language(query: Mapping[str, str], accept_language: str) -> Tongue:
    """The page's language: `?lang=` where it is one, then the browser's first that we speak, then English."""
    asked = query.get("lang", "").strip().lower()
    for name in (asked, *(part.split(";")[0].strip().lower() for part in accept_language.split(","))):
        if name.startswith("zh"):
            traditional = any(mark in name for mark in ("hant", "tw", "hk", "mo"))
            return "zh-Hant" if traditional else "zh"
        if name.split("-")[0] == "en":
            return "en"
    return "en"


def own_head(html: str, page: Tongue) -> str:
    """The page with its own title, description and language, and a line for those without scripts."""
    title, description = (escape(say(PAGE[key], page)) for key in ("title", "hello_more"))
    head = (
        f'{_CHARSET}<title>{title}</title><meta name="description" content="{description}">'
        f'<meta property="og:title" content="{title}"><meta property="og:description" content="{description}">'
        f'<meta property="og:type" content="website">'
    )
    html = _FOREIGN.sub("", html).replace(_CHARSET, head, 1)
    html = html.replace('lang="en"', f'lang="{HTML_LANGUAGE[page]}"', 1)
    no_script = " / ".join(escape(text) for text in PAGE["no_script"].values())
    return html.replace("<gradio-app", f"<noscript><p>{no_script}</p></noscript><gradio-app", 1)


class OwnHead:
    """ASGI middleware that gives the page at `path` its own head; everything else goes through untouched."""

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app = app
        self._paths = {path, path.rstrip("/") + "/"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] not in self._paths:
            await self._app(scope, receive, send)
            return
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        page = page_language(query, Headers(scope=scope).get("accept-language", ""))
        start: Message | None = None
        body = b""

        async def hold(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
            elif message["type"] == "http.response.body":
                body += message.get("body", b"")
                if not message.get("more_body") and start is not None:
                    headers = MutableHeaders(raw=list(start["headers"]))
                    if headers.get("content-type", "").startswith("text/html"):
                        body = own_head(body.decode(), page).encode()
                        headers["content-length"] = str(len(body))
                    await send({**start, "headers": headers.raw})
                    await send({"type": "http.response.body", "body": body})
            else:
                await send(message)

        await self._app(scope, receive, hold)
