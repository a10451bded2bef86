"""Word files: the body in reading order, as a reader sees it."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from corpus.ingest.blocks import Block, Kind, Reading, make_block, make_row, unwrap
from corpus.ingest.source import Limits, open_archive
from corpus.language import clean

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MC_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_PICTURES = (
    "{http://schemas.openxmlformats.org/drawingml/2006/picture}pic",
    "{urn:schemas-microsoft-com:vml}imagedata",
)
_HEADING_STYLE = re.compile(r"(?:heading|标题|標題)\s*([1-9])", re.IGNORECASE)
_CONTENTS_STYLE = re.compile(r"(?:toc|目录|目錄)\s*(?:\d|heading|标题)", re.IGNORECASE)


def read_docx(file: Path, data: bytes, limits: Limits) -> Reading:
    """Headings, paragraphs, lists, tables and captions; headers, footers, contents, notes and hidden text left out."""
    import docx

    open_archive(file, data, limits).close()
    document = docx.Document(io.BytesIO(data))
    walker = _Walker(document)
    walker.walk(document.element.body)
    for relation in document.part.rels.values():
        kind = relation.reltype.rpartition("/")[2]
        if kind in ("header", "footer") and not relation.is_external:
            text = "".join(node.text or "" for node in _xml(relation.target_part).iter(_W + "t"))
            walker.dropped["page headers and footers"] += bool(text.strip())
        if kind in ("footnotes", "endnotes") and not relation.is_external:
            notes = _xml(relation.target_part).iter(_W + "footnote", _W + "endnote")
            walker.dropped["notes"] += sum(note.get(_W + "type") is None for note in notes)
    return Reading(
        walker.blocks, title=clean(document.core_properties.title or "") or walker.title, tables=walker.tables,
        dropped=walker.dropped,
    )  # fmt: skip


def _xml(part: Any) -> Any:
    """The tree of a part, which python-docx may or may not have parsed by itself."""
    from docx.oxml import parse_xml

    return part.element if hasattr(part, "element") else parse_xml(part.blob)


class _Walker:
    """Goes through the body once; python-docx opens the package and knows the styles and the numbering."""

    def __init__(self, document: Any) -> None:
        self.blocks: list[Block] = []
        self.dropped: Counter[str] = Counter()
        self.tables = 0
        self.title: str | None = None
        self._styles = {style.style_id: style for style in document.styles if style.style_id}
        self._numbering = _numbering(document)
        self._counts: Counter[tuple[str, int]] = Counter()

    def walk(self, parent: Any) -> None:
        for child in parent:
            if child.tag == _W + "p":
                self._paragraph(child)
            elif child.tag == _W + "tbl":
                self._table(child)
            elif child.tag == _W + "sdt":
                gallery = child.find(f".//{_W}docPartGallery")
                if gallery is not None and gallery.get(_W + "val") == "Table of Contents":
                    self.dropped["tables of contents"] += 1
                elif (content := child.find(_W + "sdtContent")) is not None:
                    self.walk(content)
            elif child.tag in (_W + "ins", _W + "moveTo", _W + "customXml", _W + "smartTag"):
                self.walk(child)

    def _paragraph(self, paragraph: Any) -> None:
        names, level = self._style(paragraph)
        text = self._text(paragraph)
        # A text box stands inside the paragraph that anchors it; its words come after the paragraph's own.
        boxes = [
            box for box in paragraph.iter(_W + "txbxContent") if next(box.iterancestors(_MC_FALLBACK), None) is None
        ]
        self.dropped["images"] += sum(1 for _ in paragraph.iter(*_PICTURES))
        if any(_CONTENTS_STYLE.match(name) for name in names):
            self.dropped["tables of contents"] += bool(text.strip())
        elif level:
            self._add(Kind.HEADING, " ".join(text.split("\n")), level)
            if level == 1 and self.title is None and self.blocks:
                self.title = self.blocks[-1].text
        elif any(name in ("caption", "题注", "題注") for name in names):
            self._add(Kind.CAPTION, " ".join(text.split("\n")))
        elif mark := self._mark(paragraph, names):
            self._add(Kind.ITEM, mark + " ".join(text.split("\n")))
        else:
            for line in unwrap(text.split("\n")):
                self._add(Kind.PARAGRAPH, line)
        for box in boxes:
            self.walk(box)

    def _add(self, kind: Kind, text: str, level: int = 0) -> None:
        if block := make_block(kind, text, level):
            self.blocks.append(block)

    def _text(self, element: Any) -> str:
        """The visible text under an element: no deleted, moved or hidden runs, no field codes, no text boxes."""
        pieces: list[str] = []
        hidden = 0

        def collect(node: Any) -> None:
            nonlocal hidden
            for child in node:
                tag = child.tag
                if tag in (_W + "del", _W + "moveFrom", _W + "txbxContent", _W + "pPr", _MC_FALLBACK):
                    continue
                if tag == _W + "r" and _is_hidden(child):
                    hidden += any((t.text or "").strip() for t in child.iter(_W + "t"))
                elif tag == _W + "t":
                    pieces.append(child.text or "")
                elif tag in (_W + "br", _W + "cr"):
                    pieces.append("\n")
                elif tag == _W + "tab":
                    pieces.append(" ")
                elif tag == _W + "noBreakHyphen":
                    pieces.append("-")
                else:
                    collect(child)

        collect(element)
        self.dropped["hidden"] += hidden
        return "".join(pieces)

    def _style(self, paragraph: Any) -> tuple[list[str], int]:
        """The names of the paragraph's style and of those it is based on, lower case, and its level as a heading."""
        reference = paragraph.find(f"{_W}pPr/{_W}pStyle")
        style = self._styles.get(reference.get(_W + "val")) if reference is not None else None
        names: list[str] = []
        outline = paragraph.find(f"{_W}pPr/{_W}outlineLvl")
        while style is not None and len(names) < 10:
            names.append((style.name or "").lower())
            if outline is None:
                outline = style.element.find(f"{_W}pPr/{_W}outlineLvl")
            style = style.base_style if hasattr(style, "base_style") else None
        if names and names[0] in ("title", "标题", "標題"):
            return names, 1
        for name in names:
            if found := _HEADING_STYLE.match(name):
                return names, min(6, int(found[1]))
        level = int(outline.get(_W + "val", "9")) if outline is not None else 9
        return names, level + 1 if level < 6 else 0

    def _mark(self, paragraph: Any, names: list[str]) -> str:
        """`- ` or the number of a list item, nothing for other paragraphs."""
        properties = paragraph.find(f"{_W}pPr/{_W}numPr")
        if properties is None:
            reference = paragraph.find(f"{_W}pPr/{_W}pStyle")
            style = self._styles.get(reference.get(_W + "val")) if reference is not None else None
            properties = style.element.find(f"{_W}pPr/{_W}numPr") if style is not None else None
        if properties is None:
            return "- " if any(name.startswith("list ") for name in names) else ""
        number, depth = properties.find(_W + "numId"), properties.find(_W + "ilvl")
        list_id = number.get(_W + "val") if number is not None else "0"
        if list_id == "0":
            return ""
        level = int(depth.get(_W + "val", "0")) if depth is not None else 0
        if self._numbering.get((list_id, level), "bullet") in ("bullet", "none"):
            return "- "
        self._counts[list_id, level] += 1
        for key in [key for key in self._counts if key[0] == list_id and key[1] > level]:
            del self._counts[key]
        return f"{self._counts[list_id, level]}. "

    def _table(self, table: Any) -> None:
        rows = list(_under(table, "tr"))
        cells = [list(_under(row, "tc")) for row in rows]
        if all(len(row) <= 1 for row in cells):
            for row in cells:
                for cell in row:
                    self.walk(cell)
            return
        made = [make_row(self._cell(cell) for cell in row) for row in cells]
        self.blocks += [row for row in made if row]
        self.tables += any(made)
        self.dropped["images"] += sum(1 for _ in table.iter(*_PICTURES))

    def _cell(self, cell: Any) -> str:
        return " ".join(clean(self._text(p)) for p in cell.iter(_W + "p"))


