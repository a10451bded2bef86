"""Notice people in danger, requests for personal medical advice, small talk and injections, before anything else runs.

The rules are data (`bot/rules/*.toml`, written to be read by a clinician); this module normalises a question and
matches them. It needs no index, no encoder and no article.
"""

from __future__ import annotations

import enum
import functools
import json
import math
import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import opencc

RULES = Path(__file__).parent / "rules"

LONGEST_GRAM = 4
LONGEST_PHRASE = 3

# A longer text is judged by its first and last halves of this length, so that time stays bounded.
LIMIT = 4_000


class Concern(enum.Enum):
    """What a question calls for, most urgent first."""

    CRISIS = "crisis"
    ADVICE = "advice"
    INJECTION = "injection"
    TOPIC = "topic"
    SMALLTALK = "smalltalk"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Assessment:
    """A concern, its finer kind (such as `implicit` or `greeting`) and the rule that found it."""

    concern: Concern
    intent: str = ""
    rule: str = ""
    mentions_topic: bool = False


@dataclass(frozen=True, slots=True)
class Views:
    """One text as the rules read it: `zh` without spaces, `en` as spaced words; a comma ends each clause."""

    zh: str
    en: str

    @property
    def joined(self) -> str:
        """Both as one text."""
        return self.zh + self.en


_IGNORED = {"Cf", "Mn", "Me", "Cc", "Co", "Cs", "Cn"}
_CLAUSE_ENDS = frozenset(",.!?;:。、…\n\r\t")
_LEET = str.maketrans("013457@$!|", "oieastasil")
_SQUEEZED = re.compile(r"([^\W\d])\1{2,}")
_LEET_WORD = re.compile(r"(?<![\w@$])[a-z$@]{1,12}[0134578@$!|]{1,3}[a-z]{1,12}(?![\w@$])")
_SPELT_OUT = re.compile(r"(?<![^ ])(?:[a-z0-9] ){2,}[a-z0-9](?![^ ])")
_SPELT_OUT_LETTER = re.compile(r"(?<![^ ])[a-z] [a-z] ")
_HAN = re.compile(r"[㐀-鿿]")
_CLAUSE_GAP = re.compile(r" ?,[ ,]*")
_LATIN = re.compile(r"[a-z]")
_HAN_RUN = re.compile(r"([㐀-鿿]+)")
_HAN_STROKES = re.compile(r"(?:[㐀-鿿],){2,}[㐀-鿿]")


@functools.cache
def _simplify() -> Callable[[str], str]:
    """The traditional-to-simplified converter, loaded on first use."""
    convert: Callable[[str], str] = opencc.OpenCC("t2s").convert
    return convert


