"""A library holds whole articles, whatever happens to the files, the processes and the machine."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from corpus.article import ArticleError, load_article
from corpus.ingest import Limits
from corpus.library import BUILT_IN, Library, Outcome, files_under
from tests.corpus.making import EN, HANT, ZH, Sample, docx, epub, markdown, page, pdf, plain, scan, write, zipped

ROOT = Path(__file__).parents[2]


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "library")


def own_ids(library: Library) -> list[str]:
    return [entry.id for entry in library.entries() if not entry.built_in]


def texts(library: Library, article_id: str) -> list[str]:
    return [sentence.text for sentence in library.load(article_id).sentences]


def leftovers(library: Library) -> list[str]:
    return [p.name for p in library.folder.iterdir() if p.name.startswith(".") and p.name != ".lock"]


def test_library_holds_the_built_in_article_and_never_changes_it(library: Library) -> None:
    entry = library.entries()[0]
    assert (entry.id, entry.built_in) == ("msc-depression", True)
    assert library.load("msc-depression").sha256 == load_article(BUILT_IN / "msc-depression").sha256
    with pytest.raises(ArticleError, match="built in"):
        library.remove("msc-depression")
    assert (BUILT_IN / "msc-depression" / "article.md").is_file()


def test_library_adds_loads_lists_and_removes(tmp_path: Path, library: Library) -> None:
    report = library.add(
        [write(tmp_path / "in/sleep.md", markdown(EN)), write(tmp_path / "in/shuimian.html", page(ZH))]
    )
    assert [file.outcome for file in report.files] == [Outcome.ADDED, Outcome.ADDED]
    assert report.changed == ("how-sleep-shapes-mood", "shuimian")
    assert own_ids(library) == sorted(report.changed)
    article = library.load("shuimian")
    assert (article.id, article.title, article.language) == ("shuimian", ZH.title, "zh-Hans")
    assert article.disclaimer_text == ZH.disclaimer
    assert all(sentence.span.of(article.text) == sentence.text for sentence in article.sentences)
    removed = library.remove("shuimian")
    assert removed.title == ZH.title
    assert own_ids(library) == ["how-sleep-shapes-mood"]
    assert (tmp_path / "in/shuimian.html").is_file()
    with pytest.raises(ArticleError, match="expected the id of an article in the library, found 'shuimian'"):
        library.remove("shuimian")
    assert leftovers(library) == []


@pytest.mark.parametrize("article_id", ["..", "../in", "", "/", ".lock"])
def test_library_removes_nothing_outside_itself(tmp_path: Path, library: Library, article_id: str) -> None:
    kept = write(tmp_path / "in/article.toml", "id = 'in'\ntitle = 'in'\n")
    library.add([write(tmp_path / "x.md", markdown(EN))])
    with pytest.raises(ArticleError, match="expected the id"):
        library.remove(article_id)
    assert kept.is_file()


def test_library_skips_what_is_unchanged_and_replaces_what_changed(tmp_path: Path, library: Library) -> None:
    file = write(tmp_path / "sleep.md", markdown(EN))
    library.add([file])
    before = library.load("how-sleep-shapes-mood")
    assert [f.outcome for f in library.add([file]).files] == [Outcome.UNCHANGED]
    assert [f.outcome for f in library.update().files] == [Outcome.UNCHANGED]
    write(file, markdown(EN).replace(EN.title, "Another title").replace("120", "240"))
    report = library.update([file])
    assert [(f.outcome, f.id) for f in report.files] == [(Outcome.UPDATED, "how-sleep-shapes-mood")]
    after = library.load("how-sleep-shapes-mood")
    assert after.title == "Another title"
    assert after.sha256 != before.sha256
    assert "240 volunteers" in after.text
    assert own_ids(library) == ["how-sleep-shapes-mood"]
    assert leftovers(library) == []


def test_library_skips_the_same_file_under_another_name(tmp_path: Path, library: Library) -> None:
    paths = [write(tmp_path / name, markdown(EN)) for name in ("a.md", "b.md")]
    assert [(f.outcome, f.id) for f in library.add(paths).files] == [
        (Outcome.ADDED, "how-sleep-shapes-mood"),
        (Outcome.UNCHANGED, "how-sleep-shapes-mood"),
    ]


def test_library_updates_only_what_it_holds(tmp_path: Path, library: Library) -> None:
    held = write(tmp_path / "held.md", markdown(EN))
    library.add([held])
    new = write(tmp_path / "new.md", markdown(ZH))
    assert "add it first" in str(library.update([new]).files[0].problem)
    held.unlink()
    report = library.update()
    assert [f.outcome for f in report.files] == [Outcome.REFUSED]
    assert str(held) in str(report.files[0].problem)
    assert own_ids(library) == ["how-sleep-shapes-mood"]


def test_library_remembers_a_disclaimer_that_was_given(tmp_path: Path, library: Library) -> None:
    file = write(tmp_path / "plain.md", "# Plain words\n\nNothing else is here.\n")
    refused = library.add([file]).files[0]
    assert (refused.outcome, refused.needs_disclaimer) == (Outcome.REFUSED, True)
    library.add([file], disclaimer="Ask a doctor.")
    assert library.load("plain-words").disclaimer_text == "Ask a doctor."
    assert library.add([file]).files[0].outcome is Outcome.UNCHANGED
    write(file, "# Plain words\n\nSomething else is here.\n")
    assert library.update().files[0].outcome is Outcome.UPDATED
    article = library.load("plain-words")
    assert "Something else" in article.text
    assert article.disclaimer_text == "Ask a doctor."
    assert library.add([file], disclaimer="Ask two doctors.").files[0].outcome is Outcome.UPDATED
    assert library.load("plain-words").disclaimer_text == "Ask two doctors."


def test_library_ids_are_safe_and_never_collide(tmp_path: Path, library: Library) -> None:
    hostile = [
        "../../etc/passwd",
        "CON",
        "a/b\\c",
        "中文标题",
        "MSC-Depression",
        ".",
        "emoji 😀 title",
        "x" * 300,
        "--",
    ]
    for n, title in enumerate(hostile * 2):
        text = f"# {title}\n\nSentence number {n} is here. For informational purposes only.\n"
        library.add([write(tmp_path / f"{n}.md", text)])
    ids = own_ids(library)
    assert len(set(ids)) == len(ids) == 2 * len(hostile)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", article_id) and len(article_id) <= 64 for article_id in ids)
    assert "msc-depression" not in ids
    assert sorted(p.name for p in library.folder.iterdir() if p.name != ".lock") == sorted(ids)


def test_library_never_overwrites_a_folder_that_is_no_article(tmp_path: Path, library: Library) -> None:
    note = write(library.folder / "how-sleep-shapes-mood" / "note.txt", "mine")
    report = library.add([write(tmp_path / "x.md", markdown(EN))])
    assert report.files[0].id != "how-sleep-shapes-mood"
    assert note.read_text() == "mine"


def test_library_takes_a_ready_article_with_its_tables(tmp_path: Path, library: Library) -> None:
    ready = tmp_path / "in" / "ready"
    shutil.copytree(BUILT_IN / "msc-depression", ready)
    toml = ready / "article.toml"
    assert "built in" in str(library.add([ready]).files[0].problem)
    toml.write_text(toml.read_text(encoding="utf-8").replace('"msc-depression"', '"ready"'), encoding="utf-8")
    report = library.add([tmp_path / "in"])
    assert [(f.outcome, f.id) for f in report.files] == [(Outcome.ADDED, "ready")]
    assert library.load("ready").sentences == library.load("msc-depression").sentences
    assert library.add([ready]).files[0].outcome is Outcome.UNCHANGED


def test_library_reads_folders_without_hidden_files_and_linked_folders(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for name in ("b.md", "a/c.txt", ".hidden", "a/.git/config", "~$x.docx"):
        write(folder / name, "x")
    (folder / "loop").symlink_to(folder)
    assert [str(p.relative_to(folder)) for p in files_under([folder])] == ["b.md", "a/c.txt"]


def test_library_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    blocked = write(tmp_path / "file", "x") / "library"
    with pytest.raises(ArticleError, match="expected a library folder that can be written"):
        Library(blocked).remove("x")
    report = Library(blocked).add([write(tmp_path / "x.md", markdown(EN))])
    assert "library folder" in str(report.files[0].problem)


def test_library_load_all_names_what_is_broken(tmp_path: Path, library: Library) -> None:
    library.add([write(tmp_path / "x.md", markdown(EN))])
    write(library.folder / "broken" / "article.toml", "id = ")
    articles, problems = library.load_all()
    assert [article.id for article in articles] == ["msc-depression", "how-sleep-shapes-mood"]
    assert len(problems) == 1
    assert "broken" in str(problems[0])


def test_library_reports_progress(tmp_path: Path, library: Library) -> None:
    seen: list[tuple[int, int, Outcome]] = []
    paths = [write(tmp_path / "x.md", markdown(EN)), write(tmp_path / "y.md", "")]
    library.add(paths, progress=lambda done, count, file: seen.append((done, count, file.outcome)))
    assert seen == [(1, 2, Outcome.ADDED), (2, 2, Outcome.REFUSED)]


def test_library_puts_back_what_a_kill_left_aside(tmp_path: Path, library: Library) -> None:
    library.add([write(tmp_path / "x.md", markdown(EN))])
    place = library.folder / "how-sleep-shapes-mood"
    place.rename(library.folder / ".old-how-sleep-shapes-mood-0badcafe")
    write(library.folder / ".new-how-sleep-shapes-mood-0badcafe" / "article.md", "half an art")
    fresh = Library(library.folder)
    assert own_ids(fresh) == ["how-sleep-shapes-mood"]
    assert EN.title in texts(fresh, "how-sleep-shapes-mood")
    assert leftovers(fresh) == []


KILLED_AT_EVERY_STEP = """
import os, signal, sys
from pathlib import Path
from corpus.library import Library

