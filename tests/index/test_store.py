"""The saved index: built once, checked against its manifest at every start, never served stale or damaged."""

from __future__ import annotations

import ast
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import bot.chatbot
from bot.chatbot import load_chatbot
from corpus.article import Article, load_article, parse
from corpus.passage import passages
from corpus.segment import JiebaTokenizer
from index import store
from index.engines.faiss import FaissEngine
from index.segment import Segment
from index.store import Index, IndexDamagedError, file_hash, manifest_inputs, open_index, verify
from tests.index.building import build
from tests.tiny import QUESTIONS, ROOT, TEXT, TinyEncoder, translations, write_article

Open = Callable[..., tuple[Index, list[str]]]


@cache
def tokenizer_of(dictionary: tuple[str, ...]) -> JiebaTokenizer:
    """Kept, since jieba takes a second to read its dictionary."""
    return JiebaTokenizer(dictionary)


@pytest.fixture
def open_lighthouse(tmp_path: Path) -> Open:
    """Open the index of the lighthouse, its files changed as given; returns the index and what was said."""

    def opened(
        changes: dict[str, str | None] | None = None, seed: int = 7, dictionary: Sequence[str] = (), **more: str
    ) -> tuple[Index, list[str]]:
        article = load_article(write_article(tmp_path / "lighthouse", changes))
        encoder, said = TinyEncoder(seed=seed), list[str]()
        inputs = manifest_inputs((article,), encoder, dictionary, more)
        tokenizer = tokenizer_of(tuple(dictionary))
        return open_index(tmp_path / "index", (article,), encoder, tokenizer, inputs, say=said.append), said

    return opened


def place(tmp_path: Path) -> Path:
    """The one saved index."""
    [found] = [p for p in (tmp_path / "index").iterdir() if p.is_dir()]
    return found


def segment(tmp_path: Path) -> Path:
    """Its one segment."""
    [found] = [p for p in place(tmp_path).iterdir() if p.is_dir()]
    return found


def test_index_is_built_on_first_use_and_loaded_ever_after(open_lighthouse: Open, tmp_path: Path) -> None:
    _, said = open_lighthouse()
    assert said == ["There is no index yet: building it."]
    before = file_hash(place(tmp_path) / "manifest.json")
    _, said = open_lighthouse()
    assert said == []
    assert file_hash(place(tmp_path) / "manifest.json") == before


def test_manifest_names_every_file_and_everything_it_was_made_from(open_lighthouse: Open, tmp_path: Path) -> None:
    index, _ = open_lighthouse()
    folder = place(tmp_path)
    files = [str(file.relative_to(folder)) for file in folder.glob("*/*")]
    assert dict(index.manifest["files"]) == {name: file_hash(folder / name) for name in files}
    assert set(index.manifest["inputs"]) == {
        "article lighthouse", "encoder", "chunking rule", "classifier rule",
        "dictionary", "metric", "software", "store",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"changes": {"article.md": TEXT.replace("七十岁", "八十岁")}}, "article lighthouse"),
        ({"changes": {"translation.en.tsv": translations(TEXT).replace("sentence 4", "4")}}, "article lighthouse"),
        ({"changes": {"questions.tsv": QUESTIONS.replace("\t8", "\t7")}}, "article lighthouse"),
        ({"changes": {"glossary.tsv": None}}, "article lighthouse"),
        ({"seed": 8}, "encoder"),
        ({"dictionary": ["守塔人"]}, "dictionary"),
        ({"reader": "other weights"}, "reader"),
    ],
)  # fmt: skip
def test_change_is_noticed_named_and_rebuilt(open_lighthouse: Open, changes: dict[str, object], named: str) -> None:
    open_lighthouse()
    _, said = open_lighthouse(**changes)
    what = "bringing it up to date" if named.startswith("article") else "building it again"
    assert said == [f"The saved index is stale (changed: {named}): {what}."]
    assert open_lighthouse(**changes)[1] == []


