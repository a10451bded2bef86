"""What stands between the internet and the app: hosts, routes, sizes, rates and headers, each a small ASGI layer."""

from __future__ import annotations

import ipaddress
import json
import logging
import math
import re
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI
from limits import parse_many
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from secure import (
    ContentSecurityPolicy,
    CrossOriginOpenerPolicy,
    CrossOriginResourcePolicy,
    PermissionsPolicy,
    ReferrerPolicy,
    Secure,
    StrictTransportSecurity,
    XContentTypeOptions,
)
from secure.middleware import SecureASGIMiddleware
from starlette.datastructures import Headers
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from bot.messages import ERRORS, Tongue, say
from bot.settings import MAX_BODY_BYTES, Settings

log = logging.getLogger("yuanwen")

PAGE_ROUTES: Mapping[str, frozenset[str]] = {
    "/": frozenset({"GET", "HEAD"}),
    "/config": frozenset({"GET"}),
    "/theme.css": frozenset({"GET"}),
    "/gradio_api/theme.css": frozenset({"GET"}),
    "/gradio_api/queue/join": frozenset({"POST"}),
    "/gradio_api/queue/data": frozenset({"GET"}),
    "/gradio_api/startup-events": frozenset({"GET"}),
    "/gradio_api/cancel": frozenset({"POST"}),
    "/gradio_api/app_id": frozenset({"GET"}),
    "/gradio_api/info": frozenset({"GET"}),
}
"""All that the chat page needs of Gradio, which offers some sixty routes more: uploads, fetching of addresses, …"""

PAGE_FOLDERS = ("/assets/", "/static/", "/svelte/", "/gradio_api/heartbeat/")
_ODD = re.compile(r"\.\.|//|[\\%\x00-\x1f\x7f]")


def language_of(headers: Headers) -> Tongue:
    """The reader's language by Accept-Language: the first that the bot speaks, Chinese where there is none."""
    for part in headers.get("accept-language", "").split(","):
        tag = part.split(";")[0].strip().lower()
        if tag.startswith("zh"):
            return "zh-Hant" if re.search(r"hant|tw|hk|mo", tag) else "zh"
        if tag.startswith("en"):
            return "en"
    return "zh"


def problem(
    status: int, error: str, language: Tongue, headers: Mapping[str, str] | None = None, **values: object
) -> Response:
    """An error as the API says it: `{"error", "message"}`, the message in the reader's language."""
    body = {"error": error, "message": say(ERRORS[error], language).format(**values)}
    return Response(
        json.dumps(body, ensure_ascii=False).encode(),
        status,
        {"cache-control": "no-store", **(headers or {})},
        "application/json",
    )


@dataclass(frozen=True, slots=True)
class OpenRoutes:
    """Lets through what is listed and answers everything else itself: 404, or 405 for another method."""

    app: ASGIApp
    routes: Mapping[str, frozenset[str]]
    folders: tuple[str, ...] = PAGE_FOLDERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        path, method = scope["path"], scope["method"]
        allowed = self.routes.get(path)
        if allowed is None and path.startswith(self.folders) and not _ODD.search(path):
            allowed = frozenset({"GET", "HEAD"})
        language = language_of(Headers(scope=scope))
        if allowed is None:
            return await problem(404, "not_found", language)(scope, receive, send)
        if method not in allowed:
            answer = problem(405, "wrong_method", language, {"allow": ", ".join(sorted(allowed))})
            return await answer(scope, receive, send)
        return await self.app(scope, receive, send)


class BodyLimit:
    """413 for a body over the limit, by its announced length or, where none is announced, as it arrives."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY_BYTES) -> None:
        self._counted = RequestBodyLimitMiddleware(app, limit)
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            announced = headers.get("content-length", "0")
            if not announced.isdecimal() or int(announced[:20]) > self._limit:
                answer = problem(413, "too_large", language_of(headers), {"connection": "close"}, limit=self._limit)
                return await answer(scope, receive, send)
        return await self._counted(scope, receive, send)


def network_of(client: str) -> str:
    """What a rate is counted by: an IPv4 address, or the /64 network that one IPv6 subscriber has to himself."""
    try:
        address = ipaddress.ip_address(client.split("%")[0])
    except ValueError:
        return client
    if address.version == 6:
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def question_of(body: bytes) -> str:
    """What a request of the API (`question`) or of the chat page (first of `data`) asks; empty if unreadable."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(asked, dict):
        return ""
    data = asked.get("data")
    text = data[0] if isinstance(data, list) and data else asked.get("question")
    return text if isinstance(text, str) else ""


def replaying(body: bytes, receive: Receive) -> Receive:
    """A request whose body has been read, once more from its start."""
    unread = [body]

    async def again() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await receive()

    return again


