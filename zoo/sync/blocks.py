"""Parts of a hand-written file that are made from something else: a block between two comments.

In Markdown ``<!-- zoo sync: NAME -->`` and ``<!-- zoo sync: end -->``, elsewhere the same after ``# ``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from zoo.sync.derived import Disagrees, Make

NAMES = re.compile(r"^(?:<!-- |# )zoo sync: (?!end\b)([\w.-]+)", re.MULTILINE)
"""The name of every block in a text."""


def block(name: str, content: Callable[[Path], str]) -> Make:
    """Replaces what is between the comments of block ``name`` by ``content``, which gets the repository's folder."""

    def make(root: Path, now: str) -> str:
        found = list(
            re.finditer(
                rf"^(<!-- |# )zoo sync: {re.escape(name)}( -->)?\n(.*?)^(<!-- |# )zoo sync: end( -->)?$",
                now,
                re.MULTILINE | re.DOTALL,
            )
        )
        if len(found) != 1:
            raise Disagrees(
                f"the block {name} was found {len(found)} times instead of once",
                remedy=f"Write the lines zoo sync: {name} and zoo sync: end as comments",
            )
        inner = content(root).strip("\n")
        space = "\n" if found[0][2] else ""
        return f"{now[: found[0].start(3)]}{space}{inner}\n{space}{now[found[0].start(4) :]}"

    return make


def fenced(path: str, language: str) -> Callable[[Path], str]:
    """A file of the repository as a fenced block of Markdown."""

    def content(root: Path) -> str:
        text = (root / path).read_text(encoding="utf-8").strip("\n")
        return f"```{language}\n{text}\n```"

    return content


def copy_of(path: str) -> Make:
    """The same text as another file of the repository."""
    return lambda root, _now: (root / path).read_text(encoding="utf-8")
