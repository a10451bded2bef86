"""The numbers that the reader's models see: of a bank question, of a sentence, of a question as a whole."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bot.question import KINDS, asks, gives, numbers, ordinal
from corpus.article import Article, Evidence
from corpus.language import Names, core, search_key
from index.encoder import FloatArray
from index.retriever import BankMatch, Hit, Query, SentenceEvidence, weightiest

MATCH_FEATURES = (
    "dense", "there", "back", "least_there", "least_back", "rare_there", "missing_there", "missing_back",
    "there_lead", "rare_lead", "back_lead", "dense_lead", "same_language", "length",
    "terms_only_here", "terms_only_there", "terms_shared", "numbers_only_here", "numbers_only_there", "numbers_shared",
    "asks_only_here", "asks_only_there", "asks_shared", "ordinal_differs", "ordinal_same",
    *(f"{kind}_differs" for kind in KINDS), "taught", "taught_alone",
)  # fmt: skip
"""Of a question of the bank beside the query."""

SENTENCE_FEATURES = (
    "dense", "dense_translation", "late", "late_translation", "late_both", "late_context", "late_neighbours",
    "least_covered", "lexical", "lexical_translation", "lead_dense", "lead_late", "lead_context",
    "bank", "bank_lead", "bank_vote", "bank_sharp_vote", "bank_first", "passage_rank",
    "heading", "disclaimer", "caption", "reference", "length",
    "numbers_found", "numbers_missing", "terms_found", "terms_missing", "terms_context_missing",
    "ordinal_same", "ordinal_other", "previous", "after_previous", "item_of_previous", "section_of_previous",
    "best_of_part", "item_lead", "taught", "taught_lead", "taught_alone", "taught_alone_lead",
    *(f"asks_{kind}_gives" for kind in KINDS),
    *(f"asks_{kind}_lacks" for kind in KINDS),
)  # fmt: skip

JOIN_FEATURES = (
    "share", "score", "best_score", "joint", "bank", "covers_more", "covered_by_best", "next", "before", "apart",
    "same_section", "same_item", "conjunction", "asks", "asks_list", "asks_summary", "asks_compare", "asks_why",
    "tokens", "set_size", "rank", "of_part", "best_of_part", "parts",
    "taught", "taught_best",
)  # fmt: skip
"""Of a further sentence beside the best one."""

QUESTION_FEATURES = (
    "bank", "bank_second", "gap", "gap_second", "bank_over_gap", "bank_to_gap", "gap_vote", "gap_share", "agreement",
    "top", "margin", "late", "late_context", "dense", "least_covered", "second_least_covered", "covered",
    "uncovered_weight", "lexical", "terms", "terms_missing", "numbers_missing", "tokens", "english", "type_missing",
    "bank_least_there", "bank_least_back", "bank_terms_only_here", "bank_terms_only_there", "bank_near", "gap_near",
    "own_least_covered", "own_covered", "follows",
    "taught", "taught_gap", "taught_over_gap", "taught_alone", "taught_alone_gap", "taught_alone_over_gap",
    "taught_agreement",
)  # fmt: skip


_CONJUNCTION = re.compile(
    r"\A[^,，;；]*[,，;；].*[?？]|以及|并且|同时|分别|又|各(?:是|自)|\A[^和]*和.*(?:哪|什么|多少)"
    r"|\b(?:and|both|respectively|as well as|also)\b"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question in its conversation: what was said before as far as it matters now."""

    query: Query
    previous: tuple[tuple[str, int], ...] = ()
    """Article and sentence of what answered the question before, for one that goes on from there."""
    parts: tuple[tuple[str, int], ...] = ()
    """Article and sentence of what best answers each of the things asked, for a question that asks several."""

    def parts_of(self, article: Article) -> list[int]:
        """Sentences of this article among `parts`."""
        return [number for name, number in self.parts if name == article.id]


@dataclass(frozen=True, slots=True)
class _Wording:
    """What a question names and asks for."""

    terms: NDArray[np.bool_]
    """(glossary,)"""
    asks: NDArray[np.bool_]
    """(KINDS,)"""
    numbers: frozenset[str]
    ordinal: int
    """0 for none."""


