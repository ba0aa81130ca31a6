"""What the last build made, part by part, so that the next one need not make it again.

A part is a set of files that are made together: the documents, the files of one model, the pages about all models. It
is made again when its key changes: a digest of everything that goes into it. The record is next to the site and only
saves time: without it, or if somebody changed the site, everything is made again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypedDict

from catalog import jsontext
from catalog.shapes import shaped
from zoo.files.whole import write_atomic

FORMAT = 5

Stamp = tuple[int, int]
"""Size in bytes and time of the last change in nanoseconds; a hard link has those of its file."""


@dataclass(frozen=True)
class Part:
    """files: path on the site -> stamp. sources: files outside that were read -> stamp and sha256. facts: the kind of
    each -> its digest; facts_json: the same -> its text, in one line."""

    key: str
    files: Mapping[str, Stamp]
    sources: Mapping[str, tuple[Stamp, str]] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    facts_json: Mapping[str, str] = field(default_factory=dict)

    def fact(self, kind: str) -> Any:
        """The facts of a kind, which knows their form. They are read only when needed: most of a record is facts."""
        return jsontext.parse(self.facts_json[kind], bounded=False)


def stamp(path: str) -> Stamp | None:
    """The stamp of a file; None if it is not there."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def stamps(folder: Path, paths: Iterable[str]) -> dict[str, Stamp]:
    """The stamps of files that are there, by path below ``folder``. Raises FileNotFoundError for one that is not."""
    found = {}
    for path in paths:
        value = stamp(f"{folder}/{path}")
        if value is None:
            raise FileNotFoundError(path)
        found[path] = value
    return found


class _Record(TypedDict):
    """parts: key, files, sources and facts of each, as in ``Part``."""

    format: int
    parts: dict[str, tuple[str, dict[str, Stamp], dict[str, tuple[Stamp, str]], dict[str, str]]]


def read(path: Path) -> dict[str, Part]:
    """The parts of the last build by name; none if there is no record that this program understands."""
    try:
        head, *lines = path.read_text(encoding="utf-8").split("\n")
        data = shaped(jsontext.parse(head, bounded=False), _Record)
        if data["format"] != FORMAT:
            return {}
        texts = iter(lines)
        return {
            name: Part(*entry, {kind: next(texts) for kind in entry[-1]})
            for name, entry in data["parts"].items()
        }
    except (OSError, ValueError):
        return {}


def write(path: Path, parts: Mapping[str, Part]) -> None:
    """Record the parts of the new site: a line with keys, stamps and digests, which show whether they are still
    valid, then a line for each kind's facts of each."""
    recorded = {name: [part.key, part.files, part.sources, part.facts] for name, part in parts.items()}
    head = json.dumps({"format": FORMAT, "parts": recorded}, separators=(",", ":"))
    lines = (part.facts_json[kind] for part in parts.values() for kind in part.facts)
    write_atomic(path, "\n".join([head, *lines]))


def with_facts(part: Part, facts: Mapping[str, object]) -> Part:
    """A part with the facts of each kind."""
    texts = {kind: json.dumps(value, separators=(",", ":")) for kind, value in facts.items()}
    digests = {kind: hashlib.sha256(text.encode()).hexdigest()[:16] for kind, text in texts.items()}
    return replace(part, facts=digests, facts_json=texts)


def take_over(part: Part | None, key: str, old: Path, new: Path) -> bool:
    """Link the files of a part from the old site into the new one. False if the part must be made again.

    Files that are already in ``new``, from a build before the last, stay there.
    """
    if part is None or part.key != key:
        return False
    if not all(_is_still(source, *value) for source, value in part.sources.items()):
        return False
    missing = [path for path, value in part.files.items() if stamp(f"{new}/{path}") != value]
    if any(stamp(f"{old}/{path}") != part.files[path] for path in missing):
        return False
    try:
        for path in missing:
            make_room(new / path)
            os.link(f"{old}/{path}", f"{new}/{path}")
    except OSError:
        return False
    return True


def _is_still(source: str, known: Stamp, sha256: str) -> bool:
    """Whether a source is unchanged. If only its time differs, as after every checkout, its content decides."""
    found = stamp(source)
    if found == known or found is None or found[0] != known[0]:
        return found == known
    return not Path(source).is_symlink() and hashlib.sha256(Path(source).read_bytes()).hexdigest() == sha256


def make_room(place: Path) -> None:
    """Prepare ``place`` for a new file: an existing one may be a link to a file of the old site."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)


def remove_others(folder: Path, parts: Iterable[Part]) -> None:
    """Remove every file that belongs to no part, and folders that are empty then."""
    kept = {path for part in parts for path in part.files}
    _clear(str(folder), "", kept)


def _clear(folder: str, below: str, kept: Set[str]) -> bool:
    """Remove others than ``kept`` from a folder; ``below`` is its path on the site, as in ``a/b/``. Says whether it is
    empty then."""
    left = False
    with os.scandir(folder) as found:
        for entry in list(found):
            path = below + entry.name
            if entry.is_dir(follow_symlinks=False):
                if _clear(entry.path, f"{path}/", kept):
                    Path(entry).rmdir()
                else:
                    left = True
            elif path in kept:
                left = True
            else:
                Path(entry).unlink()
    return not left
