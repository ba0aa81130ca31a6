"""SIGTERM and SIGHUP end a command as cleanly as Ctrl-C, in a real terminal, and leave no child process."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zoo import STOPPED, stopping
from zoo.__main__ import main
from zoo.stopping import Stopped

HIDE, SHOW = b"\x1b[?25l", b"\x1b[?25h"
FAR_SECONDS = 120


class Terminal:
    """A command in a separate terminal; its output is kept."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        import tinyzoo

        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "zoo", *arguments],
            cwd=folder, env=tinyzoo.environment(TERM="xterm"), stdin=slave, stdout=slave, stderr=slave,
        )  # fmt: skip
        os.close(slave)
        self.shown = b""

    def read(self, seconds: float) -> bool:
        """Whether something came, or may still come, within this time."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            piece = os.read(self.master, 1 << 16)
        except OSError:  # the terminal is gone with its last program
            return False
        self.shown += piece
        return bool(piece)

    def until(self, words: bytes) -> None:
        end = time.monotonic() + FAR_SECONDS
        while words not in self.shown:
            assert self.read(0.1) and time.monotonic() < end, self.shown.decode(errors="replace")

    def ended(self) -> int:
        end = time.monotonic() + FAR_SECONDS
        while self.process.poll() is None:
            self.read(0.05)
            assert time.monotonic() < end, self.shown.decode(errors="replace")
        while self.read(0.0) and select.select([self.master], [], [], 0)[0]:
            pass
        os.close(self.master)
        return self.process.returncode


def at_work_in(folder: Path) -> list[str]:
    """Processes whose current folder or arguments are in ``folder``."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
            if words and (str(folder).encode() in words or (entry / "cwd").resolve().is_relative_to(folder)):
                found.append(f"{entry.name} {words!r}")
        except OSError:
            continue
    return found


def nobody_is_left(folder: Path) -> None:
    end = time.monotonic() + FAR_SECONDS
    while left := at_work_in(folder):
        assert time.monotonic() < end, left
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_still_loads_ends_in_the_same_way(number: int) -> None:
    code = (
        "import os, sys\n"
        f"stop = lambda event, found: found[0] == 'click' and os.kill(os.getpid(), {int(number)})\n"
        "sys.addaudithook(lambda event, found: event == 'import' and stop(event, found))\n"
        "from zoo.__main__ import main\nsys.exit(main(['--version']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=FAR_SECONDS)
    assert (done.returncode, done.stdout) == (128 + number, "")
    assert done.stderr == f"zoo: {STOPPED}\n"


class Panic(BaseException):
    """What a package in Rust makes of an exception during its import."""


@pytest.mark.parametrize("number", stopping.SIGNALS)
def test_a_stop_stays_one_whatever_a_package_makes_of_it(number: int) -> None:
    def asked(other: type[BaseException]) -> BaseException:
        with pytest.raises(other) as found, stopping.heard():
            try:
                os.kill(os.getpid(), number)
            except KeyboardInterrupt as stop:
                raise other("of an import") from (stop if other is RuntimeError else None)
        return found.value

    for other in (RuntimeError, Panic):
        assert stopping.is_stop(error := asked(other)) and stopping.exit_code(error) == 128 + number
    with stopping.heard():
        assert not stopping.is_stop(RuntimeError("of ours")) and not stopping.is_stop(SystemExit(1))


def test_a_release_that_is_asked_to_end(tmp_path: Path) -> None:
    tinyzoo = pytest.importorskip("tinyzoo")
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    tinyzoo.write_recipe(zoo, tinyzoo.smallest_recipe(zoo))
    for number, step in ((signal.SIGTERM, "export"), (signal.SIGHUP, "benchmark/Q8_0")):
        there = Terminal(zoo, "release", "plain")
        there.until(f"] {step}\r\n".encode())
        while len(at_work_in(zoo)) < 2:  # its child is there
            assert there.read(0.01)
        there.process.send_signal(number)
        assert there.ended() == 128 + number
        assert b"stopped. Finished work is kept. Run the same command to continue." in there.shown
        assert HIDE in there.shown and there.shown.rindex(SHOW) > there.shown.rindex(HIDE)
        assert b"Traceback" not in there.shown and b"bug in zoo" not in there.shown
        nobody_is_left(zoo)
    there = Terminal(zoo, "release", "plain")
    there.until(b"] benchmark/Q8_0\r\n")
    assert not re.search(rb"\] (import/student|export|quantize/Q8_0)\r\n", there.shown)
    while len(at_work_in(zoo)) < 2:
        assert there.read(0.01)
    there.process.kill()
    assert there.ended() == -signal.SIGKILL
    nobody_is_left(zoo)


@pytest.mark.parametrize("number", stopping.SIGNALS)
def test_a_server_ends_in_peace(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    there = Terminal(tmp_path, "hub", "serve", str(tmp_path / "hub"), "--port", "0")
    there.until(b"For the official client")
    there.process.send_signal(number)
    assert there.ended() == 0 and b"Stopped" in there.shown


def test_a_signal_counts_once_and_the_old_answers_come_back() -> None:
    before = [signal.getsignal(number) for number in stopping.SIGNALS]
    tidied = False
    with pytest.raises(Stopped) as caught, stopping.heard():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)
            tidied = True
    assert tidied and stopping.exit_code(caught.value) == 143
    assert [signal.getsignal(number) for number in stopping.SIGNALS] == before


def test_what_nohup_shuts_out_stays_out() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping.heard():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_number_is_found_behind_other_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGHUP)

    monkeypatch.setattr("zoo.cli.zoo.invoke", ask)
    assert main(["check"]) == 129
    assert stopping.exit_code(KeyboardInterrupt()) == 130


def test_a_child_does_not_outlive_its_parent() -> None:
    """It is not started either for a parent that no longer exists."""
    code = (
        "import sys, time; from zoo import stopping; "
        "child = stopping.start(['sleep', '100']); print(child.pid, flush=True); time.sleep(100)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child = int(parent.stdout.readline())
    end = time.monotonic() + FAR_SECONDS
    while b"sleep" not in Path(f"/proc/{child}/cmdline").read_bytes():
        assert time.monotonic() < end
    parent.kill()
    parent.wait()
    parent.stdout.close()
    while Path(f"/proc/{child}").exists() and b"Z" not in Path(f"/proc/{child}/stat").read_bytes().split()[2]:
        assert time.monotonic() < end
        time.sleep(0.01)
    orphan = [*stopping.bound(["true"])]
    orphan[orphan.index(str(os.getpid()))] = "1"
    assert subprocess.run(orphan, check=False).returncode == (0 if os.getpid() == 1 else 1)


def test_what_a_library_listens_to_is_undone() -> None:
    before = {number: signal.getsignal(number) for number in (*stopping.SIGNALS, signal.SIGINT)}
    with stopping.kept():
        for number in before:
            signal.signal(number, signal.SIG_IGN)
    assert {number: signal.getsignal(number) for number in before} == before
