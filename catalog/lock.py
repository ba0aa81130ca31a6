"""Lock files: the pins of one recipe's sources, written by ``zoo lock`` next to the recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from catalog import schema, yamltext
from catalog.jsontext import Json
from catalog.problems import Problem
from catalog.recipe import build


@dataclass(frozen=True)
class PinnedFile:
    """One file of a source."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Pin:
    """revision is the commit of an ``hf:`` source, None for the other kinds."""

    revision: str | None
    files: tuple[PinnedFile, ...]


@dataclass(frozen=True)
class Lock:
    """Pins by source URI as written in the recipe."""

    pins: Mapping[str, Pin]

    @classmethod
    def empty(cls) -> Lock:
        return cls({})

    @classmethod
    def read(cls, path: Path, shown_as: str) -> tuple[Lock, list[Problem]]:
        """The lock in ``path`` and what is wrong with it."""
        document = yamltext.read(path, shown_as)
        found = document.problems or schema.problems(document, "lock-v1")
        return (cls.empty(), found) if found else (cls.from_mapping(document.data), [])

    @classmethod
    def from_mapping(cls, data: Json) -> Lock:
        """The pins of data that follows the schema."""
        sources = data.get("sources") if isinstance(data, dict) else None
        return cls({uri: build(Pin, pin) for uri, pin in sources.items()} if isinstance(sources, dict) else {})

    def to_text(self) -> str:
        """YAML text, sorted, the same for the same pins."""
        entries = {}
        for uri, pin in sorted(self.pins.items()):
            files = [
                {"path": f.path, "size_bytes": f.size_bytes, "sha256": f.sha256}
                for f in sorted(pin.files, key=lambda f: f.path)
            ]
            entries[uri] = {"revision": pin.revision, "files": files} if pin.revision else {"files": files}
        body: str = yaml.safe_dump({"zoo_lock": 1, "sources": entries}, sort_keys=False, allow_unicode=True)
        return "# Written by `zoo lock`. Commit it together with its recipe.\n" + body

    def revision(self, uri: str) -> str | None:
        pin = self.pins.get(uri)
        return pin.revision if pin else None

    def sha256(self, uri: str) -> str | None:
        """The digest of a source that is one file."""
        pin = self.pins.get(uri)
        return pin.files[0].sha256 if pin and len(pin.files) == 1 else None
