# ruff: noqa: E501  (a pattern is easier to read in one piece)
"""What a question asks for, and what a sentence has to give: the kinds that answers come in."""

from __future__ import annotations

import re
from collections.abc import Mapping

_FLAGS = re.IGNORECASE

ASKS: Mapping[str, re.Pattern[str]] = {
    kind: re.compile(pattern, _FLAGS)
    for kind, pattern in {
        "number": r"多少|几[个次种项组倍周天年]|数量|数目|多大|how many|how much|how often|number of|how large|percent",
        "date": r"哪年|哪一年|几几年|什么时候|何时|年份|日期|\bwhen\b|(?:which|what) (?:year|date)|how recent",
        "trial_id": r"注册号|登记号|编号|号码|\bnct|registration (?:number|no)|registry|identifier|trial (?:number|id)|\bid\b",
        "person": r"谁|哪位|作者|教授|\bwho\b|\bwhose\b|author|professor|researcher",
        "place": r"哪里|哪儿|哪国|哪个国家|哪所|哪家|机构|\bwhere\b|(?:which|what) (?:university|country|institution|state|place)|sponsor",
        "list": r"哪些|哪几|有什么|有啥|包括|列出|列举|分别|\blist\b|what are|which .{1,30}s\b|name (?:the|all|two|three|four)",
        "why": r"为什么|为何|为啥|原因|缘由|\bwhy\b|reason|how come|because of what|cause",
        "how": r"怎么|怎样|如何|机制|途径|通路|\bhow (?!many|much|often|large|old|long)|mechanism|pathway|by what means|route",
        "yesno": r"吗|么[?？]?$|是否|有没有|能不能|会不会|是不是|可不可以|^(?:is|are|do|does|did|can|could|has|have|had|was|were|will|would)\b",
        "compare": r"比|优于|差异|区别|不如|相当|强于|胜过|\bvs\b|versus|better|worse|compar|\bthan\b|differ|beat|match|superior|equal",
        "define": r"是什么|什么是|何谓|啥是|啥叫|定义|含义|意思|指什么|what is|what are|what does .{1,30} mean|defin|meaning|stand for",
        "figure": r"图\s?[一二三四五六\d]|哪张图|哪幅图|图片|\bfig(?:ure|\.)?\b|picture|panel",
        "summary": r"总结|概括|概述|归纳|主要内容|讲了什么|summar|overview|recap|in short|main (?:point|finding|conclusion)",
        "status": r"状态|进展|动态|近况|还在|招募|终止|停了|进行|\bstatus\b|recruit|terminat|ongoing|still|stop",
        "mention": r"提到|提及|提过|提了|谈到|讲到|说到|涉及|mention|br(?:ought|ing) up|c[ao]mes? up|touch(?:ed|es)? on|talk(?:ed|s)? about|discuss|refer(?:red|s)? to",
        "aim": r"目的|目标|旨在|想要?(?:评估|考察|看|知道|弄清)|\baim|purpose|goal|objective|intend|set out|trying to",
    }.items()
}

GIVES: Mapping[str, re.Pattern[str]] = {
    kind: re.compile(pattern, _FLAGS)
    for kind, pattern in {
        "number": r"(?<![A-Za-z\-\dⅠ-Ⅹ])\d++(?:\.\d++(?![-A-Za-z]))?(?![-A-Za-z])|(?<![一二三四五六七八九十两百千万亿])[一二三四五六七八九十两百千万亿]+[个项种次周年组条]|双重|\b(?:one|two|three|four|five|ten|million|billion)\b",
        "date": r"(?:19|20)\d\d|(?<!\d)\d+年|近年|近期|\b(?:january|february|march|april|may|june|july|august|september|october|november|december)\b",
        "trial_id": r"NCT\d+|ClinicalTrials",
        "person": r"教授|博士|研究人员|科研人员|等人|et al|professor|dr\.",
        "place": r"大学|中心|学院|医院|国|校区|university|hospital|institute|center|centre",
        "list": r"、[^、，,。]{1,20}(?:、|和|及|与)|,[^,]{1,40}(?:,| and )",
        "why": r"因|由于|原因|导致|归因|because|due to|reason",
        "how": r"通过|借助|从而|经由|途径|机制|通路|利用|through|by \w+ing|via|mechanism",
        "yesno": r".",
        "compare": r"优于|相当|差异|强于|高于|低于|相较|优势|相比|superior|compar|than|difference|advantage",
        "define": r"是一[种个类]|指的是|称为|即|标志物|其特征|\bis an?\b|known as|refers to",
        "figure": r"图\s?\d|示意图|figure|schematic",
        "summary": r"总结|综上|因此|表明|支持|总之|therefore|overall|in summary|conclu",
        "status": r"招募|终止|正在进行|状态|动态|recruit|terminat|ongoing|complet",
        "mention": r".",
        "aim": r"旨在|目的|目标|以阐明|以评估|为此|\baim|purpose|objective|in order to",
    }.items()
}

KINDS = tuple(ASKS)

_ORDINAL = re.compile(
    r"第\s?([一二三四五六七八九十\d])\s?(?:项|个|種|种|条|條|點|点|步)?|\b(first|second|third|fourth|fifth|1st|2nd|3rd|4th|5th|last|final)\b|最后(?:一[项个])",
    _FLAGS,
)
_ORDINALS = {
    "first": 1,
    "second": 2,
    "third": 3,
    "fourth": 4,
    "fifth": 5,
    "1st": 1,
    "2nd": 2,
    "3rd": 3,
    "4th": 4,
    "5th": 5,
}
_NUMERALS = {numeral: value for value, numeral in enumerate("一二三四五六七八九十", start=1)}


def asks(key: str) -> list[bool]:
    """For each of KINDS, whether the question asks for it; takes a search key."""
    return [ASKS[kind].search(key) is not None for kind in KINDS]


def gives(text: str) -> list[bool]:
    """For each of KINDS, whether the sentence has something of it."""
    return [GIVES[kind].search(text) is not None for kind in KINDS]


def ordinal(key: str) -> int | None:
    """Which item of a list a question or a sentence names: 1 for the first, -1 for the last."""
    match = _ORDINAL.search(key)
    if not match:
        return None
    if match[1]:
        return int(match[1]) if match[1].isdecimal() else _NUMERALS[match[1]]
    return _ORDINALS.get((match[2] or "").lower(), -1)


_NUMBERS = re.compile(r"\d+(?:\.\d+)?")


def numbers(key: str) -> frozenset[str]:
    """Numbers written in a search key: years, counts, parts of identifiers."""
    return frozenset(_NUMBERS.findall(key))
