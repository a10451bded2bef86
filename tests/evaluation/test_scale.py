"""Growth is measured through the same functions as any library, and against an exact search."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from corpus.passage import passages
from corpus.segment import JiebaTokenizer
from evaluation import scale
from evaluation.scale import Piecewise, articles_of, main, real_texts
from index.engines import faiss
from tests.tiny import TablelessEncoder, TinyEncoder


@pytest.fixture(scope="module")
def parts() -> Piecewise:
    return Piecewise(TinyEncoder(), JiebaTokenizer())


def test_vectors_and_tokens_of_clauses_are_those_of_the_whole(parts: Piecewise) -> None:
    encoder, texts = TinyEncoder(), real_texts(None)[:50]
    assert parts.deviation(texts) == pytest.approx(1, abs=1e-5)
    for ids, whole in zip(parts.token_ids(texts), encoder.token_ids(texts), strict=True):
        np.testing.assert_array_equal(ids, whole)


def test_encoder_without_token_vectors_is_refused() -> None:
    with pytest.raises(ValueError, match="token table"):
        Piecewise(TablelessEncoder(), JiebaTokenizer())


def test_made_up_passages_are_as_many_as_they_say_and_differ(parts: Piecewise) -> None:
    texts = real_texts(None)
    made = [(a, n) for a, n in islice(articles_of(texts), len(texts) + 20) if a.id.startswith("made-up")]
    held = [[p.text for p in passages(article, parts)] for article, _ in made]
    assert [len(own) for own in held] == [count for _, count in made]
    assert len({text for own in held for text in own}) == sum(map(len, held))


def test_growth_is_measured_and_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scale, "load_encoder", TinyEncoder)
    monkeypatch.setattr(scale, "QUESTIONS", 20)
    monkeypatch.setattr(faiss, "FLAT_ROWS", 2000)
    files = ["--plot", str(tmp_path / "scale.svg"), "--json", str(tmp_path / "scale.json")]
    address = f"milvus://{tmp_path}/passages.db/scale"
    assert main(["--sizes", "1500", "2500", "--store", address, "--most", "2000", *files]) == 0
    found = json.loads((tmp_path / "scale.json").read_text(encoding="utf-8"))
    assert [one["store"] for one in found] == ["FAISS", "Milvus", "FAISS"]
    assert [one["recall"] for one in found[:2]] == [1, 1]
    assert found[2]["recall"] > 0.8
    assert all(one["passages"] >= 1500 and one["p99"] >= one["p50"] > 0 for one in found)
    assert capsys.readouterr().out.count("\n| ") == 4
    assert "<svg" in (tmp_path / "scale.svg").read_text(encoding="utf-8")
