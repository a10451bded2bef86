"""Which language a text is in, and the normalised form that search compares."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
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


_ARTICLE_SAYS_ZH = (
    r"(?:这|本|该|此)?篇?(?:文章|本文|原文|文中|文里|这个网页|页面)(?:里面?|中|当中|内)?(?:有没有|有无|是否|是不是)?"
    r"(?:说没说|谈没谈|提没提|讲没讲|写没写"
    r"|(?:具体)?(?:提到|提及|谈到|说到|讲到|写到|介绍|指出|认为|声称|表示|写道?|说|谈|讲))(?:过|了)?的?"
    r"|(?:根据|按照?|依据|据)(?:这篇)?(?:文章|本文|原文|文中)(?:的?(?:说法|内容|描述))?"
)
_POLITE_ZH = (
    r"您好|你好|哈喽|老师好?|请问(?:一下)?|请教(?:一下|下)?|麻烦(?:您|你)?了?(?:一下)?|不好意思|打扰(?:一下|了|您了)?|劳驾"
    r"|我?(?:很|就|还)?想(?:要)?(?:请教|问问?|知道|了解|弄清楚?|确认)(?:一下|下|的是)?"
    r"|(?:能不能|能否|可以|可否|能)(?:请)?(?:您|你)?(?:告诉我|帮我看看|帮忙看看|说说|讲讲|解释)(?:一下)?"
    r"|帮忙看看|非常感谢|多谢|谢谢(?:您|你|啦|了)?(?:的回答)?"
)
_ARTICLE_SAYS_EN = (
    r"(?:does|do|did) (?:the|this|that) (?:article|page|text|post|piece|authors?)(?: \w+ly)? (?:ever )?"
    r"(?:say|mention|state|claim|discuss|talk about|bring up|note|report|tell us|describe)"
    r"(?: that| whether| if| anything (?:about|on))?\b"
    r"|according to (?:the|this) (?:article|page|text|post|piece|authors?)\b"
    r"|(?:in|from) (?:the|this) (?:article|page|text)\b"
)
_POLITE_EN = (
    r"(?:hi|hello|hey|dear \w+|good (?:morning|afternoon|evening))(?: there)?[,!. ]+"
    r"|(?:could|can|would|will) you (?:please |kindly )?(?:tell|explain|show|let) (?:to )?me(?: know)?(?: about)?\b"
    r"|please\b|kindly\b|excuse me[,. ]*|sorry to bother you[,. ]*"
    r"|i(?:'d| would) (?:really )?(?:like|love) to (?:know|ask|understand|learn)\b"
    r"|i(?:'m| am| was) (?:just )?(?:wondering|curious)\b|i (?:want|need|wanted) to (?:know|ask|understand)\b"
    r"|do you know\b|(?:many )?thanks?(?: you)?(?: (?:very|so) much| a lot| in advance)?[.! ]*$"
)
_FRAMES = re.compile(
    rf"(?:{_POLITE_ZH}|{_ARTICLE_SAYS_ZH})[,，、。:：!！~ ]*|\b(?:{_POLITE_EN}|{_ARTICLE_SAYS_EN})[,: ]*"
)


def core(key: str) -> str:
    """What a question is about: its search key without politeness and without naming the article as its source.

    A question that is nothing else stays as it is.
    """
    found = _SPACE.sub(" ", _FRAMES.sub(" ", key)).strip(" ,，。.!！")
    said = len(found) + len(_HAN.findall(found))
    return found if said >= 6 else key


class Names:
    """Names to be found in texts, a few thousand as fast as a few: one look-up a place and length, no alternation."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        lengths: dict[str, set[int]] = {}
        for name in filter(None, self._names):
            lengths.setdefault(name[0], set()).add(len(name))
        self._lengths = {first: sorted(held, reverse=True) for first, held in lengths.items()}

    def found(self, text: str) -> Iterator[str]:
        """Each name in the text, the longest at a place; a Latin one as a whole word, in singular or plural."""
        at = 0
        while at < len(text):
            name = next(self._at(text, at), None)
            if name:
                yield name
            at += len(name) if name else 1

    def _at(self, text: str, start: int) -> Iterator[str]:
        for length in self._lengths.get(text[start], ()):
            name = text[start : start + length]
            if name in self._names and (not name.isascii() or _is_word(text, start, start + length)):
                yield name


def _is_word(text: str, start: int, end: int) -> bool:
    """Whether a word begins and ends there, but for a plural s."""
    end += text[end : end + 1] == "s"
    around = (text[start - 1 : start] if start else "", text[end : end + 1])
    return not any(character.isascii() and character.isalnum() for character in around)


def has_han(text: str) -> bool:
    """Whether there is a Chinese character in it."""
    return _HAN.search(text) is not None


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
