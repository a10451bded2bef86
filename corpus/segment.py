"""Sentences and jieba tokens, all with offsets into the unmodified text."""

from __future__ import annotations

import logging
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Protocol

import jieba
import platformdirs

_HAN = re.compile(r"[\u3400-\u9fff]")
_CLOSERS = "”’」』）)》】\"'"
_ZH_END = re.compile(rf"[。！？!?；;]+[{_CLOSERS}]*|(?<!…)…++[{_CLOSERS}]*+(?=\s|$)")
_EN_END = re.compile(rf"(?<![.!?])[.!?]++[{_CLOSERS}]*+(?=\s++[\"'“‘(\[]?[A-Z0-9]|\s*+$)")
_ABBREVIATION = re.compile(
    r"(?:\b(?:[A-Z]|al|approx|cf|ch|dr|ed|e\.g|eq|etc|fig|figs|i\.e|inc|jr|mr|mrs|ms|no|nos|p|pp|prof|ref|refs|sr|st|u\.s|vol|vs))\.$",
    re.IGNORECASE,
)


_RUN = re.compile(r"[\u3400-\u9fff]+|[^\W_\u3400-\u9fff]+(?:[-./'+][^\W_\u3400-\u9fff]+)*")
_PART = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of code points of the unmodified text."""

    start: int
    end: int

    def of(self, text: str) -> str:
        return text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Token:
    span: Span
    text: str


class Tokenizer(Protocol):
    def tokens(self, text: str) -> list[Token]: ...

    def search_terms(self, text: str) -> list[str]: ...


def trim(text: str, start: int, end: int) -> Span | None:
    """The span without white space (or a byte order mark) at its ends, or None if nothing is left."""
    while start < end and (text[start].isspace() or text[start] == "\ufeff"):
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Span(start, end) if start < end else None


def split_sentences(text: str, start: int = 0, end: int | None = None) -> list[Span]:
    """The sentences of one paragraph, in order, as spans of `text`; nothing but white space is left out.

    A paragraph with Han characters ends its sentences at 。！？； (either width), never at a full stop,
    so that `et al.`, `3.5` and addresses stay whole. Other paragraphs end them at . ! ? before a capital.
    """
    end = len(text) if end is None else end
    chinese = _HAN.search(text, start, end) is not None
    spans: list[Span] = []
    begin = start
    for match in (_ZH_END if chinese else _EN_END).finditer(text, start, end):
        if not chinese and _ABBREVIATION.search(text[max(begin, match.end() - 12) : match.end()]):
            continue
        if span := trim(text, begin, match.end()):
            spans.append(span)
        begin = match.end()
    if span := trim(text, begin, end):
        spans.append(span)
    return spans


@lru_cache(maxsize=1)
def _private_folder() -> str:
    """A folder of this user alone: jieba unmarshals the cache file that it keeps there without a check."""
    folder = platformdirs.user_cache_path("yuanwen") / "jieba"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        if status.st_uid == os.getuid() and not status.st_mode & 0o022:
            return str(folder)
    except OSError:
        pass
    return tempfile.mkdtemp(prefix="yuanwen-jieba-")


class JiebaTokenizer:
    """jieba with the articles' own terms in its dictionary, apart from jieba's global state."""

    def __init__(self, terms: Iterable[str] = ()) -> None:
        jieba.setLogLevel(logging.ERROR)
        self._jieba = jieba.Tokenizer()
        self._jieba.tmp_dir = _private_folder()
        self._jieba.initialize()
        self._terms = sorted({term for term in terms if term}, key=lambda term: (-len(term), term))
        for term in self._terms:
            if term.isascii():
                continue  # jieba would cut other Latin words at it: DATA into DA and TA
            self._jieba.add_word(term, freq=max(10_000, self._jieba.suggest_freq(term)))
        pattern = "|".join(_whole(term) for term in self._terms)
        self._whole = re.compile(pattern, re.IGNORECASE) if pattern else None

    def tokens(self, text: str) -> list[Token]:
        """Words with their spans; a term of the dictionary is always one token. White space is left out."""
        return [Token(Span(a, b), text[a:b]) for a, b in self._pieces(text) if not text[a:b].isspace()]

    def _pieces(self, text: str) -> Iterator[tuple[int, int]]:
        at = 0
        for match in self._whole.finditer(text) if self._whole else ():
            yield from self._cut(text, at, match.start())
            yield match.start(), match.end()
            at = match.end()
        yield from self._cut(text, at, len(text))

    def _cut(self, text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
        for _, a, b in self._jieba.tokenize(text[start:end]):
            yield start + a, start + b

    def search_terms(self, text: str) -> list[str]:
        """Chinese characters and each two that stand together, and Latin words, of a search key, for lexical search.

        Characters find more than words here, for a word that is cut in two in one place and not in another is lost.
        Latin words lose a plural s; `il-1β` gives itself and its parts.
        """
        terms: list[str] = []
        for match in _RUN.finditer(text):
            run = match.group()
            if _HAN.match(run):
                terms += [*run, *(one + next_one for one, next_one in pairwise(run))]
            else:
                parts = _PART.findall(run)
                terms += [_singular(part) for part in ([run, *parts] if len(parts) > 1 else parts)]
        return terms


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _whole(term: str) -> str:
    """A pattern for a term; a Latin one is a word of its own, in singular or plural (`DA` is not in `DATA`)."""
    before = r"(?<![A-Za-z0-9])" if term[0].isascii() and term[0].isalnum() else ""
    after = r"s?(?![A-Za-z0-9])" if term[-1].isascii() and term[-1].isalnum() else ""
    return before + re.escape(term) + after
