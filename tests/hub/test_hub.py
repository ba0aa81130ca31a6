"""The folder hub: immutable commits, a branch that moves, tags that do not, and detected damage."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.errors import Damaged, InputError, ZooError
from zoo.files.listing import FileRecord
from zoo.hub import FolderHub, FolderRepo, HubConflict, connect

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def repo(tmp_path: Path) -> FolderRepo:
    return FolderHub(tmp_path / "hub").repo("model", "local", "m")


def nothing(amount: float) -> None:
    """Told the bytes, does not care."""


def put(repo: FolderRepo, path: str, content: str, tmp_path: Path) -> FileRecord:
    """Uploads a text; the record to commit."""
    raw = content.encode()
    source = tmp_path / "source"
    source.write_bytes(raw)
    record = FileRecord(path, len(raw), hashlib.sha256(raw).hexdigest())
    repo.put(source, record.sha256, nothing)
    return record


def everything(folder: Path) -> dict[str, bytes]:
    """Every file of the hub except the locks."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "lock"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_nothing_is_there_before_the_first_commit(repo: FolderRepo) -> None:
    refs = repo.refs()
    assert (dict(refs.branches), dict(refs.tags)) == ({}, {})


def test_commit_tree_open_tag(repo: FolderRepo, tmp_path: Path) -> None:
    a, b = put(repo, "a.txt", "one", tmp_path), put(repo, "x/b.txt", "zwei", tmp_path)
    first = repo.commit(None, [a, b], [], "first")
    assert repo.tree(first) == {"a.txt": a, "x/b.txt": b}
    c = put(repo, "a.txt", "three", tmp_path)
    second = repo.commit(first, [c], ["x/b.txt", "not-there"], "second")
    assert repo.tree(second) == {"a.txt": c}
    assert repo.tree(first) == {"a.txt": a, "x/b.txt": b}
    assert repo.refs().branches == {"main": second}
    with repo.open(first, "x/b.txt", 2) as stream:
        assert stream.read() == b"ei"
    repo.tag("v1", first)
    repo.tag("v1", first)
    assert repo.refs().tags == {"v1": first}
    log = [json.loads(line) for line in (repo.folder / "refs.log").read_text(encoding="utf-8").splitlines()]
    assert [(entry["ref"], entry["oid"]) for entry in log] == [
        ("heads/main", first), ("heads/main", second), ("tags/v1", first)
    ]  # fmt: skip


def test_content_is_kept_once_and_read_only(repo: FolderRepo, tmp_path: Path) -> None:
    record = put(repo, "a", "one", tmp_path)
    told = list[float]()
    assert repo.put(tmp_path / "source", record.sha256, told.append) is False
    assert told == [3]
    (stored,) = [path for path in repo.objects.rglob("*") if path.is_file()]
    assert stored.name == record.sha256 and stored.stat().st_mode & 0o222 == 0


@pytest.mark.parametrize("parent", [None, "f" * 64])
def test_a_commit_on_another_parent_changes_nothing(
    parent: str | None, repo: FolderRepo, tmp_path: Path
) -> None:
    repo.commit(None, [put(repo, "a", "one", tmp_path)], [], "first")
    record = put(repo, "a", "two", tmp_path)
    before = everything(tmp_path / "hub")
    with pytest.raises(HubConflict, match=r"the branch (is at|has commits already)"):
        repo.commit(parent, [record], [], "second")
    assert everything(tmp_path / "hub") == before


