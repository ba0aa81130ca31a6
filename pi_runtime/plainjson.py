"""JSON that somebody else wrote, read with its place: a value of another kind is an error that says where.

    document = plainjson.parse(text, "catalog.json")
    document["models"].items[0]["name"].text
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from pi_runtime.settings import CouldNot

MOST_BYTES = 16 << 20
"""Of a profile, a receipt or another small document."""


class WrongJson(CouldNot):
    """The document is not JSON, or has another form than it should; the text names the place."""


@dataclass(frozen=True)
class Json:
    """One value, and where it is in its document."""

    value: object
    place: str

    def __getitem__(self, key: str) -> Json:
        """The value of a key that must be there."""
        found = self.get(key)
        if found is None:
            raise WrongJson(f"{self.place} has no {key!r}.")
        return found

    def get(self, key: str) -> Json | None:
        """The value of a key; None if it is absent or null."""
        if not isinstance(self.value, dict):
            raise self._wrong("an object")
        found = self.value.get(key)
        return None if found is None else Json(found, f"{self.place}.{key}")

    @property
    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self._wrong("text")
        return self.value

    @property
    def whole(self) -> int:
        """A whole number below 2^63."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
            raise self._wrong("a whole number")
        return value

    @property
    def number(self) -> float:
        """A finite number."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong("a number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self._wrong("a number that can be used")
        return number

    @property
    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            raise self._wrong("true or false")
        return self.value

    @property
    def items(self) -> list[Json]:
        """The values of a list."""
        if not isinstance(self.value, list):
            raise self._wrong("a list")
        return [Json(one, f"{self.place}[{place}]") for place, one in enumerate(self.value)]

    @property
    def texts(self) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(one.text for one in self.items)

    @property
    def pairs(self) -> Iterator[tuple[str, Json]]:
        """The keys and values of an object."""
        if not isinstance(self.value, dict):
            raise self._wrong("an object")
        for key, one in self.value.items():
            yield key, Json(one, f"{self.place}.{key}")

    def _wrong(self, kind: str) -> WrongJson:
        return WrongJson(f"{self.place} is not {kind}.")


def parse(text: str | bytes, name: str) -> Json:
    """The document. name: how errors call it. Raises WrongJson."""
    try:
        return Json(json.loads(text), name)
    except (ValueError, RecursionError) as error:
        raise WrongJson(f"{name} is not valid JSON: {error}.") from error


def read(path: Path) -> Json:
    """The document in a file. Raises WrongJson, or CouldNot if it cannot be read."""
    with opened(path) as file:
        text = file.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise WrongJson(f"{path} is too long.")
    return parse(text, path.name)


def opened(path: Path) -> BufferedReader:
    """A regular file, open for reading. Raises CouldNot for any other: a pipe or a device may never end."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise CouldNot(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise CouldNot(f"{str(path)!r} is not a path.") from error
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise CouldNot(f"{path} is not a regular file.")
    return os.fdopen(number, "rb")
