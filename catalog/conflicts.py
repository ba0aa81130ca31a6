"""A merge that git left to a person: the marks in a text file, and what to do about them. Pure."""

from __future__ import annotations

import re

WHAT = "a merge of git is not finished here"
SOLVE = "Keep what is right of both sides, and delete the lines with <<<<<<<, ======= and >>>>>>>"

_MARK = re.compile(r"^(?:<{7}|>{7})(?: |\r?$)", re.MULTILINE)
_ALL = re.compile(r"^<{7}(?: .*|\r?)$(?:.|\n)*?^={7}\r?$(?:.|\n)*?^>{7}(?: |\r?$)", re.MULTILINE)


def line_of(text: str) -> int:
    """The line of the first mark; 0 if there is none. For formats in which no line begins so."""
    return _line(text, _MARK)


def line_in_prose(text: str) -> int:
    """The same for text in which a mark alone may be meant: only if all three kinds follow each other."""
    return _line(text, _ALL)


def _line(text: str, pattern: re.Pattern[str]) -> int:
    found = pattern.search(text) if "<<<<<<<" in text or ">>>>>>>" in text else None
    return text.count("\n", 0, found.start()) + 1 if found else 0
