"""How well the bot answers: `python -m evaluation.answers`, over `evaluation/questions` or any other file like it."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from tqdm import tqdm

from bot.answer import distinct_passages
from bot.chatbot import Chatbot, QuestionError, load_articles, load_chatbot
from corpus.article import Article
from evaluation.benchmark import rows_of
from evaluation.scoring import Item, Judgement, Shown, Summary, by, judge
from index.encoder import EncoderError

QUESTIONS = Path(__file__).parent / "questions"
FILES = (QUESTIONS / "dev.jsonl", QUESTIONS / "test.jsonl")
SPELLINGS = QUESTIONS / "spellings.jsonl"

PARTS = ("bank", "gaps", "translation", "most")
"""What was written for the article, each of which may be left out; `most` is all but a few of bank and gaps."""

LEFT = 400
"""How many questions and known gaps remain without most of them: too few for a classifier."""

ABLATIONS = ((), ("most",), ("translation",), ("gaps",), ("bank", "gaps"), ("bank", "gaps", "translation"))

FOLLOW_UP = "follow-up"


def stripped(article: Article, without: Iterable[str]) -> Article:
    """The article as it is before those parts were written."""
    for part in without:
        if part == "bank":
            article = replace(article, questions=())
        elif part == "gaps":
            article = replace(article, gaps=())
        elif part == "most":
            article = article.with_bank(LEFT)
        elif part == "translation":
            article = replace(article, sentences=tuple(replace(s, translation=None) for s in article.sentences))
    return article


def ask(chatbot: Chatbot, item: Item) -> Shown:
    """What the bot shows; a question that it does not take is met by abstaining."""
    try:
        answer = chatbot.ask(item.question, item.history)
    except QuestionError:
        return Shown("", (), abstained=True)
    return Shown(answer.text, tuple(distinct_passages(answer.citations)), answer.abstained)


def examine(chatbot: Chatbot, items: Sequence[Item]) -> list[Judgement]:
    sentences = {s.id: s.text for s in chatbot.articles[0].sentences}
    return [judge(item, ask(chatbot, item), sentences) for item in tqdm(items, disable=None, leave=False)]


@dataclass(frozen=True, slots=True)
class Spellings:
    """How many of the other spellings get what the first one gets."""

    variants: int
    same_status: float
    same_first_sentence: float
    same_answer: float

    @classmethod
    def of(cls, chatbot: Chatbot, groups: Sequence[Mapping[str, object]]) -> Spellings:
        """
        Args:
            groups: each a `question` and its `variants`.
        """
        status, first, whole = [], [], []
        for group in tqdm(groups, disable=None, leave=False):
            base = chatbot.ask(str(group["question"]))
            variants = group["variants"]
            assert isinstance(variants, list)
            for variant in variants:
                answer = chatbot.ask(variant)
                ids, others = [s.id for s in base.sentences], [s.id for s in answer.sentences]
                status.append(answer.status is base.status)
                first.append(status[-1] and ids[:1] == others[:1])
                whole.append(status[-1] and ids == others)
        return cls(len(status), *(sum(found) / len(found) for found in (status, first, whole)))


def table(title: str, rows: Iterable[tuple[str, Summary]]) -> str:
    names = [field.name for field in fields(Summary)]
    lines = [f"| {title} | {' | '.join(name.replace('_', ' ') for name in names)} |", "|---|" + "---:|" * len(names)]
    for name, summary in rows:
        cells = [_cell(value) for value in asdict(summary).values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.3f}"


def groups(judgements: Sequence[Judgement]) -> list[tuple[str, Summary]]:
    """All, by series where there are several, by language, follow-ups or not, and by type."""
    numbered = (one for one in judgements if one.item.id[-1:].isdigit())
    series = by(numbered, lambda item: f"series {item.id.rstrip('0123456789')}")
    return [
        ("all", Summary.of(judgements)),
        *(series.items() if len(series) > 1 else ()),
        *by(judgements, lambda item: item.language).items(),
        *by(judgements, lambda item: FOLLOW_UP if item.history else "first turn").items(),
        *by(judgements, lambda item: item.type).items(),
    ]


def error_lines(judgements: Sequence[Judgement], count: int) -> list[str]:
    """The first of those that are not good, a line each."""
    wrong = [one for one in judgements if not one.good]
    lines = [f"{len(wrong)} not right, the first {min(count, len(wrong))}:"]
    for one in wrong[:count]:
        asked = " / ".join((*one.item.history, one.item.question))
        got = "abstained" if one.shown.abstained else one.shown.answer.replace("\n", " ")[:90]
        gold = " or ".join(",".join(map(str, sorted(ids))) for ids in one.item.answers[:4]) or "none"
        lines.append(f"{one.item.id} {one.item.language} {one.item.type} | {asked} | gold {gold} | {got}")
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m evaluation.answers", description="Measure the bot's answers.")
    parser.add_argument("--questions", type=Path, nargs="+", default=FILES, metavar="FILE", help="JSONL of questions")
    parser.add_argument("--without", nargs="+", default=(), choices=PARTS, help="leave this out of the article")
    parser.add_argument("--ablations", action="store_true", help="also with parts of what was written left out")
    parser.add_argument("--encoder", help="a sentence-transformers model by name or path, instead of the shipped one")
    parser.add_argument("--errors", type=int, default=0, metavar="N", help="show so many wrong answers of each file")
    parser.add_argument("--predictions", type=Path, metavar="FILE", help="write what the bot showed, an object a line")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure to this file as well")
    given = parser.parse_args(arguments)
    exams = {file: [Item.of(row) for row in rows_of(file)] for file in given.questions}
    if empty := [str(file) for file, items in exams.items() if not items]:
        print(f"expected questions, an object a line, found none in {', '.join(empty)}", file=sys.stderr)
        return 2
    settings = [tuple(given.without), *(ABLATIONS[1:] if given.ablations else ())]
    article, *_ = load_articles()
    rows: dict[str, list[tuple[str, Summary]]] = {"": []}
    held: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        for without in dict.fromkeys(settings):
            name = f"without {', '.join(without)}" if without else "everything"
            try:
                chatbot = load_chatbot([stripped(article, without)], encoder=given.encoder, cache=Path(folder))
            except EncoderError as error:
                print(error, file=sys.stderr)
                return 2
            for file, items in exams.items():
                judgements = examine(chatbot, items)
                rows[""].append((f"{file.stem}, {name}", Summary.of(judgements)))
                held[f"{file.stem}, {name}"] = {group: asdict(summary) for group, summary in groups(judgements)}
                if without == settings[0]:
                    print(table(f"{file.stem}, {name}", groups(judgements)) + "\n")
                    if given.errors:
                        print("\n".join(error_lines(judgements, given.errors)) + "\n")
                    if given.predictions:
                        _write(given.predictions, judgements, first=file is given.questions[0])
            if without == settings[0] and tuple(given.questions) == FILES:
                spellings = Spellings.of(chatbot, rows_of(SPELLINGS))
                held["spellings"] = asdict(spellings)
                print("| spellings | same status | same first sentence | same answer |\n|---:|---:|---:|---:|")
                print(f"| {' | '.join(_cell(value) for value in asdict(spellings).values())} |\n")
    if len(settings) > 1:
        print(table("ablations", sorted(rows[""], key=lambda row: row[0].split(",")[0])))
    if given.json:
        given.json.write_text(json.dumps(held, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0


def _write(file: Path, judgements: Sequence[Judgement], *, first: bool) -> None:
    with file.open("w" if first else "a", encoding="utf-8") as out:
        for one in judgements:
            out.write(json.dumps({"id": one.item.id, **asdict(one.shown)}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
