"""The widget: a loader that any site can paste, the panel it opens, and the pages that explain both."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response

from bot.edge import language_of
from bot.messages import EVIDENCE, WIDGET, Tongue, say
from bot.settings import MAX_QUESTION_CHARACTERS, Settings
from corpus.article import Article

HERE = Path(__file__).parent
TONGUES: tuple[Tongue, ...] = ("zh", "zh-Hant", "en")
HTML_LANG: Mapping[Tongue, str] = {"zh": "zh-CN", "zh-Hant": "zh-Hant", "en": "en"}
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_PLACE = re.compile(r"\{\{(\w+)\}\}")


@lru_cache(maxsize=len(TONGUES))
def strings(language: Tongue) -> dict[str, str]:
    """The widget's strings in one language."""
    return {key: say(text, language) for key, text in WIDGET.items()}


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put values, escaped, in the place of `{{name}}`; a name that is not there is an error."""
    return _PLACE.sub(lambda place: escape(values[place[1]]), template)


def data_block(data: Any) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def starters(article: Article, language: Tongue, count: int = 3) -> list[str]:
    """Short questions that the article answers, from different parts of it."""
    wanted = "en" if language == "en" else "zh"
    by_section: dict[int, str] = {}
    for question in article.questions:
        if question.language == wanted and question.text.endswith(("?", "？")) and len(question.sentences) == 1:
            section = article.sentence(question.sentences[0]).section
            shortest = by_section.get(section)
            if 8 <= len(question.text) and (shortest is None or len(question.text) < len(shortest)):
                by_section[section] = question.text
    found = [by_section[section] for section in sorted(by_section)]
    picked = [found[i * len(found) // count] for i in range(count)] if len(found) >= count else found
    return [say({"zh": text, "en": text}, language) for text in picked]


def card(article: Article) -> dict[str, Any]:
    """What the panel shows of an article before anything is asked."""
    return {
        "id": article.id,
        "title": article.title,
        "title_en": article.title_en,
        "disclaimer": article.disclaimer_text,
        "disclaimer_en": article.disclaimer_text_en,
        "disclaimer_id": article.disclaimer[0],
        "starters": {language: starters(article, language) for language in TONGUES},
    }


def router(settings: Settings, articles: Callable[[], tuple[Article, ...]]) -> APIRouter:
    """The widget's routes; `articles` is empty until they are loaded."""
    routes = APIRouter(include_in_schema=False)
    get = ["GET", "HEAD"]
    cards: dict[str, dict[str, Any]] = {}

    def language(request: Request) -> Tongue:
        asked = request.query_params.get("lang", "")
        return asked if asked in TONGUES else language_of(request.headers)  # type: ignore[return-value]

    def html(body: str) -> Response:
        return Response(body.encode(), media_type="text/html", headers={"cache-control": "no-cache"})

    def page(name: str, request: Request, **extra: str) -> Response:
        tongue = language(request)
        origin = settings.url or f"{request.url.scheme}://{request.url.netloc}"
        values = {**strings(tongue), "lang": HTML_LANG[tongue], "tongue": tongue, "origin": origin, **extra}
        return html(fill((HERE / name).read_text(encoding="utf-8"), values))

    def asset(name: str) -> None:
        file = HERE / name
        kind = TYPES[file.suffix]

        async def send() -> Response:
            return Response(file.read_bytes(), media_type=kind, headers={"cache-control": "public, max-age=3600"})

        routes.add_api_route(f"/widget/v1/{name}", send, methods=get)

    for name in sorted(file.name for file in HERE.iterdir() if file.suffix in TYPES):
        asset(name)

    @routes.api_route("/embed", methods=get)
    async def embed(request: Request) -> Response:
        for article in articles():
            cards.setdefault(article.id, card(article))
        data = {
            "limit": MAX_QUESTION_CHARACTERS,
            "feedback": settings.feedback is not None,
            "articles": list(cards.values()),
            "strings": {tongue: strings(tongue) for tongue in TONGUES},
            "evidence": {tongue: {e.value: say(EVIDENCE[e], tongue) for e in EVIDENCE} for tongue in TONGUES},
        }
        answer = page("embed.html", request)
        return html(bytes(answer.body).decode().replace('"DATA"', data_block(data), 1))

    return routes
