"""Web pages, and the chapters and texts that are written as such: their blocks, without the page around them."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from corpus.ingest.blocks import Block, Kind, Reading, join_lines, make_block, make_row, unwrap
from corpus.language import clean


def _names_of(words: str) -> frozenset[str]:
    return frozenset(words.split())


_HEADINGS = {f"h{n}": n for n in range(1, 7)}
_BLOCKS = _names_of(
    "address article aside blockquote body center dd details dialog div dl dt fieldset figure footer form header"
    " hgroup html legend li main nav ol p pre section summary ul table tbody thead tfoot tr td th caption figcaption"
    " hr"
)
_NO_TEXT = _names_of(
    "script style template noscript iframe object embed applet head title meta link svg canvas audio video select"
    " button input textarea datalist map rp rt"
)
_IMAGES = frozenset(("img", "picture", "image"))
_BOILERPLATE_TAGS = frozenset(("nav", "aside", "footer", "form", "menu", "dialog"))
_BOILERPLATE_ROLES = frozenset(("navigation", "banner", "contentinfo", "complementary", "search", "dialog", "menu"))
_BOILERPLATE_WORDS = _names_of(
    "nav navbar navigation menu sidebar breadcrumb breadcrumbs crumbs share sharing social comment comments related"
    " recommend recommended advert advertisement ads ad banner cookie cookies popup modal subscribe newsletter"
    " pagination pager footer toolbar qrcode login skip toc hotnews tagcloud"
)
_STOCK_PHRASE = re.compile(
    r"(?:点击|點擊|请点击|长按|長按|扫码|掃碼|扫描|掃描|识别)?.{0,12}(?:关注我们|關注我們|关注公众号|二维码|二維碼|阅读原文|閱讀原文|返回顶部|分享到.{0,20}|官方微信)"
    r"|(?:上|下)一[篇页頁][:：]?.*|(?:责任编辑|責任編輯|责编|编辑)[:：].{0,15}|.{0,12}(?:版权所有|版權所有|ICP备\S*).{0,40}"
    r"|(?:copyright|©).{0,80}|.{0,60}all rights reserved\.?|(?:back|skip) to (?:top|content|main content)"
    r"|(?:share|tweet|print|subscribe|advertisement|sign in|log in|read more)(?: (?:this|on|to|with)\b.{0,40})?",
    re.IGNORECASE,
)
_HIDING_STYLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?:px|pt|em)?\s*(?:;|$)|opacity\s*:\s*0\s*(?:;|$)",
    re.IGNORECASE,
)
_HIDING_CLASSES = frozenset(("sr-only", "visually-hidden", "visuallyhidden", "screen-reader-text", "d-none"))
_SITE = re.compile(r"(?<!\s)\s*(?:\s[|–—·-]\s|[|_｜])\s*[^|_｜–—]{1,40}$")
_BREAK = "\x00"
"""Stands for <br> in the text of a block being collected; no parsed page can hold it."""


def read_html(text: str, *, whole: bool = False) -> Reading:
    """The blocks of a page; with `whole` there is no page around the text, as in a book or a Markdown file."""
    import lxml.etree
    import lxml.html

    parser = lxml.html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        tree = lxml.html.document_fromstring(text.replace("\x00", "").encode("utf-8", "replace"), parser=parser)
    except lxml.etree.ParserError:
        return Reading(())
    if any("depth" in entry.message.lower() for entry in parser.error_log):
        raise RecursionError("tags are nested too deep")  # the parser has left out what is further in
    root = tree if whole else _main_element(tree, text)
    walker = _Walker(root, whole=whole)
    walker.walk(tree)
    walker.flush()
    title = None if whole else _page_title(tree, walker.kept, walker.boilerplate)
    if title and walker.kept and not any(b.kind is Kind.HEADING and b.text == title for b in walker.kept):
        first = make_block(Kind.HEADING, title, 1)
        walker.kept[:0] = [first] if first else []
    if walker.boilerplate:
        walker.dropped["boilerplate"] = len(walker.boilerplate)
    return Reading(
        walker.kept,
        title=title,
        tables=walker.tables,
        dropped=walker.dropped,
        boilerplate=[block.text for block in walker.boilerplate],
    )


class _Walker:
    """Goes through a tree once, in reading order, and sorts its blocks into those kept and those dropped."""

    def __init__(self, root: Any, *, whole: bool) -> None:
        self.kept: list[Block] = []
        self.boilerplate: list[Block] = []
        self.dropped: Counter[str] = Counter()
        self.tables = 0
        self._root, self._whole = root, whole
        self._target = self.kept if whole else self.boilerplate
        self._size = max(1, len(root.text_content()))
        self._buffer: list[str] = []
        self._kind, self._level, self._mark = Kind.PARAGRAPH, 0, ""
        self._preformatted = False

    def flush(self) -> None:
        """End the block being collected."""
        text, self._buffer = "".join(self._buffer), []
        if not text.strip(" \t\r\n\x00"):
            return
        lines = re.split(r"[\x00\n]" if self._preformatted else _BREAK, text)
        single = self._kind in (Kind.HEADING, Kind.CAPTION)
        paragraphs = (
            [join_lines(map(_fold, lines))] if single else unwrap([_fold(line) for line in lines], strict=self._whole)
        )
        for paragraph in paragraphs:
            block = make_block(self._kind, self._mark + paragraph, self._level)
            if block is None:
                continue
            stock = not self._whole and len(block.text) <= 80 and _STOCK_PHRASE.fullmatch(block.text)
            (self.boilerplate if stock else self._target).append(block)
            self._mark = ""

    def walk(self, element: Any) -> None:
        tag = element.tag
        if not isinstance(tag, str):
            return
        if tag in _IMAGES:
            self.dropped["images"] += self._target is self.kept
        elif tag in _NO_TEXT:
            self.dropped["scripts and forms"] += tag in ("script", "iframe", "object", "embed", "applet")
        elif tag == "br":
            self._buffer.append(_BREAK)
        elif element is not self._root and _is_hidden(element):
            self.dropped["hidden"] += bool(element.text_content().strip())
        elif tag in _BLOCKS or tag in _HEADINGS:
            self._block(element, tag)
        else:
            self._children(element)

    def _children(self, element: Any) -> None:
        if element.text:
            self._buffer.append(self._newlines(element.text))
        for child in element:
            self.walk(child)
            if child.tail:
                self._buffer.append(self._newlines(child.tail))

    def _newlines(self, text: str) -> str:
        return text if self._preformatted else _fold(text)

    def _block(self, element: Any, tag: str) -> None:
        self.flush()
        saved = self._target, self._kind, self._level, self._mark, self._preformatted
        if element is self._root:
            self._target = self.kept
        elif not self._whole and self._target is self.kept and self._is_boilerplate(element, tag):
            self._target = self.boilerplate
        if tag == "table" and not _is_layout(element):
            self._table(element)
        elif tag in _HEADINGS:
            self._kind, self._level, self._mark = Kind.HEADING, _HEADINGS[tag], ""
            self._children(element)
        elif tag in ("figcaption", "caption"):
            self._kind, self._mark = Kind.CAPTION, ""
            self._children(element)
        elif tag == "li":
            self._kind, self._mark = Kind.ITEM, _item_mark(element)
            self._children(element)
        else:
            self._preformatted = self._preformatted or tag == "pre"
            self._children(element)
        self.flush()
        used = saved[3] and not self._mark and tag not in ("li", "figcaption", "caption", *_HEADINGS)
        self._target, self._kind, self._level, self._mark, self._preformatted = saved
        if used:
            self._mark = ""

    def _table(self, table: Any) -> None:
        rows = [row for row in table.iter("tr") if next(row.iterancestors("table")) is table]
        for caption in table.iterchildren("caption"):
            self._block(caption, "caption")
        made = [make_row(_cell_text(cell) for cell in row if cell.tag in ("td", "th")) for row in rows]
        self._target += [row for row in made if row]
        if self._target is self.kept:
            self.tables += any(made)
            self.dropped["images"] += sum(1 for _ in table.iter(*_IMAGES))

    def _is_boilerplate(self, element: Any, tag: str) -> bool:
        text = element.text_content().strip()
        if not text or len(text) > 0.4 * self._size:
            return False
        if tag in _BOILERPLATE_TAGS or element.get("role") in _BOILERPLATE_ROLES:
            return True
        if tag == "header":
            return element.find(".//h1") is None
        words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", _names(element)).lower())
        if tag not in _HEADINGS and not _BOILERPLATE_WORDS.isdisjoint(words):
            return True
        return tag in ("ul", "ol", "div", "section", "table", "dl", "p") and _is_link_list(element, text)


def _fold(text: str) -> str:
    """White space folded as a browser does, a line break kept to be told from a space between Han characters."""
    return re.sub(r"\s+", lambda m: "\n" if "\n" in m.group() else " ", text)


def _names(element: Any) -> str:
    return f"{element.get('class', '')} {element.get('id', '')}"


def _is_hidden(element: Any) -> bool:
    if element.get("hidden") is not None or element.get("aria-hidden") == "true":
        return True
    if _HIDING_STYLE.search(element.get("style", "")):
        return True
    return not _HIDING_CLASSES.isdisjoint(element.get("class", "").split())


def _is_link_list(element: Any, text: str) -> bool:
    links = list(element.iter("a"))
    linked = sum(len(link.text_content().strip()) for link in links)
    return len(links) >= 3 and linked >= 0.75 * len(re.sub(r"\s+", "", text)) and not re.search(r"[。！？]|\.\s", text)


def _is_layout(table: Any) -> bool:
    """Whether a table only arranges the page: one column, tables inside, or whole articles in its cells."""
    if table.get("role") == "presentation" or table.find(".//table") is not None:
        return True
    rows = list(table.iter("tr"))
    if all(sum(cell.tag in ("td", "th") for cell in row) <= 1 for row in rows):
        return True
    return any(len(cell.findall("./p")) > 4 or cell.find(".//h2") is not None for cell in table.iter("td"))


def _cell_text(cell: Any) -> str:
    pieces: list[str] = []

    def collect(element: Any) -> None:
        if element.tag in _NO_TEXT or not isinstance(element.tag, str) or _is_hidden(element):
            return
        pieces.append(" " if element.tag in _BLOCKS or element.tag == "br" else "")
        pieces.append(element.text or "")
        for child in element:
            collect(child)
            pieces.append(child.tail or "")

    collect(cell)
    block = make_block(Kind.ROW, "".join(pieces))
    return block.text if block else clean("".join(pieces))


def _item_mark(item: Any) -> str:
    """`- `, or the number that the reader of the page sees."""
    owner = item.getparent()
    if owner is None or owner.tag != "ol":
        return "- "
    first = owner.get("start", "1")
    before = sum(sibling.tag == "li" for sibling in item.itersiblings(preceding=True))
    return f"{(int(first) if re.fullmatch(r'[0-9]{1,4}', first) else 1) + before}. "


def _main_element(tree: Any, text: str) -> Any:
    """Where the article is: what the page itself marks as such, or else what trafilatura finds it in."""
    body = tree.find("body") if tree.find("body") is not None else tree
    marked = [e for e in body.iter("article", "main") if e.getparent() is not None]
    marked += body.xpath(".//*[@role='main' or @role='article' or @itemprop='articleBody' or @id='js_content']")
    if marked:
        largest = max(marked, key=lambda e: (len(e.text_content()), sum(1 for _ in e.iterancestors())))
        articles = [e for e in marked if e.tag == "article"]
        if len(articles) <= 1 and len(largest.text_content()) > 0.2 * _visible_length(body):
            return articles[0] if articles and _holds_most(articles[0], largest) else largest
    lines = _extracted_lines(text)
    wanted = sum(map(len, lines))
    if not wanted:
        return body
    element = body
    while True:
        for child in element:
            if isinstance(child.tag, str) and child.tag in _BLOCKS:
                inside = _squeeze(child.text_content())
                if sum(len(line) for line in lines if line in inside) >= 0.8 * wanted:
                    element = child
                    break
        else:
            return (
                element if element.tag not in ("p", "li", "td", "tr", "tbody", "table", "ul") else element.getparent()
            )


def _holds_most(inner: Any, outer: Any) -> bool:
    return len(inner.text_content()) > 0.5 * len(outer.text_content())


def _visible_length(body: Any) -> int:
    unseen = sum(len(e.text_content()) for e in body.iter("script", "style", "noscript", "template"))
    return len(body.text_content()) - unseen


def _extracted_lines(text: str) -> list[str]:
    from trafilatura.core import bare_extraction

    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    found = bare_extraction(text, favor_recall=True, include_tables=False, with_metadata=False)
    lines = (found.text or "").splitlines() if found is not None else []
    return [line for line in map(_squeeze, lines) if len(line) >= 10]


def _squeeze(text: str) -> str:
    return re.sub(r"[\s\-|]+", "", text)


def _page_title(tree: Any, kept: Iterable[Block], boilerplate: Iterable[Block]) -> str | None:
    """The top heading of the article, of the page, or the page's own title without the site's name."""
    for blocks in (kept, boilerplate):
        for block in blocks:
            if block.kind is Kind.HEADING and block.level == 1:
                return block.text
    named = tree.xpath("//meta[@property='og:title' or @name='twitter:title']/@content")
    titles = [clean(str(value)) for value in (*named, *(e.text or "" for e in tree.iter("title")))]
    first = next((title for title in titles if title), None)
    return (_SITE.sub("", first[:300]) or first) if first else None
