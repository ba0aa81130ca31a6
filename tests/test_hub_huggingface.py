"""One behaviour, two hubs: the folder, and the official client against ``zoo hub serve``; then what only that has."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

huggingface_hub = pytest.importorskip("huggingface_hub")
pytest.importorskip("huggingface_hub.constants")  # the package loads its parts when they are named

from test_publish import make_release, publish, refs  # noqa: E402 - after the skip

from zoo import settings as settings_room  # noqa: E402 - after the skip
from zoo.errors import Damaged, InputError, ZooError  # noqa: E402 - after the skip
from zoo.hub import FolderHub, Hub, HubConflict, Repo, connect  # noqa: E402 - after the skip
from zoo.hub.huggingface import HuggingFaceHub, client, parse_address  # noqa: E402 - after the skip
from zoo.hub.huggingface import repo as repo_room  # noqa: E402 - after the skip
from zoo.hub.server import Access, HubServer, read_tokens, views  # noqa: E402 - after the skip
from zoo.hub.server.wire import Answer, ApiError, Slice  # noqa: E402 - after the skip
from zoo.workspace import FileRecord  # noqa: E402 - after the skip

TOKEN = "writer-token-0123456789"
LARGE = repo_room.INLINE_BYTES + 1
Start = Callable[..., HubServer]


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The client may ask this machine, has no token of anybody, and does not wait between its tries."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts servers over ``tmp_path / build / hub``; stops them at the end."""
    running = []

    def begin(access: Access | None = None, **options: Any) -> HubServer:
        server = HubServer(
            tmp_path / "build" / "hub", "127.0.0.1", 0, access or Access({}, anonymous_write=True), **options
        )
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        running.append(server)
        return server

    yield begin
    for server in running:
        server.shutdown()
        server.server_close()
    huggingface_hub.close_session()


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
        return {"type": "file", "oid": repo_room._git_digest(raw), "size": len(raw), "path": file.path}

    return entry


@pytest.fixture
def repo(hub: Hub) -> Repo:
    return hub.repo("model", "local", "m")


def put(repo: Repo, path: str, content: str, tmp_path: Path) -> FileRecord:
    """Uploads a text; the record to commit."""
    raw = content.encode()
    source = tmp_path / "source"
    source.write_bytes(raw)
    record = FileRecord(path, len(raw), hashlib.sha256(raw).hexdigest())
    repo.put(source, record.sha256, lambda _: None)
    return record


# --- Both hubs


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
            with pytest.raises(HubConflict):
                late.commit(parent, [put(late, "a", content, tmp_path)], [], "late")
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
        ("/etc/passwd", "is absolute"), ("../x", "leaves its folder"), ("a/../../x", "leaves its folder"),
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
    with pytest.raises(InputError, match="are one file where case does not count"):
        repo.commit(first, [record], [], "second")
    second = repo.commit(first, [record], ["README.md"], "second")
    assert list(repo.tree(second)) == ["readme.md"]


def test_content_that_is_missing_or_other(repo: Repo, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="the content of a was not uploaded"):
        repo.commit(None, [FileRecord("a", 3, "0" * 64)], [], "first")
    for content in (b"one", b"x" * LARGE):
        (tmp_path / "source").write_bytes(content)
        with pytest.raises(Damaged, match="not 0000"):
            repo.put(tmp_path / "source", "0" * 64, lambda _: None)
    with pytest.raises(Damaged, match="is no sha256"):
        repo.put(tmp_path / "source", "../../x", lambda _: None)
    assert not repo.refs().branches


def test_what_is_not_there(repo: Repo, tmp_path: Path) -> None:
    first = repo.commit(None, [put(repo, "a", "one", tmp_path)], [], "first")
    with pytest.raises(InputError, match="has no file b"):
        repo.open(first, "b")
    with pytest.raises(InputError, match="has no commit"):
        repo.tree("0" * 64)
    with pytest.raises(InputError, match="'main' is no commit"):
        repo.tree("main")


@pytest.mark.parametrize("name", ["", "..", ".x", "a/b", "a b", "é", "x" * 97, "a\n"])
def test_names_of_repositories(name: str, hub: Hub) -> None:
    for parts in (("local", name), (name, "m")):
        with pytest.raises(InputError, match="is no name for a repository"):
            hub.repo("model", *parts)


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


