"""One training on several machines trains as one machine does, and all of them end together.

Two commands on this machine stand for two machines: they share a folder, and nothing else but the network.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")

from meetings import Leading, free, joining
from togetherruns import PARTS, Signalling, models, processes_of, run
from waiting import until

from zoo.errors import ZooError
from zoo.files.digests import sha256_file
from zoo.machine import network
from zoo.training import handover
from zoo.training import together as running
from zoo.training.meeting import Offer, Place

SAME = """
import json, os, sys
from torch import distributed
from zoo.training.ranks import Ranks
rank = int(sys.argv[2])
distributed.init_process_group("gloo", init_method="file://" + sys.argv[1], rank=rank, world_size=3)
ranks = Ranks(rank, 3)
print(json.dumps([ranks.same(one[rank], "cpu") for one in ([6, 6, 6], [6, 6, 3], [5, 10, 15], [0, 0, 0])]), flush=True)
os._exit(0)
"""


@pytest.mark.long
def test_all_processes_learn_whether_they_have_the_same(tmp_path: Path) -> None:
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": network.interface("127.0.0.1")}
    commands = [[sys.executable, "-P", "-c", SAME, str(tmp_path / "store"), str(rank)] for rank in range(3)]
    started = [subprocess.Popen(one, stdout=subprocess.PIPE, env=environment) for one in commands]
    assert [json.loads(one.communicate()[0]) for one in started] == [[True, False, False, True]] * 3


@contextmanager
def joined(where: tuple[str, int]) -> Iterator[subprocess.Popen[str]]:
    """``zoo join`` in a process of its own; it has ended afterwards."""
    command = [sys.executable, "-P", "-m", "zoo", "join", f"{where[0]}:{where[1]}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models(tmp_path_factory.mktemp("machines"))


@pytest.fixture(scope="module")
def whole(home: Path) -> list[float]:
    """The losses of a training in two processes of one machine."""
    return run(home, "whole", **PARTS)


def together(home: Path, name: str, where: tuple[str, int], report: Any = None, **changes: Any) -> list[float]:
    return run(home, name, report, machines=2, meeting=where, **PARTS, **changes)


@pytest.mark.long
@pytest.mark.parametrize("sharded", [False, True])
def test_two_machines_give_the_bytes_of_one(sharded: bool, home: Path, whole: list[float]) -> None:
    right = run(home, "shares", sharded=True, **PARTS) if sharded else whole
    where, name = free(), f"two{sharded}"
    with joined(where) as other:
        assert together(home, name, where, sharded=sharded) == right
        out, said = other.communicate(timeout=120)
    assert other.returncode == 0, said
    assert "The training has ended. This was machine 2 of 2." in out and "trains with 1 process (cpu)" in said
    one, two = (home / f"{own}-out" / "model.safetensors" for own in (name, "shares" if sharded else "whole"))
    assert sha256_file(one) == sha256_file(two)


@pytest.mark.long
def test_a_machine_that_is_gone_is_named_and_a_resume_has_the_same_bytes(home: Path, whole: list[float]) -> None:
    where = free()
    with joined(where) as other:
        with pytest.raises(ZooError, match=r"^Process 2 of 2 of the training, on machine 2 of 2, ") as caught:
            together(home, "gone", where, Killing(other))
        assert "The checkpoints are kept." in str(caught.value)
    assert processes_of(home / "gone-scratch") == []
    with joined(where) as other:
        assert together(home, "gone", where) == whole
        other.communicate(timeout=120)
    one, two = (home / f"{own}-out" / "model.safetensors" for own in ("gone", "whole"))
    assert sha256_file(one) == sha256_file(two)
    # Nothing is left to train, so no other machine is needed.
    assert together(home, "gone", where) == whole


class Killing(Signalling):
    """Kills the command of the other machine after some steps."""

    def __init__(self, other: subprocess.Popen[str]) -> None:
        super().__init__(Path(), "", signal.SIGKILL)
        self.other = other

    def act(self) -> None:
        self.other.kill()


class KillingStarter(Signalling):
    """Kills what this process has started for the training, after some steps."""

    def act(self) -> None:
        (pid,) = (pid for pid in processes_of(self.folder) if parent_of(pid) == os.getpid())
        os.kill(pid, self.number)


def parent_of(pid: int) -> int:
    # After the command's name, which may have brackets: the state, and then the parent.
    return int((Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.long
def test_the_other_machines_end_with_the_one_that_leads(home: Path) -> None:
    where, folder = free(), home / "leads-scratch"
    with joined(where) as other:
        with pytest.raises(ZooError, match=r"Process 1 of 2 of the training, on machine 1 of 2, was killed"):
            together(home, "leads", where, Signalling(folder, "0", signal.SIGKILL))
        _, said = other.communicate(timeout=120)
    assert other.returncode == 1 and "Process 1 of 2 of the training, on machine 1 of 2," in said
    assert "Run the same command again" in said and "Traceback" not in said
    assert processes_of(folder) == []


@pytest.mark.long
def test_when_what_starts_the_processes_is_killed_all_machines_end(home: Path) -> None:
    where, folder = free(), home / "starter-scratch"
    report = KillingStarter(folder, "", signal.SIGKILL)
    with joined(where) as other:
        with pytest.raises(ZooError, match=r"^What starts the processes of the training, on machine 1 of 2, was kill"):
            together(home, "starter", where, report, steps=4000)
        _, said = other.communicate(timeout=120)
    assert other.returncode == 1 and "on machine 1 of 2, no longer answers the others" in said
    until(lambda: processes_of(folder) == [])


@pytest.mark.long
def test_a_folder_that_is_not_shared_is_refused(tmp_path: Path) -> None:
    where = free()
    lead = Leading(where, Offer(str(tmp_path / "none"), "00", "cpu", 1, 2, 1), patience_seconds=180.0)
    command = [sys.executable, "-P", "-m", "zoo", "join", f"127.0.0.1:{where[1]}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=150)
    assert done.returncode == 2 and "The work folder must be shared, at the same path" in done.stderr
    joining(where)
    assert isinstance(lead.end(), Place)


@pytest.mark.long
@pytest.mark.parametrize("rank", ["0", "1"])
def test_a_process_that_hangs_ends_all_machines(rank: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "LEFT_SECONDS", 1.0)
    where, name = free(), f"hangs{rank}"
    with joined(where) as other:
        with pytest.raises(ZooError, match=f"^Process {int(rank) + 1} of 2 .* no longer answers the others"):
            hanging = Signalling(home / f"{name}-scratch", rank, signal.SIGSTOP)
            together(home, name, where, hanging, patience_seconds=10)
        _, said = other.communicate(timeout=120)
    assert other.returncode == 1 and "no longer answers the others" in said
    assert processes_of(home / f"{name}-scratch") == []


@pytest.mark.parametrize("number", [0, 1])
def test_torchrun_ends_some_time_after_that_of_another_machine(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "NOTICED_SECONDS", 0.01)
    monkeypatch.setattr(running, "LEFT_SECONDS", 0.1)
    place = Place(number, 2, 1, "127.0.0.1", 1, "127.0.0.1")
    # Of an earlier start: a shared folder may show it for some time after it was deleted.
    (tmp_path / handover.FAILED.format(1 - number)).write_text("{}")
    with subprocess.Popen(["sleep", "60"]) as hanging, running._ending_with_others(tmp_path, place, hanging):
        try:
            (tmp_path / handover.FAILED.format(number)).write_text("{}")
            with pytest.raises(subprocess.TimeoutExpired):
                hanging.wait(0.5)
            (tmp_path / handover.FAILED.format(1 - number)).write_text("{}")
            assert hanging.wait(30) == -signal.SIGTERM
        finally:
            hanging.kill()
