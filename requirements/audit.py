"""`make audit`, second half: known vulnerabilities of what serving takes, but for what waivers.toml lets pass."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def judge(
    audited: Mapping[str, Any] | None, waivers: Sequence[Mapping[str, Any]], today: date
) -> tuple[bool, list[str]]:
    """Whether the audit passes, and what there is to say about it; `audited` is what pip-audit found, if anything."""
    found: dict[str, list[str]] = {}
    packages = audited["dependencies"] if audited else []
    for package in packages:
        name = f"{package['name']} {package.get('version', '')}".strip()
        if "skip_reason" in package:
            found.setdefault("unasked", []).append(name)
        for known in package.get("vulns", ()):
            found.setdefault(known["id"], []).append(name)
    if not packages:
        found["unasked"] = ["all packages"]
    waived = {waiver["id"]: waiver for waiver in waivers if waiver["until"] >= today}
    lines = []
    if "unasked" in found:
        lines.append("NOT CHECKED against known vulnerabilities: the service that knows of them could not be asked")
    for problem, names in sorted(found.items()):
        told = f"{problem}: {', '.join(names) if len(names) < 6 else f'{len(names)} packages'}"
        if waiver := waived.get(problem):
            told += f"\n  let pass until {waiver['until']}: {waiver['why']}"
        else:
            told += "\n  not waived; update the package, or say why not in requirements/waivers.toml"
        lines.append(told)
    return found.keys() <= waived.keys(), lines or [f"{len(packages)} packages, no known vulnerability"]


def main() -> int:
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner=off"]
    command += ["--format=json", "-r", str(HERE / "serve.txt")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        audited = json.loads(done.stdout)
    except ValueError:
        audited = None
        print(done.stderr, file=sys.stderr)
    waivers = tomllib.loads((HERE / "waivers.toml").read_text(encoding="utf-8")).get("waiver", [])
    passed, lines = judge(audited, waivers, date.today())
    print("\n".join(lines))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
