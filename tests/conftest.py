"""Parts that many tests share, made once: the real article, its tokenizer, a small index, and two chatbots."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.chatbot import Chatbot, load_chatbot
from bot.highlight import Highlighter
from bot.reader import Reader, TrainedReader
from bot.safety import SafetyRules
from corpus.article import Article, load_article
from corpus.segment import JiebaTokenizer
from index.encoder import StaticEncoder
from index.retriever import LocalRetriever
from index.store import Index, manifest_inputs, open_index
from tests.tiny import ARTICLE, TinyEncoder, write_article


@pytest.fixture(scope="session")
def article() -> Article:
    """The article that the project ships."""
    return load_article(ARTICLE)


@pytest.fixture(scope="session")
def dictionary(article: Article) -> list[str]:
    return sorted({name for term in article.glossary for name in term.chinese})


@pytest.fixture(scope="session")
def tokenizer(dictionary: list[str]) -> JiebaTokenizer:
    return JiebaTokenizer(dictionary)


@pytest.fixture(scope="session")
def safety() -> SafetyRules:
    return SafetyRules.load()


@pytest.fixture(scope="session")
def tiny() -> TinyEncoder:
    return TinyEncoder()


@pytest.fixture(scope="session")
def lighthouse(tmp_path_factory: pytest.TempPathFactory) -> Article:
    """A made-up article of twelve sentences."""
    return load_article(write_article(tmp_path_factory.mktemp("lighthouse")))


@pytest.fixture(scope="session")
def tiny_index(
    article: Article,
    dictionary: list[str],
    tokenizer: JiebaTokenizer,
    tiny: TinyEncoder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Index:
    """The index of the real article under the tiny encoder."""
    inputs = manifest_inputs((article,), tiny, dictionary)
    return open_index(tmp_path_factory.mktemp("tiny-index"), (article,), tiny, tokenizer, inputs)


@pytest.fixture(scope="session")
def tiny_retriever(tiny_index: Index, tiny: TinyEncoder, tokenizer: JiebaTokenizer) -> LocalRetriever:
    return LocalRetriever(tiny_index, tiny, tokenizer)


@pytest.fixture(scope="session")
def make_chatbot(
    article: Article, tiny_retriever: LocalRetriever, tiny: TinyEncoder, tokenizer: JiebaTokenizer, safety: SafetyRules
) -> Callable[[Reader], Chatbot]:
    """A chatbot over the real article and the tiny encoder, with a reader of the test's choice."""

    def make(reader: Reader) -> Chatbot:
        return Chatbot((article,), tiny_retriever, reader, safety, Highlighter(tiny, tokenizer))

    return make


@pytest.fixture(scope="session")
def tiny_chatbot(make_chatbot: Callable[[Reader], Chatbot]) -> Chatbot:
    return make_chatbot(TrainedReader())


@pytest.fixture(scope="session")
def shipped_encoder() -> StaticEncoder:
    return StaticEncoder()


@pytest.fixture(scope="session")
def shipped_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shipped-index")


@pytest.fixture(scope="session")
def chatbot(shipped_cache: Path) -> Chatbot:
    """The chatbot as people get it: the shipped article, encoder and reader."""
    return load_chatbot(cache=shipped_cache)
