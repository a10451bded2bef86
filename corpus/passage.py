"""The unit that is retrieved: whole sentences of one section, chunked on sentence and word boundaries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from corpus.article import Article, Sentence
from corpus.segment import Span, Tokenizer

MIN_CHARACTERS = 80
MAX_CHARACTERS = 220
CHUNKING = (
    f"v1: whole sentences of one section and item, {MIN_CHARACTERS}-{MAX_CHARACTERS} characters, cut between words"
)
"""Goes into the index manifest: another rule means another index."""

_PAUSES = frozenset("，,、；;：:—")


@dataclass(frozen=True, slots=True)
class Passage:
    article: str
    number: int
    """Counts from 1 within the article."""
    section: int
    span: Span
    text: str
    sentences: range
    """Ids of the sentences that it holds, whole or, for one too long, in part."""

    @property
    def id(self) -> str:
        return f"{self.article}/p{self.number}"


def passages(article: Article, tokenizer: Tokenizer) -> list[Passage]:
    """Chunk an article; headings are context of the passages under them, not passages, unless nothing follows."""
    found: list[Passage] = []

    def add(section: int, start: int, end: int, first: int, last: int) -> None:
        text = article.text[start:end]
        found.append(Passage(article.id, len(found) + 1, section, Span(start, end), text, range(first, last + 1)))

    for number, section in enumerate(article.sections):
        held = [article.sentence(n) for n in section.sentences]
        body = [s for s in held if not s.is_heading] or held
        for group in _groups(body):
            first, last = group[0], group[-1]
            if len(group) == 1 and len(first.text) > MAX_CHARACTERS:
                for piece in _pieces(first, tokenizer):
                    add(number, piece.start, piece.end, first.id, first.id)
            else:
                add(number, first.span.start, last.span.end, first.id, last.id)
    return found


def _groups(sentences: list[Sentence]) -> Iterator[list[Sentence]]:
    """Neighbouring sentences, together until the next would be too much, a paragraph ends, or another item begins."""
    group: list[Sentence] = []
    for sentence in sentences:
        if group:
            length = sentence.span.end - group[0].span.start
            full = group[-1].span.end - group[0].span.start >= MIN_CHARACTERS
            new_item = sentence.item != group[-1].item
            if new_item or length > MAX_CHARACTERS or (full and sentence.paragraph != group[-1].paragraph):
                yield group
                group = []
        group.append(sentence)
    if group:
        yield group


def _pieces(sentence: Sentence, tokenizer: Tokenizer) -> Iterator[Span]:
    """Parts of a sentence that is too long, cut after a pause if one is near, always between two words."""
    begin = word = pause = 0
    for token in tokenizer.tokens(sentence.text):
        if token.span.end - begin > MAX_CHARACTERS and word > begin:
            cut = pause if pause - begin >= MIN_CHARACTERS else word
            yield Span(sentence.span.start + begin, sentence.span.start + cut)
            begin = cut
        word = token.span.end
        if token.text[-1] in _PAUSES:
            pause = word
    yield Span(sentence.span.start + begin, sentence.span.end)
