"""A service's configuration: what is in it is checked before anything starts."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pi_runtime import service as services
from pi_runtime.launch import command
from pi_runtime.service import BadService, Service

PLAIN = Service(model="/m/a.gguf", manifest="/m/MANIFEST.json")


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"model": "a.gguf"}, "model must be an absolute path"),
        ({"model": "/a\0b"}, "model must be an absolute path of printable characters"),
        ({"api_key_file": "/a\nExecStart=b"}, "api_key_file must be an absolute path"),
        ({"host": "/run/pi-zoo/a\0.sock"}, "must be below /run/pi-zoo"),
        ({"port": 0}, "port must be from 1 to 65,535"),
        ({"threads": 0}, "threads must be from 1"),
        ({"cache_type_k": "q9"}, "cache_type_k must be one of f32"),
        ({"memory_bytes": 1000}, "less than any model needs"),
        ({"manifest_sha256": "abc"}, "64 hexadecimal digits"),
        ({"host": "0.0.0.0"}, "needs an API key"),
        ({"host": "192.168.1.5"}, "needs an API key"),
        ({"host": "::"}, "needs an API key"),
        ({"host": "pi.local"}, "must be an IP address"),
        ({"host": "/tmp/a.sock"}, "must be below /run/pi-zoo"),
        ({"host": "/run/pi-zoo/../../tmp/a.sock"}, "must be below /run/pi-zoo"),
        ({"flags": ("--tools", "all")}, "--tools is not in the list"),
        ({"flags": ("--model", "/etc/shadow")}, "--model is not in the list"),
        ({"flags": ("-m", "x")}, "-m is a short one"),
        ({"flags": ("--device", "a b")}, "has characters"),
        ({"flags": ("--device", "/etc/passwd")}, "has characters"),
    ],
)
def test_what_cannot_be_used_is_refused(more: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadService, match=sentence):
        replace(PLAIN, **more).check()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "/run/pi-zoo/a/api.sock"])
def test_this_machine_needs_no_key(host: str) -> None:
    replace(PLAIN, host=host).check()
    assert "IPAddress" not in services.drop_in(replace(PLAIN, host=host))


def test_a_key_opens_the_network() -> None:
    opened = replace(PLAIN, host="0.0.0.0", api_key_file="/etc/pi-zoo/a.key")
    opened.check()
    lines = services.drop_in(opened).splitlines()
    assert "LoadCredential=api-key:/etc/pi-zoo/a.key" in lines and "IPAddressDeny=" in lines
    percent = services.drop_in(replace(opened, api_key_file="/etc/%h.key"))
    assert "LoadCredential=api-key:/etc/%%h.key" in percent


def test_memory_comes_from_the_profile() -> None:
    lines = services.drop_in(replace(PLAIN, memory_bytes=512 << 20)).splitlines()
    assert f"MemoryMax={512 << 20}" in lines and f"MemoryHigh={480 << 20}" in lines


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "does not say"),
        ('{"schema": "other/1"}', "does not say"),
        ('{"schema": "pi-zoo-service/1"}', "model is missing"),
        ('{"schema": "pi-zoo-service/1", "evil": 1}', "evil is not a known entry"),
        ('{"schema": "pi-zoo-service/1", "port": "80"}', "port has a value of the wrong kind"),
        ('{"schema": "pi-zoo-service/1", "port": true}', "port has a value of the wrong kind"),
        ('{"schema": "pi-zoo-service/1", "port": null}', "port has a value of the wrong kind"),
        ('{"schema": "pi-zoo-service/1", "flags": "--mlock"}', "flags has a value of the wrong kind"),
        ('{"schema": "pi-zoo-service/1", "flags": [1]}', "flags has a value of the wrong kind"),
    ],
)
def test_a_damaged_file_is_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadService, match=sentence) as said:
        services.read(path)
    assert str(path) in str(said.value)


def test_a_missing_file_names_the_next_command(tmp_path: Path) -> None:
    with pytest.raises(BadService, match="pi-zoo use"):
        services.read(tmp_path / "absent.json")


@pytest.mark.parametrize("name", ["", "../etc", "A", "a b", "-a", "a/b", "a\\x2d"])
def test_names_stay_as_systemd_writes_them(name: str) -> None:
    with pytest.raises(BadService):
        services.path_of(name)


def test_what_is_written_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "FOLDER", tmp_path / "etc")
    monkeypatch.setattr(services, "UNITS", tmp_path / "units")
    given = replace(PLAIN, flags=("--cache-ram", "0"), memory_bytes=1 << 30, manifest_sha256="0" * 64)
    config, settings = services.write(given, "smollm2-135m")
    assert services.read(config) == given
    assert settings == tmp_path / "units/pi-zoo@smollm2-135m.service.d/pi-zoo.conf"
    assert {path.stat().st_mode & 0o777 for path in (config, settings)} == {0o644}
    with pytest.raises(BadService):
        services.write(replace(given, port=0), "smollm2-135m")
    assert json.loads(config.read_text())["port"] == 8080


def test_the_server_gets_what_is_configured() -> None:
    service = replace(PLAIN, port=9000, threads=3, cache_type_k="q8_0", flags=("--cache-ram", "0"))
    line = command(service, "demo", 7, Path("/p/llama-server"), Path("/keys"))
    pairs = dict(pairwise(line))
    assert line[0] == "/p/llama-server" and pairs["--model"] == "/proc/self/fd/7"
    assert (pairs["--port"], pairs["--threads"], pairs["--cache-type-k"]) == ("9000", "3", "q8_0")
    assert pairs["--api-key-file"] == "/keys" and line[-2:] == ["--cache-ram", "0"]
    assert {"--offline", "--no-ui", "--no-slots"} <= set(line)
    assert "--port" not in command(replace(PLAIN, host="/run/pi-zoo/a/a.sock"), "demo", 7, Path("/p"), None)
