"""EPUB books: the chapters in reading order."""

from __future__ import annotations

import posixpath
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from corpus.ingest.blocks import Block, Reading
from corpus.ingest.html import read_html
from corpus.ingest.source import FileRefusedError, Limits, decode, open_archive
from corpus.language import clean

_CONTAINER = "META-INF/container.xml"
_FONT_MASKS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")


def read_epub(file: Path, data: bytes, limits: Limits) -> Reading:
    """The chapters that the book's spine names, its navigation left out."""
    with open_archive(file, data, limits) as archive:
        names = set(archive.namelist())
        _refuse_locked(file, archive, names)
        package_name = _attribute(_xml(file, archive, _CONTAINER), "rootfile", "full-path")
        if package_name not in names:
            raise FileRefusedError(file, f"expected the package file {package_name!r}, found none; export it again")
        package = _xml(file, archive, package_name)
        folder = posixpath.dirname(package_name)
        manifest = {item.get("id"): item for item in _named(package, "item")}
        blocks: list[Block] = []
        dropped: Counter[str] = Counter()
        tables = 0
        for reference in _named(package, "itemref"):
            item = manifest.get(reference.get("idref"))
            if item is None or item.get("media-type") not in _PAGES:
                continue
            if "nav" in item.get("properties", "").split():
                dropped["tables of contents"] += 1
                continue
            name = posixpath.normpath(posixpath.join(folder, unquote(item.get("href", ""))))
            if name not in names:
                raise FileRefusedError(file, f"expected the chapter {name!r}, found none; export it again")
            chapter = read_html(_without_declaration(decode(file, archive.read(name), html=True)[0]), whole=True)
            blocks += chapter.blocks
            dropped += chapter.dropped
            tables += chapter.tables
        title = next((clean(e.text or "") for e in _named(package, "title")), None)
    return Reading(blocks, title=title or None, tables=tables, dropped=dropped)


def _refuse_locked(file: Path, archive: zipfile.ZipFile, names: set[str]) -> None:
    if "META-INF/encryption.xml" not in names:
        return
    methods = _named(_xml(file, archive, "META-INF/encryption.xml"), "EncryptionMethod")
    if any(method.get("Algorithm") not in _FONT_MASKS for method in methods):
        raise FileRefusedError(file, "expected a book without copy protection, found encryption; get one without")


def _xml(file: Path, archive: zipfile.ZipFile, name: str) -> Any:
    import lxml.etree

    parser = lxml.etree.XMLParser(resolve_entities=False, no_network=True, recover=True, huge_tree=False)
    tree = lxml.etree.fromstring(archive.read(name), parser)
    if tree is None:
        raise FileRefusedError(file, f"expected XML in {name}, found none; export it again")
    return tree


def _named(tree: Any, name: str) -> list[Any]:
    """Elements of that local name, whatever their namespace."""
    return [e for e in tree.iter() if isinstance(e.tag, str) and e.tag.rpartition("}")[2] == name]


def _attribute(tree: Any, name: str, attribute: str) -> str:
    return next((e.get(attribute, "") for e in _named(tree, name)), "")


def _without_declaration(text: str) -> str:
    """XHTML without `<?xml ...?>`, whose encoding no longer holds once the text is decoded."""
    start = text.find("<", 1) if text.lstrip().startswith("<?xml") else 0
    return text[max(0, start) :]
