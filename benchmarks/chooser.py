"""How long the front page takes to answer in Chromium, over a generated catalog of a thousand models.

Each sample is one question (devices, contexts, tasks and languages in turn) put into the form of the real page, until
its answer is laid out: by the clock, and in time of the processor that the page's main thread took, which other
programs disturb less. The cold samples are the first question of a fresh page: they load and unpack the data as well.
So are the pointed ones, but a pointer came to the form before, as a visitor's does, and the page began to load then.
The report also has the gzipped size of everything that the first answer needs.
"""

from __future__ import annotations

import argparse
import gzip
import os
import statistics
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.catalog_growth import generate
from catalog import device
from pi_runtime import system, verdict
from zoo.files import bundled
from zoo.files.digests import pretty_json
from zoo.files.whole import write_atomic
from zoo.site import pages
from zoo.site.pages import frame, lean

TARGETS = {"answer_milliseconds": 50.0, "first_answer_gzip_bytes": 150_000}
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
SCRIPTS = ("scheme.js", "search.js", "copy.js", "chooser.js", "core.js", "runit.js", "icon.svg")
COLD = 5
"""Fresh pages."""
POINTED_SECONDS = 0.5
"""From the pointer's arrival at the form to the choice, for a person who opens a list and reads it."""

_ANSWER = """async ([board, context, task, language]) => {
  const form = document.querySelector(".zoo-ask");
  const place = document.querySelector(".zoo-answer");
  const given = { board, context, task, language };
  delete place.dataset.milliseconds;
  const start = performance.now();
  for (const [name, value] of Object.entries(given)) form.elements[name].value = value;
  form.elements.board.dispatchEvent(new Event("input", { bubbles: true }));
  return new Promise((resolve) => {
    const watch = new MutationObserver(() => {
      if (!place.dataset.milliseconds) return;
      watch.disconnect();
      place.getBoundingClientRect();
      resolve(performance.now() - start);
    });
    watch.observe(place, { attributes: true });
  });
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
    made = pages.render(catalog, pages.Site(), lambda *_: None)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _write(place, made)
        found, others = _in_browser(place)
        why = verdict.busy(others)
        sizes = {name: _gzipped((place / name).read_bytes()) for name in _needed(catalog.models[0].name)}
    first = sum(sizes.values())
    worst = max(clock for clock, _ in found["warm"])
    return {
        "schema": "benchmark/1",
        "name": "chooser",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "valid": not why,
        "reasons": why,
        "conditions": {"others_cpu_share": others},
        "models": models,
        "files": sum(len(model.releases[0].files) for model in catalog.models),
        "answer_milliseconds": _summary([clock for clock, _ in found["warm"]]),
        "answer_processor_milliseconds": _summary([processor for _, processor in found["warm"]]),
        "cold_answer_milliseconds": _summary([clock for clock, _ in found["cold"]]),
        "cold_answer_processor_milliseconds": _summary([processor for _, processor in found["cold"]]),
        "pointed_answer_milliseconds": _summary([clock for clock, _ in found["pointed"]]),
        "pointed_answer_processor_milliseconds": _summary([processor for _, processor in found["pointed"]]),
        "first_answer_gzip_bytes": first,
        "gzip_bytes": sizes,
        "targets": TARGETS,
        "met": worst <= TARGETS["answer_milliseconds"] and first <= TARGETS["first_answer_gzip_bytes"],
        "samples": found,
    }


def _needed(model: str) -> list[str]:
    """What a browser loads until the first answer of its own; ``about.json`` is of the model that it shows."""
    styles = f"assets/{frame.JOINED}"
    data = ("index.html", "chooser.json", f"models/{model}/about.json")
    return [*data, styles, *(f"assets/{name}" for name in SCRIPTS)]


def _write(place: Path, made: pages.Files) -> None:
    """The front page and what it loads, as on a built site."""
    assets = bundled.site_folder() / "assets"
    (place / "assets").mkdir()
    for name in SCRIPTS:
        (place / "assets" / name).write_bytes((assets / name).read_bytes())
    styles = b"".join((assets / name).read_bytes() for name in frame.STYLES)
    (place / "assets" / frame.JOINED).write_bytes(styles)
    for path, content in made.items():
        if path in ("index.html", "chooser.json") or path.endswith("/about.json"):
            target = place / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(lean.lean(str(content)) if path == "index.html" else str(content), encoding="utf-8")


def _questions() -> list[list[str]]:
    aims = (("", ""), ("chat", "en"), ("", "de"))
    return [
        [one.id, context, *aim]
        for one in device.DEVICES
        for context in ("512", "2048", "8192")
        for aim in aims
    ]  # fmt: skip


def _in_browser(folder: Path) -> tuple[dict[str, list[list[float]]], float | None]:
    """[milliseconds by the clock, of the processor] of each question to one page, and of the first to fresh pages; and
    the share of the machine that other programs than this one and its browser took meanwhile."""
    from playwright.sync_api import sync_playwright

    questions = _questions()
    with _served(folder) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        watch = system.CpuShare(own_seconds=lambda: system.own_cpu_seconds() + tree_cpu_seconds())
        cold: list[list[float]] = []
        pointed: list[list[float]] = []
        for number in range(COLD):
            for point, samples in ((False, cold), (True, pointed)):
                context = browser.new_context()
                asked = questions[number * 7 : number * 7 + 1]
                samples += _answers(context.new_page(), address, asked, point=point)
                context.close()
        warm = _answers(browser.new_page(), address, [questions[0], *questions])[1:]
        others = watch.others()
        browser.close()
    return {"warm": warm, "cold": cold, "pointed": pointed}, others


def tree_cpu_seconds() -> float:
    """CPU seconds of all living processes below this one, as those of a browser, and of those that they waited for."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        # proc_pid_stat(5): after the name come the state (3), the parent (4), and utime to cstime (14 to 17).
        parents[int(path.parent.name)] = int(fields[1])
        ticks[int(path.parent.name)] = sum(map(int, fields[11:15]))
    below, found = {os.getpid()}, 0
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        found += sum(ticks[pid] for pid in more)
        below |= more
    return found / os.sysconf("SC_CLK_TCK")


def _answers(
    page: Any, address: str, questions: Sequence[Sequence[str]], *, point: bool = False
) -> list[list[float]]:
    page.goto(address, wait_until="networkidle")
    if point:
        page.hover(".zoo-ask select")
        page.wait_for_timeout(1000 * POINTED_SECONDS)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    found = []
    for question in questions:
        before = _thread_milliseconds(session)
        clock = page.evaluate(_ANSWER, question)
        found.append([clock, _thread_milliseconds(session) - before])
    return found


def _thread_milliseconds(session: Any) -> float:
    """The processor's time of all tasks of the page's main thread so far."""
    told = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return 1000 * float(told["TaskDuration"])


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()


def _summary(some: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(some), "max": max(some), "count": len(some)}


def _gzipped(content: bytes) -> int:
    return len(gzip.compress(content, 6))


if __name__ == "__main__":
    main()
