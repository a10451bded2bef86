"""Query -> hits: dense and lexical recall, late-interaction rerank, and the evidence that a reader works on."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from corpus.article import Article, BankQuestion, Sentence
from corpus.language import any_of, core, has_han, search_key
from corpus.passage import Passage
from corpus.segment import Span, Tokenizer
from index.encoder import Encoder, FloatArray, IntArray, TokenTable
from index.store import Index, Table

RIVAL = 0.4
"""A token of an earlier question that is this near to one of the new question has been replaced by it."""

EXHAUSTIVE = 512
"""An article of at most so many sentences has all of them read for every question."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """How the three scores of a passage are put together: the one place for these numbers.

    Each score is standardised over the candidates, weighted and summed. Tuned on development data by
    `python -m evaluation.retrieval --tune`.
    """

    dense: float = 0.6
    lexical: float = 0.6
    """For a question with Chinese in it."""
    lexical_latin: float = 0.1
    """For one without."""
    late: float = 1.0
    candidates: int = 150


IMPORTANCE = 1.5
"""The length of a token's vector counts to this power."""

COMMON = 0.85
"""A token is as good as found where its cosine is within this share of its best anywhere."""


@dataclass(frozen=True, slots=True)
class Query:
    """A question made ready for every stage."""

    text: str
    key: str
    vector: FloatArray
    """(dim,)"""
    ids: IntArray
    """(tokens,): token ids, empty for an encoder without a token table."""
    weights: FloatArray
    """(tokens,): importance of each token, summing to one."""
    units: FloatArray
    """(tokens, dim): the vector of each token at length one."""
    similarities: FloatArray
    """(tokens, distinct tokens of the articles): the cosines that late interaction looks up."""
    terms: tuple[str, ...]
    """Words for lexical search, the Chinese names of glossary terms among them."""
    own: int
    """How many of the tokens are the question's own; the others come from one before it."""

    def after(self, before: Query, share: float) -> Query:
        """This question with the one before it in mind; what both name, or what takes its place, counts once."""
        carried = before.weights * share
        if self.ids.size and before.ids.size:
            alike = (before.units @ self.units.T).max(axis=1)
            carried = np.where(alike > RIVAL, 0, carried).astype(np.float32)
        weights = np.concatenate([self.weights, carried])
        vector = self.vector + share * before.vector
        return Query(
            text=f"{before.text} {self.text}",
            key=f"{self.key} {before.key}",
            vector=(vector / max(float(np.linalg.norm(vector)), 1e-9)).astype(np.float32),
            ids=np.concatenate([self.ids, before.ids]),
            weights=(weights / max(float(weights.sum()), 1e-9)).astype(np.float32),
            units=np.concatenate([self.units, before.units]),
            similarities=np.concatenate([self.similarities, before.similarities]),
            terms=self.terms + before.terms,
            own=self.own,
        )


@dataclass(frozen=True, slots=True)
class Hit:
    passage: Passage
    retrieval_score: float
    dense: float
    lexical: float
    late: float


@dataclass(frozen=True, slots=True)
class BankMatch:
    """A question of the bank that is near the query; a known gap has no sentences."""

    question: BankQuestion
    row: int
    retrieval_score: float
    """Half the cosine, half late interaction both ways."""
    dense: float
    there: float
    """How well the query's tokens are found in the question, by their importance."""
    back: float
    """How well the question's tokens are found in the query."""
    least_there: float
    """The worst found of the three tokens of the query that matter most."""
    least_back: float


@dataclass(frozen=True, slots=True)
class SentenceEvidence:
    """What retrieval knows of an article's candidate sentences; arrays are (candidates,) or (tokens, candidates)."""

    article: Article
    sentences: tuple[Sentence, ...]
    weights: FloatArray
    """(query tokens,): importance and rarity among the candidates, summing to one."""
    dense: FloatArray
    dense_translation: FloatArray
    """Zero where there is no translation."""
    lexical: FloatArray
    lexical_translation: FloatArray
    late: FloatArray
    """(query tokens, candidates): best cosine of each query token among the sentence's own."""
    late_translation: FloatArray
    late_context: FloatArray
    """The same over what the sentence stands under: its heading and the opening of its item."""
    late_neighbours: FloatArray
    """The same over the sentences before and after it in its section."""


