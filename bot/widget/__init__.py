"""The widget: a loader that any site can paste, the panel it opens, and the pages that explain both."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response

from bot import chatbot
from bot.edge import language_of
from bot.messages import EVIDENCE, PAGE, SITES, WIDGET, Tongue, say
from bot.settings import MAX_MESSAGE_CHARACTERS, MAX_QUESTION_CHARACTERS, Settings
from corpus.article import Article, Section

HERE = Path(__file__).parent
TONGUES: tuple[Tongue, ...] = ("zh", "zh-Hant", "en")
HTML_LANG: Mapping[Tongue, str] = {"zh": "zh-CN", "zh-Hant": "zh-Hant", "en": "en"}
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
SHARED = [
    "name",
    "back",
    "box",
    "cleared",
    "conversation",
    "copied",
    "copy",
    "copy_label",
    "copy_question",
    "copy_source",
    "disclaimer",
    "disclaimer_place",
    "doubt",
    "language",
    "next",
    "not_copied",
    "opening",
    "other",
    "placeholder",
    "related",
    "right_but_no_answer",
    "searching",
    "send",
    "sentence",
    "starters",
    "thanks",
    "translation",
    "translation_wrong",
    "why",
    "wrong_quote",
    "wrongly_refused",
    "you_asked",
]
OPTIONS = [
    "lang",
    "position",
    "offset-x",
    "offset-y",
    "mode",
    "target",
    "color",
    "theme",
    "title",
    "greeting",
    "questions",
    "open",
    "persist",
    "z-index",
    "article",
]
_PAIR = re.compile(r"\[\s+(\d+),\s+(\d+)\s+\]")
_PLACE = re.compile(r"\{\{(\w+)\}\}")


@lru_cache(maxsize=len(TONGUES))
def strings(language: Tongue) -> dict[str, str]:
    """The widget's strings in one language; what the chat page says too is said in its words."""
    return {key: say(text, language) for key, text in {**{key: PAGE[key] for key in SHARED}, **WIDGET}.items()}


@lru_cache(maxsize=len(TONGUES))
def site_strings(language: Tongue) -> dict[str, str]:
    """The strings of the pages for site owners and developers."""
    return {key: say(text, language) for key, text in SITES.items()}


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put values, escaped, in the place of `{{name}}`; a name that is not there is an error."""
    return _PLACE.sub(lambda place: escape(values[place[1]]), template)


def data_block(data: Any) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def starters(article: Article, language: Tongue) -> list[str]:
    """Questions to begin with: the chosen ones that the chat page shows too, else some from the question bank."""
    chosen = tomllib.loads((HERE.parent / "page" / "starters.toml").read_text(encoding="utf-8"))
    texts = chosen.get(article.id, {}).get("en" if language == "en" else "zh")
    if texts is None:
        return list(chatbot.starters(article, language))
    return [say({"zh": text, "en": text}, language) for text in texts]


def waiting_page(request: Request, progress: tuple[int, int]) -> Response:
    """What a reader sees at `/` while the index is being built."""
    tongue = language_asked(request)
    done, total = progress
    values = {
        **strings(tongue),
        **site_strings(tongue),
        "lang": HTML_LANG[tongue],
        "done": str(done),
        "total": str(max(total, 1)),
    }
    body = fill((HERE / "waiting.html").read_text(encoding="utf-8"), values)
    headers = {"retry-after": "3", "cache-control": "no-store"}
    return Response(body.encode(), 503, headers, "text/html")


def language_asked(request: Request) -> Tongue:
    """The page's language: `?lang=` where it is one, else by the browser."""
    asked = request.query_params.get("lang", "")
    return next((tongue for tongue in TONGUES if tongue == asked), language_of(request.headers))


def card(article: Article) -> dict[str, Any]:
    """What the panel shows of an article before anything is asked."""
    return {
        "id": article.id,
        "title": article.title,
        "title_en": article.title_en,
        "disclaimer": article.disclaimer_text,
        "disclaimer_en": article.disclaimer_text_en,
        "disclaimer_id": article.disclaimer[0],
        "sections": {
            section.title: translation
            for section in article.sections
            if section.sentences and (translation := _title_in_english(article, section))
        },
        "starters": {language: starters(article, language) for language in TONGUES},
    }


