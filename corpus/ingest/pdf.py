"""PDF files: lines put back into paragraphs, columns into order, headers and page numbers left out."""

from __future__ import annotations

import io
import logging
import re
import unicodedata
import zlib
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from pathlib import Path
from statistics import median
from typing import Any

from corpus.ingest.blocks import (
    Block,
    Kind,
    Reading,
    ends_sentence,
    join_lines,
    make_block,
    make_row,
    opens_item,
    width,
)
from corpus.ingest.source import FileRefusedError, Limits
from corpus.language import clean

_STREAM = re.compile(rb"stream\r?\n")
_PAGE_NUMBER = re.compile(
    r"\W*(?:第\s*\d+\s*[页頁]?|page\s*\d+|p\.\s*\d+|\d{1,4}|[ivxlc]{1,6})\W*(?:[/／]|of|共)?\W*\d{0,4}\s*[页頁]?\W*",
    re.IGNORECASE,
)
_CAPTION = re.compile(
    r"(?:fig(?:ure)?\.?|table|图|圖|表)\s*[\dA-Z一二三四五六七八九十]{1,3}(?:[.:：、\s-]|$)", re.IGNORECASE
)
_NO_TITLE = re.compile(
    r"untitled|microsoft word|.*\.(?:docx?|indd|tex|dvi|wps|qxd)|\(?anonymous\)?|无标题|文档\d*|\d+", re.IGNORECASE
)
_CONTENTS = re.compile(r"(?<![.·…‥])(?<![.·…‥] )(?:[.·…‥] ?){6,}+\s*[\divxlc]*$")
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)?(?!-$)")
_GLYPH = re.compile(r"\(cid:\d+\)")
_BULLET = re.compile(r"^[•·▪◦●○■□◆\ue000-\uf8ff]\s*(?=\S)")
_LABEL = re.compile(r"[•·▪◦●○■□◆\ue000-\uf8ff–-]|[(（]?[\da-z一二三四五六七八九十]{1,3}[)）.、]?")
_MOST_CHARACTERS, _MOST_LINES = 30_000, 1_000
"""On one page; more is not a page that people read, and laying it out would take minutes."""


