"""Problems as GitHub shows them: annotations on the lines of a pull request, and the complete list in the job summary.

GitHub shows ten errors of a step and silently drops the others. The text of a pull request is a stranger's: in the
summary all of it is in one block of code, in which nothing is a link, a mention, an image or HTML.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from catalog.problems import Problem
from catalog.words import counted

MOST = 10
"""Errors of one step that GitHub shows on the lines."""

MOST_SUMMARY_BYTES = 1_000_000
"""GitHub refuses the summary of a step above 1 MiB."""


def on_lines(problems: Sequence[Problem], command: str) -> list[str]:
    """At most MOST annotations, the best first: the first problem of each file, then the second of each, and so on.
    The last one says how many problems have none. command: what lists all of them on the contributor's machine."""
    ordered = best_first(problems)
    shown = ordered[:MOST]
    if more := len(ordered) - len(shown):
        words = (
            f"{counted(more, 'more problem')} not shown on the lines: see the job summary, or run: {command}"
        )
        shown[-1] = replace(shown[-1], instead=f"{_sentence(shown[-1].instead)} {words}")
    return [problem.as_github() for problem in shown]


def best_first(problems: Sequence[Problem]) -> list[Problem]:
    """Every problem once, the first of each file first: a later one is often a consequence of an earlier one."""
    by_file: dict[str, list[Problem]] = {}
    for problem in sorted(set(problems)):
        by_file.setdefault(problem.file, []).append(problem)
    ranked = [(at, problem) for group in by_file.values() for at, problem in enumerate(group)]
    return [problem for _, problem in sorted(ranked)]


def summary(problems: Sequence[Problem], hints: Sequence[Problem], files: int, command: str) -> str:
    """Everything that was found, as Markdown for the job summary, at most MOST_SUMMARY_BYTES."""
    if not problems:
        head = f"### Check: {counted(files, 'file')} checked, no problems\n"
    else:
        broken = counted(len({problem.file for problem in problems}), "file")
        head = f"### Check: {counted(len(problems), 'problem')} in {broken}\n"
    foot = f"\nTo see the same list on your machine, run in your clone:\n\n{fenced([command])}"
    parts = [head]
    space = MOST_SUMMARY_BYTES - len((head + foot).encode()) - 1000
    for title, found in (("", problems), ("Worth a look, but allowed:\n\n", hints)):
        if found:
            lines = cut([str(problem) for problem in sorted(set(found))], space, command)
            space -= sum(len(line.encode()) + 1 for line in lines)
            parts.append(f"\n{title}{fenced(lines)}")
    return "".join([*parts, foot if problems else ""])


def cut(lines: Sequence[str], most_bytes: int, command: str) -> list[str]:
    """The lines that fit, and one that says how many do not."""
    kept: list[str] = []
    used = 0
    for at, line in enumerate(lines):
        used += len(line.encode()) + 1
        if used > most_bytes:
            return [*kept, f"... and {len(lines) - at} more. To see all of them, run: {command}"]
        kept.append(line)
    return kept


def fenced(lines: Sequence[str]) -> str:
    """Lines as a block of code that no line of them can end."""
    text = "\n".join(lines)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}\n"


def _sentence(text: str) -> str:
    return text if text.endswith(("?", ".")) else f"{text}."
