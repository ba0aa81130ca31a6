"""Every fault on the way to a hub: people read what happened, what is safe and how to continue, and then it
continues."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("huggingface_hub")

import huggingface_hub
from faultserver import Fault, FaultServer, proxy_page, too_many
from hubserving import LARGE, TOKEN, Start, moves, token_file
from publishsamples import NAMES, make_release, publish, refs, with_evidence

from zoo import catalogfile as records_room
from zoo import settings as settings_room
from zoo.errors import ZooError
from zoo.files import journal as journal_room
from zoo.hub import FolderHub, connect
from zoo.hub.huggingface import session
from zoo.progress import Silent
from zoo.publish import apply as publishing
from zoo.publish import record, stalls
from zoo.settings import Settings

pytest_plugins = ["hubserving"]
pytestmark = pytest.mark.usefixtures("online")
BIG = {"tutor-Q8_0.gguf": "w" * 3 * LARGE}
ALWAYS = 99


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "zoo.toml").touch()
    return settings_room.load(tmp_path, {}, {})


@pytest.fixture
def faulty(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    """A hub with tokens behind a proxy that breaks things; nobody waits long."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(session, "TIMEOUT_SECONDS", 0.4)
    monkeypatch.setattr(session, "READ_SECONDS", 0.4)
    session.tune.cache_clear()
    with FaultServer(start(token_file(tmp_path, "write")).address) as proxy:
        yield proxy
    huggingface_hub.close_session()


# what breaks, at which requests, how often, and the message (empty: users need not know)
CASES: list[tuple[Fault, str, str, int, str]] = [
    # Once: the client or we try again.
    *((Fault("answer", status=500), path, "", 1, "") for path in
      ("/refs", "/create", "/preupload", "/batch", "/commit/", "/tree/", "/tag/")),
    *((Fault("lost"), path, "", 1, "") for path in ("/create", "/batch", "/commit/", "/tree/", "/tag/", "/lfs/")),
    # An address of the storage that is refused: it may have expired, so a new one is requested.
    *((Fault("answer", status=status), "/lfs/", "PUT", times, "") for status in (403, 404) for times in (1, 2)),
    (Fault("reset", 20), "/refs", "", 1, ""),
    (Fault("cut_up", 1 << 20), "/lfs/", "PUT", 2, ""),
    (Fault("stall_up", 1 << 20), "/lfs/", "PUT", 1, ""),
    (Fault("stall", 0), "/commit/", "", 1, ""),
    (too_many(0), "/commit/", "", 1, ""),
    (too_many(0), "/lfs/", "PUT", 1, ""),
    (Fault("trickle", piece_bytes=16, pause_seconds=0.001), "/tree/", "", ALWAYS, ""),
    (Fault("headers", headers={"ETag": '"wrong"'}), "", "", ALWAYS, ""),
    (Fault("headers", headers={"Date": "Thu, 01 Jan 1970 00:00:00 GMT"}), "", "", ALWAYS, ""),
    # For ever: the error is reported.
    *((Fault("answer", status=500), path, "", ALWAYS, "failed with 500") for path in
      ("/refs", "/create", "/preupload", "/batch", "/lfs/", "/commit/", "/tree/", "/tag/")),
    *((Fault("refuse"), path, "", ALWAYS, "cannot be reached, or the connection broke") for path in
      ("/refs", "/lfs/", "/commit/", "/tag/")),
    *((Fault("stall_up"), path, "", ALWAYS, "stopped answering") for path in ("/refs", "/tree/", "/tag/")),
    (Fault("stall", 10), "/refs", "", ALWAYS, "stopped answering"),
    (Fault("close", 10), "/refs", "", ALWAYS, "cannot be reached, or the connection broke"),
    (Fault("truncate", 10), "/refs", "", ALWAYS, "Is there a proxy in between"),
    *((proxy_page(), path, "", ALWAYS, "Is there a proxy in between") for path in ("/refs", "/tree/", "/preupload")),
    (proxy_page(502), "/refs", "", ALWAYS, "failed with 502"),
    (proxy_page(), "/commit/", "", ALWAYS, "Is there a proxy in between"),
    (Fault("answer", status=401), "/refs", "", ALWAYS, "does not accept the token"),
    (Fault("answer", status=401), "/lfs/", "", ALWAYS, "does not accept the token"),
    (Fault("answer", status=403), "/create", "", ALWAYS, "does not allow changing local/"),
    (Fault("answer", status=403), "/refs", "", ALWAYS, "does not allow reading local/"),
    (Fault("answer", status=403), "/commit/", "", ALWAYS, "does not allow changing local/"),
    (Fault("answer", status=404), "/commit/", "", ALWAYS, "has no repository local/"),
    (Fault("answer", status=409), "/commit/", "", ALWAYS, "someone else changed local/"),
    (Fault("answer", status=412), "/commit/", "", ALWAYS, "someone else changed local/"),
    (Fault("answer", status=413), "/commit/", "", ALWAYS, "does not accept a file this large"),
    (Fault("answer", status=403), "/lfs/", "PUT", ALWAYS, "the storage of .* refused to take tutor-Q8_0.gguf"),
    (Fault("answer", status=507), "/lfs/", "PUT", ALWAYS, "no space left"),
    (too_many(3600), "/commit/", "", ALWAYS, "asks for fewer requests"),
    *((too_many(3600), path, "", ALWAYS, "asks for fewer requests") for path in
      ("/refs", "/tree/", "/preupload", "/lfs/")),
]  # fmt: skip


