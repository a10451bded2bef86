"""Hover and focus explanations of the abbreviations in a text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape

from bot.messages import Tongue, say
from corpus.article import Article, Term
from corpus.segment import Span


@dataclass(frozen=True, slots=True)
class Terms:
    """The abbreviations of one article's glossary, each with its explanation in one language."""

    explanations: Mapping[str, str]
    pattern: re.Pattern[str] | None

    def found(self, text: str) -> Iterator[tuple[Span, str]]:
        """Each abbreviation in the text, longest first at one place, with its explanation."""
        for match in self.pattern.finditer(text) if self.pattern else ():
            yield Span(match.start(), match.end()), self.explanations[match.group()]


@lru_cache(maxsize=64)
def terms_of(glossary: tuple[Term, ...], tongue: Tongue) -> Terms:
    """The abbreviations of a glossary, explained in the reader's language."""
    explanations: dict[str, str] = {}
    for term in glossary:
        english = f"{term.en}: {term.plain_en}"
        chinese = f"{term.zh}({term.en}):{term.plain_zh}" if term.zh != term.en else f"{term.zh}:{term.plain_zh}"
        for name in (term.abbreviation or "").split("|"):
            if name:
                explanations.setdefault(name, say({"zh": chinese, "en": english}, tongue))
    names = sorted(explanations, key=lambda name: (-len(name), name))
    if not names:
        return Terms(explanations, None)
    return Terms(explanations, re.compile(rf"(?<![A-Za-z0-9-])(?:{'|'.join(map(re.escape, names))})(?![A-Za-z0-9])"))


def explained(
    text: str,
    terms: Terms,
    *,
    marks: Sequence[Span] = (),
    seen: set[str] | None = None,
) -> str:
    """The text as HTML: `marks` as <mark>, abbreviations as <abbr> with their explanation.

    An abbreviation can be reached by the Tab key where `seen` does not have it yet; every one answers to the pointer.
    """
    seen = set() if seen is None else seen
    pieces: list[str] = []
    at = 0
    for mark in (*sorted(marks, key=lambda span: span.start), Span(len(text), len(text))):
        start, end = max(at, mark.start), max(at, mark.end)
        pieces.append(_with_terms(text[at:start], terms, seen))
        if end > start:
            pieces.append(f"<mark>{_with_terms(text[start:end], terms, seen)}</mark>")
        at = end
    return "".join(pieces)


def _with_terms(text: str, terms: Terms, seen: set[str]) -> str:
    pieces: list[str] = []
    at = 0
    for span, explanation in terms.found(text):
        name = span.of(text)
        stop = "" if name in seen else ' tabindex="0"'
        seen.add(name)
        pieces.append(escape(text[at : span.start]))
        pieces.append(f'<abbr class="term" data-tip="{escape(explanation)}"{stop}>{escape(name)}</abbr>')
        at = span.end
    pieces.append(escape(text[at:]))
    return "".join(pieces)


@lru_cache(maxsize=16)
def _whole_names(glossary: tuple[Term, ...]) -> re.Pattern[str] | None:
    names = {name for term in glossary for name in term.chinese if 2 <= len(name) <= 8}
    pattern = "|".join(re.escape(name) for name in sorted(names, key=lambda name: (-len(name), name)))
    return re.compile(pattern) if pattern else None


def unbroken(text: str, glossary: tuple[Term, ...]) -> str:
    """A heading as HTML in which no term of the glossary is parted by the end of a line."""
    pattern = _whole_names(glossary)
    pieces: list[str] = []
    at = 0
    for match in pattern.finditer(text) if pattern else ():
        pieces.append(f'{escape(text[at : match.start()])}<span class="whole-word">{escape(match[0])}</span>')
        at = match.end()
    return "".join(pieces) + escape(text[at:])


def article_terms(article: Article | None, tongue: Tongue) -> Terms:
    """The abbreviations of an article, or none without one."""
    return terms_of(article.glossary if article else (), tongue)
