"""Answers and articles as HTML: pure functions; every text that comes from outside is escaped here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape

from bot.answer import Answer, AnswerSentence, Citation, Related
from bot.feedback import FeedbackReason
from bot.messages import EVIDENCE, HOTLINE, MOUSE_FIRST, PAGE, REASONS, SMALL_TALK, Tongue, say, tongue
from bot.page.terms import Terms, article_terms, explained, unbroken
from corpus.article import Article, Evidence, Section, Sentence
from corpus.language import to_simplified

HTML_LANGUAGE: dict[Tongue, str] = {"zh": "zh-CN", "zh-Hant": "zh-TW", "en": "en"}
REASONS_TO_GIVE: tuple[FeedbackReason, ...] = (
    "right_but_no_answer",
    "wrong_quote",
    "wrongly_refused",
    "translation",
    "other",
)

_EMERGENCY_NUMBER = re.compile(r"(?<!\d)(?:12356|120|110|988|911)(?!\d)")
_LOWER_CASE_WORD = re.compile(r"(?<![A-Za-z0-9-])[a-z]{2,}(?![A-Za-z0-9-])")

_ICONS = {
    "copy": '<path d="M8 8h11v12H8zM5 16V4h11"/>',
    "up": '<path d="M7 11v9H4v-9zM7 12l4-8c2 0 2.6 1.4 2 3.5L12.5 10H19c1.2 0 2 1 1.7 2.2l-1.6 6.3'
    'c-.2.9-1 1.5-2 1.5H7"/>',
    "down": '<path d="M17 13V4h3v9zM17 12l-4 8c-2 0-2.6-1.4-2-3.5l.5-2.5H5c-1.2 0-2-1-1.7-2.2'
    'L4.9 5.5c.2-.9 1-1.5 2-1.5H17"/>',
    "print": '<path d="M7 9V3h10v6M7 18H4v-8h16v8h-3M7 14h10v7H7z"/>',
    "clear": '<path d="M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5"/>',
    "article": '<path d="M12 6c-2-1.5-5-2-8-2v14c3 0 6 .5 8 2 2-1.5 5-2 8-2V4c-3 0-6 .5-8 2zM12 6v14"/>',
    "close": '<path d="M6 6l12 12M18 6L6 18"/>',
    "back": '<path d="M9 7l-5 5 5 5M4 12h11a5 5 0 0 1 0 10"/>',
}


@dataclass(frozen=True, slots=True)
class Turn:
    """A question with its answer, and the language that the answer speaks to the reader in."""

    answer: Answer
    speaks: Tongue


def asker_tongue(answer: Answer, page: Tongue) -> Tongue:
    """The language to answer in: the question's, or the page's where the question does not tell."""
    asked = tongue(answer.question_language)
    if asked == "en" and not _LOWER_CASE_WORD.search(answer.question):
        return page
    return page if asked == "zh" and page == "zh-Hant" else asked


def icon(name: str) -> str:
    """A line drawing that says nothing to assistive technology."""
    return f'<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">{_ICONS[name]}</svg>'


def words(key: str, page: Tongue, **values: object) -> str:
    """A string of the page, escaped."""
    return escape(say(PAGE[key], page).format(**values))


# --- the conversation -------------------------------------------------------------------------------------------------


def render_log(
    turns: Sequence[Turn],
    articles: Mapping[str, Article],
    page: Tongue,
    starters: Sequence[str] = (),
    *,
    feedback: bool = False,
) -> str:
    """The conversation; without one, what the page is for and questions to begin with."""
    body = "".join(
        render_turn(turn, number, articles.get(turn.answer.article.id), page, feedback=feedback)
        for number, turn in enumerate(turns, start=1)
    )
    # The welcome keeps its place when it is empty: Gradio mends the page by position, and the log must stay the same
    # element for assistive technology to hear what is added to it.
    welcome = _welcome(starters, page) if not turns else ""
    return (
        f'<h2 class="unseen">{words("conversation", page)}</h2><div class="welcome">{welcome}</div>'
        f'<div id="turns" role="log" aria-label="{words("conversation", page)}">{body}</div>'
    )


def _welcome(starters: Sequence[str], page: Tongue) -> str:
    items = _questions(starters)
    begin = f'<p class="lead-in" id="starters">{words("starters", page)}</p>{items}' if starters else ""
    return f'<p class="hello">{words("hello", page)}</p><p class="hello-more">{words("hello_more", page)}</p>{begin}'


def _questions(questions: Sequence[str]) -> str:
    buttons = "".join(
        f'<li><button type="button" class="follow" data-ask="{escape(text)}" lang="{_language_of(text)}">'
        f"{escape(text)}</button></li>"
        for text in questions
    )
    return f'<ul class="follow-ups">{buttons}</ul>'


def _language_of(text: str) -> str:
    if not re.search(r"[\u3400-\u9fff]", text):
        return "en"
    return "zh-CN" if to_simplified(text) == text else "zh-TW"


def render_turn(turn: Turn, number: int, article: Article | None, page: Tongue, *, feedback: bool = False) -> str:
    """One question and its answer."""
    answer = turn.answer
    question = (
        f'<h3 class="question" lang="{_language_of(answer.question)}"><span class="unseen" '
        f'lang="{HTML_LANGUAGE[page]}">{words("you_asked", page)}: </span>{escape(answer.question)}</h3>'
    )
    if answer.crisis:
        body = _crisis(answer, turn.speaks)
    else:
        body = _message(answer, turn.speaks)
        body += _quotes(answer, turn.speaks, article, page)
        body += _hotline(answer, turn.speaks)
        body += _related(answer, turn.speaks, article, page)
        body += _tools(turn, number, article, page, feedback=feedback)
        if answer.suggestions:
            body += (
                f'<div class="next"><p class="lead-in">{words("next", page)}</p>{_questions(answer.suggestions)}</div>'
            )
    kind = "crisis" if answer.crisis else answer.status.value
    return f'<div class="turn" id="turn-{number}">{question}<div class="answer {kind}">{body}</div></div>'


def message_of(answer: Answer, speaks: Tongue) -> str:
    """The bot's own line before the quotes, in another language where it is one of its set phrases."""
    return answer.message if speaks == tongue(answer.question_language) else _said_again(answer.message, speaks)


