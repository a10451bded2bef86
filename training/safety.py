"""Fit the second opinions on crises and on requests for advice: `python -m training.safety`.

Reads the reviewed `bot/rules/examples.tsv` and the questions that the shipped article answers, and writes
`second_opinion.json` beside the examples: one weight for each short run of characters.
"""

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from bot.chatbot import ARTICLES, load_articles
from bot.safety import LONGEST_GRAM, RULES, Masking, Views

# Weights below this share of the largest say nothing.
NEGLIGIBLE = 0.01

# What the article does not answer on these topics may well be a request for advice: it counts neither way.
PERSONAL = {
    "cord_banking",
    "diagnosis_symptoms",
    "drug_combination",
    "human_dose",
    "other_treatments",
    "patient_care",
    "price_insurance",
    "special_groups",
    "where_to_get",
}


def fitted(texts: Sequence[tuple[Views, bool]]) -> dict[str, Any]:
    """The bias and the weights, in thousandths, of texts that are what is looked for or not."""
    counter = CountVectorizer(analyzer="char", ngram_range=(1, LONGEST_GRAM), min_df=2, binary=True, lowercase=False)
    grams = normalize(counter.fit_transform([views.joined for views, _ in texts]))
    model = LogisticRegression(C=30, max_iter=3000, class_weight="balanced").fit(grams, [is_one for _, is_one in texts])
    weights = model.coef_[0]
    keep = abs(weights) >= NEGLIGIBLE * abs(weights).max()
    names = counter.get_feature_names_out()
    kept = {str(name): round(float(weight) * 1000) for name, weight, k in zip(names, weights, keep, strict=True) if k}
    print(f"{len(kept)} weights from {len(texts)} texts, {sum(is_one for _, is_one in texts)} of them looked for")
    return {"bias": round(float(model.intercept_[0]), 3), "weights": kept}


def examples(file: Path) -> list[tuple[str, str]]:
    """Texts with their labels: the reviewed ones, and what the shipped article is asked."""
    with file.open(encoding="utf-8", newline="") as lines:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)]
    for article in load_articles(ARTICLES):
        rows += [(one.text, "question") for one in article.questions]
        rows += [(one.text, "doubtful" if one.topic in PERSONAL else "question") for one in article.gaps]
    return rows


def main(folder: Path = RULES) -> int:
    """Write the weights; return the exit status."""
    masking = Masking.load(folder)
    found = [(masking.read(text), label) for text, label in examples(folder / "examples.tsv")]
    content = {
        "crisis": fitted([(read.personal, label.startswith("crisis")) for read, label in found]),
        "advice": fitted([(read.asked, label == "advice") for read, label in found if label != "doubtful"]),
    }
    path = folder / "second_opinion.json"
    path.write_text(json.dumps(content, ensure_ascii=False, indent=0, sort_keys=True) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
