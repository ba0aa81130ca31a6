"""SIGKILL everywhere: the same command again ends with the bytes of an undisturbed run.

The processes are killed from outside, when a line on stderr or a file says where they are.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tinyzoo
import tunesamples

from zoo.stages.table import STAGES

pytest.importorskip("torch")
pytest.importorskip("llama_cpp")

OTHERS = {"sensitivity", "budget", "ask", "redact", "conversations", "tune"}
"""Stages that this release does not use. test_crash_search.py kills the first two, tests/stages/test_ask.py the third;
the fourth and fifth have no state of their own, only rows in and rows out. A test at the end kills the last."""


def listen(process: subprocess.Popen[str], lines: list[str]) -> None:
    """Append every line of stderr as it comes."""
    assert process.stderr
    for line in process.stderr:
        lines.append(line)  # noqa: PERF402 - others read the list meanwhile


def kill_when(zoo: Path, there: Callable[[list[str]], bool], *arguments: str) -> tuple[bool, str]:
    """Run ``zoo ARGUMENTS`` and kill it as soon as ``there(stderr lines)``. Returns (killed, stderr)."""
    process = tinyzoo.start(zoo, *arguments)
    lines: list[str] = []
    listener = threading.Thread(target=listen, args=(process, lines))
    listener.start()
    try:
        while process.poll() is None and not there(lines):
            time.sleep(0.0005)
    finally:
        process.kill()
        process.wait()
        listener.join()
    return process.returncode == -signal.SIGKILL, "".join(lines)


def moment(step: str, zoo: Path) -> Callable[[list[str]], bool]:
    """When to kill: as soon as the step has begun, or in the middle of those that resume from there."""
    if step == "label":
        return lambda _: len(journal(zoo)) >= 2
    if step == "distill":
        return is_there("build/work/partial/*/scratch/checkpoint-*[0-9]", zoo)
    if step == "benchmark/Q8_0":
        # The measuring process has written its report, which the next run must not mistake for its own.
        return is_there("build/work/partial/*/scratch/report*/tutored-Q8_0*.json", zoo)
    begun = re.compile(rf"\[\d+/\d+\] {re.escape(step)}\n")
    return lambda lines: any(begun.match(line) for line in tuple(lines))


def is_there(pattern: str, folder: Path) -> Callable[[list[str]], bool]:
    def there(_: list[str]) -> bool:
        try:
            return next(folder.glob(pattern), None) is not None
        except FileNotFoundError:
            # A folder went away while it was looked through: what was waited for has been and gone, so now.
            return True

    return there


def journal(zoo: Path) -> list[str]:
    """The keys of the label journal, as often as they are written."""
    paths = list((zoo / "build/work/labels").glob("*.jsonl"))
    lines = paths[0].read_bytes().split(b"\n")[:-1] if paths else []
    return [json.loads(line)["key"] for line in lines]


def leftovers(zoo: Path) -> Iterator[Path]:
    """Temporary files in places that users see."""
    for folder in ("build/releases", "build/hub", "site"):
        for path in (zoo / folder).rglob("*"):
            if re.search(r"\.new-|\.old$|\.tmp$|\.put-|\.part$", path.name):
                yield path
    yield from zoo.glob(".*.tmp")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tinyzoo.released_zoo(tmp_path_factory.mktemp("crash-reference"))


@pytest.fixture(scope="module")
def steps(undisturbed: Path) -> list[str]:
    """The steps of the release, as they run: at least one of every stage that there is. Those with one key run once."""
    found: dict[str, str] = {}
    for step, key in tinyzoo.steps_of(undisturbed, "tutored").items():
        found.setdefault(key, step)
    assert {step.partition("/")[0] for step in found.values()} == STAGES.keys() - OTHERS
    return list(found.values())


@pytest.fixture(scope="module")
def survivor(steps: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A zoo whose release was killed in every step, and the output of each killed run."""
    zoo = tinyzoo.make_tiny_zoo(tmp_path_factory.mktemp("crash") / "zoo")
    said = {}
    for step in steps:
        killed, said[step] = kill_when(zoo, moment(step, zoo), "release", "tutored")
        assert killed, said[step]
    done = tinyzoo.run(zoo, "release", "tutored")
    assert done.returncode == 0, done.stderr
    said["last"] = done.stderr
    return zoo, said


@pytest.mark.long
def test_a_release_that_was_killed_in_every_step_has_the_same_bytes(
    undisturbed: Path, survivor: tuple[Path, dict[str, str]]
) -> None:
    zoo, _ = survivor
    one, two = (tinyzoo.files_of(place / "build/releases/tutored/1.0.0") for place in (undisturbed, zoo))
    models = {name.rpartition("/")[2] for name in one if name.endswith(".gguf")}
    assert models == {"imatrix.gguf", "tutored-F16.gguf", "tutored-Q8_0.gguf"}
    assert any("train.jsonl" in name for name in one)
    assert one == two
    assert tinyzoo.steps_of(undisturbed, "tutored") == tinyzoo.steps_of(zoo, "tutored")


