"""A folder of articles: brought in from files, listed, updated, removed; never half of one."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import stat
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import filelock

from corpus.article import Article, ArticleError, load_article
from corpus.ingest import READING, Draft, FileRefusedError, Limits, NoDisclaimerError, Summary, ingest

BUILT_IN = Path(__file__).parent / "articles"
"""The articles that come with the program: read, never changed."""

_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_NEW, _OLD = ".new-", ".old-"
_PARTS = ("article.md", "article.toml", "translation.en.tsv", "glossary.tsv", "questions.tsv", "gaps.tsv")
_MOST_FILES = 100_000


class Outcome(StrEnum):
    """What became of one file."""

    ADDED = "added"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class FileReport:
    path: Path
    outcome: Outcome
    id: str | None = None
    title: str | None = None
    summary: Summary | None = None
    problem: str | None = None
    """Why it was refused; names the file."""
    needs_disclaimer: bool = False
    """Whether the file would be good with a disclaimer given."""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of each file, in the order they were read."""

    files: tuple[FileReport, ...]

    def of(self, outcome: Outcome) -> tuple[FileReport, ...]:
        return tuple(file for file in self.files if file.outcome is outcome)

    @property
    def changed(self) -> tuple[str, ...]:
        """Ids of the articles that have to be indexed (again)."""
        ids = (file.id for file in self.files if file.outcome in (Outcome.ADDED, Outcome.UPDATED))
        return tuple(dict.fromkeys(id for id in ids if id))


@dataclass(frozen=True, slots=True)
class Entry:
    """An article of the library, not yet loaded."""

    id: str
    title: str
    language: str
    folder: Path
    built_in: bool
    source: Path | None = None
    """The file it was read from."""
    source_sha256: str = ""
    reading: str = ""
    given_disclaimer: str | None = None

    def load(self) -> Article:
        return load_article(self.folder)


Progress = Callable[[int, int, FileReport], None]
"""Called after each file with how many are done, how many there are, and what became of it."""


