"""Journals of runs: what is kept, what is not, kills at random points, large and hostile files."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import waiting

from zoo.errors import InputError
from zoo.files import journal
from zoo.output import Output
from zoo.progress import heard_by, record
from zoo.runs import reader, views, writer
from zoo.runs.writer import Recorder

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(writer, "BEAT_SECONDS", 0.002)


def opened(recorder: Recorder) -> None:
    """Wait until the journal is written."""
    waiting.until(lambda: recorder._stream is not None or recorder._failed)


def kept(work: Path, *events: dict[str, object], code: int = 0, **more: str) -> Path:
    recorder = Recorder("zoo release", ("release", "tiny"))
    recorder.place(work)
    with recorder.kept():
        opened(recorder)
        for event in events:
            recorder.stamp(event)
    recorder.end(code, **more)
    return work / "runs" / f"{recorder.id}.jsonl"


BEGIN: dict[str, object] = {"event": "step_begin", "step": "distill", "key": "a" * 64, "reason": "run: not made yet"}
END: dict[str, object] = {**BEGIN, "event": "step_end", "seconds": 2.0}


def test_every_line_has_its_time_its_run_and_its_step(tmp_path: Path) -> None:
    path = kept(tmp_path, BEGIN, {"event": "say", "text": "one"}, END, {"event": "say", "text": "two"})
    events = list(reader.events(path))
    assert [event["event"] for event in events] == ["begin", "step_begin", "say", "step_end", "say", "end"]
    assert {event["run"] for event in events} == {path.stem}
    assert [event.get("step") for event in events] == [None, "distill", "distill", "distill", None, None]
    assert events == sorted(events, key=lambda event: str(event["at"]))
    assert events[0]["arguments"] == ["release", "tiny"]
    end = events[-1]
    assert end["code"] == 0 and isinstance(end["cpu_seconds"], float) and isinstance(end["peak_memory_bytes"], int)


def test_a_short_run_and_a_zoo_without_a_work_folder_keep_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept_nowhere = tmp_path / "missing"
    recorder = Recorder("zoo show", ())
    recorder.place(kept_nowhere)
    with recorder.kept():
        time.sleep(0.03)
    recorder.end(0)
    monkeypatch.setattr(writer, "LEAST_SECONDS", 60.0)
    recorder = Recorder("zoo show", ())
    recorder.place(tmp_path)
    with recorder.kept():
        time.sleep(0.03)
    recorder.end(0)
    assert list(tmp_path.iterdir()) == []


def test_what_happened_before_the_journal_was_opened_is_in_it(tmp_path: Path) -> None:
    recorder = Recorder("zoo release", ())
    for number in range(10):
        recorder.stamp({"event": "say", "text": str(number)})
    with recorder.kept():
        recorder.place(tmp_path)
        opened(recorder)
    recorder.end(0)
    (one,) = reader.look(tmp_path)
    assert [event.get("text") for event in reader.events(one.path)][1:-1] == [str(number) for number in range(10)]


@pytest.mark.parametrize(
    ("code", "state"), [(0, "finished"), (1, "failed"), (3, "failed"), (130, "stopped"), (143, "stopped")]
)
def test_the_end_of_a_run_is_its_exit_code(code: int, state: str, tmp_path: Path) -> None:
    kept(tmp_path, BEGIN, code=code, error="it broke")
    (one,) = reader.look(tmp_path)
    assert (one.state, one.command) == (state, "zoo release tiny")
    shown = views.show(one, reader.events(one.path))
    assert "it broke" in shown and ("Run the same command again" in shown) == (code != 0)


def test_no_password_and_no_token_is_kept(tmp_path: Path) -> None:
    token, address = "hf_" + "A" * 34, "https://user:p4ss@hub.example/x"
    recorder = Recorder("zoo release", ("release", f"--hub={address}", token))
    recorder.place(tmp_path)
    with recorder.kept():
        opened(recorder)
        recorder.stamp({"event": "plan", "steps": [{"why": address}, {"more": (token, 1)}], "x": {token: tmp_path}})
    recorder.end(1, f"cannot reach {address} with {token}")
    raw = (tmp_path / "runs" / f"{recorder.id}.jsonl").read_text(encoding="utf-8")
    assert "p4ss" not in raw and token not in raw and "***" in raw


def test_events_of_the_terminal_are_the_same_records(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(events=True)
    recorder = Recorder("zoo release", ())
    recorder.place(tmp_path)
    output.journal = recorder.stamp
    with recorder.kept(), heard_by(output):
        opened(recorder)
        output.say("one")
        output.warn("two")
        record("step_begin", step="export", key="b", reason="run: not made yet")
        with output.task("working", 2, "rows") as advance:
            advance(2)
    recorder.end(0)
    sent = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (one,) = reader.look(tmp_path)
    assert sent == list(reader.events(one.path))[1:-1] and {"at", "run", "event"} <= sent[0].keys()


def test_without_a_terminal_and_when_quiet_progress_is_kept_too(tmp_path: Path) -> None:
    output = Output(quiet=True)
    recorder = Recorder("zoo release", (), output.progress)
    recorder.place(tmp_path)
    output.journal = recorder.stamp
    with recorder.kept():
        opened(recorder)
        output.say("unheard")
        with output.task("working", 3, "rows") as advance:
            advance(1)
            (path,) = (tmp_path / "runs").iterdir()
            waiting.until(lambda: any(event.get("done") == 1 for event in reader.events(path)))
    recorder.end(0)
    (one,) = reader.look(tmp_path)
    events = list(reader.events(one.path))
    assert {"event": "say", "text": "unheard"}.items() <= events[1].items()
    assert any(event.get("what") == "working" and event.get("done") == 1 for event in events)


@pytest.mark.parametrize("kills", [12, pytest.param(100, marks=pytest.mark.long)])
def test_a_writer_that_is_killed_anywhere_died_at_its_step_and_lost_no_line(kills: int, tmp_path: Path) -> None:
    """Processes that are killed at random points; some are read while they live."""
    rng = random.Random(kills)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))}
    for number in range(kills):
        work = tmp_path / str(number)
        work.mkdir()
        writing = [sys.executable, str(ROOT / "tests/writingrun.py"), str(work), "100000"]
        process = subprocess.Popen(writing, stdout=subprocess.PIPE, text=True, env=environment)
        assert process.stdout
        wanted = rng.randrange(1, 120)
        said = [process.stdout.readline().split() for _ in range(wanted)]
        if number % 10 == 0:
            (one,) = reader.look(work)
            assert one.state == "running" and "step-" in one.words
        process.send_signal(signal.SIGKILL)
        began = time.process_time()
        said += [line.split() for line in process.stdout if line.endswith("\n")]
        process.wait()
        (one,) = reader.look(work)
        assert one.state == "died" and time.process_time() - began < 5
        events = list(reader.events(one.path))
        # Every line that the process had written is there, in order, and at most one more.
        lines = [(str(event["event"]).removeprefix("step_"), event["step"]) for event in events[1:]]
        assert lines[: len(said)] == [tuple(words) for words in said] and len(lines) <= len(said) + 1
        kind, step = lines[-1]
        assert one.words == (f"died after step {step}" if kind == "end" else f"died at step {step}")


def test_a_suspended_writer_is_silent_and_not_dead(tmp_path: Path) -> None:
    recorder = Recorder("zoo release", ())
    recorder.place(tmp_path)
    with recorder.kept():
        opened(recorder)
    # The thread that sets the time has ended, and the lock is held.
    path = tmp_path / "runs" / f"{recorder.id}.jsonl"
    os.utime(path, (time.time() - 100, time.time() - 100))
    (one,) = reader.look(tmp_path)
    assert one.state == "silent"
    recorder.end(0)


def test_torn_and_hostile_lines_are_dropped(tmp_path: Path) -> None:
    path = kept(tmp_path, BEGIN, END)
    good = list(reader.events(path))
    raw = path.read_bytes().splitlines(keepends=True)
    junk = b'{"torn\n[]\n\xff\n{"event":3}\n' + b"x" * 1_000_000 + b"\n"
    path.write_bytes(raw[0] + junk + b"".join(raw[1:]) + b'{"event":"say","text":"to')
    assert list(reader.events(path)) == good
    (one,) = reader.look(tmp_path)
    assert one.state == "finished"
    (tmp_path / "runs/empty.jsonl").write_bytes(b"")
    (tmp_path / "runs/folder.jsonl").mkdir()
    (tmp_path / "runs/odd.jsonl").write_bytes(b'{"event":"begin","at":7,"step":[1]}\n{"event":"end","code":"x"}\n')
    assert {one.id for one in reader.look(tmp_path)} == {path.stem, "odd"}
    assert all(views.row(one) and views.show(one, reader.events(one.path)) for one in reader.look(tmp_path))


def test_a_journal_is_bounded_and_keeps_what_matters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MOST_BYTES", 20_000)
    talk: list[dict[str, object]] = [{"event": "say", "text": "x" * 100}] * 400
    path = kept(tmp_path, BEGIN, *talk, END)
    assert path.stat().st_size < 20_000
    assert [event["event"] for event in reader.events(path)][-2:] == ["step_end", "end"]


def test_the_oldest_journals_make_room_and_a_running_one_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MOST_RUNS", 3)
    ids = iter(range(100, 200))
    monkeypatch.setattr(writer, "name_of", lambda _: str(next(ids)))
    running = Recorder("zoo release", ())
    running.place(tmp_path)
    with running.kept():
        opened(running)
        for _ in range(5):
            kept(tmp_path)
        assert [one.id for one in reader.look(tmp_path)][-1] == running.id
        assert len(reader.look(tmp_path)) <= 4
    running.end(0)


def test_a_full_or_read_only_disk_does_not_stop_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs").write_bytes(b"a file is in the way")
    recorder = Recorder("zoo release", ())
    recorder.place(tmp_path)
    with recorder.kept():
        opened(recorder)
    recorder.end(0)
    (tmp_path / "runs").unlink()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journal, "append", full)
    kept(tmp_path, BEGIN, END)


def test_following_ends_with_the_run_or_its_death(tmp_path: Path) -> None:
    recorder = Recorder("zoo release", ())
    recorder.place(tmp_path)
    seen: list[str] = []
    with recorder.kept():
        opened(recorder)
        path = tmp_path / "runs" / f"{recorder.id}.jsonl"

        def watch() -> None:
            seen.extend(str(event["event"]) for event in reader.follow(path, every_seconds=0.005))

        thread = threading.Thread(target=watch)
        thread.start()
        for event in (BEGIN, END):
            recorder.stamp(event)
    recorder.end(0)
    thread.join(waiting.FAR_SECONDS)
    assert seen == ["begin", "step_begin", "step_end", "end"]
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert [event["event"] for event in reader.follow(path)] == ["begin", "step_begin", "step_end"]


def test_a_journal_of_100_mb_is_listed_at_once(tmp_path: Path) -> None:
    path = kept(tmp_path, BEGIN)
    first = path.read_bytes().splitlines(keepends=True)
    line = json.dumps({"at": "2026-01-01T00:00:00.000Z", "run": "a", "event": "progress", "step": "distill", "done": 1})
    with path.open("wb") as stream:
        stream.write(first[0])
        block = (line + "\n").encode() * 10_000
        for _ in range(100):
            stream.write(block)
    assert path.stat().st_size > 90e6
    began = time.process_time()
    (one,) = reader.look(tmp_path)
    assert one.words == "died at step distill" and len(reader.newest(path, 200)) == 200
    assert time.process_time() - began < 0.5


def test_runs_are_named_by_a_part_of_their_id(tmp_path: Path) -> None:
    path = kept(tmp_path)
    for name in (path.stem, path.stem[:10], path.stem[-4:], "last"):
        assert reader.find(tmp_path, name).id == path.stem
    for name in ("nothing", ""):
        kept(tmp_path)
        with pytest.raises(InputError, match="the id"):
            reader.find(tmp_path, name)


def test_somebody_who_looks_at_the_very_moment_stops_no_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To look at the lock of a journal is to hold it for a moment, which may be the moment in which it begins."""
    looked = threading.Event()
    opened_before = Path.open

    def open_(path: Path, *words: Any, **named: Any) -> Any:
        stream = opened_before(path, *words, **named)
        if path.parent.name == "runs" and words == ("xb",):
            handle = os.open(path, os.O_RDONLY)
            fcntl.flock(handle, fcntl.LOCK_SH)
            threading.Timer(0.05, lambda: (os.close(handle), looked.set())).start()
        return stream

    monkeypatch.setattr(Path, "open", open_)
    path = kept(tmp_path, BEGIN, END)
    assert looked.wait(10) and [event["event"] for event in reader.events(path)][-1] == "end"


def test_the_kept_measurement_of_cost_and_lag_is_of_this_benchmark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching = pytest.importorskip("benchmarks.watching")
    kept_ = json.loads((ROOT / "benchmarks/results/watching.json").read_text(encoding="utf-8"))
    assert kept_["kept"] and kept_["targets"] == watching.TARGETS and kept_["schema"] == watching.SCHEMA
    assert len(kept_["samples"]["lag_seconds"]) == watching.EVENTS
    monkeypatch.setattr(watching, "SLICE_BYTES", 1000)
    monkeypatch.setattr(watching, "EVERY_SECONDS", 0.002)
    assert watching.journaled(tmp_path) >= 0
    watching.write(tmp_path)
    newest = reader.look(tmp_path)[0]
    assert newest.state == "finished"
    assert sum(event["event"] == "say" for event in reader.events(newest.path)) == watching.EVENTS
