"""zoo pull over HTTP, from a real server behind a proxy that breaks what it sends."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import waiting

huggingface_hub = pytest.importorskip("huggingface_hub")
pytest.importorskip("huggingface_hub.constants")

from faultserver import Fault, FaultServer, proxy_page, too_many  # noqa: E402 - after the skip
from pullsamples import LARGE, NAME, REPOSITORY, Zoo, make_zoo  # noqa: E402 - after the skip
from tinyzoo import environment  # noqa: E402 - after the skip

from zoo.__main__ import main  # noqa: E402 - after the skip
from zoo.files.digests import git_blob_sha1  # noqa: E402 - after the skip
from zoo.files.listing import FileRecord  # noqa: E402 - after the skip
from zoo.hub.download import Patience  # noqa: E402 - after the skip
from zoo.hub.server import Access, HubServer, views  # noqa: E402 - after the skip

TARGET = f"{NAME}-1.0.0"
Pull = Callable[..., tuple[int, dict[str, object]]]


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zoo:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    pause = Patience.pause
    monkeypatch.setattr(Patience, "pause", lambda *words: min(pause(*words), 0.01))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    made = make_zoo(tmp_path / "zoo")
    monkeypatch.chdir(made.folder)
    return made


@pytest.fixture
def proxy(zoo: Zoo) -> Iterator[FaultServer]:
    server = HubServer(zoo.hub.folder, "127.0.0.1", 0, Access())
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    with FaultServer(server.address) as before:
        yield before
    server.shutdown()
    server.server_close()
    huggingface_hub.close_session()


@pytest.fixture
def pull(proxy: FaultServer, capsys: pytest.CaptureFixture[str]) -> Pull:
    def run(*more: str) -> tuple[int, dict[str, object]]:
        code = main(["pull", f"{NAME}:Q8_0", "--hub", proxy.address, "--json", "--quiet", *more])
        return code, json.loads(capsys.readouterr().out)

    return run


def whole(zoo: Zoo) -> bool:
    folder = zoo.folder / TARGET
    names = (zoo.large, "MANIFEST.json", "SHA256SUMS", "README.md", "recipe.yaml")
    return all((folder / name).read_bytes() == zoo.contents[name] for name in names)


@pytest.mark.parametrize("with_sha256", [True, False])
def test_over_http(
    with_sha256: bool, zoo: Zoo, proxy: FaultServer, pull: Pull, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not with_sha256:
        all_told = views.entry

        def entry(file: FileRecord) -> dict[str, object]:
            """As the Hub's tree: git's digest of small files and no sha256."""
            if file.size_bytes == LARGE:
                return all_told(file)
            raw = zoo.contents[file.path]
            return {"type": "file", "oid": git_blob_sha1(raw), "size": len(raw), "path": file.path}

        monkeypatch.setattr(views, "entry", entry)
    code, answer = pull()
    assert code == 0 and whole(zoo), answer
    assert answer["hub"] == proxy.address and answer["commit"] == zoo.commit
    # The tree, two accounts, and the five files.
    assert len(proxy.exchanges) == 8


WRONG = {
    "corrupt": (Fault("corrupt", after_bytes=100), "hash_mismatch"),
    "truncated": (Fault("truncate", after_bytes=5), "wrong_length"),
    "wrong ETag": (
        Fault("headers", headers={"ETag": f'"{"0" * 64}"', "X-Linked-ETag": f'"{"0" * 64}"'}),
        "wrong_etag",
    ),
    "wrong length": (Fault("headers", headers={"X-Linked-Size": "7"}), "wrong_length"),
    "a page of a proxy": (proxy_page(), "proxy"),
    "too many": (too_many(900), "rate_limited"),
    "500": (Fault("answer", status=500), "server_error"),
    "reset": (Fault("reset", after_bytes=2), "unreachable"),
    "not allowed": (Fault("answer", status=403), "forbidden"),
}


@pytest.mark.parametrize("path", ["model-Q8_0.gguf", "MANIFEST.json", "SHA256SUMS"])
@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_refused_and_the_command_again_does_it(
    case: str, path: str, zoo: Zoo, proxy: FaultServer, pull: Pull
) -> None:
    fault, kind = WRONG[case]
    proxy.break_(fault, path=f"/{path}", times=1000)
    code, answer = pull()
    assert (code, answer["kind"]) == (1, kind) and answer["remedy"]
    assert not (zoo.folder / TARGET / zoo.large).exists()
    proxy.heal()
    assert pull()[0] == 0 and whole(zoo)


def test_a_pull_that_was_killed_continues(zoo: Zoo, proxy: FaultServer, pull: Pull) -> None:
    parts, killed = zoo.folder / TARGET / ".zoo" / "partial", threading.Event()

    def is_there() -> bool:
        with contextlib.suppress(FileNotFoundError):
            return any(part.stat().st_size >= 0.8 * LARGE for part in parts.glob("*.part"))
        return False

    def hold() -> None:
        if is_there():
            killed.wait()

    slow = Fault("trickle", piece_bytes=1 << 15, pause_seconds=0.02, call=hold)
    proxy.break_(slow, path=f"/{zoo.large}", times=100)
    command = [sys.executable, "-m", "zoo", "pull", f"{NAME}:Q8_0", "--hub", proxy.address]
    process = subprocess.Popen(
        command, cwd=zoo.folder, env=environment(HF_HUB_OFFLINE="0", HF_HOME=str(zoo.folder / "home")),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        waiting.until(lambda: is_there() or process.poll() is not None)
        assert process.poll() is None, process.communicate()[1]
    finally:
        process.kill()
        process.communicate()
        killed.set()
    proxy.heal()
    assert not (zoo.folder / TARGET / zoo.large).exists()
    assert pull()[0] == 0 and whole(zoo)
    (again,) = [
        e for e in proxy.exchanges if e.path.endswith(f"{REPOSITORY}/resolve/{zoo.commit}/{zoo.large}")
    ]
    assert 0 < again.sent <= 0.2 * LARGE + (1 << 20)


# --- Looking at the hub: a difference is only what was compared


UNCHECKED = {
    "reset": Fault("reset", after_bytes=2), "500": Fault("answer", status=500), "too many": too_many(900),
    "not allowed": Fault("answer", status=403), "a page of a proxy": proxy_page(),
}  # fmt: skip


def verify(proxy: FaultServer, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, object], str]:
    words = ["verify", NAME, "--on-hub", "--full", "--hub", proxy.address]
    code = main([*words, "--json", "--quiet"])
    answer = json.loads(capsys.readouterr().out)
    main([*words, "--quiet"])
    return code, answer, capsys.readouterr().out


@pytest.mark.parametrize("path", ["tree", "model-Q8_0.gguf", "MANIFEST.json"])
@pytest.mark.parametrize("case", UNCHECKED)
def test_a_hub_that_cannot_be_asked_serves_nothing_else(
    case: str, path: str, zoo: Zoo, proxy: FaultServer, capsys: pytest.CaptureFixture[str]
) -> None:
    del zoo
    proxy.break_(UNCHECKED[case], path=path, times=1000)
    code, answer, said = verify(proxy, capsys)
    assert (code, answer["differences"], answer["unchecked"]) == (1, 0, 1), answer
    assert "could not be checked: " in said and "difference" not in said
    proxy.heal()
    assert verify(proxy, capsys)[0] == 0


def test_a_difference_counts_more_than_what_could_not_be_asked(
    zoo: Zoo, proxy: FaultServer, capsys: pytest.CaptureFixture[str]
) -> None:
    proxy.break_(Fault("corrupt", after_bytes=100), path=f"/{zoo.large}", times=1000)
    proxy.break_(Fault("answer", status=500), path="/README.md", times=1000)
    code, answer, said = verify(proxy, capsys)
    assert (code, answer["differences"], answer["unchecked"]) == (3, 1, 1), answer
    assert "the hub serves other bytes" in said and "README.md could not be checked" in said


@pytest.mark.parametrize("status", [403, 404])
def test_storage_that_refuses_its_address(status: int, zoo: Zoo, proxy: FaultServer, pull: Pull) -> None:
    """A hub sends its clients to a storage with addresses that expire; neither token nor repository is wrong then."""
    with FaultServer(f"http://127.0.0.1:{proxy.upstream[1]}") as storage:
        away = {"Location": f"{storage.address}/local/{REPOSITORY}/resolve/{zoo.commit}/{zoo.large}"}
        proxy.break_(Fault("answer", status=302, headers=away), path=f"/{zoo.large}", times=99)
        storage.break_(Fault("answer", status=status), times=99)
        code, said = pull()
        assert code == 1 and len(storage.exchanges) == 3  # a new address was requested twice
        error = str(said)
        assert f"the storage of {proxy.address}" in error and "token" not in error.lower(), said
        assert "has no repository" not in error
        storage.heal()
        storage.break_(Fault("answer", status=status), times=1)
        code, said = pull()
        assert code == 0 and whole(zoo), said
