"""The folder hub over HTTP: what it serves, what it writes, and the command that starts it."""

import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import waiting
from plainserving import WRITE, Serve, create, everything, fill, lines, upload

from zoo.hub import FolderHub

pytest_plugins = ["plainserving"]
REPOSITORY = Path(__file__).parents[2]


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


def test_what_is_not_there_is_reported_by_its_kind(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    oid = fill(served.hub, tmp_path, {"a": b"x"})
    for path, code in (
        ("/local/none/resolve/main/a", "RepoNotFound"), ("/datasets/local/m/resolve/main/a", "RepoNotFound"),
        ("/local/m/resolve/v9/a", "RevisionNotFound"), (f"/local/m/resolve/{'0' * 40}/a", "RevisionNotFound"),
        (f"/local/m/resolve/{oid[:6]}/a", "RevisionNotFound"), ("/local/m/resolve/main/b", "EntryNotFound"),
        ("/api/models/local/m/tree/main/folder", "EntryNotFound"), ("/api/models/local/none", "RepoNotFound"),
        ("/api/models/local/m/revision/v9", "RevisionNotFound"),
        ("/nobody", ""), ("/api/nothing", ""), ("/local/m/raw/main/a", ""),
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
    paths = [i["path"] for i in served.every_page(f"{tree}?recursive=true&limit=2")]
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
    assert served.ask("GET", "/local/m/resolve/main/a").status == 410, "lost, as if all of it were"


# --- Writing


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


def test_tags_are_made_once(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    first = fill(served.hub, tmp_path, {"a": b"x"})
    second = fill(served.hub, tmp_path, {"a": b"y"})
    tag = "/api/models/local/m/tag"
    assert served.ask("POST", f"{tag}/{first[:40]}", {"tag": "v1"}).status == 200
    assert served.ask("POST", f"{tag}/{second[:40]}", {"tag": "v1"}).status == 409
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
    waiting.until(lambda: everything(served.hub.folder) == before)


# --- The command


def run_serve(tmp_path: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "zoo", "hub", "serve", "--port", "0", *options]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(REPOSITORY), os.environ["PYTHONPATH"]))}
    return subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_folder_that_was_named_must_be_there(tmp_path: Path) -> None:
    """The setting's folder need not: the first upload makes it."""
    (tmp_path / "zoo.toml").touch()
    with run_serve(tmp_path, "biuld/hub") as process:
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 2 and "folder biuld/hub was not found" in said and "mkdir -p biuld/hub" in said
    assert not (tmp_path / "biuld").exists()


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
        said += process.communicate(timeout=waiting.FAR_SECONDS)[1]
        assert process.returncode == 0
    assert (
        "GET /local/m/resolve/main/a 200 1 B" in said and "Stopped" in said and "HF_HUB_DISABLE_XET=1" in said
    )
    assert WRITE not in said and "Traceback" not in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--host", "0.0.0.0", "--allow-anonymous-write"), "only this machine may write"),
        (("--token-file", "zoo.toml"), "token file"),
        (("--token-file", "zoo.toml", "--allow-anonymous-write"), "cannot be used together"),
        (("--host", "192.0.2.1"), "cannot be used"),
        (("--hub", "http://127.0.0.1:1"), "is not a folder"),
        (("zoo.toml",), "is not a folder"),
    ],
)
def test_zoo_hub_serve_refuses(options: tuple[str, ...], words: str, tmp_path: Path) -> None:
    (tmp_path / "zoo.toml").touch()
    with run_serve(tmp_path, *options) as process:
        _, said = process.communicate(timeout=waiting.FAR_SECONDS)
    assert process.returncode in (1, 2) and words in said and "Traceback" not in said
