"""The command that a message tells the user to run, with the flags that the user gave and that command has. Pure."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable, Mapping

from zoo.settings import Settings

EVERY = ("namespace", "hub", "work", "releases", "catalog", "evidence", "threads", "device")
TAKES: Mapping[str, tuple[str, ...]] = {
    "build": EVERY,
    "catalog": ("catalog",),
    "card": ("catalog", "evidence", "hub", "releases"),
    "collection": ("namespace", "hub", "catalog", "collection"),
    "publish": EVERY,
    "release": EVERY,
    "show": ("catalog", "releases"),
    "sign": EVERY,
    "unyank": ("catalog", "hub", "releases"),
    "verify": ("catalog", "hub", "releases"),
    "watch": ("catalog", "hub", "evidence", "releases"),
    "yank": ("catalog", "hub", "releases"),
}
"""The settings that each command has as flags. The commands themselves read it, so no message names one that fails."""


Command = Callable[..., str]
"""Gives a command line for the words that it is called with."""


def line(settings: Settings, command: str, *words: str, hub: str = "") -> str:
    """``zoo COMMAND WORDS`` with the user's flags, unless the words have them. hub: a hub that it must name instead."""
    given = {name: value.text for name, value in settings.values.items() if value.origin.startswith("flag")}
    return with_flags(given | ({"hub": hub} if hub else {}), command, *words)


def with_flags(given: Mapping[str, str | None], command: str, *words: str) -> str:
    """The same, of flags by the name of their setting; also for a command outside a zoo."""
    named = {name: text for name, text in given.items() if text and name in TAKES[command] and f"--{name}" not in words}
    return " ".join(["zoo", command, *words, *(f"--{name} {shlex.quote(text)}" for name, text in named.items())])


def of(settings: Settings, command: str, *first: str) -> Command:
    """Gives the lines that begin with these words."""
    return functools.partial(line, settings, command, *first)
