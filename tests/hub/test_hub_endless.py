"""A hub that does not stop: pages, bytes and time have an end, and a slow connection that brings bytes has not."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("huggingface_hub")
import huggingface_hub
import huggingface_hub.constants

from zoo.errors import RemoteError, ZooError
from zoo.hub import Listed, connect
from zoo.hub.download import Origin, Patience, fetch_files
from zoo.hub.huggingface import HuggingFaceRepo, limits
from zoo.progress import Silent

COMMIT = "c" * 40
RAW = b"The right content of a file.\n" * 40
FILE = Listed("a.bin", len(RAW), hashlib.sha256(RAW).hexdigest())
ENTRY = {"type": "file", "path": "a.bin", "size": len(RAW), "oid": "1" * 40,
         "lfs": {"oid": FILE.sha256, "size": len(RAW), "pointerSize": 1}}  # fmt: skip

Answer = Callable[["Liar", str, Callable[[bytes], Any]], None]


class Liar(http.server.ThreadingHTTPServer):
    """Gives every GET to ``answer``, which writes what it likes, head included."""

    daemon_threads = True

    def __init__(self, answer: Answer) -> None:
        liar, self.over, self.pages = self, threading.Event(), 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                liar.pages += 1
                self.close_connection = True
                with contextlib.suppress(OSError):
                    answer(liar, self.path, self.wfile.write)

            def do_HEAD(self) -> None:
                self.close_connection = True
                self.wfile.write(head(b"", length=len(RAW), etag=f'"{FILE.sha256}"', commit=COMMIT))

            def log_message(self, *words: Any) -> None:
                del words

        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def repo(self) -> HuggingFaceRepo:
        found = connect(self.address, Path()).repo("model", "a", "b")
        assert isinstance(found, HuggingFaceRepo)
        return found


@pytest.fixture
def lying(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answer], Liar]]:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    made: list[Liar] = []

    def start(answer: Answer) -> Liar:
        made.append(Liar(answer))
        return made[-1]

    yield start
    for one in made:
        one.over.set()
        one.shutdown()
        one.server_close()
    huggingface_hub.close_session()


def head(more: bytes = b"", *, length: int | None = None, etag: str = "", commit: str = "") -> bytes:
    lines = [b"HTTP/1.1 200 OK", b"Content-Type: application/json", b"Connection: close", *([more] if more else [])]
    lines += [b"Content-Length: %d" % length] if length is not None else []
    lines += [b"ETag: " + etag.encode()] if etag else []
    lines += [b"X-Repo-Commit: " + commit.encode()] if commit else []
    return b"\r\n".join(lines) + b"\r\n\r\n"


def next_page(liar: Liar) -> bytes:
    return f'Link: <{liar.address}/api/models/a/b/tree/{COMMIT}?cursor={liar.pages}>; rel="next"'.encode()


def listed(repo: HuggingFaceRepo) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        repo.listing(COMMIT)
    return caught.value


@pytest.mark.parametrize("entries", [[], [ENTRY]], ids=["empty", "full"])
def test_a_list_of_endless_pages(
    entries: list[Any], lying: Callable[[Answer], Liar], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MOST_PAGES", 20)
    liar = lying(lambda liar, _, write: write(head(next_page(liar)) + json.dumps(entries).encode()))
    error = listed(liar.repo)
    assert (error.kind, error.transient) == ("endless", False) and "more than 20 pages" in error.what
    assert liar.pages == 20


def test_a_list_whose_pages_never_bring_anything(
    lying: Callable[[Answer], Liar], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tenth of a second each, on a clock of the test's own."""
    monkeypatch.setattr(limits, "GRACE_SECONDS", 0.5)
    liar = lying(lambda liar, _, write: write(head(next_page(liar)) + b"[]"))
    monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=lambda: 0.1 * liar.pages))
    assert "bytes arrived" in listed(liar.repo).what
    assert 3 <= liar.pages < 10


def endless(liar: Liar, _: str, write: Callable[[bytes], Any]) -> None:
    write(head())
    while not liar.over.is_set():
        write(b" " * 65536)


