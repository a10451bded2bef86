"""Builds that die at a chosen moment, and builds that run at once; run as a program by the tests of the store.

    python -m tests.index.building die FOLDER MOMENT...
    python -m tests.index.building together FOLDER COUNT

Prints one JSON object: for `die` the number of moments that a whole build has and those at which one died, for
`together` what each builder said and the hashes that it loaded.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from corpus.article import load_article
from corpus.segment import JiebaTokenizer
from index.store import Index, manifest_inputs, open_index
from tests.tiny import TinyEncoder

TOKENIZER = JiebaTokenizer()
MOMENTS = ("open", "os.", "shutil.", "tempfile.")


def build(folder: Path, seed: int) -> tuple[Index, list[str]]:
    """Open the index under an encoder of this seed; another seed makes the saved index stale."""
    article = load_article(folder / "lighthouse")
    encoder = TinyEncoder(seed=seed)
    said: list[str] = []
    index = open_index(
        folder / "index", (article,), encoder, TOKENIZER, manifest_inputs((article,), encoder, []), say=said.append
    )
    return index, said


def build_until(folder: Path, moment: int) -> int:
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
    build(folder, seed=2)
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
    if what == "die":
        status = {moment: build_until(Path(folder) / moment, int(moment)) for moment in numbers}
        print(json.dumps({moment: os.WIFSIGNALED(s) and os.WTERMSIG(s) for moment, s in status.items()}))
    else:
        print(json.dumps(together(Path(folder), int(numbers[0]))))


if __name__ == "__main__":
    main(*sys.argv[1:])
