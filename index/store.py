"""The index: what the retriever works on, kept in segments that a change adds to, checked at every start."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import compress
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from corpus.article import Article, BankQuestion, Sentence
from corpus.passage import CHUNKING, Passage, passages
from corpus.segment import Span, Tokenizer
from index.classifier import LEARNING
from index.encoder import Encoder, FloatArray
from index.engines.faiss import FaissEngine, FaissStore
from index.lexical import Bm25
from index.segment import KINDS, LEXICAL_KINDS, Member, Progress, Segment, StoreError, Table, Tokens, version_of

FORMAT = 5

BATCH = 20_000
"""So many passages are encoded before they are saved: what a build that is killed loses at most."""

TIER = 4
"""A segment that is not so many times as large as all after it is merged with them."""

_ADDRESS = re.compile(r"milvus(\+tls)?://([^/]+|/.+)/[A-Za-z_][A-Za-z0-9_]*")
_ARTICLE = "article "
_OWN = re.compile(r"[0-9a-f]{16}|\.[0-9a-f]{16}\..*")
"""Names of our folders, finished and unfinished."""


class IndexDamagedError(Exception):
    """A saved index is not what its manifest says; the message says where."""


class Store(Protocol):
    """Where the passages' vectors and token ids live: all that retrieval asks of it."""

    def search(self, vector: FloatArray, k: int, among: range | None = None) -> NDArray[np.int64]:
        """Rows of the k nearest, best first; `among` keeps to the rows of one article."""

    def read(self, vector: FloatArray, rows: NDArray[np.int64]) -> tuple[FloatArray, Tokens]:
        """The inner product and the token ids of each of these rows, which ascend."""


class Engine(Protocol):
    """Puts the passages of segments where they live; lexical lists and sentences are always in files here."""

    def keep(self, folder: Path, segment: Segment) -> None:
        """Take the passages of a segment whose other files are in the folder; they are safe when it returns."""

    def table(self, folder: Path) -> Table | None:
        """The passages of a segment, where they are kept with its files."""

    def holds(self, members: Sequence[Member]) -> bool:
        """Whether the passages of these, whose files are sound, are all there."""

    def open(self, folders: Sequence[Path], segments: Sequence[Segment], live: Sequence[Sequence[bool]]) -> Store:
        """All of them, ready to be searched; `live` tells of each segment which members are in the index."""

    def prune(self, members: Sequence[Member]) -> None:
        """Forget every passage but those of these."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an article's rows are."""

    segment: Segment
    member: int
    """Which of its members the article is."""
    among: Mapping[str, range]
    """For each kind, its rows among those of all segments."""
    within: Mapping[str, range]
    """The same within the segment."""


