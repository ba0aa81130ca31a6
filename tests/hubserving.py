"""Fixtures of tests that let the official client talk to ``zoo hub serve``.

A test module names it in ``pytest_plugins`` and uses ``online`` throughout. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import huggingface_hub.constants
import pytest

from zoo.files.listing import FileRecord
from zoo.hub import Repo
from zoo.hub.huggingface import client, upload
from zoo.hub.server import Access, HubServer, read_tokens

TOKEN = "writer-token-0123456789"
LARGE = upload.INLINE_BYTES + 1
Start = Callable[..., HubServer]


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The client may use this machine, has no token, and nobody waits between tries."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    monkeypatch.setattr(client, "PAUSES_SECONDS", (0.0, 0.0))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts servers over ``tmp_path / build / hub``, or another folder; stops them at the end."""
    running = []

    def begin(access: Access | None = None, *, folder: Path | None = None, **options: Any) -> HubServer:
        folder = folder or tmp_path / "build" / "hub"
        server = HubServer(folder, "127.0.0.1", 0, access or Access({}, anonymous_write=True), **options)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        running.append(server)
        return server

    yield begin
    for server in running:
        server.shutdown()
        server.server_close()
    huggingface_hub.close_session()


def put(repo: Repo, path: str, content: str, tmp_path: Path) -> FileRecord:
    """Uploads a text; the record to commit."""
    raw = content.encode()
    source = tmp_path / "source"
    source.write_bytes(raw)
    record = FileRecord(path, len(raw), hashlib.sha256(raw).hexdigest())
    repo.put(source, record.sha256, lambda _: None)
    return record


def moves(folder: Path) -> list[str]:
    """Every move of every reference that the hub ever made."""
    return sorted(line for log in folder.rglob("refs.log") for line in log.read_text("utf-8").splitlines())


def token_file(tmp_path: Path, role: str) -> Access:
    """Access for TOKEN with this role."""
    path = tmp_path / "tokens"
    path.write_text(f"{role} {TOKEN}\n", encoding="utf-8")
    path.chmod(0o600)
    return Access(read_tokens(path))