class Retriever(Protocol):
    """Where passages come from; one for every store."""

    def prepare(self, text: str) -> Query: ...

    def retrieve(self, query: Query, top_k: int = 10, article: str | None = None) -> list[Hit]:
        """The best passages of one article, or of all, best first."""

    def evidence(self, query: Query, article: str, hits: Sequence[Hit]) -> SentenceEvidence:
        """What is known of the sentences of one article; of a long one, of those of the hits."""

    def bank(self, query: Query, article: str, top_k: int = 32) -> list[BankMatch]:
        """The nearest questions of an article's bank, known gaps among them, best first."""

    def passage_of(self, article: Article, sentence: Sentence) -> Span:
        """The smallest run of passages that holds the whole sentence."""


class LateInteraction:
    """MaxSim from stored token ids: for each query token the best cosine among a row's tokens.

    The article's own tokens are few, so that their cosines are computed once a query and looked up by every stage;
    the bank's are many, so that only those of the candidates are.
    """

    def __init__(self, tables: Mapping[str, Table], table: TokenTable) -> None:
        self._tables, self._table = tables, table
        self._shared = {kind: t for kind, t in tables.items() if kind != "questions"}
        vocabulary = np.unique(np.concatenate([t.ids for t in self._shared.values()]))
        self._vectors = np.ascontiguousarray(table.vectors(vocabulary).T)
        self._columns = {kind: np.searchsorted(vocabulary, t.ids) for kind, t in self._shared.items()}

    def similarities(self, units: FloatArray) -> FloatArray:
        """(len(units), distinct tokens of the articles): cosines."""
        return np.asarray(units @ self._vectors)

    def best(self, query: Query, kind: str, rows: NDArray[np.int64]) -> FloatArray:
        """(query tokens, rows): zero for a row without tokens."""
        places, begins = _ragged(self._tables[kind], rows)
        return _segments(np.maximum, query.similarities[:, self._columns[kind][places]], begins)

    def both_ways(self, query: Query, kind: str, rows: NDArray[np.int64]) -> FloatArray:
        """(4, rows): query in row, row in query, and the worst found of the three weightiest tokens of each."""
        places, begins = _ragged(self._tables[kind], rows)
        ids = self._tables[kind].ids[places]
        cosines = query.units @ self._table.vectors(ids).T
        best = _segments(np.maximum, cosines, begins)
        found, weights = cosines.max(axis=0), self._table.weights[ids]
        back, total = _segments(np.add, np.stack([found * weights, weights]), begins)
        lengths = np.diff(np.append(begins, len(ids)))
        heaviest = np.lexsort((-weights, np.repeat(np.arange(len(rows)), lengths)))
        three = begins + np.minimum(np.arange(3)[:, None], np.maximum(lengths - 1, 0))
        least = np.where(lengths > 0, found[heaviest][np.minimum(three, len(ids) - 1)].min(axis=0), 1)
        there_least = best[weightiest(query.weights)].min(axis=0)
        return np.stack([query.weights @ best, back / np.where(total > 0, total, 1), there_least, least])


def weightiest(weights: FloatArray, count: int = 3) -> NDArray[np.int64]:
    """Places of the tokens that matter most."""
    return np.argsort(-weights, kind="stable")[:count]


