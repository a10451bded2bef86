"""Text to vectors: the Encoder protocol and its adapters, the only importer of tokenizers and sentence_transformers."""

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
from safetensors import safe_open
from tokenizers import Tokenizer

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]

SHIPPED_MODEL = Path(__file__).parent / "model"


class EncoderError(Exception):
    """An encoder cannot be loaded; the message says what was expected and what to do."""


@dataclass(frozen=True, slots=True)
class TokenTable:
    """One row a token type: all that late interaction needs, so that an index keeps token ids only."""

    rows: NDArray[Any]
    """(vocabulary, dim), as the model has them, bytes or floats: a row's direction is what counts."""
    weights: FloatArray
    """(vocabulary,): the importance of a token, which training put into the length of its vector."""

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


def _lengths(rows: NDArray[Any]) -> FloatArray:
    """Length of each row; in parts, for the whole table in single precision would take more memory than anything."""
    parts = np.array_split(rows, max(1, len(rows) // 4096))
    return np.concatenate([np.linalg.norm(part.astype(np.float32), axis=1) for part in parts])


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
    """A static embedding table in the form of model2vec, rows of bytes with a scale each, and a tokenizer; no torch."""

    def __init__(self, folder: Path = SHIPPED_MODEL) -> None:
        if not (folder / "tokenizer.json").exists():
            raise EncoderError(
                f"expected a static encoder in {folder}, found none; train one: make train DATA=<folder>"
            )
        with safe_open(folder / "model.safetensors", framework="numpy") as tensors:
            held = set(tensors.keys())
            if "embeddings" not in held or "mapping" in held:
                raise EncoderError(
                    f"expected the tensor embeddings, a row a token, in {folder / 'model.safetensors'}, "
                    f"found {', '.join(sorted(held))}; save it again without vocabulary quantisation"
                )
            rows = tensors.get_tensor("embeddings")
            self._scales = tensors.get_tensor("weights") if "weights" in held else np.ones(len(rows), np.float32)
            # Written along by training: working them out at each start would touch every byte of the table.
            lengths = tensors.get_tensor("lengths") if "lengths" in held else self._scales * _lengths(rows)
        self._table = TokenTable(rows, np.asarray(lengths, dtype=np.float32))
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        unknown = getattr(self._tokenizer.model, "unk_token", None)
        self._unknown = self._tokenizer.token_to_id(unknown) if unknown else None
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
        sums = [self._scales[ids] @ self._table.rows[ids].astype(np.float32) for ids in self.token_ids(texts)]
        return unit_rows(np.array(sums, dtype=np.float32).reshape(len(texts), self.dim))

    def token_ids(self, texts: Sequence[str]) -> list[IntArray]:
        found = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        ids = [np.array(encoding.ids, dtype=np.int32) for encoding in found]
        return [one[one != self._unknown] for one in ids]


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
