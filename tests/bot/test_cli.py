"""The command line: a table of arguments, status, output and error, and whole runs of the real thing."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot import cli
from bot.answer import distinct_passages
from bot.chatbot import Chatbot
from bot.feedback import Feedback, FeedbackStore
from bot.terminal import render
from corpus.article import Article
from index.encoder import EncoderError
from tests.bot.stand_in import StandIn
from tests.tiny import ROOT, write_article

ZH, EN = "全世界有多少抑郁症患者?", "How did it compare with fluoxetine?"
SUICIDE_RATE = "全球的自杀率是多少?"
"""The stand-in answers it with sentence 9, of which the article's own doubt is noted."""


@dataclass(frozen=True, slots=True)
class Run:
    status: int
    out: str
    err: str


class Command:
    """`yuanwen` in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Run:
        self._capsys.readouterr()
        status = cli.main(arguments)
        return Run(status, *self._capsys.readouterr())


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the person who runs the tests is read or written; messages are in English unless a test says so."""
    for name in [name for name in os.environ if name.startswith(("YUANWEN_", "LC_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    monkeypatch.setenv("YUANWEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("YUANWEN_LIBRARY", str(tmp_path / "library"))


@pytest.fixture
def yuanwen(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Answers that a test knows, in place of the loaded chatbot."""
    made = StandIn()
    monkeypatch.setattr("bot.chatbot.load_chatbot", lambda *args, **kwargs: made)
    return made


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch, chatbot: Chatbot) -> Chatbot:
    """The shipped chatbot, loaded once for all tests."""
    monkeypatch.setattr("bot.chatbot.load_chatbot", lambda *args, **kwargs: chatbot)
    return chatbot


# Bad input: arguments, status, what standard error says; standard output stays empty.

REFUSED: list[tuple[list[str], int, str]] = [
    ([], 2, "usage: yuanwen"),
    (["sing"], 2, "invalid choice: 'sing'"),
    (["ask"], 2, "required: question"),
    (["ask", "--lang", "fr", "q"], 2, "invalid choice: 'fr'"),
    (["ask", ""], 2, "Please write a question first."),
    (["ask", " \t\n　"], 2, "Please write a question first."),
    (["ask", "\x00\x07\x1b\u200b\ufeff"], 2, "Please write a question first."),
    (["ask", "\ud800\udfff"], 2, "Please write a question first."),
    (["ask", "--lang", "zh", ""], 2, "请先写下您的问题。"),
    (["ask", "--lang", "zh-Hant", ""], 2, "請先寫下您的問題。"),
    (["ask", "why " * 126], 2, "at most 500 characters"),
    (["ask", "问" * 501], 2, "最多 500 个字"),
    (["ask", "問題" * 300], 2, "最多 500 個字"),
    (
        ["ask", "--article", "nothing", EN],
        2,
        "There is no article nothing; there is: msc-depression. See: yuanwen list",
    ),
    (["ask", "--article", "nothing", ZH], 2, "没有编号为 nothing 的文章"),
    (["ask", "--articles", "/nowhere", EN], 1, "/nowhere is no folder of articles"),
    (["ask", "--articles", "/nowhere", ZH], 1, "/nowhere 不是文章文件夹"),
    (["index", "--articles", "/nowhere"], 1, "yuanwen add FILE"),
    (["batch", "questions.jsonl"], 2, "required: PREDICTIONS.jsonl"),
    (["batch", "/nowhere/q.jsonl", "/nowhere/p.jsonl"], 2, "Cannot read /nowhere/q.jsonl: No such file or directory"),
    (["batch", __file__, "/nowhere/p.jsonl"], 2, "Cannot write /nowhere/p.jsonl: No such file or directory"),
    (["batch", __file__, __file__], 2, "cannot be the same file"),
    (["batch", "--lang", "zh", "/nowhere/q.jsonl", "p.jsonl"], 2, "读不到 /nowhere/q.jsonl"),
    (["serve", "--port", "seventy"], 2, "invalid int value: 'seventy'"),
    (["serve", "--port", "70000"], 2, "YUANWEN_PORT: expected a port from 0 to 65535, found 70000"),
    (["serve", "--host", "0.0.0.0"], 2, "YUANWEN_HOSTS"),
    (["serve", "--host", "203.0.113.9", "--no-open"], 1, "Cannot serve: expected to listen on 203.0.113.9:7860"),
    (["remove", "nothing"], 2, "There is no article nothing"),
    (["remove", "msc-depression"], 2, "built in"),
    (["add"], 2, "required: FILE"),
    (["feedback"], 2, "one of the arguments --export --delete is required"),
    (["feedback", "--export"], 2, "set YUANWEN_FEEDBACK"),
    (["feedback", "--export", "--file", "/nowhere/f.sqlite"], 2, "There is no feedback file"),
]


@pytest.mark.parametrize(("arguments", "status", "error"), REFUSED, ids=[str(row[0])[:50] for row in REFUSED])
def test_bad_input_is_refused_in_one_line(
    yuanwen: Command, stand_in: StandIn, arguments: list[str], status: int, error: str
) -> None:
    found = yuanwen(*arguments)
    assert (found.status, found.out) == (status, "")
    assert error in found.err
    assert "Traceback" not in found.err
    assert stand_in.asked == []


def test_port_in_use_names_another(yuanwen: Command, stand_in: StandIn) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        assert yuanwen("serve", "--no-open", "--port", str(port)) == Run(
            1, "", f"yuanwen: Port {port} is in use. Try: yuanwen serve --port {port + 1}\n"
        )
        assert f"端口 {port} 已被占用" in yuanwen("serve", "--no-open", "--lang", "zh", "--port", str(port)).err


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("article.md", b"\xff\xfe\x00bad", "article.md:1"),
        ("article.md", b"", "found an empty file"),
        ("article.toml", b"id = ", "article.toml:1"),
        ("translation.en.tsv", b"sid\tzh_sha256_8\ten\n1\tdeadbeef\tA lie.\n", "translation.en.tsv:2"),
    ],
)
def test_unreadable_article_names_the_file(
    yuanwen: Command, tmp_path: Path, name: str, content: bytes, problem: str
) -> None:
    folder = write_article(tmp_path / "articles")
    (folder / name).write_bytes(content)
    found = yuanwen("ask", "--articles", str(folder), ZH)
    assert (found.status, found.out) == (1, "")
    assert problem in found.err
    assert "改好后运行：yuanwen index" in found.err


def test_broken_article_of_the_library_keeps_no_other_from_answering(
    yuanwen: Command, stand_in: StandIn, tmp_path: Path
) -> None:
    broken = tmp_path / "library" / "torn"
    broken.mkdir(parents=True)
    (broken / "article.toml").write_text('id = "torn"\ntitle = "torn"\n')
    found = yuanwen("ask", EN)
    assert found.status == 0
    assert "Left out an article that is not sound" in found.err
    assert "yuanwen remove ID" in found.err


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (EncoderError("expected a model, found none"), "The encoder cannot be loaded: expected a model, found none"),
        (PermissionError(13, "Permission denied", "/cache"), "set YUANWEN_CACHE"),
        (ModuleNotFoundError("no", name="faiss"), "The package faiss is missing"),
        (RuntimeError("a surprise"), "RuntimeError: a surprise"),
    ],
)
def test_broken_set_up_says_what_to_do(
    yuanwen: Command, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def load(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr("bot.chatbot.load_chatbot", load)
    found = yuanwen("ask", EN)
    assert (found.status, found.out) == (1, "")
    assert told in found.err
    assert "Traceback" not in found.err


def test_encoder_that_needs_another_package_names_it(yuanwen: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    found = yuanwen("index", "--encoder", "intfloat/multilingual-e5-small")
    assert (found.status, found.out) == (1, "")
    assert "expected the package sentence_transformers" in found.err
    assert "next: make dev" in found.err


# Answers


def test_chinese_question_prints_quotes_place_label_and_disclaimer(yuanwen: Command, stand_in: StandIn) -> None:
    found = yuanwen("ask", SUICIDE_RATE)
    sentence = stand_in.articles[0].sentence(9)
    assert (found.status, found.err) == (0, "")
    assert found.out.startswith(f"{sentence.text}\n[1] 抑郁症介绍 · 第 9 句 · 背景\n注：")
    assert found.out.rstrip().endswith(stand_in.articles[0].disclaimer_text)
    assert "translation" not in found.out


def test_english_question_prints_translation_and_original(yuanwen: Command, stand_in: StandIn) -> None:
    out = yuanwen("ask", EN).out
    article = stand_in.articles[0]
    for sentence in (article.sentence(31), article.sentence(37)):
        assert f"{sentence.translation} (translation)\n{sentence.text}\n" in out
    assert "mouse study" in out
    assert f"{article.disclaimer_text_en} (translation) {article.disclaimer_text}" in out
    heading = article.sentence(article.section_of(article.sentence(31)).sentences[0])
    assert f"[1] {heading.translation} · sentence 31 · " in out


def test_abstention_is_an_answer_with_status_zero(yuanwen: Command, stand_in: StandIn) -> None:
    found = yuanwen("ask", "weather")
    assert found.status == 0
    assert found.out.startswith("The article does not say.")
    assert "Related, not an answer" in found.out


def test_crisis_card_comes_first(yuanwen: Command, stand_in: StandIn) -> None:
    out = yuanwen("ask", "我不想活了").out
    assert "12356" in out.splitlines()[1]


def test_crisis_in_a_message_that_is_too_long_gets_the_card(
    yuanwen: Command, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "每天都很难熬。" * 120 + "我不想活了"
    assert "12356" in yuanwen("ask", text).out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert "12356" in yuanwen("ask", "-").out


def test_json_is_the_answer_of_every_surface(yuanwen: Command, real: Chatbot) -> None:
    found = yuanwen("ask", "--json", ZH)
    assert json.loads(found.out) == real.ask(ZH).as_dict()


def test_history_is_handed_on_oldest_first(yuanwen: Command, stand_in: StandIn) -> None:
    yuanwen("ask", "--history", "first", "--history", "second", EN)
    assert stand_in.asked == [(EN, ("first", "second"))] or stand_in.asked == [(EN, ["first", "second"])]


def test_question_comes_from_standard_input(
    yuanwen: Command, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, write = os.pipe()
    os.write(write, ZH.encode() + b"\xff\n")
    os.close(write)
    with os.fdopen(read) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert yuanwen("ask", "-").status == 0
    assert stand_in.asked[0][0].startswith(ZH)


def test_highlights_are_set_off_only_where_there_is_a_terminal() -> None:
    made = StandIn()
    answer = made.ask(SUICIDE_RATE)
    plain, styled = render(answer, made.articles), render(answer, made.articles, styled=True)
    assert "\x1b" not in plain
    highlighted = answer.sentences[0].highlights[0].of(answer.sentences[0].quote)
    assert f"\x1b[1m{highlighted}\x1b[0m" in styled
    assert re.sub(r"\x1b\[\dm", "", styled) == plain


# Batch


def write_lines(file: Path, *lines: bytes | dict[str, Any]) -> str:
    file.write_bytes(b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines))
    return str(file)


def test_batch_answers_every_good_line_and_names_every_bad_one(yuanwen: Command, real: Chatbot, tmp_path: Path) -> None:
    questions = write_lines(
        tmp_path / "q.jsonl",
        {"id": "a", "question": ZH},
        b"not json",
        {"id": 2, "question": "那焦虑呢?", "history": ["干细胞能缓解抑郁吗?"]},
        b"",
        b'["a list"]',
        {"id": "c", "question": ""},
        {"id": "d", "question": "x" * 501},
        {"question": "no id"},
        {"id": "e", "question": 5},
        {"id": "f", "question": EN, "history": "not a list"},
        b'{"id": "g", "question": "\xff"}',
        {"id": "h", "question": EN, "article": "nothing"},
        b"[" * 100_000,
        {"id": "z", "question": "我不想活了", "history": None},
    )
    found = yuanwen("batch", questions, str(tmp_path / "p.jsonl"))
    written = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["id"] for line in written] == ["a", 2, "z"]
    assert found.status == 1
    assert [int(n) for n in re.findall(r"[\r\n]line (\d+):", found.err)] == [2, 5, 6, 7, 8, 9, 10, 11, 12, 13]
    assert "Answered 3 questions" in found.err
    assert "10 bad lines" in found.err
    first = real.ask(ZH)
    assert written[0] == {
        "id": "a",
        "answer": first.text,
        "citations": distinct_passages(first.citations),
        "abstained": first.abstained,
        "status": first.status.value,
        "reason": first.reason.value if first.reason else None,
        "crisis": False,
        "sentence_ids": [sentence.id for sentence in first.sentences],
    }
    assert written[1]["answer"] == real.ask("那焦虑呢?", ["干细胞能缓解抑郁吗?"]).text
    assert (written[2]["crisis"], written[2]["abstained"], written[2]["answer"]) == (True, True, "")


def test_batch_says_of_crises_alone_that_they_are(yuanwen: Command, real: Chatbot, tmp_path: Path) -> None:
    asked = {
        "我不想活了": True,
        "每天都很难熬。" * 120 + "我不想活了": True,
        "每年有多少人死于自杀?": False,
        "我该不该停药?": False,
    }
    lines = [{"id": number, "question": text} for number, text in enumerate(asked)]
    assert yuanwen("batch", write_lines(tmp_path / "q.jsonl", *lines), str(tmp_path / "p.jsonl")).status == 0
    written = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["crisis"] for line in written] == list(asked.values())
    assert [line["status"] for line in written] == ["safety", "safety", "answered", "safety"]


def test_batch_of_good_lines_succeeds_whatever_the_line_ends(
    yuanwen: Command, stand_in: StandIn, tmp_path: Path
) -> None:
    line = json.dumps({"id": 1, "question": SUICIDE_RATE}, ensure_ascii=False).encode()
    questions = tmp_path / "q.jsonl"
    questions.write_bytes(b"\xef\xbb\xbf" + line + b"\r\n\r\n" + line)
    found = yuanwen("batch", str(questions), str(tmp_path / "p.jsonl"))
    assert found.status == 0
    assert "2/2" in found.err  # the progress bar
    written = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["answer"] for line in written] == [stand_in.articles[0].sentence(9).text] * 2


# The index


def test_index_is_built_with_a_bar_checked_and_built_again_on_request(yuanwen: Command, tmp_path: Path) -> None:
    articles = str(write_article(tmp_path / "articles"))

    def manifest() -> tuple[Path, int]:
        [found] = (tmp_path / "cache").glob("*/manifest.json")
        return found, found.stat().st_ino

    first = yuanwen("index", "--articles", articles)
    assert first.status == 0
    assert "There is no index yet" in first.err
    assert "100%" in first.err
    assert "The index is sound: 1 article(s), 12 sentences" in first.out
    built = manifest()
    second = yuanwen("index", "--articles", articles)
    assert (second.err, manifest()) == ("", built)
    assert second.out == first.out
    forced = yuanwen("index", "--articles", articles, "--force")
    assert "There is no index yet" in forced.err
    assert manifest()[1] != built[1]
    [vectors] = manifest()[0].parent.glob("*/sentences.vectors.npy")
    vectors.write_bytes(vectors.read_bytes()[:-1] + b"\x01")
    mended = yuanwen("index", "--articles", articles)
    assert mended.status == 0
    assert "sentences.vectors.npy" in mended.err


def test_store_that_cannot_be_used_is_named(yuanwen: Command) -> None:
    found = yuanwen("ask", "--store", "postgres://reader:secret@here/x", ZH)
    assert (found.status, found.out) == (1, "")
    assert "expected a store such as milvus://" in found.err
    assert "secret" not in found.err


# The library


def test_article_is_added_listed_updated_and_removed(yuanwen: Command, tmp_path: Path) -> None:
    good = tmp_path / "sleep.md"
    good.write_text("# Sleep and mood\n\nSleep helps.\n\nDisclaimer: this is no medical advice.\n", encoding="utf-8")
    bad = tmp_path / "bare.md"
    bad.write_text("# Bare\n\nNothing is said here.\n", encoding="utf-8")
    added = yuanwen("add", str(good), str(bad))
    assert added.status == 1
    assert f"added: {good} -> sleep-and-mood" in added.out
    assert "1 added, 0 updated, 0 unchanged, 1 refused" in added.out
    assert f"refused: {bad}" in added.err
    assert "yuanwen add --disclaimer" in added.err
    assert yuanwen("add", "--disclaimer", "This is no medical advice.", str(bad)).status == 0
    listed = yuanwen("list").out.splitlines()
    assert [line.split("\t")[0] for line in listed] == ["msc-depression", "bare", "sleep-and-mood"]
    assert listed[0].endswith("\tbuilt in")
    rows = [json.loads(line) for line in yuanwen("list", "--json").out.splitlines()]
    assert rows[2] == {
        "id": "sleep-and-mood",
        "title": "Sleep and mood",
        "language": "en",
        "built_in": False,
        "source": str(good),
    }
    good.write_text(good.read_text(encoding="utf-8").replace("helps", "helps a lot"), encoding="utf-8")
    assert "0 added, 1 updated, 1 unchanged, 0 refused" in yuanwen("update").out
    assert yuanwen("remove", "sleep-and-mood").out == "Took out sleep-and-mood (Sleep and mood).\n"
    assert len(yuanwen("list").out.splitlines()) == 2
    assert good.exists()


# Feedback


def test_feedback_is_exported_and_deleted(yuanwen: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "feedback.sqlite"
    store = FeedbackStore(file)
    ids = [store.add(Feedback("msc-depression", q, (9,), "down", "other")) for q in (ZH, EN, "third")]
    store.close()
    monkeypatch.setenv("YUANWEN_FEEDBACK", str(file))
    rows = [json.loads(line) for line in yuanwen("feedback", "--export").out.splitlines()]
    assert [row["question"] for row in rows] == [ZH, EN, "third"]
    assert rows[0] | {"day": ""} == {
        "id": ids[0],
        "day": "",
        "article": "msc-depression",
        "question": ZH,
        "sentences": [9],
        "verdict": "down",
        "reason": "other",
    }
    assert yuanwen("feedback", "--delete", str(ids[1])).out == "Deleted 1 verdicts.\n"
    assert yuanwen("feedback", "--delete").out == "Deleted 2 verdicts.\n"
    assert yuanwen("feedback", "--export").out == ""
    assert ZH.encode() not in file.read_bytes()


def test_file_that_is_no_feedback_is_named(yuanwen: Command, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database, " * 100)
    found = yuanwen("feedback", "--export", "--file", str(file))
    assert (found.status, found.out) == (1, "")
    assert "notes.txt is no feedback file" in found.err


# Help


@pytest.mark.parametrize(
    "command", ["", "serve", "ask", "index", "batch", "add", "list", "remove", "update", "feedback"]
)
@pytest.mark.parametrize(
    ("locale", "language"), [("en_US.UTF-8", "en"), ("zh_CN.UTF-8", "zh"), ("zh_TW.UTF-8", "zh-Hant"), ("C", "en")]
)
def test_help_is_in_the_language_of_the_system(
    yuanwen: Command, monkeypatch: pytest.MonkeyPatch, command: str, locale: str, language: str
) -> None:
    monkeypatch.setenv("LANG", locale)
    found = yuanwen(*([command] if command else []), "--help")
    assert (found.status, found.err) == (0, "")
    said = found.out[found.out.index("\n\n") :].split("options:")[0]
    assert bool(re.search(r"[\u4e00-\u9fff]", said)) is (language != "en")
    if language == "zh-Hant" and command == "ask":
        assert "問" in said


def test_threads_are_settled_before_numpy_is_imported(monkeypatch: pytest.MonkeyPatch, yuanwen: Command) -> None:
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "OMP_WAIT_POLICY")
    for name in names:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert yuanwen("--version").status == 0
    assert [os.environ[name] for name in names] == ["1", "1", "ACTIVE"]
    code = "import sys, bot.cli; print([m for m in ('numpy', 'faiss', 'fastapi', 'tqdm') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout == "[]\n"


# The real thing, in a process of its own


def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "YUANWEN_CACHE": str(tmp_path / "cache"), "PYTHONIOENCODING": "ascii"}


def test_cold_ask_imports_neither_torch_nor_gradio(article: Article, tmp_path: Path) -> None:
    arguments = [sys.executable, "-X", "importtime", "-m", "bot", "ask", "--json", ZH]
    found = subprocess.run(arguments, cwd=ROOT, env=environment(tmp_path), capture_output=True, timeout=120)
    imported = {line.split("|")[-1].strip().split(".")[0] for line in found.stderr.decode().splitlines() if "|" in line}
    assert {"faiss", "tokenizers", "numpy"} <= imported
    heavy = {
        "torch",
        "sentence_transformers",
        "transformers",
        "gradio",
        "fastapi",
        "uvicorn",
        "sklearn",
        "pandas",
        "scipy",
    }
    assert imported & heavy == set()
    assert found.returncode == 0
    answer = json.loads(found.stdout)
    for sentence in answer["answer"]["sentences"]:
        assert article.text[sentence["start"] : sentence["end"]] == sentence["quote"]
    assert answer["disclaimer"]["text"] == article.disclaimer_text


def test_reader_of_our_output_may_leave_early(tmp_path: Path) -> None:
    run = subprocess.Popen(
        [sys.executable, "-m", "bot", "list"],
        cwd=ROOT,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert run.stdout is not None
    assert run.stderr is not None
    run.stdout.close()
    error = run.stderr.read()
    run.stderr.close()
    assert (run.wait(60), error) == (0, b"")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`yuanwen serve` on a free port, and the address it prints."""
    run = subprocess.Popen(
        [sys.executable, "-m", "bot", "serve", "--no-open", "--port", "0"],
        cwd=ROOT,
        env=environment(tmp_path),
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    try:
        assert run.stderr is not None
        lines = iter(run.stderr.readline, "")
        address = next(match[0] for line in lines if (match := re.search(r"http://localhost:\d+", line)))
        yield run, address
    finally:
        run.kill()
        run.communicate()


def test_serve_gets_ready_answers_and_stops_on_sigterm(served: tuple[subprocess.Popen[str], str]) -> None:
    run, address = served
    retry = urllib.request.Request(f"{address}/readyz")
    for _ in range(600):
        try:
            urllib.request.urlopen(retry, timeout=10).close()
            break
        except OSError:
            assert run.poll() is None, "expected the server to go on while it gets ready"
            signal.sigtimedwait([], 0.1)
    else:
        pytest.fail("expected the server to be ready within a minute")
    body = json.dumps({"question": ZH}).encode()
    ask = urllib.request.Request(f"{address}/api/ask", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(ask, timeout=10) as response:
        assert json.loads(response.read())["disclaimer"]["text"].startswith("免责说明")
    run.send_signal(signal.SIGTERM)
    assert run.wait(30) in (0, -signal.SIGTERM)


def test_arguments_are_what_help_says(yuanwen: Command) -> None:
    """Names that scripts rely on."""
    options: dict[str, Sequence[str]] = {
        "serve": ["--host", "--port", "--workers", "--open", "--no-open", "--encoder", "--store", "--articles"],
        "ask": ["--json", "--lang", "--history", "--article", "--encoder", "--store", "--articles"],
        "index": ["--force", "--encoder", "--store", "--articles"],
        "batch": ["QUESTIONS.jsonl", "PREDICTIONS.jsonl"],
        "add": ["--disclaimer"],
        "feedback": ["--export", "--delete"],
    }
    for command, names in options.items():
        out = yuanwen(command, "--help").out
        assert [name for name in names if name not in out] == []
