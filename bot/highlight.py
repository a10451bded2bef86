"""Which words of a quoted sentence to mark."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from bot.question import GIVES, KINDS, asks
from corpus.language import search_key
from corpus.segment import Span, Tokenizer
from index.encoder import Encoder, FloatArray

ALIKE = 0.5
"""A word of the sentence with this cosine to a word of the question is one of its words."""

COMMON = 0.05
"""Tokens among this share of the least important ones (的, the) are marked for nothing."""

_POINTED = ("trial_id", "date", "number", "person", "figure")
"""Kinds whose pattern is the answer itself; the others only announce it."""


class Highlighter:
    """Marks what a question asks for (a number, a date, an identifier), else the words that it shares."""

    def __init__(self, encoder: Encoder, tokenizer: Tokenizer) -> None:
        self._encoder, self._tokenizer = encoder, tokenizer
        weights = encoder.table.weights if encoder.table is not None else np.zeros(1, np.float32)
        self._floor = float(np.quantile(weights, COMMON))
        self._words = lru_cache(maxsize=2048)(self._words_of)

    def highlights(self, question: str, sentence: str) -> tuple[Span, ...]:
        """Spans within the sentence, in order, not overlapping; none rather than all of it."""
        key = search_key(question)
        wanted = dict(zip(KINDS, asks(key), strict=True))
        pointed = [
            Span(*match.span())
            for kind in _POINTED
            if wanted[kind]
            for match in GIVES[kind].finditer(sentence)
            if match.group().lower() not in key
        ]
        marked = _joined(pointed or self._shared(key, sentence), sentence)
        return marked if sum(s.end - s.start for s in marked) < 0.7 * len(sentence) else ()

    def _shared(self, key: str, sentence: str) -> list[Span]:
        spans, units, weights = self._words(sentence)
        table = self._encoder.table
        if table is None or not len(spans):
            words = {token.text for token in self._tokenizer.tokens(key)}
            return [span for span in spans if search_key(span.of(sentence)) in words and span.end - span.start > 1]
        ids = self._encoder.token_ids([key])[0]
        if not ids.size:
            return []
        weighty = table.weights[ids] >= self._floor
        close = (units @ table.vectors(ids[weighty]).T).max(axis=1, initial=0) >= ALIKE
        named = [len(word) > 1 and word in key for word in (search_key(span.of(sentence)) for span in spans)]
        return [spans[i] for i in np.flatnonzero((close | named) & (weights >= self._floor))]

    def _words_of(self, sentence: str) -> tuple[list[Span], FloatArray, FloatArray]:
        """Each word with the mean vector and the weight of its tokens."""
        tokens = [t for t in self._tokenizer.tokens(sentence) if any(c.isalnum() for c in t.text)]
        table = self._encoder.table
        if table is None:
            return [t.span for t in tokens], np.empty((0, 1), np.float32), np.empty(0, np.float32)
        spans, units, weights = [], [], []
        for token, ids in zip(tokens, self._encoder.token_ids([search_key(t.text) for t in tokens]), strict=True):
            if ids.size:
                vector = (table.vectors(ids) * table.weights[ids, None]).sum(axis=0)
                spans.append(token.span)
                units.append(vector / max(float(np.linalg.norm(vector)), 1e-9))
                weights.append(table.weights[ids].max())
        return spans, np.array(units, dtype=np.float32).reshape(len(spans), -1), np.array(weights, dtype=np.float32)


def _joined(spans: list[Span], text: str) -> tuple[Span, ...]:
    """Overlapping spans, and those with nothing but a space or a hyphen between them, as one."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start, -s.end)):
        if joined and not text[joined[-1].end : span.start].strip(" -"):
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return tuple(joined)
