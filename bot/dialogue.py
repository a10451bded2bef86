# ruff: noqa: E501  (a pattern is easier to read in one piece)
"""Questions in conversation: whether one leans on those before it, and whether it asks several things at once."""

from __future__ import annotations

import re

from bot.question import KINDS, asks
from corpus.language import core, search_key

TURNS = 3
"""How many earlier questions can matter."""

SHARE = 0.6
"""What an earlier question weighs beside the one that leans on it, and a whole question beside one of its parts."""

MOST_PARTS = 3

_SELF_NAMED = re.compile(
    r"(?:这|本|该)个? ?(?:篇|文章|文|网页|页面|网站|page|article|post|site)|\b(?:this|the) (?:article|page|post|piece|website|bot)\b|\bis it true(?: that)?\b|\bdoes it say\b|\bit says?\b"
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
_CHANGES_SUBJECT = re.compile(
    r"换(?:个|一个)(?:话题|问题|方面)|(?:问|说|聊)(?:个|一个|点)?(?:别的|其他的?|不相关的)|不说这个了|另一个问题|题外话|^对了"
    r"|\b(?:(?:different|another|new|unrelated|separate) (?:topic|subject|question|thing)|change (?:of|the) (?:topic|subject)"
    r"|changing (?:topic|subject)s?|by the way|btw|something else entirely|never ?mind)\b"
)
_JOINT = re.compile(
    r"([,，;；、?？。]\s*(?:(?:以及|并且?|同时|顺便|另外|还有|而且?|还|又|(?:and|plus|also)\b)\s*)?"
    r"|以及|并且|顺便问?|另外|还有|(?<=\s)(?:and also|and|plus|&|as well as)(?=\s))"
)
_ASKING = re.compile(
    r"什么|啥|哪|几|谁|怎|多少|多大|多久|如何|为何|是否|吗|\b(?:what|which|who|whom|whose|when|where|why|how|whether)\b"
)
_WORD = re.compile(r"[\u4e00-\u9fff]|[a-z0-9-]+")


def leans(question: str) -> bool:
    """Whether the wording itself points back: pronouns, ellipsis, a bare question word."""
    key = _SELF_NAMED.sub(" ", search_key(question)).strip()
    if _CHANGES_SUBJECT.search(key):
        return False
    return _LEANS.search(key) is not None or _BARE.match(key) is not None


def brief(question: str) -> bool:
    """Whether the question is so short that it may lean on the one before without saying so."""
    key = search_key(question)
    return len(_WORD.findall(key)) <= (5 if key.isascii() else 9) and not _CHANGES_SUBJECT.search(key)


def parts(question: str) -> list[str]:
    """The questions that one asks at once, none if it asks only one.

    >>> parts("who ran the Houston trial and what is its number?")
    ['who ran the houston trial', 'what is its number']
    >>> parts("serotonin and dopamine, what happens to them?")
    []
    """
    pieces = [piece.strip() for piece in _JOINT.split(core(search_key(question)).rstrip("?？。!！ "))]
    joints = ["", *pieces[1::2]]
    found = [piece for joint, piece in zip(joints, pieces[::2], strict=True) if _asking(piece, joint)]
    return found if 2 <= len(found) <= MOST_PARTS else []


def _asking(piece: str, joint: str) -> bool:
    """Whether a piece of a question asks something by itself; `and is depressed` does not, `, and is it safe` does."""
    if _ASKING.search(piece):
        return True
    predicate = joint == "and"
    return any(asked for kind, asked in zip(KINDS, asks(piece), strict=True) if not (predicate and kind == "yesno"))
