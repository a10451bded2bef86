"""Fit the second opinions on crises and on requests for advice: `python -m training.safety`.

Reads the reviewed `bot/rules/examples.tsv` and the questions that the shipped article answers, and writes
`second_opinion.json` beside the examples: one weight for each short run of characters or words.
"""

import csv
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from bot.chatbot import ARTICLES, load_articles
from bot.safety import RULES, Masking, Views, runs

# How closely each opinion follows its examples (scikit-learn's C), and what a question of the bank counts beside a
# reviewed sentence: they are many and much alike.
FITTING = {"crisis": (100, 1.2), "advice": (30, 0.3)}

# How many questions stand in each polite or heartfelt frame among the examples.
FRAMED = 150

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


def fitted(texts: Sequence[tuple[Views, bool, bool]], closeness: float, bank: float) -> dict[str, Any]:
    """The bias and the weights, in thousandths, of texts that are what is looked for or not, and reviewed or not."""
    counter = CountVectorizer(analyzer=runs, min_df=2, binary=True)
    views, wanted, reviewed = zip(*texts, strict=True)
    model = LogisticRegression(C=closeness, max_iter=3000)
    model.fit(normalize(counter.fit_transform(views)), wanted, sample_weight=[1 if one else bank for one in reviewed])
    weights = model.coef_[0]
    keep = abs(weights) >= NEGLIGIBLE * abs(weights).max()
    names = counter.get_feature_names_out()
    kept = {str(name): round(float(weight) * 1000) for name, weight, k in zip(names, weights, keep, strict=True) if k}
    print(f"{len(kept)} weights from {len(texts)} texts, {sum(wanted)} of them looked for")
    return {"bias": round(float(model.intercept_[0]), 3), "weights": kept}


def examples(file: Path) -> list[tuple[str, str, bool]]:
    """Texts with their labels, and whether they are reviewed: if not, what the article is asked, bare and framed."""
    with file.open(encoding="utf-8", newline="") as lines:
        reviewed = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    rows = [(row["text"], row["label"], True) for row in reviewed if row["label"] != "frame"]
    chance = random.Random(7)
    for article in load_articles(ARTICLES):
        bank = [(one.text, "question") for one in article.questions]
        bank += [(one.text, "doubtful" if one.topic in PERSONAL else "question") for one in article.gaps]
        rows += [(text, label, False) for text, label in bank]
        for row in reviewed:
            if row["label"] == "frame":
                asked = chance.sample(bank, min(FRAMED, len(bank)))
                rows += [(row["text"].format(text), label, False) for text, label in asked]
    return rows


def main(folder: Path = RULES) -> int:
    """Write the weights; return the exit status."""
    masking = Masking.load(folder)
    found = [(masking.read(text), label, reviewed) for text, label, reviewed in examples(folder / "examples.tsv")]
    crisis = [(read.personal, label.startswith("crisis"), reviewed) for read, label, reviewed in found]
    advice = [(read.asked, label == "advice", reviewed) for read, label, reviewed in found if label != "doubtful"]
    content = {"crisis": fitted(crisis, *FITTING["crisis"]), "advice": fitted(advice, *FITTING["advice"])}
    path = folder / "second_opinion.json"
    path.write_text(json.dumps(content, ensure_ascii=False, indent=0, sort_keys=True) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
