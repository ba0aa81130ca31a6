"""A folder hub over HTTP and one plain way to ask it, for tests of the server.

A test module names it in ``pytest_plugins``. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import hashlib
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from zoo.files.listing import FileRecord
from zoo.hub import FolderHub
from zoo.hub.server import Access, Bounds, HubServer, read_tokens

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

    def every_page(self, path: str) -> list[Any]:
        """The items of a list, over all its pages."""
        items: list[Any] = []
        for _ in range(9):
            page = self.ask("GET", path)
            items += page.json
            if "link" not in page.headers:
                return items
            path = page.headers["link"].partition(">")[0].partition(self.server.address)[2]
        raise AssertionError("the list does not end after 9 pages")

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

    def start(access: Access | None = None, log: Callable[[str], None] | None = None, **options: Any) -> Served:
        hub = FolderHub(tmp_path / "hub")
        access = access or Access({}, anonymous_write=True)
        server = HubServer(hub.folder, "127.0.0.1", 0, access, log, Bounds(**options))
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
