"""How long the front page's chooser takes to answer in Chromium, over a generated catalog of a thousand models.

Each sample is one question (boards, contexts, minimum speeds, tasks and languages in turn) answered by ``core.js`` as
the page loads it, with the line of files to choose from where there is no minimum speed. The report also has the time
to unpack the data, and the gzipped size of what the first page needs.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import statistics
import tempfile
import threading
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.catalog_growth import generate
from zoo.files import bundled
from zoo.files.digests import pretty_json
from zoo.files.whole import write_atomic
from zoo.site import pages
from zoo.site.pages import Site, offers

TARGETS = {"answer_milliseconds": 50.0, "first_page_gzip_bytes": 150_000}
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ASSETS = ("scheme.js", "copy.js", "search.js", "chooser.js")

_ASK = """async () => {
  const core = await import("/core.js");
  const text = await (await fetch("/chooser.json")).text();
  const begin = performance.now();
  const catalog = core.unpack(JSON.parse(text));
  const unpacked = performance.now() - begin;
  const samples = [];
  const words = (one) => one && one.why();
  for (const device of catalog.devices)
    for (const context of [512, 2048, 8192])
      for (const leastSpeed of [null, 5, 40])
        for (const [task, language] of [[null, null], ["chat", "en"], [null, "de"]]) {
          const start = performance.now();
          const choice = core.choose({ device, context, leastSpeed, task, language }, catalog);
          if (leastSpeed === null) core.line({ device, context, task, language }, catalog);
          choice.passed.slice(0, 8).map(words);
          choice.answer?.pick.rejected.map(words);
          samples.push(performance.now() - start);
        }
  return { unpacked, samples };
}"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def main() -> None:
    """Measure, print, and write the document if requested."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    told = measure(asked.models)
    print(pretty_json({k: v for k, v in told.items() if k != "samples"}))
    if asked.out:
        write_atomic(asked.out, pretty_json(told))


def measure(models: int) -> dict[str, Any]:
    """The document: every sample in milliseconds, sizes in bytes, and whether the targets are met."""
    catalog = generate(models)
    facts = [offers.facts(model) for model in catalog.models]
    text = offers.packed_text(facts, Site())
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "chooser.json").write_text(text, encoding="utf-8")
        (place / "index.html").write_text("<!doctype html><title>t</title><link rel=icon href=data:,>")
        shutil.copy(bundled.site_folder() / "assets" / "core.js", place)
        found = _in_browser(place)
    front = pages.render(catalog, pages.Site(), lambda *_: None)["index.html"]
    first = _gzipped(str(front)) + sum(
        _gzipped((bundled.site_folder() / "assets" / name).read_text(encoding="utf-8")) for name in ASSETS
    )
    worst = max(found["samples"])
    return {
        "schema": "benchmark/1",
        "name": "chooser",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "models": models,
        "files": sum(len(model.releases[0].files) for model in catalog.models),
        "answer_milliseconds": {
            "median": statistics.median(found["samples"]),
            "max": worst,
            "count": len(found["samples"]),
        },
        "unpack_milliseconds": found["unpacked"],
        "first_page_gzip_bytes": first,
        "chooser_json_gzip_bytes": _gzipped(text),
        "chooser_js_gzip_bytes": _gzipped((bundled.site_folder() / "assets" / "core.js").read_text(encoding="utf-8")),
        "targets": TARGETS,
        "met": worst <= TARGETS["answer_milliseconds"] and first <= TARGETS["first_page_gzip_bytes"],
        "samples": found["samples"],
    }


def _in_browser(folder: Path) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_address[1]}/")
        found: dict[str, Any] = json.loads(json.dumps(page.evaluate(_ASK)))
        browser.close()
    server.shutdown()
    return found


def _gzipped(text: str) -> int:
    return len(gzip.compress(text.encode(), 6))


if __name__ == "__main__":
    main()
