"""Readers' verdicts: nothing acknowledged is lost, nothing is kept longer than promised."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.feedback import Feedback, FeedbackStore

ROOT = Path(__file__).parents[2]
GIVEN = Feedback("msc-depression", "氟西汀?", (31, 36), "down", "right_but_no_answer")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "feedback.sqlite"


def test_what_is_added_is_read_back(path: Path) -> None:
    store = FeedbackStore(path)
    first, second = store.add(GIVEN), store.add(Feedback("a", "b", (), "up"))
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert store.rows() == [(first, today, GIVEN), (second, today, Feedback("a", "b", (), "up"))]
    store.close()
    assert next(row for _, _, row in FeedbackStore(path).rows()) == GIVEN


@pytest.mark.parametrize(("verdict", "reason"), [("meh", None), ("up", "because")])
def test_verdict_or_reason_that_is_not_offered_is_refused(verdict: str, reason: str | None) -> None:
    with pytest.raises(ValueError, match="expected a"):
        Feedback("a", "b", (), verdict, reason)  # type: ignore[arg-type]


def test_file_is_for_its_owner_alone(path: Path) -> None:
    FeedbackStore(path).add(GIVEN)
    assert [file.name for file in path.parent.iterdir() if file.stat().st_mode & 0o077] == []


def test_no_address_and_no_time_of_day_is_kept(path: Path) -> None:
    FeedbackStore(path).add(GIVEN)
    columns = [row[1] for row in sqlite3.connect(path).execute("PRAGMA table_info(feedback)")]
    assert columns == ["id", "day", "article", "question", "sentences", "verdict", "reason"]


def test_rows_are_gone_after_thirty_days(path: Path) -> None:
    store = FeedbackStore(path)
    now = datetime.now(UTC)
    for age in (0, 29, 30, 31, 400):
        store.add(Feedback("a", f"{age} days", (), "up"), day=now - timedelta(days=age))
    store.purge()
    assert [row.question for _, _, row in store.rows()] == ["0 days", "29 days", "30 days"]
    store.purge(now + timedelta(days=2))
    assert [row.question for _, _, row in store.rows()] == ["0 days"]


def test_opening_deletes_what_is_too_old(path: Path) -> None:
    store = FeedbackStore(path)
    store.add(GIVEN, day=datetime.now(UTC) - timedelta(days=20))
    store.close()
    assert FeedbackStore(path, keep_days=7).rows() == []


def test_deleted_rows_leave_no_trace_in_the_files(path: Path) -> None:
    store = FeedbackStore(path)
    ids = [store.add(Feedback("a", f"secret question {n}", (), "up")) for n in range(50)]
    assert store.delete(ids[:2]) == 2
    assert store.delete([10_000]) == 0
    assert len(store.rows()) == 48
    assert store.delete() == 48
    assert store.rows() == []
    for file in path.parent.iterdir():
        assert b"secret question" not in file.read_bytes(), file.name


def test_many_threads_lose_nothing(path: Path) -> None:
    store = FeedbackStore(path)
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda n: store.add(Feedback("a", str(n), (), "up")), range(200)))
    assert sorted(ids) == [row for row, _, _ in store.rows()]
    assert len(set(ids)) == 200


WRITER = """
import sys
from pathlib import Path
from bot.feedback import Feedback, FeedbackStore
store = FeedbackStore(Path(sys.argv[1]))
while True:
    print(store.add(Feedback("a", "q", (1,), "up")), flush=True)
"""


def test_twenty_kills_lose_no_acknowledged_row(path: Path) -> None:
    acknowledged: list[int] = []
    for moment in range(20):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        for _ in range(1 + moment):
            acknowledged.append(int(writer.stdout.readline()))
        threading.Event().wait(0.003 * moment)
        writer.kill()
        acknowledged += [int(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        writer.wait()
    store = FeedbackStore(path)
    kept = {row for row, _, _ in store.rows()}
    assert set(acknowledged) <= kept
    assert len(acknowledged) >= 210
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)
