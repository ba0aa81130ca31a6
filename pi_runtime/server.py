"""A llama-server of our own for one command: started on the verified file, on a free port of this machine, and ended.

The file is opened once, hashed through that descriptor, and the server reads the same descriptor, so a file that is put
in its place meanwhile is never read.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from types import TracebackType

from pi_runtime import plainjson, programs, surroundings
from pi_runtime.children import CRASHES, die_with_parent
from pi_runtime.plainjson import Json
from pi_runtime.service import reached
from pi_runtime.settings import CouldNot

START_SECONDS = 300
"""A large model on a slow card takes minutes to load."""

ANSWER_SECONDS = 1800
STOP_SECONDS = 10


@dataclass(frozen=True)
class Model:
    """A model file to start. sha256: what it must have; None for a file that no catalog lists. cold: drop it from the
    page cache before it is loaded."""

    path: Path
    sha256: str | None
    cold: bool = False


@dataclass(frozen=True)
class Address:
    """Where it listens. port 0: a free one. keys: who may use it; empty for everybody who can reach it."""

    host: str = "127.0.0.1"
    port: int = 0
    keys: tuple[str, ...] = ()

    def check_free(self) -> None:
        """Raise CouldNot if another program listens there: its answers would be taken for llama-server's, and it
        would be sent the key."""
        if self.port == 0:
            return
        try:
            socket.create_connection((reached(self.host), self.port), timeout=5).close()
        except OSError:
            return
        raise CouldNot(f"Another program listens on {self.host} port {self.port}. Stop it, or choose another --port.")


def private() -> Address:
    """A free port of this machine, with a key that only this process knows."""
    return Address(keys=(secrets.token_hex(16),))


class Server:
    """A running llama-server; ``with Server(...) as server``. It is gone when the block ends, whatever happened."""

    def __init__(self, model: Model, arguments: Sequence[str], address: Address | None = None) -> None:
        """Starts it and waits until it answers. Raises CouldNot."""
        self._program = programs.find("llama-server")
        self._model, self._address = model, address or private()
        self._address.check_free()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it is open as long as the server, and close() closes it
        self.load_seconds = 0.0
        self.load_reads_bytes: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._start(arguments)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self, arguments: Sequence[str]) -> None:
        with plainjson.opened(self._model.path) as file:
            self._verify(file)
            if self._model.cold:
                surroundings.forget(file)
            self.port = self._address.port or _free_port()
            begin = time.monotonic()
            command = [
                str(self._program),
                "--model",
                f"/proc/self/fd/{file.fileno()}",
                "--host",
                self._address.host,
            ]
            command += ["--port", str(self.port), "--offline", *arguments]
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                pass_fds=(file.fileno(),),
                # ggml also loads libraries from the current folder, and Ctrl-C at the terminal is ours.
                cwd="/",
                start_new_session=True,
                preexec_fn=die_with_parent,
                env={
                    **os.environ,
                    **({"LLAMA_API_KEY": ",".join(self._address.keys)} if self._address.keys else {}),
                },
            )
            self._await_ready(begin)
            self.load_seconds = time.monotonic() - begin
            self.load_reads_bytes = surroundings.storage_reads(self.pid)

    def _verify(self, file: BufferedReader) -> None:
        if self._model.sha256 is None:
            return
        found = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        if found != self._model.sha256:
            raise CouldNot(
                f"{self._model.path} is not the file that was downloaded: its sha256 is {found}, "
                f"not {self._model.sha256}. It was not started. Download it again: pi-zoo remove, then pi-zoo pull"
            )

    def _await_ready(self, begin: float) -> None:
        assert self._process
        while time.monotonic() - begin < START_SECONDS:
            if self._process.poll() is not None:
                raise CouldNot(self._why())
            try:
                if self.request("GET", "/health", None, seconds=5).status == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.05)
        raise CouldNot(f"llama-server did not answer within {START_SECONDS} seconds. {self._tail()}")

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def request(
        self, method: str, path: str, body: dict[str, object] | None, seconds: float = ANSWER_SECONDS
    ) -> http.client.HTTPResponse:
        """One request; the caller reads the answer."""
        link = http.client.HTTPConnection(reached(self._address.host), self.port, timeout=seconds)
        headers = {"Content-Type": "application/json"}
        if self._address.keys:
            headers["Authorization"] = f"Bearer {self._address.keys[0]}"
        link.request(method, path, None if body is None else json.dumps(body), headers)
        return link.getresponse()

    def ask(self, path: str, body: dict[str, object] | None = None) -> Json:
        """A JSON answer. Raises CouldNot for an error of the server."""
        with self._explained():
            answer = self.request("GET" if body is None else "POST", path, body)
            text = answer.read()
        if answer.status != 200:
            raise CouldNot(
                f"llama-server refused the request ({answer.status}): {text[:300].decode(errors='replace')}"
            )
        return plainjson.parse(text, f"llama-server's answer to {path}")

    def stream(self, path: str, body: dict[str, object]) -> Iterator[Json]:
        """The events of an answer that arrives bit by bit. Raises CouldNot."""
        with self._explained():
            answer = self.request("POST", path, {**body, "stream": True})
            if answer.status != 200:
                text = answer.read(300).decode(errors="replace")
                raise CouldNot(f"llama-server refused the request ({answer.status}): {text}")
            for line in answer:
                if line.startswith(b"data: ") and line.strip() != b"data: [DONE]":
                    yield plainjson.parse(line[6:], f"llama-server's answer to {path}")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, http.client.HTTPException) as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                assert self._process
                self._process.wait(1)
            raise CouldNot(self._why(str(error))) from error

    def _why(self, more: str = "") -> str:
        """A sentence for a server that ended or does not answer."""
        assert self._process
        code = self._process.poll()
        ended = f"it ended with code {code}" if code is not None else f"it does not answer ({more})"
        cause = CRASHES.get(-code, ended) if code is not None and code < 0 else ended
        return f"llama-server could not run {self._model.path.name}: {cause}. {self._tail()}".strip()

    def wait(self) -> None:
        """Until it ends by itself. Raises CouldNot with the reason."""
        assert self._process
        self._process.wait()
        raise CouldNot(self._why())

    def _tail(self) -> str:
        """The line of its log that says most."""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - 20_000))
        lines = self._log.read().decode("utf-8", errors="replace").strip().splitlines()
        telling = [
            line
            for line in lines
            if "error" in line.lower() or "GGML_ASSERT" in line or "failed" in line.lower()
        ]
        last = (telling or lines)[-1:] or [""]
        return f"Its last output: {last[0].strip()}" if last[0].strip() else ""

    def close(self) -> None:
        """End it, by force after STOP_SECONDS; safe to call twice."""
        process = self._process
        if process and process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._log.close()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
