"""Opening a file that is not trusted: what it is, how large, in which encoding."""

from __future__ import annotations

import codecs
import io
import os
import re
import stat
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from corpus.article import MAX_BYTES, ArticleError
from corpus.language import to_simplified

SUFFIXES = {
    ".md": "Markdown",
    ".markdown": "Markdown",
    ".txt": "text",
    ".text": "text",
    ".html": "HTML",
    ".htm": "HTML",
    ".xhtml": "HTML",
    ".docx": "DOCX",
    ".pdf": "PDF",
    ".epub": "EPUB",
}
"""File name endings that are read, and the format that each stands for."""

FORMATS = ", ".join(dict.fromkeys(SUFFIXES.values()))
_TEXTS = ("Markdown", "text", "HTML")
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_META_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)


class FileRefusedError(ArticleError):
    """A file cannot become an article; the message names the file, what is wrong and what to do."""

    def __init__(self, file: Path, problem: str) -> None:
        super().__init__(file, 1, problem)

    def __str__(self) -> str:
        return f"{self.file}: {self.problem}"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a file is read before it is refused."""

    file_bytes: int = 50_000_000
    text_bytes: int = MAX_BYTES
    expanded_bytes: int = 200_000_000
    """All that a DOCX, EPUB or PDF unpacks to."""
    part_bytes: int = 50_000_000
    """One part of it: a chapter, a stream."""
    parts: int = 10_000
    pages: int = 2_000


def read_bytes(file: Path, limits: Limits) -> bytes:
    """The bytes of a regular file, never through a symbolic link."""
    if file.is_symlink():
        raise FileRefusedError(file, "expected a file, found a symbolic link; give the file that it points to")
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(file, flags)
    except OSError as error:
        raise FileRefusedError(file, f"expected a readable file, found: {error.strerror}") from None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise FileRefusedError(file, "expected a regular file, found a folder, pipe or device")
    with open(handle, "rb") as stream:
        try:
            data = stream.read(limits.file_bytes + 1)
        except OSError as error:
            raise FileRefusedError(file, f"expected a readable file, found: {error.strerror}") from None
    if len(data) > limits.file_bytes:
        size = max(status.st_size, len(data))
        raise FileRefusedError(file, f"expected at most {limits.file_bytes} bytes, found {size}; split it into parts")
    if not data.strip():
        raise FileRefusedError(file, "expected text, found an empty file")
    return data


def detect_format(file: Path, data: bytes) -> str:
    """The format by content where it shows there, by the name's ending where it does not."""
    named = SUFFIXES.get(file.suffix.lower())
    if data.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise FileRefusedError(
                file, "expected a file that opens without a password, found encryption; save it without a password"
            )
        raise FileRefusedError(file, "expected DOCX, found an Office file of before 2007; save it as DOCX")
    if b"%PDF-" in data[:1024]:
        return "PDF"
    if data.startswith(b"PK\x03\x04") or named in ("DOCX", "EPUB"):
        return _zipped_format(file, data)
    if named == "PDF":
        raise FileRefusedError(file, "expected a PDF, found something else under that name; export it again")
    if named is None:
        found = f"a name that ends in {file.suffix!r}" if file.suffix else "a name without an ending"
        raise FileRefusedError(file, f"expected one of {FORMATS} ({' '.join(SUFFIXES)}), found {found}")
    if named == "text" and re.match(rb"(?:\xef\xbb\xbf)?\s*(?:<!doctype html|<html)", data[:512], re.IGNORECASE):
        return "HTML"
    return named


def _zipped_format(file: Path, data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, UnicodeDecodeError) as error:
        expected = SUFFIXES.get(file.suffix.lower(), "DOCX or EPUB")
        raise FileRefusedError(
            file, f"expected a whole {expected} file, found: {error}; fetch or export it again"
        ) from (None)
    if "word/document.xml" in names:
        return "DOCX"
    if "META-INF/container.xml" in names:
        return "EPUB"
    raise FileRefusedError(file, f"expected one of {FORMATS}, found another kind of zip file; unpack it first")


