"""A site on this machine: files of a folder, with ranges, as usual web servers have them; it can cut answers short."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PIECE = 1 << 16


class Site(ThreadingHTTPServer):
    """cut: bytes after which each answer of a GGUF file ends. ranges: whether Range is understood. seen: requests.

    go: what is awaited before an answer is cut; a test can clear it.
    """

    daemon_threads = True

    def __init__(self, folder: Path, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.folder, self.cut, self.ranges = folder, 1 << 60, True
        self.go = threading.Event()
        self.go.set()
        self.seen: list[tuple[str, str | None]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        site, span = self.server, self.headers.get("Range")
        site.seen.append((self.path, span))
        path = site.folder / self.path.lstrip("/")
        if not path.is_file():
            self.send_error(404)
            return
        size, start = path.stat().st_size, 0
        found = re.match(r"bytes=(\d+)-$", span or "")
        if found and site.ranges:
            start = int(found[1])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(size - start))
        self.end_headers()
        left = site.cut if path.suffix == ".gguf" else size
        with path.open("rb") as file:
            file.seek(start)
            while left > 0 and (block := file.read(min(PIECE, left))):
                self.wfile.write(block)
                left -= len(block)
        if not left:
            site.go.wait()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(folder: Path) -> Iterator[Site]:
    """The site, while the block runs."""
    site = Site(folder)
    thread = threading.Thread(target=site.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.shutdown()
        site.server_close()
        thread.join()


if __name__ == "__main__":
    Site(Path(sys.argv[1]), int(sys.argv[2])).serve_forever()
