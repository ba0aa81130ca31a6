"""Calls commands in one process and prints each answer as JSON.

It needs the standard library and the program only, so any Python that has the program can run it:
``python everycommand.py JSON``, an object with ``calls`` (lists of a folder and words; ``--help`` of every command is
called before them) and ``refused`` (null, or modules and packages to hide, as if they were not installed).
"""

from __future__ import annotations

import contextlib
import importlib.abc
import io
import json
import os
import sys
from importlib import metadata
from typing import Any


class Refuse(importlib.abc.MetaPathFinder):
    """Modules that cannot be found."""

    def __init__(self, modules: list[str]) -> None:
        self.modules = frozenset(modules)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        del path, target
        if name.partition(".")[0] in self.modules:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def hide(modules: list[str], packages: list[str]) -> None:
    """Make this process behave as if these were not installed."""
    sys.meta_path.insert(0, Refuse(modules))
    hidden = frozenset(packages)
    finder = metadata.MetadataPathFinder
    before = finder.find_distributions
    kept: dict[tuple[str, ...], list[metadata.Distribution]] = {}

    def shown(name: str) -> bool:
        return name.lower().replace("_", "-") not in hidden

    def found(context: Any) -> Any:
        if context.name is not None:
            return before(context) if shown(context.name) else ()
        # Commands list all packages hundreds of times, and to read every name took most of the time of all commands.
        path = tuple(context.path)
        if path not in kept:
            kept[path] = [one for one in before(context) if shown(one.metadata["Name"])]
        return iter(kept[path])

    finder.find_distributions = staticmethod(found)


def called(folder: str, words: list[str]) -> dict[str, Any]:
    """The answer of one command: words, code, out, err."""
    from zoo.__main__ import main

    os.chdir(folder)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    return {"words": words, "code": code, "out": out.getvalue(), "err": err.getvalue()}


def helps() -> list[list[str]]:
    """``--help`` of the program, of every command, and of every subcommand."""
    import click

    from zoo import cli

    found = [["--help"]]
    for name in cli.COMMANDS:
        found.append([name, "--help"])
        with contextlib.suppress(Exception):
            command = cli.zoo.get_command(click.Context(cli.zoo), name)
            if isinstance(command, click.Group):
                found += [[name, inner, "--help"] for inner in command.commands]
    return found


def main() -> None:
    asked = json.loads(sys.argv[1])
    if asked["refused"]:
        hide(**asked["refused"])
    here = str(asked["folder"])
    calls = [*((here, words) for words in helps()), *asked["calls"]]
    answers = [called(folder, words) for folder, words in calls]
    json.dump({"answers": answers, "imported": sorted(sys.modules)}, sys.stdout)


if __name__ == "__main__":
    main()
