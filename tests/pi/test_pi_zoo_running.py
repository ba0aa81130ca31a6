"""``pi-zoo use``, ``run``, ``embed`` and ``serve``: what the service gets, and real answers with llama-server."""

from __future__ import annotations

import argparse
import errno
import hashlib
import json
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import waiting
from boardsite import command, environment, pi_zoo
from llamaprograms import MODEL, PROGRAMS, needs_server
from piservers import free_port

from catalog import history as formats
from pi_runtime import keeping, options, service, store
from pi_runtime.settings import CouldNot
from pi_runtime.store import Kept, Receipt

STARTER = "starter"
ONE = ("--threads", "1", "--context", "256")


def put(home: Path, content: bytes | None, name: str = STARTER) -> Kept:
    """A model in the store: the starter file without content."""
    data = MODEL.read_bytes() if content is None and MODEL else content or b""
    digest = hashlib.sha256(data).hexdigest()
    listed = json.dumps({"files": [{"path": f"{name}.gguf", "size_bytes": len(data), "sha256": digest}]})
    manifest = hashlib.sha256(listed.encode()).hexdigest()
    kept = Kept(home, Receipt(name, "1.0.0", f"{name}.gguf", "Q4_1", len(data), digest, manifest, "x"))
    store.make_folder(kept.folder)
    kept.path.write_bytes(data)
    (kept.folder / "MANIFEST.json").write_text(listed)
    store.write_receipt(kept)
    return kept


def asked(*arguments: str) -> argparse.Namespace:
    return options.parser().parse_args(arguments)


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PI_ZOO_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(service, "FOLDER", tmp_path / "etc")
    monkeypatch.setattr(service, "UNITS", tmp_path / "units")
    return tmp_path


def test_use_writes_what_the_launcher_accepts(system: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = put(system / "home", b"GGUF")
    keeping.use(asked("use", STARTER, "--device", "pi-5-4gb", "--kv", "q8_0", "--threads", "1", "--port", "8099"))
    made = service.read(system / "etc/starter.json")
    assert (made.model, made.port, made.cache_type_k, made.cache_type_v) == (str(kept.path), 8099, "q8_0", "q8_0")
    assert made.manifest_sha256 == kept.receipt.manifest_sha256 and made.threads == 1
    assert made.flags == ("--cache-ram", "0", "--flash-attn", "on") and made.loopback
    # The limit of the service is what the profile has free for a model.
    assert made.memory_bytes == 4 * 2**30 - 2**29
    assert "MemoryMax=3758096384" in (system / "units/pi-zoo@starter.service.d/pi-zoo.conf").read_text()
    assert "enable --now pi-zoo@starter" in capsys.readouterr().out
    keeping.use(asked("use", STARTER, "--device", "apple-m1-8gb", "--as", "other", "--threads", "1"))
    assert service.read(system / "etc/other.json").flags == ("--n-gpu-layers", "999")


def test_use_refuses_an_open_address_without_a_key(system: Path) -> None:
    put(system / "home", b"GGUF")
    with pytest.raises(CouldNot, match="needs an API key"):
        keeping.use(asked("use", STARTER, "--device", "pi-5-4gb", "--threads", "1", "--host", "0.0.0.0"))
    assert not (system / "etc").exists()


def test_folders_are_readable_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        put(tmp_path / "home", b"GGUF")
    finally:
        os.umask(old)
    for folder in (tmp_path / "home", tmp_path / "home/models", tmp_path / "home/models/starter/1.0.0"):
        assert folder.stat().st_mode & 0o777 == 0o755


def test_a_local_command_needs_no_network(tmp_path: Path) -> None:
    put(tmp_path / "home", b"GGUF")
    (tmp_path / "home/source.json").write_text('{"source": "https://zoo.invalid/"}')
    done = pi_zoo(tmp_path / "home", "run", STARTER, "--prompt", "x", "--threads", "1", PATH="/nonexistent")
    assert "zoo.invalid" not in done.stderr and "llama-server is not installed" in done.stderr


@needs_server
def test_a_chat_and_vectors(tmp_path: Path) -> None:
    put(tmp_path / "home", None)
    programs = {"PI_ZOO_PROGRAMS": str(PROGRAMS)}
    chat = ("run", STARTER, *ONE, "--tokens", "12", "--temperature", "0", "--prompt", "What is the capital of France?")
    one, two = (pi_zoo(tmp_path / "home", *chat, **programs) for _ in range(2))
    # Which words come first is a near tie that processors decide differently; without chance they are the same twice.
    assert one.returncode == 0 and len(one.stdout) > 10 and one.stdout == two.stdout, one.stderr
    done = pi_zoo(tmp_path / "home", "embed", STARTER, *ONE, "a cat", "a dog", **programs)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["text"] for row in rows] == ["a cat", "a dog"] and len(rows[0]["embedding"]) == 576
    assert rows[0]["embedding"] != rows[1]["embedding"]


@needs_server
def test_a_flipped_byte_never_starts(tmp_path: Path) -> None:
    kept = put(tmp_path / "home", None)
    with kept.path.open("r+b") as file:
        file.seek(50_000_000)
        byte = file.read(1)
        file.seek(50_000_000)
        file.write(bytes([byte[0] ^ 1]))
    done = pi_zoo(tmp_path / "home", "run", STARTER, *ONE, "--prompt", "x", PI_ZOO_PROGRAMS=str(PROGRAMS))
    assert done.returncode == 1 and done.stdout == "" and "is not the file that was downloaded" in done.stderr


def is_refused(port: int) -> bool:
    with socket.socket() as link:
        return link.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


@needs_server
def test_serve_asks_for_the_key_and_ends_with_its_server(tmp_path: Path) -> None:
    put(tmp_path / "home", None)
    key = tmp_path / "key"
    key.write_text("k" * 20 + "\n")
    port = free_port()
    here = f"http://127.0.0.1:{port}"
    line = command("serve", STARTER, *ONE, "--port", str(port), "--api-key-file", str(key))
    running = subprocess.Popen(
        line, env=environment(tmp_path / "home", PI_ZOO_PROGRAMS=str(PROGRAMS)), stdout=subprocess.PIPE, text=True
    )
    assert running.stdout
    try:
        assert f"{here}/v1" in running.stdout.readline()
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{here}/v1/models", timeout=60)
        headers = {"Authorization": "Bearer " + "k" * 20}
        request = urllib.request.Request(f"{here}/v1/models", headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 200
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 143
        waiting.until(lambda: is_refused(port), "the server outlived its launcher")
    finally:
        running.kill()
        running.wait()


@needs_server
def test_every_measurement_is_kept(tmp_path: Path) -> None:
    put(tmp_path / "home", None)
    short = ("--prompt-tokens", "8", "--decode-tokens", "2", "--samples", "1", "--short")
    for number in (1, 2):
        done = pi_zoo(tmp_path / "home", "bench", STARTER, *ONE, *short, PI_ZOO_PROGRAMS=str(PROGRAMS))
        assert done.returncode == 0, done.stderr
        kept = (tmp_path / "home/bench-history.jsonl").read_bytes()
        runs = formats.parse(kept).runs
        assert len(runs) == number and runs[-1].model == STARTER and not runs[-1].valid
    assert "2 runs, 2 of them not valid" in pi_zoo(tmp_path / "home", "history", STARTER).stdout
