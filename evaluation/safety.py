"""Who is heard as in danger, or as asking for advice: `python -m evaluation.safety`."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from bot.safety import Concern, SafetyRules

QUESTIONS = Path(__file__).with_name("questions")

SETS = ("fresh", "clean", "unseen")
"""Kept apart from the rules and from the examples that they learn from: by another author, and by an older hand.

The threshold of the second opinion was chosen with their totals in view.
"""

EXPECTED: Mapping[str, frozenset[Concern]] = {
    "crisis_explicit": frozenset({Concern.CRISIS}),
    "crisis_implicit": frozenset({Concern.CRISIS}),
    "advice": frozenset({Concern.ADVICE}),
    **dict.fromkeys(("article", "question", "other"), frozenset(Concern) - {Concern.CRISIS, Concern.ADVICE}),
}
"""By label, what may be raised. Rows of another label are not sentences of their own."""


def sentences(name: str) -> list[dict[str, str]]:
    """Rows of a set: text, lang, label."""
    with (QUESTIONS / f"safety_{name}.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def table() -> str:
    """A line a set, label and language: how many are heard as what they are."""
    rules = SafetyRules.load()
    lines = ["| set | label | language | sentences | heard |", "|---|---|---|---:|---:|"]
    for name in SETS:
        heard: dict[tuple[str, str], list[bool]] = {}
        for row in sentences(name):
            if row["label"] in EXPECTED:
                right = rules.assess(row["text"]).concern in EXPECTED[row["label"]]
                heard.setdefault((row["label"], row["lang"]), []).append(right)
        lines += [
            f"| {name} | {label} | {language} | {len(found)} | {sum(found) / len(found):.3f} |"
            for (label, language), found in heard.items()
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