def _title_in_english(article: Article, section: Section) -> str | None:
    """The heading's translation; a run-in heading is the first words of its sentence, up to the colon."""
    first = article.sentence(section.sentences[0])
    if first.is_heading or not first.translation:
        return first.translation
    label, colon, _ = first.translation.partition(":")
    return label if colon and len(label) <= 40 else None


def router(settings: Settings, articles: Callable[[], tuple[Article, ...]], example: Mapping[str, Any]) -> APIRouter:
    """The widget's routes; `articles` is empty until they are loaded, `example` is an answer to show developers."""
    routes = APIRouter(include_in_schema=False)
    get = ["GET", "HEAD"]
    cards: dict[str, dict[str, Any]] = {}

    def html(body: str) -> Response:
        return Response(body.encode(), media_type="text/html", headers={"cache-control": "no-cache"})

    def page(name: str, request: Request, **extra: str) -> Response:
        tongue = language_asked(request)
        origin = settings.url or f"{request.url.scheme}://{request.url.netloc}"
        values = {
            **strings(tongue),
            **site_strings(tongue),
            "lang": HTML_LANG[tongue],
            "tongue": tongue,
            "origin": origin,
            **extra,
        }
        return html(fill((HERE / name).read_text(encoding="utf-8"), values))

    def asset(name: str) -> None:
        file = HERE / name
        kind = TYPES[file.suffix]

        async def send() -> Response:
            # Without their indentation: the loader is fetched by every page of every site that shows it.
            lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
            body = "\n".join(line for line in lines if line).encode()
            return Response(body, media_type=kind, headers={"cache-control": "public, max-age=3600"})

        routes.add_api_route(f"/widget/v1/{name}", send, methods=get)

    for name in sorted(file.name for file in HERE.iterdir() if file.suffix in TYPES):
        asset(name)

    version = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(HERE.iterdir()) if file.is_file()))
    stamp = version.hexdigest()[:8]

    @routes.api_route("/embed", methods=get)
    async def embed(request: Request) -> Response:
        for article in articles():
            cards.setdefault(article.id, card(article))
        data = {
            "limit": MAX_QUESTION_CHARACTERS,
            "longest": MAX_MESSAGE_CHARACTERS,
            "days": settings.feedback_days if settings.feedback else 0,
            "articles": list(cards.values()),
            "strings": {tongue: strings(tongue) for tongue in TONGUES},
            "evidence": {tongue: {e.value: say(EVIDENCE[e], tongue) for e in EVIDENCE} for tongue in TONGUES},
        }
        answer = page("embed.html", request, stamp=stamp)
        return html(bytes(answer.body).decode().replace('"DATA"', data_block(data), 1))

    @routes.api_route("/widget", methods=get)
    async def configurator(request: Request) -> Response:
        return page("configurator.html", request, stamp=stamp)

    @routes.api_route("/api", methods=get)
    async def developers(request: Request) -> Response:
        tongue = language_asked(request)
        shown = _PAIR.sub(r"[\1, \2]", json.dumps(example, ensure_ascii=False, indent=2))
        answer = page(f"api.{'en' if tongue == 'en' else 'zh'}.html", request, stamp=stamp, example=shown)
        if tongue != "zh-Hant":
            return answer
        # The example quotes the article, which stays as it is.
        before, quoted, after = bytes(answer.body).decode().partition(escape(shown))
        return html(say({"zh": before}, tongue) + quoted + say({"zh": after}, tongue))

    @routes.api_route("/widget/preview", methods=get)
    async def preview(request: Request) -> Response:
        given = {name: request.query_params[name] for name in OPTIONS if name in request.query_params}
        attributes = " ".join(f'data-{name}="{escape(value)}"' for name, value in given.items())
        body = bytes(page("preview.html", request).body).decode()
        return html(body.replace("data-options", attributes, 1))

    @routes.api_route("/favicon.ico", methods=get)
    async def favicon() -> Response:
        return Response((HERE / "icon.svg").read_bytes(), media_type="image/svg+xml")

    @routes.api_route("/manifest.json", methods=get)
    async def manifest(request: Request) -> Response:
        words = strings(language_asked(request))
        icons = [{"src": "widget/v1/icon.svg", "sizes": "any", "type": "image/svg+xml"}]
        body = {"name": words["name"], "start_url": "./", "display": "standalone", "icons": icons}
        return Response(json.dumps(body, ensure_ascii=False).encode(), media_type="application/manifest+json")

    return routes
