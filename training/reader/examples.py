"""What the reader learns from: questions with the sentences that answer them, on the shipped article and on others."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from corpus.article import Article, ArticleError, BankQuestion, parse

HERE = Path(__file__).parent
WRITTEN = HERE / "articles"
DEVELOPMENT = HERE.parent.parent / "evaluation" / "questions" / "dev.jsonl"

OTHERS = (1, 7, 12)
"""So many articles further on are those whose questions an article cannot answer ..."""
OTHERS_QUESTIONS = 8
"""... so many of each."""


@dataclass(frozen=True, slots=True)
class Example:
    """A question with the sets of sentences that answer it, none if the article does not."""

    question: str
    history: tuple[str, ...]
    answers: tuple[frozenset[int], ...]
    kind: str
    """bank, gap, hard, follow_up, off_topic or development."""
    group: str = ""
    """Rows of the bank with the same group are partly hidden."""
    weight: float = 1.0


def group_of(question: BankQuestion) -> str:
    """Rows of the bank that stand for the same answer, or the same gap, share it."""
    return ",".join(map(str, question.sentences)) or question.topic


def examples(article: Article) -> Iterator[Example]:
    """On the shipped article: its bank and known gaps, and what was written for training alone."""
    hard = _table(HERE / "hard.tsv")
    twice = {row["question"] for row in hard}
    for question in article.known:
        if question.text in twice:
            continue
        answers = (frozenset(question.sentences),) if question.sentences else ()
        yield Example(question.text, (), answers, "bank" if answers else "gap", group_of(question))
    for row in hard:
        answer = frozenset(int(n) for n in row["sids"].split(","))
        yield Example(row["question"], (), (answer,), "hard", weight=3)
    for row in _table(HERE / "off_topic.tsv"):
        yield Example(row["question"], (), (), "off_topic", weight=3)
    for turn in _lines(HERE / "followups.jsonl"):
        answers = (frozenset(turn["sids"]),) if turn["sids"] else ()
        yield Example(turn["question"], tuple(turn["history"]), answers, "follow_up", weight=4)


def development(file: Path = DEVELOPMENT) -> list[Example]:
    """What reaches the reader of the development questions: the rest is met by rules before it."""
    aside = {"advice", "crisis", "greeting", "injection"}
    return [
        Example(
            row["question"],
            tuple(row.get("history", ())),
            tuple(frozenset(ids) for ids in row["gold_sids"]) if row["answerable"] else (),
            "development",
        )
        for row in _lines(file)
        if row["type"] not in aside
    ]


@dataclass(frozen=True, slots=True)
class Written:
    """An article written for training, with its own questions and some on the others."""

    article: Article
    examples: tuple[Example, ...]


def written(folder: Path = WRITTEN, weight: float = 1.0) -> list[Written]:
    """The articles of a folder, each `{"title", "paragraphs": [[sentence]], "questions": [{"question", "sids"}]}`.

    Raises:
        ArticleError: the sentences are not those that the article is split into.
    """
    rows = [(file, json.loads(file.read_text(encoding="utf-8"))) for file in sorted(folder.glob("*.json"))]
    own = [[_example(question, weight) for question in row["questions"]] for _, row in rows]
    held = []
    for place, (file, row) in enumerate(rows):
        others = [own[(place + step) % len(own)][:: max(1, len(own[place]) // OTHERS_QUESTIONS)] for step in OTHERS]
        far = [replace(e, answers=(), kind="off_topic") for other in others for e in other]
        held.append(Written(_article(file, row["title"], row["paragraphs"]), (*own[place], *far)))
    return held


def _example(question: dict[str, Any], weight: float) -> Example:
    # The title is a sentence of the article, too.
    answers = (frozenset(n + 1 for n in question["sids"]),) if question["sids"] else ()
    return Example(question["question"], (), answers, "hard" if answers else "gap", weight=weight)


def _article(file: Path, title: str, paragraphs: Sequence[Sequence[str]]) -> Article:
    text = f"# {title}\n" + "\n".join("".join(sentences) for sentences in paragraphs)
    sections, sentences = parse(text)
    expected = [title, *(sentence for paragraph in paragraphs for sentence in paragraph)]
    for number, (wanted, found) in enumerate(zip(expected, sentences, strict=False), start=1):
        if wanted != found.text:
            raise ArticleError(file, 1, f"expected sentence {number - 1} to be {wanted!r}, found {found.text!r}")
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Article(file.stem, title, None, "zh-Hans", text, digest, sections, sentences, ())


def _table(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
