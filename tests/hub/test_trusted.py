"""Trusted publishing, end to end: a job's identity becomes a token for each repository, and nothing is stored."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

huggingface_hub = pytest.importorskip("huggingface_hub")
pytest.importorskip("huggingface_hub._oidc")

import trustedexchange  # noqa: E402 - after the skip
from publishsamples import make_release, publish, settings, zoo  # noqa: E402 - after the skip
from trustedexchange import IDENTITY, Exchange  # noqa: E402 - after the skip

from zoo import settings as settings_room  # noqa: E402 - after the skip
from zoo.errors import InputError, ZooError  # noqa: E402 - after the skip
from zoo.hub import connect  # noqa: E402 - after the skip
from zoo.hub.huggingface import trusted  # noqa: E402 - after the skip
from zoo.hub.server import Access, HubServer  # noqa: E402 - after the skip
from zoo.hub.server.access import _digest  # noqa: E402 - after the skip

__all__ = ["settings", "zoo"]

TOKENS = {
    "local/tutor-gguf": "jwt-of-the-model-0123",
    "datasets/local/tutor-prompts": "jwt-of-the-dataset-0123",
}


@pytest.fixture
def hub(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Exchange]]:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(zoo / "no-token"))
    monkeypatch.setattr(huggingface_hub.utils._auth, "_OIDC_TOKEN_CACHE", None)
    monkeypatch.setattr(trusted, "OF_THIS_JOB", trusted.Tokens())
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_OIDC_ID_TOKEN", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    access = Access({_digest(token): "write" for token in TOKENS.values()})
    server = HubServer(zoo / "build" / "hub", "127.0.0.1", 0, access)
    exchange = Exchange(server, TOKENS)
    server.answer = exchange
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", server.address)
    monkeypatch.setenv("HF_OIDC_RESOURCE", "local/tutor-gguf")
    yield server.address, exchange
    server.shutdown()
    server.server_close()
    huggingface_hub.close_session()


def in_github(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    for name, value in trustedexchange.in_github(address).items():
        monkeypatch.setenv(name, value)


def test_a_job_publishes_both_repositories_without_a_token(
    hub: tuple[str, Exchange], zoo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, exchange = hub
    in_github(monkeypatch, address)
    found = settings_room.load(zoo, {"hub": address}, {})
    done = publish(make_release(zoo), found, connect(address, zoo))
    assert done.location.dataset
    assert set(exchange.asked) == set(TOKENS) and exchange.used - {""} == set(TOKENS.values())
    everything = b"".join(
        path.read_bytes() for path in (zoo / "build" / "releases").rglob("*") if path.is_file()
    )
    assert not any(secret.encode() in everything for secret in (*TOKENS.values(), IDENTITY))


def test_an_identity_from_another_ci_is_taken_from_its_variable(
    hub: tuple[str, Exchange], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, exchange = hub
    monkeypatch.setenv("HF_OIDC_ID_TOKEN", IDENTITY)
    tokens, wanted = trusted.Tokens(), TOKENS["datasets/local/tutor-prompts"]
    for _ in range(3):
        assert tokens.token_for(address, "dataset", "local/tutor-prompts") == wanted
    assert exchange.asked == ["datasets/local/tutor-prompts"]
    assert tokens.given_out() == (wanted,)
    exchange.lifetime, others = 10, trusted.Tokens()
    assert others.given_out() == ()  # two jobs in one process share nothing
    for _ in range(2):
        others.token_for(address, "dataset", "local/tutor-prompts")
    assert len(exchange.asked) == 3  # a token that expires soon is requested again


def test_what_is_missing_is_said(hub: tuple[str, Exchange], monkeypatch: pytest.MonkeyPatch) -> None:
    address, _ = hub
    with pytest.raises(InputError, match="this job has no identity token") as refused:
        trusted.OF_THIS_JOB.token_for(address, "model", "local/tutor-gguf")
    assert "id-token: write" in refused.value.remedy
    monkeypatch.setenv("HF_OIDC_ID_TOKEN", "somebody-else")
    with pytest.raises(ZooError, match="does not accept this job's identity for local/tutor-gguf") as unknown:
        trusted.OF_THIS_JOB.token_for(address, "model", "local/tutor-gguf")
    assert "somebody-else" not in str(unknown.value) and "add a trusted publisher" in str(unknown.value)
    monkeypatch.delenv("HF_OIDC_RESOURCE")
    assert trusted.OF_THIS_JOB.token_for(address, "model", "local/tutor-gguf") is None
