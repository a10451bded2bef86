"""Sorting sentences by topic with the table itself, so that a batch can be made of hard negatives."""

import torch

from training.pairs import Corpus, Rows
from training.table import Table, TokenBags

SAMPLE = 40_000
ROUNDS = 6
BLOCK = 20_000


def cluster(corpus: Corpus, table: Table, count: int, seed: int) -> list[Rows]:
    """Return the rows of each topic: spherical k-means over both sides' mean vectors."""
    vectors = torch.cat([_means(corpus, table, start) for start in range(0, len(corpus), BLOCK)])
    random = torch.Generator().manual_seed(seed)
    sample = vectors[torch.randperm(len(vectors), generator=random)[:SAMPLE]]
    centres = sample[:count].clone()
    for _ in range(ROUNDS):
        nearest = (sample @ centres.T).argmax(1)
        centres.index_add_(0, nearest, sample)
        centres = torch.nn.functional.normalize(centres, dim=1)
    nearest = torch.cat([(part @ centres.T).argmax(1) for part in torch.split(vectors, BLOCK)])
    order = nearest.argsort(stable=True).numpy()
    sizes = nearest.bincount(minlength=count).cumsum(0).numpy()
    starts = [0, *sizes[:-1]]
    return [order[start:end] for start, end in zip(starts, sizes, strict=True) if end - start > 1]


def _means(corpus: Corpus, table: Table, start: int) -> torch.Tensor:
    total = torch.zeros(min(BLOCK, len(corpus) - start), table.rows.shape[1])
    for side in (corpus.left, corpus.right):
        first, last = side.starts[start], side.starts[min(start + BLOCK, len(corpus))]
        held = TokenBags(
            torch.from_numpy(side.ids[first:last]).long(),
            torch.from_numpy(side.starts[start : start + BLOCK + 1] - first),
        )
        means = torch.nn.functional.embedding_bag(held.ids, table.rows, held.starts[:-1], mode="mean")
        total += torch.nn.functional.normalize(means, dim=1)
    return torch.nn.functional.normalize(total, dim=1)
