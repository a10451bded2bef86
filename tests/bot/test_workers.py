"""Several processes behind one port: the same answers from the same files, whoever dies."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest

from bot.answer import Answer
from bot.chatbot import Chatbot, QuestionError, load_chatbot
from bot.workers import Workers
from tests.tiny import ROOT

QUESTIONS = ["全世界有多少抑郁症患者?", "Does it help mice?", "今天天气怎么样?", "我不想活了"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def workers(chatbot: Chatbot, shipped_cache: Path) -> Iterator[Workers]:
    made = Workers(partial(load_chatbot, chatbot.articles, cache=shipped_cache), chatbot.articles, 2)
    yield made
    made.close()


def test_each_question_is_answered_as_by_one_process(workers: Workers, chatbot: Chatbot) -> None:
    history = ["氟西汀和干细胞哪个好?"]
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda question: workers.ask(question, history), QUESTIONS * 3))
    for question, answer in zip(QUESTIONS * 3, answers, strict=True):
        assert_same(answer, chatbot.ask(question, history))


@pytest.mark.parametrize("question", ["", "长" * 1000])
def test_question_that_cannot_be_asked_is_refused_alike(workers: Workers, chatbot: Chatbot, question: str) -> None:
    with pytest.raises(QuestionError) as theirs:
        chatbot.ask(question)
    with pytest.raises(QuestionError) as ours:
        workers.ask(question)
    assert (ours.value.code, str(ours.value)) == (theirs.value.code, str(theirs.value))


def test_unknown_article_is_a_key_error(workers: Workers) -> None:
    with pytest.raises(KeyError):
        workers.ask("干细胞是什么?", article="nothing")


def test_processes_map_the_same_files_shared(workers: Workers) -> None:
    for question in QUESTIONS:
        workers.ask(question)
    end = time.monotonic() + 60
    mapped: list[set[tuple[str, str]]] = []
    # One process may have answered everything while the other was still loading.
    while len(mapped) != 2 or (mapped[0] != mapped[1] and time.monotonic() < end):
        mapped = [set(re.findall(r"r--s .* (\d+) +(/\S+\.npy)", _maps(pid))) for pid in workers.pids]
        threading.Event().wait(0.2)
    assert mapped[0] == mapped[1]
    assert any(file.endswith("sentences.vectors.npy") for _, file in mapped[0])


def test_process_that_is_killed_is_replaced(workers: Workers, chatbot: Chatbot) -> None:
    before = workers.pids
    old = list((workers._pool._processes or {}).values())
    os.kill(before[0], signal.SIGKILL)
    old[0].join(30)
    # The other one may answer before the loss is noticed.
    for _ in range(1000):
        assert_same(workers.ask(QUESTIONS[0]), chatbot.ask(QUESTIONS[0]))
        if set(workers.pids).isdisjoint(before):
            break
    assert set(workers.pids).isdisjoint(before)
    for process in old:
        process.join(30)
        assert process.exitcode is not None


def test_serve_answers_from_several_processes_on_one_port(shipped_cache: Path) -> None:
    """Started as people start it; its processes end with it, however it ends."""
    environment = {**os.environ, "YUANWEN_CACHE": str(shipped_cache), "YUANWEN_DEBUG": "1"}
    command = [sys.executable, "-m", "bot", "serve", "--workers", "2", "--port", "0", "--no-open"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr
            address = next(re.findall(r"http://\S+", line)[0] for line in server.stderr if "http://" in line)
            end = time.monotonic() + 120
            while httpx.get(f"{address}/readyz").status_code != 200:
                assert time.monotonic() < end
                threading.Event().wait(0.2)
            with ThreadPoolExecutor(4) as threads:
                body = {"question": QUESTIONS[0]}
                answers = list(threads.map(lambda _: httpx.post(f"{address}/api/ask", json=body, timeout=30), range(8)))
            assert {answer.status_code for answer in answers} == {200}
            assert len({answer.text for answer in answers}) == 1
            assert "<gradio-app" in httpx.get(address).text
            processes = [pid for pid in _children(server.pid) if "passages.vectors.npy" in _maps(pid)]
            assert len(processes) == 2
            descriptors = [os.pidfd_open(pid) for pid in processes]
        finally:
            server.kill()
    for descriptor in descriptors:
        assert select.select([descriptor], [], [], 20)[0], "a process outlives its server"
        os.close(descriptor)


def assert_same(answer: Answer, other: Answer) -> None:
    """Equal but for the scores' last digits, which a matrix product may round another way in another process."""
    assert _without_scores(answer) == _without_scores(other)
    assert _scores(answer) == pytest.approx(_scores(other), abs=1e-4)


def _without_scores(answer: Answer) -> Answer:
    return replace(answer, citations=tuple(replace(c, retrieval_score=0, span_score=0) for c in answer.citations))


def _scores(answer: Answer) -> list[float]:
    return [score for c in answer.citations for score in (c.retrieval_score, c.span_score)]


def _children(pid: int) -> list[int]:
    return [int(n) for task in Path(f"/proc/{pid}/task").iterdir() for n in (task / "children").read_text().split()]


def _maps(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
