"""The built site over HTTP, for this machine only."""

from __future__ import annotations

import functools
import http.server
from contextlib import AbstractContextManager

from zoo.errors import ZooError
from zoo.progress import Reporter
from zoo.settings import Settings
from zoo.site.builder import build, last_files_megabytes


def serve(settings: Settings, port: int, report: Reporter, waiting: AbstractContextManager[None]) -> None:
    """Build, which is quick if nothing changed, then serve the site on this machine only, until Ctrl-C.

    waiting: open while it only waits for readers. A site that was built with files of the hub keeps them."""
    built = build(settings, report, files_megabytes=last_files_megabytes(settings))
    handler = functools.partial(_QuietHandler, directory=str(built.folder))
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except (OSError, OverflowError) as error:
        what = f"port {port} cannot be used: {getattr(error, 'strerror', None) or error}"
        raise ZooError(what, safe="The site is built", remedy="Choose another one with --port") from error
    with server:
        report.say(f"Serving http://127.0.0.1:{server.server_port}/ until Ctrl-C")
        try:
            with waiting:
                server.serve_forever()
        except KeyboardInterrupt:
            report.say("Stopped")


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line of log for each."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
