"""`make lock`: pin every package with the hashes of its files, for running (serve.txt) and for working on it (dev.txt).

PyTorch has two builds under one version: the CPU build, which pip takes where its configuration offers it, and the
registry's own, which on Linux needs NVIDIA's libraries. Given hashes, pip prefers a file whose hash the index states to
one in a folder, so PyTorch has a lock of its own, torch.txt: pip downloads the build that it would take without hashes,
and installs that file if its hash is among those of either build. torch-cuda.txt holds the libraries, installed only
beside the build that asks for them. All are installed with `--no-deps`.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SERVE, DEV, TORCH, CUDA = (HERE / name for name in ("serve.txt", "dev.txt", "torch.txt", "torch-cuda.txt"))
_CUDA_PACKAGE = re.compile(r"(?:nvidia|cuda|triton)\b")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def compile_lock(out: Path, *more: str) -> list[str]:
    """What uv resolves for every platform, as one block of text a package."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--universal", "--python-version", "3.11"]
    command += ["--generate-hashes", "--no-annotate", "--no-header", "--no-emit-index-url", "--group", "build", *more]
    found = subprocess.run([*command, "pyproject.toml"], check=True, capture_output=True, text=True).stdout
    blocks = re.split(r"\n(?=[a-z0-9])", found.strip())
    if not blocks or not all(_HASH.search(block) for block in blocks):
        raise SystemExit(f"{out.name}: expected hashes for every package, found: {found[:200]!r}")
    return blocks


def version_of(block: str) -> str:
    return re.split(r"[ \\]", block.partition("==")[2])[0]


def with_cpu_build(block: str, before: str) -> str:
    """PyTorch's block with the hash of the CPU build that pip takes here, and of those that were known before."""
    version = version_of(block)
    known = re.search(rf"^torch=={re.escape(version)} .*?(?=^[a-z]|\Z)", before, re.MULTILINE | re.DOTALL)
    hashes = set(_HASH.findall(block)) | set(_HASH.findall(known[0] if known else ""))
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", folder, f"torch=={version}"]
        subprocess.run(command, check=True)
        hashes |= {hashlib.sha256(file.read_bytes()).hexdigest() for file in Path(folder).iterdir()}
    lines = [f"torch=={version}", *(f"--hash=sha256:{digest}" for digest in sorted(hashes))]
    return " \\\n    ".join(lines)


def write(file: Path, purpose: str, blocks: list[str]) -> None:
    file.write_text(f"# {purpose} Made by `make lock`.\n" + "\n".join(blocks) + "\n", encoding="utf-8")
    print(f"{file.name}: {len(blocks)} packages")


def main() -> None:
    before = TORCH.read_text(encoding="utf-8") if TORCH.exists() else ""
    write(SERVE, "What it takes to run the bot.", compile_lock(SERVE))
    everything = compile_lock(DEV, "--group", "dev", "--constraint", str(SERVE))
    cuda = [block for block in everything if _CUDA_PACKAGE.match(block)]
    torch = [block for block in everything if block.startswith("torch==")]
    rest = [block for block in everything if block not in cuda and block not in torch]
    write(DEV, "What it takes to test, measure and train, but for PyTorch.", rest)
    write(TORCH, "Both builds of PyTorch: see lock.py.", [with_cpu_build(block, before) for block in torch])
    write(CUDA, "What the registry's PyTorch for Linux needs beside it.", cuda)


if __name__ == "__main__":
    main()
