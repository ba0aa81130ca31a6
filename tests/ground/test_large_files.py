"""Large files are copied by the kernel where it can, and read only once by a process."""

from __future__ import annotations

import errno
import os
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from zoo.files import listing
from zoo.files.digests import sha256_file
from zoo.files.listing import FileRecord, sha256_of
from zoo.files.together import each
from zoo.files.whole import GRAIN_SECONDS, copy_bytes
from zoo.publish.hashes import GIT_BYTES, Hashes

CONTENT = os.urandom(1 << 20) * 18


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "new" / "model.gguf"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    time.sleep(2 * GRAIN_SECONDS)
    return path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    found: list[Path] = []

    def counting(path: Path, *_: object) -> str:
        found.append(path)
        return sha256_file(path)

    monkeypatch.setattr(listing, "sha256_file", counting)
    return found


def _copied(path: Path, start: int, end: int) -> bytes:
    target = path.with_name("copy")
    with path.open("rb") as source, target.open("wb") as out:
        out.write(b"head")
        copy_bytes(source, out, start, end)
    return target.read_bytes()


def test_a_range_is_appended(large: Path) -> None:
    assert _copied(large, 5, len(CONTENT) - 3) == b"head" + CONTENT[5:-3]


@pytest.mark.parametrize("fails_at", [0, 1])
def test_a_system_that_cannot_send_reads_and_writes(
    large: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    real, calls = os.sendfile, iter(range(9))

    def sendfile(*given: int) -> int:
        if next(calls) == fails_at:
            raise OSError(errno.EINVAL, "not these files")
        return real(*given)

    monkeypatch.setattr(os, "sendfile", sendfile)
    assert _copied(large, 7, len(CONTENT)) == b"head" + CONTENT[7:]


def test_a_source_that_became_shorter_is_an_error(large: Path) -> None:
    with pytest.raises(OSError, match="became shorter"):
        _copied(large, 0, len(CONTENT) + 1)


def test_a_renamed_folder_is_not_read_again(large: Path, reads: list[Path]) -> None:
    wanted = sha256_of(large)
    moved = large.parent.rename(large.parent.with_name("final")) / large.name
    told: list[float] = []
    assert (sha256_of(moved, told.append), len(reads), told) == (wanted, 1, [len(CONTENT)])
    assert len(CONTENT) > GIT_BYTES
    record = FileRecord(moved.name, len(CONTENT), wanted)
    hashes = Hashes(moved.parent.with_name("hashes.json"))
    hashes.forget(moved.parent, [record])
    assert hashes.check(moved.parent, record).sha256 == wanted
    assert len(reads) == 1


def test_a_change_is_read(large: Path, reads: list[Path]) -> None:
    before = sha256_of(large)
    with large.open("r+b") as stream:
        stream.write(b"x")
    assert sha256_of(large) != before
    assert len(reads) == 2


def test_a_file_of_this_moment_is_not_remembered(large: Path, reads: list[Path]) -> None:
    os.utime(large)
    assert sha256_of(large) == sha256_of(large)
    assert len(reads) == 2


def test_results_come_in_the_order_of_the_files(tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(6)]

    def work(path: Path) -> str:
        time.sleep(0.01 * (6 - int(path.name)))
        return path.name

    assert each(work, paths) == [path.name for path in paths]


def test_an_error_stops_what_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, cancelled = [], threading.Event()
    cancel = Future.cancel

    def heard(job: Future[None]) -> bool:
        cancelled.set()
        return cancel(job)

    def work(path: Path) -> None:
        begun.append(path.name)
        if path.name != "0":
            assert cancelled.wait(60)
        raise OSError(path.name)

    monkeypatch.setattr(Future, "cancel", heard)
    with pytest.raises(OSError, match=r"^0$"):
        each(work, [tmp_path / str(number) for number in range(9)])
    assert len(begun) < 9
