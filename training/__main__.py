"""`python -m training --data DIR`: from files of pairs to the encoder's folder."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from corpus.article import ArticleError, load_article
from training.batches import Recipe
from training.prepare import Sizes
from training.run import Settings, run

REPOSITORY = Path(__file__).resolve().parent.parent
ARTICLES = REPOSITORY / "corpus" / "articles"
DEFAULT_STEPS = 10_000
RECIPE, SIZES = Recipe(), Sizes()


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and write an encoder; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of *.tsv.xz pairs; nothing else is read")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "index" / "model", help="where the encoder goes")
    parser.add_argument("--work", type=Path, default=REPOSITORY / "build" / "training", help="where checkpoints go")
    parser.add_argument("--steps", type=int, help=f"how many steps (default {DEFAULT_STEPS:,})")
    parser.add_argument(
        "--minutes", type=float, help="instead of --steps: as many as should fit; the number is printed"
    )
    parser.add_argument("--batch", type=int, default=RECIPE.batch, help="pairs a step")
    parser.add_argument("--rows", type=int, default=SIZES.rows, help="words in the vocabulary")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="the same number gives the same table")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in --work")
    parser.add_argument("--stop-after", type=int, help="leave with a checkpoint after so many steps")
    parser.add_argument("--rate-again", type=float, help="with --resume and more --steps: the rate to begin again with")
    parser.add_argument("--dev", type=Path, help="development sets to look at when done; never trained on")
    options = parser.parse_args(arguments)
    try:
        articles = [load_article(path.parent) for path in sorted(ARTICLES.glob("*/article.md"))]
        settings = Settings(
            data=options.data,
            out=options.out,
            work=options.work,
            steps=options.steps or (None if options.minutes else DEFAULT_STEPS),
            minutes=options.minutes,
            seed=options.seed,
            threads=options.threads,
            resume=options.resume,
            dev=options.dev,
            stop_after=options.stop_after,
            rate_again=options.rate_again,
            recipe=replace(RECIPE, batch=options.batch),
            sizes=replace(SIZES, rows=options.rows),
        )
        run(settings, articles)
    except (ArticleError, FileNotFoundError, ValueError) as error:
        print(f"python -m training: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
