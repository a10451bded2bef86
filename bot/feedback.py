"""Readers' verdicts on answers, kept only where the operator asks for it, in one SQLite file."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

Verdict = Literal["up", "down"]
FeedbackReason = Literal["wrong_quote", "right_but_no_answer", "wrongly_refused", "translation", "other"]

_TABLE = """
CREATE TABLE IF NOT EXISTS feedback (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    day TEXT NOT NULL,
    article TEXT NOT NULL,
    question TEXT NOT NULL,
    sentences TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('up', 'down')),
    reason TEXT
)
"""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a reader thinks of an answer: no address, no name, the day instead of the time."""

    article: str
    question: str
    sentences: tuple[int, ...]
    verdict: Verdict
    reason: FeedbackReason | None = None

    def __post_init__(self) -> None:
        if self.verdict not in get_args(Verdict):
            raise ValueError(f"expected a verdict among {get_args(Verdict)}, found {self.verdict!r}")
        if self.reason is not None and self.reason not in get_args(FeedbackReason):
            raise ValueError(f"expected a reason among {get_args(FeedbackReason)}, found {self.reason!r}")


class FeedbackStore:
    """An SQLite file in write-ahead mode; a row is on the disk when `add` returns, and gone after `keep_days`."""

    def __init__(self, path: Path, keep_days: int = 30) -> None:
        self._keep = timedelta(days=keep_days)
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute(_TABLE)
        self.purge()

    def add(self, feedback: Feedback, day: datetime | None = None) -> int:
        """Store one verdict and delete those that are too old; the new row's id."""
        self.purge()
        values = (
            f"{day or datetime.now(UTC):%Y-%m-%d}",
            feedback.article,
            feedback.question,
            json.dumps(feedback.sentences),
            feedback.verdict,
            feedback.reason,
        )
        with self._cursor() as cursor:
            cursor.execute(
                "INSERT INTO feedback (day, article, question, sentences, verdict, reason) VALUES (?, ?, ?, ?, ?, ?)",
                values,
            )
            return int(cursor.lastrowid or 0)

    def rows(self) -> list[tuple[int, str, Feedback]]:
        """Id, day and verdict of every row, oldest first."""
        with self._cursor() as cursor:
            found = cursor.execute(
                "SELECT id, day, article, question, sentences, verdict, reason FROM feedback ORDER BY id"
            ).fetchall()
        return [
            (row, day, Feedback(article, question, tuple(json.loads(sentences)), verdict, reason))
            for row, day, article, question, sentences, verdict, reason in found
        ]

    def delete(self, ids: Sequence[int] | None = None) -> int:
        """Delete these rows, or all of them, from the file and its journal; how many there were."""
        with self._cursor() as cursor:
            if ids is None:
                cursor.execute("DELETE FROM feedback")
                deleted = cursor.rowcount
            else:
                cursor.executemany("DELETE FROM feedback WHERE id = ?", [(number,) for number in ids])
                deleted = cursor.rowcount
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return deleted

    def purge(self, now: datetime | None = None) -> int:
        """Delete the rows that have been kept long enough; how many there were."""
        oldest = (now or datetime.now(UTC)) - self._keep
        with self._cursor() as cursor:
            cursor.execute("DELETE FROM feedback WHERE day < ?", (f"{oldest:%Y-%m-%d}",))
            deleted = cursor.rowcount
            if deleted:
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return deleted

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _cursor(self) -> Iterator[sqlite3.Cursor]:
        with self._lock:
            cursor = self._connection.cursor()
            try:
                yield cursor
            finally:
                cursor.close()