def test_changed_chunking_is_noticed(open_lighthouse: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    open_lighthouse()
    monkeypatch.setattr("index.store.CHUNKING", "another rule")
    _, said = open_lighthouse()
    assert said == ["The saved index is stale (changed: chunking rule): building it again."]


def test_changed_reader_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_article(tmp_path / "articles" / "lighthouse")
    monkeypatch.setattr(bot.chatbot, "load_encoder", lambda name: TinyEncoder())
    load_chatbot(tmp_path / "articles", cache=tmp_path / "index")
    model = tmp_path / "reader.json"
    model.write_bytes(bot.chatbot.READER_MODEL.read_bytes() + b" ")
    monkeypatch.setattr(bot.chatbot, "READER_MODEL", model)
    said: list[str] = []
    load_chatbot(tmp_path / "articles", cache=tmp_path / "index", say_line=said.append)
    assert said == ["The saved index is stale (changed: reader): building it again."]


def test_every_changed_character_of_the_article_is_noticed(open_lighthouse: Open) -> None:
    """One in six of them, to save time; the hash of the article is in the manifest."""
    index, _ = open_lighthouse()
    known = index.manifest["inputs"]
    for at in range(0, len(TEXT), 6):
        if TEXT[at].isalnum():
            text = TEXT[:at] + "改" + TEXT[at + 1 :]
            assert load_hash(text) != known["article lighthouse"], text[at - 3 : at + 3]


def load_hash(text: str) -> str:
    from corpus.article import parse

    sections, sentences = parse(text, ("说明",))
    article = Article("lighthouse", "", None, "zh-Hans", text, "", sections, sentences, (1,))
    return manifest_inputs((article,), TinyEncoder(), ())["article lighthouse"]


def test_saved_tables_hold_every_text_in_order(open_lighthouse: Open) -> None:
    index, _ = open_lighthouse()
    [held] = index.segments
    assert {kind: len(table) for kind, table in held.tables.items()} == {
        "passages": len(index.passages),
        "sentences": 12,
        "translations": 12,
        "questions": 6,
    }
    encoder = TinyEncoder()
    rows = [sentence.text for _, sentence in index.sentences]
    np.testing.assert_allclose(held.tables["sentences"].vectors, encoder.encode_passages(rows), atol=1e-6)
    assert [q.text for _, q in index.questions[4:]] == ["灯塔的造价是多少?", "How much did the lighthouse cost?"]


def test_progress_counts_to_the_end(lighthouse: Article, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    encoder, tokenizer = TinyEncoder(), tokenizer_of(())
    inputs = manifest_inputs((lighthouse,), encoder, ())
    open_index(tmp_path, (lighthouse,), encoder, tokenizer, inputs, lambda *step: seen.append(step))
    done = [done for _, done, _ in seen]
    total = 12 + 12 + 2 * 6 + len(passages(lighthouse, tokenizer))  # questions are encoded, and then learned from
    assert done == sorted(done)
    assert seen[-1][1:] == (total, total)


def test_flipped_bit_in_any_file_is_never_served(open_lighthouse: Open, tmp_path: Path) -> None:
    index, _ = open_lighthouse()
    folder = place(tmp_path)
    assert verify(folder) == index.manifest
    files = [folder / "manifest.json", *sorted(segment(tmp_path).iterdir())]
    chance = random.Random(200)
    for number in range(200):
        file = files[number % len(files)]
        data = file.read_bytes()
        bit = chance.randrange(8 * len(data))
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        file.write_bytes(flipped)
        with pytest.raises(IndexDamagedError, match=r"manifest"):
            verify(folder)
        file.write_bytes(data)
    verify(folder)


@pytest.mark.parametrize("file", ["passages.vectors.npy", "members.json", "questions.ids.npy", "manifest.json"])
@pytest.mark.parametrize("harm", ["cut short", "emptied", "removed", "flipped"])
def test_damaged_index_is_rebuilt_with_one_line_saying_why(
    open_lighthouse: Open, tmp_path: Path, file: str, harm: str
) -> None:
    whole, _ = open_lighthouse()
    path = (place(tmp_path) if file == "manifest.json" else segment(tmp_path)) / file
    data = path.read_bytes()
    path.unlink()
    if harm != "removed":
        flipped = bytes([data[0] ^ 4]) + data[1:]
        path.write_bytes({"cut short": data[:-1], "emptied": b"", "flipped": flipped}[harm])
    index, said = open_lighthouse()
    assert len(said) == 1
    assert said[0].startswith("The saved index is damaged (")
    assert file in said[0]
    assert said[0].endswith("): building it again.")
    assert index.manifest == whole.manifest
    assert open_lighthouse()[1] == []


def test_file_that_the_manifest_does_not_list_is_damage(open_lighthouse: Open, tmp_path: Path) -> None:
    open_lighthouse()
    folder = segment(tmp_path)
    (folder / "more.npy").write_bytes(b"x")
    assert open_lighthouse()[1] == [
        f"The saved index is damaged ({folder.name}/more.npy does not match the manifest): building it again."
    ]


def test_two_builds_give_the_same_bytes(open_lighthouse: Open, tmp_path: Path) -> None:
    first, _ = open_lighthouse()
    shutil.rmtree(tmp_path / "index")
    second, _ = open_lighthouse()
    assert first.manifest == second.manifest


def program(*arguments: object) -> object:
    """What `tests.index.building` prints."""
    command = [sys.executable, "-m", "tests.index.building", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_build_killed_at_twenty_moments_leaves_the_old_index_or_the_new(tmp_path: Path) -> None:
    first = tmp_path / "first"
    write_article(first / "lighthouse")
    old, _ = build(first, seed=1)
    shutil.copytree(first, tmp_path / "0")
    assert program("die", tmp_path, 0) == {"0": False}
    count = int((tmp_path / "0" / "moments").read_text(encoding="utf-8"))
    assert count > 40
    moments = sorted({1 + number * (count - 1) // 19 for number in range(20)})
    for moment in moments:
        shutil.copytree(first, tmp_path / str(moment))
    assert program("die", tmp_path, *moments) == {str(moment): 9 for moment in moments}
    new, _ = build(tmp_path / "0", seed=2)
    [new_name] = [path.name for path in (tmp_path / "0" / "index").iterdir() if path.is_dir()]
    [old_name] = [path.name for path in (first / "index").iterdir() if path.is_dir()]
    states = []
    for moment in moments:
        folder = tmp_path / str(moment)
        found = {path.name for path in (folder / "index").glob("[!.]*") if path.is_dir()}
        assert found <= {old_name, new_name}
        states.append((sound(folder / "index" / old_name, old), sound(folder / "index" / new_name, new)))
        if new_name in found:
            verify(folder / "index" / new_name)
        index, said = build(folder, seed=2)
        assert index.manifest == new.manifest
        assert len(said) == (0 if states[-1][1] else 1)
    assert all(before or after for before, after in states)
    assert (True, False) in states
    assert states[-1][1]


def test_change_killed_at_twenty_moments_leaves_the_old_index_or_the_new(tmp_path: Path) -> None:
    first = tmp_path / "first"
    write_article(first / "lighthouse")
    build(first, 1)
    shutil.copytree(first, tmp_path / "0")
    assert program("die-adding", tmp_path, 0) == {"0": False}
    count = int((tmp_path / "0" / "moments").read_text(encoding="utf-8"))
    moments = sorted({1 + number * (count - 1) // 19 for number in range(20)})
    for moment in moments:
        shutil.copytree(first, tmp_path / str(moment))
    assert program("die-adding", tmp_path, *moments) == {str(moment): 9 for moment in moments}
    new, _ = build(tmp_path / "0", 1, ("lighthouse", "beacon"))
    for moment in moments:
        [found] = [path for path in (tmp_path / str(moment) / "index").iterdir() if path.is_dir()]
        verify(found)
        index, _ = build(tmp_path / str(moment), 1, ("lighthouse", "beacon"))
        assert index.places.keys() == {"lighthouse", "beacon"}
        assert index.manifest["inputs"] == new.manifest["inputs"]
        assert {p.text for p in index.passages} == {p.text for p in new.passages}
        rows = sorted(index.store.search(np.ones(24, dtype=np.float32), 100).tolist())
        assert rows == list(range(len(new.passages)))


def fleet(count: int) -> list[Article]:
    """Articles of one passage each."""
    found = []
    for number in range(count):
        text = f"第{number}号船的主人是渔民{number},他的船每天清早五点出海,傍晚六点回港,船上有三张网和一盏灯。"
        sections, sentences = parse(text)
        found.append(Article(f"boat-{number}", "", None, "zh-Hans", text, "", sections, sentences, (1,)))
    return found


def test_many_small_additions_leave_few_segments(tmp_path: Path) -> None:
    encoder, tokenizer, articles = TinyEncoder(), tokenizer_of(()), fleet(70)
    for count in range(1, len(articles) + 1):
        held = articles[:count]
        index = open_index(tmp_path, held, encoder, tokenizer, manifest_inputs(held, encoder, ()))
        sizes = [len(segment.places) for segment in index.segments]
        assert sum(sizes) == count
        assert all(size > store.TIER * sum(sizes[n + 1 :]) for n, size in enumerate(sizes[:-1]))
    assert [index.passage(row).article for row in range(70)] == [article.id for article in articles]


def test_rows_of_articles_that_are_gone_are_dropped_before_they_are_many(tmp_path: Path) -> None:
    encoder, tokenizer, articles = TinyEncoder(), tokenizer_of(()), fleet(40)
    for gone in range(38):
        held = articles[gone:]
        index = open_index(tmp_path, held, encoder, tokenizer, manifest_inputs(held, encoder, ()))
        rows = sum(len(segment.places) for segment in index.segments)
        assert (rows - len(held)) * store.TIER < len(held) or rows == len(held)
        assert {index.passage(int(row)).article for row in index.store.search(np.ones(24, dtype=np.float32), 99)} == {
            article.id for article in held
        }


def test_folders_of_others_beside_the_index_are_left_alone(open_lighthouse: Open, tmp_path: Path) -> None:
    other = tmp_path / "index" / "photographs"
    other.mkdir(parents=True)
    open_lighthouse()
    open_lighthouse(seed=8)
    assert other.is_dir()
    assert len([path for path in (tmp_path / "index").iterdir() if path.is_dir()]) == 2


def sound(place: Path, index: Index) -> bool:
    try:
        return verify(place) == index.manifest
    except IndexDamagedError:
        return False


def test_four_builders_at_once_build_once_and_load_the_same(tmp_path: Path) -> None:
    write_article(tmp_path / "lighthouse")
    builders = program("together", tmp_path, 4)
    assert isinstance(builders, list)
    assert sorted(len(b["said"]) for b in builders) == [0, 0, 0, 1]
    assert all(b["files"] == builders[0]["files"] for b in builders)


def sources() -> list[Path]:
    return [file for part in ("bot", "corpus", "index", "evaluation") for file in sorted((ROOT / part).rglob("*.py"))]


@pytest.mark.parametrize("file", sources(), ids=lambda file: str(file.relative_to(ROOT)))
def test_nothing_is_unpickled(file: Path) -> None:
    unsafe = {"pickle", "cPickle", "marshal", "shelve", "joblib", "dill", "cloudpickle"}
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not unsafe & {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in unsafe
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("np.load", "numpy.load"):
            assert "allow_pickle=False" in ast.unparse(node)
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in ("torch.load", "eval", "exec")


def test_array_that_holds_a_pickle_is_refused(open_lighthouse: Open, tmp_path: Path) -> None:
    open_lighthouse()
    folder = segment(tmp_path)
    np.save(folder / "places.npy", np.array([{"not": "numbers"}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"[Oo]bject"):
        Segment.load(folder, FaissEngine().table(folder))
