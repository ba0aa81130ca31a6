"""Downloads from a real server behind a proxy that breaks them: nothing wrong gets a name, nothing is fetched twice."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import waiting

huggingface_hub = pytest.importorskip("huggingface_hub")
pytest.importorskip("huggingface_hub.constants")

from faultserver import Fault, FaultServer, proxy_page, too_many  # noqa: E402 - after the skip
from pullsamples import publish  # noqa: E402 - after the skip

from zoo.errors import Damaged, RemoteError  # noqa: E402 - after the skip
from zoo.hub import FolderHub, Listed, Repo, connect  # noqa: E402 - after the skip
from zoo.hub.download import Fetched, Origin, Patience, fetch_files, files, partial, spans  # noqa: E402 - after the skip  # noqa: E402 - after the skip
from zoo.hub.download.lines import _Trickle  # noqa: E402 - after the skip
from zoo.hub.server import Access, HubServer  # noqa: E402 - after the skip
from zoo.progress import Silent  # noqa: E402 - after the skip

SIZE = 6 << 20
RAW = random.Random(7).randbytes(SIZE)
SHA = hashlib.sha256(RAW).hexdigest()
FILE = Listed("m.gguf", SIZE, SHA)
QUICK = Patience(stall_seconds=1.0, first_pause_seconds=0.01, longest_pause_seconds=0.05, most_connections=1)


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The client may use this machine, has no token, and does not wait between its tries."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)


class Setup:
    """A hub with RAW in it, its server, and the proxy before it."""

    def __init__(self, base: Path, proxy: FaultServer, commit: str) -> None:
        self.base, self.proxy, self.commit = base, proxy, commit
        self.target = base / "out"

    @property
    def repo(self) -> Repo:
        return connect(self.proxy.address, self.base).repo("model", "local", "m")

    def fetch(self, file: Listed = FILE, patience: Patience = QUICK) -> Fetched:
        (done,) = fetch_files(Origin(self.repo, self.commit, "here"), [file], self.target, Silent(), patience)
        return done

    @property
    def sent(self) -> int:
        """Bytes of contents that the proxy sent."""
        return sum(e.sent for e in self.proxy.exchanges if "/resolve/" in e.path and e.status < 300)

    def whole(self) -> bool:
        return (self.target / FILE.path).read_bytes() == RAW

    def nothing(self) -> bool:
        """No file has the final name."""
        return not (self.target / FILE.path).exists()


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Setup]:
    hub = FolderHub(tmp_path / "hub")
    commit = publish(hub.repo("model", "local", "m"), {FILE.path: RAW, "small.json": b"{}"}, tmp_path)
    server = HubServer(tmp_path / "hub", "127.0.0.1", 0, Access())
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    with FaultServer(server.address) as proxy:
        yield Setup(tmp_path, proxy, commit)
    server.shutdown()
    server.server_close()
    huggingface_hub.close_session()


# --- What arrives completely


def test_a_file_arrives_and_the_second_time_nothing_is_asked_for(here: Setup) -> None:
    done = here.fetch()
    assert here.whole() and (done.by, done.received_bytes, done.resumed_bytes) == ("download", SIZE, 0)
    assert not list((here.target / ".zoo" / "partial").glob("*"))
    here.proxy.heal()
    assert here.fetch().by == "here" and not here.proxy.exchanges


def test_a_wrong_file_of_somebody_else_is_replaced(here: Setup) -> None:
    here.target.mkdir()
    (here.target / FILE.path).write_bytes(b"x" * SIZE)
    assert here.fetch().by == "download" and here.whole()


@pytest.mark.parametrize(
    "fault",
    [
        Fault("reset", after_bytes=2_000_000), Fault("close", after_bytes=2_000_000), Fault("refuse"),
        Fault("stall", after_bytes=2_000_000), Fault("stall", after_bytes=0), Fault("answer", status=500),
        Fault("answer", status=503, headers={"Retry-After": "0"}), Fault("lost"), too_many(0),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.after_bytes}-{fault.status}",
)  # fmt: skip
def test_what_breaks_twice_is_gone_on_with(fault: Fault, here: Setup) -> None:
    here.proxy.break_(fault, path="/resolve/", times=2)
    assert here.fetch().received_bytes == SIZE and here.whole()
    if fault.kind != "reset":  # a reset throws away what was sent and not yet read
        assert here.sent <= SIZE


def test_a_trickle_is_left(here: Setup) -> None:
    here.proxy.break_(Fault("trickle", piece_bytes=10, pause_seconds=0.05), path="/resolve/")
    here.fetch()
    assert here.whole() and len(here.proxy.exchanges) == 2


def test_a_trickle_is_less_than_the_least_over_the_complete_time() -> None:
    now = [0.0]
    trickle = _Trickle(Patience(stall_seconds=30, least_bytes_per_second=1000), lambda: now[0])
    for _ in range(200):
        now[0] += 1
        trickle.add(1000)
    with pytest.raises(RemoteError, match="only"):
        for _ in range(31):
            now[0] += 1
            trickle.add(999)


# --- What is wrong gets no name


OTHER = f'"{"0" * 64}"'
WRONG: dict[str, tuple[list[Fault], str]] = {
    "corrupt": ([Fault("corrupt", after_bytes=3_000_000)], "hash_mismatch"),
    "corrupt at the first byte": ([Fault("corrupt", after_bytes=0)], "hash_mismatch"),
    "corrupt at the last byte": ([Fault("corrupt", after_bytes=SIZE - 1)], "hash_mismatch"),
    "truncated": ([Fault("truncate", after_bytes=3_000_000)], "wrong_length"),
    "cut": ([Fault("close", after_bytes=1000)], "unreachable"),
    "reset": ([Fault("reset", after_bytes=1000)], "unreachable"),
    "wrong ETag": ([Fault("headers", headers={"ETag": OTHER, "X-Linked-ETag": OTHER})], "wrong_etag"),
    "wrong length": ([Fault("headers", headers={"X-Linked-Size": str(SIZE + 1)})], "wrong_length"),
    "longer": (
        [Fault("answer", 0, 200, {"ETag": f'"{SHA}"', "X-Repo-Commit": "c"}, RAW + b"x")], "wrong_length"
    ),
    "empty": ([Fault("answer", 0, 200, {"ETag": f'"{SHA}"'}, b"")], "wrong_length"),
    "another commit": ([Fault("headers", headers={"X-Repo-Commit": "0" * 40})], "wrong_revision"),
    "a page of a proxy": ([proxy_page()], "proxy"),
    "compressed": ([Fault("headers", headers={"Content-Encoding": "gzip"})], "proxy"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_every_time_gets_no_name(case: str, here: Setup) -> None:
    faults, kind = WRONG[case]
    if case == "longer":
        faults = [Fault("answer", 0, 200, {"ETag": f'"{SHA}"', "X-Repo-Commit": here.commit[:40]}, RAW + b"x")]
    here.proxy.break_(faults[0], path="/resolve/", times=100)
    with pytest.raises(RemoteError) as caught:
        here.fetch()
    assert caught.value.kind == kind, caught.value
    assert caught.value.advice
    assert here.nothing()
    here.proxy.heal()
    here.fetch()
    assert here.whole()


def test_a_hash_mismatch_says_what_was_expected_and_what_came(here: Setup) -> None:
    here.proxy.break_(Fault("corrupt", after_bytes=5), path="/resolve/", times=100)
    with pytest.raises(RemoteError) as caught:
        here.fetch()
    facts = caught.value.facts
    assert facts["expected"] == SHA and facts["got"] != SHA and facts["removed"] is True
    assert not list((here.target / ".zoo" / "partial").glob("*.part"))


def test_bytes_that_were_wrong_once_are_fetched_by_the_other_way(here: Setup) -> None:
    here.proxy.break_(Fault("corrupt", after_bytes=3_000_000), path="/resolve/")
    assert here.fetch().by == "other way" and here.whole()


@pytest.mark.parametrize("path", ["../out", "/etc/x", "a\\b", ".."])
def test_a_path_that_leaves_the_folder(path: str, here: Setup) -> None:
    with pytest.raises(Damaged):
        here.fetch(Listed(path, SIZE, SHA))
    assert not here.proxy.exchanges


# --- What is not waited for


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (too_many(4000), "rate_limited", "in 4,000 seconds"),
        (Fault("answer", status=401), "token_missing", "HF_TOKEN"),
        (Fault("answer", status=403), "forbidden", "HF_TOKEN"),
        (Fault("answer", status=404, headers={"X-Error-Code": "RepoNotFound"}), "not_found", "Check the spelling"),
        (Fault("answer", status=404, headers={"X-Error-Code": "EntryNotFound"}), "file_not_found", "another"),
        (Fault("answer", status=404, headers={"X-Error-Code": "RevisionNotFound"}), "revision_not_found", "commit"),
        (Fault("answer", status=403, headers={"X-Error-Code": "GatedRepo"}), "gated", "in a browser"),
        (Fault("answer", status=407), "proxy", "HTTPS_PROXY"),
    ],
)  # fmt: skip
def test_what_no_other_try_would_change(fault: Fault, kind: str, words: str, here: Setup) -> None:
    here.proxy.break_(fault, path="/resolve/", times=100)
    with pytest.raises(RemoteError) as caught:
        here.fetch()
    assert caught.value.kind == kind and words in caught.value.advice
    assert len([e for e in here.proxy.exchanges if "/resolve/" in e.path]) == 1 and here.nothing()


def test_failures_without_end_are_bounded_and_what_came_is_kept(here: Setup) -> None:
    here.proxy.break_(Fault("close", after_bytes=3_000_000), path="/resolve/", times=1)
    here.proxy.break_(Fault("answer", status=502), path="/resolve/", number=2, times=1000)
    with pytest.raises(RemoteError, match="failed with 502") as caught:
        here.fetch()
    assert caught.value.kind == "server_error" and len(here.proxy.exchanges) <= QUICK.tries + 2
    here.proxy.heal()
    done = here.fetch()
    assert here.whole() and done.resumed_bytes >= 2_900_000
    assert here.sent == SIZE - done.resumed_bytes


def test_the_pause_that_the_hub_asks_for_is_kept(here: Setup) -> None:
    here.proxy.break_(too_many(1), path="/resolve/")
    began = time.monotonic()
    here.fetch()
    assert here.whole() and time.monotonic() - began >= 1


# --- The disk


def test_room_is_looked_for_first(here: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "free_bytes", lambda _: 1000)
    with pytest.raises(RemoteError) as caught:
        here.fetch()
    facts = caught.value.facts
    assert caught.value.kind == "disk_full" and facts["free_bytes"] == 1000
    assert facts["needed_bytes"] >= SIZE and facts["folder"] == str(here.target)
    assert not here.proxy.exchanges


def test_a_disk_that_fills_up_in_the_meantime(here: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.pwrite

    def full(handle: int, data: bytes, at: int) -> int:
        if at > 3_000_000:
            raise OSError(28, "No space left on device")
        return whole(handle, data, at)

    monkeypatch.setattr("zoo.hub.download.lines.os.pwrite", full)
    with pytest.raises(RemoteError) as caught:
        here.fetch()
    assert caught.value.kind == "disk_full" and here.nothing()
    monkeypatch.undo()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    assert here.fetch().resumed_bytes > 2_000_000 and here.whole()


# --- After a kill


PULLER = """
import sys
from pathlib import Path
import huggingface_hub.constants
huggingface_hub.constants.HF_HUB_OFFLINE = False
from zoo.hub.download import Origin, Patience, fetch_files
from zoo.hub import Listed, connect
from zoo.progress import Silent
address, commit, out, size, sha, most = sys.argv[1:]
repo = connect(address, Path(out)).repo("model", "local", "m")
patience = Patience(most_connections=int(most), probe_seconds=0.2, least_span_bytes=1 << 19, gain=0)
fetch_files(Origin(repo, commit, "here"), [Listed("m.gguf", int(size), sha)], Path(out), Silent(), patience)
"""


def killed_at(here: Setup, share: float, most: int) -> None:
    """A process that is killed when it has written ``share`` of the file. It gets no more until it is killed."""
    part = partial.part_path(here.target / ".zoo" / "partial", FILE)
    killed = threading.Event()

    def is_there() -> bool:
        return part.exists() and part.stat().st_blocks * 512 >= share * SIZE

    def is_noted() -> bool:
        """With several spans, what arrived is noted once for each chunk, some time after it was written."""
        noted = json.loads(part.with_suffix(".json").read_text(encoding="utf-8"))
        left = sum(end - position for _, position, end in noted["spans"])
        return not noted["sparse"] or left <= (1 - share) * SIZE + (1 << 20)

    def hold() -> None:
        if is_there():
            killed.wait()

    slow = Fault("trickle", piece_bytes=1 << 15, pause_seconds=0.015, call=hold)
    here.proxy.break_(slow, path="/resolve/", times=1000)
    process = subprocess.Popen(
        [sys.executable, "-c", PULLER, here.proxy.address, here.commit, str(here.target), str(SIZE), SHA, str(most)]
    )
    try:
        waiting.until(lambda: (is_there() and is_noted()) or process.poll() is not None)
        assert process.poll() is None, "it was over before it could be killed"
    finally:
        process.kill()
        process.wait()
        killed.set()
    here.proxy.heal()


@pytest.mark.parametrize("most", [1, 3])
def test_killed_at_four_fifths_only_the_rest_is_fetched_again(most: int, here: Setup) -> None:
    killed_at(here, 0.8, most)
    done = here.fetch()
    assert here.whole()
    # The kill may come a little late, so less than a fifth may be left; never more than that and one chunk.
    assert 0 < here.sent <= 0.2 * SIZE + (1 << 20)
    assert done.received_bytes + done.resumed_bytes == SIZE


def test_a_part_that_changed_on_disk_is_not_gone_on_with(here: Setup) -> None:
    here.proxy.break_(Fault("close", after_bytes=5_000_000), path="/resolve/", times=1)
    here.proxy.break_(Fault("answer", status=403), path="/resolve/", number=2)
    with pytest.raises(RemoteError):
        here.fetch()
    part = partial.part_path(here.target / ".zoo" / "partial", FILE)
    with part.open("r+b") as stream:
        stream.seek(100)
        stream.write(b"damage")
    here.proxy.heal()
    done = here.fetch()
    assert here.whole() and (done.resumed_bytes, done.by) == (0, "download")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', "null", '{"spans": 3}'])
def test_a_sidecar_that_is_invalid(text: str, here: Setup) -> None:
    folder = here.target / ".zoo" / "partial"
    folder.mkdir(parents=True)
    part = partial.part_path(folder, FILE)
    part.write_bytes(RAW[:1000])
    part.with_suffix(".json").write_text(text, encoding="utf-8")
    assert here.fetch().resumed_bytes == 0 and here.whole()


def test_the_sidecar_says_where_from_and_how_far(here: Setup) -> None:
    here.proxy.break_(Fault("close", after_bytes=3_000_000), path="/resolve/", times=1)
    here.proxy.break_(Fault("answer", status=403), path="/resolve/", number=2)
    with pytest.raises(RemoteError):
        here.fetch()
    part = partial.part_path(here.target / ".zoo" / "partial", FILE)
    noted = json.loads(part.with_suffix(".json").read_text(encoding="utf-8"))
    assert (noted["source"], noted["size_bytes"], noted["sha256"]) == ("here", SIZE, SHA)
    came = part.read_bytes()
    assert noted["hashed_digest"] == hashlib.sha256(came[: noted["hashed_bytes"]]).hexdigest()
    assert came == RAW[: len(came)] and part.stat().st_mode & 0o077 == 0


# --- Several connections


def test_connections_are_added_where_that_is_faster(here: Setup) -> None:
    # Each connection alone is slow, as with a hub that limits every one of them.
    slow = Fault("trickle", piece_bytes=1 << 15, pause_seconds=0.01)
    here.proxy.break_(slow, path="/resolve/", times=1000)
    patience = Patience(stall_seconds=5, probe_seconds=0.3, most_connections=4, least_span_bytes=1 << 18)
    done = here.fetch(patience=patience)
    ranges = [e.headers.get("Range") for e in here.proxy.exchanges]
    assert here.whole() and done.received_bytes == SIZE
    assert ranges[0] is None and len(ranges) > 1 and all(text for text in ranges[1:])


def test_a_server_without_ranges_gets_one_connection(here: Setup) -> None:
    slow = Fault("answer", 0, 200, {"ETag": f'"{SHA}"'}, RAW)
    here.proxy.break_(slow, path="/resolve/", times=1000)
    done = here.fetch(patience=Patience(stall_seconds=5, probe_seconds=0, most_connections=4, least_span_bytes=1 << 18))
    # A second connection may have been tried before the first answer arrived. It brings nothing, and no third follows.
    assert here.whole() and done.received_bytes == SIZE and len(here.proxy.exchanges) <= 2


def test_a_server_that_sends_the_complete_file_again(here: Setup) -> None:
    here.proxy.break_(Fault("reset", after_bytes=3_000_000), path="/resolve/")
    here.proxy.break_(Fault("answer", 0, 200, {"ETag": f'"{SHA}"'}, RAW), path="/resolve/", number=2, times=9)
    here.fetch()
    assert here.whole() and len(here.proxy.exchanges) == 2


def test_spans() -> None:
    found = spans.whole(100, 10)
    half = spans.split(found, 20)
    assert half and (half.begin, half.end, found[0].end) == (55, 100, 55)
    assert spans.sound(found, 100) and spans.frontier(found) == 10 and spans.missing(found) == 90
    assert spans.split(found, 30) is None
    half.position = 100
    assert spans.frontier(found) == 10 and spans.free(found) is found[0]
    found[0].position = 55
    assert spans.frontier(found) == 100 and spans.missing(found) == 0 and spans.free(found) is None
    assert not spans.sound([spans.Span(0, 0, 5), spans.Span(6, 6, 10)], 10)