def normalise(text: str) -> Views:
    """Fold width, case, script, invisible characters, punctuation, look-alike digits and spelt-out words away."""
    if len(text) > LIMIT:
        text = text[: LIMIT // 2] + "\n" + text[-LIMIT // 2 :]
    if text.isascii():
        text = text.casefold()
    else:
        text = unicodedata.normalize("NFKC", text).casefold()
        text = unicodedata.normalize("NFKC", "".join(_visible(text)))
        if not text.isascii():
            text = _simplify()(text).replace("著", "着")
    text = _close_up(text).replace("'", "").replace("’", "").replace("‘", "").replace("`", "")
    text = _LEET_WORD.sub(lambda match: match[0].translate(_LEET), text)
    text = _SQUEEZED.sub(r"\1", text)
    text = _CLAUSE_GAP.sub(",", "".join(_neutral(text))).strip(", ")
    zh = en = ""
    if _HAN.search(text):
        zh = "," + text.replace(" ", "") + ","
        if _HAN_STROKES.search(zh):
            zh += _HAN_STROKES.sub(lambda match: match[0].replace(",", ""), zh)
    if _LATIN.search(text) or (text and not zh):
        words = " ".join(_HAN_RUN.sub(r" \1 ", text).replace(",", " , ").split())
        if _SPELT_OUT_LETTER.search(words):
            words = _SPELT_OUT.sub(lambda match: match[0].replace(" ", ""), words)
        en = f" , {words} , "
    return Views(zh, en)


def _close_up(text: str) -> str:
    """Words whose letters stand apart ("t h i s   w a y") closed up, where the gaps between words are wider."""
    if "  " not in text:
        return text
    tokens = text.split()
    if len(tokens) < 8 or sum(len(token) == 1 for token in tokens) < 0.8 * len(tokens):
        return text
    return " ".join(word.replace(" ", "") for word in text.split("  "))


def _visible(text: str) -> Iterator[str]:
    category = unicodedata.category
    for character in unicodedata.normalize("NFKD", text):
        if character.isascii() or category(character) not in _IGNORED:
            yield character


def _neutral(text: str) -> Iterator[str]:
    """Letters, digits and `*` (a letter someone hid) as they are, ends of clauses as commas, all else as a space."""
    for place, character in enumerate(text):
        if character.isalnum() or character == "*":
            yield character
        elif character in _CLAUSE_ENDS:
            # "st. john", "s.u.i" and "0.05": a full stop inside a word ends nothing.
            inner = (
                character == "." and place + 1 < len(text) and text[place + 1].isalnum() and text[place + 1].isascii()
            )
            yield " " if inner else ","
        else:
            yield " "


@dataclass(frozen=True, slots=True)
class Rule:
    """Parts that must all occur in one view, and parts that must not."""

    source: str
    wanted: tuple[re.Pattern[str], ...]
    unwanted: tuple[re.Pattern[str], ...]
    # One of each of these signs (last characters in Chinese, first words in English) occurs wherever the rule matches.
    signs: tuple[frozenset[str], ...]

    def matches(self, view: str, signs: frozenset[str]) -> bool:
        """Whether every wanted part occurs in the view and no unwanted one does."""
        for needed in self.signs:
            if needed.isdisjoint(signs):
                return False
        return all(part.search(view) for part in self.wanted) and not any(part.search(view) for part in self.unwanted)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules of one kind in both languages, after phrases that only look alike have been masked."""

    concern: Concern
    intent: str
    zh: tuple[Rule, ...]
    en: tuple[Rule, ...]

    def first(self, views: Views) -> Rule | None:
        """The first rule that matches, zh before en."""
        for rules, view, split in ((self.zh, views.zh, list[str]), (self.en, views.en, str.split)):
            if view:
                signs = frozenset(split(view))
                for rule in rules:
                    if rule.matches(view, signs):
                        return rule
        return None


@dataclass(frozen=True, slots=True)
class Masks:
    """Phrases that are taken out of a question before something else is matched, in both languages."""

    zh: re.Pattern[str]
    en: re.Pattern[str]

    def __call__(self, views: Views) -> Views:
        return Views(self.zh.sub("□", views.zh), self.en.sub("□ ", views.en))


@dataclass(frozen=True, slots=True)
class Reading:
    """One question as the rules of each kind read it."""

    views: Views
    asked: Views
    """Without the polite frame round it."""
    real: Views
    """Without phrases that only look alike."""
    personal: Views
    """Without suicide as a subject of study, too."""


@dataclass(frozen=True, slots=True, repr=False)
class Masking:
    """What is taken out of questions before they are judged."""

    lookalikes: Masks
    topic_nouns: Masks
    frames: Masks

    @classmethod
    def load(cls, folder: Path = RULES) -> Masking:
        """Read and compile the phrases of the rule files."""
        words, crisis = _read(folder / "words.toml"), _read(folder / "crisis.toml")

        def masks(table: Mapping[str, Any], kind: str) -> Masks:
            zh, en = (
                re.compile("|".join(_part(source, words[language], language, []) for source in table[kind][language]))
                for language in ("zh", "en")
            )
            return Masks(zh, en)

        return cls(
            masks(crisis, "lookalikes"),
            masks(crisis, "topic_nouns"),
            masks(_read(folder / "conversation.toml"), "frames"),
        )

    def read(self, text: str) -> Reading:
        """A question made ready for the rules and for the second opinions."""
        views = normalise(text)
        real = self.lookalikes(views)
        return Reading(views, self.frames(views), real, self.topic_nouns(real))


def runs(views: Views) -> set[str]:
    """What a second opinion reads of a text: its short runs of characters and, between spaces, of English words."""
    text, words = views.joined, views.en.split()
    grams = {text[i : i + n] for n in range(1, LONGEST_GRAM + 1) for i in range(len(text) - n + 1)}
    phrases = {
        f" {' '.join(words[i : i + n])} " for n in range(1, LONGEST_PHRASE + 1) for i in range(len(words) - n + 1)
    }
    return grams | phrases


@dataclass(frozen=True, slots=True, repr=False)
class SecondOpinion:
    """A linear reading of runs of characters and of words, for what no rule foresaw; fitted by `training.safety`."""

    heard: RuleSet
    """The questions that it may speak on."""
    threshold: float
    """Above this it speaks where no rule has."""
    certain: float
    """Above this it speaks whatever is asked."""
    denial: float
    """Below this a rule for signs without the words is not believed."""
    bias: float
    weights: Mapping[str, int]

    def sees(self, views: Views, asked: Views) -> bool:
        """Whether a question scores above the threshold, if what is asked lets it be judged, or beyond doubt."""
        score = self.score(views)
        if not self.threshold < score <= self.certain:
            return score > self.certain
        # A question in both languages is a Chinese one.
        return self.heard.first(Views(asked.zh, "") if asked.zh else asked) is not None

    def denies(self, views: Views) -> bool:
        """Whether a question sounds nothing like it."""
        return self.score(views) < self.denial

    def score(self, views: Views) -> float:
        """How much a question sounds like what is looked for: log-odds."""
        found = [weight for run in runs(views) if (weight := self.weights.get(run)) is not None]
        return self.bias + sum(found) / 1000 / max(1.0, math.sqrt(len(found)))


@dataclass(frozen=True, slots=True, repr=False)
class SafetyRules:
    """All rules, compiled; `assess` judges one question."""

    explicit: RuleSet
    implicit: RuleSet
    topic: RuleSet
    injection: RuleSet
    advice: tuple[RuleSet, ...]
    small_talk: tuple[RuleSet, ...]
    crisis_opinion: SecondOpinion
    advice_opinion: SecondOpinion
    masking: Masking

    @classmethod
    def load(cls, folder: Path = RULES) -> SafetyRules:
        """Read and compile the rule files.

        Raises `ValueError`, naming the file and the rule, where a rule cannot be read.
        """
        words = _read(folder / "words.toml")
        crisis = _read(folder / "crisis.toml")
        advice = _read(folder / "advice.toml")
        conversation = _read(folder / "conversation.toml")
        fitted = _read_fitted(folder / "second_opinion.json")

        def rules(file: str, table: Mapping[str, Any], concern: Concern, intent: str) -> RuleSet:
            compiled = {
                language: tuple(
                    _compile_rule(source, words[language], language, f"{file} [{intent}]")
                    for source in table[intent].get(language, [])
                )
                for language in ("zh", "en")
            }
            return RuleSet(concern, intent, compiled["zh"], compiled["en"])

        def opinion(file: str, table: Mapping[str, Any], concern: Concern) -> SecondOpinion:
            given = table["second_opinion"]
            return SecondOpinion(
                rules(file, table, concern, "second_opinion"),
                float(given["threshold"]),
                float(given.get("certain", math.inf)),
                float(given.get("denial", -math.inf)),
                *fitted[concern],
            )

        try:
            return cls(
                explicit=rules("crisis.toml", crisis, Concern.CRISIS, "explicit"),
                implicit=rules("crisis.toml", crisis, Concern.CRISIS, "implicit"),
                topic=rules("crisis.toml", crisis, Concern.TOPIC, "topic"),
                injection=rules("conversation.toml", conversation, Concern.INJECTION, "injection"),
                advice=tuple(
                    rules("advice.toml", advice, Concern.ADVICE, kind) for kind in advice if kind != "second_opinion"
                ),
                small_talk=tuple(
                    rules("conversation.toml", conversation, Concern.SMALLTALK, kind)
                    for kind in conversation
                    if kind not in ("injection", "frames")
                ),
                crisis_opinion=opinion("crisis.toml", crisis, Concern.CRISIS),
                advice_opinion=opinion("advice.toml", advice, Concern.ADVICE),
                masking=Masking.load(folder),
            )
        except KeyError as error:
            raise ValueError(
                f"rules in {folder}: expected the table {error}, found none; compare with the shipped bot/rules"
            ) from error

    def assess(self, text: str) -> Assessment:
        """The most urgent concern in one question; a crisis outranks everything else."""
        read = self.masking.read(text)
        if not read.views.zh and not read.views.en:
            return Assessment(Concern.SMALLTALK, "nonsense")
        topic = self.topic.first(read.real)

        def found(rules: RuleSet, rule: str) -> Assessment:
            return Assessment(rules.concern, rules.intent, rule, topic is not None)

        if rule := self.explicit.first(read.personal):
            return found(self.explicit, rule.source)
        if (rule := self.implicit.first(read.personal)) and not self.crisis_opinion.denies(read.personal):
            return found(self.implicit, rule.source)
        crisis = self.crisis_opinion.sees(read.personal, self.masking.frames(read.personal))
        for rules in (self.injection, *(() if crisis else self.advice), *self.small_talk):
            if rule := rules.first(read.asked if rules.concern is Concern.ADVICE else read.views):
                return found(rules, rule.source)
        if crisis:
            return found(self.implicit, "second opinion")
        if self.advice_opinion.sees(read.asked, read.asked):
            return found(self.advice_opinion.heard, "second opinion")
        if topic:
            return found(self.topic, topic.source)
        return Assessment(Concern.NONE)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"safety rules {path}: expected a TOML file, found: {error}; reinstall yuanwen") from error


def _read_fitted(path: Path) -> dict[Concern, tuple[float, dict[str, int]]]:
    """Bias and weights, in thousandths, of both second opinions."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {
            concern: (float(content[concern.value]["bias"]), content[concern.value]["weights"])
            for concern in (Concern.CRISIS, Concern.ADVICE)
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: expected fitted weights, found: {error!r}; run `python -m training.safety`"
        ) from error


