"""The chat page: the article beside the conversation, in Gradio Blocks."""

from __future__ import annotations

import logging
import os
import time
import tomllib
import traceback
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, get_args

# Read by Gradio and its hub client when they are imported: nothing leaves this machine.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import fastapi
import gradio as gr

from bot.answer import Answer
from bot.chatbot import QuestionError
from bot.chatbot import starters as starters_of_bank
from bot.feedback import Feedback
from bot.messages import PAGE, Tongue, say, tongue
from bot.page import render
from bot.page.head import OwnHead, page_language
from bot.page.render import Turn
from bot.settings import MAX_MESSAGE_CHARACTERS, MAX_QUESTION_CHARACTERS
from corpus.article import Article
from corpus.language import clean, detect_language

TURNS_KEPT = 50
"""Older turns leave the page: a conversation does not grow without end."""
TURNS_RESTORED = 10

_ASSETS = Path(__file__).parent / "page"
_SANS = ["system-ui", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "sans-serif"]
_MONO = ["ui-monospace", "Menlo", "Consolas", "monospace"]

_PAPER, _PAPER_DARK = "#f6f3ec", "#171513"
"""As in page.css: the page is in its colour before its style sheet is there."""

_log = logging.getLogger(__name__)


class Answering(Protocol):
    """What the page needs of `bot.chatbot.Chatbot`."""

    @property
    def articles(self) -> tuple[Article, ...]: ...

    def ask(self, question: str, history: Sequence[str] = (), *, article: str | None = None) -> Answer: ...


def starters(article: Article, page: Tongue) -> tuple[str, ...]:
    """Questions to begin with: chosen ones, else some of the article's own."""
    chosen = _chosen_starters().get(article.id, {}).get("en" if page == "en" else "zh")
    if chosen is None:
        return starters_of_bank(article, page)
    return tuple(text if page == "en" else say({"zh": text}, page) for text in chosen)


@lru_cache(maxsize=1)
def _chosen_starters() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads((_ASSETS / "starters.toml").read_text(encoding="utf-8"))


