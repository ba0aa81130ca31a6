"""Sources that were read before: their facts, and the chat templates that can be used, while they do not change.

A GGUF header takes 20 ms to read, a model folder up to a second, a chat template a process. Recipes share sources, and
most sources stay as they are between two checks. Only good results are remembered: what is refused is read again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TypedDict

from catalog import jsontext
from catalog.shapes import shaped
from zoo import extras
from zoo.files.digests import canonical_json, digest
from zoo.files.whole import GRAIN_SECONDS, write_atomic
from zoo.llama import trialmemory
from zoo.sources import facts as sourcefacts
from zoo.sources import resolve
from zoo.sources.facts import SourceFacts
from zoo.templates.renderer import Renderer

MEMORY = "sources-read.json"
MOST = 2000
"""Sources, and templates, that are remembered; the last ones used."""
CODE = ("catalog", "zoo")
PACKAGES = (*trialmemory.PACKAGES, "jinja2")


class _Kept(TypedDict):
    """A source: the digest of its files' identities, and its facts as JSON."""

    identity: str
    facts: dict[str, object]


class _Memory(TypedDict):
    program: str
    sources: dict[str, _Kept]
    templates: list[str]


class Known:
    """What is known of sources. A ``with`` statement stores it in the folder ``work``, if there is one.

    work: the work folder, which may not exist yet; None if nothing may be written.
    """

    def __init__(self, work: Path | None = None) -> None:
        self.work = work
        self._path = work / MEMORY if work and work.is_dir() else None
        self._program = _program() if self._path else ""
        self._sources: dict[str, _Kept] = {}
        self._templates: dict[str, None] = {}
        self._changed = False
        self._renderer: Renderer | None = None
        if self._path:
            self._recall(self._path)

    def __enter__(self) -> Known:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._renderer:
            self._renderer.close()
            self._renderer = None
        if self._path and self._changed:
            memory = _Memory(
                program=self._program,
                sources=dict(list(self._sources.items())[-MOST:]),
                templates=list(self._templates)[-MOST:],
            )
            # Without it, the next command only has to read more.
            with contextlib.suppress(OSError):
                write_atomic(self._path, canonical_json(memory))

    def facts(self, path: Path, root: Path, *, imported: bool) -> SourceFacts:
        """Of a model folder or a GGUF file on this machine. imported: whether a step makes a model folder of it.

        Raises ModelFileError for a source that the import would refuse.
        """
        key = canonical_json([str(path), str(root), imported])
        now = _identity(path)
        kept = self._sources.pop(key, None)
        if now and kept and kept["identity"] == now:
            self._sources[key] = kept
            with contextlib.suppress(ValueError):
                return SourceFacts.from_json(kept["facts"])
        header = resolve.refuse_gguf(path, root) if imported else None
        found = sourcefacts.read(path, root, header)
        # A source that changed while it was read has another identity now.
        if now and _identity(path) == now:
            self._sources[key] = {"identity": now, "facts": found.to_json()}
            self._changed = True
        return found

    def is_usable(self, template: str) -> bool:
        """Whether this chat template was tried before and can be used."""
        return _named(template) in self._templates

    def usable(self, template: str) -> None:
        """Remember a chat template that can be used."""
        self._templates[_named(template)] = None
        self._changed = True

    def renderer(self, template: str, special: dict[str, str], source: str) -> Renderer:
        """For a chat template that is tried once; all of them in turn in one process."""
        if self._renderer is None:
            self._renderer = Renderer(template, special=special, source=source)
        else:
            self._renderer.change(template, source)
        return self._renderer

    def _recall(self, path: Path) -> None:
        with contextlib.suppress(OSError, ValueError):
            memory = shaped(jsontext.read(path, bounded=False), _Memory)
            if memory["program"] == self._program:
                self._sources = memory["sources"]
                self._templates = dict.fromkeys(memory["templates"])


def _named(template: str) -> str:
    return hashlib.sha256(template.encode("utf-8", "surrogatepass")).hexdigest()


def _identity(path: Path) -> str | None:
    """Digest of size, times, inode and mode of a file, or of everything at the top of a folder, and of what links lead
    to. None if it cannot be read, or changed so recently that a later change may look the same."""
    try:
        parts = [_entry(path), *(map(_entry, sorted(path.iterdir())) if path.is_dir() else ())]
    except (OSError, RuntimeError):  # RuntimeError: links in a circle, before Python 3.13
        return None
    newest = max(time_ for part in parts for time_ in part[1])
    return digest(parts) if newest < time.time_ns() - GRAIN_SECONDS * 1e9 else None


def _entry(path: Path) -> tuple[list[object], list[int]]:
    """(what identifies it, its times of change in nanoseconds)."""
    own = path.lstat()
    found: list[object] = [path.name, *_numbers(own)]
    if not stat.S_ISLNK(own.st_mode):
        return found, [own.st_ctime_ns]
    target = path.stat()
    return [*found, str(path.resolve()), *_numbers(target)], [own.st_ctime_ns, target.st_ctime_ns]


def _numbers(found: os.stat_result) -> list[int]:
    return [found.st_dev, found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _program() -> str:
    """Digest of what decides the facts: this program's files, the converter and the packages."""
    return digest({
        "code": [[name, *_numbers(Path(name).stat())[3:]] for name in _code()],
        "converter": trialmemory.converter(),
        "packages": {name: extras.version(name) for name in PACKAGES},
        "python": sys.version,
    })  # fmt: skip


def _code() -> Iterator[str]:
    house = Path(__file__).parents[2]
    for room in CODE:
        yield from sorted(str(path) for path in (house / room).rglob("*.py"))
