"""Reading JSON from others: what this returns can be compared, counted, written and hashed.

Python's own reader accepts more than JSON allows (``NaN``, ``Infinity``), turns ``1e999`` into infinity, keeps whole
numbers of any length, which no float can hold, keeps half of a surrogate pair, which no file can hold, and fails in
four different ways. Every reader of a catalog, manifest, report, journal or record goes through ``parse`` instead and
has one error to catch.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections import Counter
from pathlib import Path
from typing import NoReturn, TypeAlias

from catalog import conflicts, plainfiles

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""Whatever a JSON text can hold. What reads it looks which of these it is."""

JsonObject: TypeAlias = dict[str, Json]

LARGEST = 2**53
"""Whole numbers beyond this are not exact in every reader of JSON (RFC 8259, section 6), and our counts, sizes and
numbers of seconds are far below it: in bytes it is 9 petabytes."""

_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_SHOWN = 40


class NotJson(ValueError):
    """The text is not usable JSON. ``what`` says why; line and column count from 1.

    solve: what to do, where the text itself shows that.
    """

    def __init__(self, what: str, line: int = 1, column: int = 1, solve: str = "") -> None:
        super().__init__(what)
        self.what, self.line, self.column, self.solve = what, line, column, solve


def parse(
    text: str | bytes, *, unique: bool = False, agreeing: bool = False, bounded: bool = True, finite: bool = True
) -> Json:
    """The data in JSON text. Raises NotJson, and nothing else.

    unique: a key that is written twice is refused. agreeing: only one with two values is. bounded: so is a whole number
    beyond LARGEST; model folders hold larger ones (``model_max_length``), so their readers turn this off. finite: so
    are NaN and infinity, which the config.json of some models holds (``time_step_limit``).
    """
    try:
        decoded = text.removeprefix("\ufeff") if isinstance(text, str) else text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        assert isinstance(text, bytes)
        line = text.count(b"\n", 0, error.start) + 1
        raise NotJson("it is not UTF-8", line, error.start - text.rfind(b"\n", 0, error.start)) from None

    def refuse(what: str, word: str) -> NoReturn:
        found = decoded.find(word)
        line, column = decoded.count("\n", 0, found) + 1, found - decoded.rfind("\n", 0, found)
        raise NotJson(what, line, column)

    def whole(word: str) -> int:
        # Nobody can use more digits than a float holds.
        limit = 17 if bounded else sys.float_info.max_10_exp
        if len(word) > limit or (bounded and abs(int(word)) > LARGEST):
            refuse(f"the number {_short(word)} is too large", word)
        return int(word)

    def broken(word: str) -> float:
        number = float(word)
        if finite and not math.isfinite(number):
            refuse(f"the number {_short(word)} is too large", word)
        return number

    def constant(word: str) -> float:
        if not finite:
            return float(word)
        refuse(f"{word} is not a number in JSON", word)

    def pairs(found: list[tuple[str, Json]]) -> JsonObject:
        made = dict(found)
        if len(made) != len(found):
            counts = Counter(name for name, _ in found if unique)
            # Of two values the last one counts, so an earlier one may differ.
            differ = (name for name, value in found if json.dumps(value) != json.dumps(made[name]))
            twice = next((name for name, count in counts.items() if count > 1), None) or next(differ, None)
            if twice is None:
                return made
            refuse(f"key {_short(repr(twice))} is written twice", json.dumps(twice))
        return made

    try:
        data: Json = json.loads(
            decoded, parse_int=whole, parse_float=broken, parse_constant=constant,
            object_pairs_hook=pairs if unique or agreeing else None,
        )  # fmt: skip
        if _HALF.search(decoded):
            json.dumps(data, ensure_ascii=False).encode()
    except NotJson:
        raise
    except json.JSONDecodeError as error:
        if line := conflicts.line_of(decoded):
            raise NotJson(conflicts.WHAT, line, 1, conflicts.SOLVE) from None
        raise NotJson(error.msg, error.lineno, error.colno) from None
    except RecursionError:
        raise NotJson("it is nested too deeply") from None
    except ValueError:
        raise NotJson("it contains half of a surrogate pair, which is not a character") from None
    return data


def read(path: Path, *, bounded: bool = True, finite: bool = True) -> Json:
    """The data in a plain JSON file. Raises OSError, NotJson."""
    raw = plainfiles.read_bounded(path, plainfiles.MOST_REPORT_BYTES)
    return parse(raw, bounded=bounded, finite=finite)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]} ..."