def open_archive(file: Path, data: bytes, limits: Limits) -> zipfile.ZipFile:
    """A zip file whose parts together stay within the limits.

    `zipfile` never reads more of a part than the size that the part declares, so the declared sizes bound it.
    """
    archive = zipfile.ZipFile(io.BytesIO(data))
    parts = archive.infolist()
    if len(parts) > limits.parts:
        raise FileRefusedError(file, f"expected at most {limits.parts} parts inside, found {len(parts)}")
    if any(part.flag_bits & 1 for part in parts):
        raise FileRefusedError(
            file, "expected a file that opens without a password, found encryption; save it without a password"
        )
    total = sum(part.file_size for part in parts)
    if total > limits.expanded_bytes:
        raise FileRefusedError(
            file, f"expected at most {limits.expanded_bytes} bytes when unpacked, found {total}; split it into parts"
        )
    for part in parts:
        if part.file_size > limits.part_bytes and part.filename.lower().endswith((".xml", ".rels", "html", ".htm")):
            raise FileRefusedError(
                file,
                f"expected at most {limits.part_bytes} bytes in one part, found {part.file_size} in {part.filename!r};"
                " split it into parts",
            )
    return archive


def decode(file: Path, data: bytes, *, html: bool = False) -> tuple[str, str]:
    """The text and the name of its encoding: UTF-8, UTF-16 with a mark, GB18030, Big5, or a Western one."""
    for mark, encoding in ((codecs.BOM_UTF8, "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return _strictly(file, data, encoding), encoding.removesuffix("-sig")
    if b"\x00" in data:
        raise FileRefusedError(file, "expected text, found binary data (a NUL byte); export it as text in UTF-8")
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        broken = error
    if html and (declared := _META_CHARSET.search(data[:4096])):
        name = declared[1].decode().lower()
        try:
            encoding = codecs.lookup("gb18030" if name in ("gb2312", "gbk") else name).name
            return data.decode(encoding), encoding
        except (LookupError, UnicodeDecodeError):
            pass
    best = max((_chinese_share(data, encoding), encoding) for encoding in ("gb18030", "big5"))
    if best[0] >= 0.85:
        return data.decode(best[1]), best[1]
    if western := _western(data):
        return western
    line = data.count(b"\n", 0, broken.start) + 1
    raise FileRefusedError(
        file,
        f"expected UTF-8 or GB18030, found neither (byte 0x{data[broken.start]:02x} in line {line});"
        " save it again as UTF-8",
    )


def _strictly(file: Path, data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise FileRefusedError(
            file, f"expected {encoding}, as its first bytes say, found a broken byte at {error.start}; save it as UTF-8"
        ) from None


def _chinese_share(data: bytes, encoding: str) -> float:
    """How much of the text that is not ASCII are everyday Chinese characters and marks, were it in this encoding."""
    try:
        text = to_simplified(data.decode(encoding))
    except UnicodeDecodeError:
        return 0.0
    found = Counter(char for char in text if not char.isascii())
    usual = sum(count for char, count in found.items() if _is_everyday(char))
    return usual / found.total() if found else 0.0


def _is_everyday(char: str) -> bool:
    """Whether a character is a Chinese mark or among the 3,755 of the first level of GB 2312."""
    if "\u3000" <= char <= "\u303f" or "\uff00" <= char <= "\uffef" or char in "“”‘’—…·•":
        return True
    try:
        code = char.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return len(code) == 2 and 0xB0 <= code[0] <= 0xD7


def _western(data: bytes) -> tuple[str, str] | None:
    from charset_normalizer import from_bytes

    match = from_bytes(data[:200_000], cp_isolation=["cp1252", "latin_1", "iso8859_15"]).best()
    if match is None:
        return None
    text = data.decode("cp1252", errors="replace")
    unusual = sum(not c.isascii() for c in text)
    if "\ufffd" in text or unusual > 0.1 * len(text) or any(c < " " and c not in "\t\r\n\f" for c in text):
        return None
    return text, "cp1252"
