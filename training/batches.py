"""What one training step sees: which source, which task, and the bags of queries and passages."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from training.pairs import Bags, Corpus, Rows, encode_bags
from training.sources import Source

CHINESE_QUESTION_WORDS = """
什么 是什么 什么是 谁 是谁 哪 哪个 哪些 有哪些 哪里 哪儿 哪年 哪一年 什么时候 何时 多少 有多少 几 几个 多久 多长时间
为什么 为何 如何 怎么 怎样 吗 是否 能否 有没有 请问 什么样的 哪种 叫什么 在哪里 什么原因 为了什么
"""
ENGLISH_QUESTION_WORDS = """
what|what is|what was|what are|what were|what did|what does|what do|what kind of|what type of|what year did
in what year|who|who is|who was|who did|which|which of|in which|where|where is|where did|when|when was|when did
why|why is|why did|how|how many|how much|how long|how often|how is|how did|how do|how does|how far|is|are|does
do|did|was|were|can|could|has|have|along with|about how many|according to|what happens|what is the name of
what was the name of
"""


@dataclass(frozen=True, slots=True)
class Recipe:
    """The settings of a run."""

    width: int = 512
    short_widths: tuple[int, ...] = (256, 128)
    short_share: float = 0.4
    """Of the steps, how many train leading numbers alone, so that a vector can be cut to them."""
    batch: int = 2048
    rate: float = 0.05
    temperature: float = 0.05
    size_power: float = 0.7
    dropout: float = 0.1
    passage_share: float = 0.4
    """Of the steps on a source of sentences, how many string them together to passages."""
    most_sentences: int = 8
    run_share: float = 0.25
    """Of the batches of passages, how many take rows in runs; files are sorted, so that neighbours begin alike."""
    run_length: int = 4
    question_share: float = 0.5
    """Of the queries to passages, how many are given question words."""
    least_kept: float = 0.3
    most_kept: float = 0.8
    """Between these shares of a sentence's tokens make the query to its passage."""
    second_phase: float = 0.6
    """From this share of the steps on, late interaction comes in."""
    late_share: float = 0.4
    """Of the second phase's steps, how many add the late-interaction loss."""
    late_passages: int = 64
    late_temperature: float = 0.05
    late_weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Queries, passages, and the gold passage of each query."""

    queries: Bags
    passages: Bags
    gold: Rows
    width: int
    """How many leading numbers of the vectors this step contrasts."""
    late: bool
    """Whether this step, in the second phase, adds the late-interaction loss."""


class Sampler:
    """Draws the batches of a run; step `n` is the same under the same seed whether or not the run was interrupted."""

    def __init__(
        self,
        corpora: Sequence[Corpus],
        sources: Sequence[Source],
        recipe: Recipe,
        tokenizer: Tokenizer,
        seed: int,
    ) -> None:
        self._corpora = corpora
        self._sources = sources
        self._recipe = recipe
        self._seed = seed
        weights = np.array([len(c) ** recipe.size_power * s.share for c, s in zip(corpora, sources, strict=True)])
        self._weights = weights / weights.sum()
        self._question_words = {
            True: encode_bags(tokenizer, CHINESE_QUESTION_WORDS.split()),
            False: encode_bags(tokenizer, ENGLISH_QUESTION_WORDS.strip().replace("\n", "|").split("|")),
        }

    def draw(self, step: int) -> Batch:
        """Return the batch of the given step."""
        recipe = self._recipe
        random = np.random.default_rng((self._seed, step))
        index = int(random.choice(len(self._corpora), p=self._weights))
        corpus, source = self._corpora[index], self._sources[index]
        size = min(recipe.batch, len(corpus))
        short = random.random() < recipe.short_share
        width = int(random.choice(recipe.short_widths)) if short else recipe.width
        late = bool(random.random() < recipe.late_share)
        rows = random.choice(len(corpus), size, replace=False)
        if source.passages and random.random() < recipe.passage_share:
            if random.random() < recipe.run_share:
                starts = random.choice(len(corpus) // recipe.run_length, size // recipe.run_length, replace=False)
                rows = (starts[:, None] * recipe.run_length + np.arange(recipe.run_length)).ravel()
            return self._passages(corpus, rows, width, late, random)
        left, right = (self._drop(side.take(rows), random) for side in (corpus.left, corpus.right))
        return Batch(left, right, np.arange(size), width, late)

    def _drop(self, bags: Bags, random: np.random.Generator) -> Bags:
        if not self._recipe.dropout:
            return bags
        return bags.keep(random.random(len(bags.ids)) >= self._recipe.dropout)

    def _passages(self, corpus: Corpus, rows: Rows, width: int, late: bool, random: np.random.Generator) -> Batch:
        sizes = _partition(len(rows), self._recipe.most_sentences, random)
        passage_chinese, query_chinese = random.random() < 0.6, random.random() < 0.5
        passages = (corpus.left if passage_chinese else corpus.right).take(rows).merge(sizes)
        queries = (corpus.left if query_chinese else corpus.right).take(rows)
        kept = np.repeat(random.uniform(self._recipe.least_kept, self._recipe.most_kept, len(rows)), queries.lengths)
        queries = queries.keep(random.random(len(queries.ids)) < kept)
        queries = self._ask(queries, query_chinese, random)
        return Batch(queries, self._drop(passages, random), np.repeat(np.arange(len(sizes)), sizes), width, late)

    def _ask(self, queries: Bags, chinese: bool, random: np.random.Generator) -> Bags:
        words = self._question_words[chinese]
        empty = Bags(np.append(words.ids, words.ids[:0]), np.append(words.starts, words.starts[-1]))
        asked = random.random(len(queries)) < self._recipe.question_share
        chosen = np.where(asked, random.integers(len(words), size=len(queries)), len(words))
        return empty.take(chosen).before(queries)


def _partition(total: int, most: int, random: np.random.Generator) -> Rows:
    sizes: list[int] = []
    left = total
    while left:
        size = min(left, int(random.integers(1, most + 1)))
        sizes.append(size)
        left -= size
    return np.array(sizes)