def build_page(chatbot: Answering, *, on_feedback: Callable[[Feedback], object] | None = None) -> gr.Blocks:
    """The page over a chatbot; readers' verdicts can be given only where there is somebody to take them."""
    articles = {article.id: article for article in chatbot.articles}
    first = chatbot.articles[0]

    def reading(article: Article, page: Tongue) -> str:
        return render.render_article(article, page, chatbot.articles)

    def conversation(turns: Sequence[Turn], page: Tongue, article: str) -> str:
        begin = starters(articles.get(article, first), page)
        return render.render_log(turns, articles, page, begin, feedback=on_feedback is not None)

    def frame(page: Tongue, turns: Sequence[Turn], article: str) -> tuple[Any, ...]:
        """Everything that depends on the language, in the order of `framed`."""
        box = gr.Textbox(
            label=say(PAGE["box"], page), placeholder=say(PAGE["placeholder"], page), submit_btn=say(PAGE["send"], page)
        )
        return (
            page,
            turns,
            render.render_top(page),
            conversation(turns, page, article),
            render.render_disclaimer(articles.get(article, first), page),
            _notice(),
            reading(articles.get(article, first), page),
            box,
        )

    def start(request: gr.Request) -> tuple[Any, ...]:
        query = {name: str(value) for name, value in dict(request.query_params).items()}
        return frame(page_language(query, request.headers.get("accept-language", "")), [], first.id)

    def change_language(event: gr.EventData, turns: list[Turn], page: Tongue, article: str) -> tuple[Any, ...]:
        to = _text(event, "to")
        new: Tongue = to if to in get_args(Tongue) else page  # type: ignore[assignment]
        return frame(new, [Turn(turn.answer, new) for turn in turns], article)

    def answer(question: object, turns: list[Turn], page: Tongue, article: str) -> tuple[Any, ...]:
        """The conversation, the box, the turns and the notice after a question."""
        text = clean(question) if isinstance(question, str) else ""
        if not text:
            return gr.skip(), gr.skip(), turns, _notice(say(PAGE["empty"], page))
        try:
            turn = turn_of(text, turns, page, article)
        except QuestionError:
            values = {"limit": MAX_QUESTION_CHARACTERS, "n": len(text)}
            note = say(PAGE["too_long"], tongue(detect_language(text[:MAX_QUESTION_CHARACTERS]))).format(**values)
            return gr.skip(), gr.skip(), turns, _notice(note)
        if turn is None:
            return gr.skip(), gr.skip(), turns, _notice(say(PAGE["failed"], page))
        turns = [*turns, turn][-TURNS_KEPT:]
        return conversation(turns, page, article), "", turns, _notice()

    def turn_of(text: str, turns: Sequence[Turn], page: Tongue, article: str) -> Turn | None:
        only = article if len(articles) > 1 else None
        try:
            found = chatbot.ask(text, [turn.answer.question for turn in turns], article=only)
        except QuestionError:
            raise
        except Exception as error:
            # Without the exception's own text: it may quote the reader's question.
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("a question could not be answered: %s\n%s", type(error).__name__, where)
            return None
        return Turn(found, render.asker_tongue(found, page))

    def restore(event: gr.EventData, turns: list[Turn], page: Tongue, article: str) -> tuple[Any, ...]:
        """The conversation of a page that was loaded anew: its last questions, asked again."""
        questions = event._data.get("questions") if isinstance(event._data, dict) else None
        texts = [clean(text) for text in questions or () if isinstance(text, str)][-TURNS_RESTORED:]
        for text in texts:
            if 0 < len(text) <= MAX_QUESTION_CHARACTERS and (turn := turn_of(text, turns, page, article)):
                turns = [*turns, turn]
        return conversation(turns, page, article), turns

    def answer_event(event: gr.EventData, turns: list[Turn], page: Tongue, article: str) -> tuple[Any, ...]:
        return answer(_text(event, "question"), turns, page, article)

    def clear(page: Tongue, article: str) -> tuple[Any, ...]:
        return conversation([], page, article), "", [], _notice(say(PAGE["cleared"], page))

    def choose(event: gr.EventData, turns: list[Turn], page: Tongue, article: str) -> tuple[Any, ...]:
        chosen = articles.get(_text(event, "article"), articles.get(article, first))
        conversed = conversation(turns, page, chosen.id)
        return chosen.id, reading(chosen, page), render.render_disclaimer(chosen, page), conversed

    def take_feedback(event: gr.EventData, turns: list[Turn]) -> None:
        if on_feedback is None:
            return
        number = _text(event, "turn")
        if not number.isdecimal() or not 1 <= int(number) <= len(turns):
            return
        given = turns[int(number) - 1].answer
        try:
            on_feedback(
                Feedback(
                    article=given.article.id,
                    question=given.question,
                    sentences=tuple(sentence.id for sentence in given.sentences),
                    verdict=_text(event, "verdict"),  # type: ignore[arg-type]
                    reason=_text(event, "reason") or None,  # type: ignore[arg-type]
                )
            )
        except ValueError:
            _log.info("a verdict that the page does not offer was dropped")

    with gr.Blocks(title=PAGE["title"]["zh"], fill_width=True, analytics_enabled=False) as page:
        language = gr.State("zh")
        turns = gr.State([])
        article = gr.State(first.id)
        top = gr.HTML(
            render.render_top("zh", ready=False),
            elem_id="top",
            apply_default_css=False,
            js_on_load=(_ASSETS / "page.js").read_text(encoding="utf-8"),
        )
        with gr.Row(elem_id="desk"):
            with gr.Column(elem_id="chat"):
                log = _html(conversation([], "zh", first.id), "log")
                with gr.Column(elem_id="composer"):
                    disclaimer = _html(render.render_disclaimer(first, "zh"), "disclaimer")
                    box = gr.Textbox(
                        elem_id="box",
                        label=PAGE["box"]["zh"],
                        show_label=False,
                        container=False,
                        placeholder=PAGE["placeholder"]["zh"],
                        lines=1,
                        max_lines=6,
                        max_length=MAX_MESSAGE_CHARACTERS,
                        submit_btn=PAGE["send"]["zh"],
                        html_attributes=gr.InputHTMLAttributes(enterkeyhint="send", autocomplete="off"),
                    )
                    notice = _html(_notice(), "notice")
            reader = _html(reading(first, "zh"), "reader")

        quiet = {"show_progress": "hidden", "api_visibility": "private"}
        framed = [language, turns, top, log, disclaimer, notice, reader, box]
        answered = [log, box, turns, notice]
        page.load(start, None, framed, **quiet)
        top.language(change_language, [turns, language, article], framed, **quiet)
        box.submit(answer, [box, turns, language, article], answered, trigger_mode="multiple", **quiet)
        top.ask(answer_event, [turns, language, article], answered, trigger_mode="multiple", **quiet)
        top.restore(restore, [turns, language, article], [log, turns], **quiet)
        top.clear(clear, [language, article], answered, **quiet)
        top.choose(choose, [turns, language, article], [article, reader, disclaimer, log], **quiet)
        top.verdict(take_feedback, [turns], None, **quiet)
    page.queue(default_concurrency_limit=8, max_size=64, api_open=False)
    return page


def _notice(text: str = "") -> str:
    return render.render_notice(text, time.monotonic_ns())


def _html(value: str, elem_id: str) -> gr.HTML:
    return gr.HTML(value, elem_id=elem_id, apply_default_css=False, js_on_load=None)


def _text(event: gr.EventData, key: str) -> str:
    """One string of what the page's script sent; anything else is as good as nothing."""
    data = event._data
    value = data.get(key) if isinstance(data, dict) else None
    return value if isinstance(value, str) else ""


def mount(app: fastapi.FastAPI, page: gr.Blocks, path: str = "/") -> fastapi.FastAPI:
    """Mount the page with everything closed or switched off that it does not need."""
    theme = gr.themes.Base(primary_hue="red", neutral_hue="stone", font=_SANS, font_mono=_MONO).set(
        body_background_fill=_PAPER, body_background_fill_dark=_PAPER_DARK
    )
    app.add_middleware(OwnHead, path=path)
    mounted: fastapi.FastAPI = gr.mount_gradio_app(
        app,
        page,
        path=path,
        theme=theme,
        # As a whole sheet in the head: what is given as `css` is rewritten to reach into the blocks alone.
        head=f"<style>{(_ASSETS / 'page.css').read_text(encoding='utf-8')}</style>",
        favicon_path=str(_ASSETS / "favicon.png") if path == "/" else None,
        footer_links=[],
        run_history=False,
        show_error=False,
        enable_monitoring=False,
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        max_file_size=1,
        app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
    )
    return mounted