@dataclass(frozen=True, slots=True)
class Index:
    """What the retriever works on."""

    articles: tuple[Article, ...]
    segments: tuple[Segment, ...]
    places: Mapping[str, tuple[int, int]]
    """By the article's id, which segment it is in and which member of it."""
    bounds: tuple[NDArray[np.int64], ...]
    """Of each segment (members + 1, kinds): where the rows of each member begin among those of all segments."""
    starts: NDArray[np.int64]
    """First passage of each article, ascending."""
    owners: tuple[Article, ...]
    """The articles in that order."""
    store: Store
    lexical: Mapping[str, Bm25]
    """For passages, sentences and translations."""
    manifest: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        articles: Sequence[Article],
        segments: Sequence[Segment],
        store: Store,
        manifest: Mapping[str, Any],
        live: Sequence[Sequence[bool]] | None = None,
    ) -> Index:
        """From segments whose live members are the articles."""
        by_id = {article.id: article for article in articles}
        alive = live or [[True] * len(segment.members) for segment in segments]
        places: dict[str, tuple[int, int]] = {}
        bounds: list[NDArray[np.int64]] = []
        base = np.zeros(len(KINDS), dtype=np.int64)
        for number, (segment, lives) in enumerate(zip(segments, alive, strict=True)):
            rows = np.array([member.rows for member in segment.members], dtype=np.int64)
            bounds.append(base + np.concatenate([np.zeros_like(rows[:1]), np.cumsum(rows, axis=0)]))
            base = bounds[-1][-1]
            places |= {segment.members[m].article: (number, m) for m in compress(range(len(lives)), lives)}
        masks = [segment.mask(lives) for segment, lives in zip(segments, alive, strict=True)]
        return cls(
            articles=tuple(articles),
            segments=tuple(segments),
            places=places,
            bounds=tuple(bounds),
            starts=np.array([bounds[segment][member, 0] for segment, member in places.values()], dtype=np.int64),
            owners=tuple(by_id[name] for name in places),
            store=store,
            lexical={
                kind: Bm25([s.postings[kind] for s in segments], masks if kind == "passages" else None)
                for kind in LEXICAL_KINDS
            },
            manifest=manifest,
        )

    @classmethod
    def build(
        cls, articles: Sequence[Article], held: Sequence[Passage], encoder: Encoder, tokenizer: Tokenizer
    ) -> Index:
        """In memory, over the passages that the articles hold."""
        segment = Segment.build(articles, held, {article.id: "" for article in articles}, encoder, tokenizer)
        return cls.of(articles, [segment], FaissStore([segment]), {})

    def place(self, article: str) -> Place:
        number, member = self.places[article]
        first, last = self.bounds[number][member : member + 2].tolist()
        base = self.bounds[number][0].tolist()
        return Place(
            segment=self.segments[number],
            member=member,
            among={kind: range(first[n], last[n]) for n, kind in enumerate(KINDS)},
            within={kind: range(first[n] - base[n], last[n] - base[n]) for n, kind in enumerate(KINDS)},
        )

    def passage(self, row: int) -> Passage:
        number = int(np.searchsorted(self.starts, row, side="right")) - 1
        # Articles without a passage begin where the next one does, which is found first from the right.
        article, start = self.owners[number], int(self.starts[number])
        place = self.place(article.id)
        section, begin, end, first, last = place.segment.places[place.within["passages"].start + row - start].tolist()
        span = Span(begin, end)
        return Passage(article.id, row - start + 1, section, span, span.of(article.text), range(first, last + 1))

    def sentence_cosines(self, vector: FloatArray, rows: NDArray[np.int64]) -> FloatArray:
        """The inner product of each of these sentences, whose rows ascend, with a vector."""
        kind = KINDS.index("sentences")
        bases = [int(bounds[0, kind]) for bounds in self.bounds]
        found = [
            segment.tables["sentences"].dense(vector, own - base)
            for segment, base, own in zip(
                self.segments, bases, np.split(rows, np.searchsorted(rows, bases[1:])), strict=True
            )
        ]
        return np.concatenate(found)

    @property
    def passages(self) -> list[Passage]:
        return [self.passage(row) for name in self.places for row in self.place(name).among["passages"]]

    @property
    def sentences(self) -> list[tuple[Article, Sentence]]:
        return [(article, sentence) for article in self.owners for sentence in article.sentences]

    @property
    def questions(self) -> list[tuple[Article, BankQuestion]]:
        """The bank and the known gaps of each article, in the order of their table."""
        return [(article, question) for article in self.owners for question in article.known]


