"""What the tokenizer makes of a text, and that one strange character costs only itself."""

import pytest
from tokenizers import Tokenizer

from training.tokenizer import UNKNOWN, build_tokenizer

VOCABULARY = [
    *"干细胞治疗抑郁症的a",
    "细胞",
    "干细胞",
    "治疗",
    "抑郁症",
    "don't",
    "'s",
    "depression",
    "b",
    "c",
    "?",
    "12",
    "α",
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return build_tokenizer(VOCABULARY)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("干细胞治疗抑郁症", ["干细胞", "治疗", "抑郁症"]),
        ("幹細胞治療抑鬱症？", ["干细胞", "治疗", "抑郁症", "?"]),
        ("ＡＢＣ Ä", ["a", "b", "c", "a"]),
        ("Don’t, DEPRESSION.", ["don't", "depression"]),
        ("depression's", ["depression", "'s"]),
        ("干细胞犇治疗", ["干细胞", "治疗"]),
        ("干细胞\U00020000治疗", ["干细胞", UNKNOWN, "治疗"]),
        ("12α", ["12", "α"]),
        ("，。 \n", []),
        ("", []),
    ],
    ids=[
        "greedy",
        "traditional",
        "width and case",
        "apostrophe",
        "possessive",
        "unknown",
        "rare block",
        "number",
        "signs",
        "empty",
    ],
)
def test_tokens(tokenizer: Tokenizer, text: str, tokens: list[str]) -> None:
    assert tokenizer.encode(text).tokens == tokens


def test_offsets_point_into_the_original_text(tokenizer: Tokenizer) -> None:
    text = "幹細胞 Don’t"
    assert [text[a:b] for a, b in tokenizer.encode(text).offsets] == ["幹細胞", "Don’t"]


def test_saved_tokenizer_reads_the_same(tokenizer: Tokenizer) -> None:
    again = Tokenizer.from_str(tokenizer.to_str())
    assert again.encode("幹細胞治療Ä").ids == tokenizer.encode("幹細胞治療Ä").ids
