"""A reranker: any CrossEncoder, here one of random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bot.chatbot import load_chatbot
from index.encoder import EncoderError
from index.reranker import CrossEncoderReranker
from tests.small_bert import save_bert
from tests.tiny import write_article

TEXTS = ["灯塔建于一九三七年", "守塔人叫林海", "它高三十米"]


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    from transformers import BertForSequenceClassification

    return str(save_bert(tmp_path_factory.mktemp("cross"), BertForSequenceClassification, num_labels=1))


def test_scores_are_those_of_sentence_transformers(cross_encoder: str) -> None:
    from sentence_transformers import CrossEncoder
    from torch.nn import Sigmoid

    pairs = [("灯塔多高?", text) for text in TEXTS]
    expected = CrossEncoder(cross_encoder, device="cpu").predict(pairs, activation_fn=Sigmoid())
    found = CrossEncoderReranker(cross_encoder).scores("灯塔多高?", TEXTS)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.shape == (3,)
    assert ((found > 0) & (found < 1)).all()
    assert len(set(found.tolist())) == 3


def test_model_that_cannot_be_loaded_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"expected a sentence-transformers CrossEncoder .*leave --reranker out"):
        CrossEncoderReranker(str(tmp_path / "nothing-here"))


def test_model_with_several_outputs_is_refused(tmp_path: Path) -> None:
    from transformers import BertForSequenceClassification

    folder = save_bert(tmp_path, BertForSequenceClassification, num_labels=3)
    with pytest.raises(EncoderError, match=r"expected a CrossEncoder with one output, .* has 3"):
        CrossEncoderReranker(str(folder))


def test_reranker_has_the_last_word_on_which_sentence_answers(cross_encoder: str, tmp_path: Path) -> None:
    write_article(tmp_path / "articles" / "lighthouse")
    plain, reranked = (
        load_chatbot(tmp_path / "articles", reranker=name, cache=tmp_path / "cache") for name in (None, cross_encoder)
    )
    reranker = CrossEncoderReranker(cross_encoder)
    moved = []
    for question in ("灯塔是哪一年建成的?", "守塔人叫什么?", "When was the lighthouse built?", "灯塔有多高?"):
        before, after = (bot.ask(question) for bot in (plain, reranked))
        assert after.status is before.status
        assert len(after.sentences) == len(before.sentences)
        if after.sentences:
            best = max(after.citations, key=lambda c: c.span_score)
            quote = next(s.quote for s in after.sentences if s.id == best.sentence_id)
            assert best.span_score == pytest.approx(float(reranker.scores(question, [quote])[0]), abs=1e-5)
            moved.append([s.id for s in after.sentences] != [s.id for s in before.sentences])
    assert any(moved)