def manifest_inputs(
    articles: Sequence[Article], encoder: Encoder, dictionary: Sequence[str], more: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Name and hash of everything that an index depends on."""
    inputs = {f"{_ARTICLE}{article.id}": version_of(article) for article in articles}
    inputs["encoder"] = f"{encoder.name} {encoder.dim} {encoder.fingerprint}"
    inputs["chunking rule"] = CHUNKING
    inputs["classifier rule"] = LEARNING
    inputs["dictionary"] = hashlib.sha256("\n".join(dictionary).encode()).hexdigest()
    inputs["metric"] = "inner product of unit vectors"
    inputs["software"] = f"index format {FORMAT}, jieba {version('jieba')}"
    return inputs | dict(more or {})


def engine_of(address: str | None, key: str) -> Engine:
    """FAISS in files of this machine, or what an address such as milvus://host:19530/collection names.

    Args:
        key: stands for all that an index depends on but the articles.

    Raises:
        StoreError: the address is none that is known, or its client is not installed.
    """
    if address is None:
        return FaissEngine()
    if not _ADDRESS.fullmatch(address):
        expected = "milvus://host:19530/collection or milvus:///folder/file.db/collection"
        raise StoreError(f"expected a store such as {expected}, found {without_password(address)!r}")
    try:
        from index.engines.milvus import MilvusEngine
    except ModuleNotFoundError as error:
        raise StoreError(
            f"expected the package {error.name}, which --store needs, found none; next: pip install pymilvus"
        ) from error
    return MilvusEngine(address, key)


def open_index(
    folder: Path,
    articles: Sequence[Article],
    encoder: Encoder,
    tokenizer: Tokenizer,
    inputs: Mapping[str, str],
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda line: None,
    store: str | None = None,
) -> Index:
    """The index of these inputs: loaded if it is there and sound; what is not, is encoded and saved, with a line why.

    Articles are encoded once each: a change of one leaves the others' rows as they are. A change of anything else
    makes all of it anew.

    Args:
        store: where the passages live; in files beside the others if None.

    Raises:
        StoreError: the store cannot be reached.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = {name: value for name, value in inputs.items() if not name.startswith(_ARTICLE)}
    engine = engine_of(store, _hash(settings)[:16])
    where = {"store": without_password(store) if store else f"faiss {version('faiss-cpu')}"}
    inputs, settings = {**inputs, **where}, {**settings, **where}
    place = folder / _hash(settings)[:16]
    with FileLock(folder / "build.lock"):
        saved = _Saved(place, engine)
        try:
            manifest = saved.read()
            if manifest is None or manifest["inputs"] != inputs:
                say(_difference(folder, inputs))
        except IndexDamagedError as damage:
            say(f"The saved index is damaged ({damage}): building it again.")
            shutil.rmtree(place)
            saved = _Saved(place, engine)
        if not place.is_dir():
            saved.create(settings)
        saved.follow(articles, inputs, encoder, tokenizer, progress)
        _drop_others(folder, place)
        return saved.open(articles)


class _Saved:
    """An index in its folder; every step leaves the one before or the one after, whenever it is killed.

    A segment is written beside its place, synced and renamed; it counts from the moment that the manifest, replaced
    in one step, names it.
    """

    def __init__(self, place: Path, engine: Engine) -> None:
        self.place, self._engine = place, engine
        self._inputs: dict[str, str] = {}
        self._segments: dict[str, Segment] = {}
        self._files: dict[str, str] = {}

    def read(self) -> dict[str, Any] | None:
        """The manifest, every file of it checked and mapped; None if there is none.

        Raises:
            IndexDamagedError: naming the file that is not as it was written.
        """
        if not self.place.is_dir():
            return None
        manifest = verify(self.place)
        try:
            for name in manifest["segments"]:
                folder = self.place / name
                self._segments[name] = Segment.load(folder, self._engine.table(folder))
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise IndexDamagedError(str(error)) from error
        self._inputs, self._files = manifest["inputs"], manifest["files"]
        if not self._engine.holds(self._members(self._inputs)):
            raise IndexDamagedError("the store lacks passages that the manifest lists")
        return manifest

    def create(self, settings: Mapping[str, str]) -> None:
        """An index without articles, there with its manifest or not at all."""
        self._inputs = dict(settings)
        temporary = Path(tempfile.mkdtemp(prefix=f".{self.place.name}.", dir=self.place.parent))
        self._write(temporary)
        os.replace(temporary, self.place)
        _sync(self.place.parent)

    def follow(
        self,
        articles: Sequence[Article],
        inputs: Mapping[str, str],
        encoder: Encoder,
        tokenizer: Tokenizer,
        progress: Progress | None,
    ) -> None:
        """Encode the articles that are new or changed, forget those that are gone, keep segments few."""
        held = {(member.article, member.version) for member in self._members(self._inputs)}
        missing = [a for a in articles if (a.id, inputs[f"{_ARTICLE}{a.id}"]) not in held]
        if self._inputs == inputs and not missing:
            return
        versions = {article.id: inputs[f"{_ARTICLE}{article.id}"] for article in articles}
        steps = _Steps(progress, len(missing)) if progress else None
        for batch, held_by in _batches(missing, tokenizer):
            self._add(Segment.build(batch, held_by, versions, encoder, tokenizer, steps.of(batch) if steps else None))
            self._commit(self._present(inputs))
        self._merge(inputs)
        self._commit(dict(inputs))
        self._engine.prune(self._members(inputs))

    def open(self, articles: Sequence[Article]) -> Index:
        alive = self._alive(self._inputs)
        segments, live = [segment for segment, _ in alive], [lives for _, lives in alive]
        store = self._engine.open([self.place / name for name in self._segments], segments, live)
        return Index.of(articles, segments, store, self._manifest(), live)

    def _present(self, inputs: Mapping[str, str]) -> dict[str, str]:
        """The inputs less the articles that are still missing."""
        held = {member.article for member in self._members(inputs)}
        return {n: v for n, v in inputs.items() if not n.startswith(_ARTICLE) or n.removeprefix(_ARTICLE) in held}

    def _members(self, inputs: Mapping[str, str]) -> list[Member]:
        return [member for segment, lives in self._alive(inputs) for member in compress(segment.members, lives)]

    def _alive(self, inputs: Mapping[str, str]) -> list[tuple[Segment, list[bool]]]:
        """Of each segment which members are articles of these inputs, as they are; of the same twice, the last."""
        last = {(m.article, m.version): s for s in self._segments.values() for m in s.members}
        return [
            (
                s,
                [
                    inputs.get(f"{_ARTICLE}{m.article}") == m.version and last[m.article, m.version] is s
                    for m in s.members
                ],
            )
            for s in self._segments.values()
        ]

    def _merge(self, inputs: Mapping[str, str]) -> None:
        """Merge until each segment is some times as large as all after it, and as its dead rows."""
        alive = self._alive(inputs)
        sizes = [sum(m.rows[0] for m in compress(s.members, lives)) for s, lives in alive]
        dead = [sum(m.rows[0] for m in s.members) - size for (s, _), size in zip(alive, sizes, strict=True)]
        first = next((n for n, own in enumerate(sizes) if own <= TIER * max(sum(sizes[n + 1 :]), dead[n])), len(alive))
        merged = alive[first:]
        if len(merged) > 1 or (merged and not all(merged[0][1])):
            names = list(self._segments)[first:]
            made = Segment.merge([segment for segment, _ in merged], [lives for _, lives in merged])
            for name in names:
                del self._segments[name]
            self._files = {f: h for f, h in self._files.items() if f.split("/")[0] not in names}
            if made.members:
                self._add(made, names)

    def _add(self, segment: Segment, made_from: Sequence[str] = ()) -> None:
        name = _hash([*made_from, *([member.article, member.version] for member in segment.members)])[:16]
        temporary = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=self.place))
        segment.save(temporary)
        self._engine.keep(temporary, segment)
        for file in sorted(temporary.iterdir()):
            _sync(file)
            self._files[f"{name}/{file.name}"] = file_hash(file)
        # A segment of this name that no manifest names is one that a killed build left.
        shutil.rmtree(self.place / name, ignore_errors=True)
        os.replace(temporary, self.place / name)
        _sync(self.place)
        self._segments[name] = Segment.load(self.place / name, self._engine.table(self.place / name))

    def _manifest(self) -> dict[str, Any]:
        manifest = {"inputs": self._inputs, "segments": list(self._segments), "files": self._files}
        return {**manifest, "sha256": _hash(manifest)}

    def _commit(self, inputs: dict[str, str]) -> None:
        self._inputs = inputs
        self._write(self.place)
        _drop_others(self.place, *(self.place / name for name in self._segments))

    def _write(self, folder: Path) -> None:
        temporary = folder / ".manifest.json"
        temporary.write_text(json.dumps(self._manifest(), ensure_ascii=False, indent=1), encoding="utf-8")
        _sync(temporary)
        os.replace(temporary, folder / "manifest.json")
        _sync(folder)


