"""Rewriting the header of a large file where it is, without a copy of the weights.

For scratch files only: a file whose writer is killed before the end is broken.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from zoo.gguf.header import header_bytes, read_header
from zoo.gguf.layout import Scalar, opened, read_raw

_PART_BYTES = 1 << 22


def rewrite_in_place(path: Path, changes: Mapping[str, Scalar | list[str] | bytes | None]) -> None:
    """What ``rewrite_header`` writes, in the same bytes, without room for a second file.

    Raises ModelFileError for an invalid file, InputError for an impossible change, OSError.
    """
    with opened(path) as data:
        raw = read_raw(data)
        head = header_bytes(data, raw, changes, data.data[raw.tensors_start : raw.tensors_end])
    head += b"\0" * (-len(head) % raw.alignment)
    with path.open("r+b") as file:
        _move(file, raw.data_start, raw.size_bytes, len(head))
        file.seek(0)
        file.write(head)
        file.truncate(len(head) + raw.size_bytes - raw.data_start)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(0o644)
    read_header(path)


def _move(file: IO[bytes], start: int, end: int, target: int) -> None:
    """Move the bytes from ``start`` to ``end`` to ``target``: the last ones first if that is further on."""
    places = range(start, end, _PART_BYTES)
    for place in () if start == target else places if target < start else reversed(places):
        file.seek(place)
        part = file.read(min(_PART_BYTES, end - place))
        file.seek(place - start + target)
        file.write(part)