def label(case: tuple[Fault, str, str, int, str]) -> str:
    fault, path, _, times, _ = case
    status = str(fault.status) if fault.kind == "answer" else fault.kind
    return f"{status}{path.replace('/', '-')}{'-always' if times == ALWAYS else '-twice' if times == 2 else ''}"


@pytest.mark.parametrize("case", CASES, ids=label)
def test_faults(
    case: tuple[Fault, str, str, int, str],
    faulty: FaultServer,
    settings: Settings,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    fault, path, method, times, words = case
    release = make_release(tmp_path, **BIG)
    faulty.break_(fault, path=path, method=method, times=times)
    told = ""
    if words:
        with pytest.raises(ZooError, match=words) as caught:
            publish(release, settings, connect(faulty.address, tmp_path))
        told = str(caught.value)
        assert caught.value.safe and f"zoo publish {release.model.name}" in caught.value.advice
        assert "Retry-After" not in fault.headers or "in 3,600 seconds" in told
        tags = [tagged for _, tagged in refs(settings).values() if tagged]
        assert not tags or path == "/tag/"
        faulty.heal()
    assert not publish(release, settings, connect(faulty.address, tmp_path)).already or not words
    assert words or any(exchange.fault for exchange in faulty.exchanges)
    complete_and_silent(settings, tmp_path, told + caplog.text)
    assert "storage" not in told or "token" not in told.lower() + caught.value.advice.lower()
    assert "signature=" not in caplog.text  # signed addresses are open to whoever has them


def complete_and_silent(settings: Settings, folder: Path, told: str) -> None:
    """One commit and one tag per repository, every move of a reference is of the final commits, no token anywhere."""
    there = refs(settings)
    for branches, tags in there.values():
        assert list(tags) == ["v1.0.0"] and branches["main"] == tags["v1.0.0"]
    assert len(moves(folder)) == 4
    assert TOKEN not in told
    for file in folder.rglob("*"):
        if file.is_file() and file.name != "tokens":
            assert TOKEN.encode() not in file.read_bytes(), file


def test_an_upload_that_arrives_changed_is_refused(
    faulty: FaultServer, settings: Settings, tmp_path: Path
) -> None:
    release = make_release(tmp_path, **BIG)
    path = release.folder / "model" / "tutor-Q8_0.gguf"
    found = path.stat()
    raw = bytearray(path.read_bytes())
    hub = connect(faulty.address, tmp_path)
    publishing.prepare(publishing.Publication(release, NAMES, settings, hub))  # hashed, and remembered
    raw[1000] ^= 1
    path.write_bytes(raw)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))  # as a disk that flips a bit does
    with pytest.raises(ZooError, match=r"not \w+ as announced|changed since the release was made"):
        publish(release, settings, connect(faulty.address, tmp_path))
    assert not any(branches for branches, _ in refs(settings).values())


