"""The user's token is sent to the hub that the user named and never to one that data names: every command, real
listeners."""

from __future__ import annotations

import dataclasses
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("huggingface_hub")
import huggingface_hub
import huggingface_hub.constants
from pullsamples import NAME, Zoo, make_zoo, write_catalog

from catalog.release import Location
from zoo.__main__ import main
from zoo.hub import connect_recorded
from zoo.hub.huggingface import client, session

TOKEN = "hf_SECRETSECRETSECRET"


class Listener:
    """Answers like a hub that has everything, and records what it receives."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        keep = self.asked

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                keep.append(
                    (self.path, {k.lower(): v for k, v in self.headers.items()}, self.rfile.read(size))
                )
                raw = b"{}"
                self.send_response(200 if "/refs" in self.path else 401)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(raw)

            do_GET = do_HEAD = do_POST = do_PUT = answer

            def log_message(self, *words: Any) -> None:
                del words

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def told(self) -> bool:
        """Whether the token arrived anywhere."""
        return any(TOKEN in repr(one) for one in self.asked)


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.server.shutdown()
    made.server.server_close()
    huggingface_hub.close_session()


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zoo:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    monkeypatch.setattr(client, "PAUSES_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(client, "_withheld", set())
    monkeypatch.setattr(session, "_allowed", set())
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    made = make_zoo(tmp_path / "zoo")
    monkeypatch.chdir(made.folder)
    return made


def recorded_at(zoo: Zoo, address: str) -> Path:
    """The catalog, naming this address for the release."""
    release = zoo.release
    place = Location(address, release.location.model, release.location.model)
    model = dataclasses.replace(zoo.model, releases=(dataclasses.replace(release, location=place),))
    return write_catalog(zoo.folder, dataclasses.replace(zoo.catalog, models=(model,)))


COMMANDS = {
    "pull": ("pull", NAME, "--device", "pi-5-4gb"),
    "pull of a stranger": ("pull", NAME, "--device", "pi-5-4gb", "--catalog", "CATALOG"),
    "verify": ("verify", NAME, "--on-hub"),
    "verify of a stranger": ("verify", NAME, "--on-hub", "--full", "--catalog", "CATALOG"),
    "watch": ("watch", "--no-upstream"),
    "yank": ("yank", f"{NAME}@1.0.0", "--reason", "It never stops."),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_hub_that_a_catalog_names_gets_no_token(
    command: str, zoo: Zoo, listener: Listener, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recorded_at(zoo, listener.address)
    words = [str(path) if word == "CATALOG" else word for word in COMMANDS[command]]
    main([*words, "--log", "json"])
    said = capsys.readouterr()
    assert listener.asked, "the command did not talk to the hub"
    assert not listener.told
    assert all("authorization" not in headers for _, headers, _ in listener.asked)
    assert TOKEN not in said.out + said.err
    warnings = [json.loads(line)["text"] for line in said.err.splitlines() if '"warning"' in line]
    (sentence,) = [text for text in warnings if "token is not sent" in text]
    assert sentence.endswith(f"add --hub {listener.address}")


@pytest.mark.parametrize("way", ["flag", "environment", "file", "endpoint"])
def test_a_hub_that_the_user_names_gets_it(
    way: str,
    zoo: Zoo,
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recorded_at(zoo, listener.address + "/")
    more = ["--hub", listener.address] if way == "flag" else []
    if way == "environment":
        monkeypatch.setenv("ZOO_HUB", listener.address)
    if way == "file":
        (zoo.folder / "zoo.toml").write_text(f'hub = "{listener.address}"\n', encoding="utf-8")
    if way == "endpoint":
        monkeypatch.setenv("HF_ENDPOINT", listener.address)
    main(["pull", NAME, "--device", "pi-5-4gb", *more])
    assert listener.told
    assert "token is not sent" not in capsys.readouterr().err


def test_another_port_or_scheme_of_the_named_host_is_another_hub(tmp_path: Path, zoo: Zoo) -> None:
    del zoo
    named = "https://hub.example:8443"
    for other in ("https://hub.example", "https://hub.example:8444", "http://hub.example:8443"):
        assert client.client(connect_recorded(other, tmp_path, named).name).token is False
    for same in ("https://hub.example:8443/", "https://HUB.example:8443"):
        assert client.client(connect_recorded(same, tmp_path, named).name).token is None
    assert client.client(connect_recorded("https://huggingface.co", tmp_path, "build/hub").name).token is None
    for evil in ("https://huggingface.co.evil.example", "https://evil.example/huggingface.co"):
        assert client.client(connect_recorded(evil, tmp_path, named).name).token is False


def test_an_address_in_an_answer_of_the_hub_gets_no_token(zoo: Zoo, listener: Listener) -> None:
    """As where an upload is to be confirmed: the client sends its token to whatever address stands there."""
    del zoo
    other = Listener()
    try:
        client.client(listener.address)  # named by the user
        from huggingface_hub.utils._headers import build_hf_headers
        from huggingface_hub.utils._http import get_session

        for address in (listener.address, other.address):
            get_session().post(f"{address}/verify", headers=build_hf_headers(token=TOKEN), json={})
    finally:
        other.server.shutdown()
        other.server.server_close()
    assert listener.told and other.asked and not other.told
