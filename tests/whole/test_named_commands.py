"""Every command that a message names can be run as it stands: with the name that it needs, and the user's options."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import click

from zoo.cli import zoo
from zoo.commandline import TAKES

ROOT = Path(__file__).resolve().parents[2]
OFFERED = re.compile(r"(?:\A|: |`|run |with )zoo ([a-z]+)((?: [^\s`]+)*)")
"""A command as messages offer it, and the words after it."""

WORD = re.compile(r"[A-Z{<~\d]|[\w.-]+[./@:-][\w./@:-]*|last\Z|data\Z")
"""A name, a placeholder for one, a path, or what is written in its place."""

PROSE = {
    ("catalog/lock.py", "lock"): "a comment in a file, about the program",
    ("catalog/paths.py", "lock"): "says what the command writes",
    ("zoo/choose/runtimes.py", "pull"): "the title of a way to run a model",
    ("zoo/cli/corpus.py", "corpus"): "the files follow",
    ("zoo/cli/review.py", "review"): "the revisions follow",
    ("zoo/plan/corpuslimits.py", "corpus"): "the files follow, or it is about the command",
    ("zoo/upkeep/reproduce/rebuild.py", "reproduce"): "where a setting comes from",
}
"""Where a command stands without a name, and why."""

UNREPEATED = {
    "catalog/yanks.py": "zoo.catalogfile adds the flags, see commandline.flagged",
    "zoo/pull/names.py": "the command adds the flags, see commandline.flagged",
    "zoo/pull/verifying.py": "the receipt of a folder knows no flags",
    "zoo/catalogfile.py": "no flag of the command that failed is one of a release",
    "zoo/site/roadmap.py": "a table on a page of the site, for everybody",
    "zoo/views": "screens of a zoo, which flags do not change",
}
"""Where a command that takes settings is written with a name but without the user's flags, and why."""


def needing(command: click.Command, *words: str) -> Iterator[str]:
    """The commands that need a name or a path."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found
            yield from needing(found, *words, name)
    elif any(isinstance(one, click.Argument) and one.required for one in command.params):
        yield " ".join(words)


@functools.cache
def texts() -> list[tuple[str, str]]:
    """Every text of the program that names a command, but no documentation, with its file. ``{}`` stands for what is
    put in."""
    return [(where, text) for where, text in _texts() if "zoo " in text]


def _texts() -> Iterator[tuple[str, str]]:
    for path in sorted([*ROOT.glob("zoo/**/*.py"), *ROOT.glob("catalog/**/*.py")]):
        raw = path.read_text(encoding="utf-8")
        if "zoo " not in raw:
            continue
        nodes = list(ast.walk(ast.parse(raw)))
        skipped = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        skipped |= {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in nodes:
            if id(node) in skipped:
                continue
            where = str(path.relative_to(ROOT))
            if isinstance(node, ast.JoinedStr):
                yield where, "".join(str(one.value) if isinstance(one, ast.Constant) else "{}" for one in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield where, node.value


def test_a_command_that_needs_a_name_has_one() -> None:
    needy = {*needing(zoo), "publish", "release"}
    bare, seen = [], set()
    for where, text in texts():
        for found in OFFERED.finditer(text):
            name, words = found[1], found[2].split()
            if words and f"{name} {words[0]}" in needy:
                words = words[1:]
            elif name not in needy:
                continue
            if (words and WORD.match(words[0])) or words[:1] == ["--all"]:
                continue
            seen.add((where, name))
            if (where, name) not in PROSE:
                bare.append(f"{where}: {found[0]}")
    assert not bare, "\n".join(bare)
    assert seen == PROSE.keys(), "no line of the list is out of date"


def test_the_flags_of_the_user_are_repeated_in_one_place() -> None:
    """A command with settings comes from ``zoo.commandline``, which adds the flags."""
    command, loose, seen = re.compile(r"\bzoo ([a-z]+) \{\}"), [], set()
    for where, text in texts():
        if any(found[1] in TAKES for found in command.finditer(text)):
            place = next((one for one in UNREPEATED if where.startswith(one)), "")
            seen.add(place)
            if not place:
                loose.append(f"{where}: {text}")
    assert not loose, "\n".join(loose)
    assert seen == UNREPEATED.keys(), "no line of the list is out of date"
