"""What the processes of ``zoo build --step`` did in a tiny zoo."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import tinyzoo


def begun(zoo: Path) -> Counter[str]:
    """How often every step began, by its key."""
    return begun_in(zoo / "build/work")


def begun_in(work: Path) -> Counter[str]:
    """The same of a work folder."""
    lines = [line for path in (work / "runs").glob("*.jsonl") for line in path.read_text().splitlines()]
    events = [json.loads(line) for line in lines if '"step_begin"' in line]
    return Counter(event["key"] for event in events if event["event"] == "step_begin")


def released(zoo: Path) -> dict[str, dict[str, str]]:
    """The files of both releases."""
    return {name: tinyzoo.files_of(zoo / "build/releases" / name / "1.0.0") for name in ("plain", "tutored")}


def worker(step: str, zoo: Path) -> int:
    """The process that makes a step now in the folder of a zoo; 0 if there is none."""
    return _process(step, lambda place, _: (place / "cwd").resolve() == zoo.resolve())


def worker_for(step: str, work: Path) -> int:
    """The same in a work folder that the process was told, as on a node of a cluster."""
    return _process(step, lambda _, words: str(work) in words)


def _process(step: str, is_ours: Callable[[Path, list[str]], bool]) -> int:
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().decode().split("\0")
            if "--share" in words and step in words and is_ours(place, words):
                return int(place.name)
        except OSError:
            continue
    return 0
