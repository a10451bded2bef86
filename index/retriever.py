"""Query -> hits: dense and lexical recall, late-interaction rerank, and the evidence that a reader works on."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from corpus.article import Article, BankQuestion, Sentence
from corpus.language import Names, core, has_han, search_key
from corpus.passage import Passage
from corpus.segment import Span, Tokenizer
from index.classifier import GAP, Classifier
from index.encoder import Encoder, FloatArray, IntArray, TokenTable
from index.lexical import largest, nearest, ragged
from index.segment import Tokens
from index.store import Index

RIVAL = 0.4
"""A token of an earlier question that is this near to one of the new question has been replaced by it."""

EXHAUSTIVE = 512
"""An article of at most so many sentences has all of them read for every question."""

TAUGHT = 12
"""So many of what the classifier holds likeliest are read of a longer one, beside what was retrieved."""

SHARED = 8192
"""Articles of at most so many distinct tokens have the cosines of all of them computed for every question."""

READ = 256
"""Articles whose structure is kept from one question to the next, and a sixteenth of the passages that are."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """How the scores of a passage, and of the best of its sentences, are put together: the one place for these numbers.

    Each score is standardised over the candidates, weighted and summed. Chosen on development data;
    `python -m evaluation.retrieval --tune` prints what other weights of the passage's own scores give.
    """

    dense: float = 0.5
    lexical: float = 0.5
    """For a question with Chinese in it."""
    lexical_latin: float = 0.1
    """For one without."""
    late: float = 1.0
    dense_sentence: float = 0.4
    lexical_sentence: float = 0.5
    """For a question with Chinese in it; of one without the words of single sentences say nothing."""
    candidates: int = 150


IMPORTANCE = 1.5
"""The length of a token's vector counts to this power."""

COMMON = 0.85
"""A token is as good as found where its cosine is within this share of its best anywhere."""

FOUND = 0.5
"""A token has a counterpart in another text from this cosine on."""


@dataclass(frozen=True, slots=True)
class Query:
    """A question made ready for every stage."""

    text: str
    key: str
    own_key: str
    """Without what was asked before, or for a part of a question without its other parts."""
    vector: FloatArray
    """(dim,)"""
    own_vector: FloatArray
    """(dim,): that of `own_key`."""
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
            own_key=self.own_key,
            own_vector=self.own_vector,
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
    dense_sentence: float
    """The best of its sentences' cosines."""
    lexical_sentence: float


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
    rare_there: float
    """As `there`, with what few of the candidates share counting for more."""
    missing_there: float
    """Share of the query's importance that is not found in the question."""
    missing_back: float
    """Share of the question's importance that is not found in the query."""