@lru_cache(maxsize=1)
def _phrases() -> Mapping[str, Mapping[str, str]]:
    """The bot's set phrases by what each says in any of the languages."""
    phrases = (MOUSE_FIRST, HOTLINE, *REASONS.values(), *SMALL_TALK.values())
    return {text: phrase for phrase in phrases for text in (*phrase.values(), say(phrase, "zh-Hant"))}


def _said_again(text: str, speaks: Tongue) -> str:
    phrase = _phrases().get(text)
    return say(dict(phrase), speaks) if phrase else text


def _message(answer: Answer, speaks: Tongue) -> str:
    text = message_of(answer, speaks)
    kind = "" if answer.abstained else " caution"
    return f'<p class="message{kind}" lang="{HTML_LANGUAGE[speaks]}">{escape(text)}</p>' if text else ""


def _quotes(answer: Answer, speaks: Tongue, article: Article | None, page: Tongue) -> str:
    if not answer.sentences:
        return ""
    terms = article_terms(article, page)
    seen: set[str] = set()
    by_sentence = {citation.sentence_id: citation for citation in answer.citations}
    items = []
    for sentence in answer.sentences:
        mark = explained(sentence.quote, terms, marks=sentence.highlights, seen=seen)
        original = f'<blockquote class="quote" lang="zh-CN">{mark}</blockquote>'
        translation = sentence.translation or _translation(article, sentence.id)
        if translation and "en" in (speaks, page):
            english = (
                f'<p class="translation"><span class="tag">{words("translation", page)}</span> '
                f'<span lang="en">{explained(translation, terms, seen=seen)}</span></p>'
            )
            original = english + original if speaks == "en" else original + english
        citation = by_sentence.get(sentence.id)
        items.append(
            f'<li class="cited"><div class="words">{original}</div>'
            f"{_source(sentence, citation, article, page)}{_doubt(sentence, article, page)}</li>"
        )
    return f'<ol class="quotes">{"".join(items)}</ol>'


