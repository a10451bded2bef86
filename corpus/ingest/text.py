"""Markdown and plain text."""

from __future__ import annotations

import re
from dataclasses import replace

from corpus.ingest.blocks import Block, Kind, Reading, ends_sentence, make_block, make_row, unwrap, width
from corpus.ingest.html import read_html
from corpus.language import clean

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?\n)(?:---|\.\.\.)[ \t]*\n", re.DOTALL)
_FRONT_TITLE = re.compile(r"^title:[ \t]*[\"']?(.+?)[\"']?[ \t]*$", re.MULTILINE | re.IGNORECASE)
_UNDERLINE = re.compile(r"(=|-|─|═|\*){3,}$")
_NUMBERED = (
    re.compile(r"第[一二三四五六七八九十百零\d]+[章节節篇部回卷]"),
    re.compile(r"[一二三四五六七八九十]{1,3}[、.．]"),
    re.compile(r"[（(][一二三四五六七八九十]{1,3}[)）]"),
    re.compile(r"\d{1,2}(?:\.\d{1,2}){0,3}[.、]?[ \t]*(?=[A-Z\u4e00-\u9fff])"),
    re.compile(r"(?:chapter|part|section|appendix)[ \t]+[\divxlc]+\b", re.IGNORECASE),
)
_LEVELS = (2, 2, 3, 2, 2)
_BULLET = re.compile(r"[-*•·▪◦●○■□◆►]\s*(?=\S)")


def read_markdown(text: str) -> Reading:
    """Markdown as CommonMark with tables reads it; emphasis, links and images leave their text alone."""
    from markdown_it import MarkdownIt

    title = None
    text = text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
    if front := _FRONT_MATTER.match(text):
        named = _FRONT_TITLE.search(front[1][:2000])
        title = clean(named[1]) if named else None
        text = text[front.end() :]
    # A line break is kept as one, because Chinese is often written with one paragraph a line and no blank line.
    parser = MarkdownIt("commonmark", {"breaks": True}).enable("table").enable("strikethrough")
    reading = read_html(parser.render(text), whole=True)
    heading = next((b.text for b in reading.blocks if b.kind is Kind.HEADING and b.level == 1), None)
    return replace(reading, title=title or heading)


def read_text(text: str) -> Reading:
    """Plain text: blank lines part paragraphs, lines cut at a margin are joined, headings are known by their form."""
    lines = [
        re.sub(r"^\t+", lambda m: "    " * len(m.group()), line).rstrip() for line in text.lstrip("\ufeff").splitlines()
    ]
    groups: list[list[str]] = [[]]
    for number, line in enumerate(lines):
        underlined = number + 1 < len(lines) and _UNDERLINE.fullmatch(lines[number + 1].strip())
        if _UNDERLINE.fullmatch(line.strip()) or not line.strip():
            groups.append([])
        elif line.startswith(("\u3000\u3000", "    ")) and groups[-1] and not groups[-1][-1].startswith(line[:2]):
            groups.append([line])
        else:
            groups[-1].append(line)
            if underlined:
                groups[-1][-1] = line + "\x01"
    blocks: list[Block] = []
    tables = 0
    paragraphs = [(p, len(found) == 1) for group in groups for found in [_paragraphs(group)] for p in found]
    for number, (paragraph, alone) in enumerate(paragraphs):
        before = paragraphs[number - 1][0] if number else ""
        after = paragraphs[number + 1][0] if number + 1 < len(paragraphs) else ""
        level = _heading_level(before, paragraph, after, alone=alone)
        paragraph = paragraph.rstrip("\x01")
        if level:
            block = make_block(Kind.HEADING, paragraph, level)
        elif bullet := _BULLET.match(paragraph):
            block = make_block(Kind.ITEM, "- " + paragraph[bullet.end() :])
        elif "\t" in paragraph:
            block = make_row(paragraph.split("\t"))
            tables += not blocks or blocks[-1].kind is not Kind.ROW
        else:
            block = make_block(Kind.PARAGRAPH, paragraph)
        if block:
            blocks.append(block)
    title = blocks[0].text if blocks and blocks[0].kind is Kind.HEADING else None
    return Reading(blocks, title=title, tables=tables)


def _paragraphs(group: list[str]) -> list[str]:
    """The paragraphs of lines without a blank one between; lines with tabs are rows of a table."""
    return group if len(group) > 1 and all("\t" in line.strip() for line in group) else unwrap(group)


def _heading_level(before: str, paragraph: str, after: str, *, alone: bool) -> int:
    """The level of a line that is a heading, 0 for others: short, no sentence's end, and marked in some way."""
    if paragraph.endswith("\x01"):
        return 2 if before else 1
    if not after or width(paragraph) > 80 or ends_sentence(paragraph) or _BULLET.match(paragraph):
        return 0
    for pattern, level in zip(_NUMBERED, _LEVELS, strict=True):
        if pattern.match(paragraph):
            # Numbered lines one after another are a list, and so is one that runs on.
            listed = pattern.match(before) or pattern.match(after)
            return 0 if listed or width(paragraph) > 60 or "，" in paragraph else level
    if not before and alone:
        return 1
    return 2 if alone and len(paragraph) >= 4 and paragraph.isupper() and paragraph.isascii() else 0
