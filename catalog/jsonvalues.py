"""Values of JSON data with a known shape, by type: what a reader expects, or a TypeError that names the actual value.

Data from others is checked before (schemas, ``zoo.modelfolder.smallfiles``), the project's own data has a digest. These
functions state this for the type checker, and verify it.
"""

from __future__ import annotations

_SHOWN = 60


def table(value: object) -> dict[str, object]:
    """An object; an empty one for null and whatever else is empty."""
    if not value:
        return {}
    if isinstance(value, dict):
        return value
    raise _unexpected(value, "an object")


def listed(value: object) -> list[object]:
    """A list; an empty one for null and whatever else is empty."""
    if not value:
        return []
    if isinstance(value, list | tuple):
        return list(value)
    raise _unexpected(value, "a list")


def tables(value: object) -> list[dict[str, object]]:
    """A list of objects, empty as that of ``listed``."""
    return [table(one) for one in listed(value)]


def texts(value: object) -> list[str]:
    """A list of texts, empty as that of ``listed``."""
    return [text(one) for one in listed(value)]


def text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise _unexpected(value, "a text")


def whole(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _unexpected(value, "a whole number")


def number(value: object) -> float:
    """A number; an int stays an int."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise _unexpected(value, "a number")


def _unexpected(value: object, wanted: str) -> TypeError:
    shown = repr(value)
    return TypeError(f"{shown if len(shown) <= _SHOWN else f'{shown[:_SHOWN]} ...'} is not {wanted}")