def _source(sentence: AnswerSentence, citation: Citation | None, article: Article | None, page: Tongue) -> str:
    evidence = (
        f'<span class="evidence {sentence.evidence.value}">{escape(say(EVIDENCE[sentence.evidence], page))}</span>'
    )
    if citation is None:
        return f'<p class="source">{evidence}</p>'
    where = _place(article, citation.sentence_id, citation.section, page)
    link = (
        f'<a class="cite" href="#s{citation.sentence_id}" data-article="{escape(citation.article)}">'
        f'<span class="n">[{citation.n}]</span> {where}</a>'
    )
    return f'<p class="source">{evidence}{link}</p>'


def _place(article: Article | None, sentence_id: int, section: str, page: Tongue) -> str:
    """Section and number of a sentence; the section's name translated for an English page."""
    name, language = (section, "zh-CN") if section else (say(PAGE["opening"], page), HTML_LANGUAGE[page])
    if page == "en" and article and section:
        held = article.section_of(article.sentence(sentence_id))
        english = section_title(article, held, "en")
        if english:
            name, language = english, "en"
    number = words("sentence", page, n=sentence_id)
    return f'<span class="section" lang="{language}">{escape(name)}</span> <span class="number">{number}</span>'


def _doubt(sentence: AnswerSentence, article: Article | None, page: Tongue) -> str:
    text = _doubt_of(article, sentence.id, page) or sentence.doubt
    if not text:
        return ""
    return f'<p class="doubt"><span class="tag">{words("doubt", page)}</span> {escape(text)}</p>'


def _doubt_of(article: Article | None, sentence_id: int, page: Tongue) -> str | None:
    found = next((d for d in article.doubts if d.sentence == sentence_id), None) if article else None
    return say({"zh": found.zh, "en": found.en}, page) if found else None


def _translation(article: Article | None, sentence_id: int) -> str | None:
    if article is None or not 1 <= sentence_id <= len(article.sentences):
        return None
    return article.sentence(sentence_id).translation


def _related(answer: Answer, speaks: Tongue, article: Article | None, page: Tongue) -> str:
    if not answer.related:
        return ""
    items = "".join(
        f"<li>{_related_item(item, answer.article.id, speaks, article, page)}</li>" for item in answer.related
    )
    return f'<div class="related"><p class="lead-in">{words("related", page)}</p><ul>{items}</ul></div>'


def _related_item(item: Related, article_id: str, speaks: Tongue, article: Article | None, page: Tongue) -> str:
    quote = f'<blockquote class="quote" lang="zh-CN">{escape(item.quote)}</blockquote>'
    translation = item.translation or _translation(article, item.sentence_id)
    if translation and "en" in (speaks, page):
        english = (
            f'<p class="translation"><span class="tag">{words("translation", page)}</span> '
            f'<span lang="en">{escape(translation)}</span></p>'
        )
        quote = english + quote if speaks == "en" else quote + english
    where = _place(article, item.sentence_id, item.section, page)
    return (
        f'{quote}<p class="source"><a class="cite" href="#s{item.sentence_id}" data-article="{escape(article_id)}">'
        f"{where}</a></p>"
    )


def _with_numbers(text: str) -> str:
    """Escaped text in which emergency numbers can be called."""
    return _EMERGENCY_NUMBER.sub(lambda match: f'<a class="call" href="tel:{match[0]}">{match[0]}</a>', escape(text))


