"""The folder hub over HTTP: what it serves, what it refuses, and that nothing outside its folder is touched."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from zoo.errors import InputError
from zoo.hub import FolderHub
from zoo.hub.server import Access, HubServer, is_loopback, read_tokens
from zoo.hub.server import server as server_room
from zoo.workspace import FileRecord

REPOSITORY = Path(__file__).parent.parent
READ, WRITE = "reader-token-0123456789", "writer-token-0123456789"


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return self.headers.get("x-error-code", "")


@dataclass
class Served:
    """A running server and one plain way to ask it."""

    hub: FolderHub
    server: HubServer

    def ask(
        self, method: str, path: str, body: bytes | dict[str, Any] = b"", token: str = "", **headers: str
    ) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=20)
        raw = json.dumps(body).encode() if isinstance(body, dict) else body
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        try:
            connection.request(method, path, raw or None, sent)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, found, answer.read())
        finally:
            connection.close()


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts servers over ``tmp_path / hub``; stops them at the end."""
    running: list[HubServer] = []

    def start(access: Access | None = None, **options: Any) -> Served:
        hub = FolderHub(tmp_path / "hub")
        access = access or Access({}, anonymous_write=True)
        server = HubServer(hub.folder, "127.0.0.1", 0, access, **options)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        running.append(server)
        return Served(hub, server)

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def roles(tmp_path: Path) -> Access:
    path = tmp_path / "tokens"
    path.write_text(f"# who may\nread {READ}\n\nwrite {WRITE}\n", encoding="utf-8")
    path.chmod(0o600)
    return Access(read_tokens(path))


def fill(hub: FolderHub, tmp_path: Path, files: dict[str, bytes]) -> str:
    """One commit with these files in model local/m; its oid."""
    repo, records = hub.repo("model", "local", "m"), []
    for path, raw in files.items():
        source = tmp_path / "source"
        source.write_bytes(raw)
        records.append(FileRecord(path, len(raw), hashlib.sha256(raw).hexdigest()))
        repo.put(source, records[-1].sha256, lambda _: None)
    return repo.commit(repo.refs().branches.get("main"), records, [], "first")


def everything(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def lines(*items: tuple[str, dict[str, Any]]) -> bytes:
    return b"".join(json.dumps({"key": key, "value": value}).encode() + b"\n" for key, value in items)


# --- Reading


def test_resolve_whole_and_parts(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    raw = bytes(range(256)) * 10
    oid = fill(served.hub, tmp_path, {"a/b.bin": raw, "empty": b""})
    served.hub.repo("model", "local", "m").tag("v1", oid)
    etag = f'"{hashlib.sha256(raw).hexdigest()}"'
    for revision in ("main", "v1", oid, oid[:40]):
        got = served.ask("GET", f"/local/m/resolve/{revision}/a/b.bin")
        assert (got.status, got.body) == (200, raw)
        assert got.headers["x-repo-commit"] == oid[:40]
        assert got.headers["etag"] == got.headers["x-linked-etag"] == etag
        assert got.headers["x-linked-size"] == got.headers["content-length"] == str(len(raw))
    head = served.ask("HEAD", "/local/m/resolve/main/a/b.bin")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(raw)))
    for wanted, first, last in (
        ("bytes=5-9", 5, 9), ("bytes=2550-", 2550, 2559), ("bytes=-4", 2556, 2559), ("bytes=0-99999", 0, 2559),
    ):  # fmt: skip
        part = served.ask("GET", "/local/m/resolve/main/a/b.bin", Range=wanted)
        assert (part.status, part.body) == (206, raw[first : last + 1])
        assert part.headers["content-range"] == f"bytes {first}-{last}/{len(raw)}"
    for wanted in ("bytes=2560-", "bytes=9-5", "bytes=-0"):
        assert served.ask("GET", "/local/m/resolve/main/a/b.bin", Range=wanted).status == 416
    for wanted in ("bytes=0-1,3-4", "lines=1-2", "bytes=-", "bytes=x-"):
        assert served.ask("GET", "/local/m/resolve/main/a/b.bin", Range=wanted).body == raw
    old = served.ask("GET", "/local/m/resolve/main/a/b.bin", Range="bytes=1-", If_Range='"other"')
    assert (old.status, old.body) == (200, raw)
    assert served.ask("GET", "/local/m/resolve/main/a/b.bin", If_None_Match=etag).status == 304
    connection = http.client.HTTPConnection("127.0.0.1", served.server.server_port, timeout=20)
    for _ in range(3):  # one connection, which an empty file must not end
        connection.request("GET", "/local/m/resolve/main/empty")
        answer = connection.getresponse()
        assert (answer.status, answer.read(), answer.will_close) == (200, b"", False)
        assert connection.sock
    connection.close()


