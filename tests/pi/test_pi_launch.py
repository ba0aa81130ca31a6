"""The launcher starts only the file of the manifest, reports when the server answers, and stops cleanly."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from llamaserver import compiled
from piservers import Systemd, configured, launched, released, stand_in
from tinygguf import make_tiny_gguf

from pi_runtime import launch

ENDLESS = '{"files": [{"path": "model.gguf", "size_bytes": 1e999, "sha256": ""}]}'


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_gguf(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


@pytest.fixture
def release(tmp_path: Path, tiny: Path) -> tuple[Path, Path]:
    return released(tmp_path / "demo" / "1.0.0", tiny)


@pytest.fixture(params=["stand-in", "llama.cpp"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "stand-in":
        return stand_in(tmp_path)
    programs = compiled("amd64")
    if programs is None:
        pytest.skip("llama.cpp's server is not compiled here: python scripts/pi/compile.py amd64")
    return programs / "llama-server"


def get(config: Path, path: str = "/health") -> tuple[int, dict[str, Any]]:
    entries = json.loads(config.read_text(encoding="utf-8"))
    link = http.client.HTTPConnection("127.0.0.1", entries["port"], timeout=20)
    link.request("GET", path)
    answer = link.getresponse()
    return answer.status, json.loads(answer.read())


def refused(config: Path, server: Path, folder: Path, **more: str) -> tuple[int, str, Systemd]:
    """Exit code, journal lines and reports of a launcher that starts nothing."""
    with launched(config, server, folder, **more) as (child, systemd):
        _, said = child.communicate(timeout=60)
        systemd.link.setblocking(False)
        while True:
            try:
                systemd.lines += systemd.link.recv(65536).decode().splitlines()
            except BlockingIOError:
                break
    assert "READY=1" not in systemd.lines and "Traceback" not in said
    return child.returncode, said, systemd


def test_it_is_ready_when_the_server_answers_and_stops_cleanly(
    tmp_path: Path, release: tuple[Path, Path], server: Path
) -> None:
    config = configured(tmp_path, *release)
    with launched(config, server, tmp_path) as (child, systemd):
        systemd.wait_for("READY=1")
        assert get(config)[0] == 200
        systemd.lines.clear()
        systemd.wait_for("WATCHDOG=1", 20)
        child.terminate()
        assert child.wait(30) == 0
        systemd.wait_for("STOPPING=1", 1)
    with pytest.raises(OSError):
        get(config)


def test_the_server_reads_the_file_that_was_checked(tmp_path: Path, release: tuple[Path, Path]) -> None:
    """Another file takes the name while the server starts; nobody reads it."""
    model, manifest = release
    config, wanted = configured(tmp_path, model, manifest), json.loads(manifest.read_text())["files"][0]["sha256"]
    server, real = tmp_path / "slow", stand_in(tmp_path)
    server.write_text(f"#!/bin/sh\necho evil >{model}.new && mv {model}.new {model}\nexec {real} \"$@\"\n")
    server.chmod(0o755)
    with launched(config, server, tmp_path) as (_, systemd):
        systemd.wait_for("READY=1")
        assert model.read_text() == "evil\n"
        facts = get(config)[1]
    assert facts["sha256"] == wanted
    assert facts["environment"].keys() <= {"PATH", "LANG", "HOME", "LC_CTYPE", "PWD", "SHLVL", "_", "OLDPWD"}
    assert "--offline" in facts["arguments"] and "--no-ui" in facts["arguments"]


def test_a_flipped_byte_is_refused(tmp_path: Path, release: tuple[Path, Path], server: Path) -> None:
    model, manifest = release
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    code, said, systemd = refused(configured(tmp_path, model, manifest), server, tmp_path)
    assert code == 65
    assert "has the sha256" in said and "the manifest says" in said and "pi-zoo pull demo" in said
    assert "ERRNO=65" in systemd.lines


@pytest.mark.parametrize(
    ("damage", "code", "sentence"),
    [
        (lambda model, _: model.write_bytes(b"short"), 65, "(5 bytes), the manifest says"),
        (lambda model, _: model.unlink(), 66, "could not be opened"),
        (lambda _, manifest: manifest.unlink(), 66, "could not be read"),
        (lambda _, manifest: manifest.write_text("[]"), 65, "does not list model.gguf"),
        (lambda _, manifest: manifest.write_text("{"), 65, "does not list model.gguf"),
        (lambda _, manifest: manifest.write_text("[" * 100_000), 65, "does not list model.gguf"),
        (lambda _, manifest: manifest.write_text(ENDLESS), 65, "does not list model.gguf"),
        (lambda model, _: (model.unlink(), os.mkfifo(model)), 65, "not a regular file"),
    ],
)
def test_other_damage_is_refused(
    tmp_path: Path, release: tuple[Path, Path], damage: Any, code: int, sentence: str
) -> None:
    config = configured(tmp_path, *release)
    damage(*release)
    found, said, _ = refused(config, stand_in(tmp_path), tmp_path)
    assert found == code and sentence in said


def test_another_manifest_is_refused(tmp_path: Path, release: tuple[Path, Path]) -> None:
    config = configured(tmp_path, *release, manifest_sha256="0" * 64)
    code, said, _ = refused(config, stand_in(tmp_path), tmp_path)
    assert code == 65 and "The manifest" in said


def test_a_used_port_is_refused(tmp_path: Path, release: tuple[Path, Path]) -> None:
    """The other program's answers would be taken for the server's."""
    config = configured(tmp_path, *release)
    with socket.socket() as other:
        other.bind(("127.0.0.1", json.loads(config.read_text())["port"]))
        other.listen()
        code, said, _ = refused(config, stand_in(tmp_path), tmp_path)
    assert code == 78 and "Another program listens" in said


def test_a_socket_that_was_left_behind_is_removed(tmp_path: Path, release: tuple[Path, Path], server: Path) -> None:
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with launched(configured(tmp_path, *release, host=str(path)), server, tmp_path) as (_, systemd):
        systemd.wait_for("READY=1")
        # The watchdog comes after the socket was opened for everybody on this machine.
        assert path.stat().st_mode & 0o777 == 0o666


def test_no_other_file_is_removed(tmp_path: Path, release: tuple[Path, Path]) -> None:
    path = tmp_path / "api.sock"
    path.write_text("mine", encoding="utf-8")
    code, said, _ = refused(configured(tmp_path, *release, host=str(path)), stand_in(tmp_path), tmp_path)
    assert code == 78 and "not a socket" in said and path.read_text() == "mine"


@pytest.mark.parametrize("keys", ["", "# only a comment, long enough\n", "short\n"])
def test_an_open_address_needs_a_real_key(tmp_path: Path, release: tuple[Path, Path], keys: str) -> None:
    (tmp_path / "keys").write_text(keys, encoding="utf-8")
    config = configured(tmp_path, *release, host="0.0.0.0", api_key_file=str(tmp_path / "keys"))
    code, said, _ = refused(config, stand_in(tmp_path), tmp_path)
    assert code == 78 and "no key of at least 16 characters" in said


def test_the_key_comes_from_systemd(tmp_path: Path, release: tuple[Path, Path], server: Path) -> None:
    (tmp_path / "api-key").write_text("0123456789abcdef\n", encoding="utf-8")
    config = configured(tmp_path, *release, host="0.0.0.0", api_key_file="/etc/pi-zoo/only-root-reads-it")
    with launched(config, server, tmp_path, CREDENTIALS_DIRECTORY=str(tmp_path)) as (_, systemd):
        systemd.wait_for("READY=1")
        assert get(config)[0] == 200
        if server.parent != tmp_path:
            assert get(config, "/props")[0] == 401


def test_a_server_that_ends_is_an_error(tmp_path: Path, release: tuple[Path, Path]) -> None:
    server = tmp_path / "ends"
    server.write_text("#!/bin/sh\nexit 3\n")
    server.chmod(0o755)
    code, said, _ = refused(configured(tmp_path, *release), server, tmp_path)
    assert code == 1 and "exit code 3" in said


def test_a_missing_server_is_an_error(tmp_path: Path, release: tuple[Path, Path]) -> None:
    code, said, _ = refused(configured(tmp_path, *release), tmp_path / "absent", tmp_path)
    assert code == 66 and "pi-zoo-runtime" in said


def test_a_server_that_hangs_is_not_reported_as_alive(tmp_path: Path, release: tuple[Path, Path]) -> None:
    config = configured(tmp_path, *release)
    with launched(config, stand_in(tmp_path), tmp_path) as (child, systemd):
        systemd.wait_for("READY=1")
        (worker,) = subprocess.run(["pgrep", "-P", str(child.pid)], capture_output=True, text=True).stdout.split()
        os.kill(int(worker), signal.SIGSTOP)
        try:
            # One report may be on its way. A probe gives up after PROBE_SECONDS; the next report would follow it.
            with pytest.raises(TimeoutError):
                for _ in range(3):
                    systemd.lines.clear()
                    systemd.wait_for("WATCHDOG=1", launch.PROBE_SECONDS + 3)
        finally:
            os.kill(int(worker), signal.SIGCONT)
