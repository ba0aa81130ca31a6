"""What a node of a Ray cluster runs. Ray imports this module there by its name, so ``zoo`` must be installed on it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from zoo import stopping
from zoo.jobs.processes import finish

MOST_LINES = 2000
"""Of what a process writes; the last ones are kept."""
_BY_RAY = ("OMP_NUM_THREADS",)
"""Variables that Ray sets for its workers. A step's threads are a setting of zoo."""


def make(words: Sequence[str], root: str, variables: Mapping[str, str]) -> tuple[int, list[str]]:
    """Make a step: its exit code, as ``subprocess`` reports it, and what it wrote to stderr.

    words: of the command, after ``python -P``. root: the zoo's folder. variables: of its environment. If this process
    ends, or Ray cancels the task, the step ends with it.
    """
    environment = {name: text for name, text in os.environ.items() if name not in _BY_RAY} | {**variables}
    process = stopping.start(
        [sys.executable, "-P", *words], cwd=root, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, errors="replace",
    )  # fmt: skip
    try:
        assert process.stderr
        lines = deque(process.stderr, MOST_LINES)
        return process.wait(), list(lines)
    finally:
        if process.poll() is None:
            process.terminate()
            finish(process)


def look(marker: str) -> Mapping[str, str]:
    """What the node of this process is: its host, its versions, and the text of the file ``marker``, "" if it is not
    there."""
    from zoo.plan import world

    try:
        seen = Path(marker).read_text(encoding="utf-8")
    except OSError:
        seen = ""
    return {"host": platform.node(), "python": platform.python_version(), "seen": seen, **world.tool_versions()}
