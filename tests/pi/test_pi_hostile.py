"""Catalogs, sites and stores that somebody made to do harm: each is a sentence, and nothing hangs."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import shutil
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from boardsite import NAME, ROOT, VERSION, write
from piservers import free_port, stand_in

from pi_runtime import (
    asking,
    catalogue,
    checking,
    download,
    history,
    keeping,
    options,
    profiles,
    service,
    sources,
    store,
)
from pi_runtime.__main__ import main
from pi_runtime.server import Address, Model, Server
from pi_runtime.settings import CouldNot

ESCAPES = "\x1b[2J\x9b\ud800\u202e"
SHOWN = "\\u001b[2J\\u009b\\ud800\\u202e"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write(tmp_path / "site", 1000)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PI_ZOO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def release_of(site: Path) -> tuple[dict[str, object], dict[str, object]]:
    """The site's catalog, and its only release, as data."""
    data = json.loads((site / "catalog.json").read_text())
    return data, data["models"][0]["releases"][0]


def kept(site: Path, home: Path) -> Path:
    """A model file of the site in the store, with its receipt."""
    _, release = release_of(site)
    file = release["files"][0]  # type: ignore[index]  # data of a catalog
    receipt = store.Receipt(NAME, VERSION, file["path"], file["type"], file["size_bytes"], file["sha256"], None, "x")
    one = store.Kept(home, receipt)
    store.make_folder(one.folder)
    one.path.write_bytes((site / "download" / NAME / VERSION / file["path"]).read_bytes())
    store.write_receipt(one)
    return one.path


@pytest.mark.parametrize(
    ("entry", "value", "words"),
    [
        ("version", "1.0.0+a/b", "version is not a plain name"),
        ("version", "1.0.0+", "version is not a version"),
        ("files", [], "files is empty"),
    ],
)
def test_a_catalog_that_cannot_be_used(site: Path, entry: str, value: object, words: str) -> None:
    data, release = release_of(site)
    release[entry] = value
    with pytest.raises(CouldNot, match=words):
        catalogue.read(json.dumps(data), "catalog.json")


def test_build_metadata_does_not_change_the_order(site: Path) -> None:
    data, release = release_of(site)
    release["version"] = "1.0.0+a-1"
    (model,) = catalogue.read(json.dumps(data), "catalog.json")
    assert model.current() is model.releases[0]
    assert catalogue.preference("1.0.0+a") < catalogue.preference("1.0.1") > catalogue.preference("2.0.0-rc.1+a")


def test_a_number_that_no_float_holds(site: Path) -> None:
    data, release = release_of(site)
    release["files"][0]["perplexity"] = 10**400  # type: ignore[index]  # data of a catalog
    with pytest.raises(CouldNot, match="perplexity is not a number that can be used"):
        catalogue.read(json.dumps(data), "catalog.json")


def test_nothing_that_is_printed_moves_a_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    asking.say(f"a\n{ESCAPES}")
    asking.warn(ESCAPES)
    asking.answer({"ü": ESCAPES})
    out, err = capsys.readouterr()
    assert out.startswith(f"a\n{SHOWN}\n") and err == f"{SHOWN}\n" and '"ü"' in out
    assert json.loads(out.partition("{")[1] + out.partition("{")[2]) == {"ü": ESCAPES}


@pytest.mark.usefixtures("home")
def test_a_locale_without_a_letter_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    found = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(found, encoding="ascii"))
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert main(["recommend", "--from", "/nothing-ü"]) == 1
    assert b"/nothing-\\xfc cannot be read" in found.getvalue()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"\x1b]0;x\x07\r\n\r\n", "cannot be reached: "),
        (b"HTTP/1.1 302 x\r\nLocation: https://[x/\r\n\r\n", "cannot be reached: Invalid IPv6 URL"),
        (b"HTTP/1.1 302 x\r\nLocation: http://example.org/\r\n\r\n", "Plain http is used only on this machine"),
        (b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc", "cannot be reached: "),
    ],
)
def test_a_site_that_answers_nonsense(answer: bytes, words: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def once() -> None:
            link, _ = server.accept()
            with link:
                link.recv(4096)
                link.sendall(answer)

        thread = threading.Thread(target=once)
        thread.start()
        with pytest.raises(CouldNot, match=words):
            download.document(f"http://127.0.0.1:{server.getsockname()[1]}/")
        thread.join()


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("~nobody-of-this-name/x", "a user who is not known here"),
        ("/dev/zero", "is not a regular file"),
        ("/", "is not a regular file"),
        ("/a\0b", "is not a path"),
    ],
)
def test_a_catalog_is_a_file(name: str, words: str) -> None:
    with pytest.raises(CouldNot, match=words):
        sources.load(name, print)


