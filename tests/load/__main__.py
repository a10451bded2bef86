"""`make load`: readers in number, memory, SIGTERM and kill -9, on this machine; prints the table of RESULTS.md."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from bot.feedback import FeedbackStore
from tests.load.locustfile import BUSY, THINK_SECONDS, questions

ROOT = Path(__file__).parents[2]
USERS = (1, 10, 20, 50)
LONGEST = 10.0
"""Seconds after which an answer counts as a hang."""


@dataclass(frozen=True, slots=True)
class Server:
    process: subprocess.Popen[bytes]
    port: int

    def post(self, path: str, body: dict[str, Any], connection: http.client.HTTPConnection | None = None) -> int:
        """The status; OSError where there is no answer."""
        connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONGEST)
        connection.request("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        return response.status

    def memory(self) -> float:
        """MB that the process holds, what it only maps left out."""
        held = psutil.Process(self.process.pid).memory_info()
        return float(held.rss - held.shared) / 1e6

    def descriptors(self) -> int:
        return int(psutil.Process(self.process.pid).num_fds())

    def ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONGEST)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


@contextmanager
def serving(folder: Path, **more: str) -> Iterator[Server]:
    """`yuanwen serve` on a free port, without a limit of rate, ready to answer."""
    environment = {**os.environ, "YUANWEN_CACHE": str(folder / "cache"), "YUANWEN_LIBRARY": str(folder / "library")}
    environment |= {"YUANWEN_RATE": "1000000/second", "YUANWEN_PAGE_RATE": "1000000/second", **more}
    command = [sys.executable, "-m", "bot", "serve", "--no-open", "--port", "0"]
    with (folder / "serve.log").open("ab") as log:
        at = log.tell()
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log)
    try:
        port, server, limit = None, None, time.monotonic() + 180
        while server is None or not server.ready():
            if process.poll() is not None or time.monotonic() > limit:
                raise SystemExit(f"expected a server that is ready within 3 minutes; see {folder / 'serve.log'}")
            time.sleep(0.1)
            told = re.search(rb"http://localhost:(\d+)", (folder / "serve.log").read_bytes()[at:])
            port = int(told[1]) if told else None
            server = Server(process, port) if port else None
        yield server
    finally:
        process.kill()
        process.wait()


def readers(server: Server, users: int, seconds: int) -> dict[str, Any]:
    """One run of locust: answers a second, percentiles in milliseconds, readers told to come again, errors."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "stats"
        command = [sys.executable, "-m", "locust", "-f", str(Path(__file__).with_name("locustfile.py")), "--headless"]
        command += ["--host", f"http://127.0.0.1:{server.port}", "-u", str(users), "-r", str(max(users / 2, 1))]
        command += ["-t", f"{seconds}s", "--json-file", str(out), "--only-summary", "--loglevel", "ERROR"]
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        found = {entry["name"]: entry for entry in json.loads(out.with_suffix(".json").read_text())}
    stats, busy = found["/api/ask"], found.get(BUSY, {}).get("num_requests", 0)
    times = sorted((float(ms), count) for ms, count in stats["response_times"].items())

    def percentile(share: float) -> float:
        wanted, seen = share * sum(count for _, count in times), 0
        return next(ms for ms, count in times if (seen := seen + count) >= wanted)

    return {
        "users": users,
        "answers": stats["num_requests"],
        "per_second": stats["num_requests"] / max(stats["last_request_timestamp"] - stats["start_time"], 1),
        "p50": percentile(0.5),
        "p95": percentile(0.95),
        "p99": percentile(0.99),
        "longest": max(entry["max_response_time"] for entry in found.values()),
        "busy": busy,
        "errors": stats["num_failures"],
    }


