"""Several processes that answer from one index, behind the one that has the port, the page, its queue and the limits.

Gradio keeps a reader's queue in the process that the reader joined, and limits count in one process: so one process
listens, and what costs time, answering, is done by the others, which map the same files.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from bot.answer import Answer
from bot.chatbot import Chatbot, QuestionError
from corpus.article import Article

T = TypeVar("T")

_chatbot: Chatbot


class Workers:
    """Asks whichever process is free; one that dies is replaced, and its question asked again."""

    def __init__(self, load: Callable[[], Chatbot], articles: Sequence[Article], count: int) -> None:
        self.articles = tuple(articles)
        self._load, self._count = load, count
        self._lock = threading.Lock()
        self._pool = self._start()
        for ready in [self._pool.submit(os.getpid) for _ in range(count)]:
            ready.result()

    def ask(self, question: str, history: Sequence[str] = (), *, article: str | None = None) -> Answer:
        """As `Chatbot.ask`."""
        answer = self._run(_ask, question, tuple(history), article)
        if isinstance(answer, Answer):
            return answer
        raise QuestionError(*answer)

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(self._pool._processes)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _run(self, call: Callable[..., T], *arguments: object) -> T:
        pool = self._pool
        try:
            return pool.submit(call, *arguments).result()
        except BrokenProcessPool:
            with self._lock:
                if self._pool is pool:
                    # The others ignore the signal that they are sent, and may wait for a lock that died with this one.
                    for process in list((pool._processes or {}).values()):
                        process.kill()
                    self._pool = self._start()
            return self._pool.submit(call, *arguments).result()

    def _start(self) -> ProcessPoolExecutor:
        # Spawned, for the server has threads by now, which a fork would not survive.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._count, context, initializer=_begin, initargs=(self._load,))


def _begin(load: Callable[[], Chatbot]) -> None:
    """Load the chatbot, and end when the parent does, however it ends."""
    global _chatbot
    # Ctrl-C and service managers tell every process at once to stop: the parent first lets answers be finished.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _chatbot = load()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _ask(question: str, history: tuple[str, ...], article: str | None) -> Answer | tuple[str, str]:
    """The answer, or what a QuestionError is made of."""
    try:
        return _chatbot.ask(question, history, article=article)
    except QuestionError as error:
        return error.code, str(error)
