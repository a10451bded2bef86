"""Article, Section, Sentence: loading an article's folder and refusing one that is not sound."""

from __future__ import annotations

import csv
import hashlib
import random
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from corpus.segment import Span, split_sentences, trim

MAX_BYTES = 5_000_000
"""Largest article file that is read."""

_HEADING = re.compile(r"(#{1,6})[ \t]+(\S(?:.*\S)?)[ \t]*$")
_ITEM = re.compile(
    r"第[一二三四五六七八九十\d]+[项個个种條条点步]?[:：,，、]|[(（]?(?:\d{1,2}|[一二三四五六七八九十]{1,3})[)）.、][^\d]"
)
_RANGE = re.compile(r"(\d+)(?:-(\d+))?$")
_MARK = "\ufeff"
"""The byte order mark that some editors put first."""


class ArticleError(Exception):
    """An article's files are not sound; the message names file, line and what was expected."""

    def __init__(self, file: Path, line: int, problem: str) -> None:
        super().__init__(f"{file}:{line}: {problem}")
        self.file, self.line, self.problem = file, line, problem


class Evidence(StrEnum):
    """What kind of statement a sentence is."""

    MOUSE_STUDY = "mouse_study"
    HUMAN_TRIAL = "human_trial"
    TRIAL_REGISTRATION = "trial_registration"
    BACKGROUND = "background"
    OPINION = "opinion"
    DISCLAIMER = "disclaimer"
    REFERENCE = "reference"
    HEADING = "heading"
    CAPTION = "caption"
    UNLABELLED = "unlabelled"


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    level: int
    sentences: range
    """Sentence ids, the heading's own among them."""


@dataclass(frozen=True, slots=True)
class Sentence:
    id: int
    """Counts from 1 in reading order, headings included."""
    span: Span
    text: str
    section: int
    """Position in `Article.sections`."""
    paragraph: int
    """Counts from 0; a heading is a paragraph of its own."""
    evidence: Evidence
    item: int | None = None
    """Id of the sentence that opens the enumerated item (第一项 …, 2. …) that it belongs to."""
    translation: str | None = None

    @property
    def is_heading(self) -> bool:
        return self.evidence is Evidence.HEADING


@dataclass(frozen=True, slots=True)
class Term:
    """A glossary entry; the synonyms include the abbreviation."""

    zh: str
    en: str
    abbreviation: str | None
    synonyms_zh: tuple[str, ...]
    synonyms_en: tuple[str, ...]
    plain_zh: str
    plain_en: str

    @property
    def chinese(self) -> tuple[str, ...]:
        return (self.zh, *self.synonyms_zh)

    @property
    def names(self) -> tuple[str, ...]:
        own = (self.zh, self.en, *([self.abbreviation] if self.abbreviation else []))
        return tuple(dict.fromkeys((*own, *self.synonyms_zh, *self.synonyms_en)))


