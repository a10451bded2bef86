"""The measuring of speed and size: what is counted, not how fast this machine is."""

import json

import numpy as np
import pytest

from bot.chatbot import Chatbot
from evaluation.latency import _NOTHING, _OWN, Load, Stopwatch, index_size, rerank, stages, throughput
from index.retriever import LocalRetriever
from tests.tiny import TinyEncoder


def test_stopwatch_returns_what_it_times() -> None:
    clock = Stopwatch()
    assert clock("sum", sum, [1, 2]) == 3
    assert clock("sum", sum, range(200_000)) == 19_999_900_000
    assert len(clock.times["sum"]) == 2
    assert 0 <= min(clock.times["sum"]) < clock.median("sum") < max(clock.times["sum"])


def test_every_stage_is_timed_for_every_question(tiny_chatbot: Chatbot, tiny: TinyEncoder) -> None:
    clock = stages(tiny_chatbot, tiny, ["MSC是什么？", "What is CUMS?"])
    assert set(map(len, clock.times.values())) == {2}
    assert {"ask", "encoder alone", "reader", "passages"} <= set(clock.times)


def test_more_candidates_are_reranked(tiny_chatbot: Chatbot, tiny: TinyEncoder) -> None:
    clock = rerank(tiny_chatbot, tiny, ["小鼠的体重有什么变化？"])
    counts = [clock.median(f"{n} candidates") for n in (25, 50, 100, 200)]
    assert counts == sorted(counts)
    assert 25 <= counts[0] < counts[-1]


def test_throughput_counts_each_text(tiny: TinyEncoder) -> None:
    texts, queries = throughput(tiny, ["一二三", "four five"], 64)
    assert texts > 0
    assert queries > 0


def test_index_keeps_four_bytes_a_token_for_late_interaction(tiny_retriever: LocalRetriever) -> None:
    sizes = index_size(tiny_retriever)
    tables = [table for segment in tiny_retriever.index.segments for table in segment.tables.values()]
    tokens, rows = sum(len(table.ids) for table in tables), sum(len(table) for table in tables)
    assert 4 < sizes["token ids, all that late interaction keeps"] < 5
    assert sizes["one vector a text"] == pytest.approx(rows * 24 * 4 / tokens)


def test_shipped_encoder_loads_without_torch() -> None:
    bare, own = Load.of(_NOTHING, runs=1), Load.of(_OWN, runs=1)
    assert not own.torch
    assert bare.peak < own.peak
    assert np.isfinite(own.seconds)
    assert json.dumps(own.seconds)