def test_a_tag_never_moves(repo: FolderRepo, tmp_path: Path) -> None:
    first = repo.commit(None, [put(repo, "a", "one", tmp_path)], [], "first")
    second = repo.commit(first, [put(repo, "a", "two", tmp_path)], [], "second")
    repo.tag("v1", first)
    before = everything(tmp_path / "hub")
    with pytest.raises(HubConflict, match="tag v1 is already on commit"):
        repo.tag("v1", second)
    with pytest.raises(InputError, match="has no commit"):
        repo.tag("v2", "0" * 64)
    with pytest.raises(InputError, match="is not a valid name for a tag"):
        repo.tag("../heads/main", second)
    assert everything(tmp_path / "hub") == before


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/etc/passwd", "is absolute"), ("../x", r"leads outside its folder \(\.\.\)"), ("a/../../x", "leads outside "
                                                                                                      "its folder"),
        ("", "is empty"), ("a//b", "has an empty part"), ("a\nb", "has a character"), ("a\x1bb", "has a character"),
        ("a\u202eb", "has a character"), ("a\\b", "has a character"), ("~/x", "is absolute"), ("x.", "ends in a dot"),
    ],
)  # fmt: skip
def test_paths_that_are_refused(path: str, reason: str, repo: FolderRepo, tmp_path: Path) -> None:
    record = put(repo, path, "one", tmp_path)
    with pytest.raises(InputError, match=reason):
        repo.commit(None, [record], [], "first")
    assert not repo.refs().branches


def test_names_that_differ_in_case_only_are_refused(repo: FolderRepo, tmp_path: Path) -> None:
    first = repo.commit(None, [put(repo, "README.md", "one", tmp_path)], [], "first")
    record = put(repo, "readme.md", "two", tmp_path)
    with pytest.raises(InputError, match="are the same file on systems that ignore case"):
        repo.commit(first, [record], [], "second")
    second = repo.commit(first, [record], ["README.md"], "second")
    assert list(repo.tree(second)) == ["readme.md"]


def test_content_that_was_not_uploaded_cannot_be_committed(repo: FolderRepo) -> None:
    with pytest.raises(ZooError, match="the content of a was not uploaded"):
        repo.commit(None, [FileRecord("a", 3, "0" * 64)], [], "first")
    assert not repo.refs().branches


def test_upload_of_other_bytes_than_announced(repo: FolderRepo, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"one")
    with pytest.raises(Damaged, match="not 0000"):
        repo.put(tmp_path / "source", "0" * 64, nothing)
    with pytest.raises(Damaged, match="is not a sha256"):
        repo.put(tmp_path / "source", "../../x", nothing)
    assert not [path for path in repo.objects.rglob("*") if path.is_file()]


def test_a_cut_object_is_uploaded_again(repo: FolderRepo, tmp_path: Path) -> None:
    record = put(repo, "a", "one", tmp_path)
    stored = repo.objects / record.sha256[:2] / record.sha256
    stored.chmod(0o644)
    stored.write_bytes(b"o")
    assert put(repo, "a", "one", tmp_path) == record
    assert stored.read_bytes() == b"one"


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b"\xff", b'{"files":{},"message":"","parent":null}', b"null"],
    ids=["empty", "cut", "list", "not-utf-8", "other", "null"],
)  # fmt: skip
def test_a_damaged_commit_is_seen(damage: bytes, repo: FolderRepo, tmp_path: Path) -> None:
    first = repo.commit(None, [put(repo, "a", "one", tmp_path)], [], "first")
    (repo.folder / "commits" / f"{first}.json").write_bytes(damage)
    for use in (lambda: repo.tree(first), lambda: repo.open(first, "a"), lambda: repo.tag("v1", first)):
        with pytest.raises(Damaged, match="is damaged on disk"):
            use()
    with pytest.raises(Damaged):
        repo.commit(first, [], ["a"], "second")
    assert repo.refs().branches == {"main": first} and not repo.refs().tags


def test_a_damaged_ref_is_no_commit(repo: FolderRepo, tmp_path: Path) -> None:
    repo.commit(None, [put(repo, "a", "one", tmp_path)], [], "first")
    (repo.folder / "refs" / "heads" / "main").write_bytes(b"../../x\xff")
    with pytest.raises(InputError, match="is not a commit"):
        repo.tree(repo.refs().branches["main"])


