"""Training in several processes: the same result as in one, and what happens when one of them fails."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tinyzoo

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from togetherruns import (  # noqa: E402 - after the skip
    GIVEN,
    PARTS,
    SPEC,
    Signalling,
    models,
    processes_of,
    run,
    trained,
)
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, start_processes  # noqa: E402 - after the skip
from waiting import until  # noqa: E402 - after the skip

from zoo.errors import InputError, ZooError  # noqa: E402 - after the skip
from zoo.files.digests import sha256_file  # noqa: E402 - after the skip
from zoo.training import handover, launch, meeting, together, worker  # noqa: E402 - after the skip
from zoo.training.conversations import EncodedRow  # noqa: E402 - after the skip
from zoo.training.files import write_json  # noqa: E402 - after the skip
from zoo.training.handover import Ended  # noqa: E402 - after the skip
from zoo.training.parts import dealt  # noqa: E402 - after the skip

# --- What needs no second process


def test_rows_are_dealt_once_and_evenly() -> None:
    lengths = [5, 40, 12, 9, 31, 7, 28]
    assert dealt([3, 1, 2], lengths, 1) == [[3, 1, 2]], "one process keeps their order"
    for world in (2, 3, 7, 9):
        found = dealt(range(7), lengths, world)
        assert len(found) == world and sorted(row for own in found for row in own) == list(range(7))
        tokens = [sum(lengths[row] for row in own) for own in found]
        # Whoever has the most got its last row while it had the fewest.
        assert max(tokens) - min(tokens) <= max(lengths)


def test_a_handover_is_read_as_it_was_written(tmp_path: Path) -> None:
    rows = tuple(
        EncodedRow(f"row {n}", tuple(range(n, 3 * n)), tuple(i % 2 == 0 for i in range(2 * n))) for n in (1, 2, 3)
    )
    handover.write(tmp_path, GIVEN, SPEC, rows)
    assert handover.read(tmp_path) == (GIVEN, SPEC, rows)


def test_more_processes_than_rows_of_a_step_are_refused(home: Path) -> None:
    with pytest.raises(InputError, match="4 processes cannot share the 3 conversations of a step"):
        run(home, "many", processes=4)


def test_other_versions_are_refused() -> None:
    own = {"zoo": "0.1.0", "torch": "2.13.0"}
    worker.refuse_other_versions([own, dict(own)])
    with pytest.raises(InputError, match=r"Process 2 of the training has torch 2\.12\.0, but process 1 has 2\.13\.0"):
        worker.refuse_other_versions([own, {**own, "torch": "2.12.0"}])
    with pytest.raises(InputError, match="has bitsandbytes 1, but process 1 has none"):
        worker.refuse_other_versions([own, {**own, "bitsandbytes": "1"}])


def test_a_library_s_words_are_said_without_its_source() -> None:
    said = "[/__w/torch/gloo/pair.cc:534] Connection closed by peer [127.0.0.1]:5678\n\nAt:\n  /a/b.py(72): f"
    assert worker.plain(said) == "Connection closed by peer [127.0.0.1]:5678"
    assert worker.plain("no [such] thing") == "no [such] thing"
    wrapped = (
        "Got the following error when running the callback: RuntimeError: [/g/pair.cc:1] Read error [::1]:7598: Reset "
        "by peer. This is typically caused by a remote worker hanging. GLHF! \N{BEACH WITH UMBRELLA}"
    )
    assert worker.plain(wrapped) == "Read error [::1]:7598: Reset by peer"


LOST = Ended("Connection closed by peer", "", "", lost=True, late=False)
FULL = Ended("The disk is full", "", "Free space", lost=False, late=False)
LATE = dataclasses.replace(LOST, late=True)


@pytest.mark.parametrize(
    ("notes", "codes", "what"),
    [
        ({0: LOST}, {"0": 1, "1": -signal.SIGKILL}, r"^Process 2 of 2 of the training was killed \(SIGKILL\)"),
        ({}, {"0": -signal.SIGABRT, "1": -signal.SIGKILL}, r"^Process 2 of 2 of the training was killed \(SIGKILL\)"),
        ({0: LOST}, {"0": 1, "1": -signal.SIGTERM}, r"^Process 2 of 2 of the training ended with signal 15"),
        ({0: LATE}, {"0": 1, "1": -signal.SIGKILL}, r"^Process 2 of 2 of the training no longer answers the others"),
        ({1: LOST}, {"1": 1}, r"^Process 1 of 2 of the training no longer answers the others \(Connection closed"),
        ({}, {"1": -signal.SIGABRT}, r"^Process 2 of 2 of the training ended with signal 6 \(SIGABRT\)"),
        ({0: LOST}, {"0": 1}, r"^Process 2 of 2 of the training no longer answers the others \(Connection closed"),
        ({0: LOST, 1: FULL}, {"1": 1}, "^The disk is full"),
        ({0: LATE, 1: LATE}, {"0": 1, "1": 1}, "^The processes of the training no longer reach each other: each Conn"),
        ({}, None, "^The 2 processes of the training ended: no port is free"),
    ],
)
def test_who_failed_is_named(
    notes: dict[int, Ended], codes: dict[str, int] | None, what: str, tmp_path: Path
) -> None:
    (tmp_path / handover.LOG.format(0)).write_text("warning\nno port is free\n\n")
    for rank, note in notes.items():
        write_json(tmp_path / handover.ENDED.format(rank), dataclasses.asdict(note))
    if codes:
        write_json(tmp_path / handover.FAILED.format(0), codes)
    with pytest.raises(ZooError, match=what) as caught:
        raise together.fault(tmp_path, meeting.alone(2))
    assert "Run the same command again" in str(caught.value)


def test_a_machine_that_was_ready_and_does_not_begin_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = meeting.Place(0, 2, 1, "127.0.0.1", 29400, "127.0.0.1")

    def wait(_: object) -> None:
        raise torch.distributed.DistStoreError("Timed out after 601 seconds waiting for clients. 1/2 clients joined.")

    monkeypatch.setattr(launch, "run", wait)
    assert launch.main(tmp_path, place) == 1
    assert str(together.fault(tmp_path, place)).startswith(
        "Another machine was ready, but did not begin within 10 minutes. The checkpoints are kept. See what zoo join"
    )


@pytest.mark.parametrize(("ends", "code"), [("exit 3", 3), ("kill -TERM $$", -signal.SIGTERM)])
def test_who_was_ended_because_another_process_failed_is_not_blamed(ends: str, code: int, tmp_path: Path) -> None:
    """torchrun has both exit codes, and a signal looks the same whoever sent it."""
    commands = {0: ("-c", "exec sleep 60"), 1: ("-c", ends)}
    empty: dict[int, dict[str, str]] = {rank: {} for rank in commands}
    with launch.Ending.watched() as ending:
        result = start_processes("two", "/bin/sh", commands, empty, DefaultLogsSpecs(str(tmp_path))).wait()
    assert result and {rank: one.exitcode for rank, one in result.failures.items()} == {0: -signal.SIGTERM, 1: code}
    assert {rank for rank, one in result.failures.items() if one.pid in ending.pids} == {0}


# --- Real processes


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models(tmp_path_factory.mktemp("together"))


@pytest.fixture(scope="module")
def whole(home: Path) -> list[float]:
    """The losses of an uninterrupted training in two processes, whose rows go through the model in parts."""
    return run(home, "whole", **PARTS)


BROKEN = """
import sys
from pathlib import Path
from zoo.training import worker

