"""From files of pairs to a tokenizer and token ids: everything that happens before the first step."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer
from tokenizers.normalizers import Precompiled

from corpus.article import Article, Term
from training.charsmap import FIRST_HAN, LAST_HAN, character_rules, compile_charsmap, is_han
from training.pairs import Bags, Corpus, encode_bags
from training.sources import Source, read_pairs
from training.tokenizer import build_tokenizer
from training.vocabulary import (
    ENGLISH_WORD,
    SINGLE_CHARACTERS,
    Counts,
    candidates,
    count_characters,
    count_words,
    prune,
)

DICTIONARIES = {
    "cc_cedict": 4,
    "ecdict_medical_bio_chem": 6,
    "chinaxiv_keywords": 6,
    "chinaxiv_terms": 6,
    "tico19_terms": 6,
}
"""Sources whose Chinese sides are words for jieba to know, and the longest that is taken over."""
LONGEST_TERM = 8
MOST_ROWS = 300_000
"""Rows of one source that are counted; the rest is weighed in."""
FLOOR = 3.0
SPARE = 1.25
PROCESSES = 2

Texts = list[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the vocabulary is and how it is found."""

    rows: int = 72_000
    english_pieces: int = 14_000
    longest_text: int = 192
    """Tokens of a text that are trained on."""


def glossary_terms(articles: Sequence[Article]) -> tuple[list[str], list[str]]:
    """Return the Chinese and the English names of every glossary term."""
    terms: list[Term] = [term for article in articles for term in article.glossary]
    chinese = [name for term in terms for name in term.chinese]
    names = [name for term in terms for name in term.names]
    return chinese, [name for name in names if name not in set(chinese)]


def choose_vocabulary(folder: Path, sources: Sequence[Source], articles: Sequence[Article], sizes: Sizes) -> list[str]:
    """Return the vocabulary, without the unknown token."""
    everything = frozenset(chr(code) for code in range(FIRST_HAN, LAST_HAN + 1))
    normalise = Precompiled(compile_charsmap(character_rules(everything))).normalize_str
    texts: Texts = []
    terms: set[str] = set()
    for source in sources:
        pairs = list(read_pairs(folder, source))
        longest = DICTIONARIES.get(source.name, 0)
        terms.update(left for left, _ in pairs if 2 <= len(left) <= longest and all(map(is_han, left)))
        stride = -(-len(pairs) // MOST_ROWS)
        for pair in pairs[::stride]:
            texts.extend((normalise(side), source.vocabulary_weight * stride) for side in pair)
    chinese_names, english_names = (list(map(normalise, names)) for names in glossary_terms(articles))
    names = [name for name in chinese_names if 2 <= len(name) <= LONGEST_TERM and all(map(is_han, name))]
    counts = _count(texts, sorted({*terms, *names}))
    characters = count_characters(counts.chinese)
    required = sorted(
        {
            *SINGLE_CHARACTERS,
            *names,
            *(word for name in english_names for word in ENGLISH_WORD.findall(name)),
            *(character for character, count in characters.items() if count >= 2),
            *(character for name in chinese_names for character in name if is_han(character)),
        }
    )
    words = candidates(counts, FLOOR, sizes.english_pieces)
    for size in (int(sizes.rows * SPARE), sizes.rows - 1):
        words = prune(words, required, texts, max(size, len(required)))
    return words


def _count(texts: Texts, terms: Sequence[str]) -> Counts:
    if len(texts) < 10_000:
        return count_words(texts, terms)
    total = Counts()
    with ProcessPoolExecutor(PROCESSES) as pool:
        parts = [texts[i::PROCESSES] for i in range(PROCESSES)]
        for part in pool.map(count_words, parts, [terms] * PROCESSES):
            total.add(part)
    return total


def load_tokenizer(
    work: Path,
    folder: Path,
    sources: Sequence[Source],
    articles: Sequence[Article],
    sizes: Sizes,
    resume: bool,
) -> Tokenizer:
    """Return the run's tokenizer: built, or on resuming read back."""
    path = work / "tokenizer.json"
    if not (resume and path.exists()):
        work.mkdir(parents=True, exist_ok=True)
        build_tokenizer(choose_vocabulary(folder, sources, articles, sizes)).save(str(path), pretty=False)
    return Tokenizer.from_file(str(path))


def load_corpus(folder: Path, source: Source, tokenizer: Tokenizer, sizes: Sizes) -> Corpus:
    """Return one source as token ids."""
    return _corpus(source.name, read_pairs(folder, source), tokenizer, sizes)


def article_corpus(articles: Sequence[Article], tokenizer: Tokenizer, sizes: Sizes) -> Corpus:
    """Return what the articles' own glossaries and translations teach."""
    return _corpus("articles", _article_pairs(articles), tokenizer, sizes)


def _article_pairs(articles: Sequence[Article]) -> Iterator[tuple[str, str]]:
    for article in articles:
        for term in article.glossary:
            english = [name for name in term.names if name not in term.chinese]
            yield from ((zh, en) for zh in term.chinese for en in english)
            yield from pairwise(term.chinese)
            yield term.zh, term.plain_zh
            yield term.zh, term.plain_en
            yield term.plain_zh, term.plain_en
        yield from ((s.text, s.translation) for s in article.sentences if s.translation)


def _corpus(name: str, pairs: Iterator[tuple[str, str]], tokenizer: Tokenizer, sizes: Sizes) -> Corpus:
    rows = list(pairs)
    left, right = (_shorten(encode_bags(tokenizer, [row[side] for row in rows]), sizes.longest_text) for side in (0, 1))
    known = np.flatnonzero((left.lengths > 0) & (right.lengths > 0))
    return Corpus(name, left.take(known), right.take(known))


def _shorten(bags: Bags, longest: int) -> Bags:
    place = np.arange(len(bags.ids)) - np.repeat(bags.starts[:-1], bags.lengths)
    kept = np.minimum(bags.lengths, longest)
    return Bags(bags.ids[place < longest], np.concatenate([[0], np.cumsum(kept)]))