def test_a_hub_or_repository_that_is_not_there_is_named(tmp_path: Path) -> None:
    hub = FolderHub(tmp_path / "shelf")
    with pytest.raises(InputError, match="the folder of the hub, shelf, does not exist") as caught:
        hub.repo("model", "me", "tutor-gguf").tree("0" * 64)
    assert "--hub" in caught.value.remedy
    hub.folder.mkdir()
    with pytest.raises(InputError, match="the hub in folder shelf has no model repository me/tutor-gguf"):
        hub.repo("model", "me", "tutor-gguf").tree("0" * 64)


def test_what_is_not_there(repo: FolderRepo, tmp_path: Path) -> None:
    first = repo.commit(None, [put(repo, "a", "one", tmp_path)], [], "first")
    with pytest.raises(InputError, match="has no file b"):
        repo.open(first, "b")
    with pytest.raises(InputError, match="has no commit"):
        repo.tree("0" * 64)
    with pytest.raises(InputError, match="'main' is not a commit"):
        repo.tree("main")


@pytest.mark.parametrize("name", ["", "..", ".x", "a/b", "a b", "é", "x" * 97, "a\n"])
def test_names_of_repositories(name: str, tmp_path: Path) -> None:
    hub = FolderHub(tmp_path)
    with pytest.raises(InputError, match="is not a valid name for a repository"):
        hub.repo("model", "local", name)
    with pytest.raises(InputError, match="is not a valid name for a repository"):
        hub.repo("model", name, "m")


def test_repositories_are_apart(tmp_path: Path) -> None:
    hub = FolderHub(tmp_path / "hub")
    one, other = hub.repo("model", "local", "m"), hub.repo("dataset", "local", "m")
    one.commit(None, [put(one, "a", "one", tmp_path)], [], "first")
    assert not other.refs().branches
    assert hub.name == "folder"


@pytest.mark.parametrize("address", ["s3://bucket/x", "ftp://x"])
def test_other_schemes_are_no_hubs(address: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a hub is a folder or an http address"):
        connect(address, tmp_path)


def test_a_hub_folder_is_from_the_folder_of_the_zoo(tmp_path: Path) -> None:
    assert connect("build/hub", tmp_path) == FolderHub(tmp_path / "build" / "hub")
    assert connect("/abs", tmp_path) == FolderHub(Path("/abs"))


RACE = """
import sys, pathlib
from zoo.hub import FolderHub, HubConflict
from zoo.files.listing import FileRecord
folder, sha, parent, me = sys.argv[1:]
repo = FolderHub(pathlib.Path(folder)).repo("model", "local", "m")
print("ready", flush=True)
sys.stdin.readline()
try:
    print(repo.commit(parent, [FileRecord(me, 3, sha)], [], me))
except HubConflict:
    print("conflict")
"""


def test_of_commits_at_the_same_time_exactly_one_wins(repo: FolderRepo, tmp_path: Path) -> None:
    record = put(repo, "a", "one", tmp_path)
    first = repo.commit(None, [record], [], "first")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(tmp_path / "hub"), record.sha256, first, f"by-{number}"],
            cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for number in range(4)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate()[0].strip() for process in processes]
    assert sorted(said)[1:] != said and said.count("conflict") == 3
    (winner,) = [oid for oid in said if oid != "conflict"]
    assert repo.refs().branches == {"main": winner}
    assert set(repo.tree(winner)) == {"a", f"by-{said.index(winner)}"}
    assert len(list((repo.folder / "commits").glob("*.json"))) == 2


def test_the_network_is_shut_in_tests() -> None:
    for family, address in (
        (socket.AF_INET, ("192.0.2.1", 80)),
        (socket.AF_INET6, ("2001:db8::1", 80, 0, 0)),
    ):
        with (
            socket.socket(family, socket.SOCK_STREAM) as outside,
            pytest.raises(RuntimeError, match="must not reach"),
        ):
            outside.connect(address)
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