def match_features(asked: Asked, evidence: SentenceEvidence, bank: Sequence[BankMatch]) -> FloatArray:
    """(matches, MATCH_FEATURES)"""
    if not bank:
        return np.zeros((0, len(MATCH_FEATURES)), dtype=np.float32)
    article = evidence.article
    own, others = _wording(asked.query.key, article), [_bank_wording(m.question.text, article) for m in bank]
    near = np.array(
        [
            (m.dense, m.there, m.back, m.least_there, m.least_back, m.rare_there, m.missing_there, m.missing_back)
            for m in bank
        ]
    )
    terms, kinds = np.array([other.terms for other in others]), np.array([other.asks for other in others])
    numbers_shared = np.array([len(own.numbers & other.numbers) for other in others])
    ordinals = np.array([other.ordinal for other in others])
    columns = [
        *near.T,
        *(near[:, [1, 5, 2, 0]] - near[:, [1, 5, 2, 0]].max(axis=0)).T,
        np.array([m.question.text.isascii() == asked.query.text.isascii() for m in bank]),
        np.log1p([len(m.question.text) for m in bank]) - np.log1p(len(asked.query.text)),
        *_compared(own.terms, terms),
        len(own.numbers) - numbers_shared,
        np.array([len(other.numbers) for other in others]) - numbers_shared,
        numbers_shared,
        *_compared(own.asks, kinds),
        ordinals != own.ordinal,
        (ordinals == own.ordinal) & (ordinals != 0),
        *(kinds != own.asks).T,
        *_taught_matches(evidence, bank),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _taught_matches(evidence: SentenceEvidence, bank: Sequence[BankMatch]) -> list[FloatArray]:
    """How likely what answers each question of the bank is to be asked for: with what was asked before, and without."""
    place, taught = {s.id: i for i, s in enumerate(evidence.sentences)}, evidence.taught
    held = [[place[number] for number in match.question.sentences if number in place] for match in bank]
    ways = ((taught.sentences, taught.gap), (taught.alone, taught.gap_alone))
    return [
        np.array(
            [
                float(scores[rows].sum()) if match.question.sentences else gap
                for rows, match in zip(held, bank, strict=True)
            ]
        )
        for scores, gap in ways
    ]


def _compared(own: NDArray[np.bool_], others: NDArray[np.bool_]) -> tuple[NDArray[np.int64], ...]:
    """How many are only here, only there and shared, for each row of the others."""
    shared = (others & own).sum(axis=1)
    return np.count_nonzero(own) - shared, others.sum(axis=1) - shared, shared


def _wording(key: str, article: Article) -> _Wording:
    traits = _traits(article)
    terms = np.zeros(traits.terms.shape[1], dtype=bool)
    terms[traits.terms_of(key)] = True
    return _Wording(terms, np.array(asks(key)), numbers(key), ordinal(key) or 0)


@lru_cache(maxsize=65_536)
def _bank_wording(question: str, article: Article) -> _Wording:
    return _wording(core(search_key(question)), article)


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
    numbers_of: dict[str, int]
    """Search key of each name of a glossary term -> its number."""
    names: Names

    def terms_of(self, key: str) -> list[int]:
        """The glossary terms that a search key names."""
        return sorted({self.numbers_of[name] for name in self.names.found(key)})


def sentence_features(
    asked: Asked,
    hits: Sequence[Hit],
    evidence: SentenceEvidence,
    bank: Sequence[BankMatch],
    matches: FloatArray,
) -> FloatArray:
    """(candidates, SENTENCE_FEATURES)

    Args:
        hits: of the article that the evidence is of.
        matches: probability of each bank question to ask for the same.
    """
    column: dict[str, FloatArray] = {}
    both = np.maximum(evidence.late, evidence.late_translation)
    context = np.maximum(np.maximum(both, evidence.late_context), _in_item(evidence, both))
    late_both, late_context = evidence.weights @ both, evidence.weights @ context
    column["dense"], column["dense_translation"] = evidence.dense, evidence.dense_translation
    column["late"], column["late_translation"] = (
        evidence.weights @ evidence.late,
        evidence.weights @ evidence.late_translation,
    )
    column["late_both"], column["late_context"] = late_both, late_context
    column["late_neighbours"] = evidence.weights @ np.maximum(context, evidence.late_neighbours)
    column["least_covered"] = _least(context, evidence.weights)
    column["lexical"] = _share(evidence.lexical)
    column["lexical_translation"] = _share(evidence.lexical_translation)
    dense = np.maximum(evidence.dense, evidence.dense_translation)
    column["lead_dense"], column["lead_late"] = dense - dense.max(), late_both - late_both.max(initial=0)
    column["lead_context"] = late_context - late_context.max(initial=0)
    column |= _bank_columns(evidence, bank, matches)
    rank = {n: 1 / (1 + i) for i, h in reversed([*enumerate(hits)]) for n in h.passage.sentences}
    column["passage_rank"] = np.array([rank.get(s.id, 0.0) for s in evidence.sentences])
    parts = asked.parts_of(evidence.article)
    column["best_of_part"] = np.array([parts.count(s.id) for s in evidence.sentences])
    column["item_lead"] = _item_lead(evidence, context)
    for name, taught in (("taught", evidence.taught.sentences), ("taught_alone", evidence.taught.alone)):
        column[name], column[f"{name}_lead"] = taught, _log(taught) - _log(taught.max(initial=0))
    words, kinds = _word_columns(asked, evidence)
    named = np.stack([(column | words)[name] for name in SENTENCE_FEATURES[: -2 * len(KINDS)]], axis=1)
    return np.concatenate([named, kinds], axis=1).astype(np.float32)


def join_features(
    asked: Asked,
    evidence: SentenceEvidence,
    bank: Sequence[BankMatch],
    matches: FloatArray,
    scores: FloatArray,
    order: NDArray[np.int64],
) -> FloatArray:
    """(len(order) - 1, JOIN_FEATURES): what speaks for each further sentence to stand beside the first."""
    best = evidence.sentences[order[0]]
    answered = [(float(p), match.question.sentences) for p, match in zip(matches, bank, strict=True)]
    votes = [(p * p, held) for p, held in answered if best.id in held]
    total = max(sum(vote for vote, _ in votes), 1e-9)
    both = np.maximum(np.maximum(evidence.late, evidence.late_translation), evidence.late_context)
    wanted = dict(zip(KINDS, asks(asked.query.key), strict=True))
    parts = asked.parts_of(evidence.article)
    constant = [
        float(_CONJUNCTION.search(asked.query.key) is not None),
        sum(wanted.values()),
        *(wanted[kind] for kind in ("list", "summary", "compare", "why")),
        np.log1p(len(asked.query.ids)),
        sum(vote * len(held) for vote, held in votes) / total if votes else 1.0,
    ]
    rows = []
    for rank, i in enumerate(order[1:], start=1):
        other = evidence.sentences[i]
        rows.append((
            scores[i] / max(float(scores[order[0]]), 1e-9), scores[i], scores[order[0]],
            sum(vote for vote, held in votes if other.id in held) / total,
            max((p for p, held in answered if other.id in held), default=0.0),
            evidence.weights @ np.maximum(both[:, i] - both[:, order[0]], 0), evidence.weights @ both[:, order[0]],
            other.id == best.id + 1, other.id == best.id - 1, np.log1p(abs(other.id - best.id)),
            other.section == best.section, other.item is not None and other.item == best.item,
            *constant, rank, parts.count(other.id), parts.count(best.id), len(set(parts)),
            evidence.taught.sentences[i], evidence.taught.sentences[order[0]],
        ))  # fmt: skip
    return np.array(rows, dtype=np.float32).reshape(len(rows), len(JOIN_FEATURES))


def _in_item(evidence: SentenceEvidence, found: FloatArray) -> FloatArray:
    """(query tokens, candidates): the best of any sentence of the same item, which tells of one thing."""
    items = np.array([s.item or 0 for s in evidence.sentences])
    best = found.copy()
    for item in np.unique(items[items > 0]):
        best[:, items == item] = found[:, items == item].max(axis=1, keepdims=True)
    return best


def _item_lead(evidence: SentenceEvidence, found: FloatArray) -> FloatArray:
    """(candidates,): how far a sentence's item is behind the best of the items in what tells them apart, 0 outside.

    Items of a list are told in the same words: only the tokens that some have and others lack say which is meant.

    Args:
        found: (query tokens, candidates), best cosine of each token.
    """
    items = np.array([s.item or 0 for s in evidence.sentences])
    named = np.unique(items[items > 0])
    lead = np.zeros(len(items), dtype=np.float32)
    if len(named) < 2 or not found.size:
        return lead
    covered = np.stack([found[:, items == item].max(axis=1) for item in named], axis=1)
    telling = evidence.weights * (covered.max(axis=1) - covered.min(axis=1))
    scores = telling @ covered / max(float(telling.sum()), 1e-9)
    for item, score in zip(named, scores - scores.max(), strict=True):
        lead[items == item] = score
    return lead


def _bank_columns(evidence: SentenceEvidence, bank: Sequence[BankMatch], matches: FloatArray) -> dict[str, FloatArray]:
    best, lead, vote, sharp, first = np.zeros((5, len(evidence.sentences)), dtype=np.float32)
    place = {s.id: i for i, s in enumerate(evidence.sentences)}
    answered = [(float(p), match.question.sentences) for p, match in zip(matches, bank, strict=True)]
    top = max((p for p, held in answered if held), default=0.0)
    for probability, held in answered:
        for i in (place[number] for number in held if number in place):
            best[i] = max(best[i], probability)
            vote[i] += probability / len(held)
            sharp[i] += probability**3 / len(held)
            first[i] = max(first[i], probability == top)
    lead[:] = best - best.max(initial=0)
    return {
        "bank": best,
        "bank_lead": lead,
        "bank_vote": vote / max(float(vote.sum()), 1e-9),
        "bank_sharp_vote": sharp / max(float(sharp.sum()), 1e-9),
        "bank_first": first,
    }


def _word_columns(asked: Asked, evidence: SentenceEvidence) -> tuple[dict[str, FloatArray], NDArray[np.bool_]]:
    """What the words say, and (candidates, 2 KINDS) which kinds asked for each sentence gives and lacks."""
    key, traits = asked.query.key, _traits(evidence.article)
    rows = np.array([s.id - 1 for s in evidence.sentences])
    none = np.zeros(len(rows), dtype=np.float32)
    kinds = ("heading", "disclaimer", "caption", "reference", "length")
    column: dict[str, FloatArray] = dict(zip(kinds, traits.fixed[rows].T, strict=True))
    wanted = numbers(key)
    found = np.array([len(wanted & traits.numbers[row]) for row in rows]) if wanted else none
    column["numbers_found"], column["numbers_missing"] = found, len(wanted) - found
    terms = np.array(traits.terms_of(key), dtype=np.int64)
    column["terms_found"] = traits.terms[np.ix_(rows, terms)].sum(axis=1)
    column["terms_missing"] = len(terms) - column["terms_found"]
    column["terms_context_missing"] = len(terms) - traits.context_terms[np.ix_(rows, terms)].sum(axis=1)
    which, place = ordinal(key), traits.ordinal[rows]
    same = traits.lasts[rows] if which == -1 else place == which
    column["ordinal_same"] = (same & (place > 0)).astype(np.float32) if which else none
    column["ordinal_other"] = (~same & (place > 0)).astype(np.float32) if which else none
    before = np.array([n - 1 for a, n in asked.previous if a == evidence.article.id], dtype=np.int64)
    items = traits.item[before]
    column["previous"] = np.isin(rows, before).astype(np.float32)
    column["after_previous"] = np.isin(rows, before + 1).astype(np.float32)
    column["item_of_previous"] = np.isin(traits.item[rows], items[items > 0]).astype(np.float32)
    column["section_of_previous"] = np.isin(traits.section[rows], traits.section[before]).astype(np.float32)
    asked_for, given = np.array(asks(key)), traits.gives[rows]
    return column, np.concatenate([given & asked_for, ~given & asked_for], axis=1)


def question_features(
    asked: Asked,
    evidence: SentenceEvidence,
    bank: Sequence[BankMatch],
    matched: FloatArray,
    matches: FloatArray,
    features: FloatArray,
    scores: FloatArray,
) -> FloatArray:
    """(QUESTION_FEATURES,): what speaks for the article having an answer.

    Args:
        matched: `match_features`.
        matches: probability of each bank question to ask for the same.
        features: `sentence_features`.
        scores: probability of each sentence to answer.
    """
    query = asked.query
    of = {name: features[:, i] for i, name in enumerate(SENTENCE_FEATURES)}
    top = int(scores.argmax())
    is_gap = np.array([not match.question.sentences for match in bank], dtype=bool)
    answered, gaps = _two_best(matches[~is_gap]), _two_best(matches[is_gap])
    values = {
        "bank": answered[0],
        "bank_second": answered[1],
        "gap": gaps[0],
        "gap_second": gaps[1],
        "bank_over_gap": answered[0] - gaps[0],
        "bank_to_gap": np.log(answered[0] + 0.01) - np.log(gaps[0] + 0.01),
        "gap_vote": (matches[is_gap] ** 2).sum() / max(float((matches**2).sum()), 1e-9),
        "gap_share": is_gap.mean() if bank else 0,
        "agreement": of["bank_vote"][top],
        "top": scores[top],
        "margin": scores[top] - np.partition(scores, -2)[-2] if len(scores) > 1 else scores[top],
        "late": of["late_both"].max(),
        "late_context": of["late_context"][top],
        "dense": max(of["dense"].max(), of["dense_translation"].max()),
        "lexical": np.log1p(max(evidence.lexical.max(), evidence.lexical_translation.max())),
        "terms": of["terms_found"][top],
        "terms_missing": of["terms_context_missing"][top],
        "numbers_missing": of["numbers_missing"].min(),
        "tokens": np.log1p(len(query.ids)),
        "english": query.key.isascii(),
    }
    values |= _coverage(asked.query, evidence)
    taught = evidence.taught
    for name, likely, gap in (
        ("taught", taught.sentences.max(), taught.gap),
        ("taught_alone", taught.alone.max(), taught.gap_alone),
    ):
        values |= {name: likely, f"{name}_gap": gap, f"{name}_over_gap": _log(likely) - _log(gap)}
    values["taught_agreement"] = taught.sentences[top]
    lacks = [of[f"asks_{kind}_lacks"][top] for kind, asked_for in zip(KINDS, asks(query.key), strict=True) if asked_for]
    values["type_missing"] = np.mean(lacks) if lacks else 0
    nearest = (
        matched[int(np.where(is_gap, -1, matches).argmax())] if not is_gap.all() else np.zeros(len(MATCH_FEATURES))
    )
    for name in ("least_there", "least_back", "terms_only_here", "terms_only_there"):
        values[f"bank_{name}"] = nearest[MATCH_FEATURES.index(name)]
    near = np.array([match.retrieval_score for match in bank])
    values["bank_near"], values["gap_near"] = near[~is_gap].max(initial=0), near[is_gap].max(initial=0)
    return np.array([values[name] for name in QUESTION_FEATURES], dtype=np.float32)


def _log(probability: FloatArray | float) -> FloatArray:
    """The logarithm, of what is next to nothing as well."""
    return np.asarray(np.log(np.asarray(probability) + 1e-3))


def _two_best(scores: FloatArray) -> tuple[float, float]:
    first, second = sorted((0.0, 0.0, *map(float, scores)), reverse=True)[:2]
    return first, second


def _coverage(query: Query, evidence: SentenceEvidence) -> dict[str, float]:
    """How well the question's tokens are found anywhere in the article, the worst of the weighty ones above all."""
    context = np.maximum(np.maximum(evidence.late, evidence.late_translation), evidence.late_context)
    anywhere = context.max(axis=1) if context.size else np.zeros(len(evidence.weights), dtype=np.float32)
    weights, own = evidence.weights, slice(0, query.own)
    least, own_weight = _lowest(anywhere, weights), max(float(weights[own].sum()), 1e-9)
    return {
        "least_covered": least[0],
        "second_least_covered": least[1],
        "covered": float(weights @ anywhere),
        "uncovered_weight": weights[anywhere < 0.5].sum() if anywhere.size else 1.0,
        "own_least_covered": _lowest(anywhere[own], weights[own])[0],
        "own_covered": float(weights[own] @ anywhere[own]) / own_weight,
        "follows": float(len(query.ids) > query.own),
    }


def _lowest(scores: FloatArray, weights: FloatArray) -> tuple[float, float]:
    """The two worst of the four tokens that matter most."""
    ordered = sorted(float(score) for score in scores[weightiest(weights, 4)])
    return (ordered[0], ordered[min(1, len(ordered) - 1)]) if ordered else (0.0, 0.0)


def _share(scores: FloatArray) -> FloatArray:
    return scores / max(float(scores.max(initial=0)), 1e-9)


def _least(scores: FloatArray, weights: FloatArray) -> FloatArray:
    """(candidates,): the worst covered of the three query tokens that matter most."""
    if not scores.shape[0]:
        return np.zeros(scores.shape[1], dtype=np.float32)
    return np.asarray(scores[weightiest(weights)].min(axis=0))


@lru_cache(maxsize=256)
def _traits(article: Article) -> _Traits:
    keys = [search_key(s.text) for s in article.sentences]
    numbers_of = {search_key(name): i for i, term in enumerate(article.glossary) for name in term.names}
    names = Names(numbers_of)
    terms = np.zeros((len(keys), max(len(article.glossary), 1)), dtype=bool)
    for row, key in enumerate(keys):
        terms[row, [numbers_of[name] for name in names.found(key)]] = True
    around = terms.copy()
    ordinals = np.zeros(len(keys), dtype=np.int64)
    lasts = np.zeros(len(keys), dtype=bool)
    items: dict[int, list[int]] = {}
    openers: dict[int, list[int]] = {}
    for s in article.sentences:
        if s.item:
            items.setdefault(s.item, []).append(s.id)
            if s.id == s.item:
                openers.setdefault(s.section, []).append(s.id)
    for row, s in enumerate(article.sentences):
        section = article.section_of(s).sentences
        whole = items[s.item] if s.item else ()
        beside = (n for n in (s.id - 1, s.id + 1) if n in section and article.sentence(n).item == s.item)
        for n in {section[0], *beside, *whole}:
            around[row] |= terms[n - 1]
        if s.item:
            siblings = openers[s.section]
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
        numbers_of=numbers_of,
        names=names,
    )
