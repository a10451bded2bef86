"""The bilingual tokenizer: greedy longest match over a chosen vocabulary, in one plain `tokenizer.json`."""

from collections.abc import Sequence

from tokenizers import Regex, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import Precompiled
from tokenizers.pre_tokenizers import Split

from training.charsmap import character_rules, compile_charsmap, is_han

UNKNOWN = "[UNK]"
WORDS = r"[\u3400-\u9fff]{1,64}|\p{Han}|[\p{L}\p{M}]+'(?:t|re|ve|ll|m|d)\b|'s\b|[\p{L}\p{M}]+|\p{N}+|[?!%+#°$&=<>]"
"""What is kept of a text: Chinese runs, words (don't in one, Tom's in two), numbers, a few signs."""
LONGEST_WORD = 128


def build_tokenizer(vocabulary: Sequence[str]) -> Tokenizer:
    """Return a tokenizer whose ids follow the vocabulary's order; `[UNK]` is id 0 and keeps a zero vector."""
    entries = {UNKNOWN: 0}
    for word in vocabulary:
        entries.setdefault(word, len(entries))
    known_han = frozenset(word for word in entries if len(word) == 1 and is_han(word))
    tokenizer = Tokenizer(
        WordPiece(entries, unk_token=UNKNOWN, continuing_subword_prefix="", max_input_chars_per_word=LONGEST_WORD)
    )
    tokenizer.normalizer = Precompiled(compile_charsmap(character_rules(known_han)))
    tokenizer.pre_tokenizer = Split(Regex(WORDS), behavior="removed", invert=True)
    return tokenizer
