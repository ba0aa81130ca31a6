"""SIGKILL in a byte budget's search and in a quantization: the same bytes at the end, and nothing measured twice."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import tinyzoo
from llamaquant import random_imatrix
from tinygguf import make_tiny_gguf

from zoo.llama.quantize.quantize import Wanted, quantize
from zoo.llama.quantize.tensorcache import TensorCache

pytest.importorskip("torch")
pytest.importorskip("llama_cpp")

LABEL = "tight"
MEASURING = ("sensitivity", "budget")
RANDOM = random.Random(20261124)


def recipe(zoo: Path) -> None:
    quantize_ = {"ladder": ["Q4_0"], "allow_fallback": True, "imatrix_window_tokens": 64,
                 "budgets": [{"bytes": 90_000, "name": LABEL}]}  # fmt: skip
    tinyzoo.write_recipe(zoo, tinyzoo.plain_recipe(zoo, probes=[], quantize=quantize_, gates=[]))


TRIES = 20
"""A tiny file is quantized in milliseconds, so a kill may come too late."""


class Watched:
    """Runs of ``zoo build plain``. Journals are kept as hard links, which stay when a finished step's scratch goes.

    Every kept journal so holds all that was ever measured for its step, by whichever run.
    """

    def __init__(self, zoo: Path, kept: Path, threads: str) -> None:
        self.zoo, self.kept, self.threads = zoo, kept, threads
        kept.mkdir()

    def run(self, until: Callable[[], bool]) -> int:
        """Kill it as soon as ``until()``; returns the exit code, negative for a kill."""
        process = tinyzoo.start(self.zoo, "build", "plain", ZOO_THREADS=self.threads)
        said: list[str] = []
        listener = threading.Thread(target=lambda: said.extend(process.stderr or ()))
        listener.start()
        try:
            while process.poll() is None:
                self._keep()
                if until():
                    break
                time.sleep(0.001)
        finally:
            process.kill()
            process.wait()
            listener.join()
        if process.returncode not in (0, -signal.SIGKILL):
            pytest.fail("".join(said))
        return process.returncode

    def _keep(self) -> None:
        for journal in (self.zoo / "build/work/partial").glob("*/scratch/journal.jsonl"):
            target = self.kept / journal.parts[-3]
            if not target.exists():
                try:
                    os.link(journal, target)
                except FileNotFoundError:
                    continue

    def keys(self, step: str) -> list[str]:
        """What was measured for a step, as often as it was."""
        path = self.kept / step
        whole = path.read_bytes().rpartition(b"\n")[0] if path.exists() else b""
        return [json.loads(line)[0] for line in whole.splitlines()]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    base = tmp_path_factory.mktemp("search")
    zoo = tinyzoo.make_tiny_zoo(base / "zoo")
    recipe(zoo)
    watched = Watched(zoo, base / "kept", "2")
    assert watched.run(lambda: False) == 0
    return watched


def keys_of(zoo: Path) -> dict[str, str]:
    """Stage -> key of the steps that are made once."""
    found = tinyzoo.steps_of(zoo, "plain")
    return {"sensitivity": found["sensitivity"], "budget": found[f"budget/{LABEL}"], "quantize": found["quantize/Q4_0"]}


def before_the_search(undisturbed: Watched, zoo: Path) -> None:
    """A copy in which nothing was quantized or searched yet."""
    shutil.rmtree(zoo, ignore_errors=True)
    shutil.copytree(undisturbed.zoo, zoo)
    shutil.rmtree(zoo / "build/releases")
    shutil.rmtree(zoo / "build/work/tensors")
    for record in (zoo / "build/work").glob("*/artifact.json"):
        if json.loads(record.read_text())["kind"] in (*MEASURING, "quantize", "evaluate", "benchmark"):
            shutil.rmtree(record.parent)


@pytest.mark.long
def test_a_search_that_was_killed_at_random_finds_the_same_and_measures_nothing_twice(
    undisturbed: Watched, tmp_path: Path
) -> None:
    zoo = tmp_path / "zoo"
    before_the_search(undisturbed, zoo)
    steps = keys_of(undisturbed.zoo)
    watched = Watched(zoo, tmp_path / "kept", "1")
    for stage in MEASURING:
        total = len(undisturbed.keys(steps[stage]))
        assert total > 10
        for count in sorted(RANDOM.sample(range(1, total), 3)):
            code = watched.run(lambda stage=stage, count=count: len(watched.keys(steps[stage])) >= count)
            assert code == -signal.SIGKILL
            assert len(watched.keys(steps[stage])) >= count
            assert not (zoo / "build/work" / steps[stage]).exists()
    # The file has its name, and is now measured itself.
    file = zoo / "build/work/partial" / steps["budget"] / "out/model.gguf"
    assert watched.run(file.exists) == -signal.SIGKILL
    assert not (zoo / "build/work" / steps["budget"]).exists()
    assert watched.run(lambda: False) == 0

    assert keys_of(zoo) == steps
    for stage in MEASURING:
        measured = watched.keys(steps[stage])
        assert len(measured) == len(set(measured)), "something was measured twice"
        assert set(measured) == set(undisturbed.keys(steps[stage]))
    one, two = (tinyzoo.files_of(place / "build/releases/plain/1.0.0") for place in (undisturbed.zoo, zoo))
    assert any(name.endswith(f"-{LABEL}.gguf") for name in one)
    assert one == two
    for step in steps.values():
        assert tinyzoo.tree(zoo / "build/work" / step) == tinyzoo.tree(undisturbed.zoo / "build/work" / step)
    assert not list((zoo / "build/work/partial").iterdir())


# --- Quantization

QUANTIZE = """
import sys
from pathlib import Path
from zoo.gguf.imatrix import read_imatrix
from zoo.llama.quantize.quantize import Wanted, quantize
source, matrix, target, cache = map(Path, sys.argv[1:])
quantize(source, target, Wanted("IQ3_S", imatrix=read_imatrix(matrix)), threads=2, cache_folder=cache)
"""


def killed(arguments: list[str], until: Callable[[], bool]) -> bool:
    process = subprocess.Popen([sys.executable, "-c", QUANTIZE, *arguments], stderr=subprocess.PIPE)
    try:
        while process.poll() is None and not until():
            time.sleep(0.0005)
    finally:
        process.kill()
        _, said = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), said
    return process.returncode == -signal.SIGKILL


def test_a_quantization_that_was_killed_leaves_no_file_and_a_valid_cache(tmp_path: Path) -> None:
    source = make_tiny_gguf(tmp_path / "model.gguf", layers=4)
    matrix = random_imatrix(source)
    matrix.write(tmp_path / "imatrix.gguf")
    expected = tmp_path / "expected.gguf"
    made = quantize(source, expected, Wanted("IQ3_S", imatrix=matrix), threads=1)
    out, cache = tmp_path / "out", tmp_path / "tensors"
    out.mkdir()
    target = out / "model.gguf"
    arguments = [str(path) for path in (source, tmp_path / "imatrix.gguf", target, cache)]

    def blobs() -> list[Path]:
        return [path for path in cache.glob("??/*") if re.fullmatch(r"[0-9a-f]{64}", path.name)]

    for count in sorted(RANDOM.sample(range(1, made.computed), 4)):
        if killed(arguments, lambda count=count: len(blobs()) >= count):
            assert not target.exists()
        target.unlink(missing_ok=True)
    there = len(blobs())
    assert there > 0
    for blob in blobs():
        with (tmp_path / "copied").open("wb") as stream:
            assert TensorCache(cache).copy(blob.name, blob.stat().st_size - 32, stream), "a torn blob has a name"
    done = quantize(source, target, Wanted("IQ3_S", imatrix=matrix), threads=1, cache_folder=cache)
    assert target.read_bytes() == expected.read_bytes()
    assert (done.reused, done.computed) == (there, made.computed - there)


@pytest.mark.long
def test_what_a_killed_step_left_half_written_is_no_part_of_the_next_try(undisturbed: Watched, tmp_path: Path) -> None:
    zoo = tmp_path / "zoo"
    before_the_search(undisturbed, zoo)
    step = keys_of(undisturbed.zoo)["quantize"]
    watched = Watched(zoo, tmp_path / "kept", "1")
    out = zoo / "build/work/partial" / step / "out"
    for _ in range(TRIES):
        assert watched.run(out.is_dir) in (0, -signal.SIGKILL)
        if out.is_dir():
            break
        # It was over before the kill came: once more.
        before_the_search(undisturbed, zoo)
    (out / ".model.gguf.torn").write_bytes(b"GGUF")
    assert watched.run(lambda: False) == 0
    assert tinyzoo.tree(zoo / "build/work" / step) == tinyzoo.tree(undisturbed.zoo / "build/work" / step)
