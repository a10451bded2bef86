# ruff: noqa: E501  (a pattern is easier to read in one piece)
"""Follow-up questions: whether a question leans on the ones before it."""

from __future__ import annotations

import re

from corpus.language import search_key

TURNS = 3
"""How many earlier questions can matter."""

SHARE = 0.6
"""What an earlier question weighs beside the one that leans on it."""

_SELF_NAMED = re.compile(
    r"(?:这|本|该)(?:篇|文章|文|网页|页面)|\b(?:this|the) (?:article|page|post|piece|website|bot)\b|\bis it true(?: that)?\b|\bdoes it say\b|\bit says?\b"
)
_LEANS = re.compile(
    r"^(?:那么?|还有|另外|所以|但是?|而且?|可是|结果呢|然后)|呢[?？。!！~]*$"
    r"|它|其(?!他|它|中|余|实)|这(?:个|种|项|些|样|里|时)|那(?:个|种|项|些|样|里|边)|上述|前者|后者|刚才|前面|上面|此(?:外|前|后)?(?=[\u4e00-\u9fff])|该"
    r"|^(?:and|but|so|then|also|or|what about|how about|what else|why|how come|how so|really)\b"
    r"|\b(?:it|its|they|them|their|theirs|those|these|this|that one|that|he|she|his|her|ones?|former|latter|there|same|else|either|both)\b"
)
_BARE = re.compile(
    r"^(?:为什么|为何|为啥|原因|怎么会|结果|状态|编号|目的|谁做的|什么时候|哪一?年|在哪里?|多少|几次|why|how|when|who|where|which|status|reason|more)[呢吗的是?？ ]*$"
)
_WORD = re.compile(r"[\u4e00-\u9fff]|[a-z0-9-]+")


def leans(question: str) -> bool:
    """Whether the wording itself points back: pronouns, ellipsis, a bare question word."""
    key = _SELF_NAMED.sub(" ", search_key(question)).strip()
    return _LEANS.search(key) is not None or _BARE.match(key) is not None


def brief(question: str) -> bool:
    """Whether the question is so short that it may lean on the one before without saying so."""
    key = search_key(question)
    return len(_WORD.findall(key)) <= (5 if key.isascii() else 9)
