"""The finished parts of a publication: appended and on disk before the next step. The hub is the truth; this is a
cache.

VERSION.journal.jsonl, one JSON object per line: ``at`` (UTC), ``step``, and what the step was about. A ``begin`` names
the release by a digest over its files and the hub; entries before another ``begin`` are history. No secrets and no
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

from datetime import UTC, datetime
from pathlib import Path

from catalog.shapes import shaped
from zoo.files import journal as journals
from zoo.progress import record

Fact = str | list[str] | None
Entry = dict[str, Fact]
_WHAT = "journal of this publication"


class Journal:
    """The journal in the file ``path`` of the publication ``identity``. The caller holds its lock."""

    def __init__(self, path: Path, identity: str) -> None:
        self.path, self.identity = path, identity
        self.entries = self._read()

    def note(self, step: str, **facts: Fact) -> None:
        """Append an entry, unless it already exists, and wait for the disk. Raises ZooError."""
        if not self.entries:
            self._append({"step": "begin", "files": self.identity})
        entry: Entry = {"step": step, **facts}
        if entry not in self.entries:
            self._append(entry)
            record("publish", part=step, kind=facts.get("kind"))

    def committed(self, kind: str) -> str | None:
        """The last commit that was made for ``kind``."""
        found = [e["oid"] for e in self.entries if e["step"] == "committed" and e.get("kind") == kind]
        return str(found[-1]) if found else None

    def kept(self, kind: str) -> frozenset[str]:
        """Files of others that a commit for ``kind`` keeps."""
        lists = [e["keep"] for e in self.entries if e["step"] == "committing" and e.get("kind") == kind]
        return frozenset(path for paths in lists if isinstance(paths, list) for path in paths)

    def _append(self, entry: Entry) -> None:
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with journals.open_to_append(self.path, _WHAT) as stream:
            journals.append(stream, {"at": at, **entry}, _WHAT)
        self.entries.append(entry)

    def _read(self) -> list[Entry]:
        found = newest(self.path)
        return found if found and found[0]["files"] == self.identity else []


def newest(path: Path) -> list[Entry]:
    """The entries of the newest publication that the journal in this file is about, whatever its identity."""
    found: list[Entry] = []
    for entry in journals.read(path, _entry):
        if entry["step"] == "begin":
            found = [entry]
        elif found:
            found.append(entry)
    return found


_TEXTS = {
    "begin": ("files",),
    "uploaded": ("kind", "path"),
    "committing": ("kind",),
    "committed": ("kind", "oid"),
    "verified": ("kind", "oid", "how"),
    "tagged": ("kind", "oid"),
    "recorded": (),
    "done": (),
}
"""Which values of each step must be text."""


def _entry(data: object) -> Entry:
    """A line without its time. Raises ValueError, KeyError or TypeError for a line that this program did not write."""
    told = shaped(data, dict[str, Fact])
    entry = {key: value for key, value in told.items() if key != "at"}
    for key in _TEXTS[journals.text(entry["step"])]:
        journals.text(entry[key])
    if entry["step"] == "committing" and not isinstance(entry["keep"], list):
        raise TypeError("keep is not a list")
    return entry
