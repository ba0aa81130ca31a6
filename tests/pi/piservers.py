"""What the tests of the service share: llama.cpp's server where it is compiled, configurations, and systemd's end."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from pi_runtime.launch import STOP_SECONDS

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts/pi"))

import package as packaging  # noqa: E402 - after its folder is in the path

STAND_IN = """#!{python}
import hashlib, http.server, json, os, socketserver, sys, time

given = dict(zip(sys.argv[1:], sys.argv[2:]))
content = open(given["--model"], "rb").read()
ready = time.monotonic() + 0.6


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        well = time.monotonic() > ready
        digest = hashlib.sha256(content).hexdigest()
        facts = {{"sha256": digest, "arguments": sys.argv, "environment": dict(os.environ)}}
        self.send_response(200 if well else 503)
        self.end_headers()
        self.wfile.write(json.dumps(facts).encode())

    def address_string(self):
        return "test"


if given["--host"].endswith(".sock"):
    server = socketserver.UnixStreamServer(given["--host"], Handler)
else:
    server = http.server.HTTPServer((given["--host"], int(given["--port"])), Handler)
server.serve_forever()
"""
"""Answers the health probe as llama.cpp's server does, and shows what it was started with."""


def packaged(architecture: str, programs: Path, base: Path) -> Path:
    """The Debian package, built once in a test session: compressing the programs takes ten seconds.

    base: the session's folder for temporary files; processes that share the session's tests share the package too.
    """
    session = base.parent if base.name.startswith("popen-gw") else base
    place = session / f"deb-{architecture}"
    with (session / f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "done").exists():
            packaging.build(architecture, place, programs)
            (place / "done").touch()
    (made,) = place.glob("*.deb")
    return made


def stand_in(folder: Path) -> Path:
    """A small program with the server's command line."""
    path = folder / "llama-server"
    path.write_text(STAND_IN.format(python=sys.executable), encoding="utf-8")
    path.chmod(0o755)
    return path


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as link:
        link.bind(("127.0.0.1", 0))
        return int(link.getsockname()[1])


def released(folder: Path, model: Path) -> tuple[Path, Path]:
    """(model file, manifest) of a release folder with a copy of the model."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / "model.gguf"
    shutil.copyfile(model, place)
    content = place.read_bytes()
    entry = {"path": place.name, "sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
    manifest = folder / "MANIFEST.json"
    manifest.write_text(json.dumps({"files": [entry]}), encoding="utf-8")
    return place, manifest


def configured(folder: Path, model: Path, manifest: Path, **more: Any) -> Path:
    """A configuration file; one thread, because test machines are busy."""
    path = folder / "demo.json"
    entries = {"schema": "pi-zoo-service/1", "model": str(model), "manifest": str(manifest), "threads": 1,
               "threads_batch": 1, "context_tokens": 256, "port": free_port(), **more}  # fmt: skip
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


def code_of(launcher: subprocess.Popen[str]) -> set[str]:
    """The variants of ggml's code that the launcher's server has loaded; also of one in an emulator."""
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text(encoding="utf-8").split()
    maps = "".join(Path(f"/proc/{child}/maps").read_text(encoding="utf-8") for child in children)
    return set(re.findall(r"/libggml-cpu-(\S+)\.so$", maps, re.M))


class Systemd:
    """The socket to which a service reports."""

    def __init__(self, path: Path) -> None:
        self.link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.link.bind(str(path))
        self.lines: list[str] = []

    def wait_for(self, line: str, seconds: float = 60) -> None:
        """Until the service has sent the line. Raises TimeoutError."""
        self.link.settimeout(seconds)
        while line not in self.lines:
            self.lines += self.link.recv(65536).decode().splitlines()


@contextmanager
def launched(
    config: Path, server: Path, folder: Path, said: IO[str] | None = None, **more: str
) -> Iterator[tuple[subprocess.Popen[str], Systemd]]:
    """The launcher in a process of its own, with a watchdog of three seconds; it is stopped at the end.

    said: where it writes; None for the pipe of the process.
    """
    systemd = Systemd(folder / "notify")
    world = {**os.environ, "NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "3000000",
             "RUNTIME_DIRECTORY": str(folder), "LLAMA_ARG_PORT": "1", **more}  # fmt: skip
    line = [sys.executable, "-m", "pi_runtime.launch", "demo", "--config", str(config), "--server", str(server)]
    # A pipe that nobody empties would stop a server with much to say.
    ends: dict[str, Any] = {"stderr": said or subprocess.PIPE, "stdout": said}
    with subprocess.Popen(line, cwd=ROOT, env=world, text=True, start_new_session=True, **ends) as child:
        try:
            yield child, systemd
        finally:
            child.terminate()
            try:
                child.wait(STOP_SECONDS + 30)
            finally:
                # As systemd does it: nothing that the service started is left.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
            systemd.link.close()
            (folder / "notify").unlink()
