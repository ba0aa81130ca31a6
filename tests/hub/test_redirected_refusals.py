"""A hub whose address redirects to something that refuses: that is reported, and not a storage of files."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hubserving import Start

from zoo.errors import RemoteError
from zoo.hub import connect
from zoo.hub.server import Access

pytest_plugins = ["hubserving"]
pytestmark = pytest.mark.usefixtures("online")


@pytest.fixture
def elsewhere(start: Start) -> Iterator[tuple[str, str]]:
    """An address that redirects every request, and the closed hub that it leads to."""
    closed = start(Access({"a-reader-of-this-hub": "read"})).address

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(307)
            self.send_header("Location", closed + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *given: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", closed
    server.shutdown()
    server.server_close()


def test_a_redirect_that_ends_in_a_refusal_names_where_it_leads(elsewhere: tuple[str, str], tmp_path: Path) -> None:
    address, closed = elsewhere
    repo = connect(address, tmp_path).repo("model", "me", "tiny")
    for ask in (repo.refs, lambda: repo.listing("0" * 40), lambda: repo.tree("0" * 40)):
        with pytest.raises(RemoteError) as told:
            ask()
        said = str(told.value)
        assert f"{address} redirects to {closed}, which refuses the request (401)" in said and "storage" not in said
        assert "name its new address with --hub" in said and not told.value.transient
