"""The licensed files the encoder learns from, and how much each of them counts."""

import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SUFFIX = ".tsv.xz"


@dataclass(frozen=True, slots=True)
class Source:
    """One file of pairs: `share` scales how often it is drawn, `vocabulary_weight` how much its words count."""

    name: str
    share: float = 1.0
    vocabulary_weight: float = 1.0
    passages: bool = False
    """Whether its rows are sentences that can be strung together to a passage."""


KNOWN = {
    source.name: source
    for source in (
        Source("jiyu_example_sentences", share=2.0, passages=True),
        Source("jiyu_more", share=1.5, passages=True),
        Source("tatoeba_manythings", share=3.0, vocabulary_weight=2.0),
        Source("subtitle_delldu", share=1.5, vocabulary_weight=2.0),
        Source("captions_3am", share=0.7),
        Source("chinaxiv_abstract_sentences", share=3.0, vocabulary_weight=3.0, passages=True),
        Source("chinaxiv_captions", share=1.0, vocabulary_weight=3.0),
        Source("chinaxiv_titles", share=2.0, vocabulary_weight=3.0),
        Source("chinaxiv_keywords", share=1.0, vocabulary_weight=3.0),
        Source("chinaxiv_terms", share=1.0, vocabulary_weight=3.0),
        Source("zh_qa_medical", share=3.0, vocabulary_weight=2.0),
        Source("python_docs_po", share=0.4, vocabulary_weight=0.2, passages=True),
        Source("cc_cedict", share=0.6, vocabulary_weight=0.3),
        Source("ecdict_terms", share=0.4, vocabulary_weight=0.3),
        Source("ecdict_medical_bio_chem", share=0.5, vocabulary_weight=0.3),
        Source("openehr_clinical", share=1.0, vocabulary_weight=1.0),
        Source("tico19_terms", share=1.0, vocabulary_weight=2.0),
        Source("qald10_questions", share=2.0, vocabulary_weight=2.0),
        Source("mgsm_questions", share=1.0),
        Source("nextstrain_covid_reports", share=1.0),
    )
}

ARTICLES = Source("articles", share=3.0)
"""Glossaries and translations of the articles in the repository, which the folder of pairs does not hold."""


def find_sources(folder: Path) -> list[Source]:
    """Return the sources that lie in the folder, by name; a file without settings gets the plain ones."""
    names = sorted(path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}"))
    if not names:
        raise FileNotFoundError(
            f"expected training pairs (*{SUFFIX}) in {folder}, found none; pass their folder with --data DIR"
        )
    return [KNOWN.get(name, Source(name)) for name in names]


def read_pairs(folder: Path, source: Source) -> Iterator[tuple[str, str]]:
    """Yield the pairs of one source, left side first."""
    with lzma.open(folder / f"{source.name}{SUFFIX}", "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            left, tab, right = line.rstrip("\n").partition("\t")
            if not tab:
                raise ValueError(
                    f"expected two columns in line {number} of {source.name}{SUFFIX}, found one; mend the line"
                )
            yield left, right
