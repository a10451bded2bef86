"""BERTs of random weights, made on the spot, for whatever takes any model of sentence-transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CHARACTERS = "灯塔建于年高三十米它每晚亮个小时守人叫林海今七岁鼠跑得更快abcdefghijklmnopqrstuvwxyz0123456789"


def save_bert(folder: Path, kind: Any, **settings: Any) -> Path:
    """Write a small model of a BERT class and its tokenizer; the folder.

    Args:
        kind: `BertModel`, or one with a head such as `BertForSequenceClassification`.
        settings: of its configuration, besides the sizes.
    """
    from tokenizers import Tokenizer, decoders, pre_tokenizers, processors
    from tokenizers.models import WordPiece
    from torch import manual_seed
    from transformers import BertConfig, PreTrainedTokenizerFast

    manual_seed(1)
    characters = sorted(set(CHARACTERS))
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *characters, *(f"##{c}" for c in characters)]
    tokenizer = Tokenizer(WordPiece({t: n for n, t in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=64,
    )
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
        **settings,
    )
    kind(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder
