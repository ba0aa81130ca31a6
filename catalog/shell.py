"""Paths in commands that people paste into a shell. Pure."""

from __future__ import annotations

import shlex


def argument(path: str) -> str:
    """The path as one word of a command, which no program takes for an option."""
    return shlex.quote(f"./{path}" if path.startswith("-") else path)