@dataclass(frozen=True, slots=True)
class _Line:
    page: int
    text: str
    left: float
    right: float
    bottom: float
    top: float
    size: float
    bold: bool


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a table: its cells from left to right."""

    cells: tuple[str, ...]


def read_pdf(file: Path, data: bytes, limits: Limits) -> Reading:
    """The text of a PDF that has some; a scan, a locked file or one that unpacks beyond the limits is refused."""
    from pdfminer.pdfdocument import PDFDocument, PDFPasswordIncorrect, PDFTextExtractionNotAllowed
    from pdfminer.pdfparser import PDFParser

    logging.getLogger("pdfminer").setLevel(logging.CRITICAL)
    _check_expansion(file, data, limits)
    try:
        document = PDFDocument(PDFParser(io.BytesIO(data)))
        _check_locked_streams(file, document, limits)
        pages = list(_pages(file, document, limits))
        title = _metadata_title(document)
    except (PDFPasswordIncorrect, PDFTextExtractionNotAllowed):
        problem = "expected a file that opens without a password, found encryption; save it without a password"
        raise FileRefusedError(file, problem) from None
    return _reading(file, pages, title)


def _check_expansion(file: Path, data: bytes, limits: Limits) -> None:
    """Unpack every stream within the limits before pdfminer unpacks it without any."""
    budget = _Budget(file, limits)
    view = memoryview(data)
    for match in _STREAM.finditer(data):
        header = data[max(0, match.start() - 600) : match.start()].rpartition(b"obj")[2]
        end = data.find(b"endstream", match.end())
        budget.spend(view[match.end() : end if end >= 0 else len(data)], header)


def _check_locked_streams(file: Path, document: Any, limits: Limits) -> None:
    """The same for a file that is encrypted yet opens without a password: its streams show only once deciphered."""
    from pdfminer.pdftypes import PDFStream

    budget = _Budget(file, limits)
    for xref in document.xrefs if document.encryption is not None else ():
        for number in xref.get_objids():
            stream = document.getobj(number)
            if isinstance(stream, PDFStream) and stream.decipher and stream.rawdata:
                raw = stream.decipher(stream.objid, stream.genno, stream.rawdata, stream.attrs)
                budget.spend(memoryview(raw), repr(stream.attrs).encode())


class _Budget:
    """How much the streams seen so far unpack to."""

    def __init__(self, file: Path, limits: Limits) -> None:
        self._file, self._limits, self._total = file, limits, 0

    def spend(self, packed: memoryview, header: bytes) -> None:
        """Pictures are not unpacked for the text, so they count one by one, not together."""
        picture = b"Image" in header
        bound = self._limits.expanded_bytes if picture else self._limits.part_bytes
        size = _unpacked_size(packed, header, bound)
        self._total += 0 if picture else size
        if size > bound or self._total > self._limits.expanded_bytes:
            bound = bound if size > bound else self._limits.expanded_bytes
            problem = f"expected at most {bound} bytes when unpacked, found more; print it to a new PDF or split it"
            raise FileRefusedError(self._file, problem)


def _unpacked_size(packed: memoryview, header: bytes, bound: int) -> int:
    """Bytes that a stream unpacks to, counted no further than just over the bound."""
    from pdfminer.ascii85 import ascii85decode

    data: bytes | memoryview = packed
    if bytes(packed[-8:]).rstrip().endswith(b"~>"):
        try:
            data = ascii85decode(bytes(packed))
        except ValueError:
            return 0
    # Without unpacking: LZW makes at most some 1,400 bytes of one, run lengths 64.
    for name, most in ((b"LZW", 1_400), (b"RunLength", 64)):
        if name in header and len(packed) * most > bound * 20:
            return bound + 1
    size = 0
    for _ in range(max(1, header.count(b"FlateDecode") + header.count(b"/Fl "))):
        unpacker, pieces, size = zlib.decompressobj(), [], 0
        try:
            rest: bytes | memoryview = data
            while rest and not unpacker.eof:
                piece = unpacker.decompress(rest, 1_000_000)
                size += len(piece)
                pieces.append(piece if header.count(b"FlateDecode") > 1 else b"")
                rest = unpacker.unconsumed_tail
                if size > bound or not piece:
                    break
        except zlib.error:
            break
        if size > bound:
            break
        data = b"".join(pieces)
    return size


def _metadata_title(document: Any) -> str | None:
    from pdfminer.pdftypes import resolve1
    from pdfminer.utils import decode_text

    for info in document.info:
        value = resolve1(info.get("Title"))
        if isinstance(value, bytes):
            title = clean(decode_text(value))
            if title and not _NO_TITLE.match(title):
                return title
    return None


@dataclass(frozen=True, slots=True)
class _Page:
    height: float
    width: float
    lines: tuple[_Line, ...]
    images: int
    glyphs: int
    """Characters whose meaning the file does not say."""


def _pages(file: Path, document: Any, limits: Limits) -> Iterator[_Page]:
    from pdfminer.converter import PDFPageAggregator
    from pdfminer.layout import LAParams, LTChar, LTFigure, LTImage, LTTextLine
    from pdfminer.pdfinterp import PDFPageInterpreter, PDFResourceManager
    from pdfminer.pdfpage import PDFPage

    resources = PDFResourceManager()
    device = PDFPageAggregator(resources, laparams=None)
    interpreter = PDFPageInterpreter(resources, device)
    # Lines alone: pdfminer's own grouping into columns takes quadratic time, _in_order does that part.
    layout = LAParams(boxes_flow=None, detect_vertical=False, all_texts=False)

    def flat(container: Any) -> Iterator[Any]:
        for item in container:
            if isinstance(item, LTFigure):
                yield from flat(item)
            else:
                yield item

    for number, page in enumerate(PDFPage.create_pages(document)):
        if number >= limits.pages:
            raise FileRefusedError(file, f"expected at most {limits.pages} pages, found more; split it into parts")
        interpreter.process_page(page)
        result = device.get_result()
        images = sum(isinstance(item, LTImage) for item in flat(result))
        characters = [item for item in flat(result) if isinstance(item, LTChar)]
        if len(characters) > _MOST_CHARACTERS:
            problem = (
                f"expected at most {_MOST_CHARACTERS} characters a page, found {len(characters)} on page {number + 1}"
            )
            raise FileRefusedError(file, problem + "; print it to a new PDF")
        result._objs = characters
        result.analyze(layout)
        lines: list[_Line] = []
        glyphs = 0
        for box in result:
            for line in box if not isinstance(box, LTChar) else ():
                if isinstance(line, LTTextLine):
                    glyphs += len(_GLYPH.findall(line.get_text()))
                    lines += [made for part in _parts(line) if (made := _make_line(number, part))]
        if len(lines) > _MOST_LINES:
            problem = f"expected at most {_MOST_LINES} lines a page, found {len(lines)} on page {number + 1}"
            raise FileRefusedError(file, problem + "; print it to a new PDF")
        yield _Page(result.height, result.width, tuple(lines), images, glyphs)


def _parts(line: Any) -> Iterator[list[Any]]:
    """The stretches of a line with a gap between them that no space between words has: cells of a table's row."""
    from pdfminer.layout import LTChar

    part: list[Any] = []
    right: float | None = None
    for item in line:
        if isinstance(item, LTChar) and item.get_text().strip():
            if right is not None and item.x0 - right > 0.95 * item.size:
                yield part
                part = []
            right = item.x1
        part.append(item)
    yield part