_TOKEN = re.compile(
    r"(?P<not>!?)(?:\{(?P<groups>[\w|]+)\}|\((?P<choices>[^()]*)\)|(?P<literal>[^\s{}()~^$!?*]+))(?P<times>[?*]?)"
    r"|~(?P<gap>\d+)|(?P<edge>\^{1,2}|\${1,2})|(?P<space>\s+)"
)


def _compile_rule(source: str, words: Mapping[str, Sequence[str]], language: str, place: str) -> Rule:
    wanted: list[re.Pattern[str]] = []
    unwanted: list[re.Pattern[str]] = []
    signs: list[frozenset[str]] = []
    # The first part is always wanted, so that an English rule may begin with the word "not".
    for part in f"& {source}".split("& ")[1:]:
        forbidden = bool(wanted) and part.startswith("not ")
        into = unwanted if forbidden else wanted
        try:
            into.append(
                re.compile(
                    _part(part.removeprefix("not ") if forbidden else part, words, language, [] if forbidden else signs)
                )
            )
        except (KeyError, ValueError, re.error) as error:
            raise ValueError(
                f"{place}: expected a rule as explained in words.toml, found {source!r}: {error}"
            ) from error
    return Rule(source, tuple(wanted), tuple(unwanted), tuple(signs))


def _part(source: str, words: Mapping[str, Sequence[str]], language: str, signs: list[frozenset[str]]) -> str:
    """Translate one part of a rule into a regular expression whose gaps are bounded, so that matching stays linear.

    Collects into `signs` what its obligatory words begin (English) or end (Chinese) with.
    """
    spaced = language == "en"
    out = ["(?<= )"] if spaced else []
    place = 0
    while place < len(source):
        token = _TOKEN.match(source, place)
        if token is None:
            raise ValueError(f"cannot read {source[place:]!r}")
        place = token.end()
        if token["space"]:
            continue
        if gap := token["gap"]:
            out.append(f"(?:[^ ,]+ ){{0,{gap}}}" if spaced else f"[^,]{{0,{gap}}}")
        elif edge := token["edge"]:
            comma = " , " if spaced else ","
            edges = {
                "^": f"(?<={comma})",
                "$": f"(?={comma.lstrip()})",
                "^^": rf"(?<=\A{comma})",
                "$$": rf"(?={comma.lstrip()}\Z)",
            }
            out.append(edges[edge])
        else:
            if groups := token["groups"]:
                phrases = [phrase for group in groups.split("|") for phrase in words[group]]
            elif token["choices"] is not None:
                phrases = token["choices"].split("|")
            else:
                phrases = [token["literal"]]
            if unreadable := [p for p in phrases if p.strip() != "$" and any(sign in p for sign in "~{}^$")]:
                raise ValueError(f"a choice may hold words only, found {unreadable[0]!r}")
            body = _spaced_choice(phrases) if spaced else _choice(phrase.replace(" ", "") for phrase in phrases)
            if not token["not"] and not token["times"] and "$" not in phrases:
                sign = frozenset(_sign(phrase, spaced) for phrase in phrases)
                if not any(word.endswith("%") for word in sign):
                    signs.append(sign)
            times = {"": "", "?": "?", "*": "{0,3}"}[token["times"]]
            out.append(f"(?!{body})" if token["not"] else f"(?:{body}){times}")
    return "".join(out)


