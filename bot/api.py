"""The web application: the API, the widget and the chat page behind the edge, and the server that runs it."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from types import FrameType
from typing import Annotated, Any, Literal, Protocol

import anyio
import uvicorn
from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from bot import edge, widget
from bot.answer import Answer, ArticleCard, Disclaimer, Reason, Status
from bot.chatbot import QuestionError
from bot.edge import language_of, problem
from bot.feedback import Feedback, FeedbackReason, FeedbackStore, Verdict
from bot.messages import REASONS, Tongue, say, tongue
from bot.safety import Concern, SafetyRules
from bot.settings import MAX_BODY_BYTES, MAX_QUESTION_CHARACTERS, Settings
from corpus.article import Article
from corpus.language import clean, detect_language

log = logging.getLogger("yuanwen")

CANARIES = 64
"""So many articles at least, if there are, are asked a question before the server is ready."""

LONGEST_WAIT = 8.0
"""Seconds that a question waits for a worker before its reader is told to come again."""


class Asks(Protocol):
    """What the shells need of a chatbot."""

    @property
    def articles(self) -> tuple[Article, ...]: ...

    def ask(self, question: str, history: Sequence[str] = (), *, article: str | None = None) -> Answer: ...


class NotReadyError(Exception):
    """No answer now; `error` is one of `bot.messages.ERRORS`."""

    def __init__(self, error: Literal["getting_ready", "stopping", "busy"], seconds: int) -> None:
        super().__init__(error)
        self.error, self.seconds = error, seconds


Report = Callable[[str, int, int], None]
"""Called while loading, with what is being done, how many are done, and how many there are."""

Source = Asks | Callable[[Report], Asks]
"""A chatbot, or a function that loads one."""


class Service:
    """A chatbot that may still be loading, and the workers that its questions wait for."""

    def __init__(self, source: Source, settings: Settings, articles: Sequence[Article]) -> None:
        self._source = source
        self._chatbot: Asks | None = None
        self.known = tuple(articles)
        """Articles, as far as they are known yet."""
        self._rules = SafetyRules.load()
        self._workers = CapacityLimiter(max(settings.workers, settings.processes))
        self._waiting = settings.waiting
        self.progress: tuple[int, int] = (0, 0)
        self.open = False
        self.stopping = False
        self.failure: BaseException | None = None

    def load(self) -> Asks:
        """Load the chatbot and check one answer; takes as long as building an index."""

        def report(what: str, done: int, total: int) -> None:
            self.progress = (done, total)

        try:
            chatbot = self._source(report) if callable(self._source) else self._source
            check(chatbot)
        except Exception as error:
            self.failure = error
            raise
        self._chatbot, self.known = chatbot, chatbot.articles
        return chatbot

    @property
    def articles(self) -> tuple[Article, ...]:
        """
        Raises:
            NotReadyError: while they are not known.
        """
        if not self.known:
            raise NotReadyError("getting_ready", 3)
        return self.known

    def article(self, article_id: str | None) -> Article | None:
        """The article of this id, or the first; None if there is none.

        Raises:
            NotReadyError: while they are not known.
        """
        return next((article for article in self.articles if article_id in (None, article.id)), None)

    def in_crisis(self, question: str) -> bool:
        return self._rules.assess(question).concern is Concern.CRISIS

    async def ask(self, question: str, history: Sequence[str] = (), article: str | None = None) -> Answer:
        """The chatbot's answer; a crisis is answered even while the chatbot loads or is busy.

        Raises:
            NotReadyError: while loading, or when too many questions wait already.
        """
        try:
            return await self._worked(question, history, article)
        except NotReadyError:
            found = self.article(article)
            if found is None or not await to_thread.run_sync(self.in_crisis, question):
                raise
            return crisis_answer(question, found)

    async def _worked(self, question: str, history: Sequence[str], article: str | None) -> Answer:
        """The chatbot's answer, from a worker thread."""
        if self._chatbot is None:
            raise NotReadyError("getting_ready", 3)
        if self._workers.statistics().tasks_waiting >= self._waiting:
            raise NotReadyError("busy", 2)
        with anyio.move_on_after(LONGEST_WAIT):
            await self._workers.acquire()
            try:
                with anyio.CancelScope(shield=True):
                    return await to_thread.run_sync(partial(self._chatbot.ask, question, history, article=article))
            finally:
                self._workers.release()
        raise NotReadyError("busy", 5)


