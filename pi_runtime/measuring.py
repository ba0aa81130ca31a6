"""``pi-zoo bench``: measure a file, write the report, answer.

A path to a file is measured inside this program where llama-cpp-python is installed, as the stage ``benchmark`` of the
zoo does it. Everything else is measured through llama-server, as it runs on a board.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pi_runtime import bench as library
from pi_runtime import report, supervise
from pi_runtime.asking import warn
from pi_runtime.settings import InvalidArguments, Settings
from pi_runtime.shape import Shared


def bench(arguments: argparse.Namespace) -> None:
    """Run the cheap checks, measure, write the report, answer."""
    settings = Settings(
        prompt_tokens=arguments.prompt_tokens,
        decode_tokens=arguments.decode_tokens,
        samples=arguments.samples,
        threads=arguments.threads,
        context_tokens=arguments.context,
        device_label=arguments.device,
    )
    settings.check()
    name = arguments.by
    if name is not None and not (name.strip() and len(name) <= 80 and name.isprintable()):
        raise InvalidArguments("--by must have 1 to 80 printable characters, for example 'Ada'.")
    heard = _event if arguments.log == "json" else lambda line, _: warn(line)
    path = Path(arguments.name)
    library.check_file(path)
    if arguments.out is not None:
        report.check_folder(arguments.out)
    result = supervise.measure_in_child(path, settings, heard)
    if name is not None:
        shared: Shared = {**result, "measured_by": name.strip()}
        result = shared
    if arguments.out is not None:
        for written in report.write(result, arguments.out):
            warn(f"wrote {written}")
    sys.stdout.write(report.to_json(result) if arguments.json else report.to_summary(result))
    sys.stdout.flush()


def _event(line: str, runs: int | None) -> None:
    warn(json.dumps({"event": "progress", "text": line, "runs": runs}))
