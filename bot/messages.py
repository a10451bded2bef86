"""Every user-facing string, in Chinese and English; traditional script is converted from the simplified."""

from __future__ import annotations

from functools import lru_cache
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


@lru_cache(maxsize=1)
def _traditional() -> opencc.OpenCC:
    return opencc.OpenCC("s2twp")


def say(text: dict[str, str], language: Tongue) -> str:
    """One string in the reader's language."""
    if language == "zh-Hant":
        return str(_traditional().convert(text["zh"]))
    return text[language]


REASONS: dict[Reason, dict[str, str]] = {
    Reason.OFF_TOPIC: {
        "zh": "这个问题与本文无关，文章没有相关内容。",
        "en": "This question is not about the article, and the article says nothing on it.",
    },
    Reason.NOT_IN_ARTICLE: {
        "zh": "文章没有提到这一点。下面是文中与之相近、但不能回答它的句子。",
        "en": "The article does not say. Below are related sentences from it, which are not an answer.",
    },
    Reason.MEDICAL_ADVICE: {
        "zh": "这是需要医生判断的个人医疗问题，本文和本问答都不能替代医生或药剂师的意见，请咨询医生。",
        "en": "This is a personal medical question. Neither the article nor this page can replace a doctor or "
        "pharmacist: please ask one.",
    },
    Reason.CRISIS: {
        "zh": "听起来您或您关心的人正处在很痛苦的时刻，请现在就联系能帮到您的人。\n"
        "中国大陆：心理援助热线 12356（每天至少开通 18 小时）；有生命危险请拨打 120 或 110。\n"
        "美国：988（自杀与危机生命线）；紧急情况请拨打 911。\n"
        "其他地区：请拨打当地的紧急求助电话。\n"
        "如果可以，请让身边的人陪着您。",
        "en": "It sounds as if you, or someone you care about, may be in great pain. Please reach a person who can help now.\n"
        "Mainland China: psychological support line 12356 (open at least 18 hours a day); if life is in danger, 120 or 110.\n"
        "United States: 988 (Suicide & Crisis Lifeline); in an emergency, 911.\n"
        "Elsewhere: your local emergency number.\n"
        "If you can, stay with someone you trust.",
    },
    Reason.SMALL_TALK: {
        "zh": "您好！我只用这篇文章的原文回答问题，请问您想了解文章里的什么？",
        "en": "Hello! I answer questions only in this article's own words. What would you like to know about it?",
    },
    Reason.NOT_A_QUESTION: {
        "zh": "没有看懂您的问题。请用一句话说说您想了解文章里的什么。",
        "en": "I could not make out a question. Please say in a sentence what you would like to know about the article.",
    },
}

SMALL_TALK: dict[str, dict[str, str]] = {
    "greeting": REASONS[Reason.SMALL_TALK],
    "thanks": {
        "zh": "不客气。关于这篇文章还想了解什么，可以继续问。",
        "en": "You are welcome. Ask on if there is more you would like to know about the article.",
    },
    "bye": {"zh": "再见，祝您一切安好。", "en": "Goodbye, and take care."},
    "who_are_you": {
        "zh": "我是“原文问答”，只用这篇文章的原文回答问题，并注明出处；文章没写的，我会直说。我不是医生。",
        "en": "I am Yuanwen, a question-answering page that replies only with this article's own sentences, cited; "
        "what it does not say, I say so. I am not a doctor.",
    },
    "what_can_you_do": {
        "zh": "您可以用中文或英文提问，我会找出文章里回答它的原句并标明出处；文章没有提到的，我会如实告诉您。",
        "en": "Ask in Chinese or English: I show the sentences of the article that answer, with their place in it, "
        "and tell you when the article does not say.",
    },
    "language_switch": {
        "zh": "用中文或英文提问都可以，我会用您提问的语言说明；原文引用保持中文。",
        "en": "Ask in Chinese or English, and I reply in the language you use; quotations stay in the original Chinese, "
        "with a translation for English readers.",
    },
    "feedback": {
        "zh": "谢谢您的反馈。如果答得不对，换一种问法也许能找到更合适的原句。",
        "en": "Thank you for telling me. If an answer missed the point, another wording may find a better sentence.",
    },
    "nonsense": REASONS[Reason.NOT_A_QUESTION],
}