@dataclass(frozen=True, slots=True)
class BankQuestion:
    """A question that the article is known to answer with these sentences, or, with none, known not to answer."""

    text: str
    language: str
    sentences: tuple[int, ...]
    topic: str = ""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A place where the article itself is doubtful, for whoever quotes it."""

    sentence: int
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Figure:
    number: int
    sentences: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Article:
    """An article and everything that is known about it; compared by identity."""

    id: str
    title: str
    title_en: str | None
    language: str
    text: str
    """The file `article.md` as it is; every span counts its code points."""
    sha256: str
    sections: tuple[Section, ...]
    sentences: tuple[Sentence, ...]
    disclaimer: tuple[int, ...]
    publisher: str | None = None
    url: str | None = None
    paper: Mapping[str, Any] = field(default_factory=dict)
    figures: tuple[Figure, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    glossary: tuple[Term, ...] = ()
    questions: tuple[BankQuestion, ...] = ()
    gaps: tuple[BankQuestion, ...] = ()

    def sentence(self, sentence_id: int) -> Sentence:
        return self.sentences[sentence_id - 1]

    def section_of(self, sentence: Sentence) -> Section:
        return self.sections[sentence.section]

    @property
    def known(self) -> tuple[BankQuestion, ...]:
        """The questions that it is known to answer, then those that it is known not to."""
        return (*self.questions, *self.gaps)

    def with_bank(self, count: int, seed: int = 0) -> Article:
        """The article as it is when only so many of its questions and known gaps are written, drawn at random."""
        drawn = random.Random(seed).sample(self.known, min(count, len(self.known)))
        return replace(
            self,
            questions=tuple(question for question in drawn if question.sentences),
            gaps=tuple(question for question in drawn if not question.sentences),
        )

    @property
    def disclaimer_text(self) -> str:
        return "".join(self.sentence(n).text for n in self.disclaimer)

    @property
    def disclaimer_text_en(self) -> str | None:
        rows = [self.sentence(n).translation for n in self.disclaimer]
        return " ".join(row for row in rows if row) if rows and all(rows) else None


def sentence_hash(text: str) -> str:
    """The hash that pins a translation to its sentence: 8 hexadecimal digits of SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def load_article(folder: Path) -> Article:
    """Read and validate an article's folder: `article.md` and `article.toml`, the tables where there are any.

    Raises:
        ArticleError: naming the file and line that is not sound.
    """
    source = folder / "article.md"
    text = _read(source)
    meta = _meta(folder / "article.toml")
    sections, sentences = parse(text, run_in_headings=tuple(meta.get("run_in_headings", ())))
    if not sentences:
        raise ArticleError(source, 1, "expected at least one sentence, found none")
    checker = _Checker(folder / "article.toml", len(sentences))
    labels = checker.evidence(meta.get("evidence", {}), sentences)
    translations = _translations(folder / "translation.en.tsv", sentences)
    given = meta.get("disclaimer")
    disclaimer = checker.ids(given.get("sentences", ()), "disclaimer") if isinstance(given, dict) else ()
    if not disclaimer:
        raise ArticleError(checker.file, 1, "expected [disclaimer] sentences = [...], found no disclaimer sentence")
    return Article(
        id=str(meta["id"]),
        title=str(meta["title"]),
        title_en=meta.get("title_en"),
        language=str(meta.get("language", "zh-Hans")),
        text=text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        sections=sections,
        sentences=tuple(replace(s, evidence=labels[s.id], translation=translations.get(s.id)) for s in sentences),
        disclaimer=disclaimer,
        publisher=meta.get("publisher"),
        url=meta.get("url"),
        paper=dict(meta.get("paper", {})),
        figures=tuple(
            Figure(f["number"], checker.ids(f["sentences"], "figures"))
            for f in checker.tables(meta, "figures", {"number": int, "sentences": list})
        ),
        doubts=tuple(
            Doubt(checker.ids([d["sentence"]], "doubts")[0], d["zh"], d["en"])
            for d in checker.tables(meta, "doubts", {"sentence": int, "zh": str, "en": str})
        ),
        glossary=_glossary(folder / "glossary.tsv"),
        questions=_questions(folder / "questions.tsv", len(sentences)),
        gaps=_gaps(folder / "gaps.tsv"),
    )


