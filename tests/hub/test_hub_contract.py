"""One behaviour, two hubs: the folder, and the official client against ``zoo hub serve``.

``test_hub_client_1.py`` runs this file and ``test_publish_faults.py`` once more with other versions of the client.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("huggingface_hub")

from faultserver import Fault, FaultServer
from hubserving import LARGE, TOKEN, Start, put
from publishsamples import make_release, publish, refs

from zoo import settings as settings_room
from zoo.errors import Damaged, InputError, ZooError
from zoo.files.digests import git_blob_sha1, sha256_file
from zoo.files.listing import FileRecord
from zoo.hub import FolderHub, Hub, HubConflict, Repo, connect
from zoo.hub.server import views

pytest_plugins = ["hubserving"]
pytestmark = pytest.mark.usefixtures("online")


@pytest.fixture(params=["folder", "http", "http-without-sha256"])
def hub(request: pytest.FixtureRequest, tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> Hub:
    if request.param == "folder":
        return FolderHub(tmp_path / "build" / "hub")
    if request.param == "http-without-sha256":
        monkeypatch.setattr(views, "entry", as_the_hub_does(tmp_path / "build" / "hub" / "objects"))
    return connect(start().address, tmp_path)


def as_the_hub_does(objects: Path) -> Callable[[FileRecord], dict[str, Any]]:
    """Tree entries that tell git's digest of small files and no sha256."""
    whole = views.entry

    def entry(file: FileRecord) -> dict[str, Any]:
        if file.size_bytes >= LARGE:
            return whole(file)
        raw = (objects / file.sha256[:2] / file.sha256).read_bytes()
        return {"type": "file", "oid": git_blob_sha1(raw), "size": len(raw), "path": file.path}

    return entry


@pytest.fixture
def repo(hub: Hub) -> Repo:
    return hub.repo("model", "local", "m")


def test_nothing_is_there_before_the_first_commit(repo: Repo) -> None:
    found = repo.refs()
    assert (dict(found.branches), dict(found.tags)) == ({}, {})


def test_commit_tree_open_tag(repo: Repo, hub: Hub, tmp_path: Path) -> None:
    a, b = put(repo, "a.txt", "one", tmp_path), put(repo, "x/b.txt", "zwei" * LARGE, tmp_path)
    empty = put(repo, "empty", "", tmp_path)
    first = repo.commit(None, [a, b, empty], [], "first")
    assert repo.tree(first) == {"a.txt": a, "x/b.txt": b, "empty": empty}
    c = put(repo, "a.txt", "three", tmp_path)
    second = repo.commit(first, [c], ["x/b.txt", "not-there", "empty"], "second")
    for seen in (repo, hub.repo("model", "local", "m")):
        assert seen.tree(second) == {"a.txt": c}
        assert seen.tree(first) == {"a.txt": a, "x/b.txt": b, "empty": empty}
        assert seen.refs().branches == {"main": second}
    for offset, expected in ((0, b"zwei" * LARGE), (2, b"ei" + b"zwei" * (LARGE - 1)), (4 * LARGE, b"")):
        with repo.open(first, "x/b.txt", offset) as stream:
            assert stream.read() == expected
    with repo.open(first, "empty") as stream:
        assert stream.read() == b""
    repo.tag("v1", first)
    repo.tag("v1", first)
    assert repo.refs().tags == {"v1": first}


def test_a_commit_on_another_parent_changes_nothing(hub: Hub, repo: Repo, tmp_path: Path) -> None:
    first = repo.commit(None, [put(repo, "a", "one", tmp_path)], [], "first")
    second = repo.commit(first, [put(repo, "a", "two", tmp_path)], [], "second")
    for content in ("three", "two", "x" * LARGE):
        late = hub.repo("model", "local", "m")
        for parent in (None, first):
            with pytest.raises(HubConflict) as refused:
                late.commit(parent, [put(late, "a", content, tmp_path)], [], "late")
            assert "no commit" not in str(refused.value)
    assert repo.refs().branches == {"main": second}