def _make_line(page: int, items: Sequence[Any]) -> _Line | None:
    from pdfminer.layout import LTChar

    text = _plain("".join(item.get_text() for item in items))
    held = [item for item in items if isinstance(item, LTChar) and item.get_text().strip()]
    if not text or not held:
        return None
    bold = sum("bold" in c.fontname.lower() or "hei" in c.fontname.lower() for c in held) > 0.8 * len(held)
    left, right = min(c.x0 for c in held), max(c.x1 for c in held)
    bottom, top = min(c.y0 for c in held), max(c.y1 for c in held)
    return _Line(page, text, left, right, bottom, top, median(c.size for c in held), bold)


def _plain(text: str) -> str:
    """The text with ligatures, Kangxi radicals and compatibility forms as the characters that people type."""
    # WinAnsi shows a bullet for codes that it leaves unused, 127 above all.
    text = _GLYPH.sub("", text.replace("(cid:127)", "•").replace("\x7f", "•"))
    folded = "".join(
        unicodedata.normalize("NFKC", c) if "\ufb00" <= c <= "\ufb06" or "\u2e80" <= c <= "\u2fdf" else c for c in text
    )
    return clean(folded.replace("\u00ad\n", "-"))


def _reading(file: Path, pages: Sequence[_Page], title: str | None) -> Reading:
    letters = sum(c.isalnum() for page in pages for line in page.lines for c in line.text)
    glyphs, images = sum(page.glyphs for page in pages), sum(page.images for page in pages)
    if glyphs > letters:
        problem = f"expected text, found {glyphs} characters whose meaning the file does not say; run OCR on it"
        raise FileRefusedError(file, problem + " (ocrmypdf --force-ocr) or export it again")
    if letters < 20 * len(pages) and (images or not letters):
        problem = f"expected text, found {len(pages)} scanned pages with {letters} letters; run OCR on it first"
        raise FileRefusedError(file, problem + " (ocrmypdf --language chi_sim+eng IN OUT)")
    lines, dropped = _without_margins(pages)
    dropped["images"] = images
    sizes = Counter[float]()
    for line in lines:
        sizes[round(line.size * 2) / 2] += len(line.text)
    body = sizes.most_common(1)[0][0] if sizes else 0.0
    blocks: list[Block] = []
    tables = 0
    rows_before = False
    paragraph: list[_Line] = []
    levels = _heading_levels(lines, body)
    words = {word for line in lines for word in _WORD.findall(line.text.lower())}

    def end() -> None:
        if paragraph:
            blocks.extend(_block(paragraph, levels, words))
            paragraph.clear()

    pieces = list(_in_order(lines, {number: page.width for number, page in enumerate(pages)}))
    text_lines = [piece for piece in pieces if isinstance(piece, _Line)]
    leading, edges = _leading(text_lines), _edges(text_lines)
    for piece in pieces:
        if isinstance(piece, _Row):
            end()
            if row := make_row(piece.cells):
                blocks.append(row)
                tables += not rows_before
                rows_before = True
            continue
        rows_before = False
        if paragraph and not _continues(paragraph, piece, edges, leading, levels):
            end()
        paragraph.append(piece)
    end()
    heading = next((b.text for b in blocks[:10] if b.kind is Kind.HEADING and b.level == 1), None)
    return Reading(blocks, title=title or heading, tables=tables, dropped=dropped)


