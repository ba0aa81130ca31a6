"""An object of a foreign record: what is taken from it, and what of it has no place in a record of ours. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from catalog import jsontext
from catalog.jsontext import Json, JsonObject
from catalog.problems import show
from zoo.corpora.records import Fault


class NotImportable(ValueError):
    """The record cannot be one of ours. ``fault`` says why."""

    def __init__(self, path: str, what: str, instead: str) -> None:
        super().__init__(what)
        self.fault = Fault(path, what, instead)


class Dropped(NamedTuple):
    """path: of the foreign record. what: it had, and the imported one has not, or has in another way."""

    path: str
    what: str


@dataclass
class Part:
    """One object. place: its path in the line. dropped: of the whole line. Its methods raise NotImportable for a value
    of another type; null and a missing key are the same."""

    data: JsonObject
    place: str
    dropped: list[Dropped]
    taken: set[str] = field(default_factory=set)

    def path(self, key: str) -> str:
        """The path of a key."""
        return f"{self.place}.{key}" if self.place else key

    def drop(self, key: str, what: str) -> None:
        """Note a thing that the record loses."""
        self.dropped.append(Dropped(self.path(key), what))

    def refuse(self, key: str, what: str, instead: str) -> NotImportable:
        """The error of a key."""
        return NotImportable(self.path(key), what, instead)

    def any(self, *keys: str) -> Json:
        """The value of the first key that is there."""
        self.taken.update(keys)
        return next((self.data[key] for key in keys if self.data.get(key) is not None), None)

    def text(self, *keys: str) -> str | None:
        """The same; a text."""
        value = self.any(*keys)
        if value is not None and not isinstance(value, str):
            raise self.refuse(keys[0], f"{show(value)} is not text", "Write text")
        return value

    def needed(self, *keys: str) -> str:
        """The same; there must be one."""
        value = self.text(*keys)
        if value is None:
            raise self.refuse(keys[0], "the key is missing", f"Add {keys[0]}")
        return value

    def object(self, *keys: str) -> Part | None:
        """The same; an object."""
        value = self.any(*keys)
        return None if value is None else self._part(value, self.path(keys[0]))

    def objects(self, *keys: str) -> Iterator[Part]:
        """The same; the objects of a list."""
        value = self.any(*keys)
        if value is not None and not isinstance(value, list):
            raise self.refuse(keys[0], f"{show(value)} is not a list", "Write a list")
        for number, one in enumerate(value or []):
            yield self._part(one, f"{self.path(keys[0])}[{number}]")

    def _part(self, value: Json, place: str) -> Part:
        if not isinstance(value, dict):
            raise NotImportable(place, f"{show(value)} is not an object", "Write an object")
        return Part(value, place, self.dropped)

    def rest(self) -> None:
        """Note every key that was not taken. Empty values say nothing."""
        for key, value in self.data.items():
            if key not in self.taken and value is not None and value != [] and value != {} and value != "":
                self.drop(key, f"no record has this key; its value was {show(value)}")


def tool(part: Part) -> JsonObject:
    """A declared tool, with or without the object around its function."""
    function = part.object("function")
    if function is not None:
        part.any("type")
        part.rest()
    else:
        function = part
    made: JsonObject = {"name": function.needed("name")}
    for key in ("description", "parameters", "return", "strict"):
        value = function.any(key)
        if value is not None:
            made[key] = value
    function.any("type")
    function.rest()
    return {"type": "function", "function": made}


def arguments(value: Json, path: str) -> JsonObject:
    """The arguments of a call, which many forms hold as text."""
    if isinstance(value, str):
        try:
            value = jsontext.parse(value, unique=True) if value.strip() else {}
        except jsontext.NotJson as error:
            what = f"the arguments are not JSON: {error.what}"
            raise NotImportable(path, what, "Fix the text, or delete the line") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise NotImportable(path, f"the arguments are {show(value)}, not an object", "Write an object")
    return value


KEPT = ("tags", "goal", "registre")
"""Keys of a line that every form may have, because ours have them."""


def kept(line: Part) -> JsonObject:
    """What a line has of these keys."""
    return {key: line.data[key] for key in KEPT if line.any(key) is not None}
