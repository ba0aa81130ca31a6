"""The index of a cache: a line about the question, then one about every shard, added when the shard is on the disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from catalog.jsonvalues import table
from catalog.shapes import shaped
from zoo.files import journal
from zoo.files.digests import canonical_json
from zoo.files.locks import locked
from zoo.progress import Reporter

NAME, LOCK = "index.jsonl", "lock"
"""The lock is a file: NFS has no exclusive lock on a folder, which several machines of a cluster may share."""
WHAT = "index of the teacher's answers"
MOST_BYTES = 1 << 30
"""Of an index: 100 bytes per shard, so that of a billion positions fits."""

WORDS = {
    "format": "an earlier version of this program",
    "teacher": "another teacher",
    "rows": "other conversations",
    "top_k": "another distill.top_k",
    "temperature": "another distill.temperature",
    "width": "a student with another number of tokens",
    "engine": "another version of torch, transformers or llama.cpp",
    "together": "another batch size",
}
"""What a line about another question differs in, as the end of a sentence."""


class Entry(TypedDict):
    """A shard, by number: its file's SHA-256 and size, its positions, and the format in which they were first kept."""

    shard: int
    sha256: str
    bytes: int
    positions: int
    format: int


@dataclass
class Index:
    """The shards of the cache in ``folder`` that answer the question with this ``head``, by number."""

    folder: Path
    head: Mapping[str, object]
    entries: dict[int, Entry] = field(default_factory=dict)

    def read(self, report: Reporter) -> None:
        """Read the lines. What answers another question is deleted, after a warning."""
        self.entries = {}
        with locked(self.folder / LOCK):
            lines = journal.read(self.folder / NAME, table, MOST_BYTES)
            if lines and canonical_json(lines[0]) != canonical_json(self.head):
                of = _difference(lines[0], self.head)
                report.warn(f"The teacher's answers in {self.folder.name} are of {of}: all are made again")
                for path in (self.folder / NAME, *self.folder.glob("shard-*")):
                    path.unlink()
                return
        for line in lines[1:]:
            self._take(line)

    def _take(self, line: Mapping[str, object]) -> None:
        try:
            entry = shaped(line, Entry)
        except (ValueError, TypeError):
            return
        self.entries[entry["shard"]] = entry

    def add(self, entry: Entry) -> None:
        """Add a line; the last one about a shard counts. Processes may do so at the same time. Raises ZooError."""
        with locked(self.folder / LOCK), journal.open_to_append(self.folder / NAME, WHAT) as stream:
            if not os.fstat(stream.fileno()).st_size:
                journal.append(stream, self.head, WHAT, MOST_BYTES)
            journal.append(stream, entry, WHAT, MOST_BYTES)
        self.entries[entry["shard"]] = entry


def _difference(theirs: Mapping[str, object], ours: Mapping[str, object]) -> str:
    found = [words for name, words in WORDS.items() if canonical_json(theirs.get(name)) != canonical_json(ours[name])]
    return " and ".join(found[:2]) or "another question"
