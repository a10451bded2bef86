"""Every user-facing string, in Chinese and English; traditional script is converted from the simplified."""

from __future__ import annotations

from typing import Literal

import opencc

from bot.answer import Reason
from corpus.article import Evidence
from corpus.language import Language

Tongue = Literal["zh", "zh-Hant", "en"]


def tongue(language: Language) -> Tongue:
    """The language that the bot's own sentences are in, for a question in this one."""
    if language == "en":
        return "en"
    return "zh-Hant" if language == "zh-Hant" else "zh"


def say(text: dict[str, str], language: Tongue) -> str:
    """One string in the reader's language."""
    if language == "zh-Hant":
        return str(opencc.OpenCC("s2twp").convert(text["zh"]))
    return text[language]


REASONS: dict[Reason, dict[str, str]] = {
    Reason.OFF_TOPIC: {
        "zh": "这个问题与本文无关,文章没有相关内容。",
        "en": "This question is not about the article, and the article says nothing on it.",
    },
    Reason.NOT_IN_ARTICLE: {
        "zh": "文章没有提到这一点。下面是文中与之相近、但不能回答它的句子。",
        "en": "The article does not say. Below are related sentences from it, which are not an answer.",
    },
    Reason.MEDICAL_ADVICE: {
        "zh": "这是需要医生判断的个人医疗问题,本文和本问答都不能替代医生或药剂师的意见,请咨询医生。",
        "en": "This is a personal medical question. Neither the article nor this page can replace a doctor or "
        "pharmacist: please ask one.",
    },
    Reason.CRISIS: {
        "zh": "听起来您或您关心的人正处在很痛苦的时刻,请现在就联系能帮到您的人。\n"
        "中国大陆:心理援助热线 12356(每天至少开通 18 小时);有生命危险请拨打 120 或 110。\n"
        "美国:988(自杀与危机生命线);紧急情况请拨打 911。\n"
        "其他地区:请拨打当地的紧急求助电话。\n"
        "如果可以,请让身边的人陪着您。",
        "en": "It sounds as if you, or someone you care about, may be in great pain. Please reach a person who can help now.\n"
        "Mainland China: psychological support line 12356 (open at least 18 hours a day); if life is in danger, 120 or 110.\n"
        "United States: 988 (Suicide & Crisis Lifeline); in an emergency, 911.\n"
        "Elsewhere: your local emergency number.\n"
        "If you can, stay with someone you trust.",
    },
    Reason.SMALL_TALK: {
        "zh": "您好!我只用这篇文章的原文回答问题,请问您想了解文章里的什么?",
        "en": "Hello! I answer questions only in this article's own words. What would you like to know about it?",
    },
    Reason.NOT_A_QUESTION: {
        "zh": "没有看懂您的问题。请用一句话说说您想了解文章里的什么。",
        "en": "I could not make out a question. Please say in a sentence what you would like to know about the article.",
    },
}

HOTLINE = {
    "zh": "如果您或身边的人正受自杀念头困扰:中国大陆可拨打 12356(每天至少开通 18 小时),紧急情况拨打 120 或 110;"
    "美国 988 或 911;其他地区请拨打当地紧急求助电话。",
    "en": "If you or someone near you is troubled by thoughts of suicide: in mainland China call 12356 (open at least 18 hours "
    "a day), in an emergency 120 or 110; in the United States 988 or 911; elsewhere your local emergency number.",
}

MOUSE_FIRST = {
    "zh": "以下结果来自小鼠实验,不是在人身上得到的结论。",
    "en": "The following comes from experiments in mice; it has not been shown in people.",
}

EVIDENCE: dict[Evidence, dict[str, str]] = {
    Evidence.MOUSE_STUDY: {"zh": "小鼠实验", "en": "mouse study"},
    Evidence.HUMAN_TRIAL: {"zh": "人体试验", "en": "human trial"},
    Evidence.TRIAL_REGISTRATION: {"zh": "试验登记", "en": "trial registration"},
    Evidence.BACKGROUND: {"zh": "背景", "en": "background"},
    Evidence.OPINION: {"zh": "观点", "en": "opinion"},
    Evidence.DISCLAIMER: {"zh": "免责说明", "en": "disclaimer"},
    Evidence.REFERENCE: {"zh": "文献来源", "en": "reference"},
    Evidence.HEADING: {"zh": "标题", "en": "heading"},
    Evidence.CAPTION: {"zh": "图注", "en": "caption"},
    Evidence.UNLABELLED: {"zh": "原文", "en": "article text"},
}
