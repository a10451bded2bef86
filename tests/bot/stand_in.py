"""The stand-in chatbot of the page's tests, which can also be held back or made to fail."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from bot.answer import Answer
from tests.browser.standin import StandInChatbot


class StandIn(StandInChatbot):
    """`gate`, when given, holds every answer to a reader back until it is set."""

    def __init__(self, gate: threading.Event | None = None) -> None:
        super().__init__()
        self.gate = gate
        self.waiting = threading.Semaphore(0)
        """Released once by each question that waits at the gate."""

    def ask(self, question: str, history: Sequence[str] = (), *, article: str | None = None) -> Answer:
        if self.gate is not None and question != self.articles[0].title:
            self.waiting.release()
            self.gate.wait(30)
        return super().ask(question, history, article=article)
