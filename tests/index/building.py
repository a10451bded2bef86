"""Builds that die at a chosen moment, and builds that run at once; run as a program by the tests of the store.

    python -m tests.index.building die FOLDER MOMENT...
    python -m tests.index.building die-adding FOLDER MOMENT...
    python -m tests.index.building together FOLDER COUNT

`die` makes all of an index anew, `die-adding` adds an article to it, which merges its segments.
Prints one JSON object: for both the number of moments that a whole build has and those at which one died, for
`together` what each builder said and the hashes that it loaded.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from corpus.article import load_article
from corpus.segment import JiebaTokenizer
from index.store import Index, manifest_inputs, open_index
from tests.tiny import TinyEncoder

TOKENIZER = JiebaTokenizer()
MOMENTS = ("open", "os.", "shutil.", "tempfile.")


def build(folder: Path, seed: int, names: Sequence[str] = ("lighthouse",)) -> tuple[Index, list[str]]:
    """Open the index under an encoder of this seed; another seed makes the saved index stale."""
    articles = [replace(load_article(folder / "lighthouse"), id=name) for name in names]
    encoder = TinyEncoder(seed=seed)
    said: list[str] = []
    inputs = manifest_inputs(articles, encoder, [])
    index = open_index(folder / "index", articles, encoder, TOKENIZER, inputs, say=said.append)
    return index, said


def build_until(folder: Path, moment: int, seed: int, names: Sequence[str]) -> int:
    """Rebuild in a child that kills itself with SIGKILL when it touches files for the `moment`-th time."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    count = 0

    def watch(event: str, arguments: Any) -> None:
        nonlocal count
        if event.startswith(MOMENTS) and any(str(folder / "index") in str(a) for a in arguments):
            count += 1
            if count == moment:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    build(folder, seed, names)
    (folder / "moments").write_text(str(count), encoding="utf-8")
    os._exit(0)


def together(folder: Path, count: int) -> list[dict[str, Any]]:
    """So many builders started at once."""
    pipe, gate = os.pipe()
    children = []
    for number in range(count):
        child = os.fork()
        if not child:
            os.close(gate)
            os.read(pipe, 1)
            index, said = build(folder, seed=1)
            text = json.dumps({"said": said, "files": index.manifest["files"]})
            (folder / f"builder-{number}").write_text(text, encoding="utf-8")
            os._exit(0)
        children.append(child)
    os.close(gate)
    for child in children:
        os.waitpid(child, 0)
    return [json.loads((folder / f"builder-{number}").read_text(encoding="utf-8")) for number in range(count)]


def main(what: str, folder: str, *numbers: str) -> None:
    if what.startswith("die"):
        seed, names = (2, ("lighthouse",)) if what == "die" else (1, ("lighthouse", "beacon"))
        status = {moment: build_until(Path(folder) / moment, int(moment), seed, names) for moment in numbers}
        print(json.dumps({moment: os.WIFSIGNALED(s) and os.WTERMSIG(s) for moment, s in status.items()}))
    else:
        print(json.dumps(together(Path(folder), int(numbers[0]))))


if __name__ == "__main__":
    main(*sys.argv[1:])
