"""The picture of the README: the front page of the catalog that this repository records, as a browser shows it.

    python scripts/picture.py        writes site/docs/images/front.png, and what it was made from (make picture)

It needs Chromium and the extras site and dev.
"""

from __future__ import annotations

import functools
import http.server
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from playwright.sync_api import sync_playwright

from zoo.files.whole import write_atomic
from zoo.sync import table

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SIZE = {"width": 1280, "height": 784}


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing: each file would be a line."""


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "site"
        command = [sys.executable, "-m", "zoo", "site", "build", "--quiet", "--with-files", "0"]
        subprocess.run(command, cwd=ROOT, env={**os.environ, "ZOO_SITE": str(site)}, check=True)
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(_Quiet, directory=str(site))
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page(viewport=SIZE, color_scheme="light")
            page.goto(f"http://127.0.0.1:{server.server_port}/", wait_until="networkidle")
            write_atomic((ROOT / table.PICTURE).with_suffix(".png"), page.screenshot())
            browser.close()
        server.shutdown()
    write_atomic(ROOT / table.PICTURE, table.picture(ROOT, ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
