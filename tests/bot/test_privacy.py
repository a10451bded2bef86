"""Nothing leaves the machine and nothing is written down."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from bot.chatbot import Chatbot, QuestionError
from tests.tiny import ROOT

SECRET = "我的邻居林海明得了抑郁症,氟西汀有用吗?"

CUT_OFF = """
import json, socket, sys

asked = []

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request"):
        asked.append([event, repr(arguments)])
        raise OSError("the network is cut")

sys.addaudithook(refuse)
from pathlib import Path
from bot.chatbot import load_chatbot

bot = load_chatbot(cache=Path(sys.argv[1]))
answers = [bot.ask(question) for question in json.loads(sys.argv[2])]
heavy = [name for name in ("torch", "sentence_transformers", "gradio") if name in sys.modules]
print(json.dumps({"asked": asked, "heavy": heavy, "status": [a.status.value for a in answers]}))
"""


def test_loading_and_answering_ask_nothing_of_the_network(shipped_cache: Path, chatbot: Chatbot) -> None:
    questions = ["每年有多少人死于自杀?", "How many people does MDD affect worldwide?", "我不想活了"]
    command = [sys.executable, "-c", CUT_OFF, str(shipped_cache), json.dumps(questions)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["asked"] == []
    assert found["heavy"] == []
    assert found["status"] == ["answered", "answered", "safety"]


SERVED = """
import json, sys
asked = []

def refuse(event, arguments):
    if event in ("socket.connect", "socket.sendto") and arguments[1][0] not in ("127.0.0.1", "::1", "localhost"):
        asked.append([event, repr(arguments)])
        raise OSError("the network is cut")
    if event == "socket.getaddrinfo" and arguments[0] not in ("127.0.0.1", "localhost", None):
        asked.append([event, repr(arguments)])
        raise OSError("the network is cut")

sys.addaudithook(refuse)
from fastapi.testclient import TestClient
from bot.api import create_app
from tests.bot.stand_in import StandIn
from tests.bot.test_api import ready, settings_of

with TestClient(create_app(StandIn(), settings_of())) as client:
    ready(client)
    paths = ("/", "/config", "/embed", "/widget", "/api", "/healthz", "/theme.css")
    statuses = {client.get(path).status_code for path in paths}
    statuses.add(client.post("/api/ask", json={"question": "氟西汀"}).status_code)
print(json.dumps({"asked": asked, "statuses": sorted(statuses)}))
"""


def test_serving_the_page_asks_nothing_of_the_network() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SERVED], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"asked": [], "statuses": [200]}


@pytest.mark.parametrize("question", [SECRET, "Does my neighbour Linhaiming need it?", "我不想活了", "x" * 600])
def test_question_is_in_no_log_and_on_no_stream(
    tiny_chatbot: Chatbot, question: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        said = ""
        try:
            tiny_chatbot.ask(question, [question])
        except QuestionError as error:
            said = str(error)
    assert question not in said
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")


def test_question_is_in_no_file(tiny_chatbot: Chatbot) -> None:
    opened: list[str] = []
    watching = True

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event == "open" and any(c in str(arguments[1]) for c in "wax+"):
            opened.append(str(arguments))

    sys.addaudithook(watch)
    tiny_chatbot.ask(SECRET, ["林海明是谁?"])
    watching = False
    assert opened == []
