"""Which language a question is in, and the form in which two spellings of it are the same."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.language import Language, Names, clean, detect_language, search_key, to_simplified

QUESTION = "cums小鼠的体重下降后,哪个剂量恢复得最好?"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("间充质干细胞是什么?", "zh-Hans"),
        ("間充質幹細胞是什麼?", "zh-Hant"),
        ("What are mesenchymal stem cells?", "en"),
        ("WHAT ARE MSCS?", "en"),
        ("MSC是什么?", "zh-Hans"),
        ("hUC-MSCs能穿过BBB吗?", "zh-Hans"),
        ("hUC-MSCs能穿過BBB嗎?", "zh-Hant"),
        ("抑郁症和 depression 是一回事吗?", "mixed"),
        ("憂鬱症和 depression 是一回事嗎?", "mixed"),
        ("Does 氟西汀 work better than the cells in this study?", "en"),
        ("NCT02675556", "en"),
        ("2025?", "zh-Hans"),
        ("ＭＳＣ是什么？", "zh-Hans"),
        ("Ｗｈａｔ ｉｓ ＭＤＤ？", "en"),
        ("", "zh-Hans"),
        ("5-HT", "en"),
        ("多少?", "zh-Hans"),
    ],
)
def test_language_to_answer_in(text: str, language: Language) -> None:
    assert detect_language(text) == language


@pytest.mark.parametrize(
    "spelling",
    [
        "CUMS小鼠的体重下降后，哪个剂量恢复得最好？",
        "ＣＵＭＳ小鼠的体重下降后，哪个剂量恢复得最好？",
        "CUMS小鼠的體重下降後，哪個劑量恢復得最好？",
        "cums小鼠 的体 重下 降后,哪个 剂量 恢复 得最 好?",
        "  CUMS小鼠的体重下降后,\t哪个剂量恢复得最好?\n",
        "CUM\u200bS小鼠\u200d的体重\ufeff下降后\u2060,哪个剂量恢复得最好?",
        "\u202eCUMS小鼠的体重下降后,哪个剂量恢复得最好?\u202c",
        "CUMS小鼠的体重下降后,哪个剂量\u00ad恢复得最好?",
        "CUMS小鼠的体重\x00下降后,哪个剂量恢复得最好?",
        "CUMS小鼠的体重\ud800下降后,哪个剂量恢复得最好?",
    ],
)
def test_spellings_of_one_question_have_one_search_key(spelling: str) -> None:
    assert search_key(spelling).replace(", ", ",") == QUESTION


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Stem  Cells\nhelp", "stem cells help"),
        ("IL-1Β", "il-1β"),
        ("2×10⁶细胞/小鼠", "2×106细胞/小鼠"),
        ("ﬂuoxetine", "fluoxetine"),
        ("㎎", "mg"),
        ("裡面", "里面"),
        ("e\u0301\u0301\u0301\u0301", "é"),
        ("\u200b", ""),
    ],
)
def test_search_key_folds_width_case_script_and_space(text: str, key: str) -> None:
    assert search_key(text) == key


@given(
    st.text(st.characters(codec=None), max_size=80) | st.text("抑郁鬱　 a\u0301Ａ\u200b\x00ⅣİſßK\ufe0f。,", max_size=30)
)
def test_search_key_and_clean_change_nothing_the_second_time(text: str) -> None:
    assert clean(clean(text)) == clean(text)
    assert search_key(search_key(text)) == search_key(text)


@given(st.text(max_size=80))
def test_search_key_holds_nothing_invisible_or_broken(text: str) -> None:
    key = search_key(text + "\x00\u200b\ud83d")
    assert not re.search(r"[\x00-\x1f\u200b\u202e\ud800-\udfff]", key)
    assert key == key.strip()
    key.encode()


def test_simplified_script_leaves_other_writing_alone() -> None:
    assert to_simplified("hUC-MSCs 改善憂鬱") == "hUC-MSCs 改善忧郁"
    assert to_simplified("Stem cells, β 2×10⁶") == "Stem cells, β 2×10⁶"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("the msc and the mscs", ["msc", "msc"]),
        ("msc细胞", ["msc"]),
        ("amsc mscx msc2", []),
        ("stem cells help", ["stem cell"]),
        ("stem cell", ["stem cell"]),
        ("间充质干细胞", ["间充质干细胞"]),
        ("干细胞", ["干细胞"]),
        ("cell", []),
    ],
)
def test_names_are_found_longest_first_and_latin_ones_as_whole_words(text: str, found: list[str]) -> None:
    assert list(Names(["msc", "stem cell", "干细胞", "间充质干细胞"]).found(text)) == found


def test_no_names_are_found_nowhere() -> None:
    assert not list(Names([]).found("anything, or nothing"))


@given(st.text(alphabet="mscte l干细胞间-1", max_size=30))
def test_names_are_those_that_a_pattern_finds(text: str) -> None:
    names = ["msc", "stem cell", "cell", "m", "干细胞", "间充", "细", "c-1", "hUC-msc", "细胞s"]
    patterns = [
        rf"(?<![A-Za-z0-9]){re.escape(name)}(?=s?(?![A-Za-z0-9]))" if name.isascii() else re.escape(name)
        for name in sorted(names, key=len, reverse=True)
    ]
    assert list(Names(names).found(text)) == re.findall("|".join(patterns), text)