class LocalRetriever:
    """Retrieval over an index in this process."""

    def __init__(self, index: Index, encoder: Encoder, tokenizer: Tokenizer, fusion: Fusion | None = None) -> None:
        self.index = index
        self._encoder, self._tokenizer, self._fusion = encoder, tokenizer, fusion or Fusion()
        self._late = LateInteraction(index.tables, encoder.table) if encoder.table is not None else None
        self._vectors = {kind: index.tables[kind].vectors() for kind in ("passages", "sentences", "translations")}
        self._relatives = _Relatives.of(index)
        self._expansion = _Expansion(index.articles)
        self._articles = {article.id: article for article in index.articles}
        self._passages = _ranges(index.articles, (passage.article for passage in index.passages))
        self._sentences = _ranges(index.articles, (article.id for article, _ in index.sentences))
        self._questions = _ranges(index.articles, (article.id for article, _ in index.questions))
        self._holding: dict[tuple[str, int], Span] = {}
        for passage in index.passages:
            for number in passage.sentences:
                known = self._holding.get((passage.article, number), passage.span)
                self._holding[passage.article, number] = Span(known.start, passage.span.end)

    def prepare(self, text: str) -> Query:
        key = core(search_key(text))
        ids = self._encoder.token_ids([key])[0]
        weights = self._encoder.table.weights[ids] if self._encoder.table is not None else np.empty(0, np.float32)
        units = self._encoder.table.vectors(ids) if self._encoder.table is not None else np.empty((0, 1), np.float32)
        return Query(
            text=text,
            key=key,
            vector=self._encoder.encode_queries([key])[0],
            ids=ids,
            weights=weights / max(float(weights.sum()), 1e-9),
            units=units,
            similarities=self._late.similarities(units) if self._late else np.empty((0, 0), np.float32),
            terms=tuple(self._tokenizer.search_terms(" ".join((key, *self._expansion.names(text, key))))),
            own=len(ids),
        )

    def retrieve(self, query: Query, top_k: int = 10, article: str | None = None) -> list[Hit]:
        """Recall by vectors and by words, then late interaction over the candidates."""
        table, fusion = self.index.tables["passages"], self._fusion
        among = self._passages[article] if article else range(len(table))
        if not among:
            return []
        words = self.index.lexical["passages"].scores(query.terms)
        _, near = table.search(query.vector, fusion.candidates, among)
        rows = np.union1d(near, among.start + _largest(words[among.start : among.stop], fusion.candidates))
        dense = self._vectors["passages"][rows] @ query.vector
        lexical = words[rows]
        found = self._best(query, "passages", rows)
        late = _rare(query.weights, found) @ found
        by_words = fusion.lexical if has_han(query.key) else fusion.lexical_latin
        total = fusion.dense * _standard(dense) + by_words * _standard(lexical) + fusion.late * _standard(late)
        return [
            Hit(self.index.passages[rows[i]], float(total[i]), float(dense[i]), float(lexical[i]), float(late[i]))
            for i in np.argsort(-total, kind="stable")[:top_k]
        ]

    def evidence(self, query: Query, article: str, hits: Sequence[Hit]) -> SentenceEvidence:
        """Every sentence of a short article, the sentences of the hits of a long one."""
        rows = self._candidates(article, hits)
        related = self._relatives
        around = (related.heading[rows], related.item[rows], related.before[rows], related.after[rows])
        wanted = np.unique(np.concatenate([rows, *around]))
        wanted = wanted[wanted >= 0]
        late = self._best(query, "sentences", wanted)
        translation, has = related.translation[rows], related.translation[rows] >= 0

        def of(relatives: NDArray[np.int64]) -> FloatArray:
            places = np.searchsorted(wanted, np.maximum(relatives, 0))
            return np.where(relatives >= 0, late[:, np.minimum(places, len(wanted) - 1)], 0)

        def translated(scores: FloatArray) -> FloatArray:
            found = np.zeros((*scores.shape[:-1], len(rows)), dtype=np.float32)
            found[..., has] = scores
            return found

        heading, item, before, after = (of(relatives) for relatives in around)
        english = translation[has]
        own, other = of(rows), translated(self._best(query, "translations", english))
        return SentenceEvidence(
            article=self._articles[article],
            sentences=tuple(self.index.sentences[row][1] for row in rows),
            weights=_rare(query.weights, np.maximum(own, other)),
            dense=self._vectors["sentences"][rows] @ query.vector,
            dense_translation=translated(self._vectors["translations"][english] @ query.vector),
            lexical=self.index.lexical["sentences"].scores(query.terms)[rows],
            lexical_translation=translated(self.index.lexical["translations"].scores(query.terms)[english]),
            late=own,
            late_translation=other,
            late_context=np.maximum(heading, item),
            late_neighbours=np.maximum(before, after),
        )

    def bank(self, query: Query, article: str, top_k: int = 32) -> list[BankMatch]:
        """Ordered by half the cosine and half late interaction both ways."""
        table, among = self.index.tables["questions"], self._questions[article]
        if not among:
            return []
        dense, rows = table.search(query.vector, max(2 * top_k, 48), among)
        ways = np.tile(dense, (4, 1))
        if self._late is not None and query.ids.size:
            ways = self._late.both_ways(query, "questions", rows)
        scores = 0.5 * dense + 0.25 * (ways[0] + ways[1])
        columns = np.stack([scores, dense, *ways], axis=1)
        return [self._match(int(rows[i]), columns[i].tolist()) for i in np.argsort(-scores, kind="stable")[:top_k]]

    def _match(self, row: int, numbers: list[float]) -> BankMatch:
        score, dense, there, back, least_there, least_back = numbers
        return BankMatch(self.index.questions[row][1], row, score, dense, there, back, least_there, least_back)

    def passage_of(self, article: Article, sentence: Sentence) -> Span:
        """The smallest run of passages that holds the whole sentence."""
        return self._holding.get((article.id, sentence.id), sentence.span)

    def _candidates(self, article: str, hits: Sequence[Hit]) -> NDArray[np.int64]:
        held = self._sentences[article]
        if len(held) <= EXHAUSTIVE:
            return np.arange(held.start, held.stop)
        rows = {held.start + n - 1 for hit in hits if hit.passage.article == article for n in hit.passage.sentences}
        return np.array(sorted(rows), dtype=np.int64)

    def _best(self, query: Query, kind: str, rows: NDArray[np.int64]) -> FloatArray:
        if self._late is None or not query.ids.size:
            return np.zeros((len(query.ids), len(rows)), dtype=np.float32)
        return self._late.best(query, kind, rows)


