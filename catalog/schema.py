"""The published JSON Schemas, and how a schema violation becomes a Problem on a line."""

from __future__ import annotations

import copy
import dataclasses
import functools
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypedDict, TypeVar

from catalog import quick
from catalog.jsontext import Json, JsonObject
from catalog.metrics import METRICS
from catalog.problems import LIMIT, Problem, did_you_mean, limited, show
from catalog.quants import LADDER
from catalog.words import counted
from catalog.yamltext import Document

if TYPE_CHECKING:
    from catalog.lightschema import ValidationError, jsonschema

FOLDER = Path(__file__).parent / "schemas"

TABLES: Mapping[str, Iterable[str]] = {"metrics": METRICS, "quants": LADDER}
"""Tables of names by the word that a schema has for them, so that a new row needs no change of a schema."""

# Words that people write for a differently named key, beyond what spelling distance finds.
SYNONYMS = {
    "license": "licence",
    "quantise": "quantize",
    "quants": "quantize",
    "model": "student",
    "lang": "languages",
    "eval": "evaluate",
}


Schema = TypedDict(
    "Schema",
    {
        "$ref": str,
        "$defs": "dict[str, Schema]",
        "title": str,
        "description": str,
        "type": "str | list[str]",
        "properties": "dict[str, Schema]",
        "required": "list[str]",
        "items": "Schema",
        "minItems": int,
        "maxItems": int,
        "uniqueItems": bool,
        "minLength": int,
        "maxLength": int,
        "minimum": float,
        "maximum": float,
        "exclusiveMinimum": float,
        "pattern": str,
        "enum": "list[Json]",
        "const": Json,
        "default": Json,
    },
    total=False,
)
"""A JSON Schema of ours or a part of one, as far as this program reads it itself."""


@functools.cache
def load(name: str) -> Schema:
    """The schema ``schemas/NAME.schema.json``, with the names of the tables that it refers to (``x-names``)."""
    text = (FOLDER / f"{name}.schema.json").read_text(encoding="utf-8")
    schema: Schema = json.loads(text, object_hook=_with_names)
    return schema


def _with_names(part: JsonObject) -> JsonObject:
    table = part.pop("x-names", None)
    return part if table is None else {"enum": list(TABLES[str(table)]), **part}


MOST_ERRORS = 20 * LIMIT
"""Violations that are looked for. They are not found in the order of the file, so this is more than are reported."""

Kind = TypeVar("Kind", bound="jsonschema.Draft202012Validator")


class _Extend(Protocol):
    """``jsonschema.validators.extend``, which has no types of its own."""

    def __call__(self, kind: type[Kind], rules: Mapping[str, object], /) -> type[Kind]: ...


class _Judge(Protocol):
    """A validator, which takes data of any type."""

    def iter_errors(self, instance: object, /) -> Iterator[ValidationError]: ...


@functools.cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    """A validator for that schema, made once."""
    # Only here and below: its import takes longer than a quick yes.
    from catalog.lightschema import jsonschema

    rules = {"pattern": _pattern, "uniqueItems": _unique_items}
    extend: _Extend = jsonschema.validators.extend
    return extend(jsonschema.Draft202012Validator, rules)(load(name))


def _pattern(
    validator: jsonschema.Draft202012Validator, pattern: str, value: Json, schema: Schema
) -> Iterator[ValidationError]:
    """Regular expressions as JSON Schema means them: Python's ``$`` also matches before a final newline."""
    from catalog.lightschema import ValidationError

    del validator, schema
    if isinstance(value, str) and not re.search(re.sub(r"\$\Z", r"\\Z", pattern), value, re.ASCII):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _unique_items(
    validator: jsonschema.Draft202012Validator, wanted: bool, value: Json, schema: Schema
) -> Iterator[ValidationError]:
    """Skipped for a list that is too long anyway: jsonschema compares every entry with every other."""
    from catalog.lightschema import jsonschema

    if isinstance(value, list) and len(value) <= schema.get("maxItems", 1000):
        yield from jsonschema.Draft202012Validator.VALIDATORS["uniqueItems"](validator, wanted, value, schema)


def names() -> list[str]:
    """Every published schema, sorted."""
    return sorted(path.name.removesuffix(".schema.json") for path in FOLDER.glob("*.schema.json"))


