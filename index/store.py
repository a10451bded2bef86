"""Build, save, verify and load an index: FAISS tables and a manifest of everything they were made from."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from corpus.article import Article, BankQuestion, Sentence
from corpus.language import core, search_key
from corpus.passage import CHUNKING, Passage, passages
from corpus.segment import Tokenizer
from index.encoder import Encoder, FloatArray, IntArray
from index.lexical import Bm25

FORMAT = 2
KINDS = ("passages", "sentences", "translations", "questions")
LEXICAL_KINDS = KINDS[:3]

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many are done, and how many there are."""


class IndexDamagedError(Exception):
    """A saved index is not what its manifest says; the message says where."""


@dataclass(frozen=True, slots=True)
class Table:
    """The texts of one kind: a vector and the token ids of each row."""

    faiss: Any
    """IndexFlatIP over (rows, dim)."""
    ids: IntArray
    """Token ids of all rows, one after the other."""
    offsets: NDArray[np.int64]
    """(rows + 1,): row r has ids[offsets[r]:offsets[r + 1]]."""

    def __len__(self) -> int:
        return int(self.faiss.ntotal)

    def search(self, vector: FloatArray, k: int, among: range | None = None) -> tuple[FloatArray, NDArray[np.int64]]:
        """Scores and rows of the k nearest, best first; `among` keeps to these rows."""
        among = range(len(self)) if among is None else among
        parameters = faiss.SearchParameters()
        parameters.sel = faiss.IDSelectorRange(among.start, among.stop)
        scores, rows = self.faiss.search(vector.reshape(1, -1), min(k, len(among)), params=parameters)
        return scores[0], rows[0]

    def vectors(self) -> FloatArray:
        """(rows, dim): all vectors, read-only."""
        found: FloatArray = self.faiss.reconstruct_n(0, len(self))
        return found


@dataclass(frozen=True, slots=True)
class Index:
    """What the retriever works on: articles, their passages, and a table for each kind of text."""

    articles: tuple[Article, ...]
    passages: tuple[Passage, ...]
    sentences: tuple[tuple[Article, Sentence], ...]
    translated: tuple[int, ...]
    """Row in `sentences` of each row of the table of translations."""
    questions: tuple[tuple[Article, BankQuestion], ...]
    """The bank and the known gaps of each article, in the order of their table."""
    tables: Mapping[str, Table]
    lexical: Mapping[str, Bm25]
    """For passages, sentences and translations."""
    manifest: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        articles: Sequence[Article],
        held: Sequence[Passage],
        tables: Mapping[str, Table],
        lexical: Mapping[str, Bm25],
        manifest: Mapping[str, Any],
    ) -> Index:
        """From what `build` made of the articles and the passages that they hold."""
        sentences = tuple((article, sentence) for article in articles for sentence in article.sentences)
        return cls(
            articles=tuple(articles),
            passages=tuple(held),
            sentences=sentences,
            translated=tuple(row for row, (_, sentence) in enumerate(sentences) if sentence.translation),
            questions=tuple((a, q) for a in articles for q in (*a.questions, *a.gaps)),
            tables=tables,
            lexical=lexical,
            manifest=manifest,
        )