@pytest.mark.parametrize("ask", ["listing", "tree", "refs", "commit_of", "history"])
def test_an_answer_that_does_not_end(
    ask: str, lying: Callable[[Answer], Liar], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MOST_ANSWER_BYTES", 1 << 20)
    repo = lying(endless).repo
    calls: dict[str, Callable[[], object]] = {
        "listing": lambda: repo.listing(COMMIT), "tree": lambda: repo.tree(COMMIT), "refs": repo.refs,
        "commit_of": lambda: repo.commit_of(None), "history": lambda: repo.history(COMMIT, None),
    }  # fmt: skip
    with pytest.raises(RemoteError, match="more than 1 MiB for one answer") as caught:
        calls[ask]()
    assert caught.value.kind == "endless" and repo.door.address in caught.value.what


@pytest.mark.parametrize("ask", ["listing", "refs", "commit_of", "access"])
def test_an_answer_that_is_nested_too_deeply(ask: str, lying: Callable[[Answer], Liar]) -> None:
    deep = b"[" * 200_000 + b"]" * 200_000
    repo = lying(lambda _, __, write: write(head(length=len(deep)) + deep)).repo
    calls: dict[str, Callable[[], object]] = {
        "listing": lambda: repo.listing(COMMIT), "refs": repo.refs, "commit_of": lambda: repo.commit_of(None),
        "access": repo.access,
    }  # fmt: skip
    with pytest.raises(RemoteError) as caught:
        calls[ask]()
    assert "is not valid: it is nested too deeply" in str(caught.value) and "resumes" not in str(caught.value)
    assert (caught.value.kind, caught.value.transient) == ("malformed", False)


@pytest.mark.parametrize("where", ["head", "body"])
def test_an_answer_that_drips(where: str, lying: Callable[[Answer], Liar], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GRACE_SECONDS", 0.5)

    def answer(liar: Liar, _: str, write: Callable[[bytes], Any]) -> None:
        write(head() if where == "body" else b"HTTP/1.1 200 OK\r\nX-Long: ")
        while not liar.over.wait(0.02):
            write(b" ")

    began = time.monotonic()
    error = listed(lying(answer).repo)
    assert error.kind == "stalled" and "bytes arrived" in error.what
    assert time.monotonic() - began < 60


def test_a_slow_connection_that_brings_bytes_is_waited_for(
    lying: Callable[[Answer], Liar], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than the grace, with enough bytes in each piece for any pause of a busy machine."""
    monkeypatch.setattr(limits, "GRACE_SECONDS", 1.0)
    body = json.dumps([ENTRY]).encode() + b" " * 300_000

    def answer(liar: Liar, _: str, write: Callable[[bytes], Any]) -> None:
        write(head(length=len(body)))
        for at in range(0, len(body), 20_000):
            write(body[at : at + 20_000])
            liar.over.wait(0.1)

    began = time.monotonic()
    assert lying(answer).repo.listing(COMMIT).keys() == {"a.bin"}
    assert time.monotonic() - began > 1


def test_a_compressed_answer_is_refused(lying: Callable[[Answer], Liar]) -> None:
    packed = gzip.compress(b" " * (64 << 20))
    liar = lying(lambda _, __, write: write(head(b"Content-Encoding: gzip", length=len(packed)) + packed))
    assert "compressed answer" in listed(liar.repo).what


# --- The content of a file


def test_a_file_that_does_not_end(lying: Callable[[Answer], Liar], tmp_path: Path) -> None:
    """Neither way to fetch it writes more than the catalog and the list have."""

    def answer(liar: Liar, _: str, write: Callable[[bytes], Any]) -> None:
        write(head(etag=f'"{FILE.sha256}"', commit=COMMIT))
        while not liar.over.is_set():
            write(b"x" * 65536)

    repo = lying(answer).repo
    with pytest.raises(ZooError):
        fetch_files(Origin(repo, COMMIT, "a/b"), [FILE], tmp_path, Silent(), Patience(tries=2))
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size > 2 * len(RAW)]
    scratch = tmp_path / "other"
    scratch.mkdir()
    with pytest.raises(RemoteError, match="more than the"):
        repo.other_way(COMMIT, FILE, scratch)
    assert sum(path.stat().st_size for path in scratch.rglob("*") if path.is_file()) <= limits.SMALL_BYTES + 65536
    with pytest.raises(RemoteError, match="more than the"):
        for _ in repo.incoming(COMMIT, FILE, 0, FILE.size_bytes, 5.0).chunks:
            pass


def test_a_small_file_that_does_not_end(lying: Callable[[Answer], Liar]) -> None:
    """Files in the list without a sha256 are read to hash them, by publishing and watching."""

    def answer(liar: Liar, path: str, write: Callable[[bytes], Any]) -> None:
        if "/tree/" in path:
            write(head() + json.dumps([{k: v for k, v in ENTRY.items() if k != "lfs"}]).encode())
        else:
            endless(liar, path, write)

    with pytest.raises(ZooError, match="more bytes of a file than it lists"):
        lying(answer).repo.tree(COMMIT)
