"""llama.cpp's own server, where scripts/pi/compile.py has compiled it."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from waiting import until

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts/pi"))

import compile as compiling  # noqa: E402 - after its folder is in the path

COMPILE = "llama.cpp's server is not compiled here: python scripts/pi/compile.py amd64"


def compiled(architecture: str) -> Path | None:
    """The folder of compiled programs if it is in the cache."""
    try:
        place = compiling.cache() / f"{architecture}-{compiling.key(architecture)}"
    except compiling.CouldNot:
        return None
    return place if place.is_dir() else None


@contextmanager
def serving(programs: Path, model: Path, alias: str) -> Iterator[str]:
    """The address of the API of a server that has loaded the model."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [str(programs / "llama-server"), "--model", str(model), "--host", "127.0.0.1", "--port", str(port)]
    words += ["--alias", alias, "--ctx-size", "2048", "--parallel", "2", "--threads", "1"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: process.poll() is not None or _is_well(port))
        assert process.poll() is None, f"llama-server ended with {process.returncode}"
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()


def _is_well(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    return False
