"""Arrays as files for Slurm: a batch script for each, and a script that submits them in their order. Pure.

Slurm's own documentation: https://slurm.schedmd.com/sbatch.html, https://slurm.schedmd.com/job_array.html
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from catalog.words import counted
from zoo.jobs.arrays import Array
from zoo.jobs.files import SUBMIT, Order, megabytes


def files(arrays: Sequence[Array], order: Order) -> dict[str, str]:
    """Name of every file -> its text."""
    scripts = {f"{array.name}.sbatch": _script(array, order) for array in arrays}
    return {SUBMIT: "\n".join(_submit(arrays, order)) + "\n", **scripts}


def _script(array: Array, order: Order) -> str:
    limit = f"%{order.at_most}" if order.at_most else ""
    options = [f"--job-name=zoo-{array.name}", f"--array=0-{len(array.commands) - 1}{limit}"]
    options += ["--ntasks=1", f"--cpus-per-task={order.threads}"]
    if array.memory_bytes is not None:
        options.append(f"--mem={megabytes(array.memory_bytes)}M")
    if array.gpus:
        options.append(f"--gres=gpu:{array.gpus}")
    if array.alone:
        # It measures time.
        options.append("--exclusive")
    # A task whose node is lost starts again, and continues where its step can.
    options += ["--requeue", "--open-mode=append", f"--output=logs/{array.name}-%a.txt"]
    return "\n".join(
        [
            "#!/bin/bash",
            *(f"#SBATCH {option}" for option in options),
            f"# Written by: {order.written_by}",
            "set -euo pipefail",
            f"cd {shlex.quote(order.root)}",
            "commands=(",
            *(f"  {shlex.quote(command)}" for command in array.commands),
            ")",
            'exec bash -c "${commands[$SLURM_ARRAY_TASK_ID]}"',
            "",
        ]
    )


def _submit(arrays: Sequence[Array], order: Order) -> Iterator[str]:
    yield from (
        "#!/bin/bash",
        f"# Written by: {order.written_by}",
        "# Submits every array after those whose results it needs. Arguments are handed to sbatch, such as:",
        "#   ./submit.sh --partition=long --time=24:00:00 --account=ours",
        "# A step that failed stops no other recipe. After a failure, write the files again: finished steps are then",
        "# left out.",
        "set -euo pipefail",
        'cd "$(dirname "$0")"',
        "mkdir -p logs",
    )
    if arrays:
        # A stop between two arrays leaves those before it in the queue.
        yield from (
            "submitted=()",
            "at_the_end() {",
            '  ((${#submitted[@]} == 0)) || echo "To cancel what was submitted: scancel ${submitted[*]}"',
            "}",
            "trap at_the_end EXIT",
        )
    for array in arrays:
        wanted = ":".join(f"${{{_variable(name)}%%;*}}" for name in array.needs)
        after = f' --dependency="afterany:{wanted}"' if wanted else ""
        yield f'{_variable(array.name)}=$(sbatch --parsable "$@"{after} {array.name}.sbatch)'
        yield f'submitted+=("${{{_variable(array.name)}%%;*}}")'
        yield f"echo Submitted {array.name}"
    count = sum(len(array.commands) for array in arrays)
    said = f"Submitted {counted(count, 'step')} in {counted(len(arrays), 'array')}."
    yield f"echo {shlex.quote(f'{said} When all have ended, run: {order.release}')}"


def _variable(name: str) -> str:
    return f"array_{name.partition('-')[0]}"
