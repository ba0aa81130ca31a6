"""Loads llama.cpp once, keeps its log lines, and names its versions."""

from __future__ import annotations

import ctypes
import functools
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import ModuleType
from typing import NewType

from zoo import extras

Vocabulary = NewType("Vocabulary", object)
"""llama.cpp's pointer to a vocabulary. Like the pointers below, it is only passed back to llama.cpp."""
Context = NewType("Context", object)
Sampler = NewType("Sampler", object)
Observer = NewType("Observer", object)
"""A C callback that sees the graph while it is computed."""

_DEBUG = 1
_ERROR = 4
_CONTINUED = 5


@dataclass
class Heard:
    """The log lines of llama.cpp during one piece of work; a line may arrive in several pieces.

    All but its lines for debugging: a caller may look for the first one, or need each, as one of every tensor.
    """

    _lines: list[tuple[int, str]] = field(default_factory=list)
    _open_level: int = 0
    _open_text: str = ""

    def receive(self, level: int, text: str) -> None:
        """A piece of a line, from llama.cpp."""
        if level != _CONTINUED:
            self._flush()
            self._open_level = level
        self._open_text += text
        while "\n" in self._open_text:
            line, self._open_text = self._open_text.split("\n", 1)
            self._keep(line)

    def lines(self) -> list[str]:
        """Every kept line, oldest first."""
        self._flush()
        return [line for _, line in self._lines]

    def error(self) -> str:
        """llama.cpp's reason for a failure: its first error line, or ""."""
        self._flush()
        errors = [line for level, line in self._lines if level == _ERROR and any(map(str.isalpha, line))]
        # The first line is the cause; those after it only report that the caller gave up too.
        return _without_function(errors[0]) if errors else ""

    def _flush(self) -> None:
        if self._open_text:
            self._keep(self._open_text)
            self._open_text = ""

    def _keep(self, line: str) -> None:
        if self._open_level != _DEBUG:
            self._lines.append((self._open_level, line))


_hearing: ContextVar[tuple[Heard, ...]] = ContextVar("hearing", default=())
"""Who receives llama.cpp's log in this thread. The library has one log callback for the process and does not say which
work a line belongs to. It calls back in the thread that does the work, so the context shows it."""


@contextmanager
def hearing() -> Iterator[Heard]:
    """Collect llama.cpp's log lines for this thread's work in the block. Blocks may be nested."""
    heard = Heard()
    before = _hearing.set((*_hearing.get(), heard))
    try:
        yield heard
    finally:
        _hearing.reset(before)


@functools.cache
def _loaded() -> tuple[ModuleType, object]:
    """The module, and the log callback. Both live as long as the process, as the C library's state does: ctypes keeps
    no reference, and without ours the callback would be freed while in use.
    """
    module = extras.load("llama_cpp.llama_cpp")
    callback = module.llama_log_callback(_on_log)
    module.llama_log_set(callback, ctypes.c_void_p(0))
    module.llama_backend_init()
    return module, callback


def require() -> ModuleType:
    """The module ``llama_cpp.llama_cpp``, its backend initialised and its log captured.

    Raises MissingExtra if llama-cpp-python is not installed or its library does not load.
    """
    return _loaded()[0]


def ggml() -> ctypes.CDLL:
    """ggml's own library, which llama.cpp has loaded: what is below llama.h. Raises MissingExtra as ``require``."""
    require()
    # It has no public name.
    found: ctypes.CDLL = importlib.import_module("llama_cpp._ggml").libggml
    return found


def kernels() -> tuple[str, ...]:
    """The instruction sets that this llama.cpp was compiled to use, oldest first, by its own names.

    Raises MissingExtra as ``require`` does.
    """
    said = require().llama_print_system_info().decode("utf-8", errors="replace")
    pairs = (part.partition("=") for part in said.rpartition("CPU :")[2].split("|"))
    found = (name.strip() for name, _, value in pairs if value.strip() == "1")
    return tuple(name for name in found if name not in ("LLAMAFILE", "OPENMP", "REPACK", "ACCELERATE"))


def has_gpu() -> bool:
    """Whether llama.cpp was compiled for a GPU and finds one. Raises MissingExtra as ``require`` does."""
    return bool(require().llama_supports_gpu_offload())


def _on_log(level: int, text: bytes | None, user_data: object) -> None:
    del user_data
    for heard in _hearing.get():
        heard.receive(level, (text or b"").decode("utf-8", errors="replace"))


def _without_function(line: str) -> str:
    head, separator, tail = line.partition(": ")
    return (tail if separator and " " not in head else line).strip()


def versions() -> dict[str, str | None]:
    """Installed versions of the packages behind this room; None if absent. Imports none of them."""
    found = {name: extras.version(name) for name in ("llama-cpp-python", "gguf", "numpy")}
    return {name: None if version == extras.ABSENT else version for name, version in found.items()}


def system_info() -> str:
    """llama.cpp's own line about the CPU features it was built for and uses."""
    return str(require().llama_print_system_info().decode("utf-8", errors="replace")).strip()
