"""The published JSON Schemas, and how a schema violation becomes a Problem on a line."""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog import quick
from catalog.metrics import METRICS
from catalog.problems import LIMIT, Problem, did_you_mean, show
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


@functools.cache
def load(name: str) -> dict[str, Any]:
    """The schema ``schemas/NAME.schema.json``, with the names of the tables that it refers to (``x-names``)."""
    text = (FOLDER / f"{name}.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text, object_hook=_with_names)
    return schema


def _with_names(part: dict[str, Any]) -> dict[str, Any]:
    table = part.pop("x-names", None)
    return part if table is None else {"enum": list(TABLES[table]), **part}


@functools.cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    """A validator for that schema, made once."""
    # Only here and below: its import takes longer than a quick yes.
    from catalog.lightschema import jsonschema

    rules = {"pattern": _pattern, "uniqueItems": _unique_items}
    extend: Any = jsonschema.validators.extend  # it has no types
    kind = extend(jsonschema.Draft202012Validator, rules)
    made: jsonschema.Draft202012Validator = kind(load(name))
    return made


def _pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[ValidationError]:
    """Regular expressions as JSON Schema means them: Python's ``$`` also matches before a final newline."""
    from catalog.lightschema import ValidationError

    del schema
    if validator.is_type(value, "string") and not re.search(
        re.sub(r"\$\Z", r"\\Z", pattern), value, re.ASCII
    ):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _unique_items(validator: Any, wanted: bool, value: Any, schema: Any) -> Iterator[ValidationError]:
    """Skipped for a list that is too long anyway: jsonschema compares every entry with every other."""
    from catalog.lightschema import jsonschema

    if isinstance(value, list) and len(value) <= schema.get("maxItems", 1000):
        yield from jsonschema.Draft202012Validator.VALIDATORS["uniqueItems"](validator, wanted, value, schema)


def names() -> list[str]:
    """Every published schema, sorted."""
    return sorted(path.name.removesuffix(".schema.json") for path in FOLDER.glob("*.schema.json"))


def problems(document: Document, name: str) -> list[Problem]:
    """Every violation of schema ``name`` in the document, in the order of the file."""
    if quick.sound(document.data, name, load):
        return []
    found = {
        problem
        for error in validator(name).iter_errors(document.data)
        for problem in _of_error(error, document)
    }
    return sorted(found)[:LIMIT]


def violations(data: Any, name: str) -> list[str]:
    """The same for data without lines: ``path: what. What instead.``"""
    return [f"{p.path or '(file)'}: {p.what}. {p.instead}" for p in problems(Document(name, data), name)]


def fill_defaults(data: Any, schema: dict[str, Any], root: dict[str, Any] | None = None) -> Any:
    """A copy of ``data`` in which every absent key that has a default carries it, all the way down."""
    root = root or schema
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    if isinstance(data, dict):
        filled = dict(data)
        for key, part in schema.get("properties", {}).items():
            if key not in filled and "default" in part:
                filled[key] = copy.deepcopy(part["default"])
            if key in filled:
                filled[key] = fill_defaults(filled[key], part, root)
        return filled
    if isinstance(data, list) and "items" in schema:
        return [fill_defaults(item, schema["items"], root) for item in data]
    return data


def _of_error(error: ValidationError, document: Document) -> Iterator[Problem]:
    path = tuple(error.absolute_path)
    value: Any = error.instance
    rule: Any = error.validator_value
    schema: Any = error.schema
    match error.validator:
        case "additionalProperties":
            known = list(schema["properties"])
            for key in value:
                if key not in known:
                    yield document.problem(
                        (*path, key), f"unknown key {show(key)}", _other_key(key, known), key=True
                    )
        case "required":
            # jsonschema reports each missing key by itself; the first quoted word of the message is the key.
            for key in rule:
                if key not in value and error.message.startswith(f"'{key}'"):
                    what, description = f"key {show(key)} is missing", _describe(schema, key)
                    yield document.problem(path, what, f"Add `{key}:` {description}".rstrip())
        case "type":
            wanted = rule if isinstance(rule, str) else " or ".join(rule)
            yield document.problem(
                path, f"{show(value)} is not {_KINDS.get(wanted, wanted)}", _hint(schema, value, wanted)
            )
        case "enum":
            near = did_you_mean(str(value), map(str, rule))
            hint = f"Did you mean `{near}`? " if near else ""
            yield document.problem(
                path,
                f"{show(value)} is not one of the values allowed",
                f"{hint}Allowed: {', '.join(map(str, rule))}",
            )
        case "const":
            yield document.problem(path, f"{show(value)} is not {show(rule)}", f"Write {show(rule)}")
        case "pattern":
            yield document.problem(
                path,
                f"{show(value)} has the wrong form",
                schema.get("description", f"It must match {rule}").rstrip("."),
            )
        case "minimum" | "maximum" | "exclusiveMinimum":
            words = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than"}[
                str(error.validator)
            ]
            yield document.problem(
                path, f"{show(value)} is out of range", f"Write a number of {words} {rule}"
            )
        case "minLength" | "maxLength":
            words = "at least" if error.validator == "minLength" else "at most"
            length = counted(len(value), "character")
            yield document.problem(path, f"the text has {length}", f"Write {words} {rule}")
        case "minItems" | "maxItems":
            words = "at least" if error.validator == "minItems" else "at most"
            length = counted(len(value), "entry", "entries")
            yield document.problem(path, f"the list has {length}", f"Write {words} {rule}")
        case "uniqueItems":
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


def _other_key(key: str, known: list[str]) -> str:
    synonym = SYNONYMS.get(key.casefold())
    near = synonym if synonym in known else did_you_mean(key, known)
    return f"Did you mean `{near}`?" if near else f"Known keys here: {', '.join(known)}"


def _describe(schema: dict[str, Any], key: str) -> str:
    description: str = schema.get("properties", {}).get(key, {}).get("description", "")
    return f"({description.rstrip('.')})" if description else ""


def _hint(schema: dict[str, Any], value: Any, wanted: str) -> str:
    quoted_fits = re.search(schema.get("pattern", ""), str(value))
    if wanted == "string" and isinstance(value, int | float | bool) and quoted_fits:
        return f'Put it in quotes: "{value}"'
    if wanted == "array":
        return "Write a list: [a, b] or one `- entry` per line"
    description: str = schema.get("description", "")
    return description.rstrip(".") or f"Write {_KINDS.get(wanted, wanted)}"