def parse(text: str, run_in_headings: Sequence[str] = ()) -> tuple[tuple[Section, ...], tuple[Sentence, ...]]:
    """Sections and sentences of a Markdown text, one paragraph a line; headings are sentences too.

    A paragraph that opens with one of `run_in_headings` and a colon starts a section of that name.
    """
    sentences: list[Sentence] = []
    starts: list[tuple[str, int, int]] = [("", 0, 1)]
    at = paragraph = 0
    item: int | None = None
    for line in text.splitlines(keepends=True):
        span, at = trim(text, at, at + len(line)), at + len(line)
        if span is None:
            continue
        heading = _HEADING.match(span.of(text))
        if heading:
            starts.append((heading[2], len(heading[1]), len(sentences) + 1))
            item = None
            span = Span(span.start + heading.start(2), span.start + heading.end(2))
            spans = [span]
        else:
            label = next((h for h in run_in_headings if text.startswith((h + ":", h + "："), span.start)), None)
            if label:
                starts.append((label, starts[-1][1] or 2, len(sentences) + 1))
                item = None
            elif _ITEM.match(text, span.start, span.end):
                item = len(sentences) + 1
            spans = split_sentences(text, span.start, span.end)
        for piece in spans:
            evidence = Evidence.HEADING if heading else Evidence.UNLABELLED
            where = (len(starts) - 1, paragraph, evidence, item)
            sentences.append(Sentence(len(sentences) + 1, piece, piece.of(text), *where))
        paragraph += 1
    ends = [first for _, _, first in starts[1:]] + [len(sentences) + 1]
    kept = [Section(title, level, range(first, end)) for (title, level, first), end in zip(starts, ends, strict=True)]
    if kept and not kept[0].sentences:
        kept = kept[1:]
        sentences = [replace(s, section=s.section - 1) for s in sentences]
    return tuple(kept), tuple(sentences)