def _without_margins(pages: Sequence[_Page]) -> tuple[list[_Line], Counter[str]]:
    """The lines but those at the pages' edges that repeat from page to page or number them, and lines of contents."""

    def key(line: _Line, outermost: bool) -> str:
        return re.sub(r"\d+", "#", line.text) if outermost else line.text

    def edges(page: _Page) -> Iterator[list[list[_Line]]]:
        yield _rows([line for line in page.lines if line.bottom > 0.88 * page.height])[:3]
        yield _rows([line for line in page.lines if line.top < 0.12 * page.height])[::-1][:3]

    # A page's outermost row may count up; those further in are margins only if they are the same all over.
    repeated: Counter[tuple[str, bool]] = Counter()
    for page in pages:
        seen = ((key(x, n == 0), n == 0) for edge in edges(page) for n, row in enumerate(edge) for x in row)
        repeated.update(set(seen))
    enough = 2 if len(pages) < 8 else 3
    kept: list[_Line] = []
    dropped: Counter[str] = Counter()
    for page in pages:
        margins: set[_Line] = set()
        for edge in edges(page):
            for depth, row in enumerate(edge):
                if not all(
                    _PAGE_NUMBER.fullmatch(x.text[:40]) or repeated[key(x, depth == 0), depth == 0] >= enough
                    for x in row
                ):
                    break
                margins.update(row)
        for line in page.lines:
            if line in margins:
                dropped["page headers, footers and numbers"] += 1
            elif _CONTENTS.search(line.text[-100:]):
                dropped["tables of contents"] += 1
            else:
                kept.append(line)
    return kept, dropped


def _in_order(lines: Sequence[_Line], widths: dict[int, float]) -> Iterator[_Line | _Row]:
    """Lines in reading order, page by page: across the page where a line is wide, column by column between."""
    pages: defaultdict[int, list[_Line]] = defaultdict(list)
    for line in lines:
        pages[line.page].append(line)
    for number, page_width in widths.items():
        band: list[_Line] = []
        own = sorted(pages[number], key=lambda line: (-line.top, line.left))
        for line in own:
            if line.right - line.left > 0.55 * page_width:
                yield from _columns(band)
                band = []
                yield line
            else:
                band.append(line)
        yield from _columns(band)


def _columns(band: Sequence[_Line]) -> Iterator[_Line | _Row]:
    """Narrow lines one above another: tables row by row, what is between them column by column."""
    rest: list[list[_Line]] = []
    for several, run in groupby(_rows(band), key=lambda row: len(row) > 1):
        rows = list(run)
        if several and _is_table(rows):
            yield from _flow(rest)
            rest = []
            yield from (_Row(tuple(line.text for line in row)) for row in rows)
        else:
            rest += rows
    yield from _flow(rest)


def _flow(rows: Sequence[Sequence[_Line]]) -> Iterator[_Line]:
    """The lines of one column after another; a line across the gutter ends the columns above it."""
    gutter = _gutter([line for row in rows if len(row) > 1 for line in row])
    left: list[_Line] = []
    right: list[_Line] = []
    for row in rows:
        if gutter is None or any(line.left < gutter < line.right - line.size for line in row):
            yield from (*left, *right)
            left, right = [], []
            yield replace(row[0], text=" ".join(line.text for line in row), right=row[-1].right)
        else:
            left += [line for line in row if line.right <= gutter + line.size]
            right += [line for line in row if line.right > gutter + line.size]
    yield from left
    yield from _flow(_rows(right)) if len(right) < sum(map(len, rows)) else right


def _rows(band: Sequence[_Line]) -> list[list[_Line]]:
    rows: list[list[_Line]] = []
    for line in sorted(band, key=lambda line: -(line.top + line.bottom)):
        middle = (line.top + line.bottom) / 2
        if rows and abs(middle - (rows[-1][0].top + rows[-1][0].bottom) / 2) < 0.4 * line.size:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: line.left) for row in rows]


def _is_table(rows: Sequence[Sequence[_Line]]) -> bool:
    """Whether rows of lines side by side are too short to be lines of text columns."""
    if all(len(row) == 2 and _LABEL.fullmatch(row[0].text) for row in rows):
        return False
    typical = median(width(line.text) for row in rows for line in row)
    return len(rows) >= 2 and typical < (30 if max(map(len, rows)) > 2 else 24)


def _gutter(band: Sequence[_Line]) -> float | None:
    """Where the white space between two columns begins, if some runs the whole height of the band."""
    covered: list[tuple[float, float]] = []
    for line in sorted(band, key=lambda line: line.left):
        if covered and line.left <= covered[-1][1] + 0.5 * line.size:
            covered[-1] = covered[-1][0], max(covered[-1][1], line.right)
        else:
            covered.append((line.left, line.right))
    return covered[0][1] if len(covered) > 1 else None


