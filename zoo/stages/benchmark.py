"""benchmark: load time, speed and memory of one file on this machine, measured by ``pi_runtime`` in its own process."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections import deque
from pathlib import Path
from typing import TypedDict

from catalog import jsontext
from catalog.jsonvalues import text, whole
from catalog.shapes import shaped
from zoo import stopping
from zoo.errors import ZooError
from zoo.files.whole import place_file
from zoo.machine import endings
from zoo.stages import Context, Facts
from zoo.stages.artifact import MODEL_FILE

ENGINE = "zoo.llama.measure.speed"
"""What computes for ``pi_runtime``, which itself knows only llama.cpp's server."""

REPORTS = ("bench.json", "bench.csv")


def run(context: Context) -> Facts:
    """Writes ``bench.json`` and ``bench.csv``; the facts have only the settings, because a measurement is not
    constant."""
    file_name = text(context.spec["file_name"])
    # The report uses the file's published name.
    named = context.scratch / file_name
    named.unlink(missing_ok=True)
    place_file(context.inputs["model"].path(MODEL_FILE), named)
    # A new folder each time: a measuring process that survived a kill may still write into the last one.
    made = Path(tempfile.mkdtemp(prefix="report-", dir=context.scratch))
    command = [sys.executable, "-P", "-m", "pi_runtime", "bench", str(named), "--out", str(made), "--log", "json"]
    command += ["--engine", shlex.join([sys.executable, "-P", "-m", ENGINE])]
    for option in ("prompt_tokens", "decode_tokens", "samples"):
        command += [f"--{option.replace('_', '-')}", str(context.spec[option])]
    _measure([*command, "--threads", str(context.threads)], context)
    for suffix, name in ((".json", REPORTS[0]), (".csv", REPORTS[1])):
        (path,) = made.glob(f"*{suffix}")
        path.rename(context.out / name)
    named.unlink()
    report = shaped(jsontext.read(context.out / REPORTS[0]), _Verdict)
    if not report["valid"]:
        context.report.warn(
            f"{file_name}: disturbed by other work, so the figures are not valid "
            f"({'; '.join(report['reasons'])})"
        )
    return dict(context.spec)


class _Verdict(TypedDict):
    valid: bool
    reasons: list[str]


def _measure(command: list[str], context: Context) -> None:
    """Run the measuring process. Its progress is one JSON object per line; any other output explains a failure."""
    last: deque[str] = deque(maxlen=3)
    search = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, search))}
    with context.report.task("measuring", whole(context.spec["samples"]) + 1, "runs") as advance:
        process = stopping.start(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
        )
        try:
            assert process.stderr
            done = 0
            for line in process.stderr:
                runs = _runs(line)
                if runs is None:
                    last.append(line.strip())
                else:
                    advance(runs - done)
                    done = runs
            code = process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if code:
        ended = endings.fault(f"the measurement of {context.spec['file_name']}", code, " ".join(last))
        raise ended or ZooError(
            f"{context.spec['file_name']} could not be measured: {' '.join(last)}", remedy="zoo doctor"
        )


def _runs(line: str) -> int | None:
    """How many runs are done according to a progress line; None for any other line."""
    try:
        event = jsontext.parse(line)
    except jsontext.NotJson:
        return None
    found = event.get("runs") if isinstance(event, dict) else None
    return found if isinstance(found, int) else None
