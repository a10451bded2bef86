"""The examination of the real chatbot, over questions written here."""

import json
from pathlib import Path

import pytest

from bot.chatbot import Chatbot
from corpus.article import Article
from evaluation import answers
from evaluation.answers import LEFT, Spellings, ask, error_lines, examine, groups, stripped, table
from evaluation.scoring import Item

ROWS = [
    {
        "id": "a",
        "lang": "zh",
        "type": "number",
        "question": "据估计MDD影响全球多少人？每年有多少人死于自杀？",
        "gold_sids": [[9]],
        "must_contain": ["3.5亿"],
        "answerable": True,
    },
    {
        "id": "b",
        "lang": "en",
        "type": "far",
        "question": "Who won the World Cup?",
        "gold_sids": [],
        "answerable": False,
    },
    {
        "id": "c",
        "lang": "zh",
        "type": "number",
        "question": "长" * 501,
        "history": ["前一个问题"],
        "gold_sids": [[1]],
        "answerable": True,
    },
]


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return [Item.of(row) for row in ROWS]


def test_real_chatbot_is_examined(chatbot: Chatbot, items: list[Item]) -> None:
    judgements = examine(chatbot, items)
    assert [one.good for one in judgements] == [True, True, False]
    assert judgements[2].shown.abstained  # too long a question is not an error of the examination
    rows = dict(groups(judgements))
    assert list(rows) == ["all", "en", "zh", "first turn", "follow-up", "far", "number"]
    assert (rows["all"].accuracy, rows["all"].abstention_recall, rows["follow-up"].accuracy) == (0.5, 1.0, 0.0)
    assert "| all | 3 | 0.500 | 0.500 |" in table("", rows.items())
    assert error_lines(judgements, 5)[0].startswith("1 not right")
    assert "abstained" in error_lines(judgements, 5)[1]


def test_citations_are_passages_around_what_is_shown(chatbot: Chatbot, items: list[Item]) -> None:
    shown = ask(chatbot, items[0])
    assert not shown.abstained
    assert shown.answer.splitlines()[0] in "\n".join(shown.citations)


def test_spellings_compare_with_the_first(chatbot: Chatbot) -> None:
    base = str(ROWS[0]["question"])
    groups = [{"question": base, "variants": [base + "  ", "世界杯谁赢了？"]}]
    assert Spellings.of(chatbot, groups) == Spellings(2, 0.5, 0.5, 0.5)


def test_small_bank_is_a_part_of_the_whole_and_always_the_same(article: Article) -> None:
    few = stripped(article, ["most"])
    assert len(few.known) == LEFT
    assert set(few.questions) < set(article.questions)
    assert set(few.gaps) < set(article.gaps)
    assert stripped(article, ["most"]).questions == few.questions


@pytest.mark.parametrize("part", ["bank", "gaps", "translation"])
def test_a_part_is_left_out_alone(article: Article, part: str) -> None:
    bare = stripped(article, [part])
    counts = {
        "bank": len(bare.questions),
        "gaps": len(bare.gaps),
        "translation": sum(s.translation is not None for s in bare.sentences),
    }
    assert [name for name, count in counts.items() if not count] == [part]
    assert bare.text == article.text


def test_command_over_another_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    questions, predictions, figures = (tmp_path / name for name in ("q.jsonl", "p.jsonl", "f.json"))
    questions.write_text("\n".join(json.dumps(row) for row in ROWS), encoding="utf-8")
    assert (
        answers.main(
            ["--questions", str(questions), "--predictions", str(predictions), "--json", str(figures), "--errors", "1"]
        )
        == 0
    )
    assert "| q, everything | n |" in capsys.readouterr().out
    shown = [json.loads(line) for line in predictions.read_text(encoding="utf-8").splitlines()]
    assert [(one["id"], one["abstained"]) for one in shown] == [("a", False), ("b", True), ("c", True)]
    assert json.loads(figures.read_text(encoding="utf-8"))["q, everything"]["all"]["n"] == 3


def test_command_says_that_there_are_no_questions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answers.main(["--questions", str(tmp_path / "none.jsonl")]) == 2
    assert "none.jsonl" in capsys.readouterr().err