HOTLINE = {
    "zh": "如果您或身边的人正受自杀念头困扰：中国大陆可拨打 12356（每天至少开通 18 小时），紧急情况拨打 120 或 110；"
    "美国 988 或 911；其他地区请拨打当地紧急求助电话。",
    "en": "If you or someone near you is troubled by thoughts of suicide: in mainland China call 12356 (open at least 18 hours "
    "a day), in an emergency 120 or 110; in the United States 988 or 911; elsewhere your local emergency number.",
}

MOUSE_FIRST = {
    "zh": "以下结果来自小鼠实验，不是在人身上得到的结论。",
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

ERRORS: dict[str, dict[str, str]] = {
    "empty": {"zh": "请先写下您的问题。", "en": "Please write a question first."},
    "too_long": {
        "zh": "问题太长了：最多 {limit} 个字，请缩短一些再问。",
        "en": "The question is too long: at most {limit} characters, please shorten it.",
    },
    "too_large": {
        "zh": "请求太大了：最多 {limit} 字节。",
        "en": "The request is too large: at most {limit} bytes.",
    },
    "invalid_json": {
        "zh": "请求不是有效的 JSON:需要 Content-Type: application/json 和一个 JSON 对象。",
        "en": "The request is not valid JSON: expected Content-Type: application/json and a JSON object.",
    },
    "invalid": {
        "zh": "请求中的“{field}”不符合要求，详见 /api。",
        "en": "“{field}” in the request is not as expected; see /api.",
    },
    "unknown_article": {"zh": "这里没有这篇文章。", "en": "There is no such article here."},
    "too_often": {
        "zh": "您问得太快了，请 {seconds} 秒后再试。",
        "en": "That was a lot of questions at once: please try again in {seconds} seconds.",
    },
    "busy": {
        "zh": "现在提问的人很多，请几秒后再试。",
        "en": "Many people are asking just now: please try again in a few seconds.",
    },
    "getting_ready": {
        "zh": "正在准备文章索引，请稍候片刻。",
        "en": "The article is being made ready: please wait a moment.",
    },
    "stopping": {"zh": "服务正在重启，请稍候片刻。", "en": "The service is restarting: please wait a moment."},
    "feedback_off": {"zh": "本站不收集评价。", "en": "This site keeps no feedback."},
    "not_found": {"zh": "没有这个页面。", "en": "There is no such page."},
    "wrong_method": {"zh": "这个地址不接受这种请求方法。", "en": "This address does not take that request method."},
    "internal": {"zh": "出了点问题，请稍后再试。", "en": "Something went wrong: please try again later."},
}

PAGE: dict[str, dict[str, str]] = {
    "name": {"zh": "原文问答", "en": "Yuanwen"},
    "title": {"zh": "原文问答 · 只用文章自己的话回答", "en": "Yuanwen · answers in the article's own words"},
    "language": {"zh": "语言", "en": "Language"},
    "print": {"zh": "打印", "en": "Print"},
    "clear": {"zh": "清空对话", "en": "Clear conversation"},
    "cleared": {"zh": "对话已清空。", "en": "The conversation is cleared."},
    "article": {"zh": "原文", "en": "Article"},
    "open_article": {"zh": "读原文", "en": "Read the article"},
    "close_article": {"zh": "关闭原文", "en": "Close the article"},
    "skip": {"zh": "跳到提问框", "en": "Skip to the question box"},
    "conversation": {"zh": "对话", "en": "Conversation"},
    "hello": {"zh": "问文章，让原文回答", "en": "Ask the article. It answers in its own words."},
    "hello_more": {
        "zh": "用中文或英文提问。回答是文章里的原句，一字不改，每一句都能点回原处；文章没有说的，会直接告诉您没有。",
        "en": "Ask in English or Chinese. Answers are sentences of the Chinese article, word for word, each with its English "
        "translation and a link to its place. What the article does not say, you will be told plainly.",
    },
    "starters": {"zh": "可以从这里问起", "en": "You might begin with"},
    "you_asked": {"zh": "您问", "en": "You asked"},
    "translation": {"zh": "译文", "en": "translation"},
    "sentence": {"zh": "第 {n} 句", "en": "sentence {n}"},
    "opening": {"zh": "开头", "en": "Opening"},
    "doubt": {"zh": "注", "en": "Note"},
    "related": {"zh": "相关，但不是回答", "en": "Related, not an answer"},
    "next": {"zh": "接着问", "en": "Ask next"},
    "copy": {"zh": "复制", "en": "Copy"},
    "copy_label": {"zh": "复制回答、出处和免责说明", "en": "Copy the answer with its source and disclaimer"},
    "copied": {"zh": "已复制，附出处和免责说明", "en": "Copied, with source and disclaimer"},
    "not_copied": {"zh": "没能复制，请选中文字后手动复制", "en": "Could not copy; please select the text instead"},
    "copy_question": {"zh": "问：{text}", "en": "Q: {text}"},
    "copy_source": {"zh": "出处：{text}", "en": "Source: {text}"},
    "copy_paper": {"zh": "原论文：{text}", "en": "Original paper: {text}"},
    "helpful": {"zh": "有帮助", "en": "Helpful"},
    "unhelpful": {"zh": "没帮助", "en": "Not helpful"},
    "why": {"zh": "哪里不对？", "en": "What went wrong?"},
    "thanks": {"zh": "谢谢，已记下。", "en": "Thank you, noted."},
    "wrong_quote": {"zh": "引的不是地方", "en": "The quote is the wrong one"},
    "right_but_no_answer": {"zh": "引文没错，但没回答我", "en": "The quote is right but does not answer me"},
    "wrongly_refused": {"zh": "文章里明明有", "en": "The article does say it"},
    "translation_wrong": {"zh": "译文有问题", "en": "The translation is off"},
    "other": {"zh": "其他", "en": "Something else"},
    "box": {"zh": "您的问题", "en": "Your question"},
    "placeholder": {"zh": "问问这篇文章……", "en": "Ask the article…"},
    "send": {"zh": "发送", "en": "Send"},
    "empty": {
        "zh": "还没有写问题。写一句您想了解的，再按发送。",
        "en": "There is no question yet. Write what you would like to know, then send.",
    },
    "too_long": {
        "zh": "问题请不超过 {limit} 个字（现在是 {n} 个），挑最要紧的一句来问吧。",
        "en": "Please keep a question within {limit} characters (this one has {n}): ask what matters most.",
    },
    "failed": {"zh": "这次没能答上来，请再试一次。", "en": "That did not work. Please try once more."},
    "offline": {
        "zh": "暂时连不上，或提问的人太多。问题还在框里，请稍后再发送。",
        "en": "Not connected, or too many people are asking. Your question is still in the box; please send it again shortly.",
    },
    "searching": {"zh": "正在原文里找……", "en": "Looking in the article…"},
    "disclaimer": {"zh": "免责说明", "en": "Disclaimer"},
    "disclaimer_whole": {"zh": "全文", "en": "in full"},
    "disclaimer_less": {"zh": "收起", "en": "less"},
    "disclaimer_place": {"zh": "在原文中查看", "en": "See it in the article"},
    "outline": {"zh": "目录", "en": "Contents"},
    "parallel": {"zh": "英文对照", "en": "English beside the Chinese"},
    "from_paper": {"zh": "介绍的论文", "en": "On the paper"},
    "published_by": {"zh": "{name} 发布", "en": "Published by {name}"},
    "verbatim": {
        "zh": "原文逐字呈现，共 {n} 句；段旁的标签说明它属于哪类证据。",
        "en": "The Chinese original, word for word, in {n} sentences. The English is a translation. "
        "The labels say what kind of evidence each paragraph is.",
    },
    "figure": {"zh": "图 {n}", "en": "Figure {n}"},
    "figure_elsewhere": {"zh": "原图见论文", "en": "see the paper for the image"},
    "back": {"zh": "回到回答", "en": "Back to the answer"},
    "choose_article": {"zh": "选择文章", "en": "Choose an article"},
    "no_script": {"zh": "这个页面需要 JavaScript。", "en": "This page needs JavaScript."},
    "characters_left": {"zh": "{n} / {limit} 字", "en": "{n} / {limit} characters"},
}

WIDGET: dict[str, dict[str, str]] = {
    "original": {"zh": "中文原文", "en": "Chinese original"},
    "getting_ready": {"zh": "正在准备文章，请稍候……", "en": "The article is being made ready…"},
    "greeting": {
        "zh": "用中文或英文提问。回答是文章里的原句，一字不改；文章没有说的，会直接告诉您没有。",
        "en": "Ask in English or Chinese. Answers are sentences of the article, word for word, with their translation; "
        "what it does not say, you will be told plainly.",
    },
    "noscript": {
        "zh": "这个窗口需要 JavaScript。您也可以打开完整页面提问。",
        "en": "This panel needs JavaScript. You can also ask on the full page.",
    },
    "full_page": {"zh": "打开完整页面", "en": "Open the full page"},
    "timeout": {"zh": "等了 15 秒还没有回答。", "en": "No answer came within 15 seconds."},
    "unreachable": {"zh": "没能连上服务。", "en": "The service could not be reached."},
    "retry": {"zh": "再试一次", "en": "Try again"},
    "offline": {"zh": "网络已断开，连上后可以继续提问。", "en": "You are offline; you can ask again once connected."},
    "left": {"zh": "还可以写 {n} 个字", "en": "{n} characters left"},
    "over": {"zh": "多了 {n} 个字，请缩短一些", "en": "{n} characters too many, please shorten"},
    "show_source": {"zh": "在原文中看第 {n} 句", "en": "See sentence {n} in the article"},
    "good": {"zh": "这个回答有帮助", "en": "This answer helped"},
    "bad": {"zh": "这个回答没帮助", "en": "This answer did not help"},
    "feedback_note": {
        "zh": "评价会连同这个问题一起交给本站保存，最多 {days} 天。",
        "en": "Your verdict and this question are kept by this site for at most {days} days.",
    },
    "clear_conversation": {"zh": "清空对话", "en": "Clear conversation"},
    "source": {"zh": "原文", "en": "The article"},
    "english_beside": {"zh": "显示英文译文", "en": "Show the English translation"},
}

SITES: dict[str, dict[str, str]] = {
    "owners_link": {"zh": "放到您的网站", "en": "For your site"},
    "developers_link": {"zh": "开发接口", "en": "For developers"},
    "owners_title": {"zh": "把原文问答放到您的网站", "en": "Put Yuanwen on your site"},
    "owners_lead": {
        "zh": "选好样子，右边立刻能看到；把那一行代码贴进网页就行。不用 Cookie，不跟踪读者，不改动您的页面。",
        "en": "Pick how it looks, see it beside, and paste one line into your page. No cookies, no tracking, and nothing in "
        "your page is changed.",
    },
    "owners_allow": {"zh": "先允许您的网站", "en": "First, allow your site"},
    "owners_allow_text": {
        "zh": "问答服务只让名单上的网站嵌入。请运行它的人加上您的网址：",
        "en": "The service can be shown only by sites on its list. Ask whoever runs it to add yours:",
    },
    "owners_csp": {
        "zh": "如果您的网站有内容安全策略（CSP），加上这两项就够了：",
        "en": "If your site has a Content Security Policy, this is all it needs:",
    },
    "owners_script": {"zh": "用脚本控制", "en": "From your own scripts"},
    "owners_script_text": {
        "zh": "需要时可以自己打开、提问或移除。事件里不会出现读者的问题。",
        "en": "Open it, ask, or take it away when you need to. Events never carry a reader's question.",
    },
    "o_lang": {"zh": "语言", "en": "Language"},
    "o_auto_page": {"zh": "跟随网页", "en": "As the page"},
    "o_theme": {"zh": "明暗", "en": "Theme"},
    "o_auto_device": {"zh": "跟随设备", "en": "As the device"},
    "o_light": {"zh": "浅色", "en": "Light"},
    "o_dark": {"zh": "深色", "en": "Dark"},
    "o_mode": {"zh": "样式", "en": "Form"},
    "o_launcher": {"zh": "角落里的按钮", "en": "Button in a corner"},
    "o_inline": {"zh": "嵌在正文里", "en": "Inside the text"},
    "o_colour": {"zh": "颜色", "en": "Colour"},
    "colour_low": {
        "zh": "这个颜色上的文字看不清（对比度不到 4.5:1），请换深一些或浅一些的。",
        "en": "Text on this colour is hard to read (under 4.5:1); please pick a darker or a lighter one.",
    },
    "o_position": {"zh": "位置", "en": "Corner"},
    "o_br": {"zh": "右下", "en": "Bottom right"},
    "o_bl": {"zh": "左下", "en": "Bottom left"},
    "o_tr": {"zh": "右上", "en": "Top right"},
    "o_tl": {"zh": "左上", "en": "Top left"},
    "o_x": {"zh": "水平边距（像素）", "en": "From the side (px)"},
    "o_y": {"zh": "垂直边距（像素）", "en": "From the edge (px)"},
    "o_open": {"zh": "自动打开", "en": "Opens by itself"},
    "o_never": {"zh": "从不", "en": "Never"},
    "o_first": {"zh": "第一次来访时", "en": "On a first visit"},
    "o_target": {"zh": "放在哪个元素里（CSS 选择器）", "en": "In which element (CSS selector)"},
    "o_title": {"zh": "标题", "en": "Title"},
    "o_greeting": {"zh": "开场白", "en": "Greeting"},
    "o_questions": {"zh": "开头的问题", "en": "Questions to begin with"},
    "o_questions_hint": {"zh": "一行一个", "en": "one a line"},
    "o_persist": {"zh": "记住对话", "en": "Keeps the conversation"},
    "o_none": {"zh": "不记住", "en": "No"},
    "o_session": {"zh": "在这个标签页里", "en": "In this tab"},
    "copy_line": {"zh": "复制这一行", "en": "Copy the line"},
    "copied_line": {"zh": "已复制", "en": "Copied"},
    "preview": {"zh": "预览", "en": "Preview"},
}

COMMAND: dict[str, dict[str, str]] = {
    "about": {
        "zh": "原文问答：用中文或英文提问，只用文章的原文回答，并注明出处。",
        "en": "Yuanwen: ask in Chinese or English; it answers only in the article's own words, cited.",
    },
    "more": {
        "zh": "先试试：yuanwen ask “全世界有多少抑郁症患者？”　设置见 README 的“设置”一节。",
        "en": 'Try: yuanwen ask "How many people does depression affect worldwide?"  Settings: see "Settings" in README.',
    },
    "serve": {"zh": "打开问答网页", "en": "open the chat page in the browser"},
    "ask": {"zh": "问一个问题", "en": "ask one question"},
    "index": {"zh": "建立或核对索引", "en": "build the index, or check it"},
    "batch": {"zh": "回答一个文件里的全部问题", "en": "answer all questions of a file"},
    "feedback": {"zh": "导出或删除读者评价", "en": "export or delete readers' verdicts"},
    "add": {"zh": "加入文章", "en": "bring articles in"},
    "list": {"zh": "列出文章", "en": "list the articles"},
    "remove": {"zh": "移出一篇文章", "en": "take an article out"},
    "update": {"zh": "重新读取改动过的文件", "en": "read changed files again"},
    "option_lang": {
        "zh": "提示语的语言：zh、zh-Hant 或 en（默认随问题或系统）",
        "en": "language of messages: zh, zh-Hant or en (default: the question's or the system's)",
    },
    "option_articles": {
        "zh": "文章文件夹（默认：随程序附带的文章和自己加入的文章）",
        "en": "folder of articles (default: the one that comes with the program, and those added)",
    },
    "option_encoder": {
        "zh": "换用别的编码模型：sentence-transformers 模型的名称或路径",
        "en": "another encoder: a sentence-transformers model by name or path",
    },
    "option_store": {
        "zh": "段落存放的地方（默认为缓存目录里的文件）：milvus://主机:19530/集合，也可设置 YUANWEN_STORE",
        "en": "where passages live (default files in the cache): milvus://host:19530/collection, or set YUANWEN_STORE",
    },
    "option_reranker": {
        "zh": "再用一个模型决定哪一句先答：sentence-transformers CrossEncoder 的名称或路径",
        "en": "a further model that decides which sentence comes first: a sentence-transformers CrossEncoder by name or path",
    },
    "option_article": {"zh": "问哪一篇文章（编号见 yuanwen list）", "en": "which article (ids: yuanwen list)"},
    "option_host": {"zh": "监听的地址（默认 127.0.0.1）", "en": "address to listen on (default 127.0.0.1)"},
    "option_workers": {
        "zh": "用几个进程回答，共用一个索引（默认 1）",
        "en": "answer in so many processes, on one index (default 1)",
    },
    "option_port": {
        "zh": "监听的端口（默认 7860，0 为任意空闲端口）",
        "en": "port to listen on (default 7860, 0 for any free one)",
    },
    "option_open": {"zh": "准备好后打开浏览器（默认打开）", "en": "open the browser (the default)"},
    "option_question": {
        "zh": "问题，500 字以内；“-”表示从标准输入读取",
        "en": "up to 500 characters; - reads it from standard input",
    },
    "option_history": {
        "zh": "之前问过的问题，由早到晚，可重复使用",
        "en": "an earlier question, oldest first; may be repeated",
    },
    "option_json": {"zh": "以 JSON 输出", "en": "print JSON"},
    "option_force": {"zh": "不管现状，重新建立", "en": "build it again even if it is sound"},
    "option_questions": {
        "zh": '问题文件，每行一个 {"id", "question", "history"}',
        "en": 'a line each: {"id", "question", "history"}',
    },
    "option_predictions": {
        "zh": "回答文件，每行一个 {“id”, “answer”, “citations”, “abstained”, …}",
        "en": 'where answers go, a line each: {"id", "answer", "citations", "abstained", ...}',
    },
    "option_feedback_file": {"zh": "评价文件（默认 YUANWEN_FEEDBACK）", "en": "the file (default: YUANWEN_FEEDBACK)"},
    "option_export": {"zh": "以 JSON 逐行输出全部评价", "en": "print all verdicts, a JSON line each"},
    "option_delete": {
        "zh": "删除这些编号的评价；不写编号则全部删除",
        "en": "delete the verdicts of these ids, or all if no id is given",
    },
    "option_paths": {"zh": "文件或文件夹", "en": "files or folders"},
    "option_disclaimer": {
        "zh": "文中没有免责说明时使用的免责说明",
        "en": "the disclaimer of a text that has none of its own",
    },
    "option_id": {"zh": "文章编号", "en": "the article's id"},
    "building": {"zh": "建立索引", "en": "building the index"},
    "answering": {"zh": "回答", "en": "answering"},
    "reading": {"zh": "读取", "en": "reading"},
    "sound": {
        "zh": "索引完好：{articles} 篇文章，{sentences} 句，位于 {folder}",
        "en": "The index is sound: {articles} article(s), {sentences} sentences, in {folder}",
    },
    "opening": {"zh": "原文第 {n} 句", "en": "sentence {n}"},
    "note": {"zh": "注：{text}", "en": "Note: {text}"},
    "disclaimer": {"zh": "免责说明", "en": "Disclaimer"},
    "original": {"zh": "原文", "en": "original"},
    "no_article": {
        "zh": "没有编号为 {id} 的文章。现有：{known}。查看：yuanwen list",
        "en": "There is no article {id}; there is: {known}. See: yuanwen list",
    },
    "article_broken": {
        "zh": "文章有问题，无法使用：{detail}\n改好后运行：yuanwen index",
        "en": "An article cannot be used: {detail}\nMend it, then: yuanwen index",
    },
    "article_skipped": {
        "zh": "跳过一篇有问题的文章：{detail}\n移出它：yuanwen remove 编号",
        "en": "Left out an article that is not sound: {detail}\nTake it out with: yuanwen remove ID",
    },
    "no_articles_folder": {
        "zh": "{folder} 不是文章文件夹：里面应有 编号/article.md。格式见 README；加入普通文件请用：yuanwen add 文件",
        "en": "{folder} is no folder of articles: expected ID/article.md in it. The form is in README; "
        "to bring in a plain file: yuanwen add FILE",
    },
    "encoder_broken": {"zh": "编码模型无法载入：{detail}", "en": "The encoder cannot be loaded: {detail}"},
    "store_broken": {"zh": "存放段落的地方无法使用：{detail}", "en": "The store cannot be used: {detail}"},
    "library_broken": {
        "zh": "文章库无法使用：{detail}\n换一个位置：设置 YUANWEN_LIBRARY",
        "en": "The library cannot be used: {detail}\nTo put it elsewhere, set YUANWEN_LIBRARY",
    },
    "folder_broken": {
        "zh": "文件无法读写：{detail}\n索引可以换一个位置：设置 YUANWEN_CACHE；重建：yuanwen index --force",
        "en": "A file cannot be read or written: {detail}\n"
        "To keep the index elsewhere, set YUANWEN_CACHE; to build it again: yuanwen index --force",
    },
    "not_installed": {
        "zh": "缺少软件包 {name}。安装：pip install -r requirements/serve.txt",
        "en": "The package {name} is missing. To install it: pip install -r requirements/serve.txt",
    },
    "unexpected": {
        "zh": "出了没有料到的问题：{detail}\n想看细节：设置 YUANWEN_DEBUG=1 再运行一次；重建索引：yuanwen index --force",
        "en": "Something unexpected went wrong: {detail}\n"
        "For details run it again with YUANWEN_DEBUG=1; to build the index again: yuanwen index --force",
    },
    "port_in_use": {
        "zh": "端口 {port} 已被占用。换一个：yuanwen serve --port {other}",
        "en": "Port {port} is in use. Try: yuanwen serve --port {other}",
    },
    "cannot_serve": {"zh": "无法开始服务：{detail}", "en": "Cannot serve: {detail}"},
    "bad_setting": {"zh": "设置有误：{detail}", "en": "A setting is not as expected: {detail}"},
    "stopped": {"zh": "已停止。", "en": "Stopped."},
    "no_file": {"zh": "读不到 {file}：{detail}", "en": "Cannot read {file}: {detail}"},
    "no_output": {"zh": "写不了 {file}：{detail}", "en": "Cannot write {file}: {detail}"},
    "same_file": {
        "zh": "问题和回答不能是同一个文件：{file}",
        "en": "Questions and predictions cannot be the same file: {file}",
    },
    "bad_line": {"zh": "第 {n} 行：{problem}", "en": "line {n}: {problem}"},
    "line_not_utf8": {"zh": "不是 UTF-8 编码", "en": "expected UTF-8, found other bytes"},
    "line_not_json": {"zh": "不是有效的 JSON（{detail}）", "en": "expected JSON, found otherwise ({detail})"},
    "line_not_object": {
        "zh": '应为 {{"id", "question", "history"}} 这样的 JSON 对象',
        "en": 'expected a JSON object {{"id", "question", "history"}}',
    },
    "line_field": {
        "zh": "“{field}”应为{expected}",
        "en": "expected {expected} as {field!r}",
    },
    "text": {"zh": "文字", "en": "text"},
    "text_or_number": {"zh": "文字或整数", "en": "text or a whole number"},
    "list_of_text": {"zh": "文字的列表", "en": "a list of texts"},
    "lines_done": {
        "zh": "已回答 {done} 个问题，写入 {file}；{bad} 行有误",
        "en": "Answered {done} questions, written to {file}; {bad} bad lines",
    },
    "no_feedback": {
        "zh": "没有评价文件。用 --file 指定，或设置 YUANWEN_FEEDBACK（见 README）",
        "en": "There is no feedback file. Give one with --file, or set YUANWEN_FEEDBACK (see README)",
    },
    "feedback_broken": {"zh": "{file} 不是评价文件：{detail}", "en": "{file} is no feedback file: {detail}"},
    "feedback_deleted": {"zh": "已删除 {n} 条评价。", "en": "Deleted {n} verdicts."},
    "outcome_added": {"zh": "加入", "en": "added"},
    "outcome_updated": {"zh": "更新", "en": "updated"},
    "outcome_unchanged": {"zh": "未变", "en": "unchanged"},
    "outcome_refused": {"zh": "拒绝", "en": "refused"},
    "brought": {
        "zh": "加入 {added}，更新 {updated}，未变 {unchanged}，拒绝 {refused}。下次提问时更新索引；现在就更新：yuanwen index",
        "en": "{added} added, {updated} updated, {unchanged} unchanged, {refused} refused. "
        "The index follows with the next question, or now: yuanwen index",
    },
    "nothing_to_read": {"zh": "没有可读的文件。", "en": "There was no file to read."},
    "needs_disclaimer": {
        "zh": "文中没有免责说明的，请这样加入：yuanwen add --disclaimer “本文不能替代医生的意见” 文件",
        "en": 'For texts without a disclaimer: yuanwen add --disclaimer "This is no medical advice." FILE',
    },
    "removed": {"zh": "已移出 {id}（{title}）。", "en": "Took out {id} ({title})."},
    "built_in": {"zh": "附带", "en": "built in"},
}
