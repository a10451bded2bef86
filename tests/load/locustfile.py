"""Readers who ask, think and ask again; run by `make load`."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from locust import HttpUser, constant, events, task

THINK_SECONDS = 1.0
"""Between an answer and the next question of the same reader."""

BUSY = "busy"

BANK = Path(__file__).parents[2] / "corpus" / "articles" / "msc-depression"


def questions() -> list[str]:
    """What the article is known to be asked, and what it is known not to answer."""
    found = []
    for name in ("questions.tsv", "gaps.tsv"):
        with (BANK / name).open(encoding="utf-8", newline="") as file:
            found += [row["question"] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
    return found


@events.test_start.add_listener
def only_this_machine(environment: Any, **kwargs: Any) -> None:
    host = urlsplit(environment.host or "").hostname
    if host not in ("127.0.0.1", "localhost", "::1"):
        environment.runner.quit()
        raise SystemExit(f"expected a server on this machine, found {host!r}; next: --host http://127.0.0.1:7860")


class Reader(HttpUser):
    wait_time = constant(THINK_SECONDS)

    def on_start(self) -> None:
        self.questions = questions()
        self.earlier: list[str] = []

    @task
    def ask(self) -> None:
        question = random.choice(self.questions)
        body = {"question": question, "history": self.earlier[-2:]}
        self.earlier.append(question)
        with self.client.post("/api/ask", json=body, timeout=15, catch_response=True) as response:
            if response.status_code in (429, 503):
                # Told honestly to come again: counted apart from answers and from errors.
                response.request_meta["name"] = BUSY
                response.success()
            elif response.status_code != 200:
                response.failure(f"status {response.status_code}")
            elif not response.json()["disclaimer"]["text"]:
                response.failure("no disclaimer")
