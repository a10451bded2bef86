"""When an answer is right: each question's gold sentences against what the bot shows and cites.

A sentence is covered by a text that contains it, or at least 80 % of it in runs of six characters or more, the same
trial numbers included; case, width, spaces and punctuation make no difference.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RUN = 6
"""Characters in common count in runs of at least so many."""
MOST = 0.8
"""Share of a sentence that must be there for it to be covered."""
LONGEST_CITATION = 600
"""A longer passage points at nothing."""
FOCUSED = 0.5
"""Share of the answer that must be gold for it to be focused."""

_TRIAL = re.compile(r"nct\d{8}")


@dataclass(frozen=True, slots=True)
class Item:
    """A question with what a right answer to it shows."""

    id: str
    language: str
    type: str
    question: str
    history: tuple[str, ...]
    answers: tuple[frozenset[int], ...]
    """Sets of sentence ids, any of which answers; none if the article does not."""
    must_contain: tuple[tuple[str, ...], ...]
    """Of each group one must be shown."""
    must_not_contain: tuple[str, ...]
    answerable: bool

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Item:
        """From a line of a file of questions."""
        return cls(
            id=str(row["id"]),
            language=row["lang"],
            type=row["type"],
            question=row["question"],
            history=tuple(row.get("history") or ()),
            answers=tuple(frozenset(ids) for ids in row["gold_sids"]),
            must_contain=tuple((g,) if isinstance(g, str) else tuple(g) for g in row.get("must_contain") or ()),
            must_not_contain=tuple(row.get("must_not_contain") or ()),
            answerable=row["answerable"],
        )

    @property
    def gold(self) -> frozenset[int]:
        return frozenset().union(*self.answers)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the bot made of a question."""

    answer: str
    """The original text alone."""
    citations: tuple[str, ...]
    """The passages cited, best first."""
    abstained: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """How one answer does; what does not apply is None."""

    item: Item
    shown: Shown
    correct: bool | None = None
    focused: bool | None = None
    hit1: bool | None = None
    hit3: bool | None = None
    precision: float | None = None
    refused: bool | None = None
    """An answerable question met by abstaining."""
    rightly_refused: bool | None = None

    @property
    def good(self) -> bool:
        """Right and focused, or rightly refused."""
        return bool(self.focused if self.item.answerable else self.rightly_refused)


def judge(item: Item, shown: Shown, sentences: Mapping[int, str]) -> Judgement:
    """
    Args:
        sentences: the article's, by id.
    """
    clean = not any(shows(shown.answer, piece) for piece in item.must_not_contain)
    if not item.answerable:
        return Judgement(item, shown, rightly_refused=shown.abstained and clean)
    answered = not shown.abstained and bool(shown.answer.strip())
    held = all(any(shows(shown.answer, piece) for piece in group) for group in item.must_contain)
    covered = {n for n in item.gold if covers(shown.answer, sentences[n])}
    correct = answered and clean and held and any(ids <= covered for ids in item.answers)
    precision = share_of_gold(shown.answer, [sentences[n] for n in item.gold]) if answered else None

    def hit(k: int) -> bool:
        short = [c for c in shown.citations[:k] if len(normalise(c)) <= LONGEST_CITATION]
        return not shown.abstained and any(covers(c, sentences[n]) for c in short for n in item.gold)

    return Judgement(
        item,
        shown,
        correct=correct,
        focused=correct and precision is not None and precision >= FOCUSED,
        hit1=hit(1),
        hit3=hit(3),
        precision=precision,
        refused=shown.abstained,
    )


def normalise(text: str) -> str:
    """Letters and digits, + and × and decimal points alone, in one width and case."""
    folded = unicodedata.normalize("NFKC", text).casefold()

    def kept(place: int, character: str) -> bool:
        if character == ".":
            return folded[place - 1 : place].isdigit() and folded[place + 1 : place + 2].isdigit()
        return character in "+×" or unicodedata.category(character)[0] in "LN"

    return "".join(character for place, character in enumerate(folded) if kept(place, character))


def shows(text: str, piece: str) -> bool:
    """Whether the text has the piece; one in ASCII only as whole words, so that DA is not in `data`."""
    if not piece.isascii():
        return normalise(piece) in normalise(text)
    folded = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text).casefold())
    words = r"\s*".join(map(re.escape, unicodedata.normalize("NFKC", piece).casefold().split()))
    return re.search(rf"(?<![a-z0-9]){words}(?![a-z0-9])", folded) is not None


def in_common(text: str, other: str, run: int) -> NDArray[np.bool_]:
    """(len(text),): which characters stand in a run of at least so many that the other text has too."""
    found = np.zeros(len(text), dtype=bool)
    runs = {other[i : i + run] for i in range(len(other) - run + 1)} if run else set()
    for i in range(len(text) - run + 1):
        if text[i : i + run] in runs:
            found[i : i + run] = True
    return found


def covers(text: str, sentence: str) -> bool:
    shown, wanted = normalise(text), normalise(sentence)
    if not shown or not wanted:
        return False
    if wanted in shown:
        return True
    if not all(trial in shown for trial in _TRIAL.findall(wanted)):
        return False
    return bool(in_common(wanted, shown, min(RUN, len(wanted))).sum() >= MOST * len(wanted))


def share_of_gold(answer: str, gold: Iterable[str]) -> float:
    """Share of the answer's characters that stand in one of the gold sentences."""
    shown = normalise(answer)
    if not shown:
        return 0.0
    found = np.zeros(len(shown), dtype=bool)
    for sentence in map(normalise, gold):
        found |= in_common(shown, sentence, min(RUN, len(shown), len(sentence)))
    return float(found.mean())


@dataclass(frozen=True, slots=True)
class Summary:
    """Means over judgements; None where there is nothing to take one of."""

    n: int
    accuracy: float | None
    focused: float | None
    hit1: float | None
    hit3: float | None
    precision: float | None
    """Over the answerable questions that were answered."""
    false_abstention: float | None
    abstention_recall: float | None

    @classmethod
    def of(cls, judgements: Sequence[Judgement]) -> Summary:
        def mean(figure: Callable[[Judgement], float | None]) -> float | None:
            found = [value for one in judgements if (value := figure(one)) is not None]
            return sum(found) / len(found) if found else None

        return cls(
            n=len(judgements),
            accuracy=mean(lambda one: one.correct),
            focused=mean(lambda one: one.focused),
            hit1=mean(lambda one: one.hit1),
            hit3=mean(lambda one: one.hit3),
            precision=mean(lambda one: one.precision),
            false_abstention=mean(lambda one: one.refused),
            abstention_recall=mean(lambda one: one.rightly_refused),
        )


def by(judgements: Iterable[Judgement], key: Callable[[Item], str]) -> dict[str, Summary]:
    """A summary of each group, by name."""
    groups: dict[str, list[Judgement]] = {}
    for one in judgements:
        groups.setdefault(key(one.item), []).append(one)
    return {name: Summary.of(groups[name]) for name in sorted(groups)}
