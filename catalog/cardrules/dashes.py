"""Front matter that is almost valid, and front matter that occurs twice: what is wrong, on which line."""

from __future__ import annotations

import re
from collections.abc import Iterable

from catalog.jsontext import JsonObject
from catalog.problems import Problem, show
from catalog.unseen import named
from catalog.yamltext import parse

_LINE = re.compile(r"\r\n|\r|\n")
_ALMOST = re.compile(r"[ \t]*([-\u2010-\u2015\u2212\ufe58\uff0d]{2,}|\u2014|\.\.\.)[ \t]*\Z")
_KEY = re.compile(r"([A-Za-z][\w-]*)[ \t]*:(?=\s|\Z)")


def none_found(text: str, shown_as: str) -> Problem:
    """Why ``text`` has no header: the line that comes nearest to one, or that there is none."""
    lines = _LINE.split(text)
    first = next((number for number, line in enumerate(lines, 1) if line.strip(" \t")), 1)
    line = lines[first - 1]
    if text.startswith("\ufeff"):
        what, instead = "the card begins with a byte order mark", "Save the file as UTF-8 without one"
        return Problem(shown_as, 1, 1, "", what, instead)
    if fault := _dash_fault(line):
        return Problem(shown_as, first, 1, "", *fault)
    if line.strip() == "---":
        return _unended(lines, first, shown_as)
    what, instead = "the card has no front matter", "Begin it with --- and YAML metadata"
    if found := re.search(r"^---[ \t]*$", text, re.MULTILINE):
        number = text.count("\n", 0, found.start()) + 1
        what = f"the card has no front matter: the --- on line {number} is not its beginning"
        instead = "Move the metadata to the top"
    return Problem(shown_as, 1, 1, "", what, instead)


def _dash_fault(line: str) -> tuple[str, str] | None:
    """What is wrong with a line that was meant to be ``---``, and what to do."""
    if line.strip() == "---":
        behind = line[line.index("---") + 3 :]
        if not behind:
            return None
        word = "spaces follow" if set(behind) == {" "} else f"{named(behind[0])} follows"
        return f"{word} the ---", "Delete what follows the ---"
    unseen = next((char for char in line if char != "-"), "")
    if line.replace(unseen, "").strip() == "---" and unseen and not unseen.isprintable():
        return f"{named(unseen)} is next to the ---", "Delete it"
    if line.startswith("---") and not line.startswith("----"):
        return f"{show(line[3:].strip())} follows the ---", "Write --- alone on its line"
    if line.strip() == "+++":
        return "the front matter begins with +++ (TOML)", "Write it in YAML, between two lines of ---"
    if _ALMOST.match(line) and line.strip() != "...":
        return f"the front matter begins with {show(line.strip())}", "Write three hyphens: ---"
    return None


def _unended(lines: list[str], first: int, shown_as: str) -> Problem:
    for number, line in enumerate(lines[first:], first + 1):
        if _ALMOST.match(line):
            why = "indented" if line.strip() == "---" else show(line.strip())
            what = f"the front matter does not end: its closing line is {why}"
            return Problem(
                shown_as, number, 1, "", what, "Write three hyphens at its beginning, and nothing else"
            )
        if line.startswith("#"):
            break
    what = "the front matter does not end"
    return Problem(shown_as, 1, 1, "", what, "Write --- on a separate line after the metadata")


def second_block(text: str, end: int, shown_as: str, data: JsonObject, known: Iterable[str]) -> Problem | None:
    """A second block of metadata that follows the first, which ends at ``text[end]`` and holds ``data``.

    Text between two thematic breaks is not metadata: a block counts only directly after the first, or with a known key.
    """
    rest = _LINE.split(text[end:])
    before = len(_LINE.split(text[:end])) - 1
    start = next((number for number, line in enumerate(rest) if line.strip()), None)
    if start is None:
        return None
    opened = rest[start].strip() == "---"
    body = start + opened
    close = next((n for n in range(body, len(rest)) if rest[n].strip() == "---"), None)
    if close is None:
        return None
    keys = [match[1] for line in rest[body:close] if (match := _KEY.match(line))]
    if not (set(keys) & set(known) or (opened and start == 0 and keys)):
        return None
    second = parse("\n".join(rest[body:close]).encode("utf-8", "surrogatepass"), shown_as).data
    others = [
        f"{key} is {show(data[key])} and {show(value)}"
        for key, value in (second if isinstance(second, dict) else {}).items()
        if key in data and data[key] != value
    ]
    what = (
        f"a second block of metadata is on lines {before + start + 1} to {before + close + 1}. The first one ends on "
        f"line {before}, and the Hub reads only that one" + (f" ({'; '.join(others[:3])})" if others else "")
    )
    return Problem(
        shown_as,
        before + start + 1,
        1,
        "",
        what,
        "Move what you need into the first block and delete the second",
    )
