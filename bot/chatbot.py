"""The one place where a question becomes an Answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from platformdirs import user_cache_path

from bot import dialogue
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
from bot.features import Asked
from bot.highlight import Highlighter
from bot.messages import (
    ERRORS,
    HOTLINE,
    MOUSE_FIRST,
    REASONS,
    SMALL_TALK,
    Tongue,
    say,
    tongue,
)
from bot.reader import MODEL as READER_MODEL
from bot.reader import Reader, Reading, Scored, TrainedReader, reranked
from bot.safety import Concern, SafetyRules
from corpus.article import Article, ArticleError, Evidence, Sentence, load_article
from corpus.language import Language, clean, detect_language, to_simplified
from corpus.segment import JiebaTokenizer
from index.encoder import load_encoder
from index.reranker import CrossEncoderReranker, Reranker
from index.retriever import BankMatch, LocalRetriever, Query, Retriever
from index.segment import Progress
from index.segment import StoreError as StoreError
from index.store import file_hash, manifest_inputs, open_index

ARTICLES = Path(__file__).parent.parent / "corpus" / "articles"

READ_ARTICLES = 2
"""So many articles, those of the best passages, are read for a question that names none."""

_ABOUT_PEOPLE = re.compile(
    r"人(?!脐带|类?间充质)|患者|病人|病友|家人|孩子|妈|爸|我|临床|\b(?:people|person|patients?|humans?|my|me|i|clinical(?:ly)?)\b",
    re.IGNORECASE,
)


class QuestionError(ValueError):
    """A question that cannot be answered as it is; `code` is `empty` or `too_long`, the text is for the reader."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Chatbot:
    """Answers from ready parts; `load_chatbot` makes the real ones."""

    articles: tuple[Article, ...]
    retriever: Retriever
    reader: Reader
    safety: SafetyRules
    highlighter: Highlighter
    reranker: Reranker | None = None
    """Has the last word on which sentences answer; what a question leans on is read without it."""

    def ask(self, question: str, history: Sequence[str] = (), *, article: str | None = None) -> Answer:
        """Answer in the article's own words, or say why not.

        Args:
            history: earlier questions of the same reader, oldest first.
            article: id of the article that is meant, where there are several.

        Raises:
            QuestionError: the question is empty or longer than MAX_QUESTION_CHARACTERS.
            KeyError: there is no article of that id.
        """
        text = clean(question)
        kept = text[:MAX_QUESTION_CHARACTERS]
        frame = _Frame(kept, detect_language(kept), self._article(article))
        assessed = self.safety.assess(text)
        if assessed.concern is Concern.CRISIS:  # however long the message
            return frame.answer(Status.SAFETY, Reason.CRISIS, crisis=True)
        check_question(text)
        if not any(character.isalnum() for character in text):
            return frame.answer(Status.NO_ANSWER, Reason.NOT_A_QUESTION, suggestions=self._starters(frame))
        if assessed.concern is Concern.SMALLTALK:
            message = SMALL_TALK.get(assessed.intent, REASONS[Reason.SMALL_TALK])
            reason = Reason.NOT_A_QUESTION if assessed.intent == "nonsense" else Reason.SMALL_TALK
            return frame.answer(Status.NO_ANSWER, reason, message=message, suggestions=self._starters(frame))
        if assessed.concern is Concern.INJECTION:
            return frame.answer(Status.NO_ANSWER, Reason.OFF_TOPIC, suggestions=self._starters(frame))
        reading, bank = self._read(text, history, article)
        if reading.on_topic and reading.ranked:
            frame = replace(frame, article=reading.ranked[0].article)
        hotline = say(HOTLINE, frame.tongue) if assessed.mentions_topic else None
        if assessed.concern is Concern.ADVICE:
            related = frame.related(reading) if reading.on_topic else ()
            return frame.answer(Status.SAFETY, Reason.MEDICAL_ADVICE, related=related, hotline=hotline)
        if reading.answers:
            return self._answered(frame, reading, bank, hotline)
        return frame.answer(
            Status.NO_ANSWER,
            Reason.NOT_IN_ARTICLE if reading.on_topic else Reason.OFF_TOPIC,
            related=frame.related(reading) if reading.on_topic else (),
            suggestions=frame.suggestions(bank, ()) if reading.on_topic else self._starters(frame),
            hotline=hotline,
        )

    def _read(self, text: str, history: Sequence[str], article: str | None) -> tuple[Reading, list[BankMatch]]:
        """Read the question as the conversation gives it; one that is only brief also alone, if that reads better."""
        asked = self.in_conversation(text, history, article)
        ways = [asked]
        if asked.query.text != text and not dialogue.leans(text):
            ways.append(self.in_conversation(text, (), article))
        read = [(self._stages(one, article), one) for one in ways]
        (reading, bank), asked = max(read, key=lambda one: _sureness(one[0]))
        return (reranked(reading, asked.query.text, self.reranker) if self.reranker else reading), bank

    def in_conversation(self, text: str, history: Sequence[str], article: str | None = None) -> Asked:
        """The question, with the one before in mind if it may lean on that."""
        query = self.retriever.prepare(text)
        earlier = [turn for turn in map(clean, history) if 0 < len(turn) <= MAX_QUESTION_CHARACTERS][-dialogue.TURNS :]
        answered: tuple[tuple[str, int], ...] = ()
        if earlier and (dialogue.leans(text) or dialogue.brief(text)):
            before = self.in_conversation(earlier[-1], earlier[:-1], article)
            answered = _places(self._stages(before, article)[0].chosen)
            query = query.after(before.query, dialogue.SHARE)
        return Asked(query, answered, self._parts(text, query, article))

    def _parts(self, text: str, whole: Query, article: str | None) -> tuple[tuple[str, int], ...]:
        """What best answers each of the things that a question asks at once, read alone and with the whole in mind."""
        prepared = [self.retriever.prepare(part) for part in dialogue.parts(text)]
        asked = (Asked(query) for part in prepared for query in (part, part.after(whole, dialogue.SHARE)))
        return tuple(place for one in asked for place in _places(self._stages(one, article)[0].chosen[:1]))

    def _stages(self, asked: Asked, article: str | None) -> tuple[Reading, list[BankMatch]]:
        """Retrieve, then read the article that is meant, or those of the best passages, and keep the surest reading."""
        hits = self.retriever.retrieve(asked.query, article=article)
        named = dict.fromkeys(hit.passage.article for hit in hits)
        readings = []
        for name in [*named][:READ_ARTICLES] or [self._article(article).id]:
            bank = self.retriever.bank(asked.query, name)
            evidence = self.retriever.evidence(asked.query, name, hits)
            readings.append((self.reader.read(asked, hits, evidence, bank), bank))
        return max(readings, key=_sureness)

    def _answered(self, frame: _Frame, reading: Reading, bank: Sequence[BankMatch], hotline: str | None) -> Answer:
        frame = replace(frame, article=reading.chosen[0].article)
        own = [scored for scored in reading.chosen if scored.article is frame.article]
        chosen = sorted(own, key=lambda scored: scored.sentence.id)
        from_mice = any(scored.sentence.evidence is Evidence.MOUSE_STUDY for scored in chosen)
        return frame.answer(
            Status.ANSWERED,
            None,
            message=MOUSE_FIRST if from_mice and _ABOUT_PEOPLE.search(frame.question) else None,
            sentences=tuple(self._quoted(frame, scored.sentence) for scored in chosen),
            citations=tuple(self._citation(n, scored) for n, scored in enumerate(chosen, start=1)),
            suggestions=frame.suggestions(bank, [scored.sentence.id for scored in chosen]),
            hotline=hotline,
        )

    def _quoted(self, frame: _Frame, sentence: Sentence) -> AnswerSentence:
        english = frame.tongue == "en"
        doubt = next((d for d in frame.article.doubts if d.sentence == sentence.id), None)
        return AnswerSentence(
            id=sentence.id,
            span=sentence.span,
            quote=sentence.text,
            highlights=self.highlighter.highlights(frame.question, sentence.text),
            evidence=sentence.evidence,
            translation=sentence.translation if english else None,
            doubt=(doubt.en if english else say({"zh": doubt.zh}, frame.tongue)) if doubt else None,
        )

    def _citation(self, number: int, scored: Scored) -> Citation:
        article, sentence = scored.article, scored.sentence
        return Citation(
            n=number,
            article=article.id,
            sentence_id=sentence.id,
            section=article.section_of(sentence).title,
            passage=self.retriever.passage_of(article, sentence).of(article.text),
            span=sentence.span,
            retrieval_score=scored.retrieval_score,
            span_score=scored.span_score,
        )

    def _article(self, article: str | None) -> Article:
        if article is None:
            return self.articles[0]
        return {known.id: known for known in self.articles}[article]

    def _starters(self, frame: _Frame) -> tuple[str, ...]:
        return starters(frame.article, frame.tongue)