folder, source = Path(sys.argv[1]), Path(sys.argv[2])
STEPS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.scandir", "os.listdir"}
OURS = "how-sleep-shapes-mood"

def opened():
    return Library(folder, built_in=None)

def write(version):
    body = f"Version {version} says this. " * 50
    parts = ["# How sleep shapes mood", body, f"For reference only, version {version}."]
    source.write_text("\\n\\n".join(parts))

def killed_at(step, act):
    child = os.fork()
    if not child:
        left = step
        def hook(event, args):
            nonlocal left
            if event in STEPS:
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(hook)
        act()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL

def versions():
    articles, problems = opened().load_all()
    assert not problems, problems
    return [{s.text.rpartition("ersion ")[2].split()[0].rstrip(".") for s in a.sentences if "ersion" in s.text}
            for a in articles if a.id == OURS]

def run(act, before, after, repair=None):
    step = 1
    while killed_at(step, act):
        found = versions()
        assert found in (before, after), (step, found)
        if found == after and repair:
            repair()
        step += 1
    assert versions() == after
    print(step - 1)

library = opened()
write(0)
library.add([source])  # what is imported on first use is imported now, not once in every child
library.remove(OURS)
write(1)
run(lambda: library.add([source]), [], [{"1"}], lambda: opened().remove(OURS))
write(2)
def back():
    write(1); opened().add([source]); write(2)
