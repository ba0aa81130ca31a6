"""Append-only journals: one JSON value per line, each line is on the disk once it is written, and is read back by
itself.

A journal is a cache, never the truth: an incomplete line, a line of another program or one with another shape is
skipped with a warning, and its information is determined again. One that is larger than any that this program writes is
refused before it is read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TypeVar

from catalog import jsontext, plainfiles
from catalog.jsontext import Json
from catalog.words import counted
from zoo.errors import AGAIN, ZooError
from zoo.files.digests import canonical_json
from zoo.progress import murmur

Value = TypeVar("Value")

MOST_BYTES = 64 << 20
"""Of a journal, unless its writer needs more: a publication writes some kilobytes."""
_BLOCK = 1 << 16


def read(path: Path, shape: Callable[[Json], Value], most_bytes: int = MOST_BYTES) -> list[Value]:
    """The values of every line that has the shape; empty if there is no file. Raises ZooError if it is larger than
    ``most_bytes``.

    shape: makes a value from a line's data; raises ValueError, TypeError, KeyError or AttributeError for another one.
    """
    try:
        raw = plainfiles.read_bounded(path, most_bytes)
    except FileNotFoundError:
        return []
    except plainfiles.TooLarge as error:
        raise _too_large(path, most_bytes) from error
    found, dropped = [], 0
    *lines, rest = raw.split(b"\n")
    for line in lines:
        try:
            # A journal may have numbers that are too large to be exact elsewhere.
            found.append(shape(jsontext.parse(line, bounded=False)))
        except (ValueError, TypeError, KeyError, AttributeError):
            dropped += bool(line.strip())
    if dropped:
        count = counted(dropped, "line")
        murmur(f"{count} of {path.name} cannot be used and {'is' if dropped == 1 else 'are'} skipped")
    if rest:
        murmur(f"the last line of {path.name} is incomplete, so the work it recorded is done again")
    return found


def open_to_append(path: Path, what: str) -> IO[bytes]:
    """The journal opened for ``append`` and truncated after its last complete line. The caller holds its lock. Raises
    ZooError.

    what: names the journal for a person.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+b")
        stream.truncate(_end_of_lines(stream))
    except OSError as error:
        raise _unwritable(what, error) from error
    return stream


def _end_of_lines(stream: IO[bytes]) -> int:
    """Where the last complete line ends, found from the end."""
    end = stream.seek(0, os.SEEK_END)
    while end:
        start = max(end - _BLOCK, 0)
        stream.seek(start)
        if (found := stream.read(end - start).rfind(b"\n")) >= 0:
            return start + found + 1
        end = start
    return 0


def lines(path: Path) -> Iterator[bytes]:
    """The complete lines of a journal of any size, one after the other, without their ends. Raises OSError."""
    with os.fdopen(plainfiles.open_handle(path), "rb") as stream:
        yield from (line[:-1] for line in stream if line.endswith(b"\n"))


def last_lines(path: Path, most_bytes: int) -> list[bytes]:
    """The complete lines within the last ``most_bytes`` of a journal of any size. Raises OSError."""
    with os.fdopen(plainfiles.open_handle(path), "rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        start = max(size - most_bytes, 0)
        stream.seek(start)
        found = stream.read(most_bytes).split(b"\n")[:-1]
    return found[1:] if start else found


def append(
    stream: IO[bytes], value: object, what: str, most_bytes: int = MOST_BYTES, *, settled: bool = True
) -> None:
    """Write one line; it is on the disk when this returns. Raises ZooError, also for a line that would make the journal
    larger than ``most_bytes``.

    settled: False for a line that a power cut may take, but not the end of this process.
    """
    line = canonical_json(value).encode() + b"\n"
    if os.fstat(stream.fileno()).st_size + len(line) > most_bytes:
        raise _too_large(Path(stream.name), most_bytes)
    try:
        stream.write(line)
        stream.flush()
        if settled:
            os.fsync(stream.fileno())
    except OSError as error:
        raise _unwritable(what, error) from error


def _too_large(path: Path, most_bytes: int) -> ZooError:
    return ZooError(
        f"the journal {path.name} is larger than {most_bytes >> 20} MiB, which is more than this program writes",
        where=str(path.parent),
        safe="Nothing was changed. Finished steps and published versions do not depend on it.",
        remedy="Move it away; what it records is then determined or done again",
        again=AGAIN,
    )


def _unwritable(what: str, error: OSError) -> ZooError:
    return ZooError(
        f"the {what} cannot be written ({error.strerror})",
        safe="The lines before this one are kept.",
        remedy="Free some space or make the disk writable",
        again=AGAIN,
    )


def text(value: object) -> str:
    """``value`` if it is text, for a shape. Raises TypeError."""
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def count(value: object) -> int:
    """``value`` if it is a whole number from 0, for a shape. Raises TypeError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError("not a count")
    return value


def number(value: object) -> float:
    """``value`` if it is a number, for a shape. Raises TypeError."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number")
    return value