def _places(scored: Sequence[Scored]) -> tuple[tuple[str, int], ...]:
    return tuple((s.article.id, s.sentence.id) for s in scored)


def _sureness(read: tuple[Reading, list[BankMatch]]) -> float:
    return read[0].margin


@dataclass(frozen=True, slots=True)
class _Frame:
    """What every answer to one question has in common."""

    question: str
    language: Language
    article: Article

    @property
    def tongue(self) -> Tongue:
        return tongue(self.language)

    def answer(
        self,
        status: Status,
        reason: Reason | None,
        *,
        message: dict[str, str] | None = None,
        sentences: tuple[AnswerSentence, ...] = (),
        citations: tuple[Citation, ...] = (),
        related: tuple[Related, ...] = (),
        suggestions: tuple[str, ...] = (),
        crisis: bool = False,
        hotline: str | None = None,
    ) -> Answer:
        article, english = self.article, self.tongue == "en"
        text = message or (REASONS[reason] if reason else None)
        return Answer(
            question=self.question,
            question_language=self.language,
            status=status,
            reason=reason,
            message=say(text, self.tongue) if text else "",
            sentences=sentences,
            citations=citations,
            related=related,
            suggestions=suggestions,
            disclaimer=Disclaimer(
                text=article.disclaimer_text,
                sentence_id=article.disclaimer[0],
                translation=article.disclaimer_text_en if english else None,
            ),
            article=ArticleCard(article.id, article.title, article.title_en, article.url, article.sha256),
            crisis=crisis,
            hotline=hotline,
        )

    def related(self, reading: Reading) -> tuple[Related, ...]:
        """The nearest sentences of the article, headings left out."""
        near = [s for s in reading.ranked if s.article is self.article and not s.sentence.is_heading][:3]
        return tuple(
            Related(
                sentence_id=s.sentence.id,
                section=self.article.section_of(s.sentence).title,
                quote=s.sentence.text,
                span=s.sentence.span,
                translation=s.sentence.translation if self.tongue == "en" else None,
            )
            for s in near
        )

    def suggestions(self, bank: Sequence[BankMatch], shown: Collection[int]) -> tuple[str, ...]:
        """Questions of the bank near this one that other sentences answer, then others, in the reader's language."""
        seen, found = set(shown), []
        for match in bank:
            answered = match.question.sentences
            if answered and not seen & set(answered) and _presentable(self.tongue, match.question.text):
                seen |= set(answered)
                found.append(_in_script(match.question.text, self.tongue))
        return tuple(dict.fromkeys((*found, *starters(self.article, self.tongue))))[:3]


