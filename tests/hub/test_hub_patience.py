"""How long a silent hub is waited for, with a clock that the test moves, and what is reported in the meantime."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import pytest

huggingface_hub = pytest.importorskip("huggingface_hub")
pytest.importorskip("huggingface_hub.constants")

from faultserver import Fault, FaultServer, too_many  # noqa: E402 - after the skip
from hubserving import TOKEN, Start, put  # noqa: E402 - after the skip

from zoo.errors import InputError, RemoteError  # noqa: E402 - after the skip
from zoo.hub import connect  # noqa: E402 - after the skip
from zoo.hub.huggingface import Door, HuggingFaceRepo, answers, client, faults, session  # noqa: E402 - after the skip
from zoo.hub.huggingface.asked import Asked  # noqa: E402 - after the skip
from zoo.progress import Silent, heard_by  # noqa: E402 - after the skip

pytest_plugins = ["hubserving"]
pytestmark = pytest.mark.usefixtures("online")


class Heard(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def warn(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds since the beginning, moved by every wait: of ours, of the client, and a stall by its whole limit."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", sleep)
    monkeypatch.setattr(client.time, "sleep", sleep)
    monkeypatch.setattr(session.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(client, "PAUSES_SECONDS", (1.0, 3.0))
    return now


@pytest.fixture
def silent_hub(clock: list[float], start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """(a repository, its head) on a hub that does not answer; every limit that passes is on the clock."""
    server = start()
    repo = connect(server.address, tmp_path).repo("model", "local", "m")
    oid = repo.commit(None, [put(repo, "a", "one", tmp_path)], [], "first")
    huggingface_hub.close_session()
    session.tune.cache_clear()
    limit = session._limit

    def expire(request: Any) -> None:
        limit(request)
        limits = request.extensions["timeout"]
        assert None not in limits.values()
        clock[0] += limits["read"]
        request.extensions["timeout"] = dict.fromkeys(limits, 0.05)

    monkeypatch.setattr(session, "_limit", expire)
    with FaultServer(server.address) as proxy:
        proxy.break_(Fault("stall_up"), path="/api/models/", times=99)
        yield connect(proxy.address, tmp_path).repo("model", "local", "m"), oid
    huggingface_hub.close_session()


@pytest.mark.parametrize("what", ["refs", "tree", "listing", "commit_of"])
def test_a_hub_that_is_silent(what: str, silent_hub: Any, clock: list[float]) -> None:
    repo, oid = silent_hub
    assert isinstance(repo, HuggingFaceRepo)
    heard, first = Heard(), list[float]()
    heard.warn = lambda text: (first.append(clock[0]), heard.lines.append(text))[0]
    began = clock[0]
    with heard_by(heard), pytest.raises(RemoteError, match="stopped answering") as caught:
        repo.refs() if what == "refs" else getattr(repo, what)(oid)
    assert caught.value.kind == "stalled" and caught.value.advice
    assert clock[0] - began <= 70
    if what in ("refs", "tree"):  # for the others the caller says it, after one try
        assert first[0] - began <= 30 and "trying again" in " ".join(heard.lines)
    else:
        assert clock[0] - began <= 30 and caught.value.transient


@pytest.mark.parametrize("path", ["/refs", "/tree/"])
def test_a_long_wait_that_is_asked_for_is_reported_and_not_slept(
    path: str, clock: list[float], start: Start, tmp_path: Path
) -> None:
    server = start()
    repo = connect(server.address, tmp_path).repo("model", "local", "m")
    oid = repo.commit(None, [put(repo, "a", "one", tmp_path)], [], "first")
    with FaultServer(server.address) as proxy:
        proxy.break_(too_many(3600), path=path, times=99)
        late = connect(proxy.address, tmp_path).repo("model", "local", "m")
        with pytest.raises(RemoteError, match="in 3,600 seconds"):
            late.refs() if path == "/refs" else late.tree(oid)
    assert clock[0] == 0


def test_what_the_client_says_is_ours_to_tell(caplog: pytest.LogCaptureFixture) -> None:
    Door("http://127.0.0.1:9", named=True).api()
    heard, logger = Heard(), logging.getLogger("huggingface_hub.utils._http")
    with heard_by(heard):
        logger.warning("Retrying PUT http://127.0.0.1:9/lfs/x?signature=abc")
    assert heard.lines == ["the Hub client: Retrying PUT http://127.0.0.1:9/lfs/x?..."] and not caplog.text
    logger.warning("Retrying http://127.0.0.1:9/lfs/x?signature=abc")
    assert "signature" not in caplog.text


def test_nothing_secret_is_repeated() -> None:
    asked = Asked("https://hub.example", "a/b", secrets=(TOKEN, "other-secret"))
    headers = {"x-error-message": f"Bearer {TOKEN} and other-secret for /lfs/1?signature=abc&x=1"}
    for error in (
        answers.answered(403, headers, asked, time.time()),
        faults.broken(OSError(headers["x-error-message"]), asked),
    ):
        told = str(error) + str(error.facts)
        assert "Bearer ... and ... for /lfs/1?..." in told
        assert TOKEN not in told and "other-secret" not in told and "abc" not in told
    assert TOKEN not in repr(asked)
    odd = faults.of(ValueError(f"Illegal header value b'Bearer {TOKEN}'"), asked, 0.0)
    assert isinstance(odd, InputError) and TOKEN not in str(odd)