def _leading(lines: Sequence[_Line]) -> float:
    """The usual distance from one line to the next, in units of the type size."""
    steps = [
        (above.bottom - below.bottom) / above.size
        for above, below in pairwise(lines)
        if above.page == below.page and above.size and 0.8 < (above.bottom - below.bottom) / above.size < 3
    ]
    return median(steps) if steps else 1.3


def _heading_levels(lines: Sequence[_Line], body: float) -> dict[float, int]:
    """The level of each type size that is clearly larger than the body's."""
    large = sorted({round(line.size * 2) / 2 for line in lines if line.size >= 1.12 * body}, reverse=True)
    return {size: min(6, rank) for rank, size in enumerate(large, start=1)}


def _level(line: _Line, levels: dict[float, int]) -> int:
    return levels.get(round(line.size * 2) / 2, 0)


@dataclass(frozen=True, slots=True)
class _Edges:
    """Where the column that a line stands in begins and ends."""

    left: float
    right: float


def _edges(lines: Iterable[_Line]) -> dict[_Line, _Edges]:
    """The edges that the lines above and below share, so that one line across two columns moves none of them."""
    pages: defaultdict[int, list[_Line]] = defaultdict(list)
    for line in lines:
        pages[line.page].append(line)
    found: dict[_Line, _Edges] = {}
    for own in pages.values():
        for line in own:
            near = [x for x in own if x.left < line.right and x.right > line.left]
            left = _shared(sorted(x.left for x in near), line.size)
            right = -_shared(sorted(-x.right for x in near), line.size)
            found[line] = _Edges(min(left, line.left), max(right, line.right))
    return found


def _shared(values: Sequence[float], size: float) -> float:
    """The first of sorted values that enough of the others keep within an em of."""
    enough = max(2, 0.15 * len(values))
    for index, value in enumerate(values):
        if bisect_right(values, value + size) - index >= enough:
            return value
    return values[0]


def _continues(
    paragraph: Sequence[_Line], line: _Line, edges: dict[_Line, _Edges], leading: float, levels: dict[float, int]
) -> bool:
    """Whether a line goes on with the paragraph above it."""
    last = paragraph[-1]
    level = _level(line, levels)
    if _level(last, levels) != level or (last.bold != line.bold and len(paragraph) == 1):
        return False
    if opens_item(line.text) or _BULLET.match(line.text) or _CAPTION.match(line.text):
        return False
    word = re.split(r"(?<=[\s\u2e80-\uffef])", line.text, maxsplit=1)[0]
    word_width = (line.right - line.left) * width(word) / max(1, width(line.text))
    # A line is full if the next one's first word would not have fitted on it.
    full = last.right + max(word_width, 2 * last.size) > edges[last].right - 0.5 * last.size
    if last.page != line.page or last.top <= line.top:
        return full and not level and not ends_sentence(last.text)
    step = (last.bottom - line.bottom) / max(last.size, 1)
    if step > max(1.35 * leading, leading + 0.4):
        return False
    indented = line.left > max(last.left, edges[line].left) + 0.9 * line.size
    if len(paragraph) == 1 and (_BULLET.match(last.text) or opens_item(last.text)):
        indented = line.left > last.left + 4 * line.size
    below_indented = last.left > edges[last].left + 0.9 * last.size and abs(last.left - line.left) < 0.5 * line.size
    return bool(level) or (full and not indented and not (below_indented and ends_sentence(last.text)))


def _block(paragraph: Sequence[_Line], levels: dict[float, int], words: Collection[str]) -> list[Block]:
    text = join_lines((line.text for line in paragraph), words)
    level = _level(paragraph[0], levels)
    short = width(text) <= 120 and not re.search(r"[。；;，,]$", text)
    if _CAPTION.match(text) and len(text) > 3:
        block = make_block(Kind.CAPTION, text)
    elif level and short:
        block = make_block(Kind.HEADING, text, level)
    elif all(line.bold for line in paragraph) and short and not text.endswith((".", ":", "：")) and width(text) <= 80:
        block = make_block(Kind.HEADING, text, min(6, max(levels.values(), default=1) + 1))
    elif bullet := _BULLET.match(text):
        block = make_block(Kind.ITEM, "- " + text[bullet.end() :])
    elif opens_item(text):
        block = make_block(Kind.ITEM, text)
    else:
        block = make_block(Kind.PARAGRAPH, text)
    return [block] if block else []
