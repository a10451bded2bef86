"""Milvus beyond one machine: the only importer of pymilvus; a file, a server or a cluster by address alone."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from itertools import compress
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from urllib.parse import unquote, urlsplit

import numpy as np
from numpy.typing import NDArray
from pymilvus import DataType, MilvusClient, MilvusException

from index.encoder import FloatArray
from index.segment import Member, Segment, StoreError, Table, Tokens

P = ParamSpec("P")
T = TypeVar("T")

BATCH = 1000
"""Rows of one insert: what it acknowledges is safe, whoever is killed next."""

MOST = 16_000
"""Rows of one answer; the server refuses more than 16,384."""

FEW = 100
"""Versions that are asked for by name."""

GRAPH = {"M": 32, "efConstruction": 200}
GRAPH_SECONDS = 600
"""So long an ingest waits for the graph at most."""

BREADTH = 400
"""Rows that a search of the graph keeps in view."""


def _or_store_error(call: Callable[P, T]) -> Callable[P, T]:
    """The call, with what the server refuses or leaves unanswered as a StoreError."""

    @wraps(call)
    def guarded(*given: P.args, **named: P.kwargs) -> T:
        try:
            return call(*given, **named)
        except MilvusException as error:
            raise StoreError(
                f"expected Milvus to {call.__name__} passages, found: {error}; "
                "see to the server, then start again: what it acknowledged is kept"
            ) from error

    return guarded


class MilvusEngine:
    """Keeps the passages of one library in a collection; another encoder or chunking rule is another collection.

    A row's id is its article's version and its number, so that whoever inserts it again changes nothing. The rows of
    an article go in by number, each with how many are still to come: an article is whole once one has none.
    """

    def __init__(self, address: str, key: str) -> None:
        parts = urlsplit(address)
        path, _, name = parts.path.rpartition("/")
        self.local = not parts.hostname
        scheme = "https" if parts.scheme.endswith("+tls") else "http"
        where = unquote(path) if self.local else f"{scheme}://{parts.hostname}:{parts.port or 19530}"
        token = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""
        self.collection = f"{name}_{key}"
        try:
            self.client = MilvusClient(where, token=token)
        except (MilvusException, OSError) as error:
            raise StoreError(
                f"expected a Milvus server at {where}, found none that answers ({error}); "
                "start it, or leave --store out to keep the index in files"
            ) from error

    @_or_store_error
    def keep(self, folder: Path, segment: Segment) -> None:
        """Insert what is missing of the articles; those that are whole already, from here or elsewhere, stay."""
        if "passages" not in segment.tables:
            return
        table = segment.tables["passages"]
        self._create(table.vectors.shape[1])
        whole, start = self._whole([member.version for member in segment.members]), 0
        rows: list[dict[str, Any]] = []
        for member in segment.members:
            count = member.rows[0]
            if member.version not in whole:
                rows += _rows(table, member.version, start, count)
            start += count
        for first in range(0, len(rows), BATCH):
            self.client.upsert(self.collection, rows[first : first + BATCH])

    def table(self, folder: Path) -> None:
        """None: it is not in the folder."""

    @_or_store_error
    def holds(self, members: Sequence[Member]) -> bool:
        """Whether every row of these is there."""
        versions = [member.version for member in members if member.rows[0]]
        if not versions:
            return True
        return self._there() and self._whole(versions) == set(versions)

    @_or_store_error
    def open(self, folders: Sequence[Path], segments: Sequence[Segment], live: Sequence[Sequence[bool]]) -> MilvusStore:
        return MilvusStore(self.client, self.collection, segments, live)

    @_or_store_error
    def prune(self, members: Sequence[Member]) -> None:
        if not self._there():
            return
        kept = {member.version for member in members}
        gone = sorted({row["version"] for row in self._all("number == 0")} - kept)
        for first in range(0, len(gone), BATCH):
            self.client.delete(self.collection, filter=f"version in {_quoted(gone[first : first + BATCH])}")
        if not self.local:
            self.client.flush(self.collection)
            self._wait_for_graph()

    def _wait_for_graph(self) -> None:
        """Until the server has built it over every row; till then it answers, but slowly and less well."""
        pause, end = threading.Event(), time.monotonic() + GRAPH_SECONDS
        while time.monotonic() < end:
            state = self.client.describe_index(self.collection, "vector")
            # The state says Finished even while rows are pending.
            if int(state.get("indexed_rows", 0)) >= int(state.get("total_rows", 0)):
                return
            pause.wait(0.2)

    def _there(self) -> bool:
        """Whether there is a collection; if so, it is loaded, as it is not after its server was started again."""
        there: bool = self.client.has_collection(self.collection)
        if there:
            self.client.load_collection(self.collection)
        return there

    def _create(self, dim: int) -> None:
        if self._there():
            return
        schema = self.client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=100)
        schema.add_field("version", DataType.VARCHAR, max_length=64)
        schema.add_field("number", DataType.INT64)
        schema.add_field("left", DataType.INT64)
        schema.add_field("tokens", DataType.VARCHAR, max_length=65_535)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dim)
        indexes = self.client.prepare_index_params()
        kind, parameters = ("FLAT", {}) if self.local else ("HNSW", GRAPH)
        indexes.add_index("vector", index_type=kind, metric_type="IP", params=parameters)
        self.client.create_collection(self.collection, schema=schema, index_params=indexes, consistency_level="Strong")

    def _whole(self, versions: Sequence[str]) -> set[str]:
        """Those of which every row is there."""
        # The server compares every row with every name, so that of many it is asked for all that are whole.
        only = f" and version in {_quoted(versions)}" if len(versions) <= FEW else ""
        return {row["version"] for row in self._all(f"left == 0{only}")} & set(versions)

    def _all(self, condition: str) -> Iterator[dict[str, Any]]:
        """Every row that meets a condition, by id."""
        last = ""
        while rows := self.client.query(
            self.collection,
            filter=f'{condition} and id > "{last}"',
            output_fields=["id", "version"],
            limit=MOST,
            consistency_level="Strong",
        ):
            rows = sorted(rows, key=lambda row: str(row["id"]))
            yield from rows
            last = rows[-1]["id"]


class MilvusStore:
    """The passages of a collection by the row that they have in the index here."""

    def __init__(
        self, client: MilvusClient, collection: str, segments: Sequence[Segment], live: Sequence[Sequence[bool]]
    ) -> None:
        self._client, self._collection = client, collection
        members = [member for segment in segments for member in segment.members]
        bases = np.cumsum([0, *(member.rows[0] for member in members)])[:-1]
        alive = [lives for each in live for lives in each]
        self._bases = bases[alive] if members else bases
        self._versions = [member.version for member in compress(members, alive)]
        self._base_of = dict(zip(self._versions, self._bases.tolist(), strict=True))

    @_or_store_error
    def search(self, vector: FloatArray, k: int, among: range | None = None) -> NDArray[np.int64]:
        """Rows of the k nearest, best first; `among` keeps to the rows of one article."""
        if among is not None:
            k = min(k, len(among))
        condition = f'version == "{self._versions[self._member(among.start)]}"' if among is not None else ""
        found = self._search(vector, k, condition) if self._versions else []
        rows = [self._row(hit["id"]) for hit in found]
        # An older version that another process has not deleted yet has no row here.
        return np.array([row for row in rows if row is not None], dtype=np.int64)

    @_or_store_error
    def read(self, vector: FloatArray, rows: NDArray[np.int64]) -> tuple[FloatArray, Tokens]:
        """The inner product and the token ids of each of these rows."""
        ids = [self._id(row) for row in rows.tolist()]
        held: dict[str, tuple[float, str]] = {}
        for hit in self._search(vector, len(ids), f"id in {_quoted(ids)}", ["tokens"]) if ids else []:
            held[hit["id"]] = hit["distance"], hit["entity"]["tokens"]
        if missed := [row for row in ids if row not in held]:
            # A graph may leave out a few of the rows that it is asked for by name.
            for row in self._client.get(self._collection, missed, output_fields=["tokens", "vector"]):
                held[row["id"]] = float(np.array(row["vector"], dtype=np.float32) @ vector), row["tokens"]
        # A bot that reads a newer version of an article has deleted the older one: nothing speaks for its rows here.
        found = [held.get(row, (0.0, "")) for row in ids]
        tokens = [np.frombuffer(base64.b64decode(packed), dtype="<i4") for _, packed in found]
        table = Table.of(np.empty((len(ids), 0), dtype=np.float32), tokens)
        return np.array([product for product, _ in found], dtype=np.float32), Tokens(table.ids, table.offsets[:-1])

    def _search(self, vector: FloatArray, k: int, condition: str, fields: Sequence[str] = ()) -> list[dict[str, Any]]:
        [found] = self._client.search(
            self._collection,
            [vector.tolist()],
            filter=condition,
            limit=k,
            output_fields=list(fields),
            search_params={"metric_type": "IP", "params": {"ef": max(k, BREADTH)}},
            consistency_level="Eventually",
        )
        return list(found)

    def _member(self, row: int) -> int:
        return int(np.searchsorted(self._bases, row, side="right")) - 1

    def _id(self, row: int) -> str:
        member = self._member(row)
        return f"{self._versions[member]}/{row - int(self._bases[member])}"

    def _row(self, id: str) -> int | None:
        version, _, number = id.partition("/")
        return self._base_of[version] + int(number) if version in self._base_of else None


def _rows(table: Table, version: str, start: int, count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        row = start + number
        ids = table.ids[table.offsets[row] : table.offsets[row + 1]]
        yield {
            "id": f"{version}/{number}",
            "version": version,
            "number": number,
            "left": count - 1 - number,
            "tokens": base64.b64encode(ids.astype("<i4").tobytes()).decode(),
            "vector": table.vectors[row].tolist(),
        }


def _quoted(names: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"
