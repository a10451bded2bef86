"""Loading an article: what a sound folder gives, and the one clear error of each that is not sound."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpus.article import MAX_BYTES, Article, ArticleError, Evidence, load_article, parse, sentence_hash
from tests.tiny import GAPS, GLOSSARY, META, QUESTIONS, TEXT, translations, write_article


def test_shipped_article_has_its_105_sentences_and_12_headings(article: Article) -> None:
    assert len(article.sentences) == 105
    assert sum(s.is_heading for s in article.sentences) == 12
    assert [s.id for s in article.sentences] == list(range(1, 106))


def test_every_quote_of_the_shipped_article_is_its_own_text(article: Article) -> None:
    assert all(article.text[s.span.start : s.span.end] == s.text for s in article.sentences)


def test_sentences_of_the_shipped_article_leave_out_only_space_and_heading_marks(article: Article) -> None:
    end = 0
    for sentence in article.sentences:
        assert not article.text[end : sentence.span.start].strip(" \n#")
        end = sentence.span.end
    assert not article.text[end:].strip()


def test_every_sentence_of_the_shipped_article_has_a_translation_and_a_label(article: Article) -> None:
    assert all(s.translation for s in article.sentences)
    assert not [s.id for s in article.sentences if s.evidence is Evidence.UNLABELLED]


def test_shipped_disclaimer_is_sentences_of_the_article(article: Article) -> None:
    assert article.disclaimer_text.startswith("免责说明:本文仅用于传播科普知识")
    assert article.disclaimer_text in article.text
    assert article.disclaimer_text_en
    assert "doctor" in article.disclaimer_text_en.lower()


@pytest.mark.parametrize(
    ("sentence", "section"),
    [
        (1, ""),
        (26, "方法"),
        (30, "hUC-MSCs改善CUMS诱发的抑郁和焦虑样行为"),
        (69, "讨论"),
        (97, "写在最后"),
        (101, "免责说明"),
        (104, "文章来源"),
    ],
)
def test_sentences_of_the_shipped_article_stand_in_their_sections(
    article: Article, sentence: int, section: str
) -> None:
    assert article.section_of(article.sentence(sentence)).title == section


def test_trial_details_of_the_shipped_article_belong_to_their_trial(article: Article) -> None:
    items = {s.id: s.item for s in article.sentences if 84 <= s.id <= 97}
    assert items == {**dict.fromkeys(range(84, 89), 84), **dict.fromkeys(range(89, 93), 89), 97: None} | dict.fromkeys(
        range(93, 97), 93
    )


def test_article_knows_title_sections_items_and_labels(lighthouse: Article) -> None:
    assert [(s.title, s.level, list(s.sentences)) for s in lighthouse.sections] == [
        ("海边的灯塔", 1, [1, 2, 3, 4]),
        ("结果", 2, [5, 6, 7, 8, 9, 10, 11]),
        ("说明", 2, [12]),
    ]
    assert [s.item for s in lighthouse.sentences] == [None] * 8 + [9, 9, 11, None]
    assert lighthouse.sentence(1).is_heading
    assert lighthouse.sentence(7).evidence is Evidence.MOUSE_STUDY
    assert lighthouse.sentence(9).evidence is Evidence.UNLABELLED
    assert lighthouse.sentence(4).translation == "English of sentence 4."


def test_run_in_heading_opens_a_section_and_stays_in_its_sentence(lighthouse: Article) -> None:
    assert lighthouse.sentence(12).text == "说明:本文只供参考,不能代替航海人员的意见。"
    assert not lighthouse.sentence(12).is_heading


def test_label_that_is_not_listed_opens_no_section() -> None:
    sections, _ = parse("方法:先看。\n\n讨论:再说。\n", run_in_headings=("讨论",))
    assert [s.title for s in sections] == ["", "讨论"]


def test_text_before_the_first_heading_is_a_section_without_a_title() -> None:
    sections, sentences = parse("先说一句。\n\n# 题目\n\n再说一句。\n")
    assert [(s.title, list(s.sentences)) for s in sections] == [("", [1]), ("题目", [2, 3])]
    assert [s.section for s in sentences] == [0, 1, 1]


def test_glossary_gives_each_term_its_names(lighthouse: Article) -> None:
    assert lighthouse.glossary[0].names == ("灯塔", "lighthouse", "LH", "导航塔", "beacon", "light house")
    assert lighthouse.glossary[1].abbreviation is None


def test_article_without_tables_is_sound(tmp_path: Path) -> None:
    absent = dict.fromkeys(("translation.en.tsv", "glossary.tsv", "questions.tsv", "gaps.tsv"))
    article = load_article(write_article(tmp_path, absent))
    assert not article.glossary
    assert not article.questions
    assert article.sentence(1).translation is None
    assert article.disclaimer_text_en is None


PINS = translations(TEXT).splitlines(keepends=True)


def row(number: int, text: str) -> dict[str, str]:
    """The translations with one line replaced."""
    return {"translation.en.tsv": "".join([*PINS[: number - 1], text, *PINS[number:]])}


UNSOUND: dict[str, tuple[dict[str, str | None], str, int, str]] = {
    "no text file": ({"article.md": None}, "article.md", 1, "expected a readable file"),
    "empty text": ({"article.md": " \n\t\n"}, "article.md", 1, "found an empty file"),
    "no description": ({"article.toml": None}, "article.toml", 1, "expected a readable file"),
    "broken description": ({"article.toml": 'id = "a"\ntitle = \n'}, "article.toml", 2, "expected TOML"),
    "no id": ({"article.toml": META.replace('id = "lighthouse"', "")}, "article.toml", 1, "'id'"),
    "no title": ({"article.toml": META.replace('title = "海边的灯塔"', "")}, "article.toml", 1, "'title'"),
    "no disclaimer": (
        {"article.toml": META.replace("[disclaimer]\nsentences = [12]\n", "")}, "article.toml", 1, "no disclaimer",
    ),
    "disclaimer that is no table": (
        {"article.toml": 'disclaimer = "none"\n' + META.replace("[disclaimer]\nsentences = [12]\n", "")},
        "article.toml", 1, "[disclaimer]",
    ),
    "disclaimer beyond the end": (
        {"article.toml": META.replace("[12]", "[13]")}, "article.toml", 7, "from 1 to 12 in disclaimer, found 13",
    ),
    "unknown label": (
        {"article.toml": META.replace("mouse_study", "rat_study")}, "article.toml", 11, "expected one of mouse_study",
    ),
    "label beyond the end": ({"article.toml": META.replace("6-8", "6-80")}, "article.toml", 11, "found 80"),
    "range of words": ({"article.toml": META.replace("6-8", "six")}, "article.toml", 11, "expected a range such as"),
    "range as a number": ({"article.toml": META.replace('"6-8"', "6")}, "article.toml", 11, "expected a range such as"),
    "range backwards": ({"article.toml": META.replace("6-8", "8-6")}, "article.toml", 11, "expected a range such as"),
    "two labels for one sentence": (
        {"article.toml": META.replace('["2-4"]', '["2-6"]')}, "article.toml", 12, "expected one label a sentence",
    ),
    "figure without a number": (
        {"article.toml": META + "\n[[figures]]\nsentences = [2]\n"}, "article.toml", 15, "figures",
    ),
    "doubt without a sentence": (
        {"article.toml": META + '\n[[doubts]]\nzh = "存疑"\nen = "doubtful"\n'}, "article.toml", 15, "doubts",
    ),
    "changed Chinese": (
        {"article.md": TEXT.replace("七十岁", "八十岁"), "translation.en.tsv": translations(TEXT)},
        "translation.en.tsv", 5, "translate it again",
    ),
    "list as a number": (
        {"article.toml": META.replace("[12]", "12")}, "article.toml", 7, "expected a list of ids in disclaimer",
    ),
    "sentence translated twice": (row(3, PINS[1]), "translation.en.tsv", 3, "each sentence once, found 1 again"),
    "sentence not translated": (row(13, ""), "translation.en.tsv", 12, "found none for 12"),
    "empty translation": (
        row(3, f"2\t{sentence_hash('灯塔建于1902年,高三十米。')}\t \n"), "translation.en.tsv", 3, "found none",
    ),
    "translation of no sentence": (row(13, PINS[12].replace("12", "99", 1)), "translation.en.tsv", 13, "found '99'"),
    "translation with a lost cell": (row(4, "3\t00000000\n"), "translation.en.tsv", 4, "expected 3 cells, found 2"),
    "other columns": (row(1, "id\thash\ttext\n"), "translation.en.tsv", 1, "expected the columns sid zh_sha256_8 en"),
    "term twice": (
        {"glossary.tsv": GLOSSARY + GLOSSARY.splitlines()[1] + "\n"}, "glossary.tsv", 4, "found 灯塔 again",
    ),
    "term without English": (
        {"glossary.tsv": GLOSSARY + "船\t\t-\t-\t-\t-\t-\n"}, "glossary.tsv", 4, "a term in both languages",
    ),
    "question twice": (
        {"questions.tsv": QUESTIONS + QUESTIONS.splitlines()[1] + "\n"}, "questions.tsv", 6, "each question once",
    ),
    "question on words": ({"questions.tsv": QUESTIONS + "谁?\tzh\ttwo\n"}, "questions.tsv", 6, "such as 12,13"),
    "question beyond the end": ({"questions.tsv": QUESTIONS + "谁?\tzh\t4,13\n"}, "questions.tsv", 6, "from 1 to 12"),
    "gap with a lost cell": ({"gaps.tsv": GAPS + "多重?\tzh\n"}, "gaps.tsv", 4, "expected 3 cells, found 2"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "file", "line", "problem"), UNSOUND.values(), ids=UNSOUND.keys())
def test_unsound_article_gives_one_error_with_file_and_line(
    tmp_path: Path, changes: dict[str, str | None], file: str, line: int, problem: str
) -> None:
    folder = write_article(tmp_path, changes)
    with pytest.raises(ArticleError) as caught:
        load_article(folder)
    assert (caught.value.file, caught.value.line) == (folder / file, line)
    assert problem in str(caught.value)
    assert str(caught.value).startswith(f"{folder / file}:{line}: expected ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", ["article.toml", "translation.en.tsv", "glossary.tsv", "questions.tsv", "gaps.tsv"])
def test_byte_order_mark_before_a_table_is_left_out(tmp_path: Path, lighthouse: Article, file: str) -> None:
    folder = write_article(tmp_path)
    (folder / file).write_text("\ufeff" + (folder / file).read_text(encoding="utf-8"), encoding="utf-8")
    assert load_article(folder).glossary == lighthouse.glossary


@pytest.mark.parametrize("file", ["article.md", "article.toml", "translation.en.tsv", "glossary.tsv", "questions.tsv"])
def test_bytes_that_are_not_utf8_are_named_with_their_line(tmp_path: Path, file: str) -> None:
    folder = write_article(tmp_path)
    data = (folder / file).read_bytes()
    line = data.count(b"\n")
    (folder / file).write_bytes(data.rstrip(b"\n") + b" \xff\n")
    with pytest.raises(ArticleError, match="expected UTF-8, found byte 0xff") as caught:
        load_article(folder)
    assert (caught.value.file.name, caught.value.line) == (file, line)


def test_article_over_the_limit_is_refused_with_both_numbers(tmp_path: Path) -> None:
    folder = write_article(tmp_path, {"article.md": "灯塔。" * (MAX_BYTES // 9 + 1), "translation.en.tsv": ""})
    with pytest.raises(ArticleError, match=rf"expected at most {MAX_BYTES} bytes, found \d+"):
        load_article(folder)


def test_byte_order_mark_does_not_hide_the_first_heading(tmp_path: Path) -> None:
    article = load_article(write_article(tmp_path, {"article.md": "\ufeff" + TEXT}))
    assert article.sentence(1).text == "海边的灯塔"
    assert article.sentence(1).is_heading
    assert article.text[article.sentence(2).span.start :].startswith("灯塔建于1902年")
