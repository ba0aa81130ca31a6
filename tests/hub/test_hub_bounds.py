"""``zoo hub serve`` under hard use: raw bytes on its sockets, large contents in parts, many readers at once."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import random
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zoo.files.listing import FileRecord
from zoo.hub import FolderHub, connect
from zoo.hub.server import Access, Bounds, HubServer

SEED = 7
PART = 1 << 20


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HubServer]:
    made = HubServer(tmp_path / "hub", "127.0.0.1", 0, Access({}, anonymous_write=True), bounds=Bounds(stall_seconds=2))
    made.routes.parts_above, made.routes.part_bytes = PART, PART
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def fill(hub: Path, raw: bytes) -> FileRecord:
    """A repository with one file ``a``."""
    repo, source = FolderHub(hub).repo("model", "local", "m"), hub.with_name("source")
    source.write_bytes(raw)
    record = FileRecord("a", len(raw), hashlib.sha256(raw).hexdigest())
    repo.put(source, record.sha256, lambda _: None)
    repo.commit(None, [record], [], "first")
    return record


def everything(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def ask(server: HubServer, method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    try:
        connection.request(method, path, body or None)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


# --- Raw bytes

GOOD = [
    b"GET /local/m/resolve/main/a HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-3\r\n\r\n",
    b"POST /api/models/local/m/commit/main HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40\r\n\r\n"
    + b"{" * 40,
    b"PUT /lfs/"
    + b"0" * 64
    + b"?size=1&expires=9&signature=0 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx",
    b"GET /api/models/local/m/tree/main?cursor=%ff&limit=-1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /api/repos/create HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16\r\n\r\n"
    + b'{"name":"../..."}'[:16],
]
BITS = [
    b"../", b"%2e%2e%2f", b"\0", b"\r\n", b"\xff\xfe", b" HTTP/1.1", b"Content-Length: 99999999999\r\n",
    b"Transfer-Encoding: chunked\r\n", b"/etc/passwd", b"..\\..\\", b"?" * 50, b"a" * 5000, b"%00", b"//",
    b"Host: x\r\n",
    b"Expect: 100-continue\r\n", b"Range: bytes=9999999999999999-\r\n", b"{}", b"-1", b"\t", b"secret",
]  # fmt: skip


def spoil(dice: random.Random) -> bytes:
    """A request with some of its bytes changed, removed or doubled, and odd pieces inserted."""
    raw = bytearray(dice.choice(GOOD))
    for _ in range(dice.randint(1, 6)):
        at = dice.randrange(len(raw) + 1)
        what = dice.randrange(4)
        if what == 0:
            raw[at:at] = dice.choice(BITS)
        elif what == 1:
            del raw[at : at + dice.randint(1, 20)]
        elif what == 2 and at < len(raw):
            raw[at] = dice.randrange(256)
        else:
            raw += raw[at : at + 30]
    return bytes(raw)


def test_no_bytes_lead_outside_or_stop_the_server(server: HubServer, tmp_path: Path) -> None:
    fill(tmp_path / "hub", b"the only content")
    (tmp_path / "secret").write_text("top-secret", encoding="utf-8")
    server.stall_seconds = 0.3
    dice, before = random.Random(SEED), everything(tmp_path)
    for number in range(400):
        with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as wire:
            raw, said = spoil(dice), b""
            try:
                wire.sendall(raw)
                wire.shutdown(socket.SHUT_WR)
                while data := wire.recv(1 << 16):
                    said += data
            except ConnectionError:
                pass
        assert b"top-secret" not in said and b"root:" not in said, (number, raw)
        assert not said or said.startswith(b"HTTP/1."), (number, raw)
        assert b" 500 " not in said[:20], (number, raw, said)
    assert everything(tmp_path) == before
    assert ask(server, "GET", "/local/m/resolve/main/a")[2] == b"the only content"


# --- Contents in parts


def actions(server: HubServer, raw: bytes, oid: str = "") -> dict[str, Any]:
    oid = oid or hashlib.sha256(raw).hexdigest()
    asked = {
        "operation": "upload",
        "transfers": ["basic", "multipart"],
        "objects": [{"oid": oid, "size": len(raw)}],
    }
    ask(server, "POST", "/api/repos/create", b'{"name": "m", "organization": "local"}')
    reply = ask(server, "POST", "/local/m.git/info/lfs/objects/batch", json.dumps(asked).encode())[2]
    found: dict[str, Any] = json.loads(reply)["objects"][0]["actions"]["upload"]
    return found


def at(server: HubServer, address: str) -> str:
    return address.partition(server.address)[2]


def test_a_large_content_in_parts(server: HubServer, tmp_path: Path) -> None:
    raw = os.urandom(2 * PART + 5)
    oid = hashlib.sha256(raw).hexdigest()
    upload = actions(server, raw)
    assert upload["header"].keys() == {"chunk_size", "1", "2", "3"}
    end = at(server, upload["href"])
    body = f'{{"oid": "{oid}", "parts": []}}'.encode()
    assert ask(server, "POST", end, body)[0] == 400  # nothing is here yet
    for number in (3, 1, 2, 2):
        piece = raw[(number - 1) * PART : number * PART]
        status, headers, _ = ask(server, "PUT", at(server, upload["header"][str(number)]), piece)
        assert (status, headers["etag"]) == (200, f'"{hashlib.sha256(piece).hexdigest()}"')
    assert ask(server, "PUT", at(server, upload["header"]["1"]), b"short")[0] == 400
    assert (
        ask(server, "PUT", at(server, upload["header"]["1"]).replace("/1/0?", "/1/9?"), raw[:PART])[0] == 403
    )
    assert ask(server, "POST", end.replace("signature=", "signature=0"), body)[0] == 403
    assert ask(server, "POST", end, body.replace(b"a", b"b"))[0] == 400
    for _ in range(2):  # the answer may have been lost
        assert ask(server, "POST", end, body)[0] == 200
    stored = tmp_path / "hub" / "objects" / oid[:2] / oid
    assert stored.read_bytes() == raw and stored.stat().st_mode & 0o222 == 0
    assert not list((tmp_path / "hub" / "incoming").iterdir())


def test_parts_that_are_not_what_was_announced(server: HubServer, tmp_path: Path) -> None:
    raw, oid = os.urandom(PART + 1), "0" * 64
    upload = actions(server, raw, oid)
    for number in (1, 2):
        ask(
            server, "PUT", at(server, upload["header"][str(number)]), raw[(number - 1) * PART : number * PART]
        )
    status, _, said = ask(server, "POST", at(server, upload["href"]), f'{{"oid": "{oid}"}}'.encode())
    assert status == 400 and b"as announced" in said
    assert not [path for path in (tmp_path / "hub").rglob("*") if path.is_file()]


def test_the_official_client_sends_parts(server: HubServer, tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    raw = os.urandom(3 * PART + 17)
    (tmp_path / "big").write_bytes(raw)
    oid, told = hashlib.sha256(raw).hexdigest(), list[float]()
    import huggingface_hub.constants

    before, huggingface_hub.constants.HF_HUB_OFFLINE = huggingface_hub.constants.HF_HUB_OFFLINE, False
    try:
        repo = connect(server.address, tmp_path).repo("model", "local", "m")
        repo.put(tmp_path / "big", oid, told.append)
        made = repo.commit(None, [FileRecord("big", len(raw), oid)], [], "first")
        with repo.open(made, "big") as stream:
            assert stream.read() == raw
    finally:
        huggingface_hub.constants.HF_HUB_OFFLINE = before
    assert sum(told) == len(raw) and len(told) > 3


# --- Many at the same time


def test_many_readers_at_the_same_time(server: HubServer, tmp_path: Path) -> None:
    raw = os.urandom(4 << 20)
    record, wrong = fill(tmp_path / "hub", raw), list[str]()

    def read() -> None:
        try:
            status, _, body = ask(server, "GET", "/local/m/resolve/main/a")
            if status != 200 or hashlib.sha256(body).hexdigest() != record.sha256:
                wrong.append(f"{status} {len(body)}")
        except OSError as error:
            wrong.append(repr(error))

    threads = [threading.Thread(target=read) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
