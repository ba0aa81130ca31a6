"""The official client by itself against ``zoo hub serve``, and ours: refusals and faults as messages."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

huggingface_hub = pytest.importorskip("huggingface_hub")
pytest.importorskip("huggingface_hub.constants")  # the package loads its parts when they are named

from hubserving import LARGE, TOKEN, Start, moves, put, token_file  # noqa: E402 - after the skip

from zoo.addresses import parse  # noqa: E402 - after the skip
from zoo.errors import InputError, ZooError  # noqa: E402 - after the skip
from zoo.files.listing import FileRecord  # noqa: E402 - after the skip
from zoo.hub import HubConflict, connect  # noqa: E402 - after the skip
from zoo.hub.huggingface import Door, HuggingFaceHub, client, session, upload  # noqa: E402 - after the skip
from zoo.hub.server import HubServer  # noqa: E402 - after the skip
from zoo.hub.server.wire import Answer, ApiError, Slice  # noqa: E402 - after the skip

pytest_plugins = ["hubserving"]
pytestmark = pytest.mark.usefixtures("online")

# --- The official client by itself


def environment(server: HubServer, tmp_path: Path, token: str = "any-token") -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return {
        **kept, "HF_ENDPOINT": server.address, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": token, "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }  # fmt: skip


def hf(server: HubServer, tmp_path: Path, *arguments: str) -> str:
    """The client's own command line."""
    program = Path(sys.executable).with_name("hf")
    done = subprocess.run(
        [program, *arguments], env=environment(server, tmp_path), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_hf_upload_and_download(start: Start, tmp_path: Path) -> None:
    server = start()
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    files = {"README.md": b"# hi\n", "sub/big.gguf": os.urandom(1_500_000), "empty": b""}
    for name, raw in files.items():
        (folder / name).write_bytes(raw)
    hf(server, tmp_path, "upload", "local/m", str(folder), ".")
    before = moves(tmp_path)
    hf(server, tmp_path, "upload", "local/m", str(folder), ".")
    assert moves(tmp_path) == before  # nothing new, no commit
    hf(server, tmp_path, "download", "local/m", "--local-dir", str(tmp_path / "back"))
    assert {n: (tmp_path / "back" / n).read_bytes() for n in files} == files
    hf(server, tmp_path, "download", "local/m", "sub/big.gguf", "--local-dir", str(tmp_path / "one"))
    assert (tmp_path / "one" / "sub" / "big.gguf").read_bytes() == files["sub/big.gguf"]


def test_the_clients_own_calls(start: Start) -> None:
    server = start()
    bound = {session.BOUND: server.address}  # our hooks stay in a process that used them once
    api = huggingface_hub.HfApi(endpoint=server.address, token="any-token", headers=bound)
    assert api.create_repo("local/d", repo_type="dataset").endswith("/datasets/local/d")
    api.create_repo("local/d", repo_type="dataset", exist_ok=True)
    with pytest.raises(huggingface_hub.errors.HfHubHTTPError):
        api.create_repo("local/d", repo_type="dataset")
    add = huggingface_hub.CommitOperationAdd("a/b.txt", b"hello")
    made = api.create_commit("local/d", [add], commit_message="first", repo_type="dataset")
    api.create_tag("local/d", tag="v1", repo_type="dataset")
    info = api.dataset_info("local/d", revision="v1", files_metadata=True)
    assert info.sha == made.oid and info.siblings[0].lfs.sha256 == hashlib.sha256(b"hello").hexdigest()
    (file, folder) = api.get_paths_info("local/d", ["a/b.txt", "a", "none"], repo_type="dataset")
    assert (file.path, file.size, folder.path) == ("a/b.txt", 5, "a")
    listed = list(api.list_repo_tree("local/d", recursive=True, expand=True, repo_type="dataset"))
    assert {entry.path for entry in listed} == {"a", "a/b.txt"}
    assert [c.commit_id for c in api.list_repo_commits("local/d", repo_type="dataset")] == [made.oid]
    assert api.file_exists("local/d", "a/b.txt", repo_type="dataset")
    assert not api.file_exists("local/d", "none", repo_type="dataset")
    assert not api.repo_exists("local/none") and not api.revision_exists("local/d", "v9", repo_type="dataset")
    _tags_are_deleted_unless_they_are_versions(api)
    assert api.whoami()["name"] == "local"


def _tags_are_deleted_unless_they_are_versions(api: huggingface_hub.HfApi) -> None:
    add = huggingface_hub.CommitOperationAdd("MANIFEST.json", b'{"version": "1.1.0"}')
    api.create_commit("local/d", [add], commit_message="a release", repo_type="dataset")
    for name in ("v1.1.0", "v1.0.0"):
        api.create_tag("local/d", tag=name, repo_type="dataset")
    for name in ("v1.0.0", "v1"):  # on the commit of another version; not that of a version
        api.delete_tag("local/d", tag=name, repo_type="dataset")
    with pytest.raises(huggingface_hub.errors.HfHubHTTPError, match="published versions stay"):
        api.delete_tag("local/d", tag="v1.1.0", repo_type="dataset")
    assert [one.name for one in api.list_repo_refs("local/d", repo_type="dataset").tags] == ["v1.1.0"]
    with pytest.raises(huggingface_hub.errors.HfHubHTTPError, match="was not found"):
        api.delete_tag("local/d", tag="v1", repo_type="dataset")


# --- Refusals and faults, in words


@pytest.mark.parametrize(
    ("role", "token", "words"),
    [
        ("write", "", "requires a token, but none was sent"), ("write", "wrong-token-0123456789", "does not accept"),
        ("read", TOKEN, "does not allow"),
    ],
)  # fmt: skip
def test_tokens_that_do_not_do(
    role: str, token: str, words: str, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start(token_file(tmp_path, role))
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    repo = connect(server.address, tmp_path).repo("model", "local", "m")
    with pytest.raises(ZooError, match=words) as caught:
        repo.commit(None, [put(repo, "a", "one", tmp_path)], [], "first")
    assert caught.value.advice and (not token or token not in str(caught.value))
    assert not list((tmp_path / "build" / "hub").rglob("*.json"))


def test_a_token_that_may_write(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = start(token_file(tmp_path, "write"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    repo = connect(server.address, tmp_path).repo("model", "local", "m")
    oid = repo.commit(None, [put(repo, "a", "x" * LARGE, tmp_path)], [], "first")
    with repo.open(oid, "a", LARGE - 1) as stream:
        assert stream.read() == b"x"


class Faults:
    """Wraps the routes and answers differently once, before or after the request is handled."""

    def __init__(self, server: HubServer, at: str, status: int, *, after: bool = False, times: int = 1) -> None:
        self.routes, self.at, self.status, self.after = server.answer, at, status, after
        self.left = times
        server.answer = self

    def __call__(self, request: Any) -> Any:
        if self.at not in request.segments or self.left < 1:
            return self.routes(request)
        self.left -= 1
        if self.after:
            self.routes(request)
        if self.status == 0:
            raise ConnectionResetError
        raise ApiError(self.status, "told to fail")


@pytest.mark.parametrize("status", [0, 500, 502])
def test_an_answer_that_is_lost_after_the_commit(status: int, start: Start, tmp_path: Path) -> None:
    server = start()
    repo = connect(server.address, tmp_path).repo("model", "local", "m")
    record = put(repo, "a", "one", tmp_path)
    Faults(server, "commit", status, after=True)
    oid = repo.commit(None, [record], [], "first")
    assert repo.refs().branches == {"main": oid} and repo.tree(oid) == {"a": record}
    Faults(server, "tag", status, after=True)
    repo.tag("v1", oid)
    assert repo.refs().tags == {"v1": oid}


@pytest.mark.parametrize(
    ("status", "words"),
    [(0, "connection broke"), (503, "failed with 503"), (401, "requires a token"), (403, "does not allow"),
     (429, "fewer"), (409, "someone else"), (412, "someone else"), (404, "has no repository local/m")],
)  # fmt: skip
def test_a_commit_that_did_not_happen(status: int, words: str, start: Start, tmp_path: Path) -> None:
    server = start()
    repo = connect(server.address, tmp_path).repo("model", "local", "m")
    record = put(repo, "a", "one", tmp_path)
    Faults(server, "commit", status, times=3)
    with pytest.raises(ZooError, match=words) as caught:
        repo.commit(None, [record], [], "first")
    assert caught.value.advice
    server.answer = server.routes
    assert not repo.refs().branches
    assert repo.commit(None, [record], [], "first")


def test_of_commits_at_the_same_time_exactly_one_wins(start: Start, tmp_path: Path) -> None:
    address, said = start().address, list[str]()
    first = connect(address, tmp_path).repo("model", "local", "m")
    parent = first.commit(None, [put(first, "a", "one", tmp_path)], [], "first")
    repos = [connect(address, tmp_path).repo("model", "local", "m") for _ in range(6)]
    records = [put(repo, f"by-{number}", str(number), tmp_path) for number, repo in enumerate(repos)]

    def commit(number: int) -> None:
        try:
            said.append(repos[number].commit(parent, [records[number]], [], "race"))
        except HubConflict:
            said.append("conflict")

    threads = [threading.Thread(target=commit, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said.count("conflict") == 5
    (winner,) = [oid for oid in said if oid != "conflict"]
    assert first.refs().branches == {"main": winner} and len(first.tree(winner)) == 2


def test_without_xet_for_the_rest_of_the_run_when_xet_fails(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def no_xet(**given: Any) -> None:
        tried.extend(one.path_in_repo for one in given["additions"])
        raise RuntimeError("xet storage cannot be reached")

    monkeypatch.setattr("huggingface_hub._commit_api._upload_xet_files", no_xet)
    # Only https hubs have xet storage, and the server here has no certificate.
    monkeypatch.setattr(Door, "has_xet", lambda door: not door._no_xet.is_set())
    monkeypatch.setattr(upload, "_xet_is_there", lambda: True)
    constants = huggingface_hub.constants
    monkeypatch.setattr("huggingface_hub._commit_api.is_xet_available", lambda: not constants.HF_HUB_DISABLE_XET)
    heard: list[str] = []
    monkeypatch.setattr("zoo.hub.huggingface.door.murmur", heard.append)
    hub, sums = connect(start().address, tmp_path), list[float]()
    for kind in ("dataset", "model"):
        repo, records = hub.repo(kind, "local", "m"), []
        for name in ("a", "b", "c"):
            (tmp_path / name).write_bytes(f"{kind[0]}{name}".encode() * LARGE)
            sha256 = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
            records.append(FileRecord(name, 2 * LARGE, sha256))
        repo.expect(tmp_path, records)
        for record in records:
            repo.put(tmp_path / record.path, record.sha256, sums.append)
        assert repo.tree(repo.commit(None, records, [], "first")) == {one.path: one for one in records}
    assert tried == ["a"] and sum(sums) == 2 * 3 * 2 * LARGE
    assert len([line for line in heard if "HF_HUB_DISABLE_XET=1" in line and "cannot be reached" in line]) == 1, heard


def test_the_last_of_several_turns_xet_on_again(monkeypatch: pytest.MonkeyPatch) -> None:
    constants = huggingface_hub.constants
    for before in (False, True):
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", before)
        switch = client.XetSwitch()
        first, second = switch.off(), switch.off()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)  # the first to start may end first, in another thread
        assert constants.HF_HUB_DISABLE_XET is True
        second.__exit__(None, None, None)
        assert constants.HF_HUB_DISABLE_XET is before


@pytest.mark.parametrize("at", ["refs", "tree"])
def test_reads_that_fail(at: str, start: Start, tmp_path: Path) -> None:
    server = start()
    repo = connect(server.address, tmp_path).repo("model", "local", "m")
    oid = repo.commit(None, [put(repo, "a", "one", tmp_path)], [], "first")
    Faults(server, at, 403)
    with pytest.raises(ZooError, match="does not allow"):
        repo.refs() if at == "refs" else repo.tree(oid)


def test_a_proxy_that_answers_in_the_hubs_place(start: Start, tmp_path: Path) -> None:
    server = start()
    server.answer = lambda _: Answer(200, b"<html>Sign in</html>", {"Content-Type": "text/html"})
    with pytest.raises(ZooError, match="Is there a proxy in between"):
        connect(server.address, tmp_path).repo("model", "local", "m").refs()


def test_a_body_that_is_cut(start: Start, tmp_path: Path) -> None:
    server = start()
    repo = connect(server.address, tmp_path).repo("model", "local", "m")
    oid = repo.commit(None, [put(repo, "a", "x" * 1000, tmp_path)], [], "first")
    (stored,) = [p for p in (tmp_path / "build" / "hub" / "objects").rglob("*") if p.is_file()]

    def lying(_: Any) -> Answer:
        return Answer(200, file=Slice(stored, 0, 2000))

    server.answer = lying
    with pytest.raises(ZooError, match="connection broke"), repo.open(oid, "a") as stream:
        stream.read()


def test_a_hub_that_is_away(tmp_path: Path) -> None:
    repo = connect("http://127.0.0.1:9", tmp_path).repo("model", "local", "m")
    with pytest.raises(ZooError, match=r"http://127\.0\.0\.1:9 cannot be reached") as caught:
        repo.refs()
    assert "Check the address" in caught.value.advice


def test_offline_mode_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ZooError, match="offline mode"):
        connect("http://127.0.0.1:9", tmp_path).repo("model", "local", "m").refs()


def test_without_the_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ZooError, match=r"is installed but does not load") as caught:
        connect("http://127.0.0.1:9", tmp_path).repo("model", "local", "m").refs()
    assert "huggingface-hub==" in caught.value.advice


# --- Addresses and tokens


def test_addresses(tmp_path: Path) -> None:
    assert connect("http://127.0.0.1:1/", tmp_path) == HuggingFaceHub(Door("http://127.0.0.1:1", named=True))
    assert connect("https://hub.example", tmp_path).name == "https://hub.example"
    for address in (
        "http://",
        "http://user:secret@hub.example",
        "https://x?y",
        "https://x#y",
        "http://x:99999",
    ):
        with pytest.raises(InputError, match=r"is not a valid|must not contain") as caught:
            parse(address, "here")
        assert "secret" not in str(caught.value)
    with pytest.raises(InputError, match="a hub is a folder or an http address"):
        connect("ftp://x", tmp_path)


def test_the_token_goes_over_no_open_wire() -> None:
    from zoo.addresses import is_private_way

    open_wires = [
        not is_private_way(a) for a in ("https://x", "http://127.0.0.1:1", "http://localhost", "http://x")
    ]
    assert open_wires == [False, False, False, True]
    assert Door("http://hub.example", named=True).api().token is False
    with contextlib.suppress(AttributeError):
        assert Door("https://hub.example", named=True).api().token is None
