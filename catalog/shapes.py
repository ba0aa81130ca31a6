"""Parsed JSON as a type: a dataclass, a TypedDict, or lists and dicts of them. Checked all the way down, not converted.

The types state once what code reads from a document, so that later code need not check again. A document of another
form is refused with the place of the first difference.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

Shape = TypeVar("Shape")

_Read = Callable[[object], Any]
"""A value -> the same as the type that the reader was made for, which only ``shaped`` can name."""


class WrongShape(ValueError):
    """The data does not have the required type; the text says where and why."""

    def __init__(self, what: str, place: str = "") -> None:
        super().__init__(f"{place.removeprefix('.') or 'the document'} {what}")
        self.what, self.place = what, place


def shaped(data: object, shape: type[Shape]) -> Shape:
    """``data`` as the type ``shape``. Raises WrongShape.

    Use ``object`` for what may be anything. Keys that the type does not have are omitted. Text and ``true`` are not
    numbers; a whole number is accepted for any number.
    """
    kind: object = shape
    made: Shape = _reader(kind)(data)
    return made


@functools.cache
def _reader(kind: object) -> _Read:
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if kind is object:
        return lambda value: value
    if origin in (types.UnionType, typing.Union):
        return _any_of(tuple(_reader(part) for part in parts if part is not types.NoneType), types.NoneType in parts)
    if origin is typing.Literal:
        return _one_of(parts)
    if origin is list:
        return _listed(_reader(parts[0]))
    if origin is tuple and parts[-1] is Ellipsis:
        listed = _listed(_reader(parts[0]))
        return lambda value: tuple(listed(value))
    if origin is tuple:
        return _in_turn(tuple(map(_reader, parts)))
    if origin is dict:
        return _keyed(_reader(parts[1]))
    if typing.is_typeddict(kind) or dataclasses.is_dataclass(kind):
        assert isinstance(kind, type)
        return _block(kind)
    return _plain(*_WORDS[kind])


_WORDS: Mapping[object, tuple[tuple[type, ...], str]] = {
    str: ((str,), "text"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    bool: ((bool,), "true or false"),
    types.NoneType: ((types.NoneType,), "null"),
}
"""What each plain type accepts, and its name."""


def _plain(taken: tuple[type, ...], words: str) -> _Read:
    def read(value: object) -> object:
        if type(value) not in taken:
            raise WrongShape(f"is not {words}")
        return value

    return read


def _any_of(readers: tuple[_Read, ...], nullable: bool) -> _Read:
    def read(value: object) -> object:
        if value is None and nullable:
            return None
        if len(readers) == 1:
            return readers[0](value)
        for reader in readers:
            with contextlib.suppress(WrongShape):
                return reader(value)
        raise WrongShape("has none of the forms that it may have")

    return read


def _one_of(values: tuple[object, ...]) -> _Read:
    def read(value: object) -> object:
        if value not in values:
            raise WrongShape(f"is not {' or '.join(map(str, values))}")
        return value

    return read


def _listed(each: _Read) -> _Read:
    def read(value: object) -> object:
        if not isinstance(value, list):
            raise WrongShape("is not a list")
        try:
            return [each(item) for item in value]
        except WrongShape:
            raise _placed((f"[{number}]", each, item) for number, item in enumerate(value)) from None

    return read


def _in_turn(readers: tuple[_Read, ...]) -> _Read:
    def read(value: object) -> object:
        if not isinstance(value, list) or len(value) != len(readers):
            raise WrongShape(f"is not a list of {len(readers)} values")
        pairs = list(zip(readers, value, strict=True))
        try:
            return tuple(reader(item) for reader, item in pairs)
        except WrongShape:
            raise _placed((f"[{n}]", *pair) for n, pair in enumerate(pairs)) from None

    return read


def _keyed(each: _Read) -> _Read:
    def read(value: object) -> object:
        if not isinstance(value, dict):
            raise WrongShape("is not an object")
        try:
            return {str(key): each(item) for key, item in value.items()}
        except WrongShape:
            raise _placed((f".{key}", each, item) for key, item in value.items()) from None

    return read


def _block(kind: type) -> _Read:
    """A reader of a dataclass or a TypedDict."""
    readers, needed = {}, list[str]()
    optional = _optional(kind)
    for name, hint in typing.get_type_hints(kind, include_extras=True).items():
        is_optional = typing.get_origin(hint) is typing.NotRequired
        readers[name] = _reader(typing.get_args(hint)[0] if is_optional else hint)
        if not is_optional and name not in optional:
            needed.append(name)

    def read(value: object) -> object:
        if not isinstance(value, dict):
            raise WrongShape("is not an object")
        for name in needed:
            if name not in value:
                raise WrongShape("is missing", f".{name}")
        found = [(name, reader) for name, reader in readers.items() if name in value]
        try:
            return kind(**{name: reader(value[name]) for name, reader in found})
        except WrongShape:
            raise _placed((f".{name}", reader, value[name]) for name, reader in found) from None

    return read


def _placed(parts: Iterable[tuple[str, _Read, object]]) -> WrongShape:
    """The first error, with its place. Places are only computed for refused data."""
    for place, reader, value in parts:
        try:
            reader(value)
        except WrongShape as error:
            return WrongShape(error.what, place + error.place)
    raise AssertionError("a part was refused and is taken now")


def _optional(kind: type) -> frozenset[str]:
    """Optional keys of a document, except those with their own annotation."""
    if typing.is_typeddict(kind):
        found: frozenset[str] = vars(kind)["__optional_keys__"]
        return found
    assert dataclasses.is_dataclass(kind)
    missing = dataclasses.MISSING
    return frozenset(
        field.name
        for field in dataclasses.fields(kind)
        if field.default is not missing or field.default_factory is not missing
    )
