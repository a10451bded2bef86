"""Fit the second opinion on crises from the reviewed examples: `python -m training.safety`.

Reads `bot/rules/examples.tsv` and writes `second_opinion.json` beside it: one weight for each short run of characters.
"""

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from bot.safety import LONGEST_GRAM, RULES, normalise

# Weights below this share of the largest say nothing.
NEGLIGIBLE = 0.01


def fit(texts: Sequence[str], crises: Sequence[bool]) -> tuple[float, dict[str, int]]:
    """The bias and the weights, in thousandths, of normalised texts that are crises or not."""
    counter = CountVectorizer(analyzer="char", ngram_range=(1, LONGEST_GRAM), min_df=2, binary=True, lowercase=False)
    grams = normalize(counter.fit_transform(texts))
    model = LogisticRegression(C=30, max_iter=1000, class_weight="balanced").fit(grams, crises)
    weights = model.coef_[0]
    keep = abs(weights) >= NEGLIGIBLE * abs(weights).max()
    names = counter.get_feature_names_out()
    kept = {str(name): round(float(weight) * 1000) for name, weight, k in zip(names, weights, keep, strict=True) if k}
    return round(float(model.intercept_[0]), 3), kept


def main(folder: Path = RULES) -> int:
    """Write the weights; return the exit status."""
    with (folder / "examples.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    crises = [row["label"].startswith("crisis") for row in rows]
    bias, weights = fit([normalise(row["text"]).joined for row in rows], crises)
    content = json.dumps({"bias": bias, "weights": weights}, ensure_ascii=False, indent=0, sort_keys=True)
    path = folder / "second_opinion.json"
    path.write_text(content + "\n", encoding="utf-8")
    print(f"{path.name}: {len(weights)} weights from {len(rows)} examples, {sum(crises)} of them crises")
    return 0


if __name__ == "__main__":
    sys.exit(main())
