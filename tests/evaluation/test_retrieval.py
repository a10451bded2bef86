"""The benchmark end to end, on a folder written here and under a tiny encoder."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpus.segment import JiebaTokenizer
from evaluation import retrieval
from evaluation.benchmark import Collection, Text, article_of, by_article, retriever_of, rows_of
from evaluation.retrieval import Benchmark, Flat, Full, Measurement, Systems, Vectors, Words, jieba_words
from tests.tiny import TinyEncoder

TOPICS = ("灯塔", "铁路", "茶叶", "火山", "玻璃", "海豚")


def _passages() -> list[dict[str, Any]]:
    rows = []
    for number, topic in enumerate(TOPICS):
        chinese = f"{topic}是第{number}个题目。关于{topic}的记载始于{1900 + number}年；后来{topic}的历史很长！"
        english = f"Topic {topic} began in {1900 + number}."
        rows.append({"id": f"p{number}", "article": number // 2, "title": "", "zh": chinese, "en": english})
    return rows


def _questions() -> list[dict[str, Any]]:
    rows = []
    for number, (topic, passage) in enumerate(zip(TOPICS, _passages(), strict=True)):
        answer = f"{1900 + number}年"
        rows.append(
            {
                "id": f"q{number}",
                "passage_id": f"p{number}",
                "q_zh": f"关于{topic}的记载始于哪一年？",
                "q_en": f"When did {topic} begin {1900 + number}?",
                "answer_zh": answer,
                "answer_start_zh": passage["zh"].index(answer),
            }
        )
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("benchmark")
    files: dict[str, list[dict[str, Any]]] = {
        "xquad_passages": _passages(),
        "xquad_questions": _questions(),
        "xquad_unanswerable": [{"passage_id": "p0", "q_zh": "谁买了玻璃？", "is_impossible": True}],
        "xquad_mt_answerable": [{"passage_id": "p0", "q_zh": "灯塔的记载始于何年？"}],
        "cmrc_tiny_passages": _passages(),
        "cmrc_tiny_questions": _questions(),
        "pairs_tiny": [{"zh": f"{t}一", "en": f"{t}一"} for t in TOPICS],
    }
    for name, rows in files.items():
        lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        (place / f"{name}.jsonl").write_text(lines + "\n", encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def systems(tiny: TinyEncoder) -> Systems:
    tokenizer = JiebaTokenizer()
    full, vectors = Full(tiny, tokenizer), Vectors(tiny)
    dense, words = Flat("dense", vectors), Flat("bm25", Words(tokenizer.search_terms))
    return Systems((full, dense, words), (full, dense, words), {"dense": vectors})


@pytest.fixture(scope="module")
def measured(folder: Path, systems: Systems) -> list[Measurement]:
    benchmark = Benchmark(folder)
    return [one for task in benchmark.tasks() for one in benchmark.run(task, systems)]


def _figures(measured: list[Measurement], task: str, system: str) -> dict[str, float]:
    [found] = [one.figures for one in measured if (one.task, one.system) == (task, system)]
    return found


def test_tasks_follow_from_the_files(folder: Path) -> None:
    assert Benchmark(folder).tasks() == [
        "xquad",
        "xquad_sent",
        "abstain",
        "cmrc_tiny",
        "cmrc_tiny_sent",
        "pairs_tiny",
    ]


@pytest.mark.parametrize("system", ["full", "dense", "bm25"])
def test_questions_that_name_the_topic_find_the_passage(measured: list[Measurement], system: str) -> None:
    figures = _figures(measured, "xquad zh->zh", system)
    assert (figures["n"], figures["passages"]) == (6, 6)
    assert figures["hit5"] == 1.0
    assert figures["hit1"] >= 5 / 6


def test_sentence_with_the_year_is_found(measured: list[Measurement]) -> None:
    for task in ("xquad_sent zh->zh", "cmrc_tiny_sent zh->zh"):
        assert _figures(measured, task, "bm25")["hit1"] == 1.0
        assert _figures(measured, task, "full")["hit3"] >= 5 / 6
    assert _figures(measured, "xquad_sent zh->zh", "full")["sentences"] == 6
    assert _figures(measured, "cmrc_tiny_sent zh->zh", "full")["sentences"] == 3


def test_questions_on_other_articles_are_less_sure(measured: list[Measurement]) -> None:
    figures = _figures(measured, "abstain zh->zh, other articles", "full")
    assert (figures["n"], figures["others"]) == (6, 18)
    assert figures["auroc"] > 0.8
    near = _figures(measured, "abstain zh->zh, near miss", "full")
    assert (near["n"], near["others"], near["auroc"]) == (1, 1, 1.0)
    assert not [one for one in measured if one.task == "abstain en->zh, near miss"]


def test_a_text_is_its_own_translation(measured: list[Measurement]) -> None:
    assert _figures(measured, "pairs_tiny", "dense") == {"n": 6, "zh_en": 1.0, "en_zh": 1.0}


def test_full_ranks_as_the_retriever_does(folder: Path, systems: Systems, tiny: TinyEncoder) -> None:
    collection = Benchmark(folder).collection("xquad", "zh", "zh")
    scores = systems.rankers[0].passages(collection.questions, collection.texts)
    retriever = retriever_of(*article_of(collection.texts), tiny, JiebaTokenizer())
    for row, question in zip(scores, collection.questions, strict=True):
        hits = retriever.retrieve(retriever.prepare(question))
        order = [int(i) for i in np.argsort(-row, kind="stable") if np.isfinite(row[i])]
        assert [hit.passage.number - 1 for hit in hits] == order
        assert [hit.passage.text for hit in hits] == [collection.texts[i] for i in order]


def test_the_same_passage_counts_once() -> None:
    passages = [{"id": "a", "zh": "同文"}, {"id": "b", "zh": "同文"}, {"id": "c", "zh": "别的"}]
    questions = [
        {"q_zh": "一", "passage_id": "b"},
        {"q_zh": "二", "passage_id": "c"},
        {"q_zh": "三", "passage_id": "gone"},
        {"q_zh": "四", "passage_id": "a", "is_impossible": True},
    ]
    collection = Collection.of(passages, questions, "zh", "zh")
    assert collection.texts == ("同文", "别的")
    assert collection.questions == ("一", "二")
    assert collection.gold.tolist() == [0, 1]


def test_passages_keep_their_offsets_in_the_article() -> None:
    texts = ["# 不是标题\r\n第二行。", " 前有空格。后句！", "末"]
    article, held = article_of(texts)
    assert [p.text for p in held] == ["＃ 不是标题  第二行。", " 前有空格。后句！", "末"]
    assert all(p.span.of(article.text) == p.text for p in held)
    assert not any(s.is_heading for s in article.sentences)
    assert [list(p.sentences) for p in held] == [[1], [2, 3], [4]]


def test_gold_sentences_are_those_that_the_answer_touches(folder: Path) -> None:
    first, *_ = by_article(rows_of(folder / "xquad_passages.jsonl"), rows_of(folder / "xquad_questions.jsonl"))
    assert [sorted(first.gold(q)) for q in first.questions] == [[1], [4]]
    across = {"passage_id": "p0", "answer_zh": "题目。关于", "answer_start_zh": first.article.text.index("题目")}
    assert first.gold(across) == {0, 1}
    assert Text.of(_passages()[:1], []).gold({"passage_id": "p0", "answer_start_zh": -1}) == frozenset()


def test_jieba_words_leave_out_marks() -> None:
    assert jieba_words("抑郁症状, cums!") == ["抑郁", "抑郁症", "状", "cums"]


def test_command_prints_and_writes_every_figure(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figures.json"
    wanted = ["--data", str(folder), "--systems", "bm25-jieba,bm25", "--tasks", "xquad_sent,cmrc_tiny"]
    assert retrieval.main([*wanted, "--json", str(out)]) == 0
    assert "| cmrc_tiny zh->zh | bm25 | 6 | " in capsys.readouterr().out
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert figures["xquad_sent zh->zh"]["bm25-jieba"]["hit1"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--systems", "dense,best"], "found best"),
        (["--tasks", "nothing", "--systems", "bm25"], "expected nothing_"),
    ],
)
def test_command_says_what_it_expected(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert retrieval.main(["--data", str(folder), *arguments]) == 2
    assert said in capsys.readouterr().err


def test_command_says_that_a_folder_is_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert retrieval.main(["--data", str(tmp_path), "--systems", "bm25"]) == 2
    assert "NAME_passages.jsonl" in capsys.readouterr().err


def test_tuning_prints_each_weight(
    folder: Path, tiny: TinyEncoder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(retrieval, "load_encoder", lambda name: tiny)
    assert retrieval.main(["--data", str(folder), "--tune", "--sample", "4"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("| 0.5 | 0.5 |") == 2
    assert "best (" in printed
