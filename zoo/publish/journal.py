"""What was done of a publication: appended and on disk before the next step. The hub is the truth; this is memory.

VERSION.journal.jsonl, one JSON object per line: ``at`` (UTC), ``step``, and what the step was about. A ``begin`` names
the release by a digest over its files and the hub; what stands before another ``begin`` is history. No secrets and no
paths of this machine: kinds, commits, names of release files and digests only.

begin       files       digest of what is published, and where
uploaded    kind path   the hub has the content of a large file
committing  kind parent keep    about to commit; ``keep`` are others' files that stay
committed   kind oid
verified    kind oid how        ``tree`` or ``full``
tagged      kind oid
recorded                the catalog has it
done
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.workspace import canonical_json

Entry = dict[str, Any]


class Journal:
    """The journal in the file ``path`` of the publication ``identity``. The caller holds its lock."""

    def __init__(self, path: Path, identity: str) -> None:
        self.path, self.identity = path, identity
        self.entries = self._read()

    def note(self, step: str, **facts: Any) -> None:
        """Append an entry, unless it is there already, and wait for the disk. Raises ZooError."""
        if not self.entries:
            self._append({"step": "begin", "files": self.identity})
        entry = {"step": step, **facts}
        if entry not in self.entries:
            self._append(entry)

    def committed(self, kind: str) -> str | None:
        """The last commit that was made for ``kind``."""
        found = [e["oid"] for e in self.entries if e["step"] == "committed" and e.get("kind") == kind]
        return str(found[-1]) if found else None

    def kept(self, kind: str) -> frozenset[str]:
        """Files of others that a commit for ``kind`` leaves alone."""
        lists = [e["keep"] for e in self.entries if e["step"] == "committing" and e.get("kind") == kind]
        return frozenset(path for paths in lists for path in paths)

    def _append(self, entry: Entry) -> None:
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        try:
            with self.path.open("a+b") as stream:
                # A line that a kill has cut must not swallow this one.
                cut = stream.tell() > 0 and not _ends_line(stream)
                stream.write(b"\n" * cut + canonical_json({"at": at, **entry}).encode() + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise ZooError(
                f"the journal cannot be written: {error.strerror}",
                where=self.path.name,
                remedy="Make the disk writable or make room on it",
            ) from error
        self.entries.append(entry)

    def _read(self) -> list[Entry]:
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return []
        found: list[Entry] = []
        for line in raw.split(b"\n"):
            try:
                entry = json.loads(line)
                step = entry["step"]
                entry.pop("at", None)
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                continue
            if step == "begin":
                found = [entry] if entry.get("files") == self.identity else []
            elif found:
                found.append(entry)
        return found


def _ends_line(stream: Any) -> bool:
    stream.seek(-1, os.SEEK_END)
    return bool(stream.read(1) == b"\n")