def test_pipes_in_the_store_never_hang(site: Path, home: Path) -> None:
    path = kept(site, home)
    receipt = path.with_name(f"{path.name}.receipt.json")
    receipt.write_text(json.dumps({**json.loads(receipt.read_text()), "size_bytes": 0}))
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(CouldNot, match="is not a regular file"):
        store.problem(*store.kept())
    receipt.unlink()
    os.mkfifo(receipt)
    assert store.kept() == [] and list(store.damaged()) == [receipt]


def test_a_history_with_numbers_that_json_does_not_have() -> None:
    report = {"measured_at_utc": "2026-01-01T00:00:00Z", "valid": True, "file": {"sha256": "a"}, "method": {},
              "samples": [dict.fromkeys(history.FIGURES, 1.0)], "device": {}, "software": {},
              "settings": {"threads": float("nan")}}  # fmt: skip
    line = json.dumps({"schema": history.FORMAT, "kind": "run", "report": report})
    assert history.parse(line.encode()).skipped == (1,)


def test_what_a_stopped_command_left_is_named_and_removed(
    site: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = kept(site, home)
    part = path.with_name("other.gguf.part")
    part.write_bytes(b"x" * 2000)
    removal = options.parser().parse_args(["remove", NAME])
    assert store.leftovers() == [part]
    with contextlib.suppress(CouldNot):
        checking.doctor(options.parser().parse_args(["doctor"]))
    assert f"{part}: 2.0 kB of a stopped command" in capsys.readouterr().out
    with part.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(CouldNot, match="Another pi-zoo downloads"):
            keeping.remove(removal)
    assert part.exists() and not path.exists()
    kept(site, home).with_name(f"{path.name}.receipt.json").unlink()
    keeping.remove(removal)
    assert f"removed {part}, 2.0 kB" in capsys.readouterr().out and list((home / "models").iterdir()) == []
    with pytest.raises(CouldNot, match="is not on this board"):
        keeping.remove(removal)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data["bandwidth"].update(high_bytes_per_second=0), "bandwidth has a figure that is not above 0"),
        (lambda data: data["runtime"].update(kv_types=[]), "runtime.kv_types must be some of f16"),
        (lambda data: data["runtime"].update(kv_types=["q9"]), "runtime.kv_types must be some of f16"),
    ],
)
def test_a_profile_that_nothing_can_be_computed_from(
    change: Callable[[dict[str, Any]], None], words: str, tmp_path: Path
) -> None:
    for folder in ("devices", "data"):
        shutil.copytree(ROOT / "catalog" / folder, tmp_path / folder)
    path = tmp_path / "devices/pi-5-4gb.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(CouldNot, match=words):
        profiles.profiles(tmp_path)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "programs").mkdir()
    stand_in(tmp_path / "programs")
    monkeypatch.setenv("PI_ZOO_PROGRAMS", str(tmp_path / "programs"))


@pytest.mark.usefixtures("programs")
def test_a_server_is_reached_at_the_address_that_was_named(tmp_path: Path) -> None:
    """Not only at 127.0.0.1: a board's own address is what its owner opens to the network."""
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    with Server(Model(tmp_path / "a.gguf", None), (), Address("127.0.0.2", free_port(), ("k" * 20,))) as server:
        assert server.ask("/health")["arguments"].texts
    assert service.reached("0.0.0.0") == "127.0.0.1" and service.reached("::") == "::1"


@pytest.mark.usefixtures("programs")
def test_another_program_is_not_taken_for_the_server(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CouldNot, match=f"Another program listens on 127.0.0.1 port {port}"):
            Server(Model(tmp_path / "a.gguf", None), (), Address("127.0.0.1", port, ("k" * 20,)))
        other.setblocking(False)
        link, _ = other.accept()
        assert link.recv(1) == b"", "the other program was sent the key"
        link.close()
