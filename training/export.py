"""Writing the table as a folder that sentence-transformers and the torch-free loader both read."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import Tokenizer

MODULES = [
    {"idx": 0, "name": "0", "path": ".", "type": "sentence_transformers.models.StaticEmbedding"},
    {"idx": 1, "name": "1", "path": "1_Normalize", "type": "sentence_transformers.models.Normalize"},
]
CONFIG = {
    "model_type": "model2vec",
    "architectures": ["StaticModel"],
    "normalize": True,
    "max_length": None,
    "embedding_dtype": "int8",
    "matryoshka_dims": [512, 256, 128],
}
SENTENCE_TRANSFORMERS_CONFIG: dict[str, Any] = {
    "prompts": {},
    "default_prompt_name": None,
    "similarity_fn_name": "cosine",
}


@dataclass(frozen=True, slots=True)
class Quantised:
    """A table as bytes with one scale a row: a vector is its bytes times its scale."""

    rows: NDArray[np.int8]
    scales: NDArray[np.float32]

    @classmethod
    def of(cls, rows: NDArray[np.float32]) -> "Quantised":
        """Round to bytes; row 0, the unknown token, becomes zero so that no loader gives it a say."""
        scales = (np.abs(rows).max(axis=1) / 127).astype(np.float32)
        scales[0] = 0
        divisors = np.where(scales > 0, scales, np.inf)[:, None]
        return cls(np.rint(rows / divisors).astype(np.int8), scales)

    def vectors(self) -> NDArray[np.float32]:
        """Return what the bytes stand for."""
        return self.rows * self.scales[:, None]


def export(folder: Path, table: Quantised, tokenizer: Tokenizer) -> None:
    """Write the model as a folder."""
    if len(table.rows) != tokenizer.get_vocab_size():
        raise ValueError(
            f"expected one row a token ({tokenizer.get_vocab_size()}), found {len(table.rows)}; train the table again"
        )
    folder.mkdir(parents=True, exist_ok=True)
    lengths = np.linalg.norm(table.vectors(), axis=1)
    # model2vec's names; lengths are what StaticEncoder would otherwise work out at each start.
    tensors = {"embeddings": table.rows, "weights": table.scales, "lengths": lengths}
    save_file(tensors, folder / "model.safetensors")
    (folder / "model.safetensors").chmod(0o644)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    (folder / "1_Normalize").mkdir(exist_ok=True)
    for name, value in (
        ("modules.json", MODULES),
        ("config.json", CONFIG),
        ("config_sentence_transformers.json", SENTENCE_TRANSFORMERS_CONFIG),
        ("1_Normalize/config.json", {}),
    ):
        (folder / name).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
