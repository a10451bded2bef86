"""A file that someone has -> an article: Markdown, text, HTML, DOCX, PDF, EPUB."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from corpus.article import parse
from corpus.ingest.blocks import Block, Kind, Reading, make_block, render
from corpus.ingest.disclaimer import find_disclaimer, says_disclaimer
from corpus.ingest.source import FORMATS, SUFFIXES, FileRefusedError, Limits, decode, detect_format, read_bytes
from corpus.language import clean, to_simplified

__all__ = [
    "FORMATS",
    "READING",
    "SUFFIXES",
    "Draft",
    "FileRefusedError",
    "Limits",
    "NoDisclaimerError",
    "Summary",
    "guess_language",
    "ingest",
]

READING = "v1"
"""Goes into each article's metadata: other reading rules mean that the file is read again."""

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"[A-Za-zÀ-ÿ]{2,}")
_GIVEN = {
    "zh-Hans": "免责声明（由资料提供者填写，非原文内容）",
    "zh-Hant": "免責聲明（由資料提供者填寫，非原文內容）",
    "en": "Disclaimer (given by the operator, not part of the original)",
}
_FROM_PAGE = {
    "zh-Hans": "免责声明（取自原网页正文之外）",
    "zh-Hant": "免責聲明（取自原網頁正文之外）",
    "en": "Disclaimer (from the page around the article)",
}


class NoDisclaimerError(FileRefusedError):
    """The text has no disclaimer and none was given."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What was read from a file and what was left out."""

    format: str
    encoding: str
    sentences: int
    characters: int
    headings: int
    paragraphs: int
    list_items: int
    tables: int
    table_rows: int
    captions: int
    disclaimer: str
    """`found`, `found around the article` or `given`."""
    dropped: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        kinds = {
            "sentences": self.sentences,
            "headings": self.headings,
            "paragraphs": self.paragraphs,
            "list items": self.list_items,
            "tables": self.tables,
            "captions": self.captions,
            "characters": self.characters,
        }
        read = ", ".join(f"{name} {count}" for name, count in kinds.items() if count)
        left = ", ".join(f"{name} {count}" for name, count in self.dropped.items()) or "nothing"
        return f"{self.format}: read {read}; left out {left}; disclaimer {self.disclaimer}"


@dataclass(frozen=True, slots=True)
class Draft:
    """A file as an article that has no id yet."""

    source: Path
    source_sha256: str
    title: str
    language: str
    text: str
    """`article.md`."""
    disclaimer: tuple[int, ...]
    """Sentence ids, by the parse of the text."""
    summary: Summary


def ingest(path: Path, disclaimer: str | None = None, limits: Limits | None = None) -> Draft:
    """Read one file; `disclaimer` is appended, marked as given, where the text has none of its own.

    Raises:
        FileRefusedError: naming the file, the limit or problem, and what to do.
        NoDisclaimerError: where a `disclaimer` is needed.
    """
    limits = limits or Limits()
    data = read_bytes(path, limits)
    kind = detect_format(path, data)
    try:
        reading, encoding = _read(path, kind, data, limits)
    except FileRefusedError:
        raise
    except Exception as error:
        # A damaged file shows itself as whatever error its damage leads the format's library into.
        damage = clean(f"{type(error).__name__}: {error}")[:200]
        raise FileRefusedError(
            path, f"expected a whole {kind} file, found damage ({damage}); export it again"
        ) from error
    language = guess_language(" ".join(block.text for block in reading.blocks))
    blocks = list(reading.blocks)
    if not any(block.kind is not Kind.HEADING and _WORD_OR_HAN.search(block.text) for block in blocks):
        raise FileRefusedError(path, f"expected at least one sentence, found none among {len(blocks)} lines of text")
    text, found, origin = _with_disclaimer(path, blocks, reading, language, disclaimer)
    if len(text.encode()) > limits.text_bytes:
        problem = f"expected at most {limits.text_bytes} bytes of text, found {len(text.encode())}; split it into parts"
        raise FileRefusedError(path, problem)
    _, sentences = parse(text)
    count = Counter(block.kind for block in blocks)
    summary = Summary(
        format=kind,
        encoding=encoding,
        sentences=len(sentences),
        characters=len(text),
        headings=count[Kind.HEADING],
        paragraphs=count[Kind.PARAGRAPH],
        list_items=count[Kind.ITEM],
        tables=reading.tables,
        table_rows=count[Kind.ROW],
        captions=count[Kind.CAPTION],
        disclaimer=origin,
        dropped={name: number for name, number in sorted(reading.dropped.items()) if number},
    )
    title = clean(reading.title or "") or _first_heading(blocks) or clean(path.stem.replace("_", " ")) or "untitled"
    sha256 = hashlib.sha256(data).hexdigest()
    return Draft(path, sha256, title[:200], language, text, found, summary)


def guess_language(text: str) -> str:
    """zh-Hans, zh-Hant or en, from the first part of a text."""
    sample = text[:20_000]
    han = _HAN.findall(sample)
    if len(han) <= len(_WORD.findall(sample)):
        return "en" if not han or len(han) < 0.5 * len(_WORD.findall(sample)) else "zh-Hans"
    traditional = sum(to_simplified(char) != char for char in set(han)) / len(set(han))
    return "zh-Hant" if traditional > 0.08 else "zh-Hans"


_WORD_OR_HAN = re.compile(rf"{_HAN.pattern}|[^\W\d_]{{2,}}")


def _read(path: Path, kind: str, data: bytes, limits: Limits) -> tuple[Reading, str]:
    if kind == "PDF":
        from corpus.ingest.pdf import read_pdf

        return read_pdf(path, data, limits), ""
    if kind == "DOCX":
        from corpus.ingest.docx import read_docx

        return read_docx(path, data, limits), ""
    if kind == "EPUB":
        from corpus.ingest.epub import read_epub

        return read_epub(path, data, limits), ""
    from corpus.ingest.html import read_html
    from corpus.ingest.text import read_markdown, read_text

    text, encoding = decode(path, data, html=kind == "HTML")
    readers = {"HTML": read_html, "Markdown": read_markdown, "text": read_text}
    return readers[kind](text), encoding


def _with_disclaimer(
    path: Path, blocks: list[Block], reading: Reading, language: str, given: str | None
) -> tuple[str, tuple[int, ...], str]:
    """The article's text, the ids of its disclaimer's sentences, and where the disclaimer is from."""
    text = render(blocks)
    if found := find_disclaimer(*parse(text)):
        return text, found, "found"
    around = [line for line in reading.boilerplate if says_disclaimer(line)]
    title, lines, origin = _GIVEN, (given or "").splitlines(), "given"
    if around:
        title, lines, origin = _FROM_PAGE, around[:2], "found around the article"
    added = [block for line in lines if (block := make_block(Kind.PARAGRAPH, line))]
    if not added:
        raise NoDisclaimerError(
            path,
            "expected a disclaimer in the text, found none; give one with --disclaimer 'this is no medical advice'",
        )
    first = len(parse(text)[1]) + 2
    text = render([*blocks, Block(Kind.HEADING, title[language], 2), *added])
    return text, tuple(range(first, len(parse(text)[1]) + 1)), origin


def _first_heading(blocks: list[Block]) -> str | None:
    headings = [block for block in blocks if block.kind is Kind.HEADING]
    return min(headings, key=lambda block: block.level).text if headings else None
