"""Encoders: the shipped one through both its loaders, and any other sentence-transformers model in its place."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from bot.answer import Answer
from bot.chatbot import load_chatbot
from index.encoder import (
    SHIPPED_MODEL,
    EncoderError,
    StaticEncoder,
    TransformerEncoder,
    folder_hash,
    load_encoder,
    unit_rows,
)
from tests.small_bert import save_bert
from tests.tiny import write_article

TEXTS = [
    "间充质干细胞是什么",
    "mesenchymal stem cells",
    "hUC-MSCs能穿过血脑屏障 (BBB) 吗",
    "IL-1β, TNF-α",
    "a",
    "抑郁" * 200,
]


@pytest.fixture(scope="session")
def small_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence-transformers folder with a BERT of random weights, made on the spot."""
    from sentence_transformers import SentenceTransformer, models
    from transformers import BertModel

    folder = tmp_path_factory.mktemp("bert")
    body = models.Transformer(str(save_bert(folder / "body", BertModel)), max_seq_length=64)
    made = SentenceTransformer(
        modules=[body, models.Pooling(body.get_embedding_dimension())],
        prompts={"query": "ask ", "passage": "text "},
        device="cpu",
    )
    made.save(str(folder / "model"))
    return folder / "model"


def test_shipped_encoder_gives_the_vectors_of_sentence_transformers(shipped_encoder: StaticEncoder) -> None:
    from sentence_transformers import SentenceTransformer

    other = SentenceTransformer(str(SHIPPED_MODEL), device="cpu")
    vectors = np.asarray(other.encode(TEXTS, normalize_embeddings=True), dtype=np.float32)
    np.testing.assert_allclose(shipped_encoder.encode_passages(TEXTS), vectors, atol=1e-3)


def test_shipped_vectors_have_length_one(shipped_encoder: StaticEncoder) -> None:
    vectors = shipped_encoder.encode_queries(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), shipped_encoder.dim)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)


@pytest.mark.parametrize("text", ["", "\u200b", "жизнь"])
def test_text_without_a_known_token_is_a_zero_vector(shipped_encoder: StaticEncoder, text: str) -> None:
    vector = shipped_encoder.encode_passages([text])[0]
    assert np.isfinite(vector).all()
    assert not shipped_encoder.token_ids([text])[0].size
    assert not vector.any()


def test_text_vector_is_the_mean_of_its_token_vectors(shipped_encoder: StaticEncoder) -> None:
    table = shipped_encoder.table
    ids = shipped_encoder.token_ids(TEXTS[:3])
    sums = np.array([(table.weights[i, None] * table.vectors([i])[0]).sum(axis=0) for i in ids])
    np.testing.assert_allclose(unit_rows(sums), shipped_encoder.encode_passages(TEXTS[:3]), atol=1e-3)


def test_batch_makes_no_difference(shipped_encoder: StaticEncoder) -> None:
    together = shipped_encoder.encode_passages(TEXTS)
    alone = np.concatenate([shipped_encoder.encode_passages([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_unit_rows_leave_zero_alone() -> None:
    np.testing.assert_allclose(unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])), [[0.6, 0.8], [0.0, 0.0]])


def test_model_hash_sees_every_byte_but_the_model_card(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(SHIPPED_MODEL, folder)
    before = folder_hash(folder)
    assert before == folder_hash(SHIPPED_MODEL)
    (folder / "README.md").write_text("another card", encoding="utf-8")
    assert folder_hash(folder) == before
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert folder_hash(folder) != before


def test_folder_without_a_model_is_refused_with_the_next_command(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"expected a static encoder .* found none; .*make train"):
        StaticEncoder(tmp_path)


def test_model_that_cannot_be_loaded_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"expected a sentence-transformers model .*leave --encoder out"):
        load_encoder(str(tmp_path / "nothing-here"))


def test_folder_of_the_shipped_kind_is_loaded_as_one(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED_MODEL, tmp_path / "mine")
    encoder = load_encoder(str(tmp_path / "mine"))
    assert isinstance(encoder, StaticEncoder)
    assert encoder.name == "mine"


def test_prompts_are_those_given_or_the_models_own(small_bert: Path) -> None:
    own, none = TransformerEncoder(str(small_bert)), TransformerEncoder(str(small_bert), "", "")
    text = ["灯塔建于哪一年"]
    np.testing.assert_allclose(own.encode_queries(text), none.encode_queries(["ask 灯塔建于哪一年"]), atol=1e-5)
    np.testing.assert_allclose(own.encode_passages(text), none.encode_queries(["text 灯塔建于哪一年"]), atol=1e-5)
    assert not np.allclose(own.encode_queries(text), own.encode_passages(text))


def test_e5_gets_its_prompts_by_its_name(small_bert: Path, tmp_path: Path) -> None:
    folder = tmp_path / "multilingual-e5-small"
    shutil.copytree(small_bert, folder)
    e5, plain = TransformerEncoder(str(folder)), TransformerEncoder(str(small_bert), "query: ", "passage: ")
    np.testing.assert_allclose(e5.encode_queries(["灯塔"]), plain.encode_queries(["灯塔"]), atol=1e-5)
    np.testing.assert_allclose(e5.encode_passages(["灯塔"]), plain.encode_passages(["灯塔"]), atol=1e-5)


def test_any_sentence_transformers_model_can_take_the_shipped_ones_place(small_bert: Path, tmp_path: Path) -> None:
    write_article(tmp_path / "articles" / "lighthouse")
    bot = load_chatbot(tmp_path / "articles", encoder=str(small_bert), cache=tmp_path / "cache")
    held = bot.articles[0]
    for question in ("灯塔是哪一年建成的?", "When was the lighthouse built?", "How old is the keeper of the tower?"):
        answer = bot.ask(question)
        assert isinstance(answer, Answer)
        assert answer.disclaimer.text == held.disclaimer_text
        assert all(held.text[s.span.start : s.span.end] == s.quote for s in answer.sentences)
    hits = bot.retriever.retrieve(bot.retriever.prepare("守塔人叫什么?"))
    assert hits
    assert all(np.isfinite(hit.retrieval_score) for hit in hits)
    assert any(hit.lexical > 0 for hit in hits)
