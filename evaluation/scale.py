"""How cost, memory and recall grow with the number of passages: `python -m evaluation.scale [--data DIR]`.

Real passages as far as there are any, then passages put together from clauses of two of them each: real words in real
proportions and texts that share a subject, though no sense. Every size is built, opened, asked and added to through
the same functions as any library. Times are processor seconds of this process, and of the server's where `--pid` names
it; questions are made ready and retrieved, which is all that depends on the size.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import hashlib
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from bot.chatbot import ARTICLES, load_articles
from corpus.article import Article, parse
from corpus.language import search_key
from corpus.segment import JiebaTokenizer, Token, Tokenizer
from evaluation.benchmark import rows_of
from index.encoder import Encoder, FloatArray, IntArray, TokenTable, load_encoder, unit_rows
from index.retriever import Fusion, LocalRetriever
from index.store import Index, manifest_inputs, open_index

SIZES = (1_000, 10_000, 100_000, 1_000_000)
PER_ARTICLE = 20
QUESTIONS = 200
LENGTH = (90, 180)
"""Characters of a passage that is made up."""

_CLAUSE = re.compile(r"[^,;!?。、.]+[,;!?。、.]*")


class Piecewise:
    """The encoder and the tokenizer, each clause seen once: made-up passages repeat the clauses of real ones.

    For an encoder that adds token vectors up this is the same text vector, up to rounding; `deviation` says how much.
    """

    def __init__(self, encoder: Encoder, tokenizer: Tokenizer) -> None:
        if encoder.table is None:
            raise ValueError("expected an encoder with a token table, found one without; leave --encoder out")
        self._encoder, self._tokenizer = encoder, tokenizer
        self.table: TokenTable = encoder.table
        self.name, self.fingerprint, self.dim = encoder.name, encoder.fingerprint, encoder.dim
        self._clause = lru_cache(maxsize=None)(self._encode_clause)
        # Most made-up passages are one sentence, so that every text comes by twice.
        self._whole = lru_cache(maxsize=1 << 16)(self._encode_whole)
        self.search_terms = lru_cache(maxsize=1 << 16)(self._search_terms)
        self._clause_terms = lru_cache(maxsize=None)(tokenizer.search_terms)

    def encode_queries(self, texts: Sequence[str]) -> FloatArray:
        return self._encoder.encode_queries(texts)

    def encode_passages(self, texts: Sequence[str]) -> FloatArray:
        sums = [self._whole(text)[0] for text in texts]
        return unit_rows(np.array(sums, dtype=np.float32).reshape(len(texts), self.dim))

    def token_ids(self, texts: Sequence[str]) -> list[IntArray]:
        return [self._whole(text)[1] for text in texts]

    def tokens(self, text: str) -> list[Token]:
        return self._tokenizer.tokens(text)

    def _search_terms(self, text: str) -> list[str]:
        return [term for clause in _CLAUSE.findall(text) for term in self._clause_terms(clause)]

    def deviation(self, texts: Sequence[str]) -> float:
        """The smallest cosine between these vectors of some texts and the encoder's own."""
        own, whole = self.encode_passages(texts), self._encoder.encode_passages(texts)
        return float((own * whole).sum(axis=1).min())

    def _encode_whole(self, text: str) -> tuple[FloatArray, IntArray]:
        parts = [self._clause(clause) for clause in _CLAUSE.findall(text)]
        summed = np.zeros(self.dim, dtype=np.float32)
        for vector, _ in parts:
            summed += vector
        return summed, np.concatenate([np.empty(0, dtype=np.int32), *(ids for _, ids in parts)])

    def _encode_clause(self, clause: str) -> tuple[FloatArray, IntArray]:
        ids = self._encoder.token_ids([clause])[0]
        return self.table.weights[ids] @ self.table.vectors(ids), ids


def real_texts(data: Path | None) -> list[str]:
    """Passages of the benchmark, or else the shipped article's paragraphs and the questions of its bank."""
    if data is not None:
        names = ("drcd_dev", "cmrc_trial", "xquad")
        return [row["zh"] for name in names for row in rows_of(data / f"{name}_passages.jsonl")]
    [article] = load_articles(ARTICLES)
    bank = [question.text for question in article.questions if question.language == "zh"]
    joined = ["".join(bank[start : start + 8]) for start in range(0, len(bank), 8)]
    return [*(line for line in article.text.splitlines() if len(line) > 40), *joined]