def _read(file: Path) -> str:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ArticleError(file, 1, f"expected a readable file, found: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise ArticleError(file, 1, f"expected at most {MAX_BYTES} bytes, found {len(data)}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ArticleError(file, line, f"expected UTF-8, found byte 0x{data[error.start]:02x}") from None
    if not text.strip():
        raise ArticleError(file, 1, "expected text, found an empty file")
    return text


def _meta(file: Path) -> dict[str, Any]:
    try:
        meta = tomllib.loads(_read(file).removeprefix(_MARK))
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        raise ArticleError(file, int(found[1]) if found else 1, f"expected TOML, found: {error}") from None
    for key in ("id", "title"):
        if not meta.get(key):
            raise ArticleError(file, 1, f"expected the key {key!r}, found none")
    return meta


def _rows(file: Path, columns: Sequence[str]) -> list[tuple[int, list[str]]]:
    """Line number and cells of each row under the header; an absent file has none."""
    if not file.exists():
        return []
    lines = _read(file).removeprefix(_MARK).splitlines()
    table = list(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    if table[0] != list(columns):
        raise ArticleError(file, 1, f"expected the columns {' '.join(columns)}, found {' '.join(table[0])}")
    rows = []
    for number, row in enumerate(table[1:], start=2):
        if len(row) != len(columns):
            raise ArticleError(file, number, f"expected {len(columns)} cells, found {len(row)}")
        rows.append((number, [cell.strip() for cell in row]))
    return rows


def _translations(file: Path, sentences: Sequence[Sentence]) -> dict[int, str]:
    found: dict[int, str] = {}
    rows = _rows(file, ("sid", "zh_sha256_8", "en"))
    for line, (sid, pin, english) in rows:
        if not sid.isdecimal() or not 1 <= int(sid) <= len(sentences):
            raise ArticleError(file, line, f"expected a sentence id from 1 to {len(sentences)}, found {sid!r}")
        if int(sid) in found:
            raise ArticleError(file, line, f"expected each sentence once, found {sid} again")
        wanted = sentence_hash(sentences[int(sid) - 1].text)
        if pin != wanted:
            raise ArticleError(
                file,
                line,
                f"expected hash {wanted} of sentence {sid}, found {pin}: the Chinese changed, translate it again",
            )
        if not english:
            raise ArticleError(file, line, f"expected a translation of sentence {sid}, found none")
        found[int(sid)] = english
    if rows and len(found) != len(sentences):
        missing = next(s.id for s in sentences if s.id not in found)
        raise ArticleError(file, len(rows) + 1, f"expected a row for each sentence, found none for {missing}")
    return found


def _names(cell: str) -> tuple[str, ...]:
    return () if cell == "-" else tuple(name.strip() for name in cell.split("|") if name.strip())


def _glossary(file: Path) -> tuple[Term, ...]:
    terms: dict[str, Term] = {}
    columns = ("zh", "en", "abbreviation", "synonyms_zh", "synonyms_en", "plain_zh", "plain_en")
    for line, (zh, en, short, more_zh, more_en, plain_zh, plain_en) in _rows(file, columns):
        if zh in terms:
            raise ArticleError(file, line, f"expected each term once, found {zh} again")
        if not zh or not en:
            raise ArticleError(file, line, "expected a term in both languages, found an empty cell")
        abbreviation = None if short == "-" else short
        terms[zh] = Term(zh, en, abbreviation, _names(more_zh), _names(more_en), plain_zh, plain_en)
    return tuple(terms.values())


def _questions(file: Path, count: int) -> tuple[BankQuestion, ...]:
    found: dict[str, BankQuestion] = {}
    for line, (question, language, ids) in _rows(file, ("question", "lang", "sids")):
        if question in found:
            raise ArticleError(file, line, f"expected each question once, found {question!r} again")
        try:
            sentences = tuple(int(n) for n in ids.split(","))
        except ValueError:
            raise ArticleError(file, line, f"expected sentence ids such as 12,13, found {ids!r}") from None
        if not all(1 <= n <= count for n in sentences):
            raise ArticleError(file, line, f"expected sentence ids from 1 to {count}, found {ids}")
        found[question] = BankQuestion(question, language, sentences)
    return tuple(found.values())


def _gaps(file: Path) -> tuple[BankQuestion, ...]:
    rows = _rows(file, ("question", "lang", "topic"))
    return tuple(BankQuestion(question, language, (), topic) for _, (question, language, topic) in rows)


@dataclass(frozen=True, slots=True)
class _Checker:
    """What `article.toml` says of sentences, each id within the article."""

    file: Path
    count: int

    def tables(self, meta: Mapping[str, Any], key: str, kinds: Mapping[str, type]) -> list[dict[str, Any]]:
        """The tables `[[key]]`, each with a value of its kind for every name."""
        tables = meta.get(key, [])
        for table in tables if isinstance(tables, list) else [tables]:
            for name, kind in kinds.items():
                if not isinstance(table, dict) or not isinstance(table.get(name), kind):
                    raise ArticleError(
                        self.file, self._line(key), f"expected {' and '.join(kinds)} in each [[{key}]], found: {table}"
                    )
        return list(tables)

    def ids(self, numbers: Sequence[int], key: str) -> tuple[int, ...]:
        if not isinstance(numbers, list | tuple):
            raise ArticleError(self.file, self._line(key), f"expected a list of ids in {key}, found {numbers!r}")
        for number in numbers:
            if not isinstance(number, int) or not 1 <= number <= self.count:
                raise ArticleError(
                    self.file,
                    self._line(key),
                    f"expected a sentence id from 1 to {self.count} in {key}, found {number!r}",
                )
        return tuple(numbers)

    def evidence(self, table: Mapping[str, Sequence[str]], sentences: Sequence[Sentence]) -> dict[int, Evidence]:
        labels = {s.id: s.evidence for s in sentences}
        given: dict[int, str] = {}
        for label, ranges in table.items():
            if label not in Evidence._value2member_map_:
                raise ArticleError(
                    self.file, self._line(label), f"expected one of {', '.join(Evidence)}, found {label}"
                )
            for text in ranges if isinstance(ranges, list) else [ranges]:
                match = _RANGE.match(text) if isinstance(text, str) else None
                first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
                if first > last:
                    raise ArticleError(self.file, self._line(label), f"expected a range such as 4-6, found {text!r}")
                self.ids((first, last), label)
                for number in range(first, last + 1):
                    if number in given:
                        raise ArticleError(
                            self.file,
                            self._line(label),
                            f"expected one label a sentence, found {given[number]} for {number}",
                        )
                    given[number] = label
                    labels[number] = Evidence(label)
        return labels

    def _line(self, key: str) -> int:
        lines = self.file.read_text(encoding="utf-8").splitlines()
        return next((i for i, line in enumerate(lines, start=1) if line.startswith((key, f"[{key}", f"[[{key}"))), 1)