def test_what_is_not_there_is_told_by_its_kind(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    oid = fill(served.hub, tmp_path, {"a": b"x"})
    for path, code in (
        ("/local/none/resolve/main/a", "RepoNotFound"), ("/datasets/local/m/resolve/main/a", "RepoNotFound"),
        ("/local/m/resolve/v9/a", "RevisionNotFound"), (f"/local/m/resolve/{'0' * 40}/a", "RevisionNotFound"),
        (f"/local/m/resolve/{oid[:39]}/a", "RevisionNotFound"), ("/local/m/resolve/main/b", "EntryNotFound"),
        ("/api/models/local/m/tree/main/folder", "EntryNotFound"), ("/api/models/local/none", "RepoNotFound"),
        ("/api/models/local/m/revision/v9", "RevisionNotFound"),
        ("/", ""), ("/local", ""), ("/api/nothing", ""), ("/local/m/raw/main/a", ""),
    ):  # fmt: skip
        got = served.ask("GET", path)
        assert (got.status, got.code) == (404, code), path
        assert got.json["error"]


def test_tree_in_pages_with_folders_and_last_commits(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    first = fill(served.hub, tmp_path, {"a/b/c": b"1", "a/d": b"2", "e": b"3"})
    second = fill(served.hub, tmp_path, {"e": b"4"})
    tree = "/api/models/local/m/tree/main"
    assert [(i["type"], i["path"]) for i in served.ask("GET", tree).json] == [
        ("directory", "a"),
        ("file", "e"),
    ]
    assert [i["path"] for i in served.ask("GET", f"{tree}/a").json] == ["a/b", "a/d"]
    whole = served.ask("GET", f"{tree}?recursive=true&expand=true").json
    last = {i["path"]: i["lastCommit"]["id"] for i in whole if i["type"] == "file"}
    assert last == {"a/b/c": first[:40], "a/d": first[:40], "e": second[:40]}
    (entry,) = [i for i in whole if i["path"] == "e"]
    assert entry["lfs"]["oid"] == hashlib.sha256(b"4").hexdigest() and entry["size"] == 1
    paths, at = [], f"{tree}?recursive=true&limit=2"
    for _ in range(9):
        page = served.ask("GET", at)
        paths += [i["path"] for i in page.json]
        if "link" not in page.headers:
            break
        at = page.headers["link"].partition(">")[0].partition(served.server.address)[2]
    assert paths == ["a", "a/b", "a/b/c", "a/d", "e"]
    listed = served.ask("GET", "/api/models/local/m/commits/main").json
    assert [item["id"] for item in listed] == [second[:40], first[:40]]
    info = served.ask("GET", "/api/models/local/m?blobs=true").json
    assert info["sha"] == second[:40] and {s["rfilename"] for s in info["siblings"]} == {"a/b/c", "a/d", "e"}


def test_a_damaged_content_is_not_served(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    fill(served.hub, tmp_path, {"a": b"whole"})
    sha = hashlib.sha256(b"whole").hexdigest()
    stored = served.hub.folder / "objects" / sha[:2] / sha
    stored.chmod(0o644)
    stored.write_bytes(b"who")
    assert served.ask("GET", "/local/m/resolve/main/a").status == 500


# --- Writing


def upload(served: Served, raw: bytes, token: str = "", sha256: str = "", size: int | None = None) -> Reply:
    """Batch and PUT of one content, as the client does it; the announcement may be wrong."""
    sha256 = sha256 or hashlib.sha256(raw).hexdigest()
    objects = [{"oid": sha256, "size": len(raw) if size is None else size}]
    batch = served.ask(
        "POST", "/local/m.git/info/lfs/objects/batch", {"operation": "upload", "objects": objects}, token
    )
    assert batch.status == 200, batch
    actions = batch.json["objects"][0].get("actions")
    if not actions:
        return batch
    return served.ask("PUT", actions["upload"]["href"].partition(served.server.address)[2], raw)


def create(served: Served, token: str = "") -> Reply:
    return served.ask("POST", "/api/repos/create", {"name": "m", "organization": "local"}, token)


def test_create_commit_and_parents(serve: Serve) -> None:
    served = serve()
    assert create(served).json["url"].endswith("/local/m")
    again = create(served)
    assert again.status == 409 and again.json["url"].endswith("/local/m")
    assert served.ask("GET", "/api/models/local/m").json["sha"] is None
    raw = b"x" * 2_000_000
    assert upload(served, raw).status == 200
    sha = hashlib.sha256(raw).hexdigest()
    body = lines(
        ("header", {"summary": "first", "parentCommit": "0" * 40}),
        ("lfsFile", {"path": "big", "algo": "sha256", "oid": sha, "size": len(raw)}),
        ("file", {"path": "d/small", "content": "aGk=", "encoding": "base64"}),
    )
    made = served.ask("POST", "/api/models/local/m/commit/main", body)
    assert made.status == 200 and len(made.json["commitOid"]) == 40
    assert served.ask("POST", "/api/models/local/m/commit/main", body).status == 412
    gone = lines(
        ("header", {"summary": "second", "parentCommit": made.json["commitOid"]}),
        ("deletedFolder", {"path": "d/"}),
    )
    assert served.ask("POST", "/api/models/local/m/commit/main", gone).status == 200
    assert [i["path"] for i in served.ask("GET", "/api/models/local/m/tree/main").json] == ["big"]
    asked = {"files": [{"path": "big", "size": len(raw)}, {"path": "new", "size": 3}]}
    there, new = served.ask("POST", "/api/models/local/m/preupload/main", asked).json["files"]
    assert (there["uploadMode"], there["oid"]) == ("lfs", sha)
    assert new["uploadMode"] == "regular" and "oid" not in new


@pytest.mark.parametrize(
    "operation",
    [
        ("file", {"path": "../x", "content": "aGk=", "encoding": "base64"}),
        ("file", {"path": "/etc/x", "content": "aGk=", "encoding": "base64"}),
        ("file", {"path": "a\\b", "content": "aGk=", "encoding": "base64"}),
        ("file", {"path": "A", "content": "aGk=", "encoding": "base64"}),
        ("file", {"path": "a/b", "content": "aGk=", "encoding": "base64"}),
        ("file", {"path": "b", "content": "a", "encoding": "base64"}),
        ("file", {"path": "b", "content": "aGk="}),
        ("file", {"path": 3, "content": "aGk=", "encoding": "base64"}),
        ("lfsFile", {"path": "b", "oid": "0" * 64, "size": 2}),
        ("lfsFile", {"path": "b", "oid": "../../x", "size": 2}),
        ("lfsFile", {"path": "b", "oid": hashlib.sha256(b"x").hexdigest(), "size": 2}),
        ("deletedFile", {"path": "none"}),
        ("strange", {}),
        ("file", []),
    ],
)
def test_commits_that_are_refused_change_nothing(
    operation: tuple[str, Any], serve: Serve, tmp_path: Path
) -> None:
    served = serve()
    oid = fill(served.hub, tmp_path, {"a": b"x"})
    got = served.ask(
        "POST", "/api/models/local/m/commit/main", lines(("header", {"summary": "s"}), operation)
    )
    assert got.status in (400, 404), got
    assert served.hub.repo("model", "local", "m").refs().branches == {"main": oid}


def test_bodies_that_are_no_commit(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    oid = fill(served.hub, tmp_path, {"a": b"x"})
    for raw in (b"", b"{", b"[]\n", b"null\n", b"\xff\n", b"[" * 100_000, lines(("file", {"path": "b"}))):
        assert served.ask("POST", "/api/models/local/m/commit/main", raw).status == 400
    for path in ("commit/v1", "commit/main?create_pr=1"):
        assert (
            served.ask("POST", f"/api/models/local/m/{path}", lines(("header", {"summary": "s"}))).status
            == 400
        )
    assert served.hub.repo("model", "local", "m").refs().branches == {"main": oid}


def test_tags_are_made_once_and_never_removed(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    first = fill(served.hub, tmp_path, {"a": b"x"})
    second = fill(served.hub, tmp_path, {"a": b"y"})
    tag = "/api/models/local/m/tag"
    assert served.ask("POST", f"{tag}/{first[:40]}", {"tag": "v1"}).status == 200
    assert served.ask("POST", f"{tag}/{second[:40]}", {"tag": "v1"}).status == 409
    assert served.ask("DELETE", f"{tag}/v1").status == 403
    for name in ("main", "a" * 40, "../x", "", ".x"):
        assert served.ask("POST", f"{tag}/main", {"tag": name}).status == 400
    assert served.ask("POST", f"{tag}/v7", {"tag": "v2"}).code == "RevisionNotFound"
    (only,) = served.ask("GET", "/api/models/local/m/refs").json["tags"]
    assert only == {"name": "v1", "ref": "refs/tags/v1", "targetCommit": first[:40]}


def test_uploads_are_what_was_announced_or_nothing(serve: Serve) -> None:
    served = serve()
    create(served)
    before = everything(served.hub.folder)
    assert upload(served, b"other", sha256=hashlib.sha256(b"this!").hexdigest()).status == 400
    assert upload(served, b"short", size=9).status == 400
    assert served.ask("PUT", "/lfs/" + "0" * 64, b"x").status == 403
    signed = f"/lfs/{'0' * 64}?{served.server.routes.signer.query('1' * 64, 1)}"
    assert served.ask("PUT", signed, b"x").status == 403
    assert everything(served.hub.folder) == before
    assert upload(served, b"fine").status == 200
    assert "actions" not in upload(served, b"fine").json["objects"][0]
    verify = {"oid": hashlib.sha256(b"fine").hexdigest(), "size": 4}
    assert served.ask("POST", "/local/m.git/info/lfs/objects/verify", verify).status == 200
    assert served.ask("POST", "/local/m.git/info/lfs/objects/verify", {**verify, "size": 5}).status == 404


def test_an_upload_that_breaks_off_leaves_nothing(serve: Serve) -> None:
    served = serve(stall_seconds=0.3)
    create(served)
    before = everything(served.hub.folder)
    oid = hashlib.sha256(b"x" * 1000).hexdigest()
    path = f"/lfs/{oid}?{served.server.routes.signer.query(oid, 1000)}"
    for wait in (0, 0.6):
        with socket.create_connection(("127.0.0.1", served.server.server_port)) as wire:
            wire.sendall(
                f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nxxx".encode()
            )
            time.sleep(wait)
    deadline = time.monotonic() + 5
    while everything(served.hub.folder) != before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert everything(served.hub.folder) == before


# --- Who may


def test_roles(serve: Serve, tmp_path: Path) -> None:
    served = serve(roles(tmp_path))
    for path in ("/api/models/local/m", "/local/m/resolve/main/a", "/api/whoami-v2"):
        assert served.ask("GET", path).status == 401
        wrong = served.ask("GET", path, token="wrong-token-0123456789")
        assert wrong.status == 401 and wrong.json["error"].startswith("Invalid credentials")
    assert served.ask("GET", "/api/whoami-v2", token=READ).json["auth"]["accessToken"]["role"] == "read"
    assert create(served).status == 401
    assert create(served, READ).status == 403
    assert not everything(served.hub.folder)
    assert create(served, WRITE).status == 200
    assert served.ask("GET", "/api/models/local/m", token=READ).status == 200


def test_without_tokens_nobody_writes(serve: Serve, tmp_path: Path) -> None:
    served = serve(Access())
    fill(served.hub, tmp_path, {"a": b"x"})
    before = everything(served.hub.folder)
    assert served.ask("GET", "/local/m/resolve/main/a").body == b"x"
    for path in (
        "repos/create", "models/local/m/commit/main", "models/local/m/tag/main", "models/local/m/preupload/main"
    ):  # fmt: skip
        assert served.ask("POST", f"/api/{path}", {"name": "n"}, token="any-token").status == 403
    assert served.ask("POST", "/local/m.git/info/lfs/objects/batch", {"operation": "upload"}).status == 403
    assert everything(served.hub.folder) == before


def test_only_this_machine_writes_without_a_token(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="only this machine may write"):
        HubServer(tmp_path, "0.0.0.0", 0, Access({}, anonymous_write=True))
    assert [is_loopback(h) for h in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "192.0.2.1", "evil.example")] == [
        True, True, True, False, False, False
    ]  # fmt: skip


def test_the_other_loopback(tmp_path: Path) -> None:
    try:
        server = HubServer(tmp_path, "::1", 0, Access({}, anonymous_write=True))
    except OSError:
        pytest.skip("this machine has no ::1")
    with server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        connection = http.client.HTTPConnection("::1", server.server_port, timeout=20)
        connection.request("POST", "/api/repos/create", b'{"name": "m"}')
        assert json.loads(connection.getresponse().read())["url"] == f"{server.address}/local/m"
        connection.close()
        server.shutdown()


def test_web_pages_and_other_names_are_kept_out(serve: Serve) -> None:
    served = serve()
    body = {"name": "m", "organization": "local"}
    assert served.ask("POST", "/api/repos/create", body, Origin="http://evil.example").status == 403
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example"):
        assert served.ask("GET", "/api/whoami-v2", Host=host).status == 403
    assert served.ask("GET", "/api/whoami-v2", Host="a b").status == 400


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        (f"write {WRITE}", 0o644, "others may read"), (f"admin {WRITE}", 0o600, r"tokens:1: .* no.* a role"),
        ("read short", 0o600, "tokens:1"), (f"read {READ} more", 0o600, "tokens:1"), ("# none", 0o600, "has no token"),
    ],
)  # fmt: skip
def test_token_files(text: str, mode: int, words: str, tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    with pytest.raises(InputError, match=words) as caught:
        read_tokens(path)
    assert WRITE not in str(caught.value) and READ not in str(caught.value)
    with pytest.raises(InputError, match="cannot be read"):
        read_tokens(tmp_path / "none")


def test_the_log_tells_no_secret(serve: Serve, tmp_path: Path) -> None:
    told: list[str] = []
    served = serve(roles(tmp_path), log=told.append)
    create(served, WRITE)
    upload(served, b"fine", WRITE)
    served.ask("GET", "/api/models/local/m", token="wrong-token-0123456789")
    deadline = time.monotonic() + 5
    while len(told) < 4 and time.monotonic() < deadline:
        time.sleep(0.02)
    text = "\n".join(told)
    assert "PUT /lfs/" in text and " 401 " in text
    for secret in (WRITE, READ, "wrong-token", "signature"):
        assert secret not in text and secret not in repr(served.server.routes.access)


# --- Bounds


def test_bodies_and_heads_that_are_too_large(serve: Serve) -> None:
    served = serve()
    create(served)
    big = served.ask("POST", "/api/models/local/m/preupload/main", b"x" * (5 << 20))
    assert big.status == 413 and "at most" in big.json["error"]
    for headers in ({"Content_Length": "999999999999"}, {"Content_Length": "999999999999", "Expect": "x"}):
        connection = http.client.HTTPConnection("127.0.0.1", served.server.server_port, timeout=20)
        connection.putrequest("POST", "/api/models/local/m/commit/main")
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        assert connection.getresponse().status == 413
        connection.close()
    assert served.ask("GET", "/" + "a" * 5000).status == 414
    assert served.ask("GET", "/" + "a" * 70_000).status == 414
    assert served.ask("GET", "/x", **{f"X_{n}": "1" for n in range(80)}).status == 431
    assert served.ask("GET", "/x", **{f"X_{n}": "1" for n in range(150)}).status == 431
    assert served.ask("POST", "/api/repos/create", b"x", Content_Length="-1").status == 400
    assert served.ask("POST", "/api/repos/create", b"x", Content_Length="1, 1").status == 400
    assert served.ask("GET", "/api/whoami-v2").status == 401  # it lives


def test_slow_and_idle_connections_are_ended(serve: Serve) -> None:
    served = serve(stall_seconds=0.3)
    for start in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: "):
        with socket.create_connection(("127.0.0.1", served.server.server_port), timeout=5) as wire:
            wire.sendall(start)
            began = time.monotonic()
            assert wire.recv(10) == b""
            assert time.monotonic() - began < 3


def test_too_many_connections_are_told_to_come_back(serve: Serve) -> None:
    served = serve(connections=2)
    wires = [socket.create_connection(("127.0.0.1", served.server.server_port), timeout=5) for _ in range(2)]
    try:
        for wire in wires:
            wire.sendall(b"GET /api/whoami-v2 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert wire.recv(1 << 16).startswith(b"HTTP/1.1 401")
        assert served.ask("GET", "/").status == 503
    finally:
        for wire in wires:
            wire.close()
    deadline = time.monotonic() + 5
    while served.ask("GET", "/").status == 503 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert served.ask("GET", "/").status == 404


def test_what_is_no_http(serve: Serve) -> None:
    served = serve()
    for raw in (
        b"\x16\x03\x01\x02\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\0" * 100 + b"\n",
        b"BREW / HTTP/1.1\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", served.server.server_port), timeout=5) as wire:
            wire.sendall(raw)
            said = wire.recv(1 << 16)
            assert b" 200 " not in said[:20]
    assert served.ask("GET", "/").status == 404


# fmt: off
PARTS = [
    "..", ".", "", "%2e%2e", "..%2f", "%2f", "%5c..", "\\", "%00", "~", "etc", "passwd", "secret", "hub", "objects",
    "repos", "model", "local", "m", "resolve", "main", "api", "models", "datasets", "tree", "refs", "lfs", "commits",
    "refs.log", "lock", "%252e%252e", "..;", "a" * 300, "%c0%ae", "%ff", "C:", "file:", "*", "[a-z]*", "%3f", "#",
    "heads", "m.git", "info", "batch", "commit", "%0d%0aX:1", "é", "\u202e", "0" * 40, "0" * 64,
]
# fmt: on


def test_no_path_leads_outside(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    fill(served.hub, tmp_path, {"a": b"x"})
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    before = everything(tmp_path)
    dice = random.Random(4)
    starts = [
        "",
        "local/m/resolve/main",
        "datasets",
        "api/models/local/m/tree/main",
        "api/models",
        "lfs",
        "local/m/resolve",
    ]
    connection = http.client.HTTPConnection("127.0.0.1", served.server.server_port, timeout=20)
    for number in range(500):
        inner = [dice.choice(PARTS) for _ in range(dice.randint(1, 6))]
        path = (
            "/".join(["", dice.choice(starts), *inner])
            + "/"
            + dice.choice(["secret", "..", "passwd", "lock"])
        )
        method = dice.choice(["GET", "GET", "HEAD", "PUT", "POST", "DELETE"])
        body = (
            json.dumps({"tag": path, "name": inner[0], "organization": inner[-1]})
            if method == "POST"
            else None
        )
        connection.request(method, quote(path, safe="/%?#*[]~.:;\\"), body)
        answer = connection.getresponse()
        said = answer.read()
        assert answer.status >= 400, (number, method, path, said)
        assert b"secret" not in said or path.encode() in said or b"secret" in path.encode()
    connection.close()
    assert everything(tmp_path) == before


def test_names_that_lead_outside_are_not_created(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    for name in (
        "..",
        ".",
        "",
        "../x",
        "a/b",
        "a..b",
        "a--b",
        ".x",
        "x.git",
        "x" * 97,
        "a\0b",
        "é",
        "-x",
        "x-",
    ):
        for body in ({"name": name, "organization": "local"}, {"name": "m", "organization": name or "."}):
            assert served.ask("POST", "/api/repos/create", body).status == 400, body
    for body in ({}, {"name": 3}, {"name": "m", "type": "space"}, {"name": "m", "type": "../x"}):
        assert served.ask("POST", "/api/repos/create", body).status == 400
    assert not everything(tmp_path)


def test_a_fault_of_the_server_is_told_as_one(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    served = serve()

    def broken(_: Any) -> Any:
        raise RuntimeError(WRITE)

    monkeypatch.setattr(served.server, "routes", broken)
    got = served.ask("GET", "/")
    assert got.status == 500 and "RuntimeError" in got.json["error"] and WRITE.encode() not in got.body
    assert server_room.STALL_SECONDS == 60


# --- The command


def run_serve(tmp_path: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "zoo", "hub", "serve", "--port", "0", *options]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(REPOSITORY), os.environ["PYTHONPATH"]))}
    return subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_zoo_hub_serve(tmp_path: Path) -> None:
    (tmp_path / "zoo.toml").touch()
    fill(FolderHub(tmp_path / "build" / "hub"), tmp_path, {"a": b"x"})
    with run_serve(tmp_path, "--verbose", "--json") as process:
        assert process.stdout and process.stderr
        text = ""
        while not text.endswith("}\n"):
            text += process.stdout.readline()
        port = int(json.loads(text)["address"].rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request(
            "GET", "/local/m/resolve/main/a?x=%1b", headers={"Authorization": f"Bearer {WRITE}"}
        )
        assert connection.getresponse().read() == b"x"
        connection.close()
        said = ""
        while " 200 1 B" not in said:  # told after the answer
            line = process.stderr.readline()
            assert line
            said += line
        process.send_signal(signal.SIGINT)
        said += process.stderr.read()
        assert process.wait(20) == 0
    assert (
        "GET /local/m/resolve/main/a 200 1 B" in said and "Stopped" in said and "HF_HUB_DISABLE_XET=1" in said
    )
    assert WRITE not in said and "Traceback" not in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--host", "0.0.0.0", "--allow-anonymous-write"), "only this machine may write"),
        (("--token-file", "zoo.toml"), "token file"),
        (("--token-file", "zoo.toml", "--allow-anonymous-write"), "exclude each other"),
        (("--host", "192.0.2.1"), "cannot be used"),
        (("--hub", "http://127.0.0.1:1"), "is no folder"),
        (("zoo.toml",), "is no folder"),
    ],
)
def test_zoo_hub_serve_refuses(options: tuple[str, ...], words: str, tmp_path: Path) -> None:
    (tmp_path / "zoo.toml").touch()
    with run_serve(tmp_path, *options) as process:
        _, said = process.communicate(timeout=20)
    assert process.returncode in (1, 2) and words in said and "Traceback" not in said