def questions_on(data: Path | None) -> list[str]:
    if data is None:
        asked = [question.text for question in load_articles(ARTICLES)[0].questions]
    else:
        asked = [row["q_zh"] for row in rows_of(data / "drcd_dev_questions.jsonl")]
    return asked[:: max(1, len(asked) // QUESTIONS)][:QUESTIONS]


def articles_of(texts: Sequence[str]) -> Iterator[tuple[Article, int]]:
    """Articles without end, each with about how many passages it has: the real texts, then made-up ones."""
    for number, text in enumerate(texts):
        yield _article(f"real-{number}", [text]), max(1, len(text) // 150)
    random = Random(5)
    clauses = [[c.strip("，。；！？、,;!?“”「」") for c in re.split(r"(?<=[，。；！？,;!?])", text)] for text in texts]
    sources = [kept for own in clauses if len(kept := [c for c in own if 4 <= len(c) <= 40]) >= 4]
    number = 0
    while True:
        lines = [_made_up(random, sources) for _ in range(PER_ARTICLE)]
        yield _article(f"made-up-{number}", lines), PER_ARTICLE
        number += 1


def _made_up(random: Random, sources: Sequence[Sequence[str]]) -> str:
    mostly, partly = random.choice(sources), random.choice(sources)
    least = random.randint(*LENGTH)
    line = ""
    while len(line) < least:
        line += random.choice(mostly if random.random() < 0.7 else partly) + "，"
    return line[:-1] + "。"


def _article(name: str, lines: Sequence[str]) -> Article:
    text = "\n\n".join(lines)
    sections, sentences = parse(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Article(name, name, None, "zh-Hans", text, digest, sections, sentences, (1,))


@dataclass(frozen=True, slots=True)
class Measured:
    """One store at one size."""

    store: str
    passages: int
    build: float
    """Processor seconds to chunk, list words, save and index; encoding apart."""
    open: float
    """Processor seconds to check and map it."""
    add: float
    """Processor seconds that one more article takes, beyond opening."""
    bytes_here: float
    """On this machine's disk, a passage."""
    memory: float
    """MiB of private memory that the index and its retriever take here."""
    p50: float
    """Processor milliseconds to make a question ready and retrieve, here and in the server."""
    p99: float
    wall: float
    """Median milliseconds by the clock."""
    recall: float
    """Of the ten nearest by vectors, the share that is among the candidates."""


class Clock:
    """Processor seconds of this process and of one beside it."""

    def __init__(self, pid: int | None) -> None:
        self._stat = Path(f"/proc/{pid}/stat") if pid else None

    def beside(self) -> float:
        if self._stat is None:
            return 0.0
        parts = self._stat.read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")

    def __call__(self) -> float:
        return time.process_time() + self.beside()


@dataclass(frozen=True, slots=True)
class Bench:
    """What every store is measured with."""

    parts: Piecewise
    questions: tuple[str, ...]
    clock: Clock

    def open(self, articles: Sequence[Article], folder: Path, address: str | None) -> tuple[Index, float]:
        """The index, and the processor seconds that it took."""
        inputs = manifest_inputs(articles, self.parts, ())
        begun = self.clock()
        index = open_index(folder, articles, self.parts, self.parts, inputs, store=address)
        return index, self.clock() - begun

    def measure(
        self, name: str, address: str | None, articles: Sequence[Article], extra: Article, truth: list[set[str]]
    ) -> Measured:
        """Build, open, ask, add; `truth` is filled from a store whose vectors are here, and compared with."""
        with tempfile.TemporaryDirectory(prefix="yuanwen-scale-") as at:
            folder = Path(at)
            _, build = self.open(articles, folder, address)
            before = private_memory()
            index, opening = self.open(articles, folder, address)
            retriever = LocalRetriever(index, self.parts, self.parts)
            size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            total = len(index.lexical["passages"])
            times, walls = self.ask(retriever)
            memory = max(0.0, private_memory() - before)
            vectors = np.array([retriever.prepare(question).vector for question in self.questions])
            truth[:] = truth or exact(index, vectors)
            found = recall(index, vectors, truth)
            del index, retriever
            _, again = self.open(articles, folder, address)
            _, grown = self.open([*articles, extra], folder, address)
        return Measured(
            store=name,
            passages=total,
            build=build,
            open=opening,
            add=grown - again,
            bytes_here=size / total,
            memory=memory,
            p50=1000 * float(np.median(times)),
            p99=1000 * float(np.quantile(times, 0.99)),
            wall=1000 * float(np.median(walls)),
            recall=found,
        )

    def ask(self, retriever: LocalRetriever) -> tuple[NDArray[np.float64], list[float]]:
        """Processor seconds and seconds by the clock of each question."""
        for question in self.questions[:20]:
            retriever.retrieve(retriever.prepare(question))
        walls, times, beside = [], [], self.clock.beside()
        for question in self.questions:
            wall, cpu = time.perf_counter(), time.process_time()
            retriever.retrieve(retriever.prepare(question))
            walls.append(time.perf_counter() - wall)
            times.append(time.process_time() - cpu)
        # A process's clock ticks too coarsely for one question: each is given the same share of it.
        return np.array(times) + (self.clock.beside() - beside) / len(times), walls


def recall(index: Index, vectors: FloatArray, truth: Sequence[set[str]]) -> float:
    """Candidates of the store, put in order by their products, against all passages compared one by one."""
    shares = []
    for vector, best in zip(vectors, truth, strict=True):
        rows = np.sort(index.store.search(vector, Fusion().candidates))
        dense, _ = index.store.read(vector, rows)
        found = {index.passage(int(row)).id for row in rows[np.argsort(-dense)[: len(best)]]}
        shares.append(len(found & best) / len(best))
    return float(np.mean(shares))


def exact(index: Index, vectors: FloatArray, k: int = 10) -> list[set[str]]:
    """The k nearest passages of each vector, all compared."""
    scores = [
        segment.tables["passages"].vectors[start : start + 65_536].astype(np.float32) @ vectors.T
        for segment in index.segments
        for start in range(0, len(segment.places), 65_536)
    ]
    best = np.argpartition(-np.concatenate(scores), k, axis=0)[:k].T
    return [{index.passage(int(row)).id for row in rows} for rows in best]


def private_memory() -> float:
    """MiB that no file stands behind, once what was freed is given back."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # another C library than GNU's
        ctypes.CDLL(None).malloc_trim(0)
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) / 1024


def table(found: Sequence[Measured]) -> str:
    """In Markdown, with what a question costs against the same store at 10,000 passages."""
    base = {one.store: one.p50 for one in found if 5_000 < one.passages < 20_000}
    lines = [
        "| store | passages | build, CPU s | open, CPU s | one more article, CPU s | bytes a passage | private MiB "
        "| question, CPU ms p50 | p99 | times that at 10,000 | by the clock, ms | recall@10 |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one in found:
        ratio = f"{one.p50 / base[one.store]:.1f}" if one.store in base else ""
        lines.append(
            f"| {one.store} | {one.passages:,} | {one.build:.1f} | {one.open:.2f} | {one.add:.2f} "
            f"| {one.bytes_here:,.0f} | {one.memory:.0f} | {one.p50:.2f} | {one.p99:.2f} | {ratio} "
            f"| {one.wall:.1f} | {one.recall:.3f} |"
        )
    return "\n".join(lines)


def plot(found: Sequence[Measured], file: Path) -> None:
    """How a question's cost, recall and the size of the index grow."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.4), layout="constrained")
    panels = figure.subplots(1, 3)
    for panel, name, title in zip(
        panels,
        ("p50", "recall", "bytes_here"),
        ("CPU ms a question", "recall@10 before rerank", "bytes a passage on this disk"),
        strict=True,
    ):
        for store in dict.fromkeys(one.store for one in found):
            own = [one for one in found if one.store == store]
            panel.plot([one.passages for one in own], [getattr(one, name) for one in own], "o-", label=store)
        panel.set(xscale="log", xlabel="passages", title=title)
        panel.grid(alpha=0.3)
    panels[0].set_yscale("log")
    panels[0].legend()
    panels[1].set_ylim(0.9, 1.005)
    panels[2].set_ylim(bottom=0)
    figure.savefig(file, metadata={"Date": None})


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m evaluation.scale", description="Measure growth to a million.")
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of the benchmark, for real passages")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N", help="passages")
    parser.add_argument(
        "--store", metavar="ADDRESS", default=os.environ.get("YUANWEN_STORE"), help="Milvus beside FAISS"
    )
    parser.add_argument("--most", type=int, default=100_000, metavar="N", help="passages that Milvus is given at most")
    parser.add_argument("--pid", type=int, default=os.environ.get("YUANWEN_STORE_PID"), help="the server's process")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw the growth to this file")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure to this file as well")
    given = parser.parse_args(arguments)

    encoder, texts = load_encoder(), real_texts(given.data)
    parts = Piecewise(encoder, JiebaTokenizer())
    questions = tuple(questions_on(given.data))
    sample = [search_key(text) for text in texts[:200]]
    begun = time.process_time()
    encoder.encode_passages(sample)
    encoder.token_ids(sample)
    rate = sum(map(len, sample)) / (time.process_time() - begun)
    print(
        f"{len(texts):,} real texts of {sum(map(len, texts)):,} characters, the rest made up; "
        f"{len(questions)} questions. Vectors put together from clauses: cosine to the encoder's own at least "
        f"{parts.deviation(sample):.4f}. "
        f"Encoding itself, apart from all below: {rate:,.0f} characters a processor second.\n"
    )
    found = []
    for size in given.sizes:
        articles, count = [], 0
        stream = articles_of(texts)
        while count < size:
            article, passages = next(stream)
            articles.append(article)
            count += passages
        extra = next(one for one, _ in stream if one.id.startswith("made-up"))
        truth: list[set[str]] = []
        found.append(Bench(parts, questions, Clock(None)).measure("FAISS", None, articles, extra, truth))
        print(found[-1], file=sys.stderr, flush=True)
        if given.store and size <= given.most:
            bench = Bench(parts, questions, Clock(given.pid))
            found.append(bench.measure("Milvus", f"{given.store}_{size}", articles, extra, truth))
            print(found[-1], file=sys.stderr, flush=True)
    print(table(found))
    if given.plot:
        plot(found, given.plot)
    if given.json:
        given.json.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
