"""Trainings in several processes on eight short conversations: what the tests of them share."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from shortchats import CHATS, Heard
from tinymodel import make_tiny_llama

from catalog.recipe import Distill
from zoo.training.handover import Handover
from zoo.training.loop import Run, distill

SPEC = Distill(
    method="logits", adapter="none", preset="cpu-small", steps=10, batch_rows=3, row_tokens=64, learning_rate=1e-3,
    warmup_steps=2, top_k=16, temperature=1.0, seed=1, checkpoint_every_steps=3, loss=None, micro_tokens=None,
    gradient_checkpointing=None,
)  # fmt: skip
GIVEN = Handover("student", "scratch", "teacher", "cache", "float32", "cpu", 2, 90, 1, 60.0)
PARTS = {"micro_tokens": 48}
"""So that a process with two conversations, of 32 tokens each, takes one after the other."""


def models(folder: Path) -> Path:
    """The folder, with a student and a teacher."""
    make_tiny_llama(folder / "student", layers=1, seed=0)
    make_tiny_llama(folder / "teacher", layers=2, seed=0)
    return folder


def run(home: Path, name: str, report: Any = None, processes: int = 2, **changes: Any) -> list[float]:
    """Train on eight rows, three in a step, so that the last step of an epoch has two. The losses."""
    of_run = ("patience_seconds", "sharded", "machines", "meeting")
    more = {name: changes.pop(name) for name in of_run if name in changes}
    spec = dataclasses.replace(SPEC, **changes)
    models, folders = (home / "student", home / "teacher"), (home / f"{name}-out", home / f"{name}-scratch")
    done = distill(
        Run(*models, CHATS, [], spec, *folders, report or Heard(), threads=1, processes=processes,
            shared=home / "teachers", **more)
    )  # fmt: skip
    assert done.to_json().get("processes") == (processes if processes > 1 else None)
    return [one["loss"] for one in done.loss_curve]


def trained(home: Path, name: str) -> dict[str, Any]:
    """The float32 weights of the last checkpoint."""
    found: dict[str, Any] = load_file(home / f"{name}-scratch" / "checkpoint-00000010" / "weights.safetensors")
    return found


def processes_of(folder: Path) -> list[int]:
    """The pids that were started for this training, in the order in which they started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in command and b"-c" not in command.split(b"\0"):
                found.append(int(entry.name))
    return sorted(found)


def rank_of(pid: int) -> str | None:
    pairs = (Path("/proc") / str(pid) / "environ").read_bytes().split(b"\0")
    return next((pair[5:].decode() for pair in pairs if pair.startswith(b"RANK=")), None)


class Signalling(Heard):
    """Sends a signal to one of the processes when the training reports the step ``after``; the first report is of the
    steps that were done before."""

    def __init__(self, folder: Path, rank: str, number: int, after: int = 6) -> None:
        super().__init__()
        self.folder, self.rank, self.number, self.after = folder, rank, number, after

    @contextmanager
    def task(self, what: str, total: float | None, unit: str) -> Iterator[Any]:
        del total, unit
        steps = 0

        def advance(amount: float) -> None:
            del amount
            nonlocal steps
            steps += 1
            if what == "distil" and steps == self.after:
                self.act()

        yield advance

    def act(self) -> None:
        (pid,) = (pid for pid in processes_of(self.folder) if rank_of(pid) == self.rank)
        os.kill(pid, self.number)
