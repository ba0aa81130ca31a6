"""The lines of a file of records, whatever its size: plain, gzip or zstd, never more than a block of it in memory."""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Protocol

from catalog import packed, plainfiles
from catalog.words import data_size
from zoo import extras
from zoo.errors import InputError
from zoo.progress import Advance, unheard

MOST_LINE_BYTES = 1 << 20
"""A longer line is named and skipped without being kept; no conversation that a small model can read is as long."""

BLOCK_BYTES = 1 << 16
_FEED = b"\n"
_BOMB_RATIO, _BOMB_BYTES = 300, 1 << 28
"""Text in JSON Lines becomes 3 to 30 times smaller. A file that grows to more than 300 times its size fills no disk
here, but would keep a processor busy for hours."""

Lines = list[bytes | None]


def batches(path: Path, shown_as: str, advance: Advance = unheard) -> Iterator[tuple[int, Lines]]:
    """(number of the first line, lines without their ends), a few thousand at a time; None for a line of more than
    MOST_LINE_BYTES. Lines end as bytes.splitlines has it. advance gets the bytes read from the disk.

    Raises InputError for a damaged or cut compressed file, with the line, and for one that is neither text nor
    compressed so that it is read here; OSError for what cannot be read.
    """
    number, rest, is_long = 1, b"", False
    with os.fdopen(plainfiles.open_handle(path), "rb") as raw:
        opened = _opened(raw, shown_as)
        for block in _blocks(opened, raw, shown_as, advance):
            if is_long:
                end = _first_end(block)
                if end < 0:
                    continue
                block, is_long = block[end:], False
            block = rest + block
            # A final CR may be the first half of CR LF.
            cut = max(block.rfind(_FEED), block.rfind(b"\r", 0, -1)) + 1
            lines: Lines = list(block[:cut].splitlines())
            rest = block[cut:]
            if len(rest) > MOST_LINE_BYTES:
                lines.append(None)
                # Its end is still to come, and must not count as an empty line.
                rest, is_long = b"", True
            if lines:
                yield number, lines
                number += len(lines)
        if rest:
            yield number, list(rest.splitlines())


def misfit(begin: bytes, shown_as: str) -> tuple[str, str] | None:
    """What is wrong with a file that is neither text nor compressed so that it is read here, by its first bytes, and
    what to do; None for what can be read."""
    form = packed.form_of(begin)
    return packed.fault(begin, shown_as) if form not in (None, packed.GZIP, packed.ZSTD) else None


def first_bytes(path: Path, count: int) -> bytes:
    """The beginning of a file as it is on the disk. Raises OSError."""
    with os.fdopen(plainfiles.open_handle(path), "rb") as stream:
        return stream.read(count)


def _first_end(block: bytes) -> int:
    """The place after the first line end; -1 without one."""
    ends = [place for place in (block.find(_FEED), block.find(b"\r")) if place >= 0]
    if not ends:
        return -1
    place = min(ends)
    return place + (2 if block[place : place + 2] == b"\r\n" else 1)


class _Readable(Protocol):
    """A file that gives what it has before it fails, so that the lines before damage are counted."""

    def read1(self, size: int, /) -> bytes: ...


def _opened(raw: BufferedReader, shown_as: str) -> _Readable:
    begin = raw.read(packed.LONGEST)
    raw.seek(0)
    form = packed.form_of(begin)
    if form is packed.GZIP:
        return gzip.GzipFile(fileobj=raw)
    if form is packed.ZSTD:
        # Of two names of one module, the first is Python's own.
        module = extras.load("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
        found: _Readable = module.ZstdFile(raw)
        return found
    if fault := misfit(begin, shown_as):
        what, instead = fault
        raise InputError(what, where=f"{shown_as}:1", remedy=instead)
    return raw


def _blocks(opened: _Readable, raw: BufferedReader, shown_as: str, advance: Advance) -> Iterator[bytes]:
    size = before = lines = 0
    while True:
        try:
            block = opened.read1(BLOCK_BYTES)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise _damaged(error, shown_as, lines) from error
        except OSError:
            raise
        except Exception as error:
            # The error of zstd, whose type is known only where zstd is installed.
            raise _damaged(error, shown_as, lines) from error
        if not block:
            return
        size, place = size + len(block), raw.tell()
        lines += block.count(_FEED)
        advance(place - before)
        before = place
        if opened is not raw and size > max(_BOMB_BYTES, _BOMB_RATIO * place):
            raise InputError(
                f"the compressed file grows to more than {_BOMB_RATIO} times its size ({data_size(size)} from "
                f"{data_size(place)}), which no text does",
                where=f"{shown_as}:{lines + 1}",
                remedy="Check where the file is from, or decompress it yourself",
            )
        yield block


def _damaged(error: Exception, shown_as: str, lines: int) -> InputError:
    return InputError(
        f"the compressed file is damaged or cut: {error}",
        where=f"{shown_as}:{lines + 1}",
        safe="The lines before this one can be read, but may be damaged too.",
        remedy="Fetch or compress the file again",
    )
