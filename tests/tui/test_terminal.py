"""The program in a real terminal: what it writes, what it leaves alone, and that its end ends nothing else."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import driving
import pytest
import viewsamples
from driving import Driven, shown, until
from terminal import REPOSITORY, Terminal

from zoo.runs import reader
from zoo.tui.app import ZooApp
from zoo.tui.child import Child
from zoo.tui.viewer import Place

BAD = "\x1b]52;c;aGk=\x07\x1b]0;owned\x07\x1b[2J\x1b[?1049l[bold red]x[/]\u202egnp\x00\x9b31m\r"
OURS = re.compile(rb"\x1b(\[[0-9;?<=>]*[ $]?[A-Za-z]|\][^\x07\x1b]*(\x07|\x1b\\)|[=>78c]|P[^\x1b]*\x1b\\)")
"""What a program sends to a terminal: control sequences, titles, modes."""
UNSEEN = re.compile("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    return viewsamples.make_zoo(tmp_path)


def hostile(folder: Path) -> None:
    """Journals with every kind of text that a terminal could obey, one of a megabyte."""
    events = [
        {"event": "begin", "arguments": [BAD, "x" * 1_000_000], "at": BAD},
        {"event": "plan", "name": BAD, "version": BAD, "steps": [1, {"why": 2}]},
        {"event": "step_begin", "step": BAD, "reason": BAD, "key": BAD}, {"event": "warning", "text": BAD},
        {"event": "say", "text": BAD * 50}, {"event": "progress", "what": BAD, "done": [], "total": BAD},
        {"event": "end", "code": BAD, "error": BAD},
    ]  # fmt: skip
    for number in range(3):
        path = folder / f"build/work/runs/269{number}-\u202eodd [red]\x1b]0;x.jsonl"
        path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")


def test_hostile_names_and_logs_reach_no_terminal(zoo: Path) -> None:
    hostile(zoo)
    with Terminal(zoo, "ui", size=(200, 60)) as terminal:
        terminal.until("? keys")
        terminal.until("4 runs")
        for keys, says in (("\r", "Run 2692"), (":log last\r", ": log last"), ("/odd\r", "filter: odd")):
            terminal.type(keys)
            terminal.until(says)
        terminal.type("q")
        assert terminal.end() == 0
        titles = [one.group() for one in OURS.finditer(terminal.written) if one.group().startswith(b"\x1b]")]
        assert set(titles) <= {b"\x1b]22;default\x07"}  # the library resets the shape of the pointer
        shown = OURS.sub(b"", terminal.written).decode()
        assert not UNSEEN.search(shown), repr(UNSEEN.search(shown))
        assert "\\u001b]52" in shown and "[bold red]x" in shown


def test_it_leaves_the_terminal_as_it_was(zoo: Path) -> None:
    with Terminal(zoo, "ui") as terminal:
        terminal.until("keys")
        terminal.type("q")
        assert terminal.end() == 0
        assert terminal.written.index(b"\x1b[?1049h") < terminal.written.rindex(b"\x1b[?1049l")
        assert b"\x1b[?25h" in terminal.written and b"Traceback" not in terminal.written


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_without_a_traceback(sent: signal.Signals, zoo: Path) -> None:
    with Terminal(zoo, "ui") as terminal:
        terminal.until("? keys")
        terminal.process.send_signal(sent)
        assert terminal.end() in (129, 143)
        assert b"Traceback" not in terminal.written and b"\x1b[?1049l" in terminal.written


def test_a_lost_connection_ends_it(zoo: Path) -> None:
    with Terminal(zoo, "ui") as terminal:
        terminal.until("? keys")
        # What it notices first: the signal, or that it cannot write any more.
        assert terminal.close() in (1, 129)


def test_no_colours_where_none_are_wanted(zoo: Path) -> None:
    with Terminal(zoo, "ui", NO_COLOR="1") as terminal:
        terminal.until("? keys")
        terminal.type("q")
        assert terminal.end() == 0
        colours = re.findall(rb"\x1b\[[0-9;]*m", terminal.written)
        true = [part for one in colours for part in re.findall(rb"[34]8;2;(\d+);(\d+);(\d+)", one)]
        indexed = [int(part) for one in colours for part in re.findall(rb"[34]8;5;(\d+)", one)]
        assert all(len({*part}) == 1 for part in true)
        # The greys of the palette with 256 colours, and black and white.
        assert all(one >= 232 or one in (0, 7, 8, 15, 16, 59, 102, 145, 188, 231) for one in indexed)


def test_a_terminal_that_cannot_draw_gets_plain_text(zoo: Path) -> None:
    with Terminal(zoo, "ui", "catalog", TERM="dumb") as terminal:
        assert terminal.end() == 0
        assert b"smollm2-tutor-57m" in terminal.written and b"\x1b" not in terminal.written


def test_without_its_extra_it_says_what_to_install(zoo: Path) -> None:
    code = (
        "import sys, everycommand; everycommand.hide(['textual'], ['textual'])\n"
        "from zoo.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    with Terminal(zoo, "ui", code=code) as terminal:
        assert terminal.end() == 1
        assert b"pip install 'model-zoo-publisher[ui]'" in b" ".join(terminal.written.split())
    with Terminal(zoo, "ui", "--plain", "catalog", code=code) as plain:
        assert plain.end() == 0 and b"smollm2-tutor-57m" in plain.written


def writer(folder: Path, steps: int) -> subprocess.Popen[str]:
    """A process that keeps a journal as a release does."""
    return subprocess.Popen(
        [sys.executable, "-m", "writingrun", str(folder / "build/work"), str(steps)], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(
            (str(REPOSITORY), str(REPOSITORY / "tests"), os.environ["PYTHONPATH"]))},
    )  # fmt: skip


def test_a_run_is_followed_and_its_death_is_seen(zoo: Path) -> None:
    release = writer(zoo, 1_000_000)
    assert release.stdout and release.stdout.readline()
    # It prints what it does, and must not wait for a reader.
    threading.Thread(target=release.stdout.read, daemon=True).start()

    async def act(app: ZooApp, pilot: Driven) -> None:
        assert "1 running" in shown(app)
        await driving.press(app, pilot, "colon")
        app._ask.value = "log last"
        await driving.press(app, pilot, "enter")
        before = shown(app)
        await until(app, pilot, lambda: shown(app) != before)
        release.kill()
        release.wait()
        await until(app, pilot, lambda: "died" in shown(app))
        await driving.press(app, pilot, "1")
        assert "1 died" not in shown(app) and "2 died" in shown(app)

    try:
        driving.drive(zoo, act, Place("runs"), size=(160, 24))
    finally:
        release.kill()
        release.wait()


def kill_viewers(zoo: Path, count: int, steps: int) -> None:
    """Two viewers at a time, killed at random moments, while a run writes: it ends as if nobody had looked.

    The run waits for its reader, so it works as long as viewers come and go.
    """
    moments = random.Random(5)
    release = writer(zoo, steps)
    assert release.stdout and release.stdout.readline()
    for number in range(count):
        for _ in range(6 * steps // count):
            release.stdout.readline()
        with Terminal(zoo, "ui", "runs") as one, Terminal(zoo, "ui", "log") as other:
            if number % 2:
                one.until("? keys")
            other.read(moments.uniform(0, 0.6))
    lines = release.stdout.read().splitlines()
    assert release.wait() == 0 and lines[-1] == f"end step-{steps - 1}"
    release.stdout.close()
    newest = reader.look(zoo / "build/work")[0]
    assert newest.state == "finished"
    assert sum(event["event"] == "step_end" for event in reader.events(newest.path)) == steps


def test_viewers_that_are_killed_leave_the_run_alone(zoo: Path) -> None:
    kill_viewers(zoo, 2, 100)


@pytest.mark.long
def test_a_hundred_viewers_that_are_killed_leave_the_run_alone(zoo: Path) -> None:
    kill_viewers(zoo, 50, 2000)


def test_a_command_that_was_started_outlives_the_program(zoo: Path) -> None:
    release = writer(zoo, 1_000_000)
    assert release.stdout and release.stdout.readline()
    started = list[Child]()

    async def act(app: ZooApp, pilot: Driven) -> None:
        child = Child(("runs", "follow", "last"), app.asked.settings)
        started.append(child)
        app.child = child
        app.action_go("started", "runs follow last")
        # Only the end of a long output is shown, so its first line may be gone.
        await until(app, pilot, lambda: "it works now" in shown(app) and "working: " in shown(app))

    try:
        driving.drive(zoo, act, Place("runs"))
        assert started[0].screen().parts[-1] != "exit code 0" and os.getsid(started[0].pid) == started[0].pid
    finally:
        release.kill()
        release.wait()
        release.stdout.close()
    assert started[0]._process.wait(60) == 0
    assert "died" in str(started[0].screen().parts[0])
