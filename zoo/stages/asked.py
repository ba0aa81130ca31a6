"""The journal of the answers of a server: one line per row, found by its key without being held in memory."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path
from typing import IO

from catalog import jsontext
from catalog.jsonvalues import table
from zoo.corpora.rows import Answer
from zoo.errors import ZooError
from zoo.files import journal as journals
from zoo.teachers.asking import Asked

MOST_BYTES = 64 << 30
"""Of a journal: ten million rows with long answers."""

_WHAT = "label journal"
_SETTLE_SECONDS = 1.0
"""A power cut may take the answers of the last second; the end of this process takes none."""
_COUNTS = ("requests", "prompt_tokens", "answer_tokens", "uncounted")
_OWN = (*_COUNTS, "build")
_KEYS = {*(field.name for field in dataclasses.fields(Answer)), *_OWN}


class Answered:
    """Open for reading and appending; the caller holds the lock. A context manager. Raises ZooError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.skipped = 0
        self._places: dict[bytes, int] = {}
        self._stream: IO[bytes] = journals.open_to_append(path, _WHAT)
        self._settled = time.monotonic()
        self._end = 0
        for line in journals.lines(path):
            try:
                self._places[bytes.fromhex(read_line(line).answer.key)] = self._end
            except (ValueError, TypeError, KeyError, AttributeError):
                self.skipped += 1
            self._end += len(line) + 1

    def __enter__(self) -> Answered:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._settle()
        finally:
            self._stream.close()

    def __contains__(self, key: str) -> bool:
        return bytes.fromhex(key) in self._places

    def __getitem__(self, key: str) -> Asked:
        """Raises KeyError."""
        self._stream.seek(self._places[bytes.fromhex(key)])
        return read_line(self._stream.readline())

    def add(self, asked: Asked) -> None:
        """Record a row; it survives the end of this process when this returns. Raises ZooError."""
        line = {**vars(asked.answer), **{name: getattr(asked, name) for name in _OWN}}
        is_due = time.monotonic() - self._settled > _SETTLE_SECONDS
        start = self._stream.seek(0, os.SEEK_END)
        journals.append(self._stream, line, _WHAT, MOST_BYTES, settled=is_due)
        self._places[bytes.fromhex(asked.answer.key)] = start
        if is_due:
            self._settled = time.monotonic()

    def _settle(self) -> None:
        try:
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise ZooError(f"the {_WHAT} cannot be written ({error.strerror})") from error


def read_line(line: bytes) -> Asked:
    """A row from its line. Raises ValueError, TypeError, KeyError or AttributeError for another line."""
    data = table(jsontext.parse(line, bounded=False))
    if data.keys() != _KEYS:
        raise KeyError("not the keys of an answer")
    key, text, finish, invalid = (journals.text(data[name]) for name in ("key", "text", "finish", "invalid"))
    if finish not in ("stop", "length") or len(bytes.fromhex(key)) != 32:
        raise ValueError("not how an answer ends, or not a key")
    answer = Answer(key, text, finish, journals.count(data["tokens"]), journals.count(data["attempts"]), invalid)
    requests, read, written, uncounted = (journals.count(data[name]) for name in _COUNTS)
    return Asked(answer, requests, read, written, uncounted, journals.text(data["build"]))
