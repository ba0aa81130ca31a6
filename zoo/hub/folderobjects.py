"""The contents of a folder hub, each in a file that is named by its sha256."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from zoo.errors import Damaged, DamagedRelease
from zoo.files.digests import sha256_file
from zoo.files.locks import locked
from zoo.files.whole import copy_bytes, fsync
from zoo.progress import Advance

SHA256 = re.compile(r"[0-9a-f]{64}\Z")


def place(objects: Path, sha256: str) -> Path:
    """Where a content is kept. Raises Damaged for text that is not a digest."""
    if not SHA256.match(sha256):
        raise Damaged(f"{sha256!r} is not a sha256")
    return objects / sha256[:2] / sha256


def size_of(objects: Path, sha256: str) -> int | None:
    """Of the stored object, in bytes: an incomplete one is detected without reading it. None if there is none."""
    try:
        return place(objects, sha256).stat().st_size
    except FileNotFoundError:
        return None


def put(objects: Path, path: Path, sha256: str, advance: Advance) -> bool:
    """Copy a file. False: an undamaged copy already exists. Raises Damaged if the file has another digest."""
    target = place(objects, sha256)
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.parent):
        # Read again, because the disk may have damaged it since.
        if target.exists() and sha256_file(target) == sha256:
            advance(path.stat().st_size)
            return False
        _copy(path, sha256, target, advance)
        return True


def _copy(path: Path, sha256: str, target: Path, advance: Advance) -> None:
    # Always the same name, so that the next try replaces what a kill left.
    temporary = target.with_name(f".put-{sha256}")
    temporary.unlink(missing_ok=True)
    try:
        with temporary.open("wb") as out, path.open("rb") as source:
            copy_bytes(source, out, 0, os.fstat(source.fileno()).st_size)
            out.flush()
            os.fsync(out.fileno())
        found = sha256_file(temporary, advance)
        if found != sha256:
            raise DamagedRelease(f"{path.name} has sha256 {found}, not {sha256} as its manifest says")
        temporary.chmod(0o444)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    fsync(target.parent)


def chunks(stream: IO[bytes], left: int) -> Iterator[memoryview]:
    """The next ``left`` bytes of a file; a chunk is valid until the next one is taken."""
    buffer = memoryview(bytearray(1 << 20))
    # Files and pipes have readinto; the type IO does not declare it.
    while left > 0 and (count := stream.readinto(buffer[: min(left, len(buffer))])):  # type: ignore[attr-defined]  # IO has no readinto
        yield buffer[:count]
        left -= count