def _crisis(answer: Answer, speaks: Tongue) -> str:
    first, *rest = message_of(answer, speaks).splitlines() or [""]
    lines = "".join(f"<li>{_with_numbers(line)}</li>" for line in rest if line.strip())
    language = HTML_LANGUAGE[speaks]
    return (
        f'<p class="first" lang="{language}">{_with_numbers(first)}</p><ul class="lines" lang="{language}">{lines}</ul>'
    )


def _hotline(answer: Answer, speaks: Tongue) -> str:
    if not answer.hotline:
        return ""
    return f'<p class="hotline" lang="{HTML_LANGUAGE[speaks]}">{_with_numbers(_said_again(answer.hotline, speaks))}</p>'


def _tools(turn: Turn, number: int, article: Article | None, page: Tongue, *, feedback: bool) -> str:
    tools = []
    if turn.answer.sentences:
        tools.append(
            f'<button type="button" class="tool copy" aria-label="{words("copy_label", page)}" '
            f'data-copy="{escape(copy_text(turn, article))}">{icon("copy")}<span>{words("copy", page)}</span></button>'
        )
    if not feedback:
        return f'<div class="tools">{"".join(tools)}</div>' if tools else ""
    for verdict, key in (("up", "helpful"), ("down", "unhelpful")):
        tools.append(
            f'<button type="button" class="tool thumb" data-verdict="{verdict}" data-turn="{number}" '
            f'aria-label="{words(key, page)}" title="{words(key, page)}" aria-pressed="false">{icon(verdict)}</button>'
        )
    reasons = "".join(
        f'<button type="button" class="reason" data-turn="{number}" data-reason="{reason}">'
        f"{words('translation_wrong' if reason == 'translation' else reason, page)}</button>"
        for reason in REASONS_TO_GIVE
    )
    why = (
        f'<div class="why" role="group" aria-label="{words("why", page)}" hidden>'
        f'<p class="lead-in">{words("why", page)}</p>{reasons}</div>'
    )
    return f'<div class="tools">{"".join(tools)}</div>{why}'


def copy_text(turn: Turn, article: Article | None) -> str:
    """An answer as plain text to paste elsewhere: quotes, where they stand, the source and the disclaimer."""
    answer, speaks = turn.answer, turn.speaks
    by_sentence = {citation.sentence_id: citation for citation in answer.citations}
    lines = [say(PAGE["copy_question"], speaks).format(text=answer.question), ""]
    if message := message_of(answer, speaks):
        lines += [message, ""]
    for sentence in answer.sentences:
        citation = by_sentence.get(sentence.id)
        label = say(EVIDENCE[sentence.evidence], speaks)
        number = say(PAGE["sentence"], speaks).format(n=sentence.id)
        place = f"[{citation.n}] " if citation else ""
        lines.append(f"“{sentence.quote}” {place}({number}; {label})")
        translation = sentence.translation or _translation(article, sentence.id)
        if speaks == "en" and translation:
            lines.append(f"({say(PAGE['translation'], speaks)}) {translation}")
    source = answer.article.title
    if speaks == "en" and answer.article.title_en:
        source = f"{answer.article.title_en} ({answer.article.title})"
    if article and article.publisher:
        source = f"{source} · {article.publisher}"
    lines += ["", say(PAGE["copy_source"], speaks).format(text=source)]
    if answer.article.url:
        lines.append(answer.article.url)
    if article and article.paper.get("doi"):
        lines.append(say(PAGE["copy_paper"], speaks).format(text=f"https://doi.org/{article.paper['doi']}"))
    lines.append(answer.disclaimer.text)
    if speaks == "en" and answer.disclaimer.translation:
        lines.append(f"({say(PAGE['translation'], speaks)}) {answer.disclaimer.translation}")
    return "\n".join(lines)


# --- the frame of the page --------------------------------------------------------------------------------------------