def ask_many(server: Server, asked: Sequence[str], threads: int = 4) -> int:
    """Ask all of them as fast as answers come; how many did not get one."""
    failed = [0] * threads

    def work(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        for question in asked[number::threads]:
            failed[number] += server.post("/api/ask", {"question": question}, connection) != 200
        connection.close()

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(failed)


def growth(server: Server, total: int, bank: Sequence[str]) -> dict[str, Any]:
    """Memory and descriptors after a tenth of the questions, no two of them alike, and after all of them."""
    asked = [f"{question} {number}" for number, question in enumerate(random.Random(0).choices(bank, k=total))]
    failed = ask_many(server, asked[: total // 10])
    first, opened = server.memory(), server.descriptors()
    failed += ask_many(server, asked[total // 10 :])
    return {
        "asked": total,
        "failed": failed,
        "grown_mb": server.memory() - first,
        "held_mb": server.memory(),
        "descriptors": (opened, server.descriptors()),
    }


def terminated(server: Server, bank: Sequence[str]) -> tuple[int, float]:
    """How many of five answers in flight arrive after SIGTERM, and the seconds until the process has ended."""
    connections = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=LONGEST) for _ in range(5)]
    for connection, question in zip(connections, bank, strict=False):
        body = json.dumps({"question": question}).encode()
        connection.request("POST", "/api/ask", body, {"Content-Type": "application/json"})
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    answered = sum(connection.getresponse().status == 200 for connection in connections)
    server.process.wait(60)
    return answered, time.monotonic() - began


def killed(folder: Path, times: int, bank: Sequence[str]) -> tuple[int, int, int]:
    """Starts that got ready after each kill -9 under load, verdicts that were acknowledged, and those found after."""
    file, acknowledged, started = folder / "feedback.sqlite", [0], 0
    for _ in range(times):
        with serving(folder, YUANWEN_FEEDBACK=str(file)) as server:
            started += 1
            stop = threading.Event()

            def work(server: Server = server, stop: threading.Event = stop) -> None:
                verdict = {"article": "msc-depression", "sentences": [9], "verdict": "up"}
                try:
                    while not stop.is_set():
                        question = random.choice(bank)
                        server.post("/api/ask", {"question": question})
                        if server.post("/api/feedback", {**verdict, "question": question}) == 200:
                            acknowledged[0] += 1
                except (OSError, http.client.HTTPException):
                    return

            # One thread counts, so that the count needs no lock.
            worker = threading.Thread(target=work)
            worker.start()
            time.sleep(random.uniform(0.5, 2))
            server.process.kill()
            stop.set()
            worker.join()
    store = FeedbackStore(file)
    found = len(store.rows())
    store.close()
    return started, acknowledged[0], found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--seconds", type=int, default=30, help="for each number of readers")
    parser.add_argument("--questions", type=int, default=10_000, help="for the growth of memory")
    parser.add_argument("--kills", type=int, default=10)
    options = parser.parse_args()
    bank = [question for question in questions() if len(question) >= 8]
    random.Random(1).shuffle(bank)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine}, load average {os.getloadavg()[0]:.1f}")
    print(f"Readers who think {THINK_SECONDS:g} s between answer and question, {options.seconds} s each.\n")
    print("| readers | answers/s | p50 ms | p95 ms | p99 ms | longest ms | busy | errors |\n" + "|---" * 8 + "|")
    ok = True
    with tempfile.TemporaryDirectory(prefix="yuanwen-load-") as name:
        folder = Path(name)
        with serving(folder) as server:
            ask_many(server, bank[:50])
            alone = None
            for users in USERS:
                row = readers(server, users, options.seconds)
                alone = alone or row["p50"]
                print(
                    f"| {users} | {row['per_second']:.1f} | {row['p50']:.0f} | {row['p95']:.0f} | {row['p99']:.0f} "
                    f"| {row['longest']:.0f} | {row['busy']} | {row['errors']} of {row['answers']} |",
                    flush=True,
                )
                ok &= row["longest"] < LONGEST * 1000
                if users == 20:
                    ratio = row["p95"] / alone
                    ok &= row["errors"] == row["busy"] == 0 and ratio <= 20
            print(f"\np95 of 20 readers is {ratio:.1f} times the median of one (at most 20).")
            grown = growth(server, options.questions, bank)
            ok &= grown["grown_mb"] < 50 and grown["failed"] == 0
            ok &= grown["descriptors"][1] <= grown["descriptors"][0] + 5
            print(
                f"{grown['asked']} questions: {grown['failed']} failed; from the first tenth on memory grew by "
                f"{grown['grown_mb']:.1f} MB (under 50) to {grown['held_mb']:.0f} MB, "
                f"descriptors {grown['descriptors'][0]} to {grown['descriptors'][1]}.",
                flush=True,
            )
            answered, seconds = terminated(server, bank)
            ok &= answered == 5
            print(f"SIGTERM with 5 answers in flight: {answered} finished, stopped after {seconds:.1f} s.", flush=True)
        started, acknowledged, found = killed(folder, options.kills, bank)
        ok &= started == options.kills and found >= acknowledged
        print(
            f"kill -9 under load {options.kills} times: {started} starts got ready, "
            f"{acknowledged} verdicts acknowledged, {found} found."
        )
    print("\nAll bars met." if ok else "\nNot all bars met.")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