def broken(threads, device):
    raise KeyError("layer 3")

worker.repeatable = broken
worker.main(Path(sys.argv[1]))
"""


@pytest.mark.long
def test_an_error_that_nobody_foresaw_is_told_with_its_kind_and_where_its_traceback_is(tmp_path: Path) -> None:
    folder = tmp_path / "together"
    handover.write(folder, GIVEN, SPEC, [EncodedRow("row 1", (1, 2), (False, True))])
    log, environment = folder / handover.LOG.format(0), {**os.environ, "RANK": "1", "WORLD_SIZE": "2"}
    command = [sys.executable, "-P", "-c", BROKEN, str(folder)]
    with log.open("wb") as messages:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=messages, env=environment)
        assert process.wait() == 1
    assert process.stdin and "Traceback" in log.read_text()
    process.stdin.close()
    error = together.fault(folder, meeting.alone(2))
    assert error.what == "Process 2 of 2 of the training failed with KeyError: 'layer 3'"
    assert error.remedy == "The messages of the processes are in together/processes-*.log of this step's folder"


@pytest.mark.long
def test_two_processes_give_the_training_of_one(home: Path, whole: list[float]) -> None:
    assert whole == pytest.approx(run(home, "alone", processes=1), rel=1e-5)
    found, right = trained(home, "whole"), trained(home, "alone")
    assert found.keys() == right.keys()
    assert max(float((found[one] - right[one]).abs().max()) for one in found) <= 1e-5


@pytest.mark.long
@pytest.mark.parametrize("rank", ["0", "1"])
def test_a_killed_process_ends_all_and_a_resume_has_the_same_bytes(
    rank: str, home: Path, whole: list[float]
) -> None:
    name = f"killed{rank}"
    folder = home / f"{name}-scratch"
    with pytest.raises(ZooError, match=rf"Process {int(rank) + 1} of 2 of the training was killed \(SIGKILL\)"):
        run(home, name, Signalling(folder, rank, signal.SIGKILL), **PARTS)
    assert processes_of(folder) == []
    assert run(home, name, **PARTS) == whole
    one, other = (home / f"{own}-out" / "model.safetensors" for own in (name, "whole"))
    assert sha256_file(one) == sha256_file(other)


@pytest.mark.long
def test_a_process_that_hangs_is_named(home: Path) -> None:
    folder = home / "hangs-scratch"
    words = r"^Process 2 of 2 of the training no longer answers the others \(waited for 20 seconds\)"
    with pytest.raises(ZooError, match=words):
        run(home, "hangs", Signalling(folder, "1", signal.SIGSTOP), patience_seconds=20.0)
    assert processes_of(folder) == []


KILLED = """
import json, os, signal, sys
from pathlib import Path
sys.path[:0] = json.loads(sys.argv[1])
import togetherruns as here

