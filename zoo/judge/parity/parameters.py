"""What both sides say about the model's shape and constants: the folder's model against the file's header."""

from __future__ import annotations

import math
from collections.abc import Mapping

from zoo.judge.parity.seen import Parameter, Value

SAME_RELATIVE = 1e-5
"""Numbers closer than this are the same: the header holds 32-bit floats."""


def first_difference(ours: Mapping[str, Parameter], theirs: Mapping[str, Parameter]) -> str | None:
    """The first parameter, in the order of ``ours``, that both sides name and that differs, in words; None if all
    agree. Parameters that only one side names are not compared.
    """
    for key, one in ours.items():
        other = theirs.get(key)
        if other is not None and not _same(one.value, other.value):
            return f"{one.name} is {_shown(one.value)} in the folder, {other.name} is {_shown(other.value)} in the file"
    return None


def compared(ours: Mapping[str, Parameter], theirs: Mapping[str, Parameter]) -> int:
    """How many parameters both sides name."""
    return len(set(ours) & set(theirs))


def _same(one: Value, other: Value) -> bool:
    if isinstance(one, frozenset):
        return any(_same(value, other) for value in one)
    if isinstance(one, str) or isinstance(other, str | frozenset):
        return one == other
    return math.isclose(one, other, rel_tol=SAME_RELATIVE)


def _shown(value: Value) -> str:
    if isinstance(value, frozenset):
        return " or ".join(_shown(one) for one in sorted(value))
    return value if isinstance(value, str) else f"{value:.6g}"