def _sign(phrase: str, spaced: bool) -> str:
    return phrase.split()[0] if spaced else phrase.strip()[-1]


def _choice(phrases: Iterable[str]) -> str:
    """Any of these Chinese phrases, the longest first; what begins alike is tried once, or floods would take long."""
    tails: dict[str, set[str]] = {}
    for phrase in phrases:
        tails.setdefault(phrase[:1], set()).add(phrase[1:])
    branches = [_branch(first, tails[first]) for first in sorted(tails) if first]
    return "|".join([*branches, ""] if "" in tails else branches)


def _branch(first: str, tails: set[str]) -> str:
    if first == "$":
        return "(?=,)"
    return re.escape(first) + (re.escape(*tails) if len(tails) == 1 else f"(?:{_choice(tails)})")


def _spaced_choice(phrases: Iterable[str]) -> str:
    """Any of these English phrases, the longest first; a trailing `%` stands for any ending of a word."""
    return "|".join(_spaced_phrase(phrase.strip()) for phrase in sorted(set(phrases), key=lambda p: (-len(p), p)))


def _spaced_phrase(phrase: str) -> str:
    if phrase == "$":
        return "(?=, )"
    escaped = re.escape(phrase.replace(" ", "\0")).replace("\0", " ")
    return escaped.replace("%", "[^ ,]*") + " "
