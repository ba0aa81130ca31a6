"""The growing file and its sidecar file.

.zoo/partial/KEY.part   the bytes; KEY is the expected digest, so another release can use it
.zoo/partial/KEY.json   source, length, digest, which bytes are there, and the digest of the first ones

With one span, the length of the file shows how much is there, so nothing needs to be recorded. The sidecar may be wrong
after a power cut; the digest of the complete file decides.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from catalog import jsontext
from catalog.shapes import shaped
from zoo.files.digests import git_blob
from zoo.hub import Listed
from zoo.hub.download import spans as spans_room
from zoo.hub.download.spans import Span
from zoo.progress import Advance

FORMAT = 1
BLOCK = 1 << 20


class Digest:
    """The digest that identifies a file: sha256, or git's if the hub only reports that."""

    def __init__(self, file: Listed) -> None:
        self.expected = file.sha256 or file.git_sha1 or ""
        if file.sha256:
            self._sha = hashlib.sha256()
        else:
            self._sha = git_blob(file.size_bytes)
        self.update = self._sha.update

    def hexdigest(self) -> str:
        return self._sha.hexdigest()


@dataclass
class Partial:
    """A file that grows. ``hashed`` bytes of it are in ``digest``."""

    file: Listed
    path: Path
    source: str
    spans: list[Span]
    handle: int
    sparse: bool = False
    hashed: int = 0
    digest: Digest = field(init=False)

    def __post_init__(self) -> None:
        self.digest = Digest(self.file)

    @property
    def sidecar(self) -> Path:
        return self.path.with_suffix(".json")

    def hash_on(self, limit: int | None = None, advance: Advance = lambda _: None) -> None:
        """Hash the new bytes without a hole since the last call, up to ``limit`` bytes from the beginning."""
        until = spans_room.frontier(self.spans)
        until = until if limit is None else min(until, limit)
        while self.hashed < until:
            block = os.pread(self.handle, min(BLOCK, until - self.hashed), self.hashed)
            if not block:
                return
            self.digest.update(block)
            self.hashed += len(block)
            advance(len(block))

    def save(self) -> None:
        """Write the sidecar file. Not fsynced: after a power cut the digest decides."""
        data = {
            "format": FORMAT,
            "source": self.source,
            "path": self.file.path,
            "size_bytes": self.file.size_bytes,
            "sha256": self.file.sha256,
            "git_sha1": self.file.git_sha1,
            "etag": self.digest.expected,
            "sparse": self.sparse,
            "spans": [[span.begin, span.position, span.end] for span in self.spans],
            "hashed_bytes": self.hashed,
            "hashed_digest": self.digest.hexdigest(),
        }
        temporary = self.sidecar.with_suffix(".json.tmp")
        temporary.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        temporary.replace(self.sidecar)

    def restart(self) -> None:
        """Discard it: nothing can be used."""
        os.ftruncate(self.handle, 0)
        self.spans, self.sparse, self.hashed = spans_room.whole(self.file.size_bytes), False, 0
        self.digest = Digest(self.file)
        self.save()

    def close(self) -> None:
        os.close(self.handle)

    def remove(self) -> None:
        """Delete the part and its sidecar file."""
        for path in (self.path, self.sidecar):
            path.unlink(missing_ok=True)


def begin(folder: Path, file: Listed, source: str) -> Partial:
    """The part of ``file`` in ``folder`` from an earlier try, or a new one. The caller holds its lock."""
    folder.mkdir(parents=True, exist_ok=True)
    path = part_path(folder, file)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    made = Partial(file, path, source, spans_room.whole(file.size_bytes), handle)
    there = os.fstat(handle).st_size
    found = _read(made.sidecar, file)
    spans = _spans(found, file.size_bytes, there) if found else None
    if found is None or spans is None:
        made.restart()
        return made
    made.spans, made.sparse = spans, found["sparse"]
    # The record must match the file, else the rest of the download would be useless.
    noted = found["hashed_bytes"]
    made.hash_on(noted)
    if made.hashed != noted or made.digest.hexdigest() != found["hashed_digest"]:
        made.restart()
    return made


def part_path(folder: Path, file: Listed) -> Path:
    """Where a file grows."""
    return folder / f"{file.sha256 or file.git_sha1}.part"


class _Noted(TypedDict):
    """What of a side-car is used again."""

    format: int
    size_bytes: int
    sha256: str | None
    git_sha1: str | None
    sparse: bool
    spans: list[tuple[int, int, int]]
    hashed_bytes: int
    hashed_digest: str


def _read(path: Path, file: Listed) -> _Noted | None:
    """The side-car if it is of this very content."""
    with suppress(OSError, ValueError):
        noted = shaped(jsontext.read(path), _Noted)
        known = (noted["format"], noted["size_bytes"], noted["sha256"], noted["git_sha1"])
        if known == (FORMAT, file.size_bytes, file.sha256, file.git_sha1):
            return noted
    return None


def _spans(found: _Noted, size_bytes: int, there: int) -> list[Span] | None:
    spans = [Span(*entry) for entry in found["spans"]] if found["sparse"] else spans_room.whole(size_bytes, there)
    is_sound = spans_room.sound(spans, size_bytes) and 0 <= found["hashed_bytes"] <= spans_room.frontier(spans)
    within = all(span.position <= there for span in spans if span.position > span.begin)
    return spans if is_sound and within else None