@dataclass(frozen=True, slots=True)
class _Relatives:
    """Row in `Index.sentences` of what stands around each sentence, -1 where there is none."""

    heading: NDArray[np.int64]
    item: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    translation: NDArray[np.int64]
    """Row in the table of translations."""

    @classmethod
    def of(cls, index: Index) -> _Relatives:
        rows: list[tuple[int, int, int, int]] = []
        for article in index.articles:
            base = len(rows)
            for s in article.sentences:
                section = article.section_of(s).sentences
                opening = article.sentence(section[0])
                heading = base + section[0] - 1 if opening.id != s.id else -1
                item = base + s.item - 1 if s.item and s.item != s.id else -1
                inside = [n in section and not article.sentence(n).is_heading for n in (s.id - 1, s.id + 1)]
                rows.append((heading, item, base + s.id - 2 if inside[0] else -1, base + s.id if inside[1] else -1))
        heading_of, item_of, before, after = np.array(rows, dtype=np.int64).reshape(-1, 4).T
        translation = np.full(len(rows), -1, dtype=np.int64)
        translation[list(index.translated)] = np.arange(len(index.translated))
        return cls(heading_of, item_of, before, after, translation)


class _Expansion:
    """The Chinese names of glossary terms that a question calls by another name."""

    def __init__(self, articles: Iterable[Article]) -> None:
        self._exact: dict[str, str] = {}
        self._folded: dict[str, str] = {}
        for term in (term for article in articles for term in article.glossary):
            chinese = search_key(term.zh)
            for name in term.names:
                if name == term.zh:
                    continue
                # Short abbreviations are words of their own in lower case: Flu and flu, Hip and hip.
                if name == term.abbreviation and len(name) <= 3:
                    self._exact[name] = chinese
                else:
                    self._folded[search_key(name)] = chinese
        self._pattern = any_of(self._folded)
        self._exact_pattern = any_of(self._exact)

    def names(self, text: str, key: str) -> list[str]:
        found = [self._folded[m.group()] for m in self._pattern.finditer(key)]
        found += [self._exact[m.group()] for m in self._exact_pattern.finditer(unicodedata.normalize("NFKC", text))]
        return [name for name in dict.fromkeys(found) if name not in key]


def _ranges(articles: Iterable[Article], owners: Iterable[str]) -> dict[str, range]:
    """The rows of each article; an article's rows stand together."""
    counts = Counter(owners)
    ranges, at = {}, 0
    for article in articles:
        ranges[article.id] = range(at, at + counts[article.id])
        at += counts[article.id]
    return ranges


def _ragged(table: Table, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Place in `ids` of each token of these rows, and where each row's begin."""
    starts = table.offsets[rows]
    lengths = table.offsets[rows + 1] - starts
    begins = np.cumsum(lengths) - lengths
    return np.arange(int(lengths.sum())) + np.repeat(starts - begins, lengths), begins


def _segments(reduce: np.ufunc, values: FloatArray, begins: NDArray[np.int64]) -> FloatArray:
    """Reduce the columns of each segment; empty segments give zero."""
    if not values.shape[1]:
        return np.zeros((values.shape[0], len(begins)), dtype=np.float32)
    empty = np.append(begins[1:], values.shape[1]) == begins
    found: FloatArray = reduce.reduceat(values, np.minimum(begins, values.shape[1] - 1), axis=1)
    found[:, empty] = 0
    return found


def _rare(weights: FloatArray, best: FloatArray) -> FloatArray:
    """Importance of each query token times how few of the candidates have it, summing to one.

    Args:
        best: (query tokens, candidates), its best cosine in each.
    """
    if not best.size:
        return weights
    share = (best >= COMMON * best.max(axis=1, keepdims=True)).mean(axis=1)
    counted = weights**IMPORTANCE * np.log1p(1 / share)
    return np.asarray(counted / max(float(counted.sum()), 1e-9), dtype=np.float32)


def _standard(scores: FloatArray) -> FloatArray:
    spread = float(scores.std())
    return (scores - scores.mean()) / spread if spread > 1e-9 else np.zeros_like(scores)


def _largest(scores: FloatArray, k: int) -> NDArray[np.int64]:
    """Rows of the k largest scores above zero."""
    rows = np.argpartition(-scores, k)[:k] if len(scores) > k else np.arange(len(scores))
    return rows[scores[rows] > 0]
