"""The encoder in the repository: small enough, and the same through both loaders."""

from pathlib import Path

import numpy as np
import pytest

MODEL = Path(__file__).parents[2] / "index" / "model"
TEXTS = [
    "间充质干细胞能否治疗抑郁症？",
    "間充質幹細胞能否治療抑鬱症？",
    "Can mesenchymal stem cells help people with depression?",
    "BDNF 升高了 12.5%，don't you think? ½ \U00020000",
    "情绪 mood " * 600,
]
UNREADABLE = ["", "жизнь"]


@pytest.fixture(scope="module")
def static_vectors() -> np.ndarray:
    from model2vec import StaticModel

    return np.asarray(StaticModel.from_pretrained(MODEL).encode(TEXTS), np.float32)


def test_folder_stays_within_forty_megabytes() -> None:
    assert sum(file.stat().st_size for file in MODEL.rglob("*") if file.is_file()) <= 40_000_000


def test_both_loaders_give_the_same_vectors(static_vectors: np.ndarray) -> None:
    from sentence_transformers import SentenceTransformer

    vectors = SentenceTransformer(str(MODEL), device="cpu").encode(TEXTS)
    np.testing.assert_allclose(np.asarray(vectors, np.float32), static_vectors, atol=1e-3)


def test_token_vectors_average_to_the_text_vector(static_vectors: np.ndarray) -> None:
    from model2vec import StaticModel

    for tokens, vector in zip(
        StaticModel.from_pretrained(MODEL).encode_as_sequence(TEXTS), static_vectors, strict=True
    ):
        mean = tokens.astype(np.float32).mean(0) if len(tokens) else np.zeros_like(vector)
        np.testing.assert_allclose(mean / max(np.linalg.norm(mean), 1e-9), vector, atol=1e-3)


def test_traditional_text_reads_as_simplified(static_vectors: np.ndarray) -> None:
    np.testing.assert_allclose(static_vectors[0], static_vectors[1], atol=1e-6)


def test_text_without_a_known_token_has_no_direction() -> None:
    from model2vec import StaticModel

    assert not StaticModel.from_pretrained(MODEL).encode(UNREADABLE).any()


def test_question_is_nearer_to_its_translation_than_to_another(static_vectors: np.ndarray) -> None:
    assert static_vectors[0] @ static_vectors[2] > static_vectors[0] @ static_vectors[3] + 0.3