def render_top(page: Tongue, *, ready: bool = True) -> str:
    """The bar at the top: name, language, article, print, clear; and what the script has to say, as data."""
    names: tuple[tuple[Tongue, str, str], ...] = (
        ("zh", "简", "简体中文"),
        ("zh-Hant", "繁", "繁體中文"),
        ("en", "EN", "English"),
    )
    languages = "".join(
        f'<button type="button" class="language" data-language="{to}" lang="{HTML_LANGUAGE[to]}" aria-label="{name}" '
        f'aria-pressed="{"true" if to == page else "false"}">{short}</button>'
        for to, short, name in names
    )
    spoken = {
        key: words(key, page) for key in ("title", "copied", "not_copied", "offline", "searching", "back", "thanks")
    }
    data = "".join(f' data-{key.replace("_", "-")}="{text}"' for key, text in spoken.items())
    limit = words("characters_left", page, n="{n}", limit="{limit}")
    return (
        f'<div class="bar" data-page="{page}" data-html-language="{HTML_LANGUAGE[page]}" '
        f'data-box="{words("box", page)}" data-article-name="{words("article", page)}" data-count="{limit}" '
        f'data-ready="{"1" if ready else ""}"{data}>'
        f'<a class="skip" href="#question">{words("skip", page)}</a>'
        f'<h1 class="name"><span class="seal" aria-hidden="true">文</span>{words("name", page)}</h1>'
        f'<div class="languages" role="group" aria-label="{words("language", page)}">{languages}</div>'
        f'<div class="actions">'
        f'<button type="button" class="action" id="open-article" aria-expanded="false" aria-controls="reader">'
        f"{icon('article')}<span>{words('open_article', page)}</span></button>"
        f'<button type="button" class="action" id="print" aria-label="{words("print", page)}" '
        f'title="{words("print", page)}">{icon("print")}<span>{words("print", page)}</span></button>'
        f'<button type="button" class="action" id="clear" aria-label="{words("clear", page)}" '
        f'title="{words("clear", page)}">{icon("clear")}<span>{words("clear", page)}</span></button>'
        f"</div></div>"
    )


def render_disclaimer(article: Article, page: Tongue) -> str:
    """The disclaimer above the box: its first sentence at all times, the whole on demand."""
    first = article.sentence(article.disclaimer[0])
    chinese, english = article.disclaimer_text, article.disclaimer_text_en
    if page == "en" and english:
        line, language = first.translation or "", "en"
        whole = (
            f'<p><span class="tag">{words("translation", page)}</span> <span lang="en">{escape(english)}</span></p>'
            f'<p lang="zh-CN">{escape(chinese)}</p>'
        )
    else:
        line, language = first.text, "zh-CN"
        whole = f'<p lang="zh-CN">{escape(chinese)}</p>'
    return (
        f'<details class="disclaimer"><summary><span class="line" lang="{language}">{escape(line)}</span>'
        f'<span class="more"><span class="shut">{words("disclaimer_whole", page)}</span>'
        f'<span class="open">{words("disclaimer_less", page)}</span></span></summary>'
        f'<div class="whole">{whole}<p><a class="cite plain" href="#s{first.id}" data-article="{escape(article.id)}">'
        f"{words('disclaimer_place', page)}</a></p></div></details>"
    )


def render_notice(text: str = "", version: int = 0) -> str:
    """The line under the box for what is not an answer; another version is shown even where the text is the same."""
    return f'<p id="notice-line" role="status" data-version="{version}">{escape(text)}</p>'


# --- the article ------------------------------------------------------------------------------------------------------


def section_title(article: Article, section: Section, page: Tongue) -> str:
    """A section's title in the page's language, or "" for an English page where there is no translation."""
    if page != "en" or not section.title:
        return section.title
    first = article.sentence(section.sentences[0])
    if first.translation is None:
        return ""
    if first.is_heading:
        return first.translation
    label, colon, _ = first.translation.partition(":")
    return label if colon and len(label) <= 40 else ""


