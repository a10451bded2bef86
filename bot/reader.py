"""Which sentences answer, and how sure we are: a small trained model over what retrieval and the words say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bot.question import KINDS, asks, gives, numbers, ordinal
from corpus.article import Article, Evidence, Sentence
from corpus.language import search_key
from index.retriever import BankMatch, Hit, Query, SentenceEvidence

FloatArray = NDArray[np.float32]

MODEL = Path(__file__).with_name("reader.json")

BEHIND = 0.15
"""A bank question this far behind the best has no vote."""


@dataclass(frozen=True, slots=True)
class Scored:
    article: Article
    sentence: Sentence
    span_score: float
    """Probability that the sentence belongs to the answer, if the article answers at all."""
    retrieval_score: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader makes of a question."""

    ranked: tuple[Scored, ...]
    chosen: tuple[Scored, ...]
    """One to three, best first."""
    answerable: float
    """Probability that the article answers."""
    answers: bool
    """Whether that is enough."""
    on_topic: bool
    """Whether the question is about what the article is about."""
    gap: str = ""
    """Topic of the nearest known gap, if that is why there is no answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question in its conversation: what was said before as far as it matters now."""

    query: Query
    previous: tuple[tuple[str, int], ...] = ()
    """Article and sentence of what answered the question before, for one that goes on from there."""


class Reader(Protocol):
    def read(
        self, asked: Asked, hits: Sequence[Hit], evidence: SentenceEvidence, bank: Sequence[BankMatch]
    ) -> Reading: ...


SENTENCE_FEATURES = (
    "dense", "dense_translation", "late", "late_translation", "late_both", "late_context", "late_neighbours",
    "least_covered", "lexical", "lexical_translation", "lead_dense", "lead_late", "lead_context",
    "bank", "bank_lead", "bank_vote", "bank_first", "passage_rank",
    "heading", "disclaimer", "caption", "reference", "length",
    "numbers_found", "numbers_missing", "terms_found", "terms_missing", "terms_context_missing",
    "ordinal_same", "ordinal_other", "previous", "after_previous", "item_of_previous", "section_of_previous",
    *(f"asks_{kind}_gives" for kind in KINDS),
    *(f"asks_{kind}_lacks" for kind in KINDS),
)  # fmt: skip

