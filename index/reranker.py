"""A question and texts to how well each answers it, by a model that reads both together; optional and not shipped."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from index.encoder import EncoderError, FloatArray


class Reranker(Protocol):
    def scores(self, question: str, texts: Sequence[str]) -> FloatArray:
        """(len(texts),): the higher, the better the text answers, from 0 to 1."""


class CrossEncoderReranker:
    """Any sentence-transformers CrossEncoder with one output, by name or path."""

    def __init__(self, name: str) -> None:
        try:
            from sentence_transformers import CrossEncoder

            self._model = CrossEncoder(name, device=os.environ.get("YUANWEN_DEVICE", "cpu"))
        except ModuleNotFoundError as error:
            raise EncoderError(
                f"expected the package {error.name}, which answering without a reranker does not need, found none; "
                "next: make dev, or pip install sentence-transformers"
            ) from error
        except Exception as error:
            raise EncoderError(
                f"expected a sentence-transformers CrossEncoder called {name!r}, could not load it: {error}; "
                "give a folder or a name that this machine can reach, or leave --reranker out"
            ) from error
        if self._model.num_labels != 1:
            raise EncoderError(
                f"expected a CrossEncoder with one output, {name!r} has {self._model.num_labels}; "
                "give one that was trained to rank, such as BAAI/bge-reranker-v2-m3"
            )

    def scores(self, question: str, texts: Sequence[str]) -> FloatArray:
        from torch.nn import Sigmoid

        pairs = [(question, text) for text in texts]
        found = self._model.predict(pairs, activation_fn=Sigmoid(), show_progress_bar=False)
        return np.asarray(found, dtype=np.float32)