def render_article(article: Article, page: Tongue, others: Sequence[Article] = ()) -> str:
    """The reading pane: outline, masthead and every sentence, each with an id that a citation opens."""
    sections = "".join(_section(article, number, page) for number in range(len(article.sections)))
    english = any(sentence.translation for sentence in article.sentences)
    parallel = (
        f'<button type="button" class="action" id="parallel" aria-pressed="{"true" if page == "en" else "false"}">'
        f"{words('parallel', page)}</button>"
        if english
        else ""
    )
    shown = " with-english" if english and page == "en" else ""
    return (
        f'<div class="pane{shown}" data-article="{escape(article.id)}" data-first="{"en" if page == "en" else "zh"}">'
        f'<div class="pane-bar"><h2 class="pane-name">{words("article", page)}</h2>{_chooser(article, others, page)}'
        f'{parallel}<button type="button" class="action" id="close-article" '
        f'aria-label="{words("close_article", page)}">{icon("close")}</button></div>'
        f'<div class="pane-body" id="pane-body">{_outline(article, page)}'
        f'<article class="sheet">{_masthead(article, page)}{sections}</article></div></div>'
    )


def _chooser(article: Article, others: Sequence[Article], page: Tongue) -> str:
    if len(others) < 2:
        return ""
    options = "".join(
        f'<option value="{escape(other.id)}"{" selected" if other.id == article.id else ""}>'
        f"{escape(other.title_en if page == 'en' and other.title_en else other.title)}</option>"
        for other in others
    )
    return f'<select id="choose-article" aria-label="{words("choose_article", page)}">{options}</select>'


def _outline(article: Article, page: Tongue) -> str:
    items = []
    for number, section in enumerate(article.sections):
        title = section_title(article, section, page)
        language = "en" if page == "en" and title else "zh-CN"
        if title or section.title:
            items.append(
                f'<li class="level-{section.level}"><a href="#s{section.sentences[0]}" data-section="{number}" '
                f'lang="{language}">{unbroken(title or section.title, article.glossary)}</a></li>'
            )
    return (
        f'<details class="outline"><summary>{words("outline", page)}</summary>'
        f'<nav aria-label="{words("outline", page)}"><ul>{"".join(items)}</ul></nav></details>'
    )


def _masthead(article: Article, page: Tongue) -> str:
    lines = []
    if article.publisher:
        name = f'<span lang="zh-CN">{escape(article.publisher)}</span>'
        lines.append(f"<p>{words('published_by', page, name='{name}').replace('{name}', name)}</p>")
    paper = article.paper
    if paper.get("title"):
        title = f"<cite>{escape(str(paper['title']))}</cite>"
        if paper.get("doi"):
            link = escape(f"https://doi.org/{paper['doi']}")
            title = f'<a class="paper" href="{link}" target="_blank" rel="noopener noreferrer">{title}</a>'
        rest = ", ".join(escape(str(paper[key])) for key in ("journal", "year") if paper.get(key))
        lines.append(
            f'<p><span class="label">{words("from_paper", page)}</span> <span lang="en">{title}'
            f' <span class="journal">{rest}</span></span></p>'
        )
    lines.append(f'<p class="verbatim">{words("verbatim", page, n=len(article.sentences))}</p>')
    return f'<div class="masthead">{"".join(lines)}</div>'


def _section(article: Article, number: int, page: Tongue) -> str:
    section = article.sections[number]
    terms = article_terms(article, page)
    seen: set[str] = set()
    paragraphs: dict[int, list[Sentence]] = {}
    for sentence_id in section.sentences:
        sentence = article.sentence(sentence_id)
        paragraphs.setdefault(sentence.paragraph, []).append(sentence)
    pieces: list[str] = []
    labelled: tuple[Evidence, ...] = ()
    for sentences in paragraphs.values():
        if sentences[0].is_heading:
            pieces.append(_heading(article, sentences[0], section, page))
            continue
        labels = tuple(dict.fromkeys(s.evidence for s in sentences))
        pieces.append(_paragraph(article, sentences, labels if labels != labelled else (), terms, seen, page))
        labelled = labels
    run_in = " run-in" if section.title and not article.sentence(section.sentences[0]).is_heading else ""
    opening = " opening" if number == 0 and not section.title else ""
    return f'<section class="section{run_in}{opening}" data-section="{number}">{"".join(pieces)}</section>'