class RateLimit:
    """429 with Retry-After for an address that asks too often; `rates` maps paths of POST requests to rates.

    Nobody in danger is sent away: `in_crisis` judges what is asked beyond the rate.
    """

    def __init__(self, app: ASGIApp, rates: Mapping[str, str], in_crisis: Callable[[str], bool]) -> None:
        self.app = app
        self._in_crisis = in_crisis
        self._rates = {path: parse_many(rate) for path, rate in rates.items()}
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._judging = CapacityLimiter(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in self._rates:
            client = network_of(scope["client"][0] if scope["client"] else "")
            for rate in self._rates[scope["path"]]:
                if not self._limiter.hit(rate, scope["path"], client):
                    try:
                        body = await Request(scope, receive).body()
                    except ClientDisconnect:
                        return None
                    # One at a time beside the loop, so that a flood of long messages holds up nobody else.
                    if await to_thread.run_sync(self._in_crisis, question_of(body), limiter=self._judging):
                        return await self.app(scope, replaying(body, receive), send)
                    reset = self._limiter.get_window_stats(rate, scope["path"], client).reset_time
                    seconds = max(1, math.ceil(reset - time.time()))
                    language = language_of(Headers(scope=scope))
                    answer = problem(429, "too_often", language, {"retry-after": str(seconds)}, seconds=seconds)
                    return await answer(scope, receive, send)
        return await self.app(scope, receive, send)


@dataclass(frozen=True, slots=True)
class Shield:
    """An exception becomes a bare 500; the log gets its type and place, not its message, which may hold a question."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception as error:
            if scope["type"] != "http":
                raise
            place = "".join(traceback.format_tb(error.__traceback__)[-6:])
            log.error("unexpected %s\n%s", type(error).__name__, place)
            if not started:
                answer = problem(500, "internal", language_of(Headers(scope=scope)))
                await answer(scope, receive, send)


def page_policy(ancestors: Iterable[str]) -> ContentSecurityPolicy:
    """The strictest policy under which the page of Gradio works, which compiles templates and writes styles."""
    return (
        ContentSecurityPolicy()
        .default_src("'self'")
        .script_src("'self'", "'unsafe-eval'")
        .style_src("'self'", "'unsafe-inline'")
        .img_src("'self'", "data:")
        .font_src("'self'", "data:")
        .connect_src("'self'")
        .worker_src("'self'", "blob:")
        .object_src("'none'")
        .base_uri("'self'")
        .form_action("'self'")
        .frame_src("'self'")
        .frame_ancestors(*ancestors)
    )


def widget_policy(ancestors: Iterable[str]) -> ContentSecurityPolicy:
    """For everything else: own scripts and styles from files, nothing inline, no eval, no HTML from strings."""
    return (
        ContentSecurityPolicy()
        .default_src("'none'")
        .script_src("'self'")
        .style_src("'self'")
        .img_src("'self'", "data:")
        .connect_src("'self'")
        .frame_src("'self'")
        .manifest_src("'self'")
        .base_uri("'none'")
        .form_action("'none'")
        .require_trusted_types_for("'script'")
        .frame_ancestors(*ancestors)
    )


class SecurityHeaders:
    """One policy, `nosniff` and the like on every response, errors included: one set for the page, one for the rest."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        ancestors = settings.frame_ancestors
        https = (settings.url or "").startswith("https:")

        def dressed(policy: ContentSecurityPolicy, corp: CrossOriginResourcePolicy) -> SecureASGIMiddleware:
            headers = Secure(
                csp=policy,
                xcto=XContentTypeOptions(),
                referrer=ReferrerPolicy().no_referrer(),
                coop=CrossOriginOpenerPolicy().same_origin(),
                corp=corp,
                permissions=PermissionsPolicy().camera().microphone().geolocation().payment().usb(),
                hsts=StrictTransportSecurity().max_age(31_536_000) if https else None,
            )
            return SecureASGIMiddleware(app, secure=headers.validate_and_normalize_headers(), multi_ok=())

        self._page = dressed(page_policy(ancestors), CrossOriginResourcePolicy().same_origin())
        # The loader is fetched by pages of other sites, and the panel lives in theirs.
        self._widget = dressed(widget_policy(ancestors), CrossOriginResourcePolicy().cross_origin())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        page = path in PAGE_ROUTES or path.startswith(PAGE_FOLDERS)

        async def without_framing(message: Any) -> None:
            if message["type"] == "http.response.start":
                dropped = (b"x-frame-options", b"server", b"x-powered-by")
                message["headers"] = [(name, value) for name, value in message["headers"] if name not in dropped]
            await send(message)

        await (self._page if page else self._widget)(scope, receive, without_framing)


def protect(
    app: FastAPI, settings: Settings, own: Mapping[str, frozenset[str]], in_crisis: Callable[[str], bool]
) -> None:
    """Put every layer round the app; `own` are the routes, with their methods, that are not Gradio's."""
    # Added last, met first: headers go on every answer, then hosts, then what is open, then sizes and rates.
    rates = dict.fromkeys(own, settings.rate) | {"/gradio_api/queue/join": settings.page_rate}
    app.add_middleware(RateLimit, rates=rates, in_crisis=in_crisis)
    app.add_middleware(BodyLimit)
    app.add_middleware(OpenRoutes, routes={**PAGE_ROUTES, **own})
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.api_origins,
        allow_methods=["GET", "POST"],
        allow_headers=["Content-Type"],
        max_age=600,
    )
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(settings.allowed_hosts), www_redirect=False)
    app.add_middleware(Shield)
    app.add_middleware(SecurityHeaders, settings=settings)
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))
