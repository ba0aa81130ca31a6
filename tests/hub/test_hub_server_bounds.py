"""The folder hub over HTTP: permissions, refusals, and that nothing outside its folder changes."""

import http.client
import json
import random
import socket
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

import pytest
import waiting
from plainserving import READ, WRITE, Serve, create, everything, fill, roles, upload

from zoo.errors import InputError
from zoo.hub.server import Access, HubServer, access, is_loopback, read_tokens
from zoo.hub.server import server as server_room
from zoo.hub.server.wire import ApiError

pytest_plugins = ["plainserving"]


# --- Permissions


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
    with socket.create_connection(("127.0.0.1", served.server.server_port), timeout=20) as connection:
        connection.sendall(b"GET /api/whoami-v2 HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        (f"write {WRITE}", 0o644, "other users can read"), (f"admin {WRITE}", 0o600, r"tokens:1: .* no.* a role"),
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
    waiting.until(lambda: len(told) >= 4)
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
        with socket.create_connection(("127.0.0.1", served.server.server_port), timeout=60) as wire:
            wire.sendall(start)
            began = time.monotonic()
            assert wire.recv(10) == b""
            assert time.monotonic() - began < server_room.STALL_SECONDS / 2


def test_too_many_connections_are_reported_to_come_back(serve: Serve) -> None:
    served = serve(connections=2)
    wires = [socket.create_connection(("127.0.0.1", served.server.server_port), timeout=60) for _ in range(2)]
    try:
        for wire in wires:
            wire.sendall(b"GET /api/whoami-v2 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert wire.recv(1 << 16).startswith(b"HTTP/1.1 401")
        assert served.ask("GET", "/").status == 503
    finally:
        for wire in wires:
            wire.close()
    waiting.until(lambda: served.ask("GET", "/").status == 200)


def test_what_is_no_http(serve: Serve) -> None:
    served = serve()
    for raw in (
        b"\x16\x03\x01\x02\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\0" * 100 + b"\n",
        b"BREW / HTTP/1.1\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", served.server.server_port), timeout=60) as wire:
            wire.sendall(raw)
            said = wire.recv(1 << 16)
            assert b" 200 " not in said[:20]
    assert served.ask("GET", "/").status == 200


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


def test_a_fault_of_the_server_is_reported_as_one(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    served = serve()

    def broken(_: Any) -> Any:
        raise RuntimeError(WRITE)

    monkeypatch.setattr(served.server, "answer", broken)
    got = served.ask("GET", "/")
    assert got.status == 500 and "RuntimeError" in got.json["error"] and WRITE.encode() not in got.body
    assert server_room.STALL_SECONDS == 60


def test_an_upload_survives_a_clock_that_is_set_and_ends_after_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = access.Signer()
    query = {name: values[0] for name, values in parse_qs(signer.query("ab", 5)).items()}
    for years in (-27, 14):
        monkeypatch.setattr(time, "time", lambda seconds=years * 3.15e7: 1.79e9 + seconds)
        assert signer.check("ab", **query) == 5
    later = time.monotonic() + access.UPLOAD_SECONDS + 2
    monkeypatch.setattr(time, "monotonic", lambda: later)
    with pytest.raises(ApiError, match="expired"):
        signer.check("ab", **query)