def crisis_answer(question: str, article: Article) -> Answer:
    """The crisis card, which needs nothing but the article's name and disclaimer."""
    question = clean(question)[:MAX_QUESTION_CHARACTERS]
    language = detect_language(question)
    english = tongue(language) == "en"
    return Answer(
        question=question,
        question_language=language,
        status=Status.SAFETY,
        reason=Reason.CRISIS,
        message=say(REASONS[Reason.CRISIS], tongue(language)),
        sentences=(),
        citations=(),
        related=(),
        suggestions=(),
        disclaimer=Disclaimer(
            article.disclaimer_text, article.disclaimer[0], article.disclaimer_text_en if english else None
        ),
        article=ArticleCard(article.id, article.title, article.title_en, article.url, article.sha256),
        crisis=True,
    )


def check(chatbot: Asks) -> None:
    """One canary question to each article, or to some of very many: the answer must quote the article exactly.

    Raises:
        RuntimeError: if an answer does not.
    """
    if not chatbot.articles:
        raise RuntimeError("expected at least one article, found none; see corpus/articles")
    for article in chatbot.articles[:: max(1, len(chatbot.articles) // CANARIES)]:
        answer = chatbot.ask(article.title[:MAX_QUESTION_CHARACTERS], article=article.id)
        quotes = [(s.span, s.quote) for s in answer.sentences] + [(r.span, r.quote) for r in answer.related]
        wrong = next((quote for span, quote in quotes if article.text[span.start : span.end] != quote), None)
        if wrong is not None or answer.disclaimer.text not in article.text.replace("\n", ""):
            raise RuntimeError(f"{article.id}: expected answers in the article's words, found {wrong!r}; yuanwen index")


# What goes over the wire


class Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


QuestionText = Annotated[str, Field(max_length=MAX_QUESTION_CHARACTERS)]


class Question(Form):
    """A question in Chinese or English."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"question": "全世界有多少抑郁症患者?", "lang": "zh"},
                {"question": "How did it compare with fluoxetine?", "history": ["Does it help mice with depression?"]},
            ]
        },
    )
    question: Annotated[
        str,
        Field(
            min_length=1,
            pattern=r"\S",
            # Not enforced here: the chatbot reads a longer message for a crisis before it refuses it.
            json_schema_extra={"maxLength": MAX_QUESTION_CHARACTERS},
            description="a longer one is refused, unless it tells of a crisis",
        ),
    ]
    lang: Annotated[Tongue | None, Field(description="language of error messages; the question's own if absent")] = None
    history: Annotated[
        list[QuestionText], Field(max_length=10, description="the reader's earlier questions, oldest first")
    ] = []
    article: Annotated[str | None, Field(max_length=100, description="id of an article; the first if absent")] = None


class SentenceBody(BaseModel):
    id: int
    quote: Annotated[str, Field(description="the sentence, verbatim")]
    start: Annotated[int, Field(description="first code point in article.md")]
    end: int
    highlights: Annotated[list[tuple[int, int]], Field(description="spans within `quote`, in code points")]
    translation: str | None
    evidence: str
    doubt: Annotated[str | None, Field(description="why this place of the article is doubtful")]


class SentencesBody(BaseModel):
    sentences: list[SentenceBody]


class CitationBody(BaseModel):
    n: int
    article: str
    sentence_id: int
    section: str
    passage: str
    start: int
    end: int
    retrieval_score: float
    span_score: float


class RelatedBody(BaseModel):
    sentence_id: int
    section: str
    quote: str
    start: int
    end: int
    translation: str | None


class DisclaimerBody(BaseModel):
    text: str
    sentence_id: int
    translation: str | None


class ArticleCardBody(BaseModel):
    id: str
    title: str
    title_en: str | None
    url: str | None
    sha256: str


EXAMPLE: dict[str, Any] = {
    "question": "全世界有多少抑郁症患者?",
    "question_lang": "zh-Hans",
    "status": "answered",
    "reason": None,
    "message": "",
    "answer": {
        "sentences": [
            {
                "id": 9,
                "quote": "据估计,MDD影响全球超过3.5亿人,每年有超过70万人死于自杀,是全球致残的主要原因。",
                "start": 365,
                "end": 409,
                "highlights": [[4, 18]],
                "translation": None,
                "evidence": "background",
                "doubt": "70万通常指全球每年自杀死亡总数,文中没有说明其中多少与MDD有关。",
            }
        ]
    },
    "citations": [
        {
            "n": 1,
            "article": "msc-depression",
            "sentence_id": 9,
            "section": "抑郁症介绍",
            "passage": "据估计,MDD影响全球超过3.5亿人,每年有超过70万人死于自杀,是全球致残的主要原因。",
            "start": 365,
            "end": 409,
            "retrieval_score": 0.8123,
            "span_score": 0.9031,
        }
    ],
    "related": [],
    "suggestions": ["间充质干细胞是什么?"],
    "crisis": False,
    "hotline": None,
    "disclaimer": {
        "text": "免责说明:本文仅用于传播科普知识,分享行业观点,不构成任何临床诊断建议!"
        "杭吉干细胞所发布的信息不能替代医生或药剂师的专业建议。",
        "sentence_id": 101,
        "translation": None,
    },
    "article": {
        "id": "msc-depression",
        "title": "从基础到临床试验:间充质干细胞能通过缓解神经炎症改善慢性应激引起的抑郁和焦虑",
        "title_en": "From basic research to clinical trials: mesenchymal stem cells can improve chronic stress-induced "
        "depression and anxiety by alleviating neuroinflammation",
        "url": None,
        "sha256": "c0e015ed391975127a47147b94230ef9f98e64f3ad65a9bd999d36941cd8ba84",
    },
}


class AnswerBody(BaseModel):
    """The article's own sentences, or the reason why there are none."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})
    question: str
    question_lang: Literal["zh-Hans", "zh-Hant", "en", "mixed"]
    status: Literal["answered", "no_answer", "safety"]
    reason: str | None
    message: Annotated[str, Field(description="the bot's own words, never the article's")]
    answer: SentencesBody
    citations: list[CitationBody]
    related: Annotated[list[RelatedBody], Field(description="near the question, but no answer to it")]
    suggestions: list[str]
    crisis: bool
    hotline: str | None
    disclaimer: DisclaimerBody
    article: ArticleCardBody


class Problem(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"error": "empty", "message": "Please write a question first."}]}
    )
    error: str
    message: Annotated[str, Field(description="in the asker's language")]


