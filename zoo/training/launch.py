"""Start the processes of a training with torchrun: ``python -m zoo.training.launch FOLDER PROCESSES``.

A process of its own, because torchrun installs handlers of signals. Which processes failed first, and how, is then in
the folder.
"""

from __future__ import annotations

import sys
from pathlib import Path

from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import get_args_parser, run

from zoo.training.files import write_json
from zoo.training.handover import FAILED


def main(folder: Path, processes: str) -> int:
    """0, or 1 if a process failed: the others are stopped then, and the folder has every failed one's exit code."""
    (folder / FAILED).unlink(missing_ok=True)
    options = ["--standalone", "--local-addr=127.0.0.1", f"--nproc-per-node={processes}", "--max-restarts=0"]
    # Else torchrun makes a folder for its records in the system's, and leaves it there.
    options.append(f"--log-dir={folder / 'torchrun'}")
    arguments = [*options, "-m", "zoo.training.worker", str(folder)]
    try:
        run(get_args_parser().parse_args(arguments))  # type: ignore[no-untyped-call]  # of torch
    except ChildFailedError as error:
        write_json(folder / FAILED, {str(rank): one.exitcode for rank, one in error.failures.items()})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