def _presentable(language: Tongue, question: str) -> bool:
    """Whether a question of the bank can be shown: a whole one, in the reader's language alone; some mix two."""
    whole = question.endswith(("?", "？")) and 8 <= len(question) <= 60
    return whole and detect_language(question) in (("en",) if language == "en" else ("zh-Hans", "zh-Hant"))


@lru_cache(maxsize=256)
def starters(article: Article, language: Tongue) -> tuple[str, ...]:
    """Questions to begin with: from the bank, on sentences spread over the article."""
    own = [q for q in article.questions if len(q.sentences) == 1 and _presentable(language, q.text)]
    places = [len(own) * part // 8 for part in (1, 4, 6)]
    return tuple(_in_script(own[i].text, language) for i in places) if own else ()


def _in_script(text: str, language: Tongue) -> str:
    """A question of the bank in the reader's script, whichever it was written in."""
    return text if language == "en" else say({"zh": to_simplified(text)}, language)


def check_question(question: str) -> str:
    """The question without invisible and control characters.

    Raises:
        QuestionError: it is empty or longer than MAX_QUESTION_CHARACTERS; the message is in the asker's language.
    """
    text = clean(question)
    if not text:
        raise QuestionError("empty", f"{ERRORS['empty']['zh']} / {ERRORS['empty']['en']}")
    if len(text) > MAX_QUESTION_CHARACTERS:
        message = say(ERRORS["too_long"], tongue(detect_language(text[:MAX_QUESTION_CHARACTERS])))
        raise QuestionError("too_long", message.format(limit=MAX_QUESTION_CHARACTERS))
    return text


def load_articles(folder: Path = ARTICLES) -> tuple[Article, ...]:
    """The article in this folder, or those in the folders under it.

    Raises:
        ArticleError: there is none, or one that is not sound.
    """
    files = [own] if (own := folder / "article.md").is_file() else sorted(folder.glob("*/article.md"))
    if not files:
        raise ArticleError(folder, 1, "expected a folder with an article.md in it, found none")
    held: dict[str, Article] = {}
    for file in files:
        article = load_article(file.parent)
        if article.id in held:
            raise ArticleError(
                file.with_name("article.toml"), 1, f"expected an id of its own, found {article.id!r} again"
            )
        held[article.id] = article
    return tuple(held.values())


def load_chatbot(
    articles: Path | Sequence[Article] = ARTICLES,
    *,
    encoder: str | None = None,
    reader: Reader | None = None,
    reranker: str | None = None,
    cache: Path | None = None,
    store: str | None = None,
    progress: Progress | None = None,
    say_line: Callable[[str], None] = lambda line: None,
) -> Chatbot:
    """The real parts put together; the index is built on first use and checked on every other.

    Args:
        articles: a folder of them, or articles that are loaded already.
        encoder: a static encoder's folder, or a sentence-transformers model by name or path; the shipped one if None.
        reranker: a sentence-transformers CrossEncoder by name or path, to have the last word on which sentences answer.
        store: where the passages live, such as milvus://host:19530/collection; in files in the cache if None.

    Raises:
        ArticleError: an article's files are not sound.
        EncoderError: the encoder or the reranker cannot be loaded.
        StoreError: the store cannot be reached.
    """
    held = load_articles(articles) if isinstance(articles, Path) else tuple(articles)
    if not held:
        raise ValueError("expected at least one article, found none; see yuanwen add --help")
    dictionary = sorted({name for article in held for term in article.glossary for name in term.names})
    tokenizer = JiebaTokenizer(dictionary)
    loaded = load_encoder(encoder)
    inputs = manifest_inputs(
        held, loaded, dictionary, {"reader": file_hash(READER_MODEL) if reader is None else "given"}
    )
    folder = cache or user_cache_path("yuanwen") / "index"
    index = open_index(folder, held, loaded, tokenizer, inputs, progress, say_line, store)
    return Chatbot(
        articles=held,
        retriever=LocalRetriever(index, loaded, tokenizer),
        reader=reader or TrainedReader(),
        safety=SafetyRules.load(),
        highlighter=Highlighter(loaded, tokenizer),
        reranker=CrossEncoderReranker(reranker) if reranker else None,
    )
