"""What every store has to do, on each: FAISS searched row by row and in lists, Milvus as a file and as a server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymilvus import MilvusException

from corpus.article import Article, load_article, parse
from corpus.segment import JiebaTokenizer
from index import store as stores
from index.engines import faiss as faiss_engine
from index.retriever import Hit, LocalRetriever
from index.segment import StoreError
from index.store import Index, manifest_inputs, open_index
from tests.milvus import MilvusServer, UnavailableError
from tests.tiny import ROOT, TinyEncoder, write_article

ENCODER = TinyEncoder()
QUESTIONS = ["灯塔有多高?", "第3号船什么时候出海?", "how old is the keeper", "渔民7"]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusServer]:
    """One server for the whole run."""
    try:
        made = MilvusServer(tmp_path_factory.mktemp("milvus"))
        made.start()
    except UnavailableError as error:
        pytest.skip(str(error))
    yield made
    made.kill()


@dataclass(frozen=True, slots=True)
class Case:
    """A store of its own for one test, and the folder for what is kept here."""

    folder: Path
    address: str | None

    def open(self, articles: tuple[Article, ...], place: str = "here", **more: Any) -> Index:
        inputs = manifest_inputs(articles, ENCODER, ())
        return open_index(self.folder / place, articles, ENCODER, TOKENIZER, inputs, store=self.address, **more)

    def retriever(self, articles: tuple[Article, ...], place: str = "here") -> LocalRetriever:
        return LocalRetriever(self.open(articles, place), ENCODER, TOKENIZER)


TOKENIZER = JiebaTokenizer()


@pytest.fixture(params=["flat", "lists", "file", "server"])
def case(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    if request.param == "lists":
        monkeypatch.setattr(faiss_engine, "FLAT_ROWS", 60)
        monkeypatch.setattr("index.segment.HALF_PRECISION", 60)
    addresses: dict[str, Callable[[], str | None]] = {
        "flat": lambda: None,
        "lists": lambda: None,
        "file": lambda: f"milvus://{tmp_path}/passages.db/contract",
        "server": lambda: request.getfixturevalue("server").address(f"c{abs(hash(tmp_path.name))}"),
    }
    return Case(tmp_path, addresses[request.param]())


def boats(count: int, of: str = "boats") -> Article:
    """An article of so many passages."""
    text = f"# {of}的船\n\n" + "\n\n".join(
        f"## 第{n}号船\n\n第{n}号船的主人是渔民{n},船长{3 + n % 7}米,每天{n % 24}点出海。"
        + f"船上有{n * 7 % 31}张网。" * 3
        for n in range(count)
    )
    sections, sentences = parse(text)
    return Article(of, of, None, "zh-Hans", text, of, sections, sentences, (len(sentences),))


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Article:
    return load_article(write_article(tmp_path_factory.mktemp("articles") / "lighthouse"))


def found(retriever: LocalRetriever, question: str, article: str | None = None) -> list[Hit]:
    return retriever.retrieve(retriever.prepare(question), 20, article)


def assert_alike(one: LocalRetriever, other: LocalRetriever, question: str, article: str | None = None) -> None:
    """The same passages with the same scores; equal scores may change places."""
    hits, others = found(one, question, article), found(other, question, article)
    np.testing.assert_allclose(
        [hit.retrieval_score for hit in hits], [hit.retrieval_score for hit in others], atol=2e-3
    )
    assert {hit.passage for hit in hits[:10]} <= {hit.passage for hit in others}


@pytest.fixture(scope="module")
def plain() -> Callable[[tuple[Article, ...]], LocalRetriever]:
    """Everything in memory and compared row by row: what the others have to find."""

    def made(articles: tuple[Article, ...]) -> LocalRetriever:
        held = [passage for article in articles for passage in stores.passages(article, TOKENIZER)]
        return LocalRetriever(Index.build(articles, held, ENCODER, TOKENIZER), ENCODER, TOKENIZER)

    return made


Plain = Callable[[tuple[Article, ...]], LocalRetriever]


def test_hits_are_those_of_an_exact_search(case: Case, keeper: Article, plain: Plain) -> None:
    articles = (keeper, boats(90), boats(40, "ships"))
    retriever = case.retriever(articles)
    for question in QUESTIONS:
        assert_alike(retriever, plain(articles), question)


def test_search_keeps_to_one_article(case: Case, keeper: Article, plain: Plain) -> None:
    articles = (boats(90), keeper, boats(40, "ships"))
    retriever = case.retriever(articles)
    for article in articles:
        for question in QUESTIONS:
            assert {hit.passage.article for hit in found(retriever, question, article.id)} == {article.id}
            assert_alike(retriever, plain(articles), question, article.id)


def test_token_ids_and_products_are_those_of_the_encoder(case: Case, keeper: Article) -> None:
    index = case.open((boats(70), keeper))
    rows = np.array([0, 5, 6, 69, len(index.passages) - 1])
    vector = ENCODER.encode_queries(["灯塔"])[0]
    dense, tokens = index.store.read(vector, rows)
    keys = [key_of(index, int(row)) for row in rows]
    np.testing.assert_allclose(dense, ENCODER.encode_passages(keys) @ vector, atol=2e-3)
    ends = [*tokens.begins[1:], len(tokens.ids)]
    for ids, begin, end in zip(ENCODER.token_ids(keys), tokens.begins, ends, strict=True):
        np.testing.assert_array_equal(tokens.ids[begin:end], ids)


def key_of(index: Index, row: int) -> str:
    from corpus.language import search_key
    from index.segment import context_of

    passage = index.passage(row)
    article = next(article for article in index.articles if article.id == passage.article)
    return search_key(f"{context_of(article, article.sentence(passage.sentences[0]))} {passage.text}")


def test_change_encodes_only_what_changed_and_finds_what_a_new_build_finds(
    case: Case, keeper: Article, plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = boats(90), boats(80)
    case.open((old, keeper))
    encoded: list[str] = []
    monkeypatch.setattr(TinyEncoder, "encode_passages", counting(encoded))
    articles = (new, keeper, boats(20, "ships"))
    retriever = case.retriever(articles)
    assert not any("灯塔建于" in text for text in encoded)
    assert sum("第79号船" in text for text in encoded) > 0
    monkeypatch.undo()
    for question in QUESTIONS:
        for article in (None, *(article.id for article in articles)):
            hits = found(retriever, question, article)
            assert {hit.passage.text for hit in hits} <= {p.text for p in plain(articles).index.passages}
    # The statistics of words still count the rows that are gone, as long as they are few: vectors do not.
    for question in QUESTIONS:
        vector = ENCODER.encode_queries([question])[0]
        ours = [retriever.index.passage(int(row)) for row in retriever.index.store.search(vector, 5)]
        exact = plain(articles).index
        theirs = [exact.passage(int(row)) for row in exact.store.search(vector, 5)]
        assert len({p.id for p in ours} & {p.id for p in theirs}) >= 4
    assert case.open(articles).manifest == retriever.index.manifest


def counting(encoded: list[str]) -> Callable[..., Any]:
    own = TinyEncoder.encode_passages

    def encode(self: TinyEncoder, texts: list[str]) -> Any:
        encoded.extend(texts)
        return own(self, texts)

    return encode


def test_article_that_is_removed_is_found_no_more(case: Case, keeper: Article) -> None:
    case.open((boats(90), keeper))
    retriever = case.retriever((keeper,))
    assert {hit.passage.article for q in QUESTIONS for hit in found(retriever, q)} == {"lighthouse"}
    assert case.retriever((boats(90), keeper)).index.places.keys() == {"boats", "lighthouse"}


def test_article_that_is_changed_and_changed_back_is_found_as_before(case: Case, keeper: Article, plain: Plain) -> None:
    articles = (boats(90), keeper)
    case.open(articles)
    case.open((boats(90), replace(keeper, text=keeper.text, title="another")))
    retriever = case.retriever(articles)
    assert [len(segment.members) for segment in retriever.index.segments] == [2, 1]
    for question in QUESTIONS:
        ours, theirs = (found(one, question, "lighthouse") for one in (retriever, plain(articles)))
        assert [hit.passage for hit in ours] == [hit.passage for hit in theirs]
        rows = retriever.index.store.search(ENCODER.encode_queries([question])[0], 500)
        assert len(set(rows.tolist())) == len(rows) == len(retriever.index.passages)


def test_index_without_passages_finds_nothing(case: Case) -> None:
    index = case.open(())
    assert not len(index.store.search(np.ones(24, dtype=np.float32), 5))
    assert found(LocalRetriever(index, ENCODER, TOKENIZER), "灯塔") == []


def test_ingest_that_is_killed_loses_nothing_acknowledged_and_resumes(
    case: Case, keeper: Article, plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed with SIGKILL while the third of four batches is saved: the two before are not encoded again."""
    program = f"""
import os, signal
from tests.index import test_store_contract as t
from index import store
store.BATCH = 30
add, count = store._Saved._add, 0
def dying(self, segment, made_from=()):
    global count
    count += 1
    if count == 3:
        if {case.address is not None}:
            self._engine.keep(self.place, segment)
        os.kill(os.getpid(), signal.SIGKILL)
    add(self, segment, made_from)
store._Saved._add = dying
case = t.Case(t.Path({str(case.folder)!r}), {case.address!r})
case.open(tuple(t.boats(40, f"fleet{{n}}") for n in range(4)))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    encoded: list[str] = []
    monkeypatch.setattr(TinyEncoder, "encode_passages", counting(encoded))
    articles = tuple(boats(40, f"fleet{n}") for n in range(4))
    retriever = case.retriever(articles)
    assert {text[:6] for text in encoded if text.startswith("fleet")} == {"fleet2", "fleet3"}
    for question in QUESTIONS:
        assert_alike(retriever, plain(articles), question)


def test_two_processes_on_one_store_answer_alike(case: Case, keeper: Article) -> None:
    if case.address and case.address.startswith("milvus:///"):
        pytest.skip("one process a file")
    articles = (keeper, boats(90))
    one, other = case.retriever(articles, "here"), case.retriever(articles, "there" if case.address else "here")
    for question in QUESTIONS:
        assert found(one, question) == found(other, question)


def test_store_that_lost_its_passages_is_filled_again(case: Case, keeper: Article) -> None:
    if not case.address:
        pytest.skip("files have a checksum each")
    said: list[str] = []
    before = case.retriever((keeper,))
    client = before.index.store._client
    client.drop_collection(before.index.store._collection)
    retriever = LocalRetriever(case.open((keeper,), say=said.append), ENCODER, TOKENIZER)
    assert said == ["The saved index is damaged (the store lacks passages that the manifest lists): building it again."]
    assert found(retriever, "灯塔有多高?") == found(before, "灯塔有多高?")


def test_passages_that_another_bot_has_deleted_are_no_error(case: Case, keeper: Article) -> None:
    if not case.address:
        pytest.skip("files are no other bot's")
    retriever = case.retriever((keeper, boats(90)))
    case.open((boats(90),), "there")
    assert {hit.passage.article for hit in found(retriever, QUESTIONS[0], "boats")} == {"boats"}
    # Words are still looked up here, so that the passages come without a vector to speak for them.
    assert all(hit.dense == hit.late == 0 for hit in found(retriever, "灯塔有多高?", "lighthouse"))


def test_store_that_does_not_answer_is_named(case: Case, keeper: Article, monkeypatch: pytest.MonkeyPatch) -> None:
    if not case.address:
        pytest.skip("files answer or are damaged")
    retriever = case.retriever((keeper,))

    def refuse(*_: Any, **__: Any) -> None:
        raise MilvusException(message="gone away")

    monkeypatch.setattr(retriever.index.store._client, "search", refuse)
    with pytest.raises(StoreError, match=r"expected Milvus to search passages, found: .*gone away"):
        found(retriever, "灯塔有多高?")


def test_server_that_is_killed_has_all_that_it_acknowledged(server: MilvusServer, tmp_path: Path, plain: Plain) -> None:
    case = Case(tmp_path, server.address("killed"))
    articles = (boats(300), boats(50, "ships"))
    case.open(articles)
    server.kill()
    server.start()
    said: list[str] = []
    retriever = LocalRetriever(case.open(articles, say=said.append), ENCODER, TOKENIZER)
    assert said == []
    for question in QUESTIONS:
        assert_alike(retriever, plain(articles), question)


def test_two_bots_on_one_server_answer_alike(server: MilvusServer, tmp_path: Path) -> None:
    """Two programs as people start them, with nothing in common but the server; the second finds all passages there."""

    def answer(cache: str) -> str:
        environment = {**os.environ, "YUANWEN_CACHE": str(tmp_path / cache), "YUANWEN_STORE": server.address("bots")}
        command = [sys.executable, "-m", "bot", "ask", "--json", "每年有多少人死于自杀?"]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout

    first = answer("one")
    assert '"status": "answered"' in first
    assert answer("other") == first


@pytest.mark.parametrize("address", ["redis://here/x", "milvus://host:19530", "milvus://u:secret@host:19530/bad-name"])
def test_address_that_is_none_is_refused_without_its_password(tmp_path: Path, keeper: Article, address: str) -> None:
    with pytest.raises(StoreError, match="expected a store such as milvus://") as refusal:
        Case(tmp_path, address).open((keeper,))
    assert "secret" not in str(refusal.value)


def test_server_that_is_not_there_is_named(tmp_path: Path, keeper: Article) -> None:
    with pytest.raises(StoreError, match=r"expected a Milvus server at http://127\.0\.0\.1:9"):
        Case(tmp_path, "milvus://127.0.0.1:9/x").open((keeper,))