class Opinion(Form):
    """What a reader thinks of an answer."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "article": "msc-depression",
                    "question": "全世界有多少抑郁症患者?",
                    "sentences": [9],
                    "verdict": "down",
                    "reason": "right_but_no_answer",
                }
            ]
        },
    )
    article: Annotated[str, Field(max_length=100)]
    question: QuestionText
    sentences: Annotated[list[int], Field(max_length=10)] = []
    verdict: Verdict
    reason: FeedbackReason | None = None


class Kept(BaseModel):
    kept: Annotated[bool, Field(description="false where keeping it might harm the reader")]


class Health(BaseModel):
    status: Literal["ok"]


class Readiness(BaseModel):
    status: Literal["ready"]
    articles: list[str]


class ArticleSentenceBody(BaseModel):
    id: int
    section: int
    paragraph: int
    text: str
    start: int
    end: int
    translation: str | None
    evidence: str


class SectionBody(BaseModel):
    title: str
    level: int
    first: int
    last: int


class ArticleBody(ArticleCardBody):
    """The whole article, sentence by sentence."""

    publisher: str | None
    language: str
    disclaimer: list[int]
    sections: list[SectionBody]
    sentences: list[ArticleSentenceBody]


def article_body(article: Article) -> dict[str, Any]:
    return {
        "id": article.id,
        "title": article.title,
        "title_en": article.title_en,
        "url": article.url,
        "sha256": article.sha256,
        "publisher": article.publisher,
        "language": article.language,
        "disclaimer": list(article.disclaimer),
        "sections": [
            {"title": s.title, "level": s.level, "first": s.sentences[0], "last": s.sentences[-1]}
            for s in article.sections
            if s.sentences
        ],
        "sentences": [
            {
                "id": s.id,
                "section": s.section,
                "paragraph": s.paragraph,
                "text": s.text,
                "start": s.span.start,
                "end": s.span.end,
                "translation": s.translation,
                "evidence": s.evidence.value,
            }
            for s in article.sentences
        ],
    }


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Problem} for status in statuses}


def _asker(headers_language: Tongue, body: object) -> Tongue:
    """The language to say an error in: what was asked for, else the question's, else the browser's."""
    if isinstance(body, dict):
        if body.get("lang") in ("zh", "zh-Hant", "en"):
            return body["lang"]  # type: ignore[no-any-return]
        question = body.get("question")
        if isinstance(question, str) and clean(question[:MAX_QUESTION_CHARACTERS]):
            return tongue(detect_language(clean(question[:MAX_QUESTION_CHARACTERS])))
    return headers_language


def create_app(
    source: Source, settings: Settings | None = None, *, articles: Sequence[Article] = (), page: bool = True
) -> FastAPI:
    """The whole application over a chatbot, or over a function that loads one while the app already answers.

    Args:
        articles: known before the chatbot has loaded, so that a crisis is answered and the widget drawn meanwhile.
        page: whether to mount the Gradio page at `/`.
    """
    settings = settings or Settings()
    service = Service(source, settings, articles if callable(source) else source.articles)
    store = FeedbackStore(settings.feedback, settings.feedback_days) if settings.feedback else None
    late_page = LatePage(service, settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with anyio.create_task_group() as background:
            background.start_soon(_open, service, late_page if page else None, store)
            if store:
                background.start_soon(_purge_daily, store)
            yield
            service.stopping = True
            background.cancel_scope.cancel()
        if store:
            store.close()

    app = FastAPI(
        title="原文问答 Yuanwen",
        summary="Questions in Chinese or English, answered in the article's own words.",
        version="1",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = service
    _say_errors(app)
    _add_routes(app, service, store)
    panel = widget.router(settings, lambda: service.known, EXAMPLE)
    app.include_router(panel)
    own: dict[str, frozenset[str]] = {}
    for route in (*app.routes, *panel.routes):
        if isinstance(route, Route) and route.methods:
            own[route.path] = own.get(route.path, frozenset()) | frozenset(route.methods)
    app.mount("/", late_page)
    edge.protect(app, settings, own, service.in_crisis)
    return app


def _say_errors(app: FastAPI) -> None:
    """Every error as `{"error", "message"}`, with nothing in it of what was sent."""

    @app.exception_handler(NotReadyError)
    async def not_ready(request: Request, error: NotReadyError) -> Response:
        return problem(503, error.error, language_of(request.headers), {"retry-after": str(error.seconds)})

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = [str(part) for part in first["loc"] if part not in ("body", "query")]
        language = _asker(language_of(request.headers), error.body)
        if first["type"] == "json_invalid" or not where or not isinstance(error.body, dict | None):
            return problem(422, "invalid_json", language)
        if where == ["question"] and first["type"] in ("string_too_short", "string_pattern_mismatch"):
            return problem(400, "empty", language)
        if where == ["question"] and first["type"] == "string_too_long":  # of feedback
            return problem(422, "too_long", language, limit=MAX_QUESTION_CHARACTERS)
        # Only names of the schema's own fields are repeated to the asker.
        known = {*Question.model_fields, *Opinion.model_fields, "id"}
        return problem(422, "invalid", language, field=where[0] if where[0] in known else "?")

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        codes = {
            400: (422, "invalid_json"),
            404: (404, "not_found"),
            405: (405, "wrong_method"),
            413: (413, "too_large"),
        }
        status, code = codes.get(error.status_code, (error.status_code, "internal"))
        return problem(status, code, language_of(request.headers), error.headers, limit=MAX_BODY_BYTES)


def _add_routes(app: FastAPI, service: Service, store: FeedbackStore | None) -> None:
    fresh = {"cache-control": "no-store"}

    @app.get("/healthz", tags=["health"], operation_id="healthz")
    async def healthz() -> Health:
        """The process is alive; nothing else is looked at."""
        return Health(status="ok")

    @app.get("/readyz", tags=["health"], operation_id="readyz", response_model=Readiness, responses=_problems(503))
    async def readyz() -> Response:
        """The index is checked, one question has been answered, and the server is not about to stop."""
        if service.stopping:
            raise NotReadyError("stopping", 5)
        if not service.open:
            raise NotReadyError("getting_ready", 3)
        return JSONResponse({"status": "ready", "articles": [a.id for a in service.articles]}, headers=fresh)

    @app.post(
        "/api/ask",
        tags=["questions"],
        operation_id="ask",
        response_model=AnswerBody,
        responses=_problems(400, 404, 413, 422, 429, 503),
    )
    async def ask(asked: Question, request: Request) -> Response:
        """Answer a question with the article's own sentences, or say that they do not answer it."""
        language = _asker(language_of(request.headers), {"lang": asked.lang, "question": asked.question})
        try:
            if asked.article is not None and service.article(asked.article) is None:
                return problem(404, "unknown_article", language)
            answer = await service.ask(asked.question, tuple(asked.history), asked.article)
        except QuestionError as error:
            status = 400 if error.code == "empty" else 422
            return problem(status, error.code, language, limit=MAX_QUESTION_CHARACTERS)
        except NotReadyError as error:
            return problem(503, error.error, language, {"retry-after": str(error.seconds)})
        return JSONResponse(answer.as_dict(), headers=fresh)

    @app.get(
        "/api/article",
        tags=["questions"],
        operation_id="article",
        response_model=ArticleBody,
        responses=_problems(404, 422, 503),
    )
    async def article(
        request: Request,
        id: Annotated[str | None, Query(max_length=100, description="the first article if absent")] = None,
    ) -> Response:
        """The article that answers are taken from, sentence by sentence, with its translation."""
        found = service.article(id)
        if found is None:
            return problem(404, "unknown_article", language_of(request.headers))
        headers = {"etag": f'"{found.sha256[:32]}"', "cache-control": "no-cache"}
        if headers["etag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return JSONResponse(article_body(found), headers=headers)

    @app.post(
        "/api/feedback",
        tags=["feedback"],
        operation_id="feedback",
        response_model=Kept,
        responses=_problems(404, 413, 422, 429, 503),
    )
    async def feedback(opinion: Opinion, request: Request) -> Response:
        """Keep a reader's verdict, where the operator has asked for it."""
        language = _asker(language_of(request.headers), {"question": opinion.question})
        if store is None:
            return problem(404, "feedback_off", language)
        if service.article(opinion.article) is None:
            return problem(404, "unknown_article", language)
        if await to_thread.run_sync(service.in_crisis, opinion.question):
            return JSONResponse({"kept": False}, headers=fresh)
        question, sentences = clean(opinion.question), tuple(opinion.sentences)
        given = Feedback(opinion.article, question, sentences, opinion.verdict, opinion.reason)
        await to_thread.run_sync(store.add, given)
        return JSONResponse({"kept": True}, headers=fresh)


class LatePage:
    """The chat page once it is there; until then a page that says how far the index is."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self._service, self._settings = service, settings
        self.page: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.page is not None:
            return await self.page(scope, receive, send)
        request = Request(scope)
        if scope["path"] != "/":
            seconds = {"retry-after": "3"}
            return await problem(503, "getting_ready", language_of(request.headers), seconds)(scope, receive, send)
        waiting = widget.waiting_page(request, self._service.progress)
        return await waiting(scope, receive, send)


async def _open(service: Service, late_page: LatePage | None, store: FeedbackStore | None) -> None:
    """Load the chatbot, then the page, then keep the page's own tasks alive until the server stops."""
    try:
        chatbot = await to_thread.run_sync(service.load, abandon_on_cancel=True)
        if late_page is None:
            service.open = True
            return
        page = await to_thread.run_sync(partial(_build_page, service, chatbot, store), abandon_on_cancel=True)
    except Exception as error:
        # A broken set-up, not a question: its message names what is wrong and the command that mends it.
        service.failure = error
        log.error("could not get ready: %s", error)
        return
    async with page.router.lifespan_context(page):
        late_page.page = page
        service.open = True
        await anyio.sleep_forever()


def _build_page(service: Service, chatbot: Asks, store: FeedbackStore | None) -> FastAPI:
    # Gradio takes seconds to import, while the widget and the API can already answer.
    from bot.ui import build_page, mount

    def keep(given: Feedback) -> None:
        if store and not service.in_crisis(given.question):
            store.add(given)

    page = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    # The edge decides who may read answers; this keeps Gradio from deciding otherwise.
    page.add_middleware(CORSMiddleware, allow_origins=())
    return mount(page, build_page(chatbot, on_feedback=keep if store else None))


async def _purge_daily(store: FeedbackStore) -> None:
    while True:
        await anyio.sleep(86_400)
        await to_thread.run_sync(store.purge)


# Running it


class ServeError(Exception):
    """The server cannot run; the message says what to do."""


class _Server(uvicorn.Server):
    """Stops in order: readiness off, a moment for balancers to notice, then the door, then answers in flight."""

    def __init__(self, config: uvicorn.Config, service: Service, drain_seconds: float) -> None:
        super().__init__(config)
        self._service, self._drain = service, drain_seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._service.stopping or not self._drain:
            self._service.stopping = True
            return super().handle_exit(sig, frame)
        self._service.stopping = True
        timer = threading.Timer(self._drain, super().handle_exit, (signal.SIGTERM, None))
        timer.daemon = True
        timer.start()
        return None

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._service.failure is not None


def bind(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        ServeError: if the port is taken or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # From now on whoever comes waits until the server is up, rather than being refused.
        listener.listen()
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ServeError(
                f"expected port {port} on {host} to be free, found it in use; try: yuanwen serve --port {port + 1}"
            ) from None
        raise ServeError(f"expected to listen on {host}:{port}, found: {os.strerror(error.errno or 0)}") from None
    return listener


def serve(source: Source, settings: Settings, *, articles: Sequence[Article] = ()) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish the answers in flight; `articles` as in `create_app`.

    Raises:
        ServeError: if the port is taken, or the chatbot could not be loaded.
    """
    with bind(settings.host, settings.port) as listener:
        app = create_app(source, settings, articles=articles)
        service: Service = app.state.service
        config = uvicorn.Config(
            app,
            access_log=False,
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            ws="none",
            lifespan="on",
            timeout_graceful_shutdown=settings.grace_seconds,
            timeout_keep_alive=15,
        )
        port = listener.getsockname()[1]
        shown = "localhost" if settings.host in ("0.0.0.0", "::", "127.0.0.1") else settings.host
        print(f"原文问答 Yuanwen: {settings.url or f'http://{shown}:{port}'}", file=sys.stderr, flush=True)
        _Server(config, service, settings.drain_seconds).run(sockets=[listener])
    if service.failure is not None:
        raise service.failure
