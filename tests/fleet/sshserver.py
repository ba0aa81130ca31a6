"""A real OpenSSH server on loopback, as a board: with its own keys, and a command ``pi-zoo`` in its path.

The stand-in of ``pi-zoo`` measures nothing, because that takes minutes; its jobs are those of ``pi_runtime.jobs``.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
needs_sshd = pytest.mark.skipif(
    SSHD is None or shutil.which("ssh") is None, reason="needs ssh and sshd: apt install openssh-server"
)

STAND_IN = """#!{python}
import json, os, pathlib, sys, time

sys.path.insert(0, {root!r})
from pi_runtime import jobs

home = pathlib.Path(os.environ["PI_ZOO_HOME"])
words = sys.argv[1:]
(home / "calls").open("a").write(json.dumps(words) + "\\n")
if words == ["--version"]:
    print("pi-zoo 9.9")
    sys.exit()
if words[0] == "pull":
    (home / words[1].replace("/", "_")).touch()
    sys.exit()


def work():
    (home / "begun").open("a").write(words[1] + "\\n")
    spec = words[1]
    if not (home / spec).exists():
        print(f"{{spec}} is not on this board. Download it: pi-zoo pull {{spec}}", file=sys.stderr)
        return 1
    steps = json.loads((home / "steps.json").read_text())
    for number in range(steps):
        event = {{"event": "progress", "text": f"sample {{number + 1}} of {{steps}}"}}
        print(json.dumps(event), file=sys.stderr, flush=True)
        while not (home / f"go-{{number}}").exists():
            time.sleep(0.02)
    report = json.loads((home / "reports" / spec).read_text())
    if isinstance(report, dict):
        report.setdefault("measured_by", words[words.index("--by") + 1])
    print(json.dumps(report))
    return 0


sys.exit(jobs.attend(words[words.index("--job") + 1], work))
"""


@dataclass
class BoardHere:
    """The server, and the folder of its pi-zoo. steps: how many events a measurement has; ``go`` lets it go on."""

    port: int
    home: Path
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}"

    @property
    def words(self) -> str:
        return self.address.removeprefix("ssh://")

    def has(self, spec: str, report: dict[str, Any], steps: int = 2) -> None:
        (self.home / spec).touch()
        self.measures(spec, report, steps)

    def measures(self, spec: str, report: dict[str, Any], steps: int = 2) -> None:
        (self.home / "reports").mkdir(exist_ok=True)
        (self.home / "reports" / spec).write_text(json.dumps(report), encoding="utf-8")
        (self.home / "steps.json").write_text(str(steps))

    def go(self, *numbers: int) -> None:
        for number in numbers:
            (self.home / f"go-{number}").touch()

    def lines(self, name: str) -> list[str]:
        path = self.home / name
        return path.read_text().splitlines() if path.exists() else []

    def drop(self) -> None:
        """End every connection, as a lost network does; the server goes on."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for child in map(int, children):
            for one in (*_below(child), child):
                # One may have ended since it was listed.
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    if Path(f"/proc/{one}/comm").read_text().startswith("sshd"):
                        os.kill(one, signal.SIGKILL)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


def _below(pid: int) -> list[int]:
    found = []
    for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        found += [*_below(child), child]
    return found


def start(folder: Path, name: str, with_pi_zoo: bool = True) -> BoardHere:
    """A board. folder/bin/ssh is the system's ssh with a configuration that knows all boards in the folder."""
    place = folder / name
    home, programs = place / "home", place / "bin"
    home.mkdir(parents=True)
    programs.mkdir()
    if with_pi_zoo:
        stand_in = programs / "pi-zoo"
        stand_in.write_text(STAND_IN.format(python=sys.executable, root=str(ROOT)))
        stand_in.chmod(0o755)
    key, client = place / "host_key", folder / "client_key"
    for path in (key, client):
        if not path.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    shutil.copy(f"{client}.pub", place / "authorized")
    (place / "authorized").chmod(0o600)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    (place / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {key}\nAuthorizedKeysFile {place / 'authorized'}\n"
        f"PidFile none\nStrictModes no\nPasswordAuthentication no\nUsePAM no\nPermitRootLogin yes\n"
        f"SetEnv PATH={programs}:/usr/bin:/bin PI_ZOO_HOME={home}\n"
    )
    with (folder / "known_hosts").open("a") as known:
        kind, public = (place / "host_key.pub").read_text().split()[:2]
        known.write(f"[127.0.0.1]:{port} {kind} {public}\n")
    _client(folder, client)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    assert SSHD
    log = (place / "log").open("wb")
    process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(place / "config")], stderr=log, stdin=subprocess.DEVNULL)
    board = BoardHere(port, home, place, process)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return board
        if process.poll() is not None:
            break
        time.sleep(0.05)
    pytest.skip(f"sshd does not start here: {(place / 'log').read_text()[-300:]}")


def _client(folder: Path, key: Path) -> None:
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    config = folder / "ssh_config"
    config.write_text(f"IdentityFile {key}\nIdentitiesOnly yes\nUserKnownHostsFile {folder / 'known_hosts'}\n")
    wrapper = programs / "ssh"
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh", path=os.defpath)} -F {config} "$@"\n')
    wrapper.chmod(0o755)