@pytest.mark.long
def test_no_question_is_asked_twice(undisturbed: Path, survivor: tuple[Path, dict[str, str]]) -> None:
    zoo, said = survivor
    keys = journal(zoo)
    assert len(keys) == len(set(keys)) == len(tinyzoo.TRAIN) + len(tinyzoo.HELDOUT)
    assert set(keys) == set(journal(undisturbed))
    before = re.search(r"(\d+) of 11 rows already have an answer", said["distill"])
    assert before and 2 <= int(before[1]) < 11


@pytest.mark.long
def test_training_continues_from_its_checkpoint(survivor: tuple[Path, dict[str, str]]) -> None:
    zoo, said = survivor
    assert re.search(r"Continuing after step [24] of 6", said["export"])
    evidence = zoo / "build/releases/tutored/1.0.0/model/evidence"
    assert json.loads((evidence / "distill-timing.json").read_text())["resumed_from_step"] in (2, 4)
    assert json.loads((evidence / "distill-report.json").read_text())["steps"] == 6


@pytest.mark.long
def test_finished_steps_are_not_made_again(steps: list[str], survivor: tuple[Path, dict[str, str]]) -> None:
    _, said = survivor
    done = [step for text in said.values() for step in re.findall(r"\] (\S+) done in", text)]
    assert len(done) == len(set(done)) and set(done) <= set(steps)
    for step in set(steps) - set(done):
        # Killed between its last rename and that line: the runs after it find it finished, and do not begin it.
        begun = [text for text in said.values() if re.search(rf"\] {re.escape(step)}$", text, re.MULTILINE)]
        assert len(begun) == 1, step


@pytest.mark.long
def test_nothing_temporary_is_left(survivor: tuple[Path, dict[str, str]]) -> None:
    zoo, _ = survivor
    assert not list(leftovers(zoo))
    assert not list((zoo / "build/work/partial").iterdir())
    assert tinyzoo.run(zoo, "check").returncode == 0


@pytest.mark.long
@pytest.mark.parametrize(
    "pattern",
    [
        "build/hub/repos/model/*/*/commits/*.json",
        "build/hub/objects/*/*",
        "build/hub/repos/dataset/*/*/commits/*.json",
        "build/hub/repos/*/*/*/refs/tags/v*",
        "site/evidence/tutored/*/*.json",
    ],
)
def test_a_publication_that_was_killed_is_carried_on(undisturbed: Path, tmp_path: Path, pattern: str) -> None:
    reference, zoo = tmp_path / "reference", tmp_path / "zoo"
    shutil.copytree(undisturbed, reference)
    shutil.rmtree(reference / "build/hub")
    shutil.rmtree(reference / "site")
    (reference / "model_catalog.json").unlink()
    shutil.copytree(reference, zoo)
    killed, said = kill_when(zoo, is_there(pattern, zoo), "publish", "tutored")
    assert killed, said
    for place in (reference, zoo):
        done = tinyzoo.run(place, "publish", "tutored")
        assert done.returncode == 0, done.stderr
    for folder in ("build/hub", "site"):
        kept = [
            {name: raw for name, raw in tinyzoo.tree(place / folder).items() if not name.endswith("refs.log")}
            for place in (reference, zoo)
        ]
        assert kept[0] == kept[1]
    assert (reference / "model_catalog.json").read_bytes() == (zoo / "model_catalog.json").read_bytes()
    assert not list(leftovers(zoo))
    for log in (zoo / "build/hub").rglob("refs.log"):
        assert {json.loads(line)["ref"] for line in log.read_text().splitlines()} == {
            "heads/main",
            "tags/v1.0.0",
        }


@pytest.mark.long
@pytest.mark.parametrize("own", [True, False], ids=["own answers", "corpus"])
def test_a_teacher_that_was_killed_while_it_was_trained_gives_the_same_bytes(own: bool, tmp_path: Path) -> None:
    one, two = (tinyzoo.make_tiny_zoo(tmp_path / name) for name in ("one", "two"))
    tune: dict[str, object] = {"adapter": "none", "steps": 6, "batch_rows": 4, "row_tokens": 384}
    tune |= {"checkpoint_every_steps": 2} | ({} if own else {"corpus": tunesamples.corpus()})
    for zoo in (one, two):
        tunesamples.write(zoo)
        teacher = {**tinyzoo.source(zoo), "tune": tune}
        tinyzoo.write_recipe(zoo, tinyzoo.tutored_recipe(zoo, teacher=teacher))
    in_it = is_there("build/work/partial/*/scratch/checkpoint-*[0-9]", two)
    killed, said = kill_when(two, in_it, "build", "tutored")
    assert killed and re.search(r"\[\d+/\d+\] tune\n", said) and "] distill\n" not in said, said
    for zoo in (one, two):
        done = tinyzoo.run(zoo, "build", "tutored")
        assert done.returncode == 0, done.stderr
    built = [tinyzoo.files_of(zoo / "build/releases/tutored/1.0.0") for zoo in (one, two)]
    assert built[0] == built[1] and any("tune-report.json" in name for name in built[0])