def verify(place: Path) -> dict[str, Any]:
    """The manifest, after checking each file's hash against it.

    Raises:
        IndexDamagedError: naming the file that does not match.
    """
    try:
        manifest = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
        files, segments, stated = dict(manifest["files"]), list(manifest["segments"]), manifest.pop("sha256")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise IndexDamagedError(f"manifest.json cannot be read: {error}") from error
    if stated != _hash(manifest):
        raise IndexDamagedError("manifest.json does not match its own hash")
    found = {f"{name}/{file.name}" for name in segments if (place / name).is_dir() for file in (place / name).iterdir()}
    for name in sorted(found | set(files)):
        if not (place / name).is_file() or file_hash(place / name) != files.get(name):
            raise IndexDamagedError(f"{name} does not match the manifest")
    return {**manifest, "sha256": stated}


def without_password(address: str) -> str:
    return re.sub(r"(?<=://)[^/@]*@", "", address)


class _Steps:
    """Progress over all batches, whose texts are known only one batch at a time."""

    def __init__(self, report: Progress, articles: int) -> None:
        self._report, self._left, self._before = report, articles, 0

    def of(self, batch: Sequence[Article]) -> Progress:
        """For the next batch; the total is put together from those so far and as many again for each article left."""
        before, left = self._before, self._left
        self._left -= len(batch)

        def step(what: str, done: int, total: int) -> None:
            self._before = before + done
            self._report(what, before + done, before + total * left // len(batch))

        return step


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def file_hash(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _batches(articles: Sequence[Article], tokenizer: Tokenizer) -> Iterator[tuple[list[Article], list[Passage]]]:
    """Articles with their passages, so many at a time that a batch is not much larger than BATCH."""
    batch, held = [], list[Passage]()
    for article in articles:
        batch.append(article)
        held += passages(article, tokenizer)
        if len(held) >= BATCH:
            yield batch, held
            batch, held = [], []
    if batch:
        yield batch, held


def _difference(folder: Path, inputs: Mapping[str, str]) -> str:
    """One line on why there is nothing to load."""
    # A folder that a killed build left behind begins with a dot.
    saved = folder.glob("[!.]*/manifest.json")
    for file in sorted(saved, key=lambda f: f.stat().st_mtime, reverse=True):
        try:
            old = json.loads(file.read_text(encoding="utf-8"))["inputs"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        changed = sorted({*old, *inputs} - {name for name in inputs if old.get(name) == inputs[name]})
        named = ", ".join(changed[:5]) + (f" and {len(changed) - 5} more" if len(changed) > 5 else "")
        if all(name.startswith(_ARTICLE) for name in changed):
            return f"The saved index is stale (changed: {named}): bringing it up to date."
        return f"The saved index is stale (changed: {named}): building it again."
    return "There is no index yet: building it."


def _drop_others(folder: Path, *kept: Path) -> None:
    """Delete what earlier builds left, and nothing that anybody else has put there."""
    for other in folder.iterdir():
        if _OWN.fullmatch(other.name) and other.is_dir() and other not in kept:
            shutil.rmtree(other, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
