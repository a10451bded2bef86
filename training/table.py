"""The table being trained, and an Adam that touches only the rows of the batch."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from training.pairs import Bags

BETAS = (0.9, 0.999)
EPSILON = 1e-8


@dataclass(slots=True)
class Table:
    """One row a token, with the running moments of its gradient."""

    rows: Tensor
    first: Tensor
    second: Tensor
    touched: Tensor
    """How often each row was updated; bias correction counts a row's own steps."""

    @classmethod
    def random(cls, size: int, width: int, seed: int) -> "Table":
        """Return a table of small random rows; row 0, the unknown token, is zero."""
        rows = torch.randn(size, width, generator=torch.Generator().manual_seed(seed)) * 0.1
        rows[0] = 0
        return cls(rows, torch.zeros_like(rows), torch.zeros_like(rows), torch.zeros(size))

    def update(self, indices: Tensor, gradient: Tensor, rate: float) -> None:
        """Take one Adam step on the given rows, or on their leading numbers if the gradient is narrower."""
        rows, firsts, seconds = (held[:, : gradient.shape[1]] for held in (self.rows, self.first, self.second))
        touched = self.touched[indices] + 1
        first = firsts[indices].lerp_(gradient, 1 - BETAS[0])
        second = seconds[indices].mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        self.touched[indices] = touched
        firsts[indices] = first
        seconds[indices] = second
        correct_first = rate / (1 - BETAS[0] ** touched)
        correct_second = 1 / (1 - BETAS[1] ** touched)
        step = first.mul_(correct_first[:, None])
        step /= second.mul_(correct_second[:, None]).sqrt_().add_(EPSILON)
        rows.index_add_(0, indices, step, alpha=-1)


@dataclass(frozen=True, slots=True)
class TokenBags:
    """Bags of positions into the rows of a view."""

    ids: Tensor
    starts: Tensor

    def __len__(self) -> int:
        return len(self.starts) - 1

    def owners(self) -> Tensor:
        """Return which bag each token belongs to."""
        return torch.repeat_interleave(torch.arange(len(self)), self.starts.diff())

    def head(self, count: int) -> "TokenBags":
        """Return the first bags only."""
        starts = self.starts[: count + 1]
        return TokenBags(self.ids[: int(starts[-1])], starts)

    def split(self, values: Tensor) -> tuple[Tensor, ...]:
        """Cut one value a token into one tensor a bag."""
        return torch.split(values, self.starts.diff().tolist())


@dataclass(frozen=True, slots=True)
class View:
    """The rows that one batch needs, as a leaf that gathers their gradient."""

    indices: Tensor
    rows: Tensor
    bags: tuple[TokenBags, ...]

    @classmethod
    def of(cls, table: Table, width: int, *bags: Bags) -> "View":
        """Gather the distinct rows of all the bags, cut to this width."""
        unique, inverse = np.unique(np.concatenate([bag.ids for bag in bags]), return_inverse=True)
        indices = torch.from_numpy(unique.astype(np.int64))
        rows = table.rows[:, :width][indices].requires_grad_()
        cuts = np.cumsum([len(bag.ids) for bag in bags])[:-1]
        parts = np.split(inverse, cuts)
        held = (
            TokenBags(torch.from_numpy(part), torch.from_numpy(bag.starts))
            for part, bag in zip(parts, bags, strict=True)
        )
        return cls(indices, rows, tuple(held))

    def mean(self, bag: int) -> Tensor:
        """Return the mean vector of each text in the given set of bags."""
        held = self.bags[bag]
        return embedding_bag(held.ids, self.rows, held.starts[:-1], mode="mean")
