"""Whether data follows a schema, decided by ``jsonschema-rs``, a hundred times as fast as by ``jsonschema``.

``sound`` can only accept. What is wrong, and on which line, is always reported by ``catalog.schema``, which decides
alone on machines for which ``jsonschema-rs`` is not built (32-bit boards). A test compares the two on broken data.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping


def sound(data: object, name: str, load: Callable[[str], Mapping[str, object]]) -> bool:
    """True if ``data`` certainly follows the schema that ``load(name)`` gives; False if it needs a closer check."""
    return verdict(data, name, load) is True


def verdict(data: object, name: str, load: Callable[[str], Mapping[str, object]]) -> bool | None:
    """Whether ``data`` follows the schema, where no explanation is needed; None if this cannot decide."""
    check = _check(name, load)
    try:
        return check(data) if check is not None else None
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None


@functools.cache
def _check(name: str, load: Callable[[str], Mapping[str, object]]) -> Callable[[object], bool] | None:
    try:
        # Only here: it is 6 MB of machine code, and most commands validate nothing large.
        import jsonschema_rs
    except ImportError:
        return None
    return jsonschema_rs.validator_for(dict(load(name))).is_valid
