"""Whether data follows a schema, decided by ``jsonschema-rs``, a hundred times as fast as by ``jsonschema``.

What is here can only accept. What is wrong, and on which line, is always reported by ``catalog.schema``, which decides
alone on machines for which ``jsonschema-rs`` is not built (32-bit boards). A test compares the two on broken data.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

Load: TypeAlias = "Callable[[str], Mapping[str, object]]"
_Check: TypeAlias = "Callable[[object], bool]"


def sound(data: object, name: str, load: Load) -> bool:
    """True if ``data`` certainly follows the schema that ``load(name)`` gives; False if it needs a closer check."""
    return verdict(data, name, load) is True


def verdict(data: object, name: str, load: Load) -> bool | None:
    """Whether ``data`` follows the schema, where no explanation is needed; None if this cannot decide."""
    return _answer(_check(name, load), data)


def every_sound(data: Sequence[object], name: str, load: Load) -> bool:
    """True if each of ``data`` certainly follows the schema: one call, whose costs are paid once for all of them."""
    return _answer(_check_of_list(name, load), data) is True


def every_matches(texts: Sequence[str], pattern: str) -> bool:
    """True if each text certainly matches a regular expression without look-around and references, in linear time."""
    return _answer(_check_of_texts(pattern), texts) is True


def _answer(check: _Check | None, data: object) -> bool | None:
    try:
        return check(data) if check is not None else None
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None


@functools.cache
def _check(name: str, load: Load) -> _Check | None:
    return _made(load(name))


@functools.cache
def _check_of_list(name: str, load: Load) -> _Check | None:
    # The schema has an $id, so its references inside it stay its own.
    return _made({"$schema": load(name)["$schema"], "items": load(name)})


@functools.cache
def _check_of_texts(pattern: str) -> _Check | None:
    return _made({"items": {"pattern": pattern}}, is_linear=True)


def _made(schema: Mapping[str, object], *, is_linear: bool = False) -> _Check | None:
    try:
        # Only here: it is 6 MB of machine code, and most commands validate nothing large.
        import jsonschema_rs
    except ImportError:
        return None
    options = jsonschema_rs.RegexOptions() if is_linear else None
    return jsonschema_rs.validator_for(dict(schema), pattern_options=options).is_valid