@dataclass(frozen=True, slots=True)
class Taught:
    """What the classifier of the article's bank makes of a query; nothing where the bank is small."""

    sentences: FloatArray
    """(candidates,): probability that it is asked for."""
    alone: FloatArray
    """The same, without what was asked before."""
    gap: float
    """Probability that what is asked for is a known gap."""
    gap_alone: float
    learned: bool
    """Whether there was a classifier to ask."""

    @classmethod
    def of(cls, classifier: Classifier | None, query: Query, sentences: Sequence[Sentence]) -> Taught:
        if classifier is None:
            none = np.zeros(len(sentences), dtype=np.float32)
            return cls(none, none, 0.0, 0.0, learned=False)
        numbers = np.array([sentence.id for sentence in sentences])
        places = np.minimum(np.searchsorted(classifier.classes, numbers), len(classifier.classes) - 1)
        known = classifier.classes[places] == numbers
        whole = classifier.probabilities(query.key, query.vector)
        own = classifier.probabilities(query.own_key, query.own_vector) if query.own_key != query.key else whole
        gap = classifier.classes == GAP

        def of_sentences(probabilities: FloatArray) -> FloatArray:
            return np.where(known, probabilities[places], 0).astype(np.float32)

        gaps = float(whole[gap].sum()), float(own[gap].sum())
        return cls(of_sentences(whole), of_sentences(own), *gaps, learned=True)


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
    taught: Taught


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

    Where the articles' own tokens are few, their cosines are computed once a query and looked up by every stage;
    where they are many, and for the bank, those of the candidates are.
    """

    def __init__(self, vocabulary: IntArray, table: TokenTable) -> None:
        self._table = table
        self._columns = np.zeros(len(table.rows), dtype=np.int32)
        parts = np.array_split(table.rows, max(1, len(table.rows) // 4096))
        lengths = np.concatenate([np.linalg.norm(part.astype(np.float32), axis=1) for part in parts])
        self._lengths = np.where(lengths > 0, lengths, 1)
        self._shared = np.empty((table.dim, 0), dtype=np.float32)
        if len(vocabulary) <= SHARED:
            self._shared = np.ascontiguousarray(table.vectors(vocabulary).T)
            self._columns[vocabulary] = np.arange(len(vocabulary))

    def similarities(self, units: FloatArray) -> FloatArray:
        """(len(units), distinct tokens of the articles): cosines; no columns where the articles have too many."""
        return np.asarray(units @ self._shared)

    def best(self, query: Query, tokens: Tokens) -> FloatArray:
        """(query tokens, rows): zero for a row without tokens."""
        if query.similarities.shape[1]:
            cosines = query.similarities[:, self._columns[tokens.ids]]
        else:
            cosines = self._cosines(query, tokens.ids)
        return _segments(np.maximum, cosines, tokens.begins)

    def _cosines(self, query: Query, ids: IntArray) -> FloatArray:
        """(query tokens, ids), each distinct id compared once."""
        there = np.zeros(len(self._columns), dtype=bool)
        there[ids] = True
        distinct = np.flatnonzero(there)
        columns = np.empty(len(there), dtype=np.int32)
        columns[distinct] = np.arange(len(distinct))
        # Brought to length one after the product, which has far fewer numbers than the vectors.
        cosines = query.units @ self._table.rows[distinct].astype(np.float32).T / self._lengths[distinct]
        return np.asarray(cosines[:, columns[ids]])

    def both_ways(self, query: Query, tokens: Tokens) -> FloatArray:
        """(7, rows): how far each is found in the other, the worst found of the three weightiest tokens of each, ...

        ... the query in the row by rarity among the rows, and the share of each's importance that the other lacks.
        """
        ids, begins = tokens.ids, tokens.begins
        cosines = self._cosines(query, ids)
        best = _segments(np.maximum, cosines, begins)
        found, weights = cosines.max(axis=0), self._table.weights[ids]
        back, missed, total = _segments(np.add, np.stack([found * weights, (found < FOUND) * weights, weights]), begins)
        lengths = np.diff(np.append(begins, len(ids)))
        heaviest = np.lexsort((-weights, np.repeat(np.arange(len(begins)), lengths)))
        three = begins + np.minimum(np.arange(3)[:, None], np.maximum(lengths - 1, 0))
        least = np.where(lengths > 0, found[heaviest][np.minimum(three, len(ids) - 1)].min(axis=0), 1)
        there_least = best[weightiest(query.weights)].min(axis=0)
        total = np.where(total > 0, total, 1)
        rare = _rare(query.weights, best) @ best
        missing = query.weights @ (best < FOUND)
        return np.stack([query.weights @ best, back / total, there_least, least, rare, missing, missed / total])


def weightiest(weights: FloatArray, count: int = 3) -> NDArray[np.int64]:
    """Places of the tokens that matter most."""
    return np.argsort(-weights, kind="stable")[:count]


class LocalRetriever:
    """Retrieval over the articles of an index, wherever their passages live."""

    def __init__(self, index: Index, encoder: Encoder, tokenizer: Tokenizer, fusion: Fusion | None = None) -> None:
        self.index = index
        self._encoder, self._tokenizer, self._fusion = encoder, tokenizer, fusion or Fusion()
        self._place = lru_cache(maxsize=16 * READ)(index.place)
        vocabulary = np.unique(np.concatenate([np.empty(0, np.int32), *(s.vocabulary for s in index.segments)]))
        self._late = LateInteraction(vocabulary, encoder.table) if encoder.table is not None else None
        self._expansion = _Expansion(index.articles)
        self._articles = {article.id: article for article in index.articles}
        self._read = lru_cache(maxsize=READ)(self._open)
        self._passage = lru_cache(maxsize=16 * READ)(index.passage)

    def prepare(self, text: str) -> Query:
        key = core(search_key(text))
        ids = self._encoder.token_ids([key])[0]
        vector = self._encoder.encode_queries([key])[0]
        weights = self._encoder.table.weights[ids] if self._encoder.table is not None else np.empty(0, np.float32)
        units = self._encoder.table.vectors(ids) if self._encoder.table is not None else np.empty((0, 1), np.float32)
        return Query(
            text=text,
            key=key,
            own_key=key,
            vector=vector,
            own_vector=vector,
            ids=ids,
            weights=weights / max(float(weights.sum()), 1e-9),
            units=units,
            similarities=self._late.similarities(units) if self._late else np.empty((0, 0), np.float32),
            terms=tuple(self._tokenizer.search_terms(" ".join((key, *self._expansion.names(text, key))))),
            own=len(ids),
        )

    def retrieve(self, query: Query, top_k: int = 10, article: str | None = None) -> list[Hit]:
        """Recall by vectors and by words, then late interaction over the candidates."""
        fusion, lexical = self._fusion, self.index.lexical["passages"]
        among = self._place(article).among["passages"] if article else None
        if among is not None and not among:
            return []
        words = lexical.words(query.terms)
        near = self.index.store.search(query.vector, fusion.candidates, among)
        if among is None:
            worded = lexical.top(words, fusion.candidates)
        else:
            worded = among.start + largest(lexical.between(words, among), fusion.candidates)
        rows = np.union1d(near, worded)
        if not len(rows):
            return []
        dense, tokens = self.index.store.read(query.vector, rows)
        by_word = lexical.at(words, rows)
        found = self._best(query, tokens)
        late = _rare(query.weights, found) @ found
        passages = [self._passage(row) for row in rows.tolist()]
        columns = np.stack([dense, by_word, late, *self._best_sentences(query, passages)])
        by_words = (fusion.lexical, fusion.lexical_sentence) if has_han(query.key) else (fusion.lexical_latin, 0.0)
        weights = np.array([fusion.dense, by_words[0], fusion.late, fusion.dense_sentence, by_words[1]], np.float32)
        total = weights @ np.stack([_standard(column) for column in columns])
        return [
            Hit(passages[i], float(total[i]), *columns[:, i].tolist())
            for i in np.argsort(-total, kind="stable")[:top_k]
        ]

    def _best_sentences(self, query: Query, passages: Sequence[Passage]) -> tuple[FloatArray, FloatArray]:
        """(len(passages),) twice: the best cosine and the best BM25 score of the sentences that each touches."""
        places = [self._place(passage.article) for passage in passages]
        starts = np.array([p.among["sentences"].start for p in places]) + [p.sentences.start - 1 for p in passages]
        lengths = np.array([len(passage.sentences) for passage in passages])
        rows, back = np.unique(ragged(starts, lengths), return_inverse=True)
        lexical = self.index.lexical["sentences"]
        dense, words = self.index.sentence_cosines(query.vector, rows), lexical.at(lexical.words(query.terms), rows)
        begins = np.cumsum(lengths) - lengths
        return np.maximum.reduceat(dense[back], begins), np.maximum.reduceat(words[back], begins)

    def evidence(self, query: Query, article: str, hits: Sequence[Hit]) -> SentenceEvidence:
        """Every sentence of a short article, the sentences of the hits of a long one."""
        held = self._articles[article]
        read, place, lexical = self._read(article), self._place(article), self.index.lexical
        rows = _candidates(held, hits, read.classifier, query)
        around = (read.heading[rows], read.item[rows], read.before[rows], read.after[rows])
        wanted = np.unique(np.concatenate([rows, *around]))
        wanted = wanted[wanted >= 0]
        base, english_base = place.within["sentences"].start, place.within["translations"].start
        sentences, translations = place.segment.tables["sentences"], place.segment.tables["translations"]
        late = self._best(query, sentences.tokens(base + wanted))
        translation, has = read.translation[rows], read.translation[rows] >= 0

        def of(relatives: NDArray[np.int64]) -> FloatArray:
            places = np.searchsorted(wanted, np.maximum(relatives, 0))
            return np.where(relatives >= 0, late[:, np.minimum(places, len(wanted) - 1)], 0)

        def translated(scores: FloatArray) -> FloatArray:
            found = np.zeros((*scores.shape[:-1], len(rows)), dtype=np.float32)
            found[..., has] = scores
            return found

        def worded(kind: str) -> FloatArray:
            return lexical[kind].between(lexical[kind].words(query.terms), place.among[kind])

        heading, item, before, after = (of(relatives) for relatives in around)
        english = translation[has]
        own, other = of(rows), translated(self._best(query, translations.tokens(english_base + english)))
        return SentenceEvidence(
            article=held,
            sentences=tuple(held.sentences[row] for row in rows),
            weights=_rare(query.weights, np.maximum(own, other)),
            dense=sentences.dense(query.vector, base + rows),
            dense_translation=translated(translations.dense(query.vector, english_base + english)),
            lexical=worded("sentences")[rows],
            lexical_translation=translated(worded("translations")[english]),
            late=own,
            late_translation=other,
            late_context=np.maximum(heading, item),
            late_neighbours=np.maximum(before, after),
            taught=Taught.of(read.classifier, query, [held.sentences[row] for row in rows]),
        )

    def bank(self, query: Query, article: str, top_k: int = 32) -> list[BankMatch]:
        """Ordered by half the cosine and half late interaction both ways."""
        place = self._place(article)
        within, table = place.within["questions"], place.segment.tables["questions"]
        if not within:
            return []
        dense = table.dense(query.vector, slice(within.start, within.stop))
        rows = nearest(dense, max(2 * top_k, 48))
        dense = dense[rows]
        ways = np.tile(dense, (7, 1))
        if self._late is not None and query.ids.size:
            ways = self._late.both_ways(query, table.tokens(within.start + rows))
        scores = 0.5 * dense + 0.25 * (ways[0] + ways[1])
        columns = np.stack([scores, dense, *ways], axis=1)
        best = np.argsort(-scores, kind="stable")[:top_k]
        held = self._articles[article]
        return [
            BankMatch(_question(held, row), row, *numbers)
            for row, numbers in zip(rows[best].tolist(), columns[best].tolist(), strict=True)
        ]

    def passage_of(self, article: Article, sentence: Sentence) -> Span:
        """The smallest run of passages that holds the whole sentence."""
        return self._read(article.id).holding.get(sentence.id, sentence.span)

    def _best(self, query: Query, tokens: Tokens) -> FloatArray:
        if self._late is None or not query.ids.size:
            return np.zeros((len(query.ids), len(tokens.begins)), dtype=np.float32)
        return self._late.best(query, tokens)

    def _open(self, article: str) -> _Read:
        place = self._place(article)
        passages = place.within["passages"]
        held = place.segment.places[passages.start : passages.stop]
        return _Read.of(self._articles[article], held, place.segment.classifiers.of(place.member))


def _question(article: Article, row: int) -> BankQuestion:
    """Of its bank, known gaps after the questions."""
    known = len(article.questions)
    return article.questions[row] if row < known else article.gaps[row - known]


def _candidates(
    article: Article, hits: Sequence[Hit], classifier: Classifier | None, query: Query
) -> NDArray[np.int64]:
    """Places in `Article.sentences` of those to be read: of a long article what was hit, and what the bank teaches."""
    if len(article.sentences) <= EXHAUSTIVE:
        return np.arange(len(article.sentences))
    rows = {n - 1 for hit in hits if hit.passage.article == article.id for n in hit.passage.sentences}
    if classifier is not None:
        likely = np.argsort(-classifier.probabilities(query.key, query.vector), kind="stable")[:TAUGHT]
        rows |= {number - 1 for number in classifier.classes[likely].tolist() if number != GAP}
    return np.array(sorted(rows), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Read:
    """What stands around each sentence of an article, as places in `Article.sentences`, -1 where nothing does."""

    heading: NDArray[np.int64]
    item: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    translation: NDArray[np.int64]
    """Row among the article's translations."""
    holding: Mapping[int, Span]
    """By the id of a sentence, the run of passages that holds it."""
    classifier: Classifier | None

    @classmethod
    def of(cls, article: Article, passages: IntArray, classifier: Classifier | None) -> _Read:
        rows: list[tuple[int, int, int, int]] = []
        for s in article.sentences:
            section = article.section_of(s).sentences
            opening = article.sentence(section[0])
            heading = section[0] - 1 if opening.id != s.id else -1
            item = s.item - 1 if s.item and s.item != s.id else -1
            inside = [n in section and not article.sentence(n).is_heading for n in (s.id - 1, s.id + 1)]
            rows.append((heading, item, s.id - 2 if inside[0] else -1, s.id if inside[1] else -1))
        heading_of, item_of, before, after = np.array(rows, dtype=np.int64).reshape(-1, 4).T
        translated = np.array([bool(s.translation) for s in article.sentences])
        holding: dict[int, Span] = {}
        for _, start, end, first, last in passages.tolist():
            for number in range(first, last + 1):
                known = holding.get(number)
                holding[number] = Span(known.start if known else start, end)
        translation = np.where(translated, np.cumsum(translated) - 1, -1)
        return cls(heading_of, item_of, before, after, translation, holding, classifier)


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
        self._names = Names(self._folded)
        self._exact_names = Names(self._exact)

    def names(self, text: str, key: str) -> list[str]:
        found = [self._folded[name] for name in self._names.found(key)]
        found += [self._exact[name] for name in self._exact_names.found(unicodedata.normalize("NFKC", text))]
        return [name for name in dict.fromkeys(found) if name not in key]


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