QUESTION_FEATURES = (
    "bank", "gap", "bank_over_gap", "bank_second", "gap_vote", "agreement", "top", "margin", "late", "late_context", "dense",
    "least_covered", "second_least_covered", "covered", "uncovered_weight", "lexical", "terms", "terms_missing", "numbers_missing",
    "tokens", "english", "bank_squared", "gap_squared", "type_missing",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Linear:
    """A logistic regression over standardised features."""

    weights: FloatArray
    bias: float

    def probability(self, features: FloatArray) -> FloatArray:
        return np.asarray(1 / (1 + np.exp(-(features @ self.weights + self.bias))), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class ReaderModel:
    """Weights and thresholds, trained by `python -m training.reader`; one set with a question bank, one without."""

    sentence: Linear
    answerable: Linear
    on_topic: Linear
    threshold: float
    """Abstain under this probability of being answerable."""
    second: float
    """A further sentence joins if its probability is at least this share of the best one's ..."""
    together: float
    """... or this share, where a near question of the bank is answered by both."""

    @classmethod
    def load(cls, file: Path = MODEL) -> dict[str, ReaderModel]:
        """The models by name: `bank` and `plain`."""

        def linear(weights: dict[str, float], names: Sequence[str]) -> Linear:
            return Linear(np.array([weights.get(n, 0.0) for n in names], dtype=np.float32), float(weights["bias"]))

        data = json.loads(file.read_text(encoding="utf-8"))
        return {
            name: cls(
                linear(part["sentence"], SENTENCE_FEATURES),
                linear(part["answerable"], QUESTION_FEATURES),
                linear(part["on_topic"], QUESTION_FEATURES),
                part["threshold"],
                part["second"],
                part["together"],
            )
            for name, part in data.items()
        }


@dataclass(frozen=True, slots=True)
class _Traits:
    """What does not depend on the question, for the sentences of one article."""

    fixed: FloatArray
    """(sentences, 5): heading, disclaimer, caption, reference, length."""
    gives: NDArray[np.bool_]
    """(sentences, kinds)"""
    numbers: tuple[frozenset[str], ...]
    terms: NDArray[np.bool_]
    """(sentences, glossary)"""
    context_terms: NDArray[np.bool_]
    """The same with heading, opening of the item and neighbours."""
    ordinal: NDArray[np.int64]
    """Position of the sentence's item in its list, 0 for none; `lasts` marks the last of a list."""
    lasts: NDArray[np.bool_]
    item: NDArray[np.int64]
    section: NDArray[np.int64]
    names: dict[str, int]
    """Search key of each name of a glossary term -> its number."""


@dataclass(slots=True)
class TrainedReader:
    models: dict[str, ReaderModel] = field(default_factory=ReaderModel.load)

    def read(self, asked: Asked, hits: Sequence[Hit], evidence: SentenceEvidence, bank: Sequence[BankMatch]) -> Reading:
        if not evidence.sentences:
            return Reading((), (), 0.0, answers=False, on_topic=False)
        model = self.models["bank" if bank else "plain"]
        features = sentence_features(asked, hits, evidence, bank)
        scores = model.sentence.probability(features)
        order = np.argsort(-scores, kind="stable")
        shown = {(h.passage.article, n): h.retrieval_score for h in reversed(hits) for n in h.passage.sentences}
        ranked = tuple(
            Scored(a, s, float(scores[i]), shown.get((a.id, s.id), 0.0))
            for i, (a, s) in ((int(i), evidence.sentences[int(i)]) for i in order[:12])
        )
        overall = question_features(asked, evidence, bank, features, scores)
        answerable = model.answerable.probability(overall).item()
        return Reading(
            ranked=ranked,
            chosen=choose(ranked, bank, model),
            answerable=answerable,
            answers=answerable >= model.threshold,
            on_topic=model.on_topic.probability(overall).item() >= 0.5,
            gap=bank[0].question.topic if bank and not bank[0].question.sentences else "",
        )


def choose(ranked: Sequence[Scored], bank: Sequence[BankMatch], model: ReaderModel) -> tuple[Scored, ...]:
    """The best sentence and those that belong with it, at most three."""
    best = ranked[0]
    near = [set(m.question.sentences) for m in bank if m.retrieval_score >= bank[0].retrieval_score - BEHIND]
    pairs = [held for held in near if best.sentence.id in held and len(held) > 1]
    chosen = [best]
    for other in ranked[1:6]:
        share = other.span_score / max(best.span_score, 1e-9)
        joined = any(other.sentence.id in held for held in pairs) and other.article.id == best.article.id
        if share >= (model.together if joined else model.second):
            chosen.append(other)
    return tuple(chosen[:3])


def sentence_features(
    asked: Asked, hits: Sequence[Hit], evidence: SentenceEvidence, bank: Sequence[BankMatch]
) -> FloatArray:
    """(candidates, SENTENCE_FEATURES)"""
    query, count = asked.query, len(evidence.sentences)
    column: dict[str, FloatArray | NDArray[np.bool_]] = {}
    both = np.maximum(evidence.late, evidence.late_translation)
    context = np.maximum(both, evidence.late_context)
    late_both, late_context = query.weights @ both, query.weights @ context
    column["dense"], column["dense_translation"] = evidence.dense, evidence.dense_translation
    column["late"], column["late_translation"] = (
        query.weights @ evidence.late,
        query.weights @ evidence.late_translation,
    )
    column["late_both"], column["late_context"] = late_both, late_context
    column["late_neighbours"] = query.weights @ np.maximum(context, evidence.late_neighbours)
    column["least_covered"] = _least(context, query.weights)[0]
    column["lexical"] = _share(evidence.lexical)
    column["lexical_translation"] = _share(evidence.lexical_translation)
    dense = np.maximum(evidence.dense, evidence.dense_translation)
    column["lead_dense"], column["lead_late"] = dense - dense.max(), late_both - late_both.max(initial=0)
    column["lead_context"] = late_context - late_context.max(initial=0)
    column |= _bank_columns(evidence, bank)
    rank = {
        (h.passage.article, n): 1 / (1 + i) for i, h in reversed(list(enumerate(hits))) for n in h.passage.sentences
    }
    column["passage_rank"] = np.array([rank.get((a.id, s.id), 0.0) for a, s in evidence.sentences])

    rows = np.array([s.id - 1 for _, s in evidence.sentences])
    first = evidence.sentences[0][0]
    if all(article is first for article, _ in evidence.sentences):
        column |= _word_columns(asked, _traits(first), first.id, rows)
    else:
        parts = [_word_columns(asked, _traits(a), a.id, rows[i : i + 1]) for i, (a, _) in enumerate(evidence.sentences)]
        column |= {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return np.stack([np.broadcast_to(column[n], (count,)) for n in SENTENCE_FEATURES], axis=1).astype(np.float32)


def _bank_columns(evidence: SentenceEvidence, bank: Sequence[BankMatch]) -> dict[str, FloatArray]:
    count = len(evidence.sentences)
    best, vote, first = (np.zeros(count, dtype=np.float32) for _ in range(3))
    place = {(a.id, s.id): i for i, (a, s) in enumerate(evidence.sentences)}
    answered = [m for m in bank if m.question.sentences]
    top = answered[0].retrieval_score if answered else 0.0
    total = 0.0
    for match in answered:
        strength = float(np.exp((match.retrieval_score - top) * 12))
        total += strength
        for number in match.question.sentences:
            i = place.get((match.article.id, number))
            if i is not None:
                best[i] = max(best[i], match.retrieval_score)
                vote[i] += strength / len(match.question.sentences)
    if answered:
        for number in answered[0].question.sentences:
            i = place.get((answered[0].article.id, number))
            if i is not None:
                first[i] = 1
    lead = np.where(best > 0, best - top, -0.5).astype(np.float32)
    return {"bank": best, "bank_lead": lead, "bank_vote": vote / max(total, 1e-9), "bank_first": first}


def _word_columns(asked: Asked, traits: _Traits, article: str, rows: NDArray[np.int64]) -> dict[str, FloatArray]:
    key = asked.query.key
    wanted = np.array(asks(key))
    given = traits.gives[rows]
    column: dict[str, FloatArray] = {
        f"asks_{kind}_gives": given[:, i].astype(np.float32) if wanted[i] else np.zeros(len(rows), np.float32)
        for i, kind in enumerate(KINDS)
    }
    column |= {
        f"asks_{kind}_lacks": (~given[:, i]).astype(np.float32) if wanted[i] else np.zeros(len(rows), np.float32)
        for i, kind in enumerate(KINDS)
    }
    for i, name in enumerate(("heading", "disclaimer", "caption", "reference", "length")):
        column[name] = traits.fixed[rows, i]
    asked_numbers = numbers(key)
    if asked_numbers:
        found = np.array([len(asked_numbers & traits.numbers[row]) for row in rows], dtype=np.float32)
        column["numbers_found"], column["numbers_missing"] = found, len(asked_numbers) - found
    else:
        column["numbers_found"] = column["numbers_missing"] = np.zeros(len(rows), np.float32)
    terms = sorted({number for name, number in traits.names.items() if _names(name, key)})
    column["terms_found"] = traits.terms[rows][:, terms].sum(axis=1).astype(np.float32)
    column["terms_missing"] = len(terms) - column["terms_found"]
    column["terms_context_missing"] = len(terms) - traits.context_terms[rows][:, terms].sum(axis=1).astype(np.float32)
    which = ordinal(key)
    place = traits.ordinal[rows]
    same = (traits.lasts[rows] if which == -1 else place == which) if which else np.zeros(len(rows), bool)
    column["ordinal_same"] = (same & (place > 0)).astype(np.float32)
    column["ordinal_other"] = (~same & (place > 0)).astype(np.float32) if which else np.zeros(len(rows), np.float32)
    before = np.array([n - 1 for a, n in asked.previous if a == article], dtype=np.int64)
    items = traits.item[before]
    column["previous"] = np.isin(rows, before).astype(np.float32)
    column["after_previous"] = np.isin(rows, before + 1).astype(np.float32)
    column["item_of_previous"] = np.isin(traits.item[rows], items[items > 0]).astype(np.float32)
    column["section_of_previous"] = np.isin(traits.section[rows], traits.section[before]).astype(np.float32)
    return column


def question_features(
    asked: Asked,
    evidence: SentenceEvidence,
    bank: Sequence[BankMatch],
    features: FloatArray,
    scores: FloatArray,
) -> FloatArray:
    """(QUESTION_FEATURES,): what speaks for the article having an answer, over all candidates."""
    query = asked.query
    of = {name: i for i, name in enumerate(SENTENCE_FEATURES)}
    top = int(scores.argmax())
    answered = [m for m in bank if m.question.sentences]
    gaps = [m for m in bank if not m.question.sentences]
    best = answered[0].retrieval_score if answered else 0.0
    gap = gaps[0].retrieval_score if gaps else 0.0
    strength = np.exp(12 * (np.array([m.retrieval_score for m in bank]) - max(best, gap))) if bank else np.zeros(0)
    is_gap = np.array([not m.question.sentences for m in bank], dtype=bool)
    context = np.maximum(np.maximum(evidence.late, evidence.late_translation), evidence.late_context)
    anywhere = context.max(axis=1) if context.size else np.zeros(0, dtype=np.float32)
    least = np.sort(_weighty(anywhere, query.weights))
    wanted = asks(query.key)
    lacks = [
        features[top, of[f"asks_{kind}_lacks"]] for kind, asked_for in zip(KINDS, wanted, strict=True) if asked_for
    ]
    values = {
        "bank": best,
        "gap": gap,
        "bank_over_gap": best - gap,
        "bank_second": answered[1].retrieval_score if len(answered) > 1 else 0.0,
        "gap_vote": float(strength[is_gap].sum() / max(strength.sum(), 1e-9)) if bank else 0.0,
        "agreement": float(features[top, of["bank_vote"]]),
        "top": float(scores[top]),
        "margin": float(scores[top] - np.partition(scores, -2)[-2]) if len(scores) > 1 else float(scores[top]),
        "late": float(features[:, of["late_both"]].max()),
        "late_context": float(features[top, of["late_context"]]),
        "dense": float(features[:, [of["dense"], of["dense_translation"]]].max()),
        "least_covered": float(least[0]) if least.size else 0.0,
        "second_least_covered": float(least[1]) if least.size > 1 else 0.0,
        "covered": float(query.weights @ anywhere) if anywhere.size else 0.0,
        "uncovered_weight": float(query.weights[anywhere < 0.5].sum()) if anywhere.size else 1.0,
        "lexical": float(np.log1p(max(evidence.lexical.max(), evidence.lexical_translation.max()))),
        "terms": float(features[top, of["terms_found"]]),
        "terms_missing": float(features[top, of["terms_context_missing"]]),
        "numbers_missing": float(features[:, of["numbers_missing"]].min()),
        "tokens": float(np.log1p(len(query.ids))),
        "english": float(query.key.isascii()),
        "bank_squared": best * best,
        "gap_squared": gap * gap,
        "type_missing": float(np.mean(lacks)) if lacks else 0.0,
    }
    return np.array([values[name] for name in QUESTION_FEATURES], dtype=np.float32)


def _share(scores: FloatArray) -> FloatArray:
    return scores / max(float(scores.max(initial=0)), 1e-9)


def _weighty(scores: FloatArray, weights: FloatArray) -> FloatArray:
    """The scores of the four query tokens that matter most."""
    return scores[np.argsort(-weights, kind="stable")[:4]]


def _least(scores: FloatArray, weights: FloatArray) -> FloatArray:
    """(1, candidates): the worst covered of the three query tokens that matter most."""
    if not scores.shape[0]:
        return np.zeros((1, scores.shape[1]), dtype=np.float32)
    return scores[np.argsort(-weights, kind="stable")[:3]].min(axis=0, keepdims=True)


def _names(name: str, key: str) -> bool:
    """Whether a question uses this name; a Latin one as a whole word."""
    at = key.find(name)
    if at < 0 or not name.isascii():
        return at >= 0
    end = at + len(name)
    return not (at and key[at - 1].isascii() and key[at - 1].isalnum()) and not (
        end < len(key) and key[end].isascii() and key[end].isalnum() and key[end : end + 2] not in ("s", "s ")
    )


@lru_cache(maxsize=256)
def _traits(article: Article) -> _Traits:
    keys = [search_key(s.text) for s in article.sentences]
    names = {search_key(name): i for i, term in enumerate(article.glossary) for name in term.names}
    terms = np.zeros((len(keys), max(len(article.glossary), 1)), dtype=bool)
    for row, key in enumerate(keys):
        for name, i in names.items():
            if _names(name, key):
                terms[row, i] = True
    around = terms.copy()
    ordinals = np.zeros(len(keys), dtype=np.int64)
    lasts = np.zeros(len(keys), dtype=bool)
    openers = sorted({s.item for s in article.sentences if s.item})
    for row, s in enumerate(article.sentences):
        section = article.section_of(s).sentences
        for n in {section[0], s.item or s.id, s.id - 1, s.id + 1}:
            if n in section:
                around[row] |= terms[n - 1]
        if s.item:
            siblings = [n for n in openers if article.sentence(n).section == s.section]
            ordinals[row] = siblings.index(s.item) + 1
            lasts[row] = s.item == siblings[-1]
    kinds = (Evidence.HEADING, Evidence.DISCLAIMER, Evidence.CAPTION, Evidence.REFERENCE)
    fixed = [[*(s.evidence is kind for kind in kinds), np.log(len(s.text)) / 5] for s in article.sentences]
    return _Traits(
        fixed=np.array(fixed, dtype=np.float32),
        gives=np.array([gives(s.text) for s in article.sentences]),
        numbers=tuple(numbers(key) for key in keys),
        terms=terms,
        context_terms=around,
        ordinal=ordinals,
        lasts=lasts,
        item=np.array([s.item or 0 for s in article.sentences]),
        section=np.array([s.section for s in article.sentences]),
        names=names,
    )
