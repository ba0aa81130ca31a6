"""Finished work that was changed on disk: it is detected when it is read, made again and never published."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("llama_cpp")
pytest.importorskip("torch")
import tinyzoo

from zoo.errors import DamagedStep
from zoo.files import checked
from zoo.plan.store import Workspace
from zoo.stages.artifact import Artifact

PUBLISHED = ("build/releases", "build/hub", "model_catalog.json", "site/evidence")


def flip(path: Path, *, keep_times: bool = False) -> None:
    """One byte in the middle changes; the size stays."""
    before = path.stat()
    raw = bytearray(path.read_bytes())
    raw[len(raw) * 2 // 3] ^= 1
    path.chmod(0o644)
    path.write_bytes(raw)
    if keep_times:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def unpublish(zoo: Path) -> None:
    for name in PUBLISHED:
        place = zoo / name
        shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tinyzoo.released_zoo(tmp_path_factory.mktemp("released"))


@pytest.fixture
def zoo(released: Path, tmp_path: Path) -> Path:
    """A copy of the released zoo, without publications and release folders."""
    folder = tmp_path / "zoo"
    shutil.copytree(released, folder, symlinks=True)
    return folder


@pytest.mark.parametrize("keep_times", [False, True])
def test_a_damaged_file_of_a_ladder(keep_times: bool, zoo: Path) -> None:
    keys, good = tinyzoo.steps_of(zoo, "plain"), tinyzoo.files_of(zoo / "build/releases/plain/1.0.0")
    unpublish(zoo)
    flip(zoo / "build/work" / keys["quantize/Q8_0"] / "model.gguf", keep_times=keep_times)
    done = tinyzoo.run(zoo, "release", "plain")
    assert done.returncode == 0, done.stderr
    assert (
        "step quantize/Q8_0 is damaged on disk: model.gguf has changed since it was recorded. It is made again"
        in done.stderr
    )
    assert "] quantize/Q8_0 done" in done.stderr and "] export done" not in done.stderr
    assert tinyzoo.files_of(zoo / "build/releases/plain/1.0.0") == good
    assert tinyzoo.run(zoo, "verify", "plain").returncode == 0


@pytest.mark.long
def test_damaged_weights_are_never_published(zoo: Path) -> None:
    keys, good = tinyzoo.steps_of(zoo, "tutored"), tinyzoo.files_of(zoo / "build/releases/tutored/1.0.0")
    unpublish(zoo)
    order = list(keys)
    for id_ in order[order.index("distill") + 1 :]:
        shutil.rmtree(zoo / "build/work" / keys[id_], ignore_errors=True)
    flip(zoo / "build/work" / keys["distill"] / "model/model.safetensors")
    done = tinyzoo.run(zoo, "release", "tutored")
    assert done.returncode == 0, done.stderr
    assert "step distill is damaged on disk: model/model.safetensors" in done.stderr
    assert tinyzoo.files_of(zoo / "build/releases/tutored/1.0.0") == good


def test_a_release_that_is_out_reads_no_finished_step(zoo: Path) -> None:
    for folder in (zoo / "build/work").iterdir():
        if (folder / "model.gguf").is_file():
            flip(folder / "model.gguf")
    done = tinyzoo.run(zoo, "release", "plain")
    assert done.returncode == 0 and "damaged" not in done.stderr


def test_the_working_folder_that_a_kill_left_of_a_finished_step_is_removed(zoo: Path) -> None:
    work = zoo / "build/work"
    key = next(iter(tinyzoo.steps_of(zoo, "plain").values()))
    left = [work / "partial" / key / "scratch", work / "partial" / ("0" * 64) / "scratch"]
    for folder in left:
        folder.mkdir(parents=True)
    unpublish(zoo)
    done = tinyzoo.run(zoo, "build", "plain")
    assert done.returncode == 0, done.stderr
    # What another step may resume from stays.
    assert [folder.exists() for folder in left] == [False, True]


# --- The parts


def finished(work: Workspace, key: str = "k") -> Artifact:
    out = work.partial(key) / "out"
    (out / "model").mkdir(parents=True)
    (out / "a").write_bytes(b"a" * 1000)
    (out / "model" / "b").write_bytes(b"b" * 1000)
    return work.finish(key, "kind", out, {"figure": 1}, {})


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """What another process would see: only what is on the disk."""
    return lambda: monkeypatch.setattr(checked, "_known", {})


def test_every_way_to_a_file_looks_at_it(tmp_path: Path, forgetful: Callable[[], None]) -> None:
    work = Workspace(tmp_path)
    made = finished(work)
    assert made.path("a").is_file() and made.whole() == tmp_path / "k"
    flip(tmp_path / "k" / "a")
    forgetful()
    for found in (made, work.finished("k")):
        assert found
        for look in (lambda f=found: f.path("a"), found.whole, lambda f=found: f.json("a")):
            with pytest.raises(DamagedStep, match="a has changed since it was recorded"):
                look()
        assert found.path("model/b").is_file()


def test_an_untouched_file_is_read_once(
    tmp_path: Path, forgetful: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Workspace(tmp_path)
    finished(work)
    forgetful()
    found = work.finished("k")
    assert found
    monkeypatch.setattr("hashlib.file_digest", None)
    assert found.whole()  # known since the step finished
    os.utime(tmp_path / "k" / "a")
    with pytest.raises(TypeError):
        found.path("a")


def test_lost_or_broken_memory_costs_a_reading(tmp_path: Path, forgetful: Callable[[], None]) -> None:
    work = Workspace(tmp_path)
    finished(work)
    memory = tmp_path / "checked" / "k.json"
    for raw in (b"", b"[]", b'{"a": 1}', b'{"a": ["x", [1, 2, 3, 1e999]]}', b"\xff", b"[" * 9999):
        memory.write_bytes(raw)
        forgetful()
        found = work.finished("k")
        assert found and found.whole()
    memory.unlink()
    memory.mkdir()
    forgetful()
    assert found.whole()


def test_facts_are_vouched_for_too(tmp_path: Path) -> None:
    work = Workspace(tmp_path)
    finished(work)
    record = tmp_path / "k" / "artifact.json"
    record.write_text(
        record.read_text(encoding="utf-8").replace('"figure": 1', '"figure": 2'), encoding="utf-8"
    )
    assert work.finished("k") is None


def test_a_step_that_stays_damaged_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo.plan import engine
    from zoo.plan.plan import Plan
    from zoo.progress import Silent

    settings = type("S", (), {"work": tmp_path})
    monkeypatch.setattr(engine, "_run", lambda *_: None)

    def use(_: object) -> None:
        raise DamagedStep("quantize", "k", "model.gguf")

    with pytest.raises(DamagedStep) as caught:
        engine.run_and(Plan("n", "1.0.0", (), (), "key"), settings, Silent(), use)
    assert "the disk may be failing" in caught.value.remedy


def test_a_foreign_line_of_the_label_journal_stops_no_later_run(zoo: Path) -> None:
    (journal,) = (zoo / "build/work/labels").glob("*.jsonl")
    with journal.open("a") as stream:
        stream.write('{"attempts":1,"finish":"stop","invalid":"","key":{},"text":"x","tokens":1}\n')
    label = zoo / "build/work" / tinyzoo.steps_of(zoo, "tutored")["label"]
    shutil.rmtree(label)
    shutil.rmtree(zoo / "build/releases/tutored/1.0.0")
    for _ in range(2):
        done = tinyzoo.run(zoo, "build", "tutored")
        assert done.returncode == 0 and "bug in zoo" not in done.stderr, done.stderr
    assert label.is_dir()
