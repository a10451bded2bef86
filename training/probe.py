"""A quick look at a table on development data: dense, late interaction, BM25 and their sum. Never trains on it."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from training.pairs import Bags, encode_bags

Scores = NDArray[np.float32]
Row = dict[str, Any]
SENTENCE = re.compile(r".+?(?:[。！？!?；;…]+[”\"’』」）)]*|\n|$)", re.S)
K1, B = 1.5, 0.75
TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Reader:
    """A table and its tokenizer, read the two ways the retriever reads them."""

    tokenizer: Tokenizer
    rows: Scores

    def bags(self, texts: Sequence[str]) -> Bags:
        """Return the texts' token ids."""
        return encode_bags(self.tokenizer, texts)

    def dense(self, queries: Bags, passages: Bags) -> Scores:
        """Return the cosines of mean vectors."""
        scores: Scores = self._unit_means(queries) @ self._unit_means(passages).T
        return scores

    def _unit_means(self, bags: Bags) -> Scores:
        means = np.zeros((len(bags), self.rows.shape[1]), np.float32)
        for i, (start, end) in enumerate(zip(bags.starts[:-1], bags.starts[1:], strict=True)):
            if end > start:
                means[i] = self.rows[bags.ids[start:end]].mean(0)
        means /= np.linalg.norm(means, axis=1, keepdims=True) + TINY
        return means

    def late(self, queries: Bags, passages: Bags) -> Scores:
        """Return each query token's best cosine in the passage, averaged by the query tokens' norms."""
        norms = np.linalg.norm(self.rows, axis=1)
        unit = self.rows / (norms[:, None] + TINY)
        asked, asked_at = np.unique(queries.ids, return_inverse=True)
        weights = np.zeros((len(queries), len(asked)), np.float32)
        owner = np.repeat(np.arange(len(queries)), queries.lengths)
        np.add.at(weights, (owner, asked_at), norms[queries.ids])
        weights /= weights.sum(1, keepdims=True) + TINY
        best = np.zeros((len(asked), len(passages)), np.float32)
        for j, (start, end) in enumerate(zip(passages.starts[:-1], passages.starts[1:], strict=True)):
            if end > start:
                best[:, j] = (unit[asked] @ unit[np.unique(passages.ids[start:end])].T).max(1)
        return weights @ best


def bm25(queries: Sequence[Sequence[str]], passages: Sequence[Sequence[str]]) -> Scores:
    """Return BM25 scores of tokenised queries against tokenised passages."""
    vocabulary: dict[str, int] = {}
    for passage in passages:
        for token in passage:
            vocabulary.setdefault(token, len(vocabulary))
    lengths = np.array([len(p) for p in passages], np.float32)
    postings: dict[int, list[tuple[int, float]]] = {}
    for i, passage in enumerate(passages):
        for token, count in Counter(passage).items():
            weight = count / (count + K1 * (1 - B + B * lengths[i] / max(float(lengths.mean()), TINY)))
            postings.setdefault(vocabulary[token], []).append((i, weight))
    scores = np.zeros((len(queries), len(passages)), np.float32)
    for i, query in enumerate(queries):
        for token, count in Counter(query).items():
            held = postings.get(vocabulary.get(token, -1), [])
            idf = np.log(1 + (len(passages) - len(held) + 0.5) / (len(held) + 0.5))
            for j, weight in held:
                scores[i, j] += count * idf * weight
    return scores


def standardise(scores: Scores) -> Scores:
    """Return z-scores within each query; a query that scores all alike gets zeros."""
    centred = scores - scores.mean(1, keepdims=True)
    deviation = scores.std(1, keepdims=True)
    return np.where(deviation > 1e-6, centred / np.maximum(deviation, 1e-6), 0).astype(np.float32)


