"""Problems as the answer of a command: for people, as JSON, or as annotations of a pull request."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from catalog.problems import Problem
from catalog.words import counted
from zoo.cli.common import Call
from zoo.output import visible
from zoo.review import lines

FORMAT = click.option(
    "--format",
    "format_",
    type=click.Choice(["human", "json", "github"]),
    default="human",
    help="How to print problems. github makes annotations in a pull request, and writes the job summary.",
)


@dataclass(frozen=True)
class Findings:
    """data: what the answer as JSON has besides the problems. files: how many were checked. hints: allowed, but worth a
    look. note: a sentence on what was counted, after the number of files or problems."""

    data: Mapping[str, object]
    files: int
    problems: Sequence[Problem]
    hints: Sequence[Problem] = ()
    note: str = ""


def answer(call: Call, found: Findings, format_: str, again: str) -> int:
    """Print what was found; 2 if there are problems, else 0. again: the command that lists all of them."""
    output = dataclasses.replace(call.output, json=call.output.json or format_ == "json")
    words = [str(problem) for problem in found.problems]
    if format_ == "github":
        words = _for_github(call, found, again)
    count = f"{counted(found.files, 'file')} checked"
    if not found.problems and format_ == "human":
        words = [f"{count}, no problems.{found.note}"]
    output.answer(
        {
            **found.data,
            "problems": [p.as_dict() for p in found.problems],
            "hints": [p.as_dict() for p in found.hints],
        },
        "\n".join(words),
        annotations=format_ == "github",
    )
    for hint in found.hints:
        output.say(f"hint: {hint}")
    if found.problems:
        output.say(f"{count}, {counted(len(found.problems), 'problem')}.{found.note}")
    return 2 if found.problems else 0


def _for_github(call: Call, found: Findings, again: str) -> list[str]:
    """Lines for the log: annotations, then the problems that have none. Everything goes into the job summary."""
    problems = list(found.problems)
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(path).open("a", encoding="utf-8", errors="backslashreplace") as stream:
                stream.write(lines.summary(problems, list(found.hints), found.files, again))
        except OSError as error:
            call.output.warn(f"the job summary cannot be written ({error.strerror}); everything is in the log")
    others = lines.best_first(problems)[lines.MOST :]
    return [*lines.on_lines(problems, again), *(visible(str(problem)) for problem in others)]
