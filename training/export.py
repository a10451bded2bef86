"""Writing the table as a folder that sentence-transformers and the torch-free loader both read."""

import json
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
    "embedding_dtype": "float16",
    "matryoshka_dims": [256, 128],
}
SENTENCE_TRANSFORMERS_CONFIG: dict[str, Any] = {
    "prompts": {},
    "default_prompt_name": None,
    "similarity_fn_name": "cosine",
}


def export(folder: Path, rows: NDArray[np.float32], tokenizer: Tokenizer) -> None:
    """Write the model; row 0, the unknown token, stays zero so that both loaders give it no say."""
    if len(rows) != tokenizer.get_vocab_size():
        raise ValueError(
            f"expected one row a token ({tokenizer.get_vocab_size()}), found {len(rows)}; train the table again"
        )
    folder.mkdir(parents=True, exist_ok=True)
    half = rows.astype(np.float16)
    half[0] = 0
    save_file({"embeddings": half}, folder / "model.safetensors")
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
