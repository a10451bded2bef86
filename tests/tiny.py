"""A tiny encoder, a scripted reader and articles written on the spot: parts of which a test knows everything."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bot.features import Asked
from bot.reader import Reading, Scored
from corpus.article import parse, sentence_hash
from index.encoder import FloatArray, IntArray, TokenTable, unit_rows
from index.retriever import BankMatch, Hit, SentenceEvidence

ROOT = Path(__file__).parents[1]
ARTICLE = ROOT / "corpus" / "articles" / "msc-depression"

_TOKEN = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+")


class TinyEncoder:
    """A table of random vectors; a Chinese character or a Latin word is a token, hashed into one of 512 rows."""

    def __init__(self, name: str = "tiny", seed: int = 7, dim: int = 24) -> None:
        random = np.random.default_rng(seed)
        vectors = unit_rows(random.normal(size=(512, dim)))
        self._table = TokenTable(vectors, random.uniform(0.5, 2.0, 512).astype(np.float32))
        self.name, self.fingerprint, self.dim = name, f"seed {seed}", dim

    @property
    def table(self) -> TokenTable:
        return self._table

    def encode_queries(self, texts: Sequence[str]) -> FloatArray:
        return self.encode_passages(texts)

    def encode_passages(self, texts: Sequence[str]) -> FloatArray:
        sums = [self._table.weights[ids] @ self._table.vectors(ids) for ids in self.token_ids(texts)]
        return unit_rows(np.array(sums, dtype=np.float32).reshape(len(texts), self.dim))

    def token_ids(self, texts: Sequence[str]) -> list[IntArray]:
        return [np.array([zlib.crc32(t.encode()) % 512 for t in _TOKEN.findall(x)], dtype=np.int32) for x in texts]


class TablelessEncoder(TinyEncoder):
    """The same vectors without a table, as from a transformer: no token of its own to compare."""

    @property
    def table(self) -> None:  # type: ignore[override]
        return None

    def encode_passages(self, texts: Sequence[str]) -> FloatArray:
        return TinyEncoder(seed=7, dim=self.dim).encode_passages(texts)

    def token_ids(self, texts: Sequence[str]) -> list[IntArray]:
        return [np.empty(0, dtype=np.int32) for _ in texts]


@dataclass(frozen=True, slots=True)
class ScriptedReader:
    """A reader that has made up its mind: these sentences, whatever is asked."""

    ids: tuple[int, ...]
    answers: bool = True
    on_topic: bool = True

    def read(self, asked: Asked, hits: Sequence[Hit], evidence: SentenceEvidence, bank: Sequence[BankMatch]) -> Reading:
        held = {s.id: Scored(evidence.article, s, 1 / (1 + s.id), 0.5) for s in evidence.sentences}
        chosen = tuple(held[n] for n in self.ids)
        rest = tuple(scored for n, scored in held.items() if n not in self.ids)
        return Reading(
            ranked=chosen + rest[:10],
            chosen=chosen,
            answerable=0.9 if self.answers else 0.1,
            margin=1.0 if self.answers else -1.0,
            on_topic=self.on_topic,
        )


TEXT = """# 海边的灯塔

灯塔建于1902年,高三十米。它每晚亮八个小时。守塔人叫林海,今年七十岁。

## 结果

研究人员在小鼠身上试验了新的灯油。小鼠跑得更快;它们睡得更好!

第一项:更换镜片。
目的:让光照得更远。

第二项:修理楼梯。

说明:本文只供参考,不能代替航海人员的意见。
"""

META = """
id = "lighthouse"
title = "海边的灯塔"
title_en = "The lighthouse by the sea"
run_in_headings = ["说明"]

[disclaimer]
sentences = [12]

[evidence]
mouse_study = ["6-8"]
background = ["2-4"]
disclaimer = ["12"]
"""

GLOSSARY = (
    "zh\ten\tabbreviation\tsynonyms_zh\tsynonyms_en\tplain_zh\tplain_en\n"
    "灯塔\tlighthouse\tLH\t导航塔\tbeacon|light house\t夜里发光的塔。\tA tower that shines at night.\n"
    "守塔人\tkeeper\t-\t-\t-\t看守灯塔的人。\tWho keeps the tower.\n"
)

QUESTIONS = (
    "question\tlang\tsids\n灯塔是哪一年建成的?\tzh\t2\nHow old is the keeper of the tower?\ten\t4\n"
    "小鼠的睡眠有什么变化?\tzh\t8\nWhen was the lighthouse built?\ten\t2\n"
)

GAPS = "question\tlang\ttopic\n灯塔的造价是多少?\tzh\tcost\nHow much did the lighthouse cost?\ten\tcost\n"


def translations(text: str, headings: Sequence[str] = ("说明",)) -> str:
    """A table with a row for each sentence, pinned as it should be."""
    _, sentences = parse(text, headings)
    rows = [f"{s.id}\t{sentence_hash(s.text)}\tEnglish of sentence {s.id}." for s in sentences]
    return "\n".join(("sid\tzh_sha256_8\ten", *rows)) + "\n"


def write_article(folder: Path, changes: Mapping[str, str | None] | None = None) -> Path:
    """The folder of an article about a lighthouse, with some files changed or, for None, left out."""
    changes = dict(changes or {})
    files: dict[str, str | None] = {
        "article.md": TEXT,
        "article.toml": META,
        "translation.en.tsv": ""
        if "translation.en.tsv" in changes
        else translations(changes.get("article.md") or TEXT),
        "glossary.tsv": GLOSSARY,
        "questions.tsv": QUESTIONS,
        "gaps.tsv": GAPS,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (files | changes).items():
        if content is None:
            (folder / name).unlink(missing_ok=True)
        else:
            (folder / name).write_text(content, encoding="utf-8")
    return folder
