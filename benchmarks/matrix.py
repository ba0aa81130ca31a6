"""The portability matrix: are the starter recipes released on other machines too, and with how much margin?

Each cell is ``zoo release`` of one starter recipe in a separate zoo, with torch and llama.cpp limited to certain
instructions, a number of threads and a training seed. No cell may be refused; the document has every gate's figure and
bound, and the sentence of a refusal. A finished cell is kept in ``build/matrix`` and reused while the program is the
same, so the matrix resumes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from benchmarks import commands, machines
from benchmarks.machines import FOLDER, ROOT, Debian, Llama, Torch
from benchmarks.pairs import Say, tell, versions
from catalog import schema
from pi_runtime import system
from zoo.errors import ZooError
from zoo.files.digests import pretty_json
from zoo.files.whole import write_atomic

SCHEMA = "benchmark-matrix/1"
PLAIN, TRAINED = "smollm2-135m-instruct", "smollm2-tutor-57m"
SEEDS = (0, 1, 2, 3, 4)
"""Added to the recipe's training seed; 0 is the unchanged recipe."""
THREADS = (2, 1)
DEBIAN = Debian("trixie", "python3.13")
# No gate of the starter recipes reads speeds or task probes: the fewest samples that a report may have, and no probes.
BENCHMARK = {"prompt_tokens": 8, "decode_tokens": 4, "samples": 5}
SLOW_BUILD, SLOW_WINDOWS = "sse42", 4
"""Without F16C the file in 16 bits is some 20 times slower. Fewer windows only widen the intervals that gates judge."""


@dataclass(frozen=True)
class Cell:
    """One release. seed: added to the recipe's seed of the training; None if nothing is trained."""

    recipe: str
    torch: str
    llama: str
    threads: int
    seed: int | None

    @property
    def id(self) -> str:
        seed = "" if self.seed is None else f"-seed{self.seed}"
        return f"{self.recipe}-torch-{self.torch}-llama-{self.llama}-{self.threads}t{seed}"


