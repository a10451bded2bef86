"""What every reader of a format gives: blocks of clean text, and a count of what it left out."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from corpus.language import clean

_HAN = r"\u2e80-\u2fdf\u3000-\u303f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef"
_BETWEEN_HAN = re.compile(rf"(?<=[{_HAN}])[ \t]*\n\s*(?=[{_HAN}])")
_HAN_ONE = re.compile(rf"[{_HAN}]")
_LATIN = re.compile(r"[^\W_]+")
_SENTENCE_END = re.compile(r"[。！？!?；;：:….][”’」』）)》】\"']*$")
_ITEM = re.compile(
    r"[-*•·▪◦●○■□◆►▶✓–]\s*(?=\S)|[(（]?(?:\d{1,2}|[一二三四五六七八九十]{1,3})[)）.、]\s*(?=[^\s\d])"
    r"|[(（]?(?:[a-z]|[ivx]{1,4})[)）]\s*(?=\S)|第[一二三四五六七八九十\d]+[章节節条條项項部篇](?=\S)"
)
_HEADING_MARK = re.compile(r"(#{1,6})[ \t]+")
CELL = " | "
"""Between the cells of a table's row."""


class Kind(StrEnum):
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    ITEM = "list item"
    ROW = "table row"
    CAPTION = "caption"


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, paragraph, list item, table row or caption: one line of `article.md`."""

    kind: Kind
    text: str
    level: int = 0
    """1 to 6 for a heading."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A file as one reader understood it."""

    blocks: Sequence[Block]
    title: str | None = None
    """From the file's own metadata."""
    tables: int = 0
    encoding: str = ""
    dropped: Counter[str] = field(default_factory=Counter)
    """How many of each thing were left out."""
    boilerplate: Sequence[str] = ()
    """The text of the boilerplate blocks: a disclaimer may be among them."""


def make_block(kind: Kind, text: str, level: int = 0) -> Block | None:
    """A block of one clean line, or None if there is nothing to read in it."""
    text = clean(_BETWEEN_HAN.sub("", text))
    if not any(c.isalnum() for c in text):
        return None
    if kind is not Kind.HEADING:
        text = _HEADING_MARK.sub(r"\1", text) if _HEADING_MARK.match(text) else text
    return Block(kind, text, min(6, level))


def make_row(cells: Iterable[str]) -> Block | None:
    """One row of a table, its cells in order and separated; None for an empty row."""
    return make_block(Kind.ROW, CELL.join(clean(cell) for cell in cells))


def render(blocks: Iterable[Block]) -> str:
    """The text of `article.md`: one block a line, a blank line around all but neighbouring items and rows."""
    lines: list[str] = []
    before: Kind | None = None
    for block in blocks:
        together = block.kind in (Kind.ITEM, Kind.ROW) and before is block.kind
        if lines and not together:
            lines.append("")
        lines.append(f"{'#' * block.level} {block.text}" if block.kind is Kind.HEADING else block.text)
        before = block.kind
    return "\n".join(lines) + "\n" if lines else ""


def join_lines(lines: Iterable[str], words: Collection[str] = ()) -> str:
    """The lines of one paragraph: no space between Han characters, words hyphenated at a break mended.

    A hyphen before a small letter goes, unless the text's `words` (lower case) show that it belongs there.
    """
    pieces: list[str] = []
    for line in (stripped for line in lines if (stripped := line.strip())):
        if pieces:
            drop_hyphen, glue = _seam(pieces[-1], line, words)
            pieces[-1] = pieces[-1][:-1] if drop_hyphen else pieces[-1]
            pieces.append(glue)
        pieces.append(line)
    return "".join(pieces)


def _seam(first: str, second: str, words: Collection[str]) -> tuple[bool, str]:
    """Whether the hyphen that ends the first line goes, and what comes between the two."""
    if first.endswith("\u00ad"):
        return True, ""
    if first[-1] in "-‐" and (before := re.search(r"[^\W_]+$", first[-60:-1])) and (after := _LATIN.match(second)):
        whole, compound = before[0] + after[0], f"{before[0]}-{after[0]}"
        belongs = compound.lower() in words and whole.lower() not in words
        return re.search(r"[A-Za-z]{2}$", before[0]) is not None and re.match(
            r"[a-z]{2}", after[0]
        ) is not None and not belongs, ""
    return False, "" if _HAN_ONE.match(first[-1]) and _HAN_ONE.match(second) else " "


def width(text: str) -> int:
    """Columns that the text takes in a fixed-width font."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def ends_sentence(text: str) -> bool:
    return _SENTENCE_END.search(text[-40:].rstrip()) is not None


def opens_item(text: str) -> bool:
    return _ITEM.match(text.lstrip()) is not None


def unwrap(lines: Sequence[str], *, strict: bool = False) -> list[str]:
    """The paragraphs of neighbouring lines: lines cut at a margin are joined, lines that stand alone are not.

    With `strict`, a line is cut unless a sentence ends there, as in Markdown.
    """
    lines = [line.strip() for line in lines if line.strip()]
    margin = max((width(line) for line in lines), default=0)
    wrapped = margin <= 130 and sum(width(line) > 0.75 * margin for line in lines[:-1]) >= 0.6 * (len(lines) - 1)
    paragraphs: list[list[str]] = []
    for number, line in enumerate(lines):
        if number == 0 or opens_item(line):
            paragraphs.append([line])
            continue
        above = lines[number - 1]
        full = wrapped and len(lines) > 2 and width(above) > 0.75 * margin
        if not ends_sentence(above):
            joined = strict or full or (wrapped and width(above) >= 40) or line[0].islower()
        else:
            joined = full and width(above) > 0.88 * margin and not above.endswith(("。", "！", "？"))
        if joined:
            paragraphs[-1].append(line)
        else:
            paragraphs.append([line])
    return [join_lines(paragraph) for paragraph in paragraphs]