def _under(element: Any, name: str) -> Iterator[Any]:
    """Children of that name, those inside content controls among them."""
    for child in element:
        if child.tag == _W + name:
            yield child
        elif child.tag in (_W + "sdt", _W + "sdtContent", _W + "ins", _W + "customXml"):
            yield from _under(child, name)


def _is_hidden(run: Any) -> bool:
    mark = run.find(f"{_W}rPr/{_W}vanish")
    return mark is not None and mark.get(_W + "val", "true") not in ("0", "false", "off")


def _numbering(document: Any) -> dict[tuple[str, int], str]:
    """The number format of each list and level: decimal, bullet, ..."""
    kinds = {relation.reltype.rpartition("/")[2] for relation in document.part.rels.values()}
    if "numbering" not in kinds:
        return {}
    root = document.part.numbering_part.element
    abstract = {
        definition.get(_W + "abstractNumId"): {
            int(level.get(_W + "ilvl", "0")): form.get(_W + "val", "decimal")
            for level in definition.iter(_W + "lvl")
            if (form := level.find(_W + "numFmt")) is not None
        }
        for definition in root.iter(_W + "abstractNum")
    }
    formats: dict[tuple[str, int], str] = {}
    for number in root.iter(_W + "num"):
        reference = number.find(_W + "abstractNumId")
        levels = abstract.get(reference.get(_W + "val"), {}) if reference is not None else {}
        formats.update({(number.get(_W + "numId"), level): form for level, form in levels.items()})
    return formats
