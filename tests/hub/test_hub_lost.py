"""Contents that a hub lost or damaged: told without reading where it can be told, and sent again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hubserving import Start

from zoo.errors import Damaged
from zoo.files.listing import FileRecord
from zoo.hub import Repo, connect
from zoo.hub.server import Access

pytest_plugins = ["hubserving"]
pytestmark = pytest.mark.usefixtures("online")

PART = 64 << 10
SIZES = {"one request": PART // 2, "parts": 5 * PART + 17}


@pytest.fixture(params=["folder", "http"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, start: Start) -> Callable[[], Repo]:
    """Opens the repository, which remembers nothing then."""
    if request.param == "folder":
        return lambda: connect("build/hub", tmp_path).repo("model", "me", "tiny")
    server = start()
    server.routes.parts_above, server.routes.part_bytes = PART, PART
    return lambda: connect(server.address, tmp_path).repo("model", "me", "tiny")


@pytest.fixture
def repo(opened: Callable[[], Repo]) -> Repo:
    return opened()


def committed(repo: Repo, tmp_path: Path, size: int) -> tuple[Path, FileRecord, Path]:
    """A local file, its record, and where the hub stores it."""
    path = tmp_path / "x.gguf"
    path.write_bytes(bytes(range(251)) * (size // 251) + bytes(size % 251))
    record = FileRecord("x.gguf", size, hashlib.sha256(path.read_bytes()).hexdigest())
    repo.put(path, record.sha256, lambda _: None)
    repo.commit(None, [record], [], "first")
    stored = tmp_path / "build/hub/objects" / record.sha256[:2] / record.sha256
    stored.chmod(0o644)
    return path, record, stored


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("harm", ["lost", "cut", "flipped", "none"])
def test_it_is_told_and_sent_again(harm: str, size: int, repo: Repo, tmp_path: Path) -> None:
    path, record, stored = committed(repo, tmp_path, size)
    raw = stored.read_bytes()
    assert repo.lost([record]) == []
    if harm == "lost":
        stored.unlink()
    elif harm == "cut":
        stored.write_bytes(raw[:-1])
    elif harm == "flipped":
        stored.write_bytes(raw[:100] + bytes([raw[100] ^ 1]) + raw[101:])
    # Without reading, damaged bytes of the right length cannot be told.
    assert repo.lost([record]) == ([record] if harm in ("lost", "cut") else [])
    moved: list[int] = []
    if harm == "none":
        try:
            repo.restore(path, record.sha256, moved.append)
        except Damaged as error:
            assert "does not take the right ones" in error.what  # the hub read its copy, and it is right
    else:
        repo.restore(path, record.sha256, moved.append)
        assert sum(moved) == size
    assert stored.read_bytes() == raw


def test_bytes_that_are_not_the_announced_ones_do_not_replace_anything(repo: Repo, tmp_path: Path) -> None:
    path, record, stored = committed(repo, tmp_path, SIZES["one request"])
    raw = stored.read_bytes()
    stored.unlink()
    path.write_bytes(raw[:-1] + b"?")
    with pytest.raises(Exception, match=r"sha256"):
        repo.restore(path, record.sha256, lambda _: None)
    assert not stored.exists()


def test_only_who_may_write_makes_the_server_read_its_copies(tmp_path: Path, start: Start) -> None:
    server = start(Access({}, anonymous_write=True))
    open_ = connect(server.address, tmp_path).repo("model", "me", "tiny")
    path, record, _ = committed(open_, tmp_path, SIZES["one request"])
    closed = start(Access({}, anonymous_write=False))
    repo = connect(closed.address, tmp_path).repo("model", "me", "tiny")
    with pytest.raises(Exception, match=r"(?i)token|401|refuse"):
        repo.restore(path, record.sha256, lambda _: None)


def test_a_lost_commit_is_written_again_by_what_is_known_of_it(repo: Repo, tmp_path: Path) -> None:
    _, record, _ = committed(repo, tmp_path, 1000)
    first = repo.refs().branches["main"]
    other = FileRecord("y.gguf", record.size_bytes, record.sha256)
    second = repo.commit(first, [other], [], "second")
    folder = tmp_path / "build/hub/repos/model/me/tiny"
    (lost,) = (folder / "commits").glob(f"{second}*.json")
    before = lost.read_bytes()
    lost.unlink()
    for files, title in (([record], "second"), ([record, other], "another")):
        assert not repo.restore_commit(second, files, title, [first])
    assert not lost.exists()
    assert repo.restore_commit(second, [record, other], "second", [first])
    assert lost.read_bytes() == before and set(repo.tree(second)) == {"x.gguf", "y.gguf"}


def test_a_branch_on_a_lost_commit_goes_back_to_the_last_one_that_is_there(
    opened: Callable[[], Repo], repo: Repo, tmp_path: Path
) -> None:
    _, record, _ = committed(repo, tmp_path, 1000)
    first = repo.refs().branches["main"]
    second = repo.commit(first, [FileRecord("y.gguf", record.size_bytes, record.sha256)], [], "second")
    commits = tmp_path / "build/hub/repos/model/me/tiny/commits"
    assert not opened().restore_branch("main", first)
    next(commits.glob(f"{second}*.json")).unlink()
    assert opened().restore_branch("main", first) and opened().refs().branches["main"] == first
    # Nothing is left that it could go back to: the next commit begins it.
    next(commits.glob(f"{first}*.json")).unlink()
    assert opened().restore_branch("main", first) and "main" not in opened().refs().branches
    repo.put(tmp_path / "x.gguf", record.sha256, lambda _: None)
    assert opened().refs().branches == {} and repo.commit(None, [record], [], "again")
