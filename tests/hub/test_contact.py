"""A hub that is away: a reader knows it within seconds, in one line, and goes to the next place."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

from huggingface_hub import close_session

from catalog.sources import HubSource
from zoo.errors import RemoteError
from zoo.hub import Hub, Hubs
from zoo.hub.huggingface import contact
from zoo.hub.server import Access, HubServer
from zoo.plan import foresight
from zoo.progress import Silent, heard_by
from zoo.sources import hub as sourcehub

pytest_plugins = ["hubserving"]
pytestmark = pytest.mark.usefixtures("online")


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield server


@pytest.fixture
def silent(listening: socket.socket, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of something that takes connections and says nothing."""
    monkeypatch.setattr(contact, "FIRST_SECONDS", 0.5)
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


def connections(listening: socket.socket) -> int:
    """How many were made, and not looked at yet."""
    listening.setblocking(False)
    number = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            listening.accept()[0].close()
            number += 1
    return number


@pytest.fixture
def closed() -> str:
    """The address of nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def hub_at(address: str, tmp_path: Path) -> Hub:
    return Hubs(tmp_path, "", quick=True).open(address)


class Words(Silent):
    """Keeps what is reported."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def warn(self, text: str) -> None:
        self.heard.append(text)

    say = warn


@pytest.mark.parametrize("away", ["closed", "silent"])
def test_a_hub_that_is_away_is_asked_once_and_said_once(
    away: str, tmp_path: Path, listening: socket.socket, request: pytest.FixtureRequest
) -> None:
    hub, report = hub_at(request.getfixturevalue(away), tmp_path), Words()
    with heard_by(report):
        for _ in range(3):
            for ask in (
                lambda: hub.repo("model", "a", "b").refs(),
                lambda: hub.repo("model", "a", "b").listing("a" * 40),
                lambda: hub.repo("dataset", "a", "b").served("a" * 40, "README.md"),
            ):
                with pytest.raises(RemoteError, match="cannot be reached") as caught:
                    ask()
                assert not caught.value.transient and caught.value.kind == "unreachable"
    assert not report.heard
    # One question may be tried twice, and no other comes.
    assert (0 < connections(listening) <= 2) is (away == "silent")


def test_a_publisher_tries_again(closed: str, tmp_path: Path) -> None:
    report = Words()
    with heard_by(report), pytest.raises(RemoteError):
        Hubs(tmp_path, "").open(closed).repo("model", "a", "b").refs()
    assert sum("trying again" in line for line in report.heard) == 2


def test_a_hub_that_answered_once_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact, "FIRST_SECONDS", 5.0)
    server = HubServer(tmp_path, "127.0.0.1", 0, Access({}, anonymous_write=True))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    hub = hub_at(server.address, tmp_path)
    assert not hub.repo("model", "a", "b").refs().branches
    assert not contact.is_awaited(server.address)
    server.shutdown()
    server.server_close()
    close_session()
    with pytest.raises(RemoteError) as caught:
        hub.repo("model", "a", "b").refs()
    assert contact.FIRST not in caught.value.facts


@pytest.mark.parametrize("away", ["closed", "silent"])
def test_small_files_of_a_source_do_not_wait_for_a_hub_that_is_away(
    away: str,
    tmp_path: Path,
    listening: socket.socket,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before the first step: what is asked is said at once, and the hub is asked once."""
    address = request.getfixturevalue(away)
    monkeypatch.setenv("HF_ENDPOINT", address)
    report = Words()
    with heard_by(report), pytest.raises(RemoteError, match="cannot be reached") as caught:
        sourcehub.fetch_small(HubSource("tiny/model", "a" * 40), None, tmp_path, report)
    assert caught.value.kind in foresight.LATER
    assert report.heard == [f"asking {address} for the small files of tiny/model"]
    # One question may be tried twice, and no other comes.
    assert (0 < connections(listening) <= 2) is (away == "silent")


def test_the_first_answer_of_a_hub_is_waited_for_about_ten_seconds() -> None:
    assert contact.CONNECT_SECONDS + contact.FIRST_SECONDS <= 11