def cells(torch: Sequence[str], llama: Sequence[str]) -> list[Cell]:
    """Every training (level of torch x seed), and every build of llama.cpp x threads of the recipe without one.

    The trained ones use the builds and the threads in turn, so that every pair of two settings occurs. The cells that
    differ most from the recipe's own machine come first.
    """
    trained = [
        Cell(TRAINED, level, llama[(row + seed) % len(llama)], THREADS[(row + seed // 2) % 2], seed)
        for seed in SEEDS
        for row, level in enumerate(torch)
    ]
    plain = [
        Cell(PLAIN, torch[(row + count) % len(torch)], build, threads, None)
        for count, threads in enumerate(THREADS)
        for row, build in enumerate(llama)
    ]
    return [*plain, *trained]


def program_sha256() -> str:
    """Digest of everything that affects a release: the program, the recipes and the pinned versions."""
    found = hashlib.sha256()
    names = [ROOT / "constraints.txt"]
    for folder in ("zoo", "catalog", "pi_runtime", "recipes"):
        names += sorted(p for p in (ROOT / folder).rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    for path in names:
        found.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def run_cell(cell: Cell, torch: Torch, python_path: Path | None) -> dict[str, Any]:
    """Release it and return the outcome; the zoo is kept if the release was refused.

    Trainings on one level of torch share a zoo, so that the teacher answers once for all seeds. No step of llama.cpp is
    reused there: its steps follow the training, whose key has the seed.
    """
    home = FOLDER / "cells" / (cell.id if cell.seed is None else f"{cell.recipe}-torch-{cell.torch}")
    if cell.seed is None:
        shutil.rmtree(home, ignore_errors=True)
    zoo = commands.find("zoo")
    paths = [str(p) for p in (python_path, os.environ.get("PYTHONPATH")) if p]
    environment = {**commands.ENVIRONMENT, **torch.environment, "PYTHONPATH": os.pathsep.join(paths)}
    if not home.is_dir():
        commands.output([zoo, "init", str(home)], environment=environment)
    shutil.copyfile(ROOT / "recipes" / f"{cell.recipe}.yaml", home / "recipes" / f"{cell.recipe}.yaml")
    _edit(home / "recipes" / f"{cell.recipe}.yaml", cell)
    # Another seed is another release of the same version.
    for left in ("build/releases", "build/hub"):
        shutil.rmtree(home / left, ignore_errors=True)
    (home / "model_catalog.json").unlink(missing_ok=True)
    began = time.monotonic()
    done = subprocess.run(
        [zoo, "release", "--threads", str(cell.threads), cell.recipe],
        cwd=home, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = {
        **asdict(cell),
        "exit_code": done.returncode,
        "seconds": round(time.monotonic() - began, 1),
        **_evidence(home / "build" / "releases" / cell.recipe),
    }
    if done.returncode:
        found["said"] = [line for line in done.stderr.splitlines() if line.strip()][-8:]
    elif cell.seed is None:
        shutil.rmtree(home)
    return found


def _edit(path: Path, cell: Cell) -> None:
    recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    recipe |= {"benchmark": BENCHMARK, "probes": []}
    if cell.llama == SLOW_BUILD:
        recipe["evaluate"]["windows"] = min(SLOW_WINDOWS, recipe["evaluate"]["windows"])
    if cell.seed:
        usual = schema.load("recipe-v1")["properties"]["distill"]["properties"]["seed"]["default"]
        recipe["distill"]["seed"] = recipe["distill"].get("seed", usual) + cell.seed
    path.write_text(yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _evidence(releases: Path) -> dict[str, Any]:
    """Gates, parity and digests of a built release; nothing if it was refused before it was assembled."""
    folder = next(iter(sorted(releases.glob("*/model"))), None)
    if folder is None:
        return {}
    found: dict[str, Any] = {}
    for name in ("gates", "parity"):
        path = folder / "evidence" / f"{name}.json"
        found[name] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    found["sha256"] = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.gguf"))
    }
    return found


def run_debian(debian: Debian, say: Say) -> dict[str, Any]:
    """``make demo`` in another Debian, with its Python, from the tracked files only."""
    found: dict[str, Any] = {"suite": debian.suite, "python": debian.python}
    try:
        debian.make(say)
    except ZooError as error:
        return found | {"exit_code": None, "said": [str(error)]}
    say(f"make demo in Debian {debian.suite} with {debian.python}")
    began = time.monotonic()
    done = subprocess.run(
        debian.command("make", "-C", "/zoo", f"PYTHON={debian.python}", "demo"),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    tail = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()][-8:]
    releases = debian.folder / "zoo" / "build" / "demo" / "build" / "releases"
    return found | {
        "exit_code": done.returncode,
        "seconds": round(time.monotonic() - began, 1),
        "releases": {name: _evidence(releases / name) for name in (PLAIN, TRAINED)},
        **({"said": tail} if done.returncode else {}),
    }


def measure(wanted: Iterable[Cell], say: Say, *, older: bool = False) -> Iterator[dict[str, Any]]:
    """Every cell's outcome, kept cells without running them again; older: also those of another program."""
    levels = {level.name: level for level in machines.torch_levels()}
    builds: Mapping[str, Llama] = {build.name: build for build in machines.llama_builds()}
    program = program_sha256()
    for number, cell in enumerate(listed := list(wanted), 1):
        kept = FOLDER / "outcomes" / f"{cell.id}.json"
        found = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
        if found and (older or found["program"] == program):
            say(f"[{number}/{len(listed)}] {cell.id}: kept")
        else:
            say(f"[{number}/{len(listed)}] {cell.id}")
            place = machines.compiled(builds[cell.llama], say)
            found = {**run_cell(cell, levels[cell.torch], place), "program": program}
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(kept, pretty_json(found))
            say(f"    exit {found['exit_code']} after {found['seconds']:.0f} s")
        yield {**found, "program": found["program"][:12]}


def document(
    outcomes: Sequence[Mapping[str, Any]], debian: Mapping[str, Any] | None, count: int
) -> dict[str, Any]:
    """The JSON document; count: how many cells the whole matrix has here."""
    refused = [one["recipe"] for one in outcomes if one["exit_code"]]
    return {
        "schema": SCHEMA,
        "question": "Is any starter release refused with other CPU instructions, threads, seeds or another Python?",
        "measured_at_utc": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "cells_run": len(outcomes),
        "cells_in_all": count,
        "refused": len(refused),
        "cells": list(outcomes),
        "debian": debian,
        "versions": versions(("torch", "transformers", "llama-cpp-python")),
        "machine": system.device(None),
        "flags": sorted(machines.processor_flags()),
        "method": "torch by ATEN_CPU_CAPABILITY, ONEDNN_MAX_CPU_ISA and MKL_CBWR; llama.cpp compiled for each; "
        f"cells of {SLOW_BUILD} evaluate over {SLOW_WINDOWS} windows; one machine simulates several, so it does not "
        "cover processors of other makers or kinds",
    }


def main(arguments: Sequence[str]) -> int:
    """Exit code 0 if no cell that ran was refused, 3 otherwise."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.matrix", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument(
        "--cells", metavar="TEXT", action="append", help="only cells with this text in their name"
    )
    parser.add_argument("--list", action="store_true", help="name the cells and stop")
    parser.add_argument("--older", action="store_true", help="keep cells that another version of the program ran")
    parser.add_argument("--no-debian", action="store_true", help="leave out the other Debian")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the JSON document there")
    options = parser.parse_args(arguments)
    every = cells([t.name for t in machines.torch_levels()], [b.name for b in machines.llama_builds()])
    wanted = [c for c in every if not options.cells or any(text in c.id for text in options.cells)]
    if options.list:
        print("\n".join(cell.id for cell in wanted))
        return 0
    try:
        outcomes = list(measure(wanted, tell, older=options.older))
        debian = None if options.no_debian else run_debian(DEBIAN, tell)
    except ZooError as error:
        tell(str(error))
        return error.exit_code
    found = document(outcomes, debian, len(every))
    text = pretty_json(found)
    print(text, end="")
    if options.out is not None:
        write_atomic(options.out, text)
    bad = found["refused"] + bool(debian and debian["exit_code"])
    tell(f"{len(outcomes)} of {len(every)} cells ran, {found['refused']} were refused")
    return 3 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
