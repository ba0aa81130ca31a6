"""Loads llama.cpp once, keeps its log lines, and names its versions."""

from __future__ import annotations

import ctypes
import importlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from zoo import extras

_ERROR = 4
_CONTINUED = 5
_KEPT_LINES = 400


@dataclass
class _Log:
    """The last log lines of llama.cpp; a line may arrive in several pieces."""

    lines: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=_KEPT_LINES))
    listeners: list[Callable[[str], None]] = field(default_factory=list)
    open_level: int = 0
    open_text: str = ""

    def receive(self, level: int, text: str) -> None:
        if level != _CONTINUED:
            self.flush()
            self.open_level = level
        self.open_text += text
        while "\n" in self.open_text:
            line, self.open_text = self.open_text.split("\n", 1)
            self._keep(line)

    def flush(self) -> None:
        if self.open_text:
            self._keep(self.open_text)
            self.open_text = ""

    def _keep(self, line: str) -> None:
        self.lines.append((self.open_level, line))
        for listener in self.listeners:
            listener(line)


_log = _Log()
_loaded: dict[str, Any] = {}


def require() -> Any:
    """The module ``llama_cpp.llama_cpp``, its backend initialised and its log captured.

    Raises MissingExtra if llama-cpp-python is not installed or its library does not load.
    """
    if "module" not in _loaded:
        module = extras.load("llama_cpp.llama_cpp")
        # ctypes keeps no reference of its own: without ours the callback would be freed while in use.
        _loaded["callback"] = module.llama_log_callback(_on_log)
        module.llama_log_set(_loaded["callback"], ctypes.c_void_p(0))
        module.llama_backend_init()
        _loaded["module"] = module
    return _loaded["module"]


def ggml() -> Any:
    """ggml's own library, which llama.cpp has loaded: what is below llama.h. Raises MissingExtra as ``require``."""
    require()
    # There is no public name for it.
    return importlib.import_module("llama_cpp._ggml").libggml


def kernels() -> tuple[str, ...]:
    """The instruction sets that this llama.cpp was compiled to use, oldest first, by its own names.

    Raises MissingExtra as ``require`` does.
    """
    said = require().llama_print_system_info().decode("utf-8", errors="replace")
    pairs = (part.partition("=") for part in said.rpartition("CPU :")[2].split("|"))
    found = (name.strip() for name, _, value in pairs if value.strip() == "1")
    return tuple(name for name in found if name not in ("LLAMAFILE", "OPENMP", "REPACK", "ACCELERATE"))


def _on_log(level: int, text: bytes | None, user_data: object) -> None:
    del user_data
    _log.receive(level, (text or b"").decode("utf-8", errors="replace"))


def forget_log() -> None:
    """Drop the kept log lines, so that a later ``last_error`` speaks of later work only."""
    _log.flush()
    _log.lines.clear()


def last_error() -> str:
    """llama.cpp's reason for the latest failure: its first error line since ``forget_log``, or ""."""
    _log.flush()
    errors = [line for level, line in _log.lines if level == _ERROR and any(map(str.isalpha, line))]
    # The first line is the cause; those after it only report that the caller gave up too.
    return _without_function(errors[0]) if errors else ""


def _without_function(line: str) -> str:
    head, separator, tail = line.partition(": ")
    return (tail if separator and " " not in head else line).strip()


@contextmanager
def listening(listener: Callable[[str], None]) -> Iterator[None]:
    """Hand every log line to ``listener`` while the block runs."""
    _log.listeners.append(listener)
    try:
        yield
    finally:
        _log.listeners.remove(listener)


def versions() -> dict[str, str | None]:
    """Installed versions of the packages behind this room; None if absent. Imports none of them."""
    found = {name: extras.version(name) for name in ("llama-cpp-python", "gguf", "numpy")}
    return {name: None if version == extras.ABSENT else version for name, version in found.items()}


def system_info() -> str:
    """llama.cpp's own line about the CPU features it was built for and uses."""
    return str(require().llama_print_system_info().decode("utf-8", errors="replace")).strip()