class Library:
    """Articles under one folder, and the built-in ones; safe for several processes at once.

    An article is a folder that appears, changes and goes in one step: it is written beside its place, synced and
    renamed. Renaming over a full folder takes two steps, so whoever opens the library next completes a replacement
    that was cut short.
    """

    def __init__(self, folder: Path, built_in: Path | None = BUILT_IN, limits: Limits | None = None) -> None:
        self.folder = folder
        self._built_in = built_in
        self._limits = limits or Limits()
        self._seen: dict[str, tuple[tuple[int, int, int], Entry]] = {}

    def entries(self) -> list[Entry]:
        """Every article, the built-in ones first, then by id."""
        with self._reading():
            return self._scan()

    def load(self, article_id: str) -> Article:
        """One article.

        Raises:
            ArticleError: if there is none of that id, or its files are not sound.
        """
        with self._reading():
            return self._entry(article_id).load()

    def load_all(self) -> tuple[list[Article], list[ArticleError]]:
        """Every article that is sound, and what is wrong with the others."""
        articles: list[Article] = []
        problems: list[ArticleError] = []
        with self._reading():
            for entry in self._scan():
                try:
                    articles.append(entry.load())
                except ArticleError as error:
                    problems.append(error)
        return articles, problems

    def add(self, paths: Iterable[Path], disclaimer: str | None = None, progress: Progress | None = None) -> Report:
        """Bring files in, and all files under folders; a file that is refused stops no other.

        A file that is in the library unchanged is skipped; one that changed since replaces its article. A folder
        with an `article.toml` is an article that is ready, translation and all, and is taken as it is.
        """
        found = list(files_under(paths))
        entries = self.entries()
        return self._each(found, lambda path: self._bring(path, disclaimer, entries), progress)

    def update(self, paths: Iterable[Path] | None = None, progress: Progress | None = None) -> Report:
        """Read again the files that articles came from, all or some; only those that changed are replaced."""
        entries = self.entries()
        known = {entry.source for entry in entries if entry.source is not None}
        if paths is None:
            found = sorted(known)
        else:
            found = [path if _is_ready(path) else _absolute(path) for path in files_under(paths)]

        def again(path: Path) -> FileReport:
            if _absolute(path) not in known:
                raise FileRefusedError(path, "expected a file that is in the library, found a new one; add it first")
            return self._bring(path, None, entries)

        return self._each(found, again, progress)

    def remove(self, article_id: str) -> Entry:
        """Take an article out; its file is left where it is.

        Raises:
            ArticleError: if there is none of that id, or it is built in.
        """
        with self._writing():
            entry = self._entry(article_id)
            if entry.built_in:
                raise ArticleError(entry.folder, 1, f"expected an article that was added, found {article_id}, built in")
            gone = self.folder / f"{_NEW}{entry.folder.name}-{secrets.token_hex(4)}"
            os.replace(entry.folder, gone)
            _sync(self.folder)
            shutil.rmtree(gone, ignore_errors=True)
            return entry

    def _each(self, paths: Sequence[Path], bring: Callable[[Path], FileReport], progress: Progress | None) -> Report:
        reports: list[FileReport] = []
        for path in paths:
            try:
                report = bring(path)
            except ArticleError as error:
                needs = isinstance(error, NoDisclaimerError)
                report = FileReport(path, Outcome.REFUSED, problem=str(error), needs_disclaimer=needs)
            reports.append(report)
            if progress:
                progress(len(reports), len(paths), report)
        return Report(tuple(reports))

    def _bring(self, path: Path, disclaimer: str | None, entries: Sequence[Entry]) -> FileReport:
        """Read outside the lock, which is held only to choose the id and to put the article in its place."""
        if _is_ready(path):
            return self._bring_ready(path)
        source = _absolute(path)
        if same := _unchanged(entries, source, _digest(path), disclaimer):
            return FileReport(path, Outcome.UNCHANGED, same.id, same.title)
        before = next((entry for entry in entries if entry.source == source), None)
        if disclaimer is None and before is not None:
            disclaimer = before.given_disclaimer
        draft = ingest(path, disclaimer, self._limits)
        with self._writing():
            entries = self._scan()
            if same := _unchanged(entries, source, draft.source_sha256, disclaimer):
                return FileReport(path, Outcome.UNCHANGED, same.id, same.title)
            before = next((entry for entry in entries if entry.source == source), None)
            taken = {entry.id for entry in entries} | {name.lower() for name in os.listdir(self.folder)}
            article_id = before.id if before else _choose_id(draft, taken)
            given = disclaimer if draft.summary.disclaimer == "given" else None
            toml = _article_toml(article_id, draft, source, given)
            parts = {"article.md": draft.text.encode(), "article.toml": toml.encode()}
            self._place(before.folder.name if before else article_id, parts)
        outcome = Outcome.UPDATED if before else Outcome.ADDED
        return FileReport(path, outcome, article_id, draft.title, draft.summary)

    def _bring_ready(self, folder: Path) -> FileReport:
        article = load_article(folder)
        if not _ID.fullmatch(article.id):
            raise ArticleError(
                folder / "article.toml", 1, f"expected an id such as sleep-and-mood, found {article.id!r}"
            )
        parts = {name: (folder / name).read_bytes() for name in _PARTS if (folder / name).is_file()}
        source = _absolute(folder)
        with self._writing():
            there = next((entry for entry in self._scan() if entry.id == article.id), None)
            if there and there.built_in:
                raise ArticleError(folder / "article.toml", 1, f"expected an id not in use, found {there.id}, built in")
            if there and all(_same(there.folder / name, parts.get(name)) for name in _PARTS):
                return FileReport(folder, Outcome.UNCHANGED, article.id, article.title)
            if there and there.source is not None and there.source != source:
                problem = f"expected an id not in use, found {there.id}, read from {there.source}; change the id"
                raise ArticleError(folder / "article.toml", 1, problem)
            if there is None and (self.folder / article.id).exists():
                problem = f"expected no folder {article.id} in the library, found one that is no article; move it away"
                raise ArticleError(self.folder / article.id, 1, problem)
            self._place(there.folder.name if there else article.id, parts)
        return FileReport(folder, Outcome.UPDATED if there else Outcome.ADDED, article.id, article.title)

    def _entry(self, article_id: str) -> Entry:
        entry = next((entry for entry in self._scan() if entry.id == article_id), None)
        if entry is None:
            raise ArticleError(self.folder, 1, f"expected the id of an article in the library, found {article_id!r}")
        return entry

    def _scan(self) -> list[Entry]:
        """The entries of both places; metadata is parsed only where its file is another than last time."""
        found: list[Entry] = []
        for place, built_in in ((self._built_in, True), (self.folder, False)):
            try:
                names = sorted(os.listdir(place)) if place is not None else []
            except OSError:
                continue
            for folder in (os.path.join(str(place), name) for name in names if not name.startswith(".")):
                try:
                    status = os.stat(os.path.join(folder, "article.toml"))
                except OSError:
                    continue
                state = (status.st_ino, status.st_mtime_ns, status.st_size)
                seen = self._seen.get(folder)
                if seen is None or seen[0] != state:
                    seen = self._seen[folder] = state, _read_entry(Path(folder), built_in=built_in)
                found.append(seen[1])
        shipped = {entry.id for entry in found if entry.built_in}
        return [entry for entry in found if entry.built_in or entry.id not in shipped]

    def _place(self, name: str, parts: dict[str, bytes]) -> None:
        """Put an article in its place in one step, or leave all as it was."""
        token = secrets.token_hex(4)
        new, old, place = (self.folder / f"{mark}{name}{end}" for mark, end in _places(token))
        new.mkdir()
        try:
            for part, data in parts.items():
                with (new / part).open("wb") as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
            _sync(new)
            load_article(new)
            if place.exists():
                os.replace(place, old)
            os.replace(new, place)
            _sync(self.folder)
        finally:
            shutil.rmtree(new, ignore_errors=True)
            if place.exists():
                shutil.rmtree(old, ignore_errors=True)
            elif old.exists():
                os.replace(old, place)

    def _recover(self) -> None:
        """Clear away what a process that was killed left behind, and put back what it had moved aside."""
        for left in sorted(self.folder.glob(f"{_OLD}*")):
            name = left.name.removeprefix(_OLD).rpartition("-")[0]
            if name and not (self.folder / name).exists():
                os.replace(left, self.folder / name)
            else:
                shutil.rmtree(left, ignore_errors=True)
        for left in self.folder.glob(f"{_NEW}*"):
            shutil.rmtree(left, ignore_errors=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the library alone."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.folder / ".lock")
            with lock:
                self._recover()
                yield
        except OSError as error:
            if isinstance(error, filelock.Timeout):
                raise
            where = Path(error.filename) if isinstance(error.filename, str) else self.folder
            problem = f"expected a library folder that can be written, found: {error.strerror or error}"
            raise ArticleError(where, 1, problem) from None

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Hold the library so that nobody changes it meanwhile; one that cannot be written needs no holding."""
        if not self.folder.is_dir() or not os.access(self.folder, os.W_OK):
            yield
        else:
            with self._writing():
                yield


def files_under(paths: Iterable[Path]) -> Iterator[Path]:
    """The files to read: those given, and under folders all but hidden ones; each ready article's folder as one.

    Raises:
        ArticleError: if a folder holds more files than anyone means to bring in.
    """
    for path in paths:
        if not path.is_dir() or path.is_symlink() or _is_ready(path):
            yield path
            continue
        count = 0
        for place, folders, names in os.walk(path):
            here = Path(place)
            ready = [name for name in folders if _is_ready(here / name)]
            yield from (here / name for name in sorted(ready))
            folders[:] = sorted(name for name in folders if name not in ready and not name.startswith("."))
            own = sorted(name for name in names if not name.startswith((".", "~$")))
            count += len(own)
            if count > _MOST_FILES:
                raise ArticleError(path, 1, f"expected at most {_MOST_FILES} files in a folder, found more")
            yield from (here / name for name in own)


def make_slug(text: str) -> str:
    """The Latin letters and digits of a text as an id: lower case, hyphens between words, 48 characters at most."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if len(slug) > 48:
        slug = slug[:48].rpartition("-")[0] or slug[:48]
    return slug


def _choose_id(draft: Draft, taken: set[str]) -> str:
    """A slug of the title where it is Latin, of the file's name where that is, or else a hash; never one in use."""
    digest = hashlib.sha256(draft.text.encode()).hexdigest()
    named = (make_slug(text) for text in (draft.title, draft.source.stem) if text.isascii())
    base = next((slug for slug in named if len(re.findall(r"[a-z]", slug)) >= 3), f"article-{digest[:8]}")
    if base not in taken:
        return base
    return next(name for n in range(6, 64) if (name := f"{base}-{digest[:n]}"[:64]) not in taken)


def _unchanged(entries: Iterable[Entry], source: Path, digest: str, disclaimer: str | None) -> Entry | None:
    """The article that this very file gave by these reading rules, whatever its path was then."""
    for entry in entries:
        if entry.source_sha256 == digest and digest and entry.reading == READING:
            other = disclaimer is not None and entry.given_disclaimer not in (None, disclaimer)
            if not other or entry.source != source:
                return entry
    return None


def _places(token: str) -> tuple[tuple[str, str], ...]:
    return ((_NEW, f"-{token}"), (_OLD, f"-{token}"), ("", ""))


def _article_toml(article_id: str, draft: Draft, source: Path, given_disclaimer: str | None) -> str:
    """JSON strings are TOML strings once the text is free of control characters, which `clean` sees to."""
    summary = draft.summary

    def quoted(text: str) -> str:
        return json.dumps(text.encode("utf-8", "replace").decode(), ensure_ascii=False).replace("\x7f", "\\u007f")

    lines = [
        f"id = {quoted(article_id)}",
        f"title = {quoted(draft.title)}",
        f"language = {quoted(draft.language)}",
        "",
        "[disclaimer]",
        f"sentences = {list(draft.disclaimer)}",
        f"origin = {quoted(summary.disclaimer)}",
        *([f"given = {quoted(given_disclaimer)}"] if given_disclaimer else []),
        "",
        "[source]",
        f"file = {quoted(str(source))}",
        f"sha256 = {quoted(draft.source_sha256)}",
        f"format = {quoted(summary.format)}",
        *([f"encoding = {quoted(summary.encoding)}"] if summary.encoding else []),
        f"reading = {quoted(READING)}",
        "",
        "[source.left_out]",
        *(f"{quoted(name)} = {count}" for name, count in summary.dropped.items()),
    ]
    return "\n".join(lines) + "\n"


def _read_entry(folder: Path, *, built_in: bool) -> Entry:
    """An article's entry; one whose metadata cannot be read keeps its folder's name, and fails when it is loaded."""
    entry = Entry(folder.name, folder.name, "", folder, built_in)
    try:
        meta: dict[str, Any] = tomllib.loads((folder / "article.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return entry
    source, disclaimer = meta.get("source"), meta.get("disclaimer")
    named = str(meta.get("id", ""))
    entry = replace(entry, id=named if _ID.fullmatch(named) else folder.name)
    entry = replace(entry, title=str(meta.get("title", folder.name)), language=str(meta.get("language", "zh-Hans")))
    if isinstance(source, dict):
        entry = replace(
            entry,
            source=Path(str(source["file"])) if "file" in source else None,
            source_sha256=str(source.get("sha256", "")),
            reading=str(source.get("reading", "")),
        )
    if isinstance(disclaimer, dict) and "given" in disclaimer:
        entry = replace(entry, given_disclaimer=str(disclaimer["given"]))
    return entry


def _is_ready(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and (path / "article.toml").is_file()


def _absolute(path: Path) -> Path:
    """The path from the root, its folders' links resolved but not its own: a link is refused, not followed."""
    return path.parent.resolve() / path.name


def _digest(path: Path) -> str:
    """The hash of a regular file, nothing for what is not one: reading it says what is wrong."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return ""
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def _same(file: Path, data: bytes | None) -> bool:
    return (file.read_bytes() if file.is_file() else None) == data


def _sync(folder: Path) -> None:
    """Make a folder's entries outlast a power cut, where folders can be synced."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