def test_a_tag_never_moves(repo: Repo, tmp_path: Path) -> None:
    first = repo.commit(None, [put(repo, "a", "one", tmp_path)], [], "first")
    second = repo.commit(first, [put(repo, "a", "two", tmp_path)], [], "second")
    repo.tag("v1", first)
    with pytest.raises(HubConflict, match="tag v1 is already on commit"):
        repo.tag("v1", second)
    with pytest.raises(InputError):
        repo.tag("v2", "0" * 64)
    with pytest.raises(InputError):
        repo.tag("../heads/main", second)
    assert repo.refs().tags == {"v1": first} and repo.refs().branches == {"main": second}


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/etc/passwd", "is absolute"), ("../x", "leads outside its folder"), ("a/../../x", "leads outside its folder"),
        ("", "is empty"), ("a//b", "has an empty part"), ("a\nb", "has a character"), ("a\\b", "has a character"),
        ("~/x", "is absolute"), ("x.", "ends in a dot"),
    ],
)  # fmt: skip
def test_paths_that_are_refused(path: str, reason: str, repo: Repo, tmp_path: Path) -> None:
    record = put(repo, path, "one", tmp_path)
    with pytest.raises(InputError, match=reason):
        repo.commit(None, [record], [], "first")
    assert not repo.refs().branches


def test_names_that_differ_in_case_only_are_refused(repo: Repo, tmp_path: Path) -> None:
    first = repo.commit(None, [put(repo, "README.md", "one", tmp_path)], [], "first")
    record = put(repo, "readme.md", "two", tmp_path)
    with pytest.raises(InputError, match="are the same file on systems that ignore case"):
        repo.commit(first, [record], [], "second")
    second = repo.commit(first, [record], ["README.md"], "second")
    assert list(repo.tree(second)) == ["readme.md"]


def test_content_that_is_missing_or_other(repo: Repo, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="the content of a was not uploaded"):
        repo.commit(None, [FileRecord("a", 3, "0" * 64)], [], "first")
    for content in (b"one", b"x" * LARGE):
        (tmp_path / "source").write_bytes(content)
        with pytest.raises(ZooError, match="not 0000"):
            repo.put(tmp_path / "source", "0" * 64, lambda _: None)
    with pytest.raises(Damaged, match="is not a sha256"):
        repo.put(tmp_path / "source", "../../x", lambda _: None)
    assert not repo.refs().branches


def test_what_is_not_there(repo: Repo, tmp_path: Path) -> None:
    first = repo.commit(None, [put(repo, "a", "one", tmp_path)], [], "first")
    with pytest.raises(InputError, match="has no file b"):
        repo.open(first, "b")
    with pytest.raises(InputError, match="has no commit"):
        repo.tree("0" * 64)
    with pytest.raises(InputError, match="'main' is not a commit"):
        repo.tree("main")


@pytest.mark.parametrize("name", ["", "..", ".x", "a/b", "a b", "é", "x" * 97, "a\n"])
def test_names_of_repositories(name: str, hub: Hub) -> None:
    for parts in (("local", name), (name, "m")):
        with pytest.raises(InputError, match="is not a valid name for a repository"):
            hub.repo("model", *parts)


def test_a_branch_beside_main_lives_until_its_commit_has_a_tag(hub: Hub, repo: Repo, tmp_path: Path) -> None:
    first = repo.commit(None, [put(repo, "a", "one", tmp_path)], [], "first")
    second = repo.commit(first, [put(repo, "a", "two", tmp_path)], [], "second")
    for seen in (repo, hub.repo("model", "local", "m")):
        seen.begin("publish-1.0.1", first)
        assert seen.refs().branches == {"main": second, "publish-1.0.1": first}
    with pytest.raises(HubConflict):
        repo.commit(second, [put(repo, "a", "three", tmp_path)], [], "beside", "publish-1.0.1")
    beside = repo.commit(first, [put(repo, "a", "three", tmp_path)], ["a/b"], "beside", "publish-1.0.1")
    assert repo.refs().branches == {"main": second, "publish-1.0.1": beside}
    with repo.open(beside, "a") as stream:
        assert stream.read() == b"three"
    repo.begin("publish-1.0.1", first)
    assert repo.refs().branches["publish-1.0.1"] == beside
    repo.tag("v1.0.1", beside)
    for _ in range(2):
        repo.end("publish-1.0.1")
        found = hub.repo("model", "local", "m").refs()
        assert (dict(found.branches), dict(found.tags)) == ({"main": second}, {"v1.0.1": beside})
    with repo.open(beside, "a") as stream:
        assert stream.read() == b"three"
    for name in ("main", "../tags/v1.0.1"):
        with pytest.raises(InputError):
            repo.end(name) if name == "main" else repo.begin(name, first)
    assert repo.refs().branches == {"main": second}


