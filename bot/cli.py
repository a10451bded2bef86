"""The command line: a thin shell over the chatbot in which each command loads only what it needs."""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, get_args

from bot.messages import COMMAND, ERRORS, Tongue, say, tongue

if TYPE_CHECKING:
    from bot.api import Asks
    from bot.chatbot import Chatbot
    from bot.feedback import FeedbackStore
    from bot.settings import Settings
    from corpus.article import Article
    from corpus.library import FileReport, Library, Report

DONE, BROKEN, REFUSED = 0, 1, 2
"""Exit statuses: done (an abstention is an answer), a set-up that is broken, arguments or a question that are."""

MOST_INPUT = 65_536
"""Bytes of a question that are read from standard input; one that is too long is refused anyway."""

Loading = Callable[[str, int, int], None]
"""Called with what is being done, how many are done, and how many there are."""


class CommandError(Exception):
    """A command cannot go on; the message is for the one who typed it."""

    def __init__(self, status: int, name: str, language: Tongue, /, **values: object) -> None:
        super().__init__(say(COMMAND[name], language).format(**values))
        self.status = status


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _prepare(os.environ, transformer=any(argument.startswith(("--encoder", "--reranker")) for argument in given))
    language = _language(given, os.environ)
    try:
        options = _parser(language).parse_args(given)
        status: int = options.run(options)
        sys.stdout.flush()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else DONE
    except CommandError as error:
        print(f"yuanwen: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print(f"\n{say(COMMAND['stopped'], language)}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has had enough; nothing is left to be flushed to them at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except ModuleNotFoundError as error:
        print(f"yuanwen: {CommandError(BROKEN, 'not_installed', language, name=error.name)}", file=sys.stderr)
        return BROKEN
    except Exception as error:
        if os.environ.get("YUANWEN_DEBUG"):
            raise
        detail = f"{type(error).__name__}: {error}"
        print(f"yuanwen: {CommandError(BROKEN, 'unexpected', language, detail=detail)}", file=sys.stderr)
        return BROKEN
    return status


def _prepare(environ: dict[str, str] | os._Environ[str], *, transformer: bool) -> None:
    """Before numpy is imported: threads cost more than they bring on matrices as small as ours."""
    environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if not transformer:  # One makes good use of threads.
        environ.setdefault("OMP_NUM_THREADS", "1")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _language(arguments: Sequence[str], environ: Mapping[str, str]) -> Tongue:
    """The language of messages: `--lang` where it is given, else the system's."""
    early = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    early.add_argument("--lang")
    try:
        wanted = early.parse_known_args(list(arguments))[0].lang
    except argparse.ArgumentError:
        wanted = None
    if wanted in get_args(Tongue):
        found: Tongue = wanted
        return found
    locale = next((v for v in map(environ.get, ("LC_ALL", "LC_MESSAGES", "LANG")) if v), "").lower()
    if not locale.startswith("zh"):
        return "en"
    return "zh-Hant" if any(mark in locale for mark in ("hant", "tw", "hk", "mo")) else "zh"


def _parser(language: Tongue) -> argparse.ArgumentParser:
    def text(name: str) -> str:
        return say(COMMAND[name], language).replace("%", "%%")

    parser = argparse.ArgumentParser(prog="yuanwen", description=text("about"), epilog=text("more"))
    parser.add_argument("--version", action="version", version=f"yuanwen {_version()}")
    parser.set_defaults(run=lambda options: _usage(parser), language=language)
    commands = parser.add_subparsers(metavar="")

    def command(name: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text(name), description=text(name))
        made.add_argument("--lang", choices=get_args(Tongue), help=text("option_lang"))
        made.set_defaults(run=run)
        return made

    def answers(made: argparse.ArgumentParser) -> argparse.ArgumentParser:
        made.add_argument("--articles", type=Path, metavar="DIR", help=text("option_articles"))
        made.add_argument("--encoder", metavar="MODEL", help=text("option_encoder"))
        made.add_argument("--reranker", metavar="MODEL", help=text("option_reranker"))
        made.add_argument("--store", metavar="ADDRESS", help=text("option_store"))
        return made

    serve = answers(command("serve", _serve))
    serve.add_argument("--host", help=text("option_host"))
    serve.add_argument("--port", type=int, help=text("option_port"))
    serve.add_argument("--workers", type=int, metavar="N", help=text("option_workers"))
    serve.add_argument("--open", action=argparse.BooleanOptionalAction, default=True, help=text("option_open"))

    ask = answers(command("ask", _ask))
    ask.add_argument("question", help=text("option_question"))
    ask.add_argument("--history", action="append", default=[], metavar="QUESTION", help=text("option_history"))
    ask.add_argument("--article", metavar="ID", help=text("option_article"))
    ask.add_argument("--json", action="store_true", help=text("option_json"))

    index = answers(command("index", _index))
    index.add_argument("--force", action="store_true", help=text("option_force"))

    batch = answers(command("batch", _batch))
    batch.add_argument("questions", type=Path, metavar="QUESTIONS.jsonl", help=text("option_questions"))
    batch.add_argument("predictions", type=Path, metavar="PREDICTIONS.jsonl", help=text("option_predictions"))

    add = command("add", _add)
    add.add_argument("paths", type=Path, nargs="+", metavar="FILE", help=text("option_paths"))
    add.add_argument("--disclaimer", metavar="TEXT", help=text("option_disclaimer"))

    listing = command("list", _list)
    listing.add_argument("--json", action="store_true", help=text("option_json"))

    remove = command("remove", _remove)
    remove.add_argument("id", metavar="ID", help=text("option_id"))

    update = command("update", _update)
    update.add_argument("paths", type=Path, nargs="*", metavar="FILE", help=text("option_paths"))

    feedback = command("feedback", _feedback)
    feedback.add_argument("--file", type=Path, help=text("option_feedback_file"))
    either = feedback.add_mutually_exclusive_group(required=True)
    either.add_argument("--export", action="store_true", help=text("option_export"))
    either.add_argument("--delete", type=int, nargs="*", metavar="ID", help=text("option_delete"))
    return parser


def _usage(parser: argparse.ArgumentParser) -> int:
    parser.print_help(sys.stderr)
    return REFUSED


def _version() -> str:
    try:
        return version("yuanwen")
    except PackageNotFoundError:
        return "(not installed)"


# Answering


def _ask(options: argparse.Namespace) -> int:
    from bot.chatbot import QuestionError, check_question
    from corpus.language import clean, detect_language

    question = options.question
    if question == "-":
        question = sys.stdin.buffer.read(MOST_INPUT).decode("utf-8", "replace")
    asked = clean(question[:MOST_INPUT])
    language: Tongue = options.lang or (tongue(detect_language(asked)) if asked else options.language)
    try:
        check_question(question)
    except QuestionError as error:
        limit = {"limit": _limit()}
        print(f"yuanwen: {say(ERRORS[error.code], language).format(**limit)}", file=sys.stderr)
        return REFUSED
    chatbot = _load(options, _articles(options, language), language, quiet=not sys.stderr.isatty())
    _known(chatbot.articles, options.article, language)
    answer = chatbot.ask(question, options.history, article=options.article)
    if options.json:
        print(json.dumps(answer.as_dict(), ensure_ascii=False, indent=2))
    else:
        from bot.terminal import render

        print(render(answer, chatbot.articles, styled=sys.stdout.isatty() and not os.environ.get("NO_COLOR")))
    return DONE


def _serve(options: argparse.Namespace) -> int:
    from bot.settings import Settings, SettingsError

    language: Tongue = options.language
    try:
        settings = Settings.from_environment(host=options.host, port=options.port, processes=options.workers)
    except SettingsError as error:
        raise CommandError(REFUSED, "bad_setting", language, detail=error) from error
    from bot.api import ServeError, serve

    articles = _articles(options, language)
    if options.open and settings.port:
        _open_when_ready(settings.host, settings.port)
    try:
        serve(lambda report: _answering(options, articles, language, settings, report), settings, articles=articles)
    except KeyboardInterrupt:
        # The way to stop it, with the answers in flight finished.
        print(f"\n{say(COMMAND['stopped'], language)}", file=sys.stderr)
    except ServeError as error:
        if isinstance(error.__context__, OSError) and error.__context__.errno == errno.EADDRINUSE:
            values = {"port": settings.port, "other": settings.port + 1}
            raise CommandError(BROKEN, "port_in_use", language, **values) from error
        raise CommandError(BROKEN, "cannot_serve", language, detail=error) from error
    return DONE


def _answering(
    options: argparse.Namespace, articles: Sequence[Article], language: Tongue, settings: Settings, report: Loading
) -> Asks:
    """The chatbot, or, once its index is built, so many processes with one each."""
    chatbot = _load(options, articles, language, report)
    if settings.processes == 1:
        return chatbot
    from bot.workers import Workers

    return Workers(_recipe(options, articles), chatbot.articles, settings.processes)


def _index(options: argparse.Namespace) -> int:
    language: Tongue = options.language
    articles = _articles(options, language)
    if options.force:
        _discard(_cache(), language)
    chatbot = _load(options, articles, language)
    sentences = sum(len(article.sentences) for article in chatbot.articles)
    values = {"articles": len(chatbot.articles), "sentences": sentences, "folder": _cache()}
    print(say(COMMAND["sound"], language).format(**values))
    return DONE


def _batch(options: argparse.Namespace) -> int:
    language: Tongue = options.language
    questions, predictions = options.questions, options.predictions
    if predictions.exists() and questions.exists() and predictions.samefile(questions):
        raise CommandError(REFUSED, "same_file", language, file=questions)
    try:
        lines = questions.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as error:
        raise CommandError(REFUSED, "no_file", language, file=questions, detail=error.strerror) from error
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    try:
        out = predictions.open("w", encoding="utf-8", newline="\n")
    except OSError as error:
        raise CommandError(REFUSED, "no_output", language, file=predictions, detail=error.strerror) from error
    bad = 0
    with out:
        chatbot = _load(options, _articles(options, language), language)
        with _progress("answering", language) as progress:
            for done, (number, line) in enumerate(numbered, start=1):
                try:
                    prediction = _predict(chatbot, line, language)
                except _BadLineError as error:
                    bad += 1
                    progress.write(say(COMMAND["bad_line"], language).format(n=number, problem=error))
                else:
                    out.write(json.dumps(prediction, ensure_ascii=False) + "\n")
                progress("", done, len(numbered))
    values = {"done": len(numbered) - bad, "file": predictions, "bad": bad}
    print(say(COMMAND["lines_done"], language).format(**values), file=sys.stderr)
    return BROKEN if bad else DONE


class _BadLineError(ValueError):
    """A line of a batch that cannot be answered; the text says why."""


def _predict(chatbot: Chatbot, line: bytes, language: Tongue) -> dict[str, Any]:
    """The prediction for one line of questions.

    Raises:
        _BadLineError: it is not a question in the form that is expected.
    """
    from bot.answer import distinct_passages
    from bot.chatbot import QuestionError

    def bad(name: str, **values: object) -> NoReturn:
        raise _BadLineError(say(COMMAND[name], language).format(**values))

    try:
        asked = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        bad("line_not_utf8")
    except (ValueError, RecursionError) as error:
        bad("line_not_json", detail=error)
    if not isinstance(asked, dict):
        bad("line_not_object")
    number, question = asked.get("id"), asked.get("question")
    history, article = asked.get("history") or [], asked.get("article")
    if not isinstance(number, str | int) or isinstance(number, bool):
        bad("line_field", field="id", expected=say(COMMAND["text_or_number"], language))
    if not isinstance(question, str):
        bad("line_field", field="question", expected=say(COMMAND["text"], language))
    if not isinstance(history, list) or not all(isinstance(turn, str) for turn in history):
        bad("line_field", field="history", expected=say(COMMAND["list_of_text"], language))
    if article is not None and article not in {known.id for known in chatbot.articles}:
        bad("no_article", id=article, known=", ".join(known.id for known in chatbot.articles))
    try:
        answer = chatbot.ask(question, history, article=article)
    except QuestionError as error:
        raise _BadLineError(say(ERRORS[error.code], language).format(limit=_limit())) from None
    return {
        "id": number,
        "answer": answer.text,
        "citations": distinct_passages(answer.citations),
        "abstained": answer.abstained,
        "status": answer.status.value,
        "reason": answer.reason.value if answer.reason else None,
        "crisis": answer.crisis,
        "sentence_ids": [sentence.id for sentence in answer.sentences],
    }


def _limit() -> int:
    from bot.answer import MAX_QUESTION_CHARACTERS

    return MAX_QUESTION_CHARACTERS


# The library


def _add(options: argparse.Namespace) -> int:
    def bring(library: Library, progress: Callable[[int, int, FileReport], None]) -> Report:
        return library.add(options.paths, options.disclaimer, progress)

    return _bring(options.language, bring)


def _update(options: argparse.Namespace) -> int:
    def bring(library: Library, progress: Callable[[int, int, FileReport], None]) -> Report:
        return library.update(options.paths or None, progress)

    return _bring(options.language, bring)


def _bring(language: Tongue, bring: Callable[[Library, Callable[[int, int, FileReport], None]], Report]) -> int:
    """Read files into the library, name what became of each, and sum up."""
    from corpus.article import ArticleError
    from corpus.library import Library, Outcome

    try:
        with _progress("reading", language) as bar:

            def progress(done: int, total: int, report: FileReport) -> None:
                outcome = say(COMMAND[f"outcome_{report.outcome.value}"], language)
                told = report.problem or f"{report.path} -> {report.id}"
                if report.summary:
                    told += f" ({report.summary})"
                bar.write(f"{outcome}: {told}", sys.stderr if report.problem else sys.stdout)
                bar("", done, total)

            found = bring(Library(_library()), progress)
    except ArticleError as error:
        raise CommandError(BROKEN, "library_broken", language, detail=error) from error
    if not found.files:
        print(say(COMMAND["nothing_to_read"], language))
        return DONE
    counts = {outcome.value: len(found.of(outcome)) for outcome in Outcome}
    print(say(COMMAND["brought"], language).format(**counts))
    if any(file.needs_disclaimer for file in found.files):
        print(say(COMMAND["needs_disclaimer"], language), file=sys.stderr)
    return BROKEN if found.of(Outcome.REFUSED) else DONE


def _list(options: argparse.Namespace) -> int:
    from corpus.article import ArticleError
    from corpus.library import Library

    language: Tongue = options.language
    try:
        entries = Library(_library()).entries()
    except ArticleError as error:
        raise CommandError(BROKEN, "library_broken", language, detail=error) from error
    for entry in entries:
        if options.json:
            source = str(entry.source) if entry.source else None
            row = {"id": entry.id, "title": entry.title, "language": entry.language, "built_in": entry.built_in}
            print(json.dumps({**row, "source": source}, ensure_ascii=False))
        else:
            place = say(COMMAND["built_in"], language) if entry.built_in else entry.source or entry.folder
            print(f"{entry.id}\t{entry.title}\t{place}")
    return DONE


def _remove(options: argparse.Namespace) -> int:
    from corpus.article import ArticleError
    from corpus.library import Library

    language: Tongue = options.language
    library = Library(_library())
    try:
        known = [entry.id for entry in library.entries()]
        if options.id not in known:
            raise CommandError(REFUSED, "no_article", language, id=options.id, known=", ".join(known))
        entry = library.remove(options.id)
    except ArticleError as error:
        raise CommandError(REFUSED, "library_broken", language, detail=error) from error
    print(say(COMMAND["removed"], language).format(id=entry.id, title=entry.title))
    return DONE


# Readers' verdicts


def _feedback(options: argparse.Namespace) -> int:
    language: Tongue = options.language
    store = _feedback_store(options.file, language)
    try:
        if options.export:
            for number, day, verdict in store.rows():
                row = {
                    "id": number,
                    "day": day,
                    "article": verdict.article,
                    "question": verdict.question,
                    "sentences": list(verdict.sentences),
                    "verdict": verdict.verdict,
                    "reason": verdict.reason,
                }
                print(json.dumps(row, ensure_ascii=False))
        else:
            deleted = store.delete(options.delete or None)
            print(say(COMMAND["feedback_deleted"], language).format(n=deleted))
    finally:
        store.close()
    return DONE


def _feedback_store(file: Path | None, language: Tongue) -> FeedbackStore:
    import sqlite3

    from bot.feedback import FeedbackStore
    from bot.settings import Settings, SettingsError

    try:
        settings = Settings.from_environment(feedback=file)
    except SettingsError as error:
        raise CommandError(REFUSED, "bad_setting", language, detail=error) from error
    if settings.feedback is None or not settings.feedback.is_file():
        raise CommandError(REFUSED, "no_feedback", language)
    try:
        return FeedbackStore(settings.feedback, settings.feedback_days)
    except (sqlite3.Error, OSError) as error:
        raise CommandError(BROKEN, "feedback_broken", language, file=settings.feedback, detail=error) from error


# Setting up


def _library() -> Path:
    from platformdirs import user_data_path

    return Path(os.environ.get("YUANWEN_LIBRARY") or user_data_path("yuanwen") / "articles")


def _cache() -> Path:
    from platformdirs import user_cache_path

    return Path(os.environ.get("YUANWEN_CACHE") or user_cache_path("yuanwen") / "index")


def _articles(options: argparse.Namespace, language: Tongue) -> tuple[Article, ...]:
    """The articles of `--articles`, or of the library, where one that is not sound keeps no other from being served."""
    from corpus.article import ArticleError

    folder: Path | None = options.articles
    try:
        if folder is not None:
            from bot.chatbot import load_articles

            if not folder.is_dir() or not any((*folder.glob("article.md"), *folder.glob("*/article.md"))):
                raise CommandError(BROKEN, "no_articles_folder", language, folder=folder)
            return load_articles(folder)
        from corpus.library import Library

        articles, problems = Library(_library()).load_all()
    except ArticleError as error:
        raise CommandError(BROKEN, "article_broken", language, detail=error) from error
    except OSError as error:
        raise CommandError(BROKEN, "folder_broken", language, detail=error) from error
    for problem in problems:
        print(f"yuanwen: {CommandError(BROKEN, 'article_skipped', language, detail=problem)}", file=sys.stderr)
    return tuple(articles)


def _known(articles: Sequence[Article], article: str | None, language: Tongue) -> None:
    known = [held.id for held in articles]
    if article is not None and article not in known:
        raise CommandError(REFUSED, "no_article", language, id=article, known=", ".join(known))


def _load(
    options: argparse.Namespace,
    articles: Sequence[Article],
    language: Tongue,
    report: Loading | None = None,
    *,
    quiet: bool = False,
) -> Chatbot:
    """The chatbot, its index built with a progress bar where it has to be."""
    from bot.chatbot import StoreError
    from corpus.article import ArticleError
    from index.encoder import EncoderError

    def note(line: str) -> None:
        if not quiet:
            print(line, file=sys.stderr)

    try:
        with _progress("building", language, quiet=quiet) as bar:

            def progress(what: str, done: int, total: int) -> None:
                bar(what, done, total)
                if report:
                    report(what, done, total)

            return _recipe(options, articles)(progress=progress, say_line=note)
    except ArticleError as error:
        raise CommandError(BROKEN, "article_broken", language, detail=error) from error
    except EncoderError as error:
        raise CommandError(BROKEN, "encoder_broken", language, detail=error) from error
    except StoreError as error:
        raise CommandError(BROKEN, "store_broken", language, detail=error) from error
    except OSError as error:
        raise CommandError(BROKEN, "folder_broken", language, detail=error) from error


def _recipe(options: argparse.Namespace, articles: Sequence[Article]) -> partial[Chatbot]:
    """How to load the chatbot, here or in another process."""
    from bot.chatbot import load_chatbot

    store = options.store or os.environ.get("YUANWEN_STORE") or None
    return partial(
        load_chatbot,
        articles,
        encoder=options.encoder,
        reranker=options.reranker,
        cache=_cache(),
        store=store,
    )


def _discard(folder: Path, language: Tongue) -> None:
    """Delete the saved indexes, while nobody else builds one."""
    import shutil

    from filelock import FileLock

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "build.lock"):
            for manifest in folder.glob("*/manifest.json"):
                shutil.rmtree(manifest.parent)
    except OSError as error:
        raise CommandError(BROKEN, "folder_broken", language, detail=error) from error


