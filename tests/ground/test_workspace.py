"""Atomic files and folders, digests, locks between processes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from zoo.errors import Damaged, ZooError
from zoo.files import digests, locks
from zoo.files.digests import canonical_json, digest, sha256_file
from zoo.files.listing import FileRecord, records
from zoo.files.whole import place_file, write_atomic
from zoo.machine import resources
from zoo.plan.store import Workspace
from zoo.stages import artifact

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "work")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def finish(work: Workspace, key: str = "k", **files: str) -> artifact.Artifact:
    out = work.partial(key) / "out"
    out.mkdir()
    for name, content in (files or {"a": "one", "b": "two"}).items():
        (out / name).write_text(content, encoding="utf-8")
    return work.finish(key, "corpus", out, {"n": 1}, {"spec": True})


# --- Digests


@pytest.mark.parametrize(("bad", "words"), [(float("inf"), "infinite"), (float("nan"), "NaN")])
def test_a_number_that_json_cannot_hold_is_named(bad: float, words: str) -> None:
    for write in (canonical_json, digest, digests.pretty_json):
        with pytest.raises(ZooError, match=rf"the figure candidates\.Q8_0\[1\]\.ppl is {words}"):
            write({"a": 1.0, "candidates": {"Q8_0": [0.5, {"ppl": bad}]}})


def test_digest_is_of_one_text() -> None:
    assert canonical_json({"b": [1, 2.5, None], "a": "é\n"}) == '{"a":"é\\n","b":[1,2.5,null]}'
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({}) == hashlib.sha256(b"{}").hexdigest()
    assert digest([1]) != digest(["1"])
    assert digests.pretty_json({"b": 1, "a": 2}) == '{\n  "a": 2,\n  "b": 1\n}\n'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [-float("inf")]}])
def test_no_digest_of_what_is_not_a_number(value: Any) -> None:
    with pytest.raises(ValueError):
        digest(value)
    with pytest.raises(ValueError):
        digests.pretty_json(value)


def test_sha256_of_a_file_tells_its_progress(tmp_path: Path) -> None:
    path, seen = tmp_path / "x", list[float]()
    path.write_bytes(b"x" * (3 << 19))
    assert sha256_file(path, seen.append) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert seen == [1 << 20, 1 << 19]


# --- Files


def test_write_atomic(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    write_atomic(path, "é")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o644
    assert names(path.parent) == ["file"]


@pytest.mark.parametrize("broken", ["os.fsync", "pathlib.Path.replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_atomic(path, "old")

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(broken, fail)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert names(tmp_path) == ["file"]


def test_place_file_links_and_else_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    source.write_text("content", encoding="utf-8")
    place_file(source, tmp_path / "a" / "linked")
    assert (tmp_path / "a" / "linked").samefile(source)

    def refuse(*_: Any) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    place_file(source, tmp_path / "a" / "copied")
    assert (tmp_path / "a" / "copied").read_text(encoding="utf-8") == "content"
    assert not (tmp_path / "a" / "copied").samefile(source)


def test_placing_over_a_link_does_not_write_into_the_other_file(tmp_path: Path) -> None:
    one, two, target = (tmp_path / name for name in ("one", "two", "target"))
    one.write_text("one", encoding="utf-8")
    two.write_text("two", encoding="utf-8")
    place_file(one, target)
    place_file(two, target)
    place_file(two, target)
    assert [path.read_text(encoding="utf-8") for path in (one, two, target)] == ["one", "two", "two"]


def test_records(tmp_path: Path) -> None:
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / "b" / "c" / "x").write_bytes(b"12")
    (tmp_path / "a").write_bytes(b"")
    assert records(tmp_path) == (
        FileRecord("a", 0, hashlib.sha256(b"").hexdigest()),
        FileRecord("b/c/x", 2, hashlib.sha256(b"12").hexdigest()),
    )


@pytest.mark.parametrize("kind", ["file link", "folder link", "dangling link", "pipe"])
def test_records_refuse_what_is_no_plain_file(kind: str, tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    strange = tmp_path / "inside" / "strange"
    if kind == "pipe":
        os.mkfifo(strange)
    else:
        strange.symlink_to({"file link": __file__, "folder link": "/", "dangling link": "nowhere"}[kind])
    with pytest.raises(Damaged, match="strange is neither a regular file nor a folder"):
        records(tmp_path)


def test_free_space_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert resources.free_bytes(tmp_path / "a" / "b") > 0


# --- Steps


def test_a_finished_step_is_found_complete(work: Workspace) -> None:
    made = finish(work)
    found = work.finished("k")
    assert found == made
    assert found and found.facts == {"n": 1} and found.kind == "corpus"
    assert [file.path for file in found.files] == ["a", "b"]
    assert found.path("a").read_text(encoding="utf-8") == "one"
    assert names(work.folder / "k") == ["a", "artifact.json", "b"]
    assert not (work.folder / "partial" / "k").exists()
    record = json.loads((work.folder / "k" / "artifact.json").read_text(encoding="utf-8"))
    assert record["key"] == "k" and record["spec"] == {"spec": True}


def test_a_step_that_still_grows_is_not_finished(work: Workspace) -> None:
    assert work.finished("k") is None
    (work.partial("k") / "out").mkdir()
    assert work.finished("k") is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "a").write_text("longer", encoding="utf-8"),
        lambda folder: (folder / "a").write_text("", encoding="utf-8"),
        lambda folder: (folder / "b").unlink(),
        lambda folder: (folder / "artifact.json").unlink(),
        lambda folder: (folder / "artifact.json").write_text('{"kind": ', encoding="utf-8"),
        lambda folder: (folder / "artifact.json").write_text("[]", encoding="utf-8"),
        lambda folder: (folder / "artifact.json").write_text('{"files": []}', encoding="utf-8"),
        lambda folder: (folder / "artifact.json").write_bytes(b"\xff"),
        lambda folder: (folder / "artifact.json").write_text('{"files": [{"path": "a"}]}', encoding="utf-8"),
    ],
    ids=[
        "longer",
        "empty",
        "missing",
        "no-record",
        "cut-record",
        "list",
        "poor-record",
        "not-utf-8",
        "poor-file",
    ],
)
def test_a_damaged_step_is_not_finished_and_is_replaced(damage: Any, work: Workspace) -> None:
    finish(work)
    damage(work.folder / "k")
    assert work.finished("k") is None
    finish(work, c="new")
    found = work.finished("k")
    assert found and [file.path for file in found.files] == ["c"]
    assert names(work.folder / "k") == ["artifact.json", "c"]


def test_a_step_without_files_or_with_a_link_is_refused(work: Workspace) -> None:
    out = work.partial("k") / "out"
    out.mkdir()
    with pytest.raises(ZooError, match="step corpus wrote no file"):
        work.finish("k", "corpus", out, {}, {})
    (out / "link").symlink_to("/etc/hostname")
    with pytest.raises(Damaged):
        work.finish("k", "corpus", out, {}, {})
    assert work.finished("k") is None and out.is_dir()


@pytest.mark.parametrize("record", ['"text"', "[]", "3", "null", '{"kind": 1, "files": [], "facts": {}}'])
def test_a_record_of_another_form_is_not_a_finished_step(work: Workspace, record: str) -> None:
    finish(work)
    (work.folder / "k" / artifact.RECORD).write_text(record, encoding="utf-8")
    assert work.finished("k") is None


def test_facts_that_are_no_json_leave_nothing_finished(work: Workspace) -> None:
    out = work.partial("k") / "out"
    out.mkdir()
    (out / "a").touch()
    with pytest.raises(ValueError):
        work.finish("k", "corpus", out, {"loss": float("nan")}, {})
    assert not (work.folder / "k").exists()


def test_an_artifact_has_only_its_own_files(work: Workspace) -> None:
    made = finish(work, a="{}")
    assert made.json("a") == {}
    with pytest.raises(Damaged, match=r"has no file artifact\.json"):
        made.path("artifact.json")


# --- Locks


HOLD = """
import sys, pathlib
from zoo.files.locks import locked
with locked(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.usefixtures("in_time")
def test_a_lock_keeps_another_process_out_until_it_is_left_or_killed(tmp_path: Path) -> None:
    path, waited = tmp_path / "deep" / "lock", list[float]()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, cwd=REPOSITORY, text=True, **pipes) as other:
        assert other.stdout and other.stdout.readline() == "held\n"

        def waiting() -> None:
            waited.append(time.monotonic())
            other.kill()

        try:
            with locks.locked(path, waiting):
                assert other.wait(timeout=60) < 0
        finally:
            other.kill()
    assert len(waited) == 1
    with locks.locked(path, lambda: pytest.fail("nobody holds it")):
        pass


def test_a_step_that_was_refused_at_once_leaves_nothing(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "work")
    for keep in (False, True):
        with workspace.growing("k", lambda: None):
            scratch = workspace.partial("k") / "scratch"
            scratch.mkdir()
            if keep:
                (scratch / "half").write_text("x", encoding="utf-8")
            workspace.leave("k")
        assert (workspace.partial("k") / "scratch" / "half").exists() == keep
        assert workspace.lock("k").exists() == keep
