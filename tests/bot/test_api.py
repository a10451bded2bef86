"""The API as developers see it: answers, errors, readiness, and every promise of the OpenAPI description."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from bot.api import EXAMPLE, AnswerBody, Asks, Report, create_app
from bot.settings import MAX_BODY_BYTES, MAX_QUESTION_CHARACTERS, Settings
from corpus.article import Article
from tests.bot.stand_in import StandIn
from tests.browser.conftest import serving

PLENTY = "100000/minute"
ZH = {"Accept-Language": "zh-CN"}
EN = {"Accept-Language": "en-GB"}


def settings_of(**values: Any) -> Settings:
    return Settings(**{"hosts": ("testserver",), "rate": PLENTY, **values})


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit, "expected it to come true in time"
        threading.Event().wait(0.01)


def ready(client: TestClient) -> TestClient:
    # Gradio alone takes many seconds to import where other work fills the machine.
    wait_until(lambda: client.get("/readyz").status_code == 200, 240)
    return client


@pytest.fixture(scope="module")
def bot() -> StandIn:
    return StandIn()


@pytest.fixture(scope="module")
def client(bot: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    feedback = tmp_path_factory.mktemp("feedback") / "feedback.sqlite"
    with TestClient(create_app(bot, settings_of(feedback=feedback), page=False)) as client:
        yield ready(client)


@pytest.fixture(scope="module")
def article(bot: StandIn) -> Article:
    return bot.articles[0]


# Answers


def test_answer_over_http_is_the_chatbot_s_answer(client: TestClient, bot: StandIn) -> None:
    answer = client.post("/api/ask", json={"question": "和氟西汀比怎么样?"}).json()
    assert answer == bot.ask("和氟西汀比怎么样?").as_dict()


@pytest.mark.parametrize("question", ["和氟西汀比怎么样?", "How did it compare with fluoxetine?", "今天天气如何?"])
def test_every_quote_is_the_article_s_text_at_its_place(client: TestClient, article: Article, question: str) -> None:
    answer = client.post("/api/ask", json={"question": question}).json()
    quoted = [*answer["answer"]["sentences"], *answer["related"]]
    assert quoted
    assert all(article.text[one["start"] : one["end"]] == one["quote"] for one in quoted)
    assert answer["disclaimer"]["text"] == article.disclaimer_text


def test_english_question_gets_the_translation_beside_the_quote(client: TestClient, article: Article) -> None:
    answer = client.post("/api/ask", json={"question": "How did it compare with fluoxetine?"}).json()
    for sentence in answer["answer"]["sentences"]:
        assert sentence["translation"] == article.sentence(sentence["id"]).translation


def test_history_reaches_the_chatbot_oldest_first(client: TestClient, bot: StandIn) -> None:
    client.post("/api/ask", json={"question": "那高剂量呢?", "history": ["第一问", "第二问"]})
    assert bot.asked[-1] == ("那高剂量呢?", ("第一问", "第二问"))


def test_crisis_is_true_in_the_answer(client: TestClient) -> None:
    answer = client.post("/api/ask", json={"question": "我不想活了"}).json()
    assert (answer["status"], answer["crisis"], answer["answer"]["sentences"]) == ("safety", True, [])
    assert "12356" in answer["message"]


@pytest.mark.parametrize(
    "text", ["每天都很难熬。" * 120 + "我不想活了", "I want to kill myself. " + "It is hard. " * 80]
)
def test_crisis_in_a_message_that_is_too_long_gets_the_card(client: TestClient, text: str) -> None:
    response = client.post("/api/ask", json={"question": text})
    assert (response.status_code, response.json()["crisis"]) == (200, True)
    AnswerBody.model_validate(response.json())


def test_crisis_alone_is_true(client: TestClient) -> None:
    """Suicide as a topic gets its answer and one line; advice gets a referral; neither is a crisis."""
    topic = client.post("/api/ask", json={"question": "抑郁症的自杀率是多少?"}).json()
    assert (topic["status"], topic["crisis"]) == ("answered", False)
    assert "12356" in topic["hotline"]
    advice = client.post("/api/ask", json={"question": "我能停药吗?"}).json()
    assert (advice["status"], advice["reason"], advice["crisis"]) == ("safety", "medical_advice", False)


def test_article_comes_whole_sentence_by_sentence(client: TestClient, article: Article) -> None:
    body = client.get("/api/article").json()
    assert body["sha256"] == article.sha256
    assert [s["text"] for s in body["sentences"]] == [s.text for s in article.sentences]
    assert all(article.text[s["start"] : s["end"]] == s["text"] for s in body["sentences"])
    assert [s["translation"] for s in body["sentences"]] == [s.translation for s in article.sentences]


def test_article_that_has_not_changed_is_not_sent_again(client: TestClient) -> None:
    tag = client.get("/api/article").headers["etag"]
    again = client.get("/api/article", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


def test_answers_are_not_kept_by_caches(client: TestClient) -> None:
    assert client.post("/api/ask", json={"question": "氟西汀"}).headers["cache-control"] == "no-store"


# Errors


LONG = "好" * 501


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"question": ""}, 400, "empty"),
        ({"question": "  \u3000\n"}, 400, "empty"),
        ({"question": LONG}, 422, "too_long"),
        ({}, 422, "invalid"),
        ({"question": 7}, 422, "invalid"),
        ({"question": "好", "extra": 1}, 422, "invalid"),
        ({"question": "好", "lang": "fr"}, 422, "invalid"),
        ({"question": "好", "history": ["一"] * 11}, 422, "invalid"),
        ({"question": "好", "history": [LONG]}, 422, "invalid"),
        ({"question": "好", "article": "no-such-article"}, 404, "unknown_article"),
        ([], 422, "invalid_json"),
        (None, 422, "invalid_json"),
    ],
)
def test_errors_name_what_is_wrong(client: TestClient, body: Any, status: int, error: str) -> None:
    response = client.post("/api/ask", json=body, headers=ZH)
    assert (response.status_code, response.json()["error"]) == (status, error)
    assert set(response.json()) == {"error", "message"}


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"",
        b"\xff\xfe",
        b'{"question": "\\ud800"}',
        b"[" * 9000,
        b'{"question": ' + b"9" * 9000 + b"}",
        b"nul\x00",
    ],
)
def test_broken_json_is_refused_without_a_fuss(client: TestClient, raw: bytes) -> None:
    response = client.post("/api/ask", content=raw, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert response.json()["error"] in ("invalid_json", "invalid")


def test_form_posts_are_refused(client: TestClient) -> None:
    """A form of another site needs no permission to post text; it gets no answer."""
    response = client.post("/api/ask", content='{"question": "好"}', headers={"Content-Type": "text/plain"})
    assert response.status_code == 422


@pytest.mark.parametrize(
    ("body", "headers", "sign"),
    [
        ({"question": ""}, EN, "Please write"),
        ({"question": ""}, ZH, "请先写下"),
        ({"question": "", "lang": "en"}, ZH, "Please write"),
        ({"question": "a" * 501}, ZH, "too long"),
        ({"question": LONG}, EN, "太长"),
        ({"question": "藥" * 501}, EN, "問題太長"),
    ],
)
def test_errors_speak_the_asker_s_language(client: TestClient, body: Any, headers: dict[str, str], sign: str) -> None:
    assert sign in client.post("/api/ask", json=body, headers=headers).json()["message"]


def test_body_may_have_16_kb_and_not_a_byte_more(client: TestClient) -> None:
    def padded(size: int) -> bytes:
        body = json.dumps({"question": "氟西汀"}).encode()
        return body + b" " * (size - len(body))

    json_type = {"Content-Type": "application/json"}
    assert client.post("/api/ask", content=padded(MAX_BODY_BYTES), headers=json_type).status_code == 200
    over = client.post("/api/ask", content=padded(MAX_BODY_BYTES + 1), headers=json_type)
    assert (over.status_code, over.json()["error"]) == (413, "too_large")


def test_body_of_unknown_length_is_counted_as_it_arrives(client: TestClient) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'{"question": "'
        for _ in range(20):
            yield b"a" * 1000
        yield b'"}'

    over = client.post("/api/ask", content=pieces(), headers={"Content-Type": "application/json"})
    assert (over.status_code, over.json()["error"]) == (413, "too_large")


def test_control_characters_are_no_error(client: TestClient) -> None:
    response = client.post("/api/ask", json={"question": "氟西汀\x00\u202e\u200b\x1b[31m怎么样"})
    assert response.status_code == 200


def test_unexpected_error_leaks_nothing(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    response = client.post("/api/ask", json={"question": "please break down, my secret is 42"})
    assert response.status_code == 500
    assert set(response.json()) == {"error", "message"}
    for secret in ("secret", "RuntimeError", "Traceback", "standin", "42"):
        assert secret not in response.text
    assert "RuntimeError" in caplog.text
    assert "my secret is" not in caplog.text


# Getting ready, being busy, stopping


def test_health_and_crisis_are_answered_while_the_chatbot_loads(article: Article) -> None:
    gate = threading.Event()

    def load(report: Report) -> Asks:
        report("passages", 3, 10)
        gate.wait(30)
        return StandIn()

    with TestClient(create_app(load, settings_of(), articles=(article,), page=False)) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        for response in (client.get("/readyz"), client.post("/api/ask", json={"question": "氟西汀"})):
            assert response.status_code == 503
            assert response.json()["error"] == "getting_ready"
            assert int(response.headers["retry-after"]) > 0
        for text in ("I want to kill myself", "每天都很难熬。" * 120 + "我不想活了"):
            crisis = client.post("/api/ask", json={"question": text})
            assert (crisis.status_code, crisis.json()["crisis"]) == (200, True)
            AnswerBody.model_validate(crisis.json())
            assert len(crisis.json()["question"]) <= MAX_QUESTION_CHARACTERS
        waiting = client.get("/", headers=ZH)
        assert waiting.status_code == 503
        assert '<progress value="3" max="10"' in waiting.text
        assert client.get("/embed").status_code == 200
        gate.set()
        ready(client)
        assert client.post("/api/ask", json={"question": "氟西汀"}).status_code == 200


def test_not_ready_before_one_answer_has_been_checked() -> None:
    class Wrong(StandIn):
        def ask(self, question: str, *rest: Any, **more: Any) -> Any:
            answer = super().ask("氟西汀")
            self.asked.clear()
            sentence = answer.sentences[0]
            forged = type(sentence)(**{**{f: getattr(sentence, f) for f in sentence.__slots__}, "quote": "forged"})
            return type(answer)(**{**{f: getattr(answer, f) for f in answer.__slots__}, "sentences": (forged,)})

    app = create_app(Wrong(), settings_of(), page=False)
    with TestClient(app) as client:
        wait_until(lambda: app.state.service.failure is not None)
        assert "forged" in str(app.state.service.failure)
        assert client.get("/readyz").status_code == 503


def test_health_never_touches_the_chatbot() -> None:
    bot = StandIn()
    with TestClient(create_app(bot, settings_of(), page=False)) as client:
        ready(client)
        bot.asked.clear()
        bot.gate = threading.Event()
        assert client.get("/healthz").status_code == 200
        assert bot.asked == []
        bot.gate.set()


def test_too_many_at_once_are_told_that_it_is_busy() -> None:
    bot = StandIn(threading.Event())
    assert bot.gate is not None
    with TestClient(create_app(bot, settings_of(workers=2, waiting=1), page=False)) as client:
        ready(client)
        with ThreadPoolExecutor(4) as pool:

            def ask(_: int) -> int:
                return client.post("/api/ask", json={"question": "氟西汀"}).status_code

            working = [pool.submit(ask, n) for n in range(2)]
            for _ in working:
                assert bot.waiting.acquire(timeout=10)
            queued = pool.submit(ask, 2)
            service = client.app.state.service  # type: ignore[attr-defined]
            wait_until(lambda: service._workers.statistics().tasks_waiting == 1)
            refused = client.post("/api/ask", json={"question": "Is it busy?"})
            assert (refused.status_code, refused.json()["error"]) == (503, "busy")
            assert "Many people" in refused.json()["message"]
            assert int(refused.headers["retry-after"]) > 0
            crisis = client.post("/api/ask", json={"question": "我不想活了"})
            assert (crisis.status_code, crisis.json()["crisis"]) == (200, True)
            bot.gate.set()
            assert [f.result(20) for f in (*working, queued)] == [200, 200, 200]


# Feedback


def opinion(**values: Any) -> dict[str, Any]:
    return {"article": "msc-depression", "question": "氟西汀?", "sentences": [31], "verdict": "down", **values}


def test_verdict_is_kept_where_the_operator_asks_for_it(client: TestClient) -> None:
    assert client.post("/api/feedback", json=opinion(reason="right_but_no_answer")).json() == {"kept": True}


def test_verdict_on_a_crisis_is_not_kept(client: TestClient) -> None:
    assert client.post("/api/feedback", json=opinion(question="我不想活了")).json() == {"kept": False}


def test_verdict_is_refused_where_nobody_asked_for_it(bot: StandIn) -> None:
    with TestClient(create_app(bot, settings_of(), page=False)) as client:
        response = ready(client).post("/api/feedback", json=opinion())
        assert (response.status_code, response.json()["error"]) == (404, "feedback_off")


# The description


def test_example_of_the_description_quotes_the_article(article: Article) -> None:
    AnswerBody.model_validate(EXAMPLE)
    sentence = EXAMPLE["answer"]["sentences"][0]
    assert article.text[sentence["start"] : sentence["end"]] == sentence["quote"]
    assert EXAMPLE["article"]["sha256"] == article.sha256
    assert EXAMPLE["disclaimer"]["text"] == article.disclaimer_text


def test_description_has_examples_for_what_is_sent(client: TestClient) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert all(schemas[name]["examples"] for name in ("Question", "Opinion", "AnswerBody", "Problem"))


@pytest.mark.parametrize("lang", ["zh", "zh-Hant", "en"])
def test_page_for_developers_shows_calls_that_work(client: TestClient, lang: str) -> None:
    page = client.get("/api", params={"lang": lang}).text
    assert "openapi.json" in page
    assert "/api/ask" in page
    assert EXAMPLE["answer"]["sentences"][0]["quote"] in page
    assert "{{" not in page


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    feedback = tmp_path_factory.mktemp("described") / "feedback.sqlite"
    app = create_app(StandIn(), Settings(rate=PLENTY, feedback=feedback), page=False)
    with serving(app) as address:
        wait_until(lambda: app.state.service.open)
        yield address


GOOD, BAD = GenerationMode.POSITIVE, GenerationMode.NEGATIVE


@pytest.mark.parametrize(
    ("operation_id", "mode"),
    [
        ("healthz", GOOD),
        ("readyz", GOOD),
        *((name, mode) for name in ("ask", "article", "feedback") for mode in (GOOD, BAD)),
    ],
)
def test_api_keeps_every_promise_of_its_description(address: str, operation_id: str, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == 5
    operation = next(one for one in operations if one.definition.raw["operationId"] == operation_id)

    @settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def promise(case: Any) -> None:
        # A question without a letter or a digit is an empty one, which a schema cannot say.
        response = case.call()
        # Schemathesis does not take "too large" for a refusal.
        left_out = [positive_data_acceptance, *([negative_data_rejection] if response.status_code == 413 else [])]
        case.validate_response(response, excluded_checks=left_out)
        assert mode is BAD or response.status_code in (200, 400, 404)

    promise()
