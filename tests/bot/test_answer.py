"""An answer: one form for every surface."""

from __future__ import annotations

import dataclasses
import json

import pytest

from bot.answer import Answer, Citation, Reason, Status, distinct_passages
from bot.chatbot import Chatbot
from bot.messages import ERRORS, EVIDENCE, HOTLINE, MOUSE_FIRST, PAGE, REASONS, SMALL_TALK, WIDGET, say
from corpus.article import Evidence
from corpus.segment import Span


def citation(n: int, passage: str, span_score: float) -> Citation:
    return Citation(n, "a", n, "section", passage, Span(0, 1), 0.123456, span_score)


def test_cited_passages_come_best_first_and_once() -> None:
    cited = [citation(1, "one", 0.2), citation(2, "two", 0.9), citation(3, "one", 0.5)]
    assert distinct_passages(cited) == ["two", "one"]
    assert distinct_passages([]) == []


@pytest.fixture(scope="module")
def answer(chatbot: Chatbot) -> Answer:
    return chatbot.ask("How many people does MDD affect worldwide?")


def test_form_on_every_surface_is_plain_json(answer: Answer) -> None:
    held = answer.as_dict()
    assert json.loads(json.dumps(held, ensure_ascii=False)) == held
    assert list(held) == [
        "question", "question_lang", "status", "reason", "message", "answer", "citations", "related", "suggestions",
        "crisis", "hotline", "disclaimer", "article",
    ]  # fmt: skip
    assert list(held["answer"]["sentences"][0]) == [
        "id", "quote", "start", "end", "highlights", "translation", "evidence", "doubt",
    ]  # fmt: skip
    assert list(held["citations"][0]) == [
        "n", "article", "sentence_id", "section", "passage", "start", "end", "retrieval_score", "span_score",
    ]  # fmt: skip


def test_form_says_what_the_answer_says(answer: Answer, chatbot: Chatbot) -> None:
    held, text = answer.as_dict(), chatbot.articles[0].text
    assert held["status"] == "answered"
    assert held["reason"] is None
    for sentence in held["answer"]["sentences"]:
        assert text[sentence["start"] : sentence["end"]] == sentence["quote"]
    assert [c["sentence_id"] for c in held["citations"]] == [s["id"] for s in held["answer"]["sentences"]]
    assert held["article"]["sha256"] == chatbot.articles[0].sha256
    assert answer.text == "\n".join(s["quote"] for s in held["answer"]["sentences"])


def test_only_an_answer_with_quotes_is_not_an_abstention(answer: Answer) -> None:
    assert not answer.abstained
    assert dataclasses.replace(answer, status=Status.NO_ANSWER).abstained
    assert dataclasses.replace(answer, status=Status.SAFETY).abstained


def test_answer_cannot_be_changed(answer: Answer) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        answer.message = "other"  # type: ignore[misc]


STRINGS = {
    **{f"reason {k}": v for k, v in REASONS.items()},
    **{f"small talk {k}": v for k, v in SMALL_TALK.items()},
    **{f"evidence {k}": v for k, v in EVIDENCE.items()},
    **{f"error {k}": v for k, v in ERRORS.items()},
    **{f"page {k}": v for k, v in PAGE.items()},
    **{f"widget {k}": v for k, v in WIDGET.items()},
    "hotline": HOTLINE,
    "mouse": MOUSE_FIRST,
}


@pytest.mark.parametrize("name", STRINGS)
def test_every_string_is_there_in_every_language(name: str) -> None:
    string = STRINGS[name]
    assert set(string) == {"zh", "en"}
    assert all(value.strip() for value in string.values())
    assert not any("\u4e00" <= character <= "\u9fff" for character in string["en"])
    fields = [sorted(part.split("}")[0] for part in value.split("{")[1:]) for value in string.values()]
    assert fields[0] == fields[1]
    assert say(string, "zh-Hant")


def test_every_reason_and_label_has_its_string() -> None:
    assert set(REASONS) == set(Reason)
    assert set(EVIDENCE) == set(Evidence)


def test_traditional_script_is_converted_from_the_simplified() -> None:
    assert say(MOUSE_FIRST, "zh-Hant").startswith("以下結果來自小鼠實驗")
