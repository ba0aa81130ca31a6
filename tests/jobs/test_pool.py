"""Several processes on this machine: no step twice, a killed one loses only its step, the same bytes as one by one."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tinyzoo
import waiting
from stepsbegun import begun, released, worker

pytest.importorskip("torch")
pytest.importorskip("llama_cpp")


@pytest.mark.long
def test_a_killed_worker_loses_its_step_only_and_the_bytes_are_those_of_one_by_one(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    release = tinyzoo.start(zoo, "release", "--all", "--jobs", "3")
    found = 0

    def there() -> bool:
        nonlocal found
        begins = (zoo / "build/work/partial").glob("*/scratch/checkpoint-*[0-9]")
        found = worker("distill", zoo) if next(begins, None) else 0
        return bool(found)

    while release.poll() is None and not there():
        time.sleep(0.005)
    os.kill(found, signal.SIGKILL)
    out, err = release.communicate(timeout=1200)
    assert release.returncode == 0, err
    assert "tutored distill was killed (SIGKILL)" in err and "2 released, 0 failed" in out
    reference = tinyzoo.released_zoo(tmp_path_factory.mktemp("pool-reference"))
    assert released(zoo) == released(reference)
    twice = {key for key, times in begun(zoo).items() if times > 1}
    assert twice == {tinyzoo.steps_of(zoo, "tutored")["distill"]} and max(begun(zoo).values()) == 2


@pytest.mark.long
def test_the_arrays_of_slurm_make_every_step_and_the_release_finds_them(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A program in the place of sbatch runs the tasks of an array at once, two at a time."""
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    done = tinyzoo.run(zoo, "plan", "--all", "--as-jobs", "slurm")
    assert done.returncode == 0, done.stderr
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "zoo").write_text(f'#!/bin/sh\nexec {sys.executable} -m zoo "$@"\n')
    (programs / "sbatch").write_text(
        '#!/bin/bash\nfor script; do :; done\nlast=$(sed -n "s/.*--array=0-//p" "$script")\n'
        'seq 0 "$last" | xargs -P 2 -I N env SLURM_ARRAY_TASK_ID=N bash "$script" >&2\necho 7\n'
    )
    for program in programs.iterdir():
        program.chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    submitted = subprocess.run(
        [zoo / "build/jobs/submit.sh"], env=tinyzoo.environment(PATH=path), capture_output=True, text=True, check=False
    )
    assert submitted.returncode == 0, submitted.stderr
    made = begun(zoo)
    done = tinyzoo.run(zoo, "release", "--all")
    assert done.returncode == 0, done.stderr
    assert begun(zoo) == made and set(made.values()) == {1}
    reference = tinyzoo.released_zoo(tmp_path_factory.mktemp("pool-reference"))
    assert released(zoo) == released(reference)


@pytest.mark.long
def test_the_workers_end_with_the_program_and_the_same_command_continues(tmp_path: Path) -> None:
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    tinyzoo.write_recipe(zoo, tinyzoo.smallest_recipe(zoo))
    build = tinyzoo.start(zoo, "build", "plain", "--jobs", "2")
    while build.poll() is None and not worker("import/student", zoo):
        time.sleep(0.005)
    build.kill()
    build.wait()
    waiting.until(lambda: not worker("import/student", zoo), "the worker lives on")
    # A gate that nothing can pass stops one recipe, with the reason; the other is released.
    gates = [{"metric": "kld_mean_nats", "file": "Q8_0", "at_most": 0.0}]
    tinyzoo.write_recipe(zoo, tinyzoo.smallest_recipe(zoo, "tutored", gates=gates))
    done = tinyzoo.run(zoo, "release", "--all", "--jobs", "2", "--json")
    assert done.returncode == 1, done.stderr
    states = {one["recipe"]: (one["state"], one["words"]) for one in json.loads(done.stdout)["recipes"]}
    assert states["plain"][0] == "released" and states["tutored"][0] == "failed", done.stderr
    assert "misses its gates, so it stops after evaluate" in states["tutored"][1]
    done = tinyzoo.run(zoo, "release", "tutored", "--jobs", "2")
    assert done.returncode == 3 and "tutored: tutored 1.0.0 misses its gates" in done.stderr, done.stderr
    assert "benchmark" not in done.stderr.partition("not every recipe")[0], "nothing runs after a gate was missed"


@pytest.mark.long
def test_what_this_machine_lacks_is_said_in_full_before_anything_runs(tmp_path: Path) -> None:
    """Of the recipe that needs it; another one is released."""
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    for command in (("build", "tutored"), ("release", "tutored"), ("release", "--all")):
        done = tinyzoo.run(zoo, *command, "--jobs", "2", "--device", "cuda")
        assert done.returncode == 1, done.stderr
        assert re.search(r"tutored cannot be built here yet:?\n +the device is cuda, but ", done.stderr), done.stderr
        # A journal would not tell of steps that take less than a second.
        finished = {place.name for place in (zoo / "build/work").glob("[0-9a-f]*") if len(place.name) == 64}
        assert "--all" in command or not finished
    assert "1 released, 1 failed" in done.stdout
    assert finished == {*tinyzoo.steps_of(zoo, "plain").values()}, "no step of tutored alone"


@pytest.mark.long
def test_a_single_step_needs_its_inputs_and_says_so(tmp_path: Path) -> None:
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    tinyzoo.write_recipe(zoo, tinyzoo.smallest_recipe(zoo))
    cases = {
        ("plain", "--step", "export"): (1, "step export of plain needs import/student, which is not finished"),
        ("plain", "--step", "exprt"): (2, "plain has no step 'exprt'. Did you mean export?"),
        ("plain", "tutored", "--step", "export"): (2, "--step makes a step of one recipe"),
        ("plain", "--gated"): (2, "--share and --gated need --step"),
        ("plain", "--jobs", "0"): (2, "0 is not in the range"),
    }
    for arguments, (code, words) in cases.items():
        done = tinyzoo.run(zoo, "build", *arguments)
        assert (done.returncode, words in done.stderr) == (code, True), done.stderr
    assert "is finished" in tinyzoo.run(zoo, "build", "plain", "--step", "import/student").stdout
    assert "was finished before" in tinyzoo.run(zoo, "build", "plain", "--step", "import/student").stdout
