"""How the server is set up: one frozen value, read from YUANWEN_* environment variables.

| variable | meaning | default |
|---|---|---|
| YUANWEN_HOST | address to listen on | 127.0.0.1 |
| YUANWEN_PORT | port to listen on | 7860 |
| YUANWEN_URL | the address readers use, such as https://ask.example.org | taken from the request |
| YUANWEN_HOSTS | host names that requests may ask for, with commas; `*` for any | this machine, and YUANWEN_URL's |
| YUANWEN_EMBED_ORIGINS | sites that may show the bot in a frame, with commas; `*` for any | none but itself |
| YUANWEN_API_ORIGINS | sites whose own scripts may call the API, with commas | none but itself |
| YUANWEN_TRUSTED_PROXIES | addresses or networks whose X-Forwarded-For is believed | none |
| YUANWEN_RATE | questions from one address | 30/minute |
| YUANWEN_PAGE_RATE | events of the chat page from one address | 240/minute |
| YUANWEN_WORKERS | questions answered at a time | the cores, 4 at most |
| YUANWEN_PROCESSES | processes that answer, on one index; 1 is the server's own | 1 |
| YUANWEN_WAITING | questions that may wait for a worker | 32 |
| YUANWEN_DRAIN_SECONDS | how long readiness is off before the door closes | 1 |
| YUANWEN_GRACE_SECONDS | how long answers in flight may take after that | 10 |
| YUANWEN_FEEDBACK | file for readers' verdicts on answers; nothing is stored without it | none |
| YUANWEN_FEEDBACK_DAYS | days that a verdict is kept | 30 |
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import limits

from bot.answer import MAX_MESSAGE_CHARACTERS as MAX_MESSAGE_CHARACTERS
from bot.answer import MAX_QUESTION_CHARACTERS as MAX_QUESTION_CHARACTERS

MAX_BODY_BYTES = 16_384

_LOCAL = ("localhost", "127.0.0.1", "[::1]")
_ORIGIN = re.compile(r"https?://(\*\.)?[a-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d{1,5})?", re.IGNORECASE)
_HOST = re.compile(r"\*|(\*\.)?[a-z0-9.-]+|\[[0-9a-f:]+\]", re.IGNORECASE)


class SettingsError(ValueError):
    """A setting is not as expected; the message names the variable."""


@dataclass(frozen=True, slots=True)
class Settings:
    host: str = "127.0.0.1"
    port: int = 7860
    url: str | None = None
    hosts: tuple[str, ...] = ()
    embed_origins: tuple[str, ...] = ()
    api_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    rate: str = "30/minute"
    page_rate: str = "240/minute"
    workers: int = min(4, os.cpu_count() or 1)
    processes: int = 1
    waiting: int = 32
    drain_seconds: float = 1.0
    grace_seconds: int = 10
    feedback: Path | None = None
    feedback_days: int = 30

    def __post_init__(self) -> None:
        def expect(ok: bool, variable: str, expected: str, found: object) -> None:
            if not ok:
                raise SettingsError(f"{variable}: expected {expected}, found {found!r}")

        expect(0 <= self.port <= 65535, "YUANWEN_PORT", "a port from 0 to 65535", self.port)
        url = urlsplit(self.url or "http://localhost")
        plain = url.scheme in ("http", "https") and url.hostname and not url.query and url.path in ("", "/")
        expect(bool(plain), "YUANWEN_URL", "an address such as https://ask.example.org", self.url)
        for host in self.hosts:
            expect(bool(_HOST.fullmatch(host)), "YUANWEN_HOSTS", "host names without port", host)
        for variable, origins in (
            ("YUANWEN_EMBED_ORIGINS", self.embed_origins),
            ("YUANWEN_API_ORIGINS", self.api_origins),
        ):
            for origin in origins:
                good = origin == "*" or _ORIGIN.fullmatch(origin)
                expect(bool(good), variable, "origins such as https://www.example.org, without path", origin)
        for origin in self.api_origins:
            expect("*." not in origin, "YUANWEN_API_ORIGINS", "each origin by name, or *", origin)
        for proxy in self.trusted_proxies:
            try:
                ipaddress.ip_network(proxy, strict=False)
            except ValueError:
                expect(False, "YUANWEN_TRUSTED_PROXIES", "addresses or networks", proxy)
        for variable, rate in (("YUANWEN_RATE", self.rate), ("YUANWEN_PAGE_RATE", self.page_rate)):
            try:
                limits.parse_many(rate)
            except ValueError:
                expect(False, variable, "a rate such as 30/minute", rate)
        for variable, number, least in (
            ("YUANWEN_WORKERS", self.workers, 1),
            ("YUANWEN_PROCESSES", self.processes, 1),
            ("YUANWEN_WAITING", self.waiting, 0),
            ("YUANWEN_DRAIN_SECONDS", self.drain_seconds, 0),
            ("YUANWEN_GRACE_SECONDS", self.grace_seconds, 0),
            ("YUANWEN_FEEDBACK_DAYS", self.feedback_days, 1),
        ):
            expect(number >= least, variable, f"at least {least}", number)
        everywhere = self.host in ("0.0.0.0", "::", "")
        expect(
            not everywhere or bool(self.hosts or self.url),
            "YUANWEN_HOSTS",
            f"the host names of the site when listening on {self.host or 'every address'}",
            "",
        )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ, **given: Any) -> Settings:
        """Settings from YUANWEN_* variables; keywords that are not None win over them.

        Raises:
            SettingsError: naming the variable, what was expected and what was found.
        """
        values: dict[str, Any] = {}
        for name, read in _READERS.items():
            variable = f"YUANWEN_{name.upper()}"
            if text := environ.get(variable, "").strip():
                try:
                    values[name] = read(text)
                except ValueError:
                    raise SettingsError(f"{variable}: expected a number, found {text!r}") from None
        return cls(**{**values, **{name: value for name, value in given.items() if value is not None}})

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        """Host names that a request may ask for, without port."""
        own = (f"[{self.host}]" if ":" in self.host else self.host,) if self.host not in ("0.0.0.0", "::", "") else ()
        public = (str(urlsplit(self.url).hostname),) if self.url else ()
        return self.hosts or tuple(dict.fromkeys((*_LOCAL, *own, *public)))

    @property
    def frame_ancestors(self) -> tuple[str, ...]:
        """Sources of the Content-Security-Policy directive: the bot itself is always among them."""
        return ("*",) if "*" in self.embed_origins else ("'self'", *self.embed_origins)


def _list(text: str) -> tuple[str, ...]:
    return tuple(part for part in re.split(r"[,\s]+", text) if part)


_READERS: dict[str, Callable[[str], Any]] = {
    "host": str,
    "port": int,
    "url": lambda text: text.rstrip("/"),
    "hosts": _list,
    "embed_origins": _list,
    "api_origins": _list,
    "trusted_proxies": _list,
    "rate": str,
    "page_rate": str,
    "workers": int,
    "processes": int,
    "waiting": int,
    "drain_seconds": float,
    "grace_seconds": int,
    "feedback": Path,
    "feedback_days": int,
}
