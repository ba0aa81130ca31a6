"""Paths as people name them on the command line."""

from __future__ import annotations

from pathlib import Path

from catalog.problems import show
from zoo.errors import InputError


def named_path(text: str) -> Path:
    """The path, with a home folder in place of ``~``. Raises InputError if that is not known."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise InputError(f"the home folder of {show(text)} is not known", remedy="Write the path out") from error
