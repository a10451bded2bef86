"""A chatbot with a few fixed answers, made of the real article, so that pages show the same thing in every run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bot.answer import (
    MAX_QUESTION_CHARACTERS,
    Answer,
    AnswerSentence,
    ArticleCard,
    Citation,
    Disclaimer,
    Reason,
    Related,
    Status,
)
from bot.chatbot import check_question
from bot.messages import HOTLINE, MOUSE_FIRST, REASONS, Tongue, say, tongue
from corpus.article import Article, Evidence, load_article
from corpus.language import detect_language, search_key
from corpus.segment import Span

ARTICLE = Path("corpus/articles/msc-depression")
RELATED = (60, 18)


class StandInChatbot:
    """Answers by the first keyword that a question holds; raises where it is told to."""

    TOPICS: tuple[tuple[tuple[str, ...], tuple[int, ...], tuple[str, ...]], ...] = (
        (("氟西汀", "fluoxetine"), (31, 37, 39), ("显著优于Flu", "表现出优势", "优于传统抗抑郁药氟西汀(Flu)")),
        (("试验", "trial"), (84, 87, 92), ("2019年", "主要原因为招募和筹资困难", "不招募患者")),
        (("炎症", "inflammation"), (62, 71), ("降低促炎细胞因子水平与抑制小胶质细胞过度激活", "减少神经炎症")),
        (("自杀率", "suicide rate"), (9,), ("每年有超过70万人死于自杀",)),
    )

    def __init__(self, article: Article | None = None, extra: Sequence[Article] = ()) -> None:
        self._article = article or load_article(ARTICLE)
        self._extra = tuple(extra)
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    @property
    def articles(self) -> tuple[Article, ...]:
        return (self._article, *self._extra)

    def ask(self, question: str, history: Sequence[str] = (), *, article: str | None = None) -> Answer:
        self.asked.append((question, tuple(history)))
        other = next((known for known in self._extra if known.id == article), None)
        if other:
            return self._answer(question, Status.ANSWERED, None, (2,), article=other)
        key = search_key(question)
        if "break down" in key or "出错" in key:
            raise RuntimeError(f"secret internals while answering {question}")
        own = tongue(detect_language(question[:MAX_QUESTION_CHARACTERS]))
        if "不想活" in key or "kill myself" in key:
            return self._answer(question, Status.SAFETY, Reason.CRISIS, crisis=True)
        check_question(question)
        if "停药" in key or "stop taking" in key:
            return self._answer(question, Status.SAFETY, Reason.MEDICAL_ADVICE)
        for keys, ids, marked in self.TOPICS:
            if any(word in key for word in keys):
                hotline = say(HOTLINE, own) if 9 in ids else None
                return self._answer(question, Status.ANSWERED, None, ids, marked, hotline=hotline)
        return self._answer(question, Status.NO_ANSWER, Reason.NOT_IN_ARTICLE, related=RELATED)

    def _answer(
        self,
        question: str,
        status: Status,
        reason: Reason | None,
        ids: Sequence[int] = (),
        marked: Sequence[str] = (),
        *,
        related: Sequence[int] = (),
        crisis: bool = False,
        hotline: str | None = None,
        article: Article | None = None,
    ) -> Answer:
        question = question[:MAX_QUESTION_CHARACTERS]
        article, language = article or self._article, detect_language(question)
        own = tongue(language)
        english = own == "en"
        sentences = [article.sentence(n) for n in ids]
        doubts = {doubt.sentence: doubt.en if english else doubt.zh for doubt in article.doubts}
        from_mice = any(s.evidence is Evidence.MOUSE_STUDY for s in sentences)
        message = say(REASONS[reason], own) if reason else say(MOUSE_FIRST, own) if from_mice else ""
        return Answer(
            question=question,
            question_language=language,
            status=status,
            reason=reason,
            message=message,
            sentences=tuple(
                AnswerSentence(
                    id=s.id,
                    span=s.span,
                    quote=s.text,
                    highlights=tuple(Span(at, at + len(m)) for m in marked if (at := s.text.find(m)) >= 0),
                    evidence=s.evidence,
                    translation=s.translation if english else None,
                    doubt=doubts.get(s.id),
                )
                for s in sentences
            ),
            citations=tuple(
                Citation(n, article.id, s.id, article.section_of(s).title, s.text, s.span, 0.8, 0.7)
                for n, s in enumerate(sentences, start=1)
            ),
            related=tuple(
                Related(s.id, article.section_of(s).title, s.text, s.span, s.translation if english else None)
                for s in (article.sentence(n) for n in related)
            ),
            suggestions=() if crisis else _suggestions(own),
            disclaimer=Disclaimer(
                article.disclaimer_text, article.disclaimer[0], article.disclaimer_text_en if english else None
            ),
            article=ArticleCard(article.id, article.title, article.title_en, article.url, article.sha256),
            crisis=crisis,
            hotline=hotline,
        )


def _suggestions(own: Tongue) -> tuple[str, ...]:
    chinese = ("人脐带间充质干细胞怎么减轻神经炎症?", "有哪些干细胞治疗抑郁症的临床试验?")
    english = ("How do these stem cells reduce neuroinflammation?", "Which clinical trials are there?")
    return english if own == "en" else tuple(say({"zh": text}, own) for text in chinese)