def test_repositories_are_apart(hub: Hub, tmp_path: Path) -> None:
    one, other = hub.repo("model", "local", "m"), hub.repo("dataset", "local", "m")
    one.commit(None, [put(one, "a", "one", tmp_path)], [], "first")
    assert not other.refs().branches


def test_a_release_is_published_once(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "zoo.toml").touch()
    settings = settings_room.load(tmp_path, {}, {})
    big = {"tutor-Q8_0.gguf": "w" * LARGE}
    release = make_release(tmp_path, **big)
    first = publish(release, settings, hub)
    assert not first.already and first.location.hub == hub.name
    before = refs(settings)
    again = publish(make_release(tmp_path, **big), settings, hub)
    assert again.already and again.location == first.location
    assert refs(settings) == before
    commits = list((tmp_path / "build" / "hub" / "repos").rglob("commits/*.json"))
    assert len(commits) == 2
    (branches, tags) = before["model"]
    assert tags["v1.0.0"] == branches["main"] and branches["main"].startswith(first.location.model.commit)
    second = publish(make_release(tmp_path, "1.1.0", **big), settings, hub)
    assert not second.already and second.location.model.commit != first.location.model.commit


def test_a_commit_of_nothing(repo: Repo, tmp_path: Path) -> None:
    first = repo.commit(None, [put(repo, "a", "one", tmp_path)], [], "first")
    second = repo.commit(first, [], ["not-there"], "second")
    assert repo.tree(second) == repo.tree(first)
    with pytest.raises(HubConflict):
        repo.commit("0" * 40, [], [], "third")


def test_history(repo: Repo, tmp_path: Path) -> None:
    first = repo.commit(None, [put(repo, "a", "one", tmp_path)], [], "first")
    second = repo.commit(first, [put(repo, "a", "two", tmp_path)], [], "second")
    third = repo.commit(second, [put(repo, "a", "three", tmp_path)], [], "third")
    assert [(n.oid, n.title) for n in repo.history(third, None)] == [
        (third, "third"), (second, "second"), (first, "first")
    ]  # fmt: skip
    assert [n.oid for n in repo.history(third, first)] == [third, second]
    assert repo.history(first, None)[0].date.endswith("Z")


def test_progress_is_reported_by_bytes(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 3 * LARGE)
    sha256, told = sha256_file(tmp_path / "big"), list[float]()
    for _ in range(2):
        told.clear()
        repo.put(tmp_path / "big", sha256, told.append)
        assert sum(told) == 3 * LARGE


def test_small_files_at_hand_need_not_be_read(hub: Hub, repo: Repo, tmp_path: Path) -> None:
    record = put(repo, "a", "one", tmp_path)
    oid = repo.commit(None, [record], [], "first")
    other = hub.repo("model", "local", "m")
    other.recognise({git_blob_sha1(b"one"): record.sha256})
    if hasattr(other, "_open"):
        other._open = None
    assert other.tree(oid) == {"a": record}


def test_no_token_for_whom_a_redirect_names(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    server = start()
    repo = connect(server.address, tmp_path).repo("model", "local", "m")
    oid = repo.commit(None, [put(repo, "a", "one", tmp_path)], [], "first")
    with FaultServer(server.address) as elsewhere, FaultServer(server.address) as proxy:
        there = {"Location": f"{elsewhere.address}/local/m/resolve/{oid}/a", "X-Repo-Commit": oid}
        proxy.break_(Fault("answer", status=302, headers=there), path="/resolve/")
        with connect(proxy.address, tmp_path).repo("model", "local", "m").open(oid, "a") as stream:
            assert stream.read() == b"one"
    first, second = proxy.exchanges[-1].headers, elsewhere.exchanges[-1].headers
    assert TOKEN in str(first) and TOKEN not in str(second)
