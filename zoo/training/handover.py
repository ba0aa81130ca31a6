"""What the processes that train together are given: a folder with the training's settings and its rows as tokens."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from catalog import jsontext
from catalog.jsonvalues import table
from catalog.recipe import Distill, build, plain
from catalog.shapes import shaped
from zoo.files import digests
from zoo.training.conversations import EncodedRow
from zoo.training.files import write_json, write_whole

JOB, ROWS = "job.json", "rows.safetensors"
ENDED = "ended-{}.json"
"""With the number of a process, how it ended."""
FAILED, LOG = "failed-{}.json", "processes-{}.log"
"""With the number of a machine, which of its processes failed, and what they printed."""
SEE_LOG = f"The messages of the processes are in {{}}/{LOG.format('*')} of this step's folder"
"""With the name of the handover's folder, what to do about an error that no process could explain."""
MARK = "zoo-training "
"""Begins a line of a process's standard output that is meant for the program."""


@dataclass(frozen=True)
class Handover:
    """A training for several processes. Folders are absolute paths.

    cache: folder of the teacher's answers, complete; None without a teacher. dtype: the name of torch's. threads: of
    each process. patience_seconds: how long one waits for the others before it gives up. sharded: each keeps its share
    of the weights. as_stored: the teacher computes in the format of its weights. served: what is known of a teacher on
    a server, instead of its folder; vllm: the version that computed its answers, if it did.
    """

    student: str
    scratch: str
    teacher: str | None
    cache: str | None
    dtype: str
    device: str
    pad: int
    width: int | None
    threads: int
    patience_seconds: float
    sharded: bool = False
    as_stored: bool = False
    served: dict[str, object] | None = None
    vllm: str | None = None


@dataclass(frozen=True)
class Ended:
    """How a process ended that could still report it. lost: another one was gone. late: that was so after
    the time that it waits for the others."""

    what: str
    safe: str
    remedy: str
    lost: bool
    late: bool


def write(folder: Path, given: Handover, spec: Distill, rows: Sequence[EncodedRow]) -> None:
    """Write the folder; notes of an earlier start are deleted. No copy that was made before has its ``digest``."""
    folder.mkdir(parents=True, exist_ok=True)
    for note in (*folder.glob(ENDED.format("*")), *folder.glob(FAILED.format("*"))):
        note.unlink()
    ends = torch.tensor([0, *(len(row.input_ids) for row in rows)]).cumsum(0)
    ids = torch.tensor([token for row in rows for token in row.input_ids], dtype=torch.int32)
    mask = torch.tensor([wanted for row in rows for wanted in row.mask], dtype=torch.bool)
    write_whole(folder / ROWS, lambda part: save_file({"ends": ends, "ids": ids, "mask": mask}, part))
    write_json(folder / JOB, {"given": asdict(given), "spec": plain(spec), "start": secrets.token_hex(16)})


def digest(folder: Path) -> str:
    """Digest of what ``write`` wrote. Raises OSError for a folder that is not one."""
    return digests.digest([digests.sha256_file(folder / name) for name in (JOB, ROWS)])


def read(folder: Path) -> tuple[Handover, Distill, tuple[EncodedRow, ...]]:
    """What ``write`` wrote. Raises OSError or ValueError for a folder that is not one."""
    job = table(jsontext.read(folder / JOB, bounded=False))
    found = load_file(folder / ROWS)
    spans = list(pairwise(found["ends"].tolist()))
    ids, mask = (found[name].tolist() for name in ("ids", "mask"))
    rows = tuple(
        EncodedRow(f"row {number}", tuple(ids[start:end]), tuple(mask[start:end]))
        for number, (start, end) in enumerate(spans, start=1)
    )
    return shaped(job["given"], Handover), build(Distill, table(job["spec"])), rows
