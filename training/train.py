"""The training loop: draw, contrast, update, and checkpoint so that an interrupted run ends as an unbroken one."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from training.batches import Batch, Recipe, Sampler
from training.contrast import contrast, late_interaction_contrast
from training.pairs import Corpus
from training.table import Table, View

WARM_UP = 50
AIM, BEND = 1.2, 0.9
"""The rate falls on a line that would end so far beyond the last step; from this share of the steps on it hurries."""
CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True, slots=True)
class Leg:
    """A stretch of steps over which the rate falls linearly to nothing."""

    start: int
    end: int
    rate: float

    def rate_at(self, step: int) -> float:
        """Return the rate of a step within the stretch."""
        return self.rate * (self.end - step) / (self.end - self.start)


def train(
    corpora: Sequence[Corpus],
    sampler: Sampler,
    table: Table,
    recipe: Recipe,
    steps: int,
    seed: int,
    work: Path,
    resume: bool = False,
    checkpoint_every: int = 1000,
    stop_after: int | None = None,
    rate_again: float | None = None,
) -> Table:
    """Train the table for so many steps and return it; `stop_after` leaves early, as an interruption would.

    A run resumed with another number of steps falls from the rate it had reached, or from `rate_again`, to nothing over
    what is left.
    """
    run = {"recipe": asdict(recipe), "seed": seed, "sizes": [len(c) for c in corpora]}
    first = leg = Leg(0, round(AIM * steps), recipe.rate)
    start, bend = 0, round(BEND * steps)
    if resume and (state := _restore(work / CHECKPOINT, run)):
        table, start, leg = Table(**state["table"]), state["step"], Leg(**state["leg"])
        if leg != first and leg.end != steps:
            leg = Leg(start, steps, rate_again or leg.rate_at(start))
    second_phase = int(recipe.second_phase * steps)
    with tqdm(total=steps, initial=start, unit="step", desc="train") as bar:
        for step in range(start, steps):
            if step == bend and leg == first:
                leg = Leg(bend, steps, first.rate_at(bend))
            rate = leg.rate_at(step) * min(1.0, (step + 1) / WARM_UP)
            loss = _step(table, sampler.draw(step), recipe, rate, step >= second_phase)
            bar.update()
            if step % 50 == 0:
                bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            if (step + 1) % checkpoint_every == 0 or step + 1 == stop_after:
                state = {"run": run, "table": asdict(table), "step": step + 1, "leg": asdict(leg)}
                _save(work / CHECKPOINT, state)
            if step + 1 == stop_after:
                break
    return table


def _step(table: Table, batch: Batch, recipe: Recipe, rate: float, second_phase: bool) -> float:
    late_too = batch.late and second_phase
    view = View.of(table, recipe.width if late_too else batch.width, batch.queries, batch.passages)
    gold = torch.from_numpy(batch.gold)
    query, passage = (view.mean(bag)[:, : batch.width] for bag in (0, 1))
    loss = contrast(query, passage, gold, recipe.temperature)
    if late_too:
        passages = min(recipe.late_passages, len(batch.passages))
        queries = int((gold < passages).sum())
        late = late_interaction_contrast(
            view.rows,
            view.bags[0].head(queries),
            view.bags[1].head(passages),
            gold[:queries],
            recipe.late_temperature,
        )
        loss = loss + recipe.late_weight * late
    loss.backward()  # type: ignore[no-untyped-call]
    if view.rows.grad is None:
        raise RuntimeError("expected a gradient from the batch, found none; check that the batch holds tokens")
    table.update(view.indices, view.rows.grad, rate)
    return float(loss.detach())


def _save(path: Path, state: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    torch.save(state, fresh)
    os.replace(fresh, path)


def _restore(path: Path, run: dict[str, Any]) -> dict[str, Any] | None:
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, weights_only=True)
    if state["run"] != run:
        raise ValueError(
            f"expected a checkpoint of this run ({run}) in {path}, found one of {state['run']}; "
            "repeat its command, or start over without --resume"
        )
    return state
