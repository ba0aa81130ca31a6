"""Renders conversations with a model's chat template, in a separate process for each template.

The process starts at the first conversation, answers one after another, and is ended if it uses more than its limits
(``zoo.templates.limits``); the next conversation then gets a new one. It ends with this process: its input ends.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from zoo.errors import AGAIN, ModelFileError, ZooError
from zoo.machine import endings
from zoo.templates.limits import Answer, Limits

_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from zoo.templates.worker import main; main()"
)
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH")
"""Environment variables that an interpreter may need to find its own libraries."""

Message = Mapping[str, str]
"""One turn of a conversation: role and content."""


class OverLimit(ModelFileError):
    """A template uses more than ``zoo.templates.limits`` allow: it must not be rendered without such limits."""


class Renderer:
    """One chat template, ready to render. Use it in a ``with`` statement, or ``close()`` it.

    template: jinja2 text. special: texts of the special tokens by the name that templates know (``bos_token``, ...).
    source: where the template came from, for messages. Threads take turns; a forked process starts its own worker.
    """

    def __init__(
        self,
        template: str,
        *,
        special: Mapping[str, str | list[str]],
        source: str,
        limits: Limits | None = None,
    ) -> None:
        self.source = source
        self.read_clock = False
        """Whether a rendered conversation contains the date."""
        self._template, self._special, self._limits = template, dict(special), limits or Limits()
        self._lock = threading.Lock()
        self._worker: _Worker | None = None
        self._is_compiled = self._is_used = False
        self._refused: Answer | None = None

    def __enter__(self) -> Renderer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def change(self, template: str, source: str) -> None:
        """From now on, another template with the same special tokens, in the same process. It starts a new one before a
        template is refused that uses too much: the memory may be that of the one before."""
        with self._lock:
            self._template, self.source, self.read_clock = template, source, False
            self._is_compiled, self._is_used, self._refused = False, self._worker is not None, None

    def close(self) -> None:
        """End the process, if there is one."""
        with self._lock:
            self._end()

    def render(
        self,
        messages: Sequence[Mapping[str, object]],
        *,
        add_generation_prompt: bool = True,
        tools: Sequence[Mapping[str, object]] | None = None,
        documents: Sequence[Mapping[str, object]] | None = None,
    ) -> str:
        """The prompt text of a conversation; tools and documents in the form that transformers hands to templates.

        Raises ModelFileError with the template's own complaint, jinja2's, or the limit that was exceeded.
        """
        for message in messages:
            content = message.get("content", "")
            if not isinstance(content, str):
                raise ZooError(
                    f"a message's content is {type(content).__name__}, not text",
                    remedy="The model reads only text: give each message one string as content",
                )
        values: dict[str, object] = {
            **self._special,
            "messages": [dict(message) for message in messages],
            "tools": tools,
            "documents": documents,
            "add_generation_prompt": add_generation_prompt,
        }
        with self._lock:
            answer = self._ask(values)
        if "refused" in answer:
            raise self._error(answer["refused"], answer.get("kind", ""))
        self.read_clock |= answer["clock"]
        return answer["text"]

    def _ask(self, values: Mapping[str, object]) -> Answer:
        if self._refused:
            return self._refused
        was_used = self._is_used
        answer = self._answer(values)
        if was_used and answer.get("kind") == "limit":
            self._end()
            self._refused = None
            answer = self._answer(values)
        return answer

    def _answer(self, values: Mapping[str, object]) -> Answer:
        if self._worker is None or not self._worker.ready():
            self._end()
            self._worker = _Worker()
        if not self._is_compiled:
            first = {"template": self._template, "limits": dataclasses.asdict(self._limits)}
            answer = self._worker.answer(first, self._limits, self.source)
            if "refused" in answer:
                # A template that does not compile never will.
                self._refused = answer
                self._end()
                return answer
            self._is_compiled = True
        return self._worker.answer({"values": values}, self._limits, self.source)

    def _end(self) -> None:
        worker, self._worker = self._worker, None
        self._is_compiled = self._is_used = False
        if worker is not None:
            worker.end()

    def _error(self, why: str, kind: str) -> ModelFileError:
        if kind == "its own":
            return ModelFileError(
                f"the chat template of {self.source} refuses this conversation: {why}",
                remedy="Change the system prompt or the order of the messages, or use another model",
            )
        return (OverLimit if kind == "limit" else ModelFileError)(
            f"the chat template of {self.source} cannot be rendered: {why}",
            remedy="Fix the chat template in the model's folder, or use another model",
        )


class _Worker:
    """The running process. ``alive`` is false once it has ended."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.alive = True
        # It ignores the user's settings and the site's start-up files, and gets no secrets.
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        path = [entry for entry in sys.path if entry] + [str(Path(__file__).parents[2])]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _CODE, json.dumps(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                # This process handles Ctrl-C.
                start_new_session=True,
            )
        except OSError as error:
            raise ZooError(
                f"the process that renders chat templates cannot be started: {error.strerror}",
                remedy="Close other programs",
                again=AGAIN,
            ) from error
        assert self._process.stdin and self._process.stdout
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    def ready(self) -> bool:
        """Whether the process is alive and belongs to this one: it may have been killed, or this one may be a fork."""
        return self.alive and self.owner == os.getpid() and self._process.poll() is None

    def answer(self, request: Mapping[str, object], limits: Limits, source: str) -> Answer:
        """The answer of the process to ``request``, or ``{"refused": WHY}`` when it ends instead."""
        try:
            self._stdin.write(json.dumps(request).encode() + b"\n")
            self._stdin.flush()
            line = self._line(time.monotonic() + limits.wall_seconds)
        except BrokenPipeError:
            line = b""
        except BaseException:
            # An answer to an abandoned request must not be used for the next one.
            self.end()
            raise
        if line.endswith(b"\n"):
            found: Answer = json.loads(line)
            return found
        return {"refused": self._why(limits, source, timed_out=line == b"timeout"), "kind": "limit"}

    def _line(self, deadline: float) -> bytes:
        """The next line; b"" if the process ended, b"timeout" at the deadline."""
        parts: list[bytes] = []
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            while True:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    return b"timeout"
                part = os.read(self._stdout.fileno(), 1 << 20)
                parts.append(part)
                if not part:
                    return b""
                if part.endswith(b"\n"):
                    return b"".join(parts)

    def _why(self, limits: Limits, source: str, *, timed_out: bool) -> str:
        """End the process, and return why it gave no answer."""
        if timed_out:
            self.end()
            return f"no answer came within {limits.wall_seconds:g} seconds"
        self.alive = False
        complaint = (
            self._process.stderr.read().decode("utf-8", errors="replace") if self._process.stderr else ""
        )
        code = self._process.wait()
        self.end()
        if code == -signal.SIGPROF:
            return f"one conversation takes more than {limits.cpu_seconds:g} seconds of processor time"
        if code in (-signal.SIGSEGV, -signal.SIGBUS, -signal.SIGABRT):
            return f"it crashes the interpreter (signal {-code})"
        last = (complaint.strip().splitlines() or ["no reason was given"])[-1]
        process = f"the process that renders the chat template of {source}"
        if ended := endings.fault(process, code, "" if code < 0 else last):
            raise ended
        raise ZooError(
            f"the process that renders chat templates ended with exit code {code}: {last}",
            remedy="Check the installation with: zoo doctor",
        )

    def end(self) -> None:
        """Kill the process if it is alive, and close its pipes. Another process's worker is not touched."""
        self.alive = False
        if self.owner == os.getpid():
            self._process.kill()
            self._process.wait()
        for stream in (self._stdin, self._stdout, self._process.stderr):
            if stream is not None:
                # Unsent data is useless to a dead process.
                with contextlib.suppress(OSError):
                    stream.close()