# --- The official client by itself


def moves(folder: Path) -> list[str]:
    """Every move of every reference that the hub ever made."""
    return sorted(line for log in folder.rglob("refs.log") for line in log.read_text("utf-8").splitlines())


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
    api = huggingface_hub.HfApi(endpoint=server.address, token="any-token")
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
    with pytest.raises(huggingface_hub.errors.HfHubHTTPError):
        api.delete_tag("local/d", tag="v1", repo_type="dataset")
    assert api.whoami()["name"] == "local"


# --- Refusals and faults, in words


def token_file(tmp_path: Path, role: str) -> Access:
    path = tmp_path / "tokens"
    path.write_text(f"{role} {TOKEN}\n", encoding="utf-8")
    path.chmod(0o600)
    return Access(read_tokens(path))


@pytest.mark.parametrize(
    ("role", "token", "words"),
    [
        ("write", "", "wants one"), ("write", "wrong-token-0123456789", "does not accept"),
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
    assert caught.value.remedy and (not token or token not in str(caught.value))
    assert not list((tmp_path / "build" / "hub").rglob("*.json"))


def test_a_token_that_may_write(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = start(token_file(tmp_path, "write"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    repo = connect(server.address, tmp_path).repo("model", "local", "m")
    oid = repo.commit(None, [put(repo, "a", "x" * LARGE, tmp_path)], [], "first")
    with repo.open(oid, "a", LARGE - 1) as stream:
        assert stream.read() == b"x"


class Faults:
    """Stands before the routes and answers otherwise once, before or after the request is carried out."""

    def __init__(self, server: HubServer, at: str, status: int, *, after: bool = False) -> None:
        self.routes, self.at, self.status, self.after = server.routes, at, status, after
        self.times = 0
        server.routes = self  # type: ignore[assignment]

    def __call__(self, request: Any) -> Any:
        if self.at not in request.segments or self.times >= 1:
            return self.routes(request)
        self.times += 1
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
    [(0, "stopped answering"), (503, "failed with 503"), (401, "does not accept"), (403, "does not allow"),
     (429, "fewer"), (409, "someone else"), (412, "someone else"), (404, "404")],
)  # fmt: skip
def test_a_commit_that_did_not_happen(status: int, words: str, start: Start, tmp_path: Path) -> None:
    server = start()
    repo = connect(server.address, tmp_path).repo("model", "local", "m")
    record = put(repo, "a", "one", tmp_path)
    Faults(server, "commit", status)
    with pytest.raises(ZooError, match=words) as caught:
        repo.commit(None, [record], [], "first")
    assert caught.value.remedy
    assert not repo.refs().branches
    assert repo.commit(None, [record], [], "first")


class KthFault:
    """The k-th request fails: ``500`` and ``drop`` before it is carried out, ``lost`` after it."""

    def __init__(self, server: HubServer, k: int, kind: str) -> None:
        self.routes, self.k, self.kind, self.count = server.routes, k, kind, 0
        self.lock = threading.Lock()
        server.routes = self  # type: ignore[assignment]

    def __call__(self, request: Any) -> Any:
        with self.lock:
            self.count += 1
            hit = self.count == self.k
        if hit and self.kind == "500":
            raise ApiError(500, "told to fail")
        if hit and self.kind == "lost":
            self.routes(request)
        if hit:
            raise ConnectionResetError
        return self.routes(request)


@pytest.mark.parametrize("kind", ["500", "drop", "lost"])
def test_a_fault_at_any_request_and_the_command_again(kind: str, start: Start, tmp_path: Path) -> None:
    (tmp_path / "zoo.toml").touch()
    settings = settings_room.load(tmp_path, {}, {})
    release = make_release(tmp_path, **{"tutor-Q8_0.gguf": "w" * LARGE})
    folder, journal = tmp_path / "build" / "hub", tmp_path / "build" / "releases" / "tutor"
    server = start()
    whole = KthFault(server, 0, kind)
    publish(release, settings, connect(server.address, tmp_path))
    expected, failed = (refs(settings), moves(folder)), 0
    for k in range(1, whole.count + 1):
        shutil.rmtree(folder)
        for left in journal.glob("*.jsonl"):
            left.unlink()
        server.routes = whole.routes
        KthFault(server, k, kind)
        try:
            publish(release, settings, connect(server.address, tmp_path))
        except ZooError as error:
            failed += 1
            assert error.remedy, error
            publish(release, settings, connect(server.address, tmp_path))
        assert (refs(settings), moves(folder)) == expected, (k, kind)
    assert failed > 5 and len(expected[1]) == 4


def test_of_commits_at_once_exactly_one_wins(start: Start, tmp_path: Path) -> None:
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


def test_without_xet_when_xet_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    class Api:
        def create_repo(self, *_: Any, **__: Any) -> None:
            pass

        def preupload_lfs_files(self, *_: Any, **__: Any) -> None:
            tried.append(huggingface_hub.constants.HF_HUB_DISABLE_XET)
            if not tried[-1]:
                raise ConnectionError("Network error: 404 Not Found")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", False)
    monkeypatch.setattr(repo_room, "client", lambda _: Api())
    put(connect("https://hub.example", tmp_path).repo("model", "a", "b"), "x", "x" * LARGE, tmp_path)
    assert tried == [False, True] and huggingface_hub.constants.HF_HUB_DISABLE_XET is False


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
    server.routes = lambda _: Answer(200, b"<html>Sign in</html>", {"Content-Type": "text/html"})  # type: ignore[assignment]
    with pytest.raises(ZooError, match="is there a proxy between"):
        connect(server.address, tmp_path).repo("model", "local", "m").refs()


def test_a_body_that_is_cut(start: Start, tmp_path: Path) -> None:
    server = start()
    repo = connect(server.address, tmp_path).repo("model", "local", "m")
    oid = repo.commit(None, [put(repo, "a", "x" * 1000, tmp_path)], [], "first")
    (stored,) = [p for p in (tmp_path / "build" / "hub" / "objects").rglob("*") if p.is_file()]

    def lying(_: Any) -> Answer:
        return Answer(200, file=Slice(stored, 0, 2000))

    server.routes = lying  # type: ignore[assignment]
    with pytest.raises(ZooError, match="stopped answering"), repo.open(oid, "a") as stream:
        stream.read()


def test_a_hub_that_is_away(tmp_path: Path) -> None:
    repo = connect("http://127.0.0.1:9", tmp_path).repo("model", "local", "m")
    with pytest.raises(ZooError, match=r"http://127\.0\.0\.1:9 cannot be reached") as caught:
        repo.refs()
    assert "Check the address" in caught.value.remedy


def test_offline_mode_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ZooError, match="offline mode"):
        connect("http://127.0.0.1:9", tmp_path).repo("model", "local", "m").refs()


def test_without_the_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ZooError, match=r"not installed") as caught:
        connect("http://127.0.0.1:9", tmp_path).repo("model", "local", "m").refs()
    assert "[hub]" in caught.value.remedy


# --- Addresses and tokens


def test_addresses(tmp_path: Path) -> None:
    assert connect("http://127.0.0.1:1/", tmp_path) == HuggingFaceHub("http://127.0.0.1:1")
    assert connect("https://hub.example", tmp_path).name == "https://hub.example"
    for address in (
        "http://",
        "http://user:secret@hub.example",
        "https://x?y",
        "https://x#y",
        "http://x:99999",
    ):
        with pytest.raises(InputError, match="is no address") as caught:
            parse_address(address)
        assert "secret" not in str(caught.value)
    with pytest.raises(InputError, match="is not part of this version"):
        connect("ftp://x", tmp_path)


def test_the_token_goes_over_no_open_wire() -> None:
    from zoo.hub.huggingface.client import is_private_way

    open_wires = [
        not is_private_way(a) for a in ("https://x", "http://127.0.0.1:1", "http://localhost", "http://x")
    ]
    assert open_wires == [False, False, False, True]
    assert client.client("http://hub.example").token is False
    with contextlib.suppress(AttributeError):
        assert client.client("https://hub.example").token is None
