"""What a node of a Ray cluster runs. Ray imports this module there by its name, so ``zoo`` must be installed on it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from zoo import __version__, stopping
from zoo.files.digests import canonical_json
from zoo.jobs import depot, trim
from zoo.jobs.depot import Depot
from zoo.jobs.processes import finish

MOST_LINES = 2000
"""Of what a process writes; the last ones are kept."""
_BY_RAY = ("OMP_NUM_THREADS",)
"""Variables that Ray sets for its workers. A step's threads are a setting of zoo."""


def make(
    words: Sequence[str], root: str, variables: Mapping[str, str],
    begun: Callable[[subprocess.Popen[str]], None] = lambda _: None,
) -> tuple[int, list[str]]:  # fmt: skip
    """Make a step: its exit code, as ``subprocess`` reports it, and what it wrote to stderr.

    words: of the command, after ``python -P``. root: the zoo's folder. variables: of its environment. begun: gets the
    process. If this process ends, the step ends with it.
    """
    environment = {name: text for name, text in os.environ.items() if name not in _BY_RAY} | {**variables}
    process = stopping.start(
        [sys.executable, "-P", *words], cwd=root, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, errors="replace",
    )  # fmt: skip
    try:
        begun(process)
        assert process.stderr
        lines = deque(process.stderr, MOST_LINES)
        return process.wait(), list(lines)
    finally:
        if process.poll() is None:
            process.terminate()
            finish(process)


def look(marker: str) -> Mapping[str, str]:
    """What the node of this process is: see ``zoo.jobs.nodes.FACTS``. "seen" is the text of the file ``marker``, "" if
    it is not there. Raises InputError for a bound of the node's folder that is not a number."""
    from zoo.machine import processor
    from zoo.plan import world

    try:
        seen = Path(marker).read_text(encoding="utf-8")
    except OSError:
        seen = ""
    facts = {"host": platform.node(), "seen": seen, "processor": canonical_json(asdict(processor.here()))}
    versions = {"zoo": __version__, "python": platform.python_version(), **world.tool_versions()}
    folder = depot.place()
    return facts | {"folder": str(folder), "keeps_bytes": str(trim.most_bytes(folder))} | versions


def lacking(keys: Sequence[str], digests: Sequence[str]) -> tuple[list[str], list[str]]:
    """The finished steps and the files that this node would be sent. Nothing is read for it."""
    there = Depot()
    return there.steps_missing(keys), [one for one in digests if not there.blobs.path(one).exists()]


class Seat(Depot):
    """A place on a node. While it exists, Ray keeps a step's threads, memory and GPUs for it."""

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(folder)
        self._process: subprocess.Popen[str] | None = None

    def look(self, marker: str) -> Mapping[str, str]:
        """See ``look``."""
        return look(marker)

    def make(self, words: Sequence[str], root: str, variables: Mapping[str, str]) -> tuple[int, list[str]]:
        """See ``make``."""
        return make(words, root, variables, self._begun)

    def stop(self) -> None:
        """Ask the process of the step to end."""
        if self._process:
            self._process.terminate()

    def _begun(self, process: subprocess.Popen[str]) -> None:
        self._process = process