def _heading(article: Article, sentence: Sentence, section: Section, page: Tongue) -> str:
    tag = f"h{min(section.level + 2, 6)}"
    text = unbroken(sentence.text, article.glossary)
    chinese = f'<span class="s" id="s{sentence.id}" lang="zh-CN">{text}</span>'
    english = _english([sentence], None, set())
    doubt = _doubt_mark(article, sentence, page)
    both = english + chinese + doubt if page == "en" else chinese + doubt + english
    return f'<{tag} class="title level-{section.level}">{both}</{tag}>'


def _paragraph(
    article: Article,
    sentences: Sequence[Sentence],
    labels: Sequence[Evidence],
    terms: Terms,
    seen: set[str],
    page: Tongue,
) -> str:
    label = "".join(
        f'<span class="evidence {e.value}">{escape(say(EVIDENCE[e], page))}</span>'
        for e in labels
        if e is not Evidence.UNLABELLED
    )
    margin = f'<p class="margin">{label}</p>' if label else ""
    english = _english(sentences, terms, seen) if page == "en" else ""
    chinese = []
    at = sentences[0].span.start
    for sentence in sentences:
        chinese.append(escape(article.text[at : sentence.span.start]))
        chinese.append(
            f'<span class="s" id="s{sentence.id}" lang="zh-CN">{explained(sentence.text, terms, seen=seen)}</span>'
        )
        chinese.append(_doubt_mark(article, sentence, page))
        at = sentence.span.end
    body = f'<p class="zh" lang="zh-CN">{"".join(chinese)}</p>'
    if page != "en":
        english = _english(sentences, terms, seen)
    if english:
        label = f'<span class="tag">{words("translation", page)}</span> '
        english = f'<p class="en">{label}{english}</p>'
    body = english + body if page == "en" else body + english
    captions = all(s.evidence is Evidence.CAPTION for s in sentences)
    notes = _figures(article, sentences, page)
    if captions and notes:
        body = f'<div class="figure">{notes}<div class="caption">{body}</div></div>'
        notes = ""
    kind = " caption-like" if captions else ""
    return f'<div class="paragraph{kind}">{margin}{body}{notes}</div>'


def _english(sentences: Sequence[Sentence], terms: Terms | None, seen: set[str]) -> str:
    """Translations, each tied to its sentence, or "" where there are none."""
    nothing = Terms({}, None)
    return " ".join(
        f'<span class="e" lang="en" data-sentence="{s.id}">'
        f"{explained(s.translation, terms or nothing, seen=seen)}</span>"
        for s in sentences
        if s.translation
    )


def _doubt_mark(article: Article, sentence: Sentence, page: Tongue) -> str:
    text = _doubt_of(article, sentence.id, page)
    if not text:
        return ""
    return (
        f'<span class="doubt-mark" tabindex="0" lang="{HTML_LANGUAGE[page]}" data-tip="{escape(text)}">'
        f"{words('doubt', page)}</span>"
    )


def _figures(article: Article, sentences: Sequence[Sentence], page: Tongue) -> str:
    """A line for each figure whose last mention is here: the images themselves are not part of the text."""
    held = {s.id for s in sentences}
    doi = article.paper.get("doi")
    lines = []
    for figure in article.figures:
        if not figure.sentences or figure.sentences[-1] not in held:
            continue
        where = words("figure_elsewhere", page)
        if doi:
            link = escape(f"https://doi.org/{doi}")
            where = f'<a href="{link}" target="_blank" rel="noopener noreferrer">{where}</a>'
        lines.append(f'<p class="figure-note"><b>{words("figure", page, n=figure.number)}</b> {where}</p>')
    return "".join(lines)
