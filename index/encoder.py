"""Text to vectors: the Encoder protocol and its adapters, the only importers of model2vec and sentence_transformers."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]

SHIPPED_MODEL = Path(__file__).parent / "model"


class EncoderError(Exception):
    """An encoder cannot be loaded; the message says what was expected and what to do."""


@dataclass(frozen=True, slots=True)
class TokenTable:
    """One row a token type: all that late interaction needs, so that an index keeps token ids only."""

    rows: NDArray[np.floating[Any]]
    """(vocabulary, dim), as the model has them."""
    weights: FloatArray
    """(vocabulary,): the importance of a token, which training put into the length of its row."""

    @property
    def dim(self) -> int:
        return int(self.rows.shape[1])

    def vectors(self, ids: NDArray[Any]) -> FloatArray:
        """(len(ids), dim), rows of length one."""
        return unit_rows(self.rows[ids])


class Encoder(Protocol):
    """Queries and passages to unit vectors; `table` is None where token vectors depend on their context."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def dim(self) -> int: ...

    @property
    def table(self) -> TokenTable | None: ...

    def encode_queries(self, texts: Sequence[str]) -> FloatArray:
        """(len(texts), dim), float32, rows of length one (zero for a text without a known token)."""

    def encode_passages(self, texts: Sequence[str]) -> FloatArray:
        """(len(texts), dim), float32, rows of length one (zero for a text without a known token)."""

    def token_ids(self, texts: Sequence[str]) -> list[IntArray]:
        """Rows of `table` for each text; empty arrays where there is no table."""


def unit_rows(vectors: NDArray[Any]) -> FloatArray:
    """The vectors at length one; zero vectors stay zero."""
    vectors = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.ascontiguousarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def folder_hash(folder: Path) -> str:
    """SHA-256 over the names and bytes of a model's files, its model card left out."""
    digest = hashlib.sha256()
    for file in sorted(
        p for p in folder.rglob("*") if p.is_file() and p.suffix != ".md" and "__pycache__" not in p.parts
    ):
        digest.update(str(file.relative_to(folder)).encode() + b"\0")
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


class StaticEncoder:
    """A static embedding table: tokenizers, safetensors and numpy, through model2vec; no torch."""

    def __init__(self, folder: Path = SHIPPED_MODEL) -> None:
        if not (folder / "tokenizer.json").exists():
            raise EncoderError(
                f"expected a static encoder in {folder}, found none; train one: make train DATA=<folder>"
            )
        from model2vec import StaticModel

        self._model = StaticModel.from_pretrained(str(folder), normalize=True)
        rows = self._model.embedding
        # In parts: the whole table in single precision would take more memory than anything else here.
        parts = np.array_split(rows, max(1, len(rows) // 4096))
        lengths = [np.linalg.norm(part.astype(np.float32), axis=1) for part in parts]
        self._table = TokenTable(rows, np.concatenate(lengths).astype(np.float32))
        self.name = folder.name if folder != SHIPPED_MODEL else "yuanwen-static"
        self._folder = folder

    @cached_property
    def fingerprint(self) -> str:
        return folder_hash(self._folder)

    @property
    def dim(self) -> int:
        return self._table.dim

    @property
    def table(self) -> TokenTable:
        return self._table

    def encode_queries(self, texts: Sequence[str]) -> FloatArray:
        return self.encode_passages(texts)

    def encode_passages(self, texts: Sequence[str]) -> FloatArray:
        return np.nan_to_num(np.asarray(self._model.encode(list(texts), use_multiprocessing=False), dtype=np.float32))

    def token_ids(self, texts: Sequence[str]) -> list[IntArray]:
        return [np.asarray(ids, dtype=np.int32) for ids in self._model.tokenize(list(texts))]


class TransformerEncoder:
    """Any sentence-transformers model, by name or path, with its own query and passage prompts."""

    def __init__(self, name: str, query_prompt: str | None = None, passage_prompt: str | None = None) -> None:
        try:
            from sentence_transformers import SentenceTransformer

            self._model = SentenceTransformer(name, device=os.environ.get("YUANWEN_DEVICE", "cpu"))
        except ModuleNotFoundError as error:
            raise EncoderError(
                f"expected the package {error.name}, which the shipped encoder does without, found none; "
                "next: make dev, or pip install sentence-transformers"
            ) from error
        except Exception as error:
            raise EncoderError(
                f"expected a sentence-transformers model called {name!r}, could not load it: {error}; "
                "give a folder or a name that this machine can reach, or leave --encoder out for the shipped one"
            ) from error
        e5 = "e5" in Path(name).name.lower().split("-")
        self._query_prompt = (
            query_prompt if query_prompt is not None else "query: " if e5 else self._own_prompt("query")
        )
        self._passage_prompt = (
            passage_prompt
            if passage_prompt is not None
            else "passage: "
            if e5
            else self._own_prompt("passage", "document")
        )
        self.name = name
        self.dim = int(self._encode([""], "").shape[1])
        weights = Path(name)
        self.fingerprint = folder_hash(weights) if weights.is_dir() else hashlib.sha256(name.encode()).hexdigest()

    def _own_prompt(self, *names: str) -> str:
        prompts: dict[str, str] = self._model.prompts or {}
        return next((prompts[name] for name in names if prompts.get(name)), "")

    @property
    def table(self) -> None:
        return None

    def encode_queries(self, texts: Sequence[str]) -> FloatArray:
        return self._encode(texts, self._query_prompt)

    def encode_passages(self, texts: Sequence[str]) -> FloatArray:
        return self._encode(texts, self._passage_prompt)

    def _encode(self, texts: Sequence[str], prompt: str) -> FloatArray:
        return np.asarray(
            self._model.encode(list(texts), prompt=prompt, normalize_embeddings=True, show_progress_bar=False),
            dtype=np.float32,
        )

    def token_ids(self, texts: Sequence[str]) -> list[IntArray]:
        return [np.empty(0, dtype=np.int32) for _ in texts]


def load_encoder(name: str | None = None) -> Encoder:
    """The shipped encoder, a static one in a folder, or any sentence-transformers model by name or path."""
    if name is None:
        return StaticEncoder()
    folder = Path(name)
    if folder.is_dir() and not (folder / "1_Pooling").is_dir() and (folder / "tokenizer.json").exists():
        return StaticEncoder(folder)
    return TransformerEncoder(name)