class Killer(here.Signalling):
    pass

here.rank_of = lambda pid: "me"
here.processes_of = lambda folder: [os.getpid()]
here.run(Path(sys.argv[2]), "orphans", Killer(Path(), "me", signal.SIGKILL))
"""


@pytest.mark.long
def test_no_process_is_left_behind_when_the_program_is_killed(home: Path) -> None:
    paths = json.dumps([str(folder) for folder in Path(__file__).parents[:3]])
    command = [sys.executable, "-c", KILLED, paths, str(home)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    until(lambda: processes_of(home / "orphans-scratch") == [])


@pytest.mark.long
@pytest.mark.parametrize("sharding", ["none", "full"])
def test_a_release_may_train_in_two_processes(sharding: str, tmp_path: Path) -> None:
    """From the setting to the published file: parity of the exported student is a step of it."""
    pytest.importorskip("llama_cpp")
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    settings = {"ZOO_PROCESSES": "2", "ZOO_SHARDING": sharding, "ZOO_THREADS": "2"}
    done = tinyzoo.run(zoo, "release", "tutored", timeout_seconds=1200, **settings)
    assert done.returncode == 0, done.stderr
    evidence = zoo / "build/releases/tutored/1.0.0/model/evidence"
    steps = {step["id"]: step for step in json.loads((evidence / "plan.json").read_text(encoding="utf-8"))["steps"]}
    assert steps["distill"]["spec"]["processes"] == 2
    assert steps["distill"]["spec"].get("sharding", "none") == sharding
    report = json.loads((evidence / "distill-report.json").read_text(encoding="utf-8"))
    assert report["heldout_after"]["kld_mean_nats"] < report["heldout_before"]["kld_mean_nats"]