class _Progress:
    """A bar on standard error that appears with the first report."""

    def __init__(self, title: str, quiet: bool) -> None:
        self._title, self._quiet = title, quiet
        self._bar: Any = None

    def __call__(self, what: str, done: int, total: int) -> None:
        if self._quiet:
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(desc=self._title, total=total, file=sys.stderr, mininterval=0.2, dynamic_ncols=True)
        self._bar.total = total
        self._bar.set_postfix_str(what, refresh=False)
        self._bar.update(done - self._bar.n)

    def write(self, line: str, file: Any = None) -> None:
        """A line above the bar, to standard error unless told otherwise."""
        if self._bar is not None:
            self._bar.clear()
        print(line, file=file or sys.stderr, flush=True)
        if self._bar is not None:
            self._bar.refresh()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


@contextmanager
def _progress(name: str, language: Tongue, *, quiet: bool = False) -> Iterator[_Progress]:
    bar = _Progress(say(COMMAND[name], language), quiet)
    try:
        yield bar
    finally:
        bar.close()


def _open_when_ready(host: str, port: int) -> None:
    """Open the browser as soon as the server answers, where there is a screen to open it on."""
    import threading
    import urllib.error
    import urllib.request
    import webbrowser

    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return
    shown = "localhost" if host in ("0.0.0.0", "::", "127.0.0.1") else f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{port}"

    def wait() -> None:
        pause = threading.Event()
        for _ in range(240):
            try:
                with urllib.request.urlopen(f"{address}/healthz", timeout=2):
                    webbrowser.open(address)
                    return
            except (urllib.error.URLError, OSError):
                pause.wait(0.25)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
