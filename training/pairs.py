"""Training pairs as token ids in memory, and the batches drawn from them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

Ids = NDArray[np.int32]
Rows = NDArray[np.int64]
BATCH = 20_000


@dataclass(frozen=True, slots=True)
class Bags:
    """Bags of token ids laid end to end; `starts` has one entry more than there are bags."""

    ids: Ids
    starts: Rows

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> Rows:
        """How many tokens each bag holds."""
        return np.diff(self.starts)

    def take(self, rows: Rows) -> "Bags":
        """Return the chosen bags, in the order given."""
        lengths = self.lengths[rows]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        positions = np.arange(starts[-1]) + np.repeat(self.starts[rows] - starts[:-1], lengths)
        return Bags(self.ids[positions], starts)

    def keep(self, mask: NDArray[np.bool_]) -> "Bags":
        """Return the bags with only the masked tokens; a bag that would be left empty stays whole."""
        owner = np.repeat(np.arange(len(self)), self.lengths)
        kept = np.bincount(owner[mask], minlength=len(self))
        mask = mask | (kept == 0)[owner]
        lengths = np.bincount(owner[mask], minlength=len(self))
        return Bags(self.ids[mask], np.concatenate([[0], np.cumsum(lengths)]))

    def merge(self, sizes: Rows) -> "Bags":
        """Return fewer, longer bags: the next `sizes[0]` bags as one, the next `sizes[1]` as one, and so on."""
        return Bags(self.ids, self.starts[np.concatenate([[0], np.cumsum(sizes)])])

    def before(self, other: "Bags") -> "Bags":
        """Return bags that begin with these tokens and go on with the other's, bag by bag."""
        lengths = self.lengths + other.lengths
        starts = np.concatenate([[0], np.cumsum(lengths)])
        ids = np.empty(starts[-1], np.int32)
        for part, offset in ((self, starts[:-1]), (other, starts[:-1] + self.lengths)):
            ids[np.arange(len(part.ids)) + np.repeat(offset - part.starts[:-1], part.lengths)] = part.ids
        return Bags(ids, starts)


def encode_bags(tokenizer: Tokenizer, texts: Sequence[str]) -> Bags:
    """Return the texts' token ids; unknown tokens (id 0) are left out, as the torch-free loader leaves them out."""
    parts: list[Ids] = []
    lengths: list[int] = []
    for start in range(0, len(texts), BATCH):
        for encoding in tokenizer.encode_batch_fast(texts[start : start + BATCH], add_special_tokens=False):
            ids = np.array(encoding.ids, np.int32)
            ids = ids[ids != 0]
            parts.append(ids)
            lengths.append(len(ids))
    flat = np.concatenate(parts) if parts else np.empty(0, np.int32)
    return Bags(flat, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))


@dataclass(frozen=True, slots=True)
class Corpus:
    """The two sides of one source, row by row translations or question and answer."""

    name: str
    left: Bags
    right: Bags

    def __len__(self) -> int:
        return len(self.left)
