"""JSON Schemas that others wrote, of a tool's arguments or of an answer: whether they are usable, and what they refuse.

Such a schema is data of a stranger. Its references never open a file or an address. Its regular expressions run in an
engine whose time is linear in the text, where ``jsonschema-rs`` is built; elsewhere in Python's.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NoReturn, Protocol, TypeVar

from catalog.jsontext import Json

if TYPE_CHECKING:
    from catalog.lightschema import ValidationError, jsonschema

Schema = Mapping[str, object]
Found = tuple[str, str]
"""What is wrong, and what to do."""

KEPT = 1024
"""Schemas that stay ready: a corpus has a few tools, and each of its rows names one of them."""

UNRESOLVED = "the schema refers to a part that does not exist, or to itself without an end"

_MANY = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_ONE = (
    "items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "unevaluatedItems",
    "unevaluatedProperties", "contentSchema",
)  # fmt: skip
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")

Kind = TypeVar("Kind", bound="jsonschema.Draft202012Validator")


class _Extend(Protocol):
    """``jsonschema.validators.extend``, which has no types of its own."""

    def __call__(self, kind: type[Kind], rules: Mapping[str, object], /) -> type[Kind]: ...


class _Judge(Protocol):
    """A validator, which takes data of any type."""

    def iter_errors(self, instance: object, /) -> Iterator[ValidationError]: ...


def fault(schema: Schema, *, local: bool = False) -> Found | None:
    """Why a schema cannot be used, and what to do; None if it can. local: references inside it are allowed."""
    return _fault(json.dumps(schema), local)


def mismatch(schema: Schema, data: object) -> str:
    """What ``data`` has that ``schema`` refuses, in one sentence; "" if it follows a schema without a fault."""
    text = json.dumps(schema)
    check = _quick(text)
    try:
        if check is not None and check(data):
            return ""
    except (ValueError, TypeError, OverflowError, RecursionError):
        pass  # Such as a whole number that the quick check cannot hold: the other one decides.
    from catalog.lightschema import Unresolvable

    try:
        error = next(_careful(text).iter_errors(data), None)
    except (RecursionError, Unresolvable):
        return UNRESOLVED
    return error.message if error else ""


@functools.lru_cache(KEPT)
def _fault(text: str, local: bool) -> Found | None:
    # Only here and below: its import takes longer than the check of an ordinary file.
    from catalog.lightschema import jsonschema

    schema: dict[str, object] = json.loads(text)
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        return f"not a JSON Schema ({error.message[:80]})", "See https://json-schema.org"
    except RecursionError:
        return "it is nested too deeply", "Write a flatter schema"
    for part in _parts(schema):
        for word in _REFERENCES:
            target = part.get(word)
            if target is None:
                continue
            if not local:
                return "references are not allowed", "Write the schema out"
            if not isinstance(target, str) or not target.startswith("#"):
                return (
                    f"the reference {json.dumps(target)[:60]} names another document, which is never read",
                    "Copy that part under $defs, and refer to it as #/$defs/NAME",
                )
        patterns = part.get("patternProperties")
        written = [part.get("pattern"), *(patterns if isinstance(patterns, dict) else ())]
        for pattern in written:
            if isinstance(pattern, str) and (why := _unusable(pattern)):
                return f"the pattern {json.dumps(pattern)[:60]} cannot be used ({why})", (
                    "Write it without look-ahead, look-behind and backreferences"
                )
    if local and _quick(text) is None and _has_quick():
        return "a reference leads nowhere, or in a circle", "Refer to parts that exist under $defs"
    return None


def _parts(schema: object) -> Iterator[dict[str, object]]:
    """The schema and every schema in it. What it holds as data (``const``, ``enum``, ``default``) is left out, and so
    are the names of properties."""
    left = [schema]
    while left:
        part = left.pop()
        if not isinstance(part, dict):
            continue
        yield part
        for word in _MANY:
            if isinstance(inner := part.get(word), dict):
                left += inner.values()
        for word in _LISTS:
            if isinstance(inner := part.get(word), list):
                left += inner
        left += [part.get(word) for word in _ONE]


def _refuse(address: str) -> NoReturn:
    raise ValueError(f"{address} is never read")


def _has_quick() -> bool:
    try:
        # Only here and below: it is 6 MB of machine code.
        import jsonschema_rs  # noqa: F401 - only whether it is there
    except ImportError:
        return False
    return True


@functools.lru_cache(KEPT)
def _quick(text: str) -> Callable[[object], bool] | None:
    """A check by ``jsonschema-rs``; None where it is not built, or refuses the schema."""
    try:
        import jsonschema_rs
    except ImportError:
        return None
    try:
        made = jsonschema_rs.Draft202012Validator(
            json.loads(text), retriever=_refuse, pattern_options=jsonschema_rs.RegexOptions()
        )
    except ValueError:
        return None
    return made.is_valid


@functools.lru_cache(KEPT)
def _careful(text: str) -> _Judge:
    """A validator that explains; with the same engine for regular expressions, and without a way to other documents."""
    from catalog.lightschema import jsonschema, no_documents

    extend: _Extend = jsonschema.validators.extend
    rules = {"pattern": _pattern, "patternProperties": _pattern_properties}
    kind = extend(jsonschema.Draft202012Validator, rules)
    return kind(json.loads(text), registry=no_documents())


def _pattern(
    validator: jsonschema.Draft202012Validator, pattern: str, value: Json, schema: Schema
) -> Iterator[ValidationError]:
    from catalog.lightschema import ValidationError

    del validator, schema
    if isinstance(value, str) and not _matches(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _pattern_properties(
    validator: jsonschema.Draft202012Validator, patterns: dict[str, dict[str, Json]], value: Json, schema: Schema
) -> Iterator[ValidationError]:
    del schema
    if isinstance(value, dict):
        for pattern, part in patterns.items():
            for key, inner in value.items():
                if _matches(pattern, key):
                    yield from validator.descend(inner, part, path=key, schema_path=pattern)


def _unusable(pattern: str) -> str:
    """Why a regular expression cannot be used, "" if it can."""
    if _has_quick():
        return "" if _linear(pattern) else "the engine, which cannot hang, does not know such an expression"
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return str(error)[:60]
    return ""


def _matches(pattern: str, text: str) -> bool:
    found = _linear(pattern)
    return found(text) if found else bool(re.search(pattern, text))


@functools.lru_cache(KEPT)
def _linear(pattern: str) -> Callable[[object], bool] | None:
    return _quick(json.dumps({"pattern": pattern}))
