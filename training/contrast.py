"""The contrastive losses, with gradients written out: one exponential a batch, bfloat16 where the machine has it."""

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from training.table import TokenBags


@cache
def precision() -> torch.dtype:
    """What products are taken in: without AVX-512's bfloat16 a processor takes ten times as long over it."""
    return torch.bfloat16 if torch.cpu.get_capabilities().get("avx512_bf16") else torch.float32


class _Contrast(torch.autograd.Function):
    """Symmetric cross-entropy over all query-passage pairs of a batch; several queries may share one passage."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, passage: Tensor, gold: Tensor, temperature: float) -> Tensor:
        """Take unit vectors `(n, d)` and `(m, d)` and the gold passage of each query; return a scalar."""
        low_query, low_passage = query.to(precision()), passage.to(precision())
        # Cosines lie in [-1, 1], so subtracting 1 / temperature is the safe shift that softmax needs.
        shifted = ((low_query @ low_passage.T).float() - 1.0) / temperature
        rows = torch.arange(len(gold))
        at_gold = shifted[rows, gold]
        mass = shifted.exp_()
        by_row, by_column = mass.sum(1), mass.sum(0)
        sharing = torch.bincount(gold, minlength=len(passage)).float()
        used = sharing > 0
        share = 1.0 / (sharing[gold] * used.sum())
        loss = (by_row.log() - at_gold).mean()
        loss = loss + (by_column.log()[used].sum() / used.sum()) - (at_gold * share).sum()
        weight = used.float() / used.sum() / by_column
        gradient = mass.mul_((1.0 / (len(gold) * by_row))[:, None] + weight[None, :])
        gradient[rows, gold] -= 1.0 / len(gold) + share
        ctx.save_for_backward(low_query, low_passage, gradient.to(precision()))
        ctx.temperature = temperature
        return loss

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Return the gradients of both sides."""
        low_query, low_passage, gradient = ctx.saved_tensors
        scale = upstream[0] / ctx.temperature
        return (gradient @ low_passage).float() * scale, (gradient.T @ low_query).float() * scale, None, None


def contrast(query: Tensor, passage: Tensor, gold: Tensor, temperature: float) -> Tensor:
    """Return the loss of mean vectors `(n, d)` and `(m, d)` of any length, given the gold passage of each query."""
    loss: Tensor = _Contrast.apply(  # type: ignore[no-untyped-call]
        normalize(query, dim=1), normalize(passage, dim=1), gold, temperature
    )
    return loss


def late_interaction_contrast(
    rows: Tensor, queries: TokenBags, passages: TokenBags, gold: Tensor, temperature: float
) -> Tensor:
    """Return the contrastive loss of late interaction: each query token's best cosine, weighted by the token's norm.

    `rows` are the batch's distinct vectors, which both sets of bags point into.
    """
    norms = rows.norm(dim=1)
    unit = rows / norms.clamp_min(1e-6)[:, None]
    asked, asked_at = torch.unique(queries.ids, return_inverse=True)
    told, told_at = torch.unique(passages.ids, return_inverse=True)
    low = unit.to(precision())
    cosines = (low[told] @ low[asked].T).float()
    with torch.no_grad():
        # Passage by passage rather than padded to the longest: a tenth of the memory traffic.
        winners = torch.stack([tokens[cosines[tokens].argmax(0)] for tokens in passages.split(told_at)])
    best = cosines.gather(0, winners)
    owner = queries.owners()
    weights = torch.zeros(len(queries), len(asked)).index_put((owner, asked_at), norms[queries.ids], accumulate=True)
    scores = (weights / weights.sum(1, keepdim=True)) @ best.T / temperature
    return cross_entropy(scores, gold)
