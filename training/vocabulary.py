"""Which words the table has a row for: counted, not guessed, under the very tokenizer that will read them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.trainers import BpeTrainer
from tqdm import tqdm

from training.charsmap import FIRST_HAN, LAST_HAN, is_han
from training.tokenizer import build_tokenizer

HAN_RUN = re.compile(f"[{chr(FIRST_HAN)}-{chr(LAST_HAN)}]+")
ENGLISH_WORD = re.compile(r"[a-z]+'(?:t|re|ve|ll|m|d)\b|'s\b|[a-z]+|[0-9]+|[α-ω]")
SINGLE_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789αβγδεζηθικλμνξοπρστυφχψω'?!%+#°$&=<>"
LONGEST_TERM = 6
BATCH = 20_000

Weights = defaultdict[str, float]


@dataclass(slots=True)
class Counts:
    """Weighted counts of Chinese words and English words."""

    chinese: Weights = field(default_factory=lambda: defaultdict(float))
    english: Weights = field(default_factory=lambda: defaultdict(float))

    def add(self, other: "Counts") -> None:
        """Add another part's counts."""
        for own, theirs in ((self.chinese, other.chinese), (self.english, other.english)):
            for word, weight in theirs.items():
                own[word] += weight


def count_words(texts: Iterable[tuple[str, float]], terms: Sequence[str]) -> Counts:
    """Count the words of already normalised texts; `terms` are added to jieba's dictionary first."""
    import jieba

    jieba.setLogLevel("ERROR")
    cutter = jieba.Tokenizer()
    for term in terms:
        cutter.add_word(term)
    counts = Counts()
    for text, weight in texts:
        for run in HAN_RUN.findall(text):
            for word in cutter.lcut(run, HMM=False):
                counts.chinese[word] += weight
        for word in ENGLISH_WORD.findall(text):
            counts.english[word] += weight
    return counts


def count_characters(words: Weights) -> Weights:
    """Return how often each character occurs in the counted words."""
    characters: Weights = defaultdict(float)
    for word, weight in words.items():
        for character in word:
            characters[character] += weight
    return characters


def english_pieces(words: Weights, size: int) -> list[str]:
    """Return the pieces that rare English words are made of, most useful first."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = WhitespaceSplit()
    trainer = BpeTrainer(vocab_size=size, show_progress=False, min_frequency=20)
    lines = (" ".join([word] * min(int(count) + 1, 50)) for word, count in sorted(words.items()) if word.isalpha())
    tokenizer.train_from_iterator(lines, trainer)
    return sorted(tokenizer.get_vocab(), key=lambda piece: tokenizer.token_to_id(piece) or 0)


def candidates(counts: Counts, floor: float, pieces: int) -> list[str]:
    """Return every word that might earn a row, in a stable order."""
    chinese = [w for w, n in counts.chinese.items() if n >= floor and (len(w) <= LONGEST_TERM)]
    english = [w for w, n in counts.english.items() if n >= floor and len(w) <= 20]
    return sorted({*chinese, *english, *english_pieces(counts.english, pieces)})


def prune(words: Sequence[str], required: Sequence[str], texts: Sequence[tuple[str, float]], size: int) -> list[str]:
    """Keep the `size` words that greedy matching really uses most; the required ones always stay."""
    tokenizer = build_tokenizer([*required, *words])
    used = [0.0] * tokenizer.get_vocab_size()
    for start in tqdm(range(0, len(texts), BATCH), desc=f"prune to {size}", unit_scale=BATCH, leave=False):
        batch = texts[start : start + BATCH]
        encodings = tokenizer.encode_batch_fast([text for text, _ in batch], add_special_tokens=False)
        for encoding, (_, weight) in zip(encodings, batch, strict=True):
            for token in encoding.ids:
                used[token] += weight
    kept = dict.fromkeys(required)
    ranked = sorted(set(words) - set(kept), key=lambda w: (-used[tokenizer.token_to_id(w) or 0], w))
    return sorted([*kept, *ranked[: size - len(kept)]], key=lambda w: (not is_han(w[0]), w))
