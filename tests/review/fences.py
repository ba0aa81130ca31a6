"""Markdown whose hostile words must be in fenced blocks."""

from __future__ import annotations

import re


def outside(text: str) -> str:
    """The lines that are in no block of ``text``. Raises AssertionError if a block has no end."""
    lines, fence = [], ""
    for line in text.splitlines():
        if not fence and (begun := re.fullmatch(r"(`{3,})text", line)):
            fence = begun[1]
        elif fence and line == fence:
            fence = ""
        elif not fence:
            lines.append(line)
    assert not fence
    return "\n".join(lines)
