"""FAISS over files of this machine: exact up to a size, inverted lists of quantised vectors above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from index.encoder import FloatArray
from index.lexical import nearest
from index.segment import HALF_PRECISION, Member, Segment, Table, Tokens, load_table, save_table

FLAT_ROWS = HALF_PRECISION
"""So many rows are compared one by one; of more, only those in the lists that are near the query."""

PROBES = 128
"""Lists that are read for a query."""

_FILE = "passages.faiss"


@dataclass(frozen=True, slots=True)
class FaissEngine:
    """Keeps the passages' vectors and token ids beside a segment's other files."""

    def keep(self, folder: Path, segment: Segment) -> None:
        table = segment.tables["passages"]
        save_table(folder, "passages", table)
        if len(table) > FLAT_ROWS:
            faiss.write_index(inverted_lists(table.vectors), str(folder / _FILE))

    def table(self, folder: Path) -> Table:
        return load_table(folder, "passages")

    def holds(self, members: Sequence[Member]) -> bool:
        """True: they are files as the others are."""
        return True

    def open(self, folders: Sequence[Path], segments: Sequence[Segment], live: Sequence[Sequence[bool]]) -> FaissStore:
        files = [folder / _FILE for folder in folders]
        lists = [faiss.read_index(str(file), faiss.IO_FLAG_MMAP_IFC) if file.exists() else None for file in files]
        return FaissStore(segments, live, lists)

    def prune(self, members: Sequence[Member]) -> None:
        """Nothing: the rows of an article that is gone go when its segment is written anew."""


class FaissStore:
    """The passages of all segments, their rows numbered through."""

    def __init__(
        self, segments: Sequence[Segment], live: Sequence[Sequence[bool]] | None = None, lists: Sequence[Any] = ()
    ) -> None:
        self._tables = tuple(segment.tables["passages"] for segment in segments)
        self._lists = tuple(lists) or (None,) * len(self._tables)
        self._bases = np.cumsum([0, *(len(table) for table in self._tables)])
        masks = (None,) * len(self._tables)
        self._live = masks if live is None else [s.mask(alive) for s, alive in zip(segments, live, strict=True)]

    def search(self, vector: FloatArray, k: int, among: range | None = None) -> NDArray[np.int64]:
        """Rows of the k nearest, best first; `among` keeps to the rows of one article."""
        if among is not None:
            number = int(np.searchsorted(self._bases, among.start, side="right")) - 1
            base = int(self._bases[number])
            scores = self._tables[number].dense(vector, slice(among.start - base, among.stop - base))
            return among.start + nearest(scores, k)
        nothing = np.empty(0, np.float32), np.empty(0, np.int64)
        found = [nothing, *(self._nearest(number, vector, k) for number in range(len(self._tables)))]
        scores, rows = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return np.asarray(rows[nearest(scores, k)], dtype=np.int64)

    def _nearest(self, number: int, vector: FloatArray, k: int) -> tuple[FloatArray, NDArray[np.int64]]:
        table, lists, live = self._tables[number], self._lists[number], self._live[number]
        query = np.ascontiguousarray(vector.reshape(1, -1))
        if lists is not None:
            parameters = faiss.SearchParametersIVF()
            parameters.nprobe = PROBES
            if live is not None:
                bits = np.packbits(live, bitorder="little")
                parameters.sel = only = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))  # noqa: F841
            scores, rows = lists.search(query, k, params=parameters)
        elif live is None:
            scores, rows = faiss.knn(query, table.vectors, min(k, len(table)), metric=faiss.METRIC_INNER_PRODUCT)
        else:
            products = np.where(live, table.dense(vector, slice(None)), -np.inf).astype(np.float32)
            rows = nearest(products, min(k, int(live.sum())))[None]
            scores = products[rows]
        there = rows[0] >= 0
        return scores[0][there], rows[0][there] + self._bases[number]

    def read(self, vector: FloatArray, rows: NDArray[np.int64]) -> tuple[FloatArray, Tokens]:
        """The inner product and the token ids of each of these rows, which ascend."""
        bounds = np.searchsorted(rows, self._bases)
        dense, parts = [], []
        for table, base, begin, end in zip(self._tables, self._bases, bounds, bounds[1:], strict=False):
            if begin < end:
                own = rows[begin:end] - base
                dense.append(table.dense(vector, own))
                parts.append(table.tokens(own))
        if len(parts) == 1:
            return dense[0], parts[0]
        return np.concatenate([np.empty(0, np.float32), *dense]), Tokens.join(parts)


def inverted_lists(vectors: NDArray[np.floating[Any]]) -> Any:
    """An index of 8-bit vectors in lists, about as many as their square root."""
    rows, dim = vectors.shape
    lists = int(4 * rows**0.5)
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(dim), dim, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    # Centres of length one, as the vectors are: the nearest list is then the one with the largest product.
    index.cp.spherical = True
    sample = np.random.default_rng(0).choice(rows, min(rows, 40 * lists), replace=False)
    index.train(vectors[np.sort(sample)].astype(np.float32))
    for start in range(0, rows, 1 << 16):
        index.add(vectors[start : start + (1 << 16)].astype(np.float32))
    return index