def test_a_body_that_reads_back_changed_is_refused(
    faulty: FaultServer, settings: Settings, tmp_path: Path
) -> None:
    release = make_release(tmp_path, **BIG)
    faulty.break_(Fault("corrupt", 70_000), path="Q8_0.gguf")
    with pytest.raises(ZooError, match="reads back differently from what was sent") as caught:
        publish(release, settings, connect(faulty.address, tmp_path), verify="full")
    assert "No tag was set" in caught.value.safe
    assert not any(tags for _, tags in refs(settings).values())
    faulty.heal()
    publish(release, settings, connect(faulty.address, tmp_path), verify="full")
    complete_and_silent(settings, tmp_path, str(caught.value))


def test_stalls_are_shown(
    faulty: FaultServer, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned = list[str]()

    class Hearing(Silent):
        def warn(self, text: str) -> None:
            warned.append(text)

    monkeypatch.setattr(stalls, "STALL_SECONDS", 0.1)
    faulty.break_(Fault("stall_up", 1 << 20), path="/lfs/", method="PUT")
    release, hub = make_release(tmp_path, **BIG), connect(faulty.address, tmp_path)
    publishing.apply(publishing.Publication(release, NAMES, settings, hub), Hearing())
    assert any("no progress reported for" in line and "sending tutor-Q8_0.gguf" in line for line in warned)


def test_the_token_has_odd_characters(
    faulty: FaultServer, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for token in ("se\ncret-token", "secret-töken"):
        monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(ZooError) as caught:
            publish(make_release(tmp_path), settings, connect(faulty.address, tmp_path))
        assert "cret-t" not in str(caught.value) and "zoo publish" in caught.value.advice


# --- The local disk


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_local_disk_that_is_full(
    number: int, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = make_release(tmp_path, **BIG)

    def full(_: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(journal_room.os, "fsync", full)
        with pytest.raises(ZooError) as caught:
            publish(release, settings)
    assert (
        os.strerror(number) in str(caught.value)
        and "zoo publish" in caught.value.advice
        and caught.value.safe
    )
    publish(release, settings)
    complete_and_silent(settings, tmp_path, "")


def test_a_hub_folder_that_cannot_be_written(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "build").mkdir(exist_ok=True)
    release = make_release(tmp_path)
    (tmp_path / "build" / "hub").write_text("a file, not a folder", encoding="utf-8")
    with pytest.raises(ZooError, match=r"Not a directory|File exists") as caught:
        publish(release, settings)
    assert "zoo publish" in caught.value.advice


# --- Several at the same time


def test_two_publishers_at_two_machines(start: Start, settings: Settings, tmp_path: Path) -> None:
    server, results = start(), list[Any]()
    rooms = [tmp_path / name for name in ("one", "two", "three")]
    releases = [make_release(room, **BIG) for room in rooms]

    def go(number: int) -> None:
        try:
            results.append(publish(releases[number], settings, connect(server.address, tmp_path)))
        except ZooError as error:
            results.append(error)

    threads = [threading.Thread(target=go, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not [result for result in results if isinstance(result, ZooError)], results
    assert len({result.location for result in results}) == 1
    complete_and_silent(settings, tmp_path, "")


def test_a_publisher_and_a_catalog_writer_at_the_same_time(settings: Settings, tmp_path: Path) -> None:
    old, new = (with_evidence(make_release(tmp_path, version)) for version in ("1.0.0", "1.0.1"))
    hub = FolderHub(tmp_path / "build" / "hub")
    place, failed = publish(old, settings, hub).location, list[Exception]()

    def write() -> None:
        record.record(old, place, settings)

    def go() -> None:
        publish(new, settings, hub, record=lambda there: record.record(new, there, settings))

    def guarded(act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - a thread has nobody to tell
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=(act,)) for act in (write, go, write)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    catalog = records_room.read_catalog(settings.catalog, "x")
    assert not failed and sorted(one.version for one in catalog.models[0].releases) == ["1.0.0", "1.0.1"]