def gold_ranks(scores: Scores, gold: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rank of each query's gold passage; ties count against it."""
    ranks: NDArray[np.int64] = (scores >= scores[np.arange(len(gold)), gold][:, None] - 1e-9).sum(1)
    return ranks


def ndcg10(ranks: NDArray[np.int64]) -> float:
    """Return mean nDCG@10 for one gold passage a query."""
    return float(np.where(ranks <= 10, 1 / np.log2(1 + ranks), 0).mean())


class Probe:
    """Development sets, read and cut once, scored as often as asked."""

    def __init__(self, folder: Path, tasks: Sequence[str] = ("xquad", "cmrc_trial", "drcd_dev")) -> None:
        import jieba

        jieba.setLogLevel("ERROR")
        self._cut = jieba.cut_for_search
        self._folder = folder
        self._tasks = tasks
        self._lexical: dict[str, Scores] = {}

    def report(self, reader: Reader) -> dict[str, float]:
        """Return every figure by name."""
        figures: dict[str, float] = {}
        for task in self._tasks:
            passages, questions = self._load(f"{task}_passages"), self._load(f"{task}_questions")
            ways = [("zh", "zh"), ("en", "zh"), ("zh", "en"), ("en", "en")] if task == "xquad" else [("zh", "zh")]
            for asked, told in ways:
                figures |= self._retrieval(reader, task, passages, questions, asked, told)
            if task == "xquad":
                for asked in ("zh", "en"):
                    figures |= self._sentences(reader, passages, questions, asked)
        for name in ("pairs_tatoeba", "pairs_tico19"):
            rows = self._load(name)
            if rows:
                figures |= _bitext(reader, name, rows)
        return figures

    def _load(self, name: str) -> list[Row]:
        path = self._folder / f"{name}.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def _tokens(self, text: str) -> list[str]:
        return [token for token in self._cut(text.lower()) if re.search(r"[a-z0-9\u3400-\u9fff]", token)]

    def _scores(self, reader: Reader, key: str, queries: list[str], passages: list[str]) -> dict[str, Scores]:
        if key not in self._lexical:
            self._lexical[key] = bm25([self._tokens(q) for q in queries], [self._tokens(p) for p in passages])
        asked, told = reader.bags(queries), reader.bags(passages)
        dense, late, lexical = reader.dense(asked, told), reader.late(asked, told), self._lexical[key]
        both = standardise(dense) + standardise(late)
        return {
            "bm25": lexical,
            "dense": dense,
            "late": late,
            "both": both,
            "all": both + standardise(lexical),
        }

    def _retrieval(
        self, reader: Reader, task: str, passages: list[Row], questions: list[Row], asked: str, told: str
    ) -> dict[str, float]:
        places: dict[str, int] = {}
        where = {p["id"]: places.setdefault(p[told], len(places)) for p in passages}
        rows = [q for q in questions if q.get(f"q_{asked}")]
        gold = np.array([where[q["passage_id"]] for q in rows])
        key = f"{task} {asked}->{told}"
        scores = self._scores(reader, key, [q[f"q_{asked}"] for q in rows], list(places))
        return {f"{key} {name}": ndcg10(gold_ranks(s, gold)) for name, s in scores.items()}

    def _sentences(self, reader: Reader, passages: list[Row], questions: list[Row], asked: str) -> dict[str, float]:
        hits: Counter[str] = Counter()
        total = 0
        article = {p["id"]: p["article"] for p in passages}
        for name in sorted({p["article"] for p in passages}):
            found = [
                (p["id"], m.start(), m.end(), m.group().strip())
                for p in passages
                if p["article"] == name
                for m in SENTENCE.finditer(p["zh"])
                if m.group().strip()
            ]
            rows = [q for q in questions if article[q["passage_id"]] == name]
            scores = self._scores(
                reader, f"sentences {name} {asked}", [q[f"q_{asked}"] for q in rows], [f[3] for f in found]
            )
            for i, q in enumerate(rows):
                start, end = q["answer_start_zh"], q["answer_start_zh"] + len(q["answer_zh"])
                right = {j for j, f in enumerate(found) if f[0] == q["passage_id"] and f[1] < end and f[2] > start}
                total += 1
                for way, table in scores.items():
                    hits[way] += int(table[i].argmax()) in right
        return {f"sentence {asked}->zh {way}": hits[way] / total for way in hits}


def _bitext(reader: Reader, name: str, rows: list[Row]) -> dict[str, float]:
    chinese, english = [r["zh"] for r in rows], [r["en"] for r in rows]
    scores = reader.dense(reader.bags(chinese), reader.bags(english))
    right = np.arange(len(rows))
    forth = np.mean([b == i or english[b] == english[i] for i, b in zip(right, scores.argmax(1), strict=True)])
    back = np.mean([b == i or chinese[b] == chinese[i] for i, b in zip(right, scores.argmax(0), strict=True)])
    return {f"{name} zh->en": float(forth), f"{name} en->zh": float(back)}


def table_of(figures: dict[str, float]) -> str:
    """Lay the figures out, one task a line."""
    lines: dict[str, list[str]] = {}
    for key, value in figures.items():
        task, _, way = key.rpartition(" ")
        lines.setdefault(task, []).append(f"{way} {value:.3f}")
    return "\n".join(f"{task:22s} {'  '.join(parts)}" for task, parts in lines.items())
