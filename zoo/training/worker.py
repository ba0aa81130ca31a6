"""One of several processes that train together: ``python -m zoo.training.worker FOLDER``, started by torchrun.

The first one writes the checkpoints, and what it reports goes to standard output as lines of JSON. Standard input is
a pipe that the program holds open: when that is gone, for any reason, this process ends, so none is left behind.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import torch
from torch import distributed

import zoo
from catalog.recipe import Distill
from zoo.errors import InputError, ZooError
from zoo.machine.otherpython import OtherPython
from zoo.progress import Advance, Silent
from zoo.training import handover, versions
from zoo.training.conversations import EncodedRow
from zoo.training.files import write_json
from zoo.training.handover import SEE_LOG, Ended, Handover
from zoo.training.objective import Job
from zoo.training.ranks import Ranks
from zoo.training.repeatable import repeatable
from zoo.training.schedule import Batches
from zoo.training.teacher import Question, Share, TeacherCache, cache_teacher
from zoo.training.teacher.served import ServedTeacher
from zoo.training.teacher.vllm import Vllm
from zoo.training.trainer import train

_SOURCE = re.compile(r"\[[^\]\s]*/[^\]\s]*:\d+\] *")
"""As gloo begins its messages: ``[/some/where/pair.cc:534] Connection closed by peer``."""
_AROUND = re.compile(r"^Got the following error when running the callback: RuntimeError: | This is typically .*$")
"""As torch wraps them, with a guess and a greeting."""
ABANDONED = 75
"""Exit code when the program that started the training is gone (EX_TEMPFAIL)."""


class Wire:
    """A reporter whose lines go to the program, if this is the first process. moved: when a step was last finished, by
    ``time.monotonic``."""

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.moved = time.monotonic()

    def say(self, text: str) -> None:
        self._send(say=text)

    def warn(self, text: str) -> None:
        self._send(warn=text)

    @contextmanager
    def task(self, what: str, total: float | None, unit: str) -> Iterator[Advance]:
        """Only the training has a task here, and the program shows it."""
        del what, total, unit

        def advance(amount: float) -> None:
            self.moved = time.monotonic()
            self._send(advance=amount)

        yield advance

    def resumed(self, step: int | None) -> None:
        """The step of the checkpoint that the training continued from."""
        self._send(resumed=step)

    def _send(self, **message: object) -> None:
        if not self.rank:
            print(handover.MARK + json.dumps(message), flush=True)


def main(folder: Path) -> int:
    """Train; 0, or 1 after an error, which is then in the folder."""
    threading.Thread(target=_end_with_the_program, daemon=True).start()
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    report = Wire(rank)
    given, spec, rows = handover.read(folder)
    try:
        device = given.device if given.device != "cuda" else f"cuda:{os.environ['LOCAL_RANK']}"
        with repeatable(given.threads, device):
            _meet(given, device)
            batches = Batches([len(row.input_ids) for row in rows], spec.batch_rows, spec.seed)
            ranks = Ranks(rank, world, given.sharded)
            cache = _cache(given, spec, rows, ranks)
            job = Job(
                spec, rows, batches, cache, getattr(torch, given.dtype), device, given.pad, report, given.width,
                ranks=ranks,
            )  # fmt: skip
            trained = train(Path(given.student), Path(given.scratch), job, given.threads)
            job.ranks.wait()
            report.resumed(trained.resumed)
        distributed.destroy_process_group()
    except ZooError as error:
        _note(folder, rank, Ended(error.what, error.safe, error.remedy, lost=False, late=False))
        return 1
    except (RuntimeError, OSError, ValueError) as error:
        # torch has one class for what a lost connection, a time-out and its own refusals raise.
        late = time.monotonic() - report.moved >= given.patience_seconds
        reason = f"waited for {given.patience_seconds:g} seconds" if late else plain(str(error))
        _note(folder, rank, Ended(reason, "", "", lost=isinstance(error, RuntimeError), late=late))
        return 1
    except Exception as error:  # none of the kinds above, so its traceback goes to the log
        what = f"Process {rank + 1} of {world} of the training failed with {type(error).__name__}: {error}"
        _note(folder, rank, Ended(what[:500], "", SEE_LOG.format(folder.name), lost=False, late=False))
        raise
    return 0


def _end_with_the_program() -> None:
    # Not through sys.stdin, whose lock a thread may not hold when Python ends.
    while os.read(0, 1):
        pass
    os._exit(ABANDONED)


def _meet(given: Handover, device: str) -> None:
    """Wait for the other processes and compare with them. Raises InputError for other versions."""
    if device != "cpu":
        torch.cuda.set_device(device)
    patience = timedelta(seconds=given.patience_seconds)
    distributed.init_process_group("gloo" if device == "cpu" else "nccl", timeout=patience)
    own = {"zoo": zoo.__version__, **versions()}
    every: list[dict[str, str]] = [{} for _ in range(distributed.get_world_size())]
    distributed.all_gather_object(every, own)
    refuse_other_versions(every)


def refuse_other_versions(every: list[dict[str, str]]) -> None:
    """Raise InputError unless all processes, the first one first, have the same versions."""
    for rank, found in enumerate(every):
        for name in sorted(every[0].keys() | found.keys()):
            here, there = every[0].get(name, "none"), found.get(name, "none")
            if here != there:
                raise InputError(
                    f"Process {rank + 1} of the training has {name} {there}, but process 1 has {here}",
                    safe="Nothing was trained. Checkpoints are kept.",
                    remedy="Install the same versions on every machine",
                )


def _cache(given: Handover, spec: Distill, rows: tuple[EncodedRow, ...], ranks: Ranks) -> TeacherCache | None:
    """The teacher's answers, which the program has asked for. Nothing is swept away that another process may write."""
    if given.cache is None:
        return None
    teacher = ServedTeacher(given.served) if given.served else Path(given.teacher or "")
    # It only reads what vLLM has answered.
    vllm = Vllm(OtherPython(Path()), given.vllm) if given.vllm else None
    question = Question(
        teacher, rows, spec.top_k, spec.temperature, given.width, given.device, as_stored=given.as_stored, vllm=vllm
    )
    return cache_teacher(question, Path(given.cache), Silent(), share=Share(ranks.rank, ranks.world))


def plain(text: str) -> str:
    """What a library says on one line, without where in its own source, or from where it was called."""
    said = _SOURCE.sub("", " ".join(text.split())).partition(" At: ")[0]
    return _AROUND.sub("", said).strip().removesuffix(".")[:500]


def _leave(code: int) -> NoReturn:
    """End this process without the interpreter's own teardown.

    All files are written, and the others know. In a teardown that meets a thread of gloo, the C++ library may abort
    the process ("terminate called without an active exception"), and then a complete training would count as failed.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _note(folder: Path, rank: int, ended: Ended) -> None:
    write_json(folder / handover.ENDED.format(rank), asdict(ended))


if __name__ == "__main__":
    _leave(main(Path(sys.argv[1])))
