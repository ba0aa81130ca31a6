"""The stages of a recipe, one file each: (spec, input artifacts, context) to files in ``context.out`` and facts.

A stage writes only below ``out`` (empty at the start, moved into place when it returns) and ``scratch`` (kept after
a kill, so that the stage can continue). The facts that it returns are stored with the artifact and must not depend on
the clock or on paths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from zoo import extras
from zoo.machine.otherpython import OtherPython
from zoo.progress import Reporter
from zoo.settings import NO_TEACHER, Teacher
from zoo.stages.artifact import Artifact
from zoo.stages.table import STAGES


@dataclass(frozen=True)
class Context:
    """What a stage may use. ``work`` is the work folder, for caches that several recipes share; ``teacher`` is the
    server of a teacher that is asked over HTTP, ``vllm`` the environment that has vLLM, ``redaction_key`` the file with
    the secret key of redacted rows, ``meeting`` the host and port where other machines find a training."""

    spec: Mapping[str, object]
    inputs: Mapping[str, Artifact]
    out: Path
    scratch: Path
    root: Path
    work: Path
    threads: int
    device: str
    report: Reporter
    teacher: Teacher = NO_TEACHER
    redaction_key: Path | None = None
    vllm: OtherPython | None = None
    meeting: tuple[str, int] | None = None


Facts = Mapping[str, object]
"""A stage's facts about the files that it made, ready for JSON."""
Stage = Callable[[Context], Facts]


def stage(name: str) -> Stage:
    """The function of a stage; its heavy imports happen only here. Raises MissingExtra."""
    run: Stage = extras.load(f"zoo.stages.{STAGES[name].module or name}").run
    return run
