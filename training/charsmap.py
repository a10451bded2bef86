"""The character map that folds case, width, accents and traditional Chinese inside `tokenizer.json`."""

import tempfile
import unicodedata
from collections.abc import Iterable
from pathlib import Path

FIRST_HAN, LAST_HAN = 0x3400, 0x9FFF
"""What the pre-tokenizer treats as Chinese runs; rarer blocks become one unknown token a character."""
LATIN_END = 0x0250
COMBINING_MARKS = range(0x0300, 0x0370)


def is_han(character: str) -> bool:
    """Whether the character belongs to the block that a Chinese run is made of."""
    return FIRST_HAN <= ord(character) <= LAST_HAN


def _strip_accents(text: str) -> str:
    if not text or ord(text[0]) >= LATIN_END:
        return text
    decomposed = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(c for c in decomposed if unicodedata.category(c) != "Mn"))


def character_rules(known_han: frozenset[str]) -> dict[str, str]:
    """Return what each character turns into, for those that change.

    A Chinese character outside `known_han` turns into a space: WordPiece would else lose the whole run around it.
    """
    from opencc import OpenCC

    simplify = OpenCC("t2s").convert
    rules: dict[str, str] = {}
    for code in range(0x20, 0x20000):
        character = chr(code)
        category = unicodedata.category(character)
        if category in ("Cn", "Cs", "Co"):
            continue
        if code in COMBINING_MARKS or character in "\u200b\u200c\u200d\ufeff\u00ad":
            rules[character] = ""
            continue
        folded = _strip_accents(unicodedata.normalize("NFKC", character).casefold())
        folded = unicodedata.normalize("NFKC", folded).replace("’", "'").replace("‘", "'")
        folded = "".join(simplify(c) if is_han(c) else c for c in folded)
        folded = "".join(" " if is_han(c) and c not in known_han else c for c in folded)
        if folded != character:
            rules[character] = folded
    return rules


def compile_charsmap(rules: dict[str, str]) -> bytes:
    """Return the rules as the double-array trie that a `Precompiled` normalizer reads."""
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2

    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "rules.tsv")
        table.write_text("".join(f"{_hex(a)}\t{_hex(b)}\n" for a, b in rules.items()), encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["a b c d e f"] * 8),
            model_prefix=str(Path(folder, "dummy")),
            vocab_size=10,
            model_type="char",
            hard_vocab_limit=False,
            normalization_rule_tsv=str(table),
            minloglevel=2,
        )
        model = sentencepiece_model_pb2.ModelProto()
        model.ParseFromString(Path(folder, "dummy.model").read_bytes())
        return bytes(model.normalizer_spec.precompiled_charsmap)


def _hex(characters: Iterable[str]) -> str:
    return " ".join(f"{ord(c):X}" for c in characters)
