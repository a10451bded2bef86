"""The project as a whole: what is in the wheel, which way imports go, what its files say of it."""

from __future__ import annotations

import email
import importlib
import re
import runpy
import subprocess
import sys
import tomllib
import zipfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
ARTICLE = "corpus/articles/msc-depression"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel as `python -m build` makes it."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr + built.stdout
    [file] = out.glob("*.whl")
    return zipfile.ZipFile(file)


@pytest.fixture(scope="session")
def names(wheel: zipfile.ZipFile) -> set[str]:
    return set(wheel.namelist())


def tracked(*folders: str) -> set[str]:
    """Files under version control, or on the disk where there is none."""
    listed = subprocess.run(["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        return {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}
    files = (path for folder in folders for path in (ROOT / folder).rglob("*"))
    return {path.relative_to(ROOT).as_posix() for path in files if path.is_file() and "__pycache__" not in path.parts}


@pytest.mark.parametrize(
    "name",
    [
        "index/model/model.safetensors",
        "index/model/tokenizer.json",
        "index/model/README.md",
        "index/model/1_Normalize/config.json",
        f"{ARTICLE}/article.md",
        f"{ARTICLE}/article.toml",
        f"{ARTICLE}/translation.en.tsv",
        f"{ARTICLE}/glossary.tsv",
        f"{ARTICLE}/questions.tsv",
        f"{ARTICLE}/gaps.tsv",
        "bot/reader.json",
        "bot/rules/crisis.toml",
        "bot/rules/advice.toml",
        "bot/rules/conversation.toml",
        "bot/page/page.css",
        "bot/page/page.js",
        "bot/widget/widget.js",
        "bot/widget/embed.html",
    ],
)
def test_wheel_holds_what_serving_needs(names: set[str], name: str) -> None:
    assert name in names


def test_wheel_holds_every_file_of_its_packages_and_no_other(names: set[str]) -> None:
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    held = {name for name in names if ".dist-info/" not in name}
    assert tracked(*packages) - held == set()
    assert {name.split("/")[0] for name in held} == set(packages)


def test_wheel_holds_no_index_no_test_and_no_log(names: set[str]) -> None:
    unwanted = re.compile(r"\.faiss$|\.npy$|manifest\.json$|(^|/)tests?/|\.sqlite|\.pyc$|\.log$|(^|/)\.")
    assert [name for name in names if unwanted.search(name)] == []


def test_wheel_is_no_bigger_than_its_model_and_a_little(wheel: zipfile.ZipFile) -> None:
    assert sum(info.file_size for info in wheel.infolist()) < 50_000_000


def test_wheel_is_kept_from_being_published_and_has_the_command(wheel: zipfile.ZipFile) -> None:
    info = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = email.message_from_bytes(wheel.read(info))
    assert metadata["Name"] == "yuanwen"
    assert "Private :: Do Not Upload" in metadata.get_all("Classifier", [])
    assert metadata["License-Expression"] == "MIT"
    scripts = wheel.read(info.replace("METADATA", "entry_points.txt")).decode()
    assert "yuanwen = bot.cli:main" in scripts


def test_command_is_what_the_entry_point_names() -> None:
    module, _, function = PROJECT["project"]["scripts"]["yuanwen"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_imports_go_one_way() -> None:
    """The layers and the seams of `[tool.importlinter]`."""
    found = subprocess.run(
        [sys.executable, "-c", "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout


KNOWN = {"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1"}]}
CLEAN: dict[str, Any] = {"name": "b", "version": "2", "vulns": []}
UNASKED = {"name": "c", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "waived", "passes"),
    [
        ([CLEAN], {}, True),
        ([CLEAN, KNOWN], {}, False),
        ([KNOWN], {"PYSEC-1": 1}, True),
        ([KNOWN], {"PYSEC-1": -1}, False),
        ([KNOWN], {"PYSEC-2": 1}, False),
        ([CLEAN, UNASKED], {}, False),
        ([CLEAN, UNASKED], {"unasked": 0}, True),
        (None, {}, False),
        (None, {"unasked": 1}, True),
    ],
)
def test_audit_passes_only_what_is_clean_or_waived(
    packages: list[dict[str, Any]] | None, waived: dict[str, int], passes: bool
) -> None:
    """`waived`: days from today until which each is let pass."""
    path = ROOT / "requirements" / "audit.py"
    judge = runpy.run_path(str(path))["judge"]
    today = date(2026, 1, 31)
    waivers = [{"id": name, "until": today + timedelta(days), "why": "x"} for name, days in waived.items()]
    assert judge(packages and {"dependencies": packages}, waivers, today)[0] is passes


def test_waivers_are_dated_and_say_why() -> None:
    waivers = tomllib.loads((ROOT / "requirements" / "waivers.toml").read_text(encoding="utf-8"))["waiver"]
    assert all(isinstance(one["until"], date) and len(one["why"]) > 20 and one["id"] for one in waivers)


@pytest.mark.parametrize("lock", ["serve.txt", "dev.txt", "torch.txt", "torch-cuda.txt"])
def test_every_locked_package_has_a_version_and_hashes(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=[a-z0-9])", text.partition("\n")[2].strip())
    assert [
        block for block in blocks if not re.match(r"[a-z0-9.-]+==\S+.*--hash=sha256:[0-9a-f]{64}", block, re.S)
    ] == []
    assert "://" not in text


def test_running_takes_no_torch_and_working_takes_the_same_versions() -> None:
    def versions(lock: str) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
        for name, version in re.findall(r"^([a-z0-9.-]+)==(\S+)", text, re.MULTILINE):
            found.setdefault(name, set()).add(version)
        return found

    serve, dev, cuda = versions("serve.txt"), versions("dev.txt"), versions("torch-cuda.txt")
    assert not {"torch", "transformers", "sentence-transformers"} & serve.keys()
    assert {name for name in serve if dev.get(name) != serve[name]} == set()
    assert [name for name in dev if name.startswith(("nvidia", "cuda", "triton"))] == []
    assert all(name.startswith(("nvidia", "cuda", "triton")) for name in cuda)


def test_locks_hold_every_dependency_of_the_project() -> None:
    def locked(lock: str) -> set[str]:
        text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
        return set(re.findall(r"^([a-z0-9.-]+)==", text, re.MULTILINE))

    def named(requirements: list[object]) -> set[str]:
        texts = [text for text in requirements if isinstance(text, str)]
        return {re.split(r"[^A-Za-z0-9.-]", text)[0].lower().replace(".", "-") for text in texts}

    groups = PROJECT["dependency-groups"]
    serving = named(PROJECT["project"]["dependencies"]) | named(groups["build"])
    assert serving - locked("serve.txt") == set(), "next: make lock"
    assert named(groups["dev"]) - locked("dev.txt") - locked("torch.txt") == set(), "next: make lock"


def test_readmes_say_the_same_and_quote_the_article() -> None:
    english, chinese = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md"))
    for pattern in (r"`(YUANWEN_\w+)`", r"\]\(([\w./-]+)\)", r"^#+ ", r"(?:`|^ +)(make \w+)", r"^\$ (yuanwen .*)$"):
        found = [sorted(re.findall(pattern, text, re.MULTILINE)) for text in (english, chinese)]
        # All but the link to each other.
        said = [[name for name in names if not name.startswith("README")] for names in found]
        assert said[0] == said[1], pattern
    article = (ROOT / ARTICLE / "article.md").read_text(encoding="utf-8")
    block = next(part for part in english.split("```") if "fluoxetine on body weight" in part)
    quotes = [line for line in block.splitlines() if re.match(r"[\u4e00-\u9fff]", line)]
    assert quotes
    assert all(quote in article for quote in quotes)
    for target in set(re.findall(r"\]\(([\w./-]+)\)", english)):
        assert (ROOT / target).exists(), f"README.md links {target}, which is not there"


def test_settings_of_readme_are_those_that_are_read() -> None:
    from bot.settings import _READERS

    read = {f"YUANWEN_{name.upper()}" for name in _READERS} | {"YUANWEN_CACHE", "YUANWEN_LIBRARY", "YUANWEN_STORE"}
    named = set(re.findall(r"`(YUANWEN_\w+)`", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert named - read == set()


def test_model_card_has_metadata() -> None:
    """Without it every start says so on standard error."""
    card = (ROOT / "index" / "model" / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\n")


def test_no_file_names_a_registry_or_a_hub_to_fetch_from() -> None:
    """Where packages come from is pip's own configuration, and nothing else is fetched."""
    host = re.compile(
        r"pypi\.org|pythonhosted|download\.pytorch\.org|huggingface\.co|hf-mirror|jsdelivr|unpkg|googleapis"
    )
    own = Path(__file__).relative_to(ROOT).as_posix()
    code = [n for n in tracked(".") if n.endswith((".py", ".toml", ".txt", ".js", ".html", "file", "run")) and n != own]
    found = [name for name in code if host.search((ROOT / name).read_text(encoding="utf-8", errors="replace"))]
    assert found == []
