"""The command that a message tells the user to run, with the flags that the user gave and that command has. Pure."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Callable, Mapping

from zoo.settings import Settings

EVERY = ("namespace", "hub", "work", "releases", "catalog", "evidence", "threads", "device")
TAKES: Mapping[str, tuple[str, ...]] = {
    "build": EVERY,
    "catalog": ("catalog",),
    "card": ("catalog", "evidence", "hub", "releases"),
    "collection": ("namespace", "hub", "catalog", "collection"),
    "plan": ("work", "threads", "device"),
    "publish": EVERY,
    "pull": ("catalog", "hub"),
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
    return with_flags(given(settings) | ({"hub": hub} if hub else {}), command, *words)


def given(settings: Settings) -> dict[str, str | None]:
    """The flags of the user, by the name of their setting."""
    return {name: value.text for name, value in settings.values.items() if value.origin.startswith("flag")}


def with_flags(flags: Mapping[str, str | None], command: str, *words: str) -> str:
    """The same, of flags by the name of their setting; also for a command outside a zoo."""
    named = {name: text for name, text in flags.items() if text and name in TAKES[command] and f"--{name}" not in words}
    return " ".join(["zoo", command, *words, *(f"--{name} {shlex.quote(text)}" for name, text in named.items())])


_UNNAMED = re.compile(r"zoo (\w+) NAME((?: --[\w-]+)*)")


def named(text: str, name: str, command: Command) -> str:
    """A remedy of a room that knows neither the model nor the user's flags, such as ``zoo publish NAME --repair``, with
    both. command: gives a line with the flags."""
    return _UNNAMED.sub(lambda found: command(found[1], shlex.quote(name), *found[2].split()), text)


_NAMED = re.compile(r"zoo (?:pull|show) \S+?(?=[.,;]?(?:\s|$))")


def flagged(text: str, flags: Mapping[str, str | None]) -> str:
    """A remedy of a room that does not know the user's flags, such as ``See: zoo show my-model``, with them."""
    return _NAMED.sub(lambda found: with_flags(flags, *found[0].split()[1:]), text)


def of(settings: Settings, command: str, *first: str) -> Command:
    """Gives the lines that begin with these words."""
    return functools.partial(line, settings, command, *first)