def problems(document: Document, name: str) -> list[Problem]:
    """Every violation of schema ``name`` in the document, in the order of the file."""
    return _listed_once(_problems(document.data, document, name))


def violations(data: object, name: str) -> list[str]:
    """The same for data without lines: ``path: what. What instead.``"""
    found = _problems(data, Document(name), name)
    return [f"{problem.path or '(file)'}: {problem.what}. {problem.instead}" for problem in found]


def record_problems(data: object, name: str) -> list[Problem]:
    """The same as problems of a line of JSON, whose file and line the caller knows."""
    return _problems(data, Document(f"{name}.json"), name)


def _problems(data: object, document: Document, name: str) -> list[Problem]:
    if quick.sound(data, name, load):
        return []
    judge: _Judge = validator(name)
    # Of a file with a fault in each of a million places, finding them all would take hours.
    errors = itertools.islice(judge.iter_errors(data), MOST_ERRORS)
    # One error may be about a million keys.
    found = (problem for error in errors for problem in _of_error(error, document, load(name)))
    return limited(set(itertools.islice(found, MOST_ERRORS)))


def fill_defaults(data: JsonObject, schema: Schema) -> JsonObject:
    """A copy of ``data`` in which every absent key that has a default carries it, all the way down."""
    filled = _filled(data, schema, schema)
    assert isinstance(filled, dict)
    return filled


def _filled(data: Json, schema: Schema, root: Schema) -> Json:
    schema = _resolved(schema, root)
    if isinstance(data, dict):
        filled = dict(data)
        for key, part in schema.get("properties", {}).items():
            if key not in filled and "default" in part:
                filled[key] = copy.deepcopy(part["default"])
            if key in filled:
                filled[key] = _filled(filled[key], part, root)
        return filled
    if isinstance(data, list) and "items" in schema:
        return [_filled(item, schema["items"], root) for item in data]
    return data


def _of_error(error: ValidationError, document: Document, root: Schema) -> Iterator[Problem]:
    path = tuple(error.absolute_path)
    # As jsonschema sets them on every error that a validator gives out; declared, they may also be unset.
    told = vars(error)
    value: Json = told["instance"]
    rule: Json = told["validator_value"]
    schema: Schema = told["schema"]
    match error.validator, rule, value:
        case "additionalProperties", _, dict(held):
            known = list(schema["properties"])
            for key in held:
                if key not in known:
                    instead = _elsewhere(key, path, root) or _other_key(key, known)
                    yield document.problem((*path, key), f"unknown key {show(key)}", instead, key=True)
        case "required", list(wanted_keys), dict(held):
            # jsonschema reports each missing key by itself; the first quoted word of the message is the key.
            for key in map(str, wanted_keys):
                if key not in held and error.message.startswith(f"'{key}'"):
                    what, description = f"key {show(key)} is missing", _describe(schema, key)
                    yield document.problem(path, what, f"Add `{key}:` {description}".rstrip())
        case "dependentRequired", dict(needed), dict(held):
            for key, others in needed.items():
                for other in others if isinstance(others, list) and key in held else ():
                    if error.message == f"{other!r} is a dependency of {key!r}":
                        description = _describe(schema, str(other))
                        what = f"key {show(key)} is there without key {show(other)}"
                        yield document.problem(path, what, f"Add `{other}:` {description}".rstrip())
        case "type", str() | list(), _:
            wanted = rule if isinstance(rule, str) else " or ".join(map(str, rule))
            # Only yaml has blocks of lines.
            is_json_object = wanted == "object" and ".json" in document.file
            kind = "a JSON object" if is_json_object else _KINDS.get(wanted, wanted)
            hint = 'Write {"key": value, ...}' if is_json_object else _hint(schema, value, wanted)
            yield document.problem(path, f"{show(value)} is not {kind}", hint)
        case "enum", list(allowed), _:
            near = did_you_mean(str(value), map(str, allowed))
            hint = f"Did you mean `{near}`? " if near else ""
            yield document.problem(
                path,
                f"{show(value)} is not one of the values allowed",
                f"{hint}Allowed: {', '.join(map(str, allowed))}",
            )
        case "const", _, _:
            yield document.problem(path, f"{show(value)} is not {show(rule)}", f"Write {show(rule)}")
        case "pattern", _, _:
            yield document.problem(
                path,
                f"{show(value)} has the wrong form",
                schema.get("description", f"It must match {rule}").rstrip("."),
            )
        case "minimum" | "maximum" | "exclusiveMinimum", _, _:
            words = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than"}[
                str(error.validator)
            ]
            yield document.problem(
                path, f"{show(value)} is out of range", f"Write a number of {words} {rule}"
            )
        case "minLength" | "maxLength", _, str(text):
            words = "at least" if error.validator == "minLength" else "at most"
            length = counted(len(text), "character")
            yield document.problem(path, f"the text has {length}", f"Write {words} {rule}")
        case "minItems" | "maxItems" | "minProperties" | "maxProperties", _, list(entries) | dict(entries):
            words = "at least" if str(error.validator).startswith("min") else "at most"
            length = counted(len(entries), "entry", "entries")
            kind = "list" if isinstance(entries, list) else "block"
            yield document.problem(path, f"the {kind} has {length}", f"Write {words} {rule}")
        case "uniqueItems", _, _:
            yield document.problem(path, "the list has the same entry twice", "Delete one of the two")
        case _:
            yield document.problem(
                path, re.sub(r"\s+", " ", error.message)[:200], "See the format's reference page"
            )


_KINDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "object": "a block of `key: value` lines",
    "array": "a list",
    "boolean": "true or false",
}


_BOOLEANS = {
    **dict.fromkeys(("yes", "y", "on", "true", "1"), "true"),
    **dict.fromkeys(("no", "n", "off", "false", "0"), "false"),
}
"""What people write instead of true and false."""


def _other_key(key: str, known: list[str]) -> str:
    synonym = SYNONYMS.get(key.casefold())
    near = synonym if synonym in known else did_you_mean(key, known)
    return f"Did you mean `{near}`?" if near else f"{_KNOWN}{', '.join(known)}"


_KNOWN = "Known keys here: "


def _listed_once(found: list[Problem]) -> list[Problem]:
    """The same problems; a list of known keys is written at the first unknown key only."""
    first: dict[str, int] = {}
    for place, problem in enumerate(found):
        line = first.setdefault(problem.instead, problem.line)
        if problem.instead.startswith(_KNOWN) and line != problem.line:
            found[place] = dataclasses.replace(problem, instead=f"The known keys are listed for line {line}")
    return found


def _elsewhere(key: str, path: tuple[str | int, ...], root: Schema) -> str | None:
    """Where a key belongs that is written at the top or in a section of the top, if the schema has it elsewhere."""
    if len(path) > 1:
        return None
    sections = root.get("properties", {})
    if path:
        return f"`{key}:` belongs at the top of the file, not under `{path[0]}:`" if key in sections else None
    having = [name for name, part in sections.items() if key in _resolved(part, root).get("properties", {})]
    return f"`{key}:` belongs under {' or '.join(f'`{name}:`' for name in having)}" if having else None


def _resolved(part: Schema, root: Schema) -> Schema:
    return root["$defs"][part["$ref"].rsplit("/", 1)[1]] if "$ref" in part else part


def _describe(schema: Schema, key: str) -> str:
    description = schema.get("properties", {}).get(key, {}).get("description", "")
    return f"({_first(description)})" if description else ""


def _first(description: str) -> str:
    """Its first sentence: the others are on the reference page."""
    return re.split(r"(?<=[.!])\s+(?=[A-Z`])", description, maxsplit=1)[0].rstrip(".")


def _hint(schema: Schema, value: Json, wanted: str) -> str:
    quoted_fits = re.search(schema.get("pattern", ""), str(value))
    if wanted == "string" and isinstance(value, int | float | bool) and quoted_fits:
        return f'Put it in quotes: "{value}"'
    if wanted == "array":
        return "Write a list: [a, b] or one `- entry` per line"
    description = schema.get("description", "")
    if wanted in ("number", "integer", "boolean"):
        if wanted == "boolean" and (meant := _BOOLEANS.get(str(value).strip().lower())):
            return f"Write {meant}, without quotes" if isinstance(value, str) else f"Write {meant}"
        # "Lower bound." alone does not say what to do.
        return f"Write {_KINDS[wanted]}" + (f" ({_first(description)})" if description else "")
    return _first(description) or f"Write {_KINDS.get(wanted, wanted)}"
