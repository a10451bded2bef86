"""A whole training run on pairs made up here: seconds, and the same bytes every time."""

import lzma
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from training.batches import Recipe
from training.export import Quantised
from training.prepare import Sizes
from training.probe import Reader
from training.run import Settings, run

WORDS = 60
ROWS = 500
RECIPE = Recipe(
    width=32,
    short_widths=(16,),
    batch=64,
    late_share=0.5,
    late_passages=16,
    second_phase=0.5,
)


def _dictionary() -> list[tuple[str, str]]:
    letters = random.Random(1)
    chinese = [chr(0x4E00 + 2 * i) + chr(0x6000 + 2 * i) for i in range(WORDS)]
    english = {"".join(letters.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(WORDS + 10)}
    return list(zip(chinese, sorted(english), strict=False))


def _write(folder: Path, name: str, rows: list[tuple[str, str]]) -> None:
    with lzma.open(folder / f"{name}.tsv.xz", "wt", encoding="utf-8") as file:
        file.writelines(f"{left}\t{right}\n" for left, right in rows)


def _sentences(count: int, seed: int) -> list[tuple[str, str]]:
    choice = random.Random(seed)
    dictionary = _dictionary()
    rows = []
    for _ in range(count):
        words = choice.sample(dictionary, 5)
        rows.append(("".join(w[0] for w in words) + "。", " ".join(w[1] for w in words) + "."))
    return rows


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    _write(folder, "jiyu_example_sentences", _sentences(ROWS, 2))
    _write(folder, "tatoeba_manythings", _sentences(ROWS // 2, 3))
    return folder


def _settings(data: Path, folder: Path) -> Settings:
    return Settings(
        data=data,
        out=folder / "model",
        work=folder / "work",
        steps=60,
        recipe=RECIPE,
        sizes=Sizes(rows=400, english_pieces=100),
        checkpoint_every=1000,
    )


@pytest.fixture(scope="module")
def model(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = _settings(data, tmp_path_factory.mktemp("run"))
    run(settings)
    return settings.out


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_run_learns_to_find_the_translation(model: Path) -> None:
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tensors = load_file(model / "model.safetensors")
    reader = Reader(tokenizer, tensors["embeddings"] * tensors["weights"][:, None])
    unseen = _sentences(100, 4)
    chinese, english = reader.bags([r[0] for r in unseen]), reader.bags([r[1] for r in unseen])
    for scores in (reader.dense(chinese, english), reader.late(english, chinese)):
        assert np.mean(scores.argmax(1) == np.arange(100)) > 0.9


def test_bytes_stand_for_the_vectors_within_half_a_step() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 32)).astype(np.float32) * np.arange(50)[:, None]
    vectors[7] = 0
    table = Quantised.of(vectors)
    assert not table.vectors()[[0, 7]].any()
    assert (np.abs(table.vectors() - vectors) <= table.scales[:, None] * 0.501 + 1e-6).all()


def test_lengths_are_those_of_the_rows(model: Path) -> None:
    tensors = load_file(model / "model.safetensors")
    vectors = tensors["embeddings"] * tensors["weights"][:, None]
    np.testing.assert_allclose(tensors["lengths"], np.linalg.norm(vectors, axis=1), rtol=1e-6)
    assert tensors["lengths"][0] == 0


def test_same_seed_gives_the_same_bytes(data: Path, model: Path, tmp_path: Path) -> None:
    run(_settings(data, tmp_path))
    assert _bytes(tmp_path / "model") == _bytes(model)


def test_another_seed_gives_another_table(data: Path, model: Path, tmp_path: Path) -> None:
    run(replace(_settings(data, tmp_path), seed=1))
    assert (tmp_path / "model" / "model.safetensors").read_bytes() != (model / "model.safetensors").read_bytes()


@pytest.mark.parametrize("stop", [20, 45, 57], ids=["first phase", "second phase", "last stretch"])
def test_resumed_run_ends_as_the_unbroken_one(data: Path, model: Path, tmp_path: Path, stop: int) -> None:
    run(replace(_settings(data, tmp_path), stop_after=stop))
    assert not (tmp_path / "model").exists()
    run(replace(_settings(data, tmp_path), resume=True))
    assert _bytes(tmp_path / "model") == _bytes(model)


def test_run_resumed_with_fewer_steps_still_ends_at_rest(data: Path, tmp_path: Path) -> None:
    settings = _settings(data, tmp_path)
    run(replace(settings, stop_after=20))
    run(replace(settings, resume=True, steps=30, stop_after=29))
    leg = torch.load(settings.work / "checkpoint.pt", weights_only=True)["leg"]
    assert leg == {"start": 20, "end": 30, "rate": pytest.approx(RECIPE.rate * 52 / 72)}


def test_finished_run_can_begin_again(data: Path, tmp_path: Path) -> None:
    settings = replace(_settings(data, tmp_path), steps=10, checkpoint_every=10)
    run(settings)
    run(replace(settings, resume=True, steps=14, rate_again=0.01, stop_after=12))
    leg = torch.load(settings.work / "checkpoint.pt", weights_only=True)["leg"]
    assert leg == {"start": 10, "end": 14, "rate": 0.01}


def test_checkpoint_of_another_run_is_refused(data: Path, tmp_path: Path) -> None:
    run(replace(_settings(data, tmp_path), stop_after=5))
    with pytest.raises(ValueError, match="start over without --resume"):
        run(replace(_settings(data, tmp_path), seed=7, resume=True))


def test_folder_without_pairs_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="--data"):
        run(_settings(tmp_path, tmp_path))
