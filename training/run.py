"""One run from end to end: prepare, train, export, look."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from tokenizers import Tokenizer

from corpus.article import Article
from training.batches import Recipe, Sampler
from training.export import Quantised, export
from training.pairs import Corpus
from training.prepare import Sizes, article_corpus, load_corpus, load_tokenizer
from training.probe import Probe, Reader, table_of
from training.sources import ARTICLES, Source, find_sources
from training.table import Table
from training.train import train

TRIAL_STEPS = 60
"""Steps that are timed to turn --minutes into a number of steps."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run is told; the same settings on the same machine give the same table."""

    data: Path
    out: Path
    work: Path
    steps: int | None
    minutes: float | None = None
    seed: int = 0
    threads: int = 1
    resume: bool = False
    dev: Path | None = None
    recipe: Recipe = field(default_factory=Recipe)
    sizes: Sizes = field(default_factory=Sizes)
    checkpoint_every: int = 1000
    stop_after: int | None = None
    """Leave after this step with a checkpoint and no export, as an interruption would."""
    rate_again: float | None = None
    """Where the rate begins when a finished run is resumed with more steps."""


def run(settings: Settings, articles: Sequence[Article] = ()) -> None:
    """Train an encoder on the pairs of a folder and write it out."""
    torch.set_num_threads(settings.threads)
    sources = find_sources(settings.data)
    tokenizer = load_tokenizer(settings.work, settings.data, sources, articles, settings.sizes, settings.resume)
    corpora = [load_corpus(settings.data, source, tokenizer, settings.sizes) for source in sources]
    if articles:
        sources = [*sources, ARTICLES]
        corpora.append(article_corpus(articles, tokenizer, settings.sizes))
    steps = settings.steps or _steps_in(settings, corpora, sources, tokenizer)
    table = train(
        corpora,
        Sampler(corpora, sources, settings.recipe, tokenizer, settings.seed),
        Table.random(tokenizer.get_vocab_size(), settings.recipe.width, settings.seed),
        settings.recipe,
        steps,
        settings.seed,
        settings.work,
        settings.resume,
        settings.checkpoint_every,
        settings.stop_after,
        settings.rate_again,
    )
    if settings.stop_after:
        return
    quantised = Quantised.of(table.rows.numpy())
    export(settings.out, quantised, tokenizer)
    print(f"wrote {settings.out} after {steps} steps")
    if settings.dev:
        print(table_of(Probe(settings.dev).report(Reader(tokenizer, quantised.vectors()))))


def _steps_in(settings: Settings, corpora: Sequence[Corpus], sources: Sequence[Source], tokenizer: Tokenizer) -> int:
    """Time a few steps and return how many fit in the minutes asked for."""
    recipe = settings.recipe
    with tempfile.TemporaryDirectory() as work:
        start = time.perf_counter()
        train(
            corpora,
            Sampler(corpora, sources, settings.recipe, tokenizer, settings.seed),
            Table.random(tokenizer.get_vocab_size(), recipe.width, settings.seed),
            recipe,
            TRIAL_STEPS,
            settings.seed,
            Path(work),
        )
        pace = (time.perf_counter() - start) / TRIAL_STEPS
    steps = max(1, int((settings.minutes or 0) * 60 / pace))
    print(f"{settings.minutes:g} minutes make about {steps} steps here; --steps {steps} gives the same table again")
    return steps
