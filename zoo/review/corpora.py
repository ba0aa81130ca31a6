"""What a contribution changes in files of records, and what got worse.

Pure but for reading the folders of two commits.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from catalog.jsontext import JsonObject
from catalog.words import counted
from zoo.corpora import check, kinds, records, stream
from zoo.errors import InputError
from zoo.review.trees import Change

MOST_SHARE = 0.6
"""Of the records of a file that one topic may have."""

FALL = 0.95
"""A dialect keeps at least this part of its share: a record more of another language is harmless."""

FOLDER = "recipes/corpora/"

_TRAIN, _TEST = frozenset(["train"]), frozenset(["heldout", "test", "validation", "eval"])
"""Words in the names of files of records that say what they are for, such as in ``prompts.heldout.jsonl``."""


@dataclass(frozen=True)
class CorpusChange:
    """A file of records that differs. facts: its counts. blocks: what a maintainer must not merge without a reason."""

    path: str
    how: str
    facts: tuple[str, ...]
    blocks: tuple[str, ...]


@dataclass
class Counts:
    """Of the valid records of a file, by tag."""

    records: int = 0
    repeated: int = 0
    tags: Counter[str] = field(default_factory=Counter)

    def share(self, tag: str) -> str:
        return f"{100 * self.tags[tag] / self.records:.0f} %"


def corpus_change(change: Change, base: Path, head: Path) -> CorpusChange:
    """The difference of a file of records of any kind, with what got worse."""
    before, after = _read(base / change.path), _read(head / change.path)
    facts = (f"{counted(before.records, 'record')} before, {after.records} after",)
    return CorpusChange(change.path, change.how, facts, tuple(_worse(before, after)))


def leaks(base: Path, head: Path, changes: Sequence[Change]) -> Iterator[str]:
    """Files whose names say that they are to test with, and records of them that a file of the same folder now has to
    train with. A corpus need not be in a recipe yet, so names decide; zoo check compares those of a recipe."""
    for folder in sorted({PurePosixPath(one.path).parent for one in changes}):
        there = sorted(path.relative_to(head).as_posix() for path in (head / folder).glob("*.jsonl"))
        learnt = [path for path in there if _words(path) & _TRAIN]
        for tested in (path for path in there if _words(path) & _TEST and not _words(path) & _TRAIN):
            for train in learnt:
                now, then = _both(head, tested, train), _both(base, tested, train)
                if now > then:
                    what = f"{counted(now - then, 'record')}{' more' if then else ''} of it in {train}, too"
                    yield f"{tested}: {what}. Delete them in one of the two"


def _words(path: str) -> frozenset[str]:
    return frozenset(re.split(r"[._-]", PurePosixPath(path).name.lower()))


def _both(root: Path, one: str, other: str) -> int:
    """How many records two files share."""
    return len(_identities(root / one) & _identities(root / other))


def _identities(path: Path) -> set[bytes]:
    """Digests of the valid records of a file, equal for two of which one is too many; none if it is not there."""
    found = set[bytes]()
    with contextlib.suppress(FileNotFoundError, InputError):
        for kind, record in _sound(path):
            found.add(hashlib.sha256("\0".join(kind.identity(record)).encode("utf-8", "surrogatepass")).digest())
    return found


def _worse(before: Counts, after: Counts) -> Iterator[str]:
    if after.records < before.records:
        yield f"{counted(before.records - after.records, 'record')} fewer than before"
    if after.repeated:
        yield f"{counted(after.repeated, 'record')} repeated"
    for tag in sorted(before.tags):
        kind = tag.partition(":")[0]
        if kind == "lang" and not after.tags[tag]:
            yield f"no record of {tag} any more"
        elif kind == "dialect" and after.records and _falls(tag, before, after):
            yield f"the share of {tag} falls from {before.share(tag)} to {after.share(tag)}"
    for tag, count in sorted(after.tags.items()):
        share, earlier = count / after.records, before.tags[tag] / before.records if before.records else 0.0
        if tag.startswith("topic:") and share > MOST_SHARE and share > earlier:
            yield f"{tag} has {after.share(tag)} of the records, more than {MOST_SHARE * 100:.0f} %"


def _falls(tag: str, before: Counts, after: Counts) -> bool:
    return after.tags[tag] * before.records < FALL * before.tags[tag] * after.records


def _read(path: Path) -> Counts:
    """The counts of the valid records of a file, none if it is not there. What is wrong with it, zoo check says."""
    found = Counts()
    with contextlib.suppress(FileNotFoundError, InputError):
        found.repeated = check.check([check.File(path, path.name)], most=1).repeated
        _count(found, path)
    return found


def _count(found: Counts, path: Path) -> None:
    for _, record in _sound(path):
        found.records += 1
        found.tags.update(set(records.tags_of(record)))


def _sound(path: Path) -> Iterator[tuple[records.Kind, JsonObject]]:
    """The valid records of a file, with their kind. Raises FileNotFoundError, InputError."""
    kind = None
    for _, lines in stream.batches(path, path.name):
        for line in lines:
            kind = kind or kinds.kind_of(records.decoded_or_none(line or b""))
            if kind and (record := records.sound(line, kind)) is not None:
                yield kind, record
