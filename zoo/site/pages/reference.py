"""Reference pages from JSON Schemas: what the schema says is what the page says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from catalog.schema import Schema
from zoo.site.pages.page import Page, TocEntry, fill

_KINDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "block",
}

# (schema word, how a bound is written)
_Bound = Literal["minimum", "exclusiveMinimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"]
_BOUNDS: tuple[tuple[_Bound, str], ...] = (
    ("minimum", "at least {}"),
    ("exclusiveMinimum", "more than {}"),
    ("maximum", "at most {}"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("minItems", "at least {} entries"),
    ("maxItems", "at most {} entries"),
)


@dataclass(frozen=True)
class Key:
    """One key of a block: pattern and values are shown as code, the rest as text."""

    name: str
    kind: str
    values: tuple[str, ...]
    default: str
    bounds: str
    pattern: str
    description: str


@dataclass(frozen=True)
class Block:
    """A block of keys with its own heading."""

    id: str
    title: str
    description: str
    keys: tuple[Key, ...]


def recipe_reference(schema: Schema) -> Page:
    """Every key of a recipe: type, default, bounds, description; one table per block."""
    found = list(blocks(schema))
    toc = tuple(TocEntry(block.title, block.id) for block in found)
    return Page("Recipe", "Every key of a recipe file.", fill("recipe-reference.html", blocks=found), toc)


def schema_list(schemas: Mapping[str, Schema], root: str) -> Page:
    """A table of the published JSON Schemas by name; ``root`` is the path to the site's root."""
    return Page(
        "Schemas", "The published JSON Schemas.", fill("schemas.html", schemas=schemas, root=root), ()
    )


@dataclass(frozen=True)
class OptionDoc:
    """One option of a command: its names with the value's name, and its help."""

    names: str
    help: str


@dataclass(frozen=True)
class CommandDoc:
    """One command: its full name, usage line, help in paragraphs, options."""

    name: str
    usage: str
    paragraphs: tuple[str, ...]
    options: tuple[OptionDoc, ...]

    @property
    def id(self) -> str:
        """The anchor of its heading."""
        return self.name.replace(" ", "-")


def command_reference(commands: Sequence[CommandDoc]) -> Page:
    """Every command with its options."""
    toc = tuple(TocEntry(command.name, command.id) for command in commands)
    html = fill("command-reference.html", commands=commands)
    return Page("Commands", "Every command and its options.", html, toc)


def blocks(schema: Schema) -> Iterator[Block]:
    """Every block of keys: the top level, the blocks in it, and those that several blocks use."""
    yield Block("top-level", "Top level", "The keys at the top level of the file.", _keys(schema))
    for name, part in schema["properties"].items():
        if "properties" in part:
            yield Block(name, name, part.get("description", ""), _keys(part))
        elif "properties" in part.get("items", {}):
            title = f"{name}: each entry"
            yield Block(name, title, part["items"].get("description", ""), _keys(part["items"]))
    for name, part in schema.get("$defs", {}).items():
        yield Block(name, name, part.get("description", ""), _keys(part))


def _keys(block: Schema) -> tuple[Key, ...]:
    required = block.get("required", ())
    return tuple(_key(name, part, name in required) for name, part in block["properties"].items())


def _key(name: str, part: Schema, required: bool) -> Key:
    item = part.get("items", {})
    default = "required" if required else _default(part)
    allowed = [part["const"]] if "const" in part else part.get("enum", item.get("enum", ()))
    values = tuple(_value(value) for value in allowed)
    pattern = part.get("pattern", item.get("pattern", ""))
    return Key(name, _kind(part), values, default, _bounds(part), pattern, part.get("description", ""))


def _kind(part: Schema) -> str:
    if "const" in part:
        return "fixed value"
    if "enum" in part:
        return "one of"
    if "$ref" in part:
        return f"a {part['$ref'].rsplit('/', 1)[1]} block"
    if part.get("type") == "array":
        return f"list, each {_kind(part['items'])}"
    type_ = part.get("type", "")
    return _KINDS.get(type_, "any") if isinstance(type_, str) else "any"


def _default(part: Schema) -> str:
    if "default" not in part:
        return "none"
    return "empty" if part["default"] in ([], {}) else _value(part["default"])


def _bounds(part: Schema) -> str:
    found = [_bound(words, part[word]) for word, words in _BOUNDS if word in part]
    if part.get("uniqueItems"):
        found.append("no duplicates")
    return ", ".join(found)


def _bound(words: str, value: object) -> str:
    said = words.format(_value(value))
    return said.replace("characters", "character").replace("entries", "entry") if value == 1 else said


def _value(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,}" if isinstance(value, int) else f"{value:g}"
    return json.dumps(value)
