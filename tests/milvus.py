"""A real Milvus server for tests: installed once into a folder of its own, started on loopback, killed at will.

    python -m tests.milvus COMMAND...

runs a command with YUANWEN_STORE and YUANWEN_STORE_PID set to a server of its own, or, with a line why, without one.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import venv
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

PACKAGES = ("setuptools<81", "milvus==2.3.5", "pymilvus<2.6")
"""The last server that is a package; its own client is too old for ours, so that it has an environment to itself."""

START_SECONDS = 120

_RUN = """
import os, socket, sys
from milvus import MilvusServerConfig
def bound(self, port):
    # Its own attempt finds the port of a server that was just killed still taken.
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        return probe.close()
    return probe
MilvusServerConfig.try_bind_port = bound
data, libraries, port, web, etcd, peer = sys.argv[1:]
config = MilvusServerConfig(data_dir=data, proxy_port=port, etcd_port=etcd)
for part in ("rootCoord", "proxy", "queryCoord", "queryNode", "dataCoord", "dataNode", "indexNode"):
    config.set(part + ".ip", "127.0.0.1")
config.resolve()
# Without a configuration of its own the etcd inside takes its usual ports, which one server on a machine can have.
with open(data + "/configs/etcd.yaml", "w") as file:
    for name, place in (("client", etcd), ("peer", peer)):
        file.write(f"listen-{name}-urls: http://127.0.0.1:{place}\\n")
    file.write(f"advertise-client-urls: http://127.0.0.1:{etcd}\\ninitial-advertise-peer-urls: http://127.0.0.1:{peer}\\n")
    file.write(f"initial-cluster: default=http://127.0.0.1:{peer}\\n")
os.environ.update(
    DEPLOY_MODE="STANDALONE", METRICS_PORT=web, MILVUS_RUN_DIR=data + "/run", LD_LIBRARY_PATH=libraries,
    ETCD_CONFIG_PATH=data + "/configs/etcd.yaml",
)
os.chdir(data)
os.execv(libraries + "/milvus", ["milvus", "run", "standalone"])
"""


class UnavailableError(Exception):
    """The server cannot be had here; the text says why."""


def installed() -> Path:
    """The folder that the server is installed in.

    Raises:
        UnavailableError: on another system than Linux on x86-64, or where pip cannot get it.
    """
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        raise UnavailableError(f"milvus 2.3.5 is made for Linux on x86-64, found {sys.platform} {os.uname().machine}")
    home = Path(os.environ.get("YUANWEN_TEST_MILVUS") or user_cache_path("yuanwen") / "tests" / "milvus-2.3.5")
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "install.lock"):
        if not (home / "done").exists():
            venv.create(home / "venv", with_pip=True, clear=True)
            python = str(home / "venv" / "bin" / "python")
            unpack = f"import milvus; milvus._initialize_data_files({str(home)!r})"
            pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
            for command in (pip, [python, "-c", unpack]):
                run = subprocess.run(command, capture_output=True, text=True, check=False)
                if run.returncode:
                    raise UnavailableError(f"{' '.join(PACKAGES)} cannot be installed: {run.stderr.strip()[-300:]}")
            (home / "done").touch()
    return home


class MilvusServer:
    """A server over a folder of data, which may be started again after it was killed."""

    def __init__(self, data: Path) -> None:
        self._home, self._data = installed(), data
        self.port, self._etcd, self._peer = _free_port(), _free_port(), _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def address(self, collection: str) -> str:
        return f"milvus://127.0.0.1:{self.port}/{collection}"

    def start(self) -> None:
        """Return when it is healthy; a port that another process took meanwhile is chosen anew.

        Raises:
            UnavailableError: it ends, or is not healthy in time; with the end of what it said.
        """
        for _ in range(3):
            if self._healthy(_free_port()):
                return
        raise UnavailableError(f"milvus did not start: {(self._data / 'log').read_text(errors='replace')[-300:]}")

    def _healthy(self, web: int) -> bool:
        self._data.mkdir(parents=True, exist_ok=True)
        log = self._data / "log"
        python, libraries = self._home / "venv" / "bin" / "python", self._home / "bin"
        command = [python, "-c", _RUN, self._data, libraries, self.port, web, self._etcd, self._peer]
        with log.open("ab") as out:
            self._process = subprocess.Popen([*map(str, command)], stdout=out, stderr=out)
        pause, end = threading.Event(), time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{web}/healthz", timeout=5) as found:
                    if found.read().strip() == b"OK":
                        return True
            except (urllib.error.URLError, OSError):
                pass
            pause.wait(0.2)
        self.kill()
        return False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def kill(self) -> None:
        """With SIGKILL, as the worst case; the data stays."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main(*command: str) -> int:
    with tempfile.TemporaryDirectory(prefix="yuanwen-milvus-") as folder:
        environment, server = dict(os.environ), None
        try:
            server = MilvusServer(Path(folder))
            server.start()
            environment |= {"YUANWEN_STORE": server.address("scale"), "YUANWEN_STORE_PID": str(server.pid)}
        except UnavailableError as error:
            print(f"No Milvus server: {error}", file=sys.stderr)
        try:
            return subprocess.run(command, env=environment, check=False).returncode
        finally:
            if server is not None:
                server.kill()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
