"""Start this machine's processes of a training with torchrun: ``python -m zoo.training.launch FOLDER PLACE``.

A process of its own, because torchrun installs handlers of signals. Which processes failed by themselves, and how, is
then in the folder; those that torchrun ended because of them are not. PLACE is a ``meeting.Place`` as JSON.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from torch import distributed
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import get_args_parser, run

from catalog import jsontext
from catalog.shapes import shaped
from zoo.training.files import write_json
from zoo.training.handover import ENDED, FAILED, Ended
from zoo.training.meeting import Place

_TOGETHER_SECONDS = 600
"""Within these the machines have imported torch."""


class Ending(logging.Filter):
    """The pids of the processes that torchrun ends, from its log: the exit codes alone do not say who sent a signal."""

    def __init__(self) -> None:
        super().__init__()
        self.pids: set[int] = set()

    @classmethod
    @contextmanager
    def watched(cls) -> Iterator[Ending]:
        """Listens inside the block."""
        ending, log = cls(), logging.getLogger("torch.distributed.elastic.multiprocessing.api")
        log.addFilter(ending)
        yield ending
        log.removeFilter(ending)

    def filter(self, record: logging.LogRecord) -> bool:
        """Remember the pid that the record is about; every record passes."""
        if str(record.msg).startswith("Sending process %s") and isinstance(record.args, tuple):
            self.pids.add(int(str(record.args[0])))
        return True


def main(folder: Path, place: Place) -> int:
    """0, or 1 if a process failed: the others are ended then, and the folder has the exit codes of those that were
    not.
    """
    failed = folder / FAILED.format(place.number)
    failed.unlink(missing_ok=True)
    options = [*_meeting(place), f"--nproc-per-node={place.processes}", "--max-restarts=0"]
    # Else torchrun makes a folder for its records in the system's, and leaves it there.
    options.append(f"--log-dir={folder / f'torchrun-{place.number}'}")
    arguments = [*options, "-m", "zoo.training.worker", str(folder)]
    with Ending.watched() as ending:
        try:
            run(get_args_parser().parse_args(arguments))  # type: ignore[no-untyped-call]  # of torch
        except ChildFailedError as error:
            own = {str(rank): one.exitcode for rank, one in error.failures.items() if one.pid not in ending.pids}
            write_json(failed, own)
            return 1
        except distributed.DistStoreError:
            what = f"Another machine was ready, but did not begin within {_TOGETHER_SECONDS // 60} minutes"
            late = Ended(what, "", "See what zoo join said there. Then run it again", lost=False, late=False)
            write_json(folder / ENDED.format(place.number * place.processes), asdict(late))
            return 1
    return 0


def _meeting(place: Place) -> list[str]:
    """How the processes find each other, for torchrun."""
    if place.machines == 1:
        return ["--standalone", "--local-addr=127.0.0.1"]
    return [
        f"--nnodes={place.machines}", f"--node-rank={place.number}", f"--local-addr={place.own}",
        "--rdzv-backend=static", f"--master-addr={place.address}", f"--master-port={place.port}",
        f"--rdzv-conf=timeout={_TOGETHER_SECONDS}",
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), shaped(jsontext.parse(sys.argv[2]), Place)))
