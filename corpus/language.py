"""Which language a text is in, and the normalised form that search compares."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

import opencc

Language = Literal["zh-Hans", "zh-Hant", "en", "mixed"]

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_LATIN_WORD = re.compile(r"[A-Za-z]{3,}")
_LOWER_WORD = re.compile(r"(?<![A-Za-z0-9-])[a-z]{3,}(?![A-Za-z0-9-])")
_INVISIBLE = re.compile(r"[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff]")
_UNSAFE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_SPACE = re.compile(r"\s+")
_SPACE_IN_HAN = re.compile(r"(?<=[\u3400-\u9fff]) (?=[\u3400-\u9fff])")
_COMBINING_FLOOD = re.compile(
    r"([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u20d0-\u20ff])[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u20d0-\u20ff]+"
)


@lru_cache(maxsize=1)
def _simplifier() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


def to_simplified(text: str) -> str:
    """The text in simplified script; other characters stay as they are."""
    return str(_simplifier().convert(text)) if _HAN.search(text) else text


def clean(text: str) -> str:
    """The text without invisible, control and broken characters, spaces folded: safe to show and to search."""
    text = _UNSAFE.sub(" ", _INVISIBLE.sub("", text))
    return _SPACE.sub(" ", _COMBINING_FLOOD.sub(r"\1", text)).strip()


def search_key(text: str) -> str:
    """What search compares: full width, traditional script, case and stray spaces make no difference."""
    folded = unicodedata.normalize("NFKC", clean(text)).lower()
    return _SPACE_IN_HAN.sub("", to_simplified(clean(folded)))


def any_of(names: Iterable[str]) -> re.Pattern[str]:
    """Any of the names, longest first; a Latin one as a whole word, in singular or plural (the match is the name)."""

    def whole(name: str) -> str:
        escaped = re.escape(name)
        return rf"(?<![A-Za-z0-9]){escaped}(?=s?(?![A-Za-z0-9]))" if name.isascii() else escaped

    ordered = sorted(names, key=lambda name: (-len(name), name))
    return re.compile("|".join(map(whole, ordered)) or r"(?!)")


def detect_language(text: str) -> Language:
    """The language to answer in; Chinese with English words among it is `mixed`, abbreviations do not count."""
    text = unicodedata.normalize("NFKC", text)
    han = len(_HAN.findall(text))
    if han == 0:
        return "en" if re.search(r"[A-Za-z]", text) else "zh-Hans"
    if len(_LATIN_WORD.findall(text)) > han:
        return "en"
    if _LOWER_WORD.search(text):
        return "mixed"
    return "zh-Hant" if to_simplified(text) != text else "zh-Hans"


def answers_in_english(language: Language) -> bool:
    """Whether a reader who writes this needs the translation beside the quote."""
    return language == "en"
