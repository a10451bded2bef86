"""Fit the second opinion on crises from the reviewed examples: `python bot/rules/fit.py` (needs scikit-learn).

Reads `examples.tsv` beside this file and writes `second_opinion.json`: one weight for each short run of characters.
"""

import csv
import json
import sys
from pathlib import Path

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parents[1]))

from bot.safety import LONGEST_GRAM, normalise  # noqa: E402

# Weights below this share of the largest say nothing.
NEGLIGIBLE = 0.01


def main() -> None:
    """Write the weights, as integers in thousandths."""
    with (FOLDER / "examples.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    texts = [normalise(row["text"]).joined for row in rows]
    labels = [row["label"].startswith("crisis") for row in rows]
    counter = CountVectorizer(analyzer="char", ngram_range=(1, LONGEST_GRAM), min_df=2, binary=True, lowercase=False)
    grams = normalize(counter.fit_transform(texts))
    model = LogisticRegression(C=30, max_iter=1000, class_weight="balanced").fit(grams, labels)
    weights = model.coef_[0]
    keep = abs(weights) >= NEGLIGIBLE * abs(weights).max()
    names = counter.get_feature_names_out()
    kept = {str(name): round(float(weight) * 1000) for name, weight, k in zip(names, weights, keep, strict=True) if k}
    content = {"bias": round(float(model.intercept_[0]), 3), "weights": kept}
    path = FOLDER / "second_opinion.json"
    path.write_text(json.dumps(content, ensure_ascii=False, indent=0, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{path.name}: {len(kept)} weights from {len(rows)} examples, {sum(labels)} of them crises")


if __name__ == "__main__":
    main()
