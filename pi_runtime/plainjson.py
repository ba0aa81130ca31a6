"""JSON that somebody else wrote, read with its place: a value of another kind is an error that says where.

    document = plainjson.parse(text, "catalog.json")
    document["models"].items[0]["name"].text
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pi_runtime.settings import CouldNot


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
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self._wrong("a number")
        return float(value)

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
    try:
        return parse(path.read_bytes(), path.name)
    except OSError as error:
        raise CouldNot(f"{path} cannot be read: {error.strerror}.") from error