run(lambda: library.add([source]), [{"1"}], [{"2"}], back)
run(lambda: library.remove(OURS), [{"2"}], [], lambda: opened().add([source]))
"""


def test_kill_at_any_step_leaves_no_half_article(tmp_path: Path) -> None:
    """A process is killed at its first, second, ... touch of the file system while it adds, replaces and removes."""
    run = subprocess.run(
        [sys.executable, "-c", KILLED_AT_EVERY_STEP, str(tmp_path / "library"), str(tmp_path / "x.md")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    kills = [int(line) for line in run.stdout.split()]
    assert len(kills) == 3
    assert min(kills) >= 10
    assert leftovers(Library(tmp_path / "library")) == []


def test_library_is_safe_for_several_at_once(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{n}.md", f"# Same title\n\nFile {n} says so. For reference only.\n") for n in range(12)]

    def add(shift: int) -> None:
        Library(tmp_path / "library").add(files[shift:] + files[:shift])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, (0, 3, 6, 9)))
    library = Library(tmp_path / "library")
    said = [text for article_id in own_ids(library) for text in texts(library, article_id) if text.startswith("File")]
    assert sorted(said) == sorted(f"File {n} says so." for n in range(12))


def test_library_takes_two_hundred_mixed_files_and_names_every_bad_one(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    good: dict[Path, list[str]] = {}
    bad: set[Path] = set()

    def sample(n: int) -> Sample:
        base = (ZH, EN, HANT)[n % 3]
        mark = f"{n}号" if base is not EN else f"number {n}"
        return Sample(f"{base.title} {mark}", *(getattr(base, name) for name in Sample.__slots__[1:]))

    makers = [
        ("md", lambda s: markdown(s).encode()),
        ("txt", lambda s: plain(s).replace("•", "-").encode("gb18030")),
        ("html", lambda s: page(s, marked=len(s.title) % 2 == 0).encode()),
        ("docx", docx),
        ("epub", epub),
        ("pdf", pdf),
        ("md", lambda s: markdown(s).encode("utf-16")),
        ("html", lambda s: page(s).replace("utf-8", "gbk").encode("gb18030")),
    ]
    for n in range(170):
        ending, make = makers[n % len(makers)]
        one = sample(n)
        good[write(folder / f"part {n % 7}" / f"文件 {n}.{ending}", make(one))] = list(one.lines)
    broken = [
        ("empty.md", b""),
        ("scan.pdf", scan()),
        ("locked.pdf", pdf(EN, password="x")),
        ("cut.pdf", pdf(EN)[:900]),
        ("cut.docx", docx(EN)[:5000]),
        ("bomb.docx", zipped({"word/document.xml": "<x/>", "pad.xml": b"\0" * 30_000_000})),
        ("binary.txt", bytes(range(256)) * 8),
        ("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(64)),
        ("silent.html", b"<html><body><script>let x = 1</script></body></html>"),
        ("large.txt", b"word " * 500_000),
    ]
    for n in range(30):
        name, data = broken[n % len(broken)]
        bad.add(write(folder / f"bad {n % 4}" / f"{n}-{name}", data))
    assert len(good) + len(bad) == 200

    library = Library(tmp_path / "library", limits=Limits(file_bytes=2_000_000, expanded_bytes=20_000_000))
    report = library.add([folder])
    assert {file.path for file in report.of(Outcome.REFUSED)} == bad
    assert all(str(file.path) in str(file.problem) for file in report.of(Outcome.REFUSED))
    added = {file.path: file.id for file in report.of(Outcome.ADDED)}
    assert set(added) == set(good)
    assert len(set(added.values())) == 170
    missing = []
    for path, expected in good.items():
        article = library.load(str(added[path]))
        said = " ".join(sentence.text for sentence in article.sentences).replace(" ", "")
        missing += [(path.name, line) for line in expected if line.replace(" ", "") not in said]
        assert article.disclaimer
    assert missing == []
    again = library.add([folder])
    assert len(again.of(Outcome.UNCHANGED)) == 170
    assert again.changed == ()
