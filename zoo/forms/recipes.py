"""The form of a recipe: a field for every key of its JSON Schema, and what a recipe has in it. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from catalog import device as devices
from catalog import schema, yamledit, yamltext
from catalog.jsontext import Json
from catalog.problems import dotted
from catalog.schema import Schema
from catalog.yamledit import CannotEdit
from catalog.yamltext import Path_
from zoo.errors import InputError

NAME = "recipe-v1"
_NUMBERS = ("integer", "number")


@dataclass(frozen=True)
class Entry:
    """A field. path: where it is in the recipe. rule: its part of the schema. value: None if the recipe does not have
    it. required: in what is around it. is_new: it is one more entry of a list."""

    path: Path_
    rule: Schema
    value: Json = None
    required: bool = False
    is_new: bool = False

    @property
    def name(self) -> str:
        """``gates[0].metric``, as problems name it."""
        return dotted(self.path)

    @property
    def shown(self) -> str:
        """The value as it is written."""
        if self.value is None:
            return ""
        return self.value if isinstance(self.value, str) else yamledit.flow(self.value)

    @property
    def choices(self) -> tuple[str, ...]:
        """The only values that are allowed, or () for many."""
        if self.rule.get("type") == "boolean":
            return ("true", "false")
        if self.path[-2:] == ("fits", "device"):
            return tuple(device.id for device in devices.DEVICES)
        allowed = [self.rule["const"]] if "const" in self.rule else self.rule.get("enum", [])
        return tuple(map(_written, allowed))

    @property
    def several(self) -> tuple[str, ...]:
        """The only values that a list may have, or () for many."""
        return tuple(map(_written, self.rule.get("items", {}).get("enum", [])))

    @property
    def words(self) -> str:
        """What the field is, what it may be, and what holds without it."""
        words = [self.rule.get("description", "").rstrip(".")]
        if self.several:
            words.append(f"Allowed: {', '.join(self.several)}")
        if "default" in self.rule and self.rule["default"] not in ([], {}):
            words.append(f"Default: {_written(self.rule['default'])}")
        return ". ".join(filter(None, words)) + "."

    @property
    def start(self) -> str:
        """What to begin writing with: the value, or the keys that an entry of a list must have."""
        if self.value is not None or not self.is_new:
            return self.shown
        needed = self.rule.get("required", [])
        return "{" + ", ".join(f"{key}: " for key in needed) + "}" if needed else ""


@dataclass(frozen=True)
class Change:
    """One edit. text: of the recipe after it."""

    entry: Entry
    before: str
    text: str

    @property
    def difference(self) -> str:
        """As a unified diff, without its first two lines."""
        lines = difflib.unified_diff(self.before.splitlines(), self.text.splitlines(), lineterm="", n=2)
        return "\n".join(list(lines)[2:])


def _written(value: Json) -> str:
    return value if isinstance(value, str) else yamledit.flow(value)


def entries(data: Json) -> list[Entry]:
    """Every field of the schema in its order; of lists, those of the entries that the recipe has, and a new one."""
    root = schema.load(NAME)
    return list(_of_object(Entry((), root, data, True), root))


def _of_object(above: Entry, root: Schema) -> Iterator[Entry]:
    held: Mapping[str, Json] = above.value if isinstance(above.value, dict) else {}
    rule, path = above.rule, above.path
    # In a section that may be left out, nothing is required until it is begun.
    needed = rule.get("required", []) if held or above.required else []
    for key, part in rule.get("properties", {}).items():
        yield from _entry(Entry((*path, key), _resolved(part, root), held.get(key), key in needed), root)


def _entry(entry: Entry, root: Schema) -> Iterator[Entry]:
    rule = entry.rule
    inner = _resolved(rule.get("items", {}), root)
    if "properties" in rule and isinstance(entry.value, dict | None):
        yield from _of_object(entry, root)
    elif "properties" in inner and isinstance(entry.value, list | None):
        items = entry.value or []
        for number, item in enumerate(items):
            yield from _of_object(Entry((*entry.path, number), inner, item, True), root)
        described: Schema = {**inner, "description": rule.get("description", "")}
        yield Entry((*entry.path, len(items)), described, is_new=True)
    else:
        yield entry


def _resolved(part: Schema, root: Schema) -> Schema:
    if "$ref" not in part:
        return part
    found: Schema = {**root["$defs"][part["$ref"].rsplit("/", 1)[1]]}
    return {**found, "description": part["description"]} if "description" in part else found


def data_of(text: str) -> Json:
    """What a recipe says; None if it is not YAML."""
    return yamltext.parse(text.encode(), "recipe").data


def found(data: Json, name: str) -> Entry:
    """The field with a name. Raises InputError."""
    for entry in entries(data):
        if entry.name == name:
            return entry
    raise InputError(f"a recipe has no {name}", remedy="See the reference of recipes")


def changed(text: str, name: str, written: str) -> Change:
    """The recipe with a field as a person wrote it; without the field if nothing was written. Raises InputError for
    what cannot be read as its type, or a recipe that must be changed by hand."""
    entry = found(data_of(text), name)
    written = written.strip()
    try:
        if written:
            made = yamledit.with_value(text, entry.path, _read(entry, written), _order)
        else:
            made = yamledit.without(text, entry.path)
    except CannotEdit as error:
        raise InputError(f"{name} cannot be changed here: {error}", remedy="Change the file in an editor") from error
    return Change(entry, text, made)


def _order(path: Path_) -> Sequence[str]:
    """The keys at a path as the schema lists them."""
    root = rule = schema.load(NAME)
    for part in path:
        rule = _resolved(rule.get("items", {}) if isinstance(part, int) else rule.get("properties", {})[part], root)
    return list(rule.get("properties", {}))


def _read(entry: Entry, written: str) -> Json:
    """What was written, by the type of the field. What is not a number stays text, and the check reports it."""
    kind = entry.rule.get("type")
    is_text = kind == "string" or ("enum" in entry.rule and kind is None)
    if is_text and not entry.is_new:
        return written
    document = yamltext.parse(f"{written}\n".encode(errors="replace"), entry.name)
    if kind in ("array", "object") or entry.is_new:
        if document.problems:
            first = document.problems[0]
            raise InputError(f"{first.what}, at column {first.column}", where=entry.name, remedy=first.instead)
        return document.data
    return document.data if isinstance(document.data, int | float | bool) else written