def manifest_inputs(
    articles: Sequence[Article], encoder: Encoder, dictionary: Sequence[str], more: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Name and hash of everything that an index depends on."""
    inputs = {f"article {article.id}": _article_hash(article) for article in articles}
    inputs["encoder"] = f"{encoder.name} {encoder.dim} {encoder.fingerprint}"
    inputs["chunking rule"] = CHUNKING
    inputs["dictionary"] = hashlib.sha256("\n".join(dictionary).encode()).hexdigest()
    inputs["metric"] = "inner product of unit vectors"
    inputs["software"] = f"index format {FORMAT}, faiss {version('faiss-cpu')}, jieba {version('jieba')}"
    return inputs | dict(more or {})


def open_index(
    folder: Path,
    articles: Sequence[Article],
    encoder: Encoder,
    tokenizer: Tokenizer,
    inputs: Mapping[str, str],
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Index:
    """The index of these inputs: loaded if it is there and sound, built and saved otherwise, with one line why."""
    folder.mkdir(parents=True, exist_ok=True)
    held = [passage for article in articles for passage in passages(article, tokenizer)]
    inputs = {**inputs, "passages": _passages_hash(held)}
    place = folder / _key(inputs)
    with FileLock(folder / "build.lock"):
        try:
            if place.is_dir():
                return load(place, articles, held, inputs)
            say(_difference(folder, inputs))
        except IndexDamagedError as damage:
            say(f"The saved index is damaged ({damage}): building it again.")
            shutil.rmtree(place)
        tables, lexical = build(articles, held, encoder, tokenizer, progress)
        save(place, tables, lexical, inputs)
        _drop_others(folder, place)
        return load(place, articles, held, inputs)


def build(
    articles: Sequence[Article],
    held: Sequence[Passage],
    encoder: Encoder,
    tokenizer: Tokenizer,
    progress: Progress | None = None,
) -> tuple[dict[str, Table], dict[str, Bm25]]:
    """Encode every text of the articles and of the passages that they hold."""
    texts = _texts(articles, held)
    total, done = sum(len(rows) for rows in texts.values()), 0
    tables = {}
    for kind in KINDS:
        vectors, ids = [np.empty((0, encoder.dim), dtype=np.float32)], []
        encode = encoder.encode_queries if kind == "questions" else encoder.encode_passages
        for part in _batches(texts[kind], 256):
            vectors.append(encode(part))
            ids += encoder.token_ids(part)
            done += len(part)
            if progress:
                progress(kind, done, total)
        flat = faiss.IndexFlatIP(encoder.dim)
        flat.add(np.concatenate(vectors))
        offsets = np.concatenate([[0], np.cumsum([len(row) for row in ids])]).astype(np.int64)
        tables[kind] = Table(flat, np.concatenate([np.empty(0, np.int32), *ids]).astype(np.int32), offsets)
    return tables, {kind: Bm25.build(tokenizer.search_terms(text) for text in texts[kind]) for kind in LEXICAL_KINDS}


def save(place: Path, tables: Mapping[str, Table], lexical: Mapping[str, Bm25], inputs: Mapping[str, str]) -> None:
    """Write to a folder beside `place` and rename it there: a reader sees all of it or nothing."""
    temporary = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    for kind, table in tables.items():
        faiss.write_index(table.faiss, str(temporary / f"{kind}.faiss"))
        np.save(temporary / f"{kind}.ids.npy", table.ids)
        np.save(temporary / f"{kind}.offsets.npy", table.offsets)
    for kind, bm25 in lexical.items():
        for part in ("offsets", "rows", "impacts"):
            np.save(temporary / f"{kind}.lexical.{part}.npy", getattr(bm25, part))
    words = {kind: {"size": bm25.size, "terms": list(bm25.vocabulary)} for kind, bm25 in lexical.items()}
    (temporary / "lexical.json").write_text(json.dumps(words, ensure_ascii=False), encoding="utf-8")
    files = {file.name: file_hash(file) for file in sorted(temporary.iterdir())}
    manifest = {"inputs": dict(inputs), "files": files}
    (temporary / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False, indent=1), encoding="utf-8")
    for file in temporary.iterdir():
        _sync(file)
    os.replace(temporary, place)
    _sync(place.parent)


def load(place: Path, articles: Sequence[Article], held: Sequence[Passage], inputs: Mapping[str, str]) -> Index:
    """Read an index whose every file matches its manifest.

    Raises:
        IndexDamagedError: naming the file that does not.
    """
    manifest = verify(place, inputs)
    try:
        tables = {
            kind: Table(
                faiss.read_index(str(place / f"{kind}.faiss")),
                np.load(place / f"{kind}.ids.npy", allow_pickle=False),
                np.load(place / f"{kind}.offsets.npy", allow_pickle=False),
            )
            for kind in KINDS
        }
        words = json.loads((place / "lexical.json").read_text(encoding="utf-8"))
        lexical = {kind: _bm25(place, kind, words[kind]) for kind in LEXICAL_KINDS}
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise IndexDamagedError(str(error)) from error
    return Index.of(articles, held, tables, lexical, manifest)


def verify(place: Path, inputs: Mapping[str, str]) -> dict[str, Any]:
    """The manifest, after checking each file's hash against it."""
    try:
        manifest = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
        files, found = dict(manifest["files"]), dict(manifest["inputs"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IndexDamagedError(f"manifest.json cannot be read: {error}") from error
    if found != dict(inputs):
        raise IndexDamagedError("manifest.json does not list the present inputs")
    for name in sorted({file.name for file in place.iterdir()} - {"manifest.json"} | set(files)):
        if not (place / name).is_file() or file_hash(place / name) != files.get(name):
            raise IndexDamagedError(f"{name} does not match the manifest")
    if not files:
        raise IndexDamagedError("manifest.json lists no file")
    return dict(manifest)


def context_of(article: Article, sentence: Sentence) -> str:
    """What a sentence stands under: its section's title and the opening of its item."""
    opener = article.sentence(sentence.item).text if sentence.item and sentence.item != sentence.id else ""
    return f"{article.section_of(sentence).title} {opener}".strip()


def _bm25(place: Path, kind: str, words: Mapping[str, Any]) -> Bm25:
    parts = ("offsets", "rows", "impacts")
    arrays = [np.load(place / f"{kind}.lexical.{part}.npy", allow_pickle=False) for part in parts]
    return Bm25(words["size"], {term: n for n, term in enumerate(words["terms"])}, *arrays)


def _texts(articles: Sequence[Article], held: Sequence[Passage]) -> dict[str, list[str]]:
    """The search keys of every row of every table."""
    by_id = {article.id: article for article in articles}
    contexts = [context_of(by_id[p.article], by_id[p.article].sentence(p.sentences[0])) for p in held]
    sentences = [sentence for article in articles for sentence in article.sentences]
    return {
        "passages": [search_key(f"{context} {p.text}") for context, p in zip(contexts, held, strict=True)],
        "sentences": [search_key(sentence.text) for sentence in sentences],
        "translations": [search_key(sentence.translation) for sentence in sentences if sentence.translation],
        "questions": [core(search_key(q.text)) for article in articles for q in (*article.questions, *article.gaps)],
    }


def _batches(texts: Sequence[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(texts), size):
        yield list(texts[start : start + size])


def _article_hash(article: Article) -> str:
    """Changes with the text, the sentence boundaries, the translation, the bank, the glossary and the labels."""
    return hashlib.sha256(repr(article).encode()).hexdigest()


def _passages_hash(held: Sequence[Passage]) -> str:
    """Changes with where any passage begins or ends, whatever made it so."""
    places = "\n".join(f"{p.article} {p.span.start} {p.span.end}" for p in held)
    return hashlib.sha256(places.encode()).hexdigest()


def _key(inputs: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(inputs), sort_keys=True).encode()).hexdigest()[:16]


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
        return f"The saved index is stale (changed: {', '.join(changed)}): building it again."
    return "There is no index yet: building it."


def _drop_others(folder: Path, place: Path) -> None:
    for other in folder.iterdir():
        if other.is_dir() and other != place:
            shutil.rmtree(other, ignore_errors=True)


def file_hash(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
