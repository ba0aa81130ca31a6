"""A TOML file that a person wrote: its values, the line of each, and what is wrong with it in words."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from catalog import conflicts
from catalog.unseen import is_odd_space, named
from zoo.errors import InputError

MAX_BYTES = 64 * 1024
"""Most bytes of a settings file, which normally has a few lines."""


def read(path: Path, *, as_in: str) -> tuple[str, dict[str, object]]:
    """The text and its values. as_in: what to write instead. Raises InputError unless it is TOML."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise InputError(
                f"the file is larger than {MAX_BYTES // 1024} KiB", where=str(path), remedy="Shorten it"
            )
        text = raw.decode("utf-8-sig")
        data = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError("not UTF-8 text", where=f"{path}:{line}", remedy="Save the file as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        if number := conflicts.line_of(text):
            raise InputError(conflicts.WHAT, where=f"{path}:{number}", remedy=conflicts.SOLVE) from error
        why = _odd_space(text) or str(error)
        why = why if len(why) <= 200 else f"{why[:196]} ..."
        fix = "Fix the line named" if "at line" in why else "Fix the end of the file"
        raise InputError(f"not valid TOML: {why}", where=str(path), remedy=fix) from error
    except (ValueError, RecursionError) as error:
        # Python reads no whole number of more than some thousand digits, and no endless nesting.
        what = (
            "it is nested too deeply"
            if isinstance(error, RecursionError)
            else "it has a number that is too long"
        )
        raise InputError(f"not valid TOML: {what}", where=str(path), remedy=as_in) from error
    return text, data


def line_of(text: str, name: str) -> int:
    """The line of a file's text on which a key of the first level is; 0 if it is not found."""
    key = re.compile(rf"\s*(\[\s*)?[\"']?{re.escape(name)}[\"']?\s*[=.\]]")
    return next((number for number, line in enumerate(text.split("\n"), 1) if key.match(line)), 0)


def _odd_space(text: str) -> str | None:
    """Where there is a no-break space or the like outside quotes and comments; None if there is none."""
    for number, line in enumerate(text.split("\n"), 1):
        bare = re.sub(r"\"[^\"]*\"|'[^']*'", lambda quoted: " " * len(quoted.group()), line).partition("#")[0]
        found = next((place for place, char in enumerate(bare, 1) if is_odd_space(char)), None)
        if found:
            return (
                f"{named(bare[found - 1])} is used instead of a plain space (at line {number}, column {found})"
            )
    return None
