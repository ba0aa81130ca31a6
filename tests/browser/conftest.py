"""Pages in a real browser: Debian's Chromium, driven by Playwright, which sees this machine only.

Without Chromium or Playwright these tests are skipped with the reason; where CI is set they fail instead. Every page
that is opened here must load nothing from elsewhere, break no content security policy and write no error to the
console. Screenshots go to ``build/screenshots``. ``make pages`` runs these tests; ``make test`` runs those in GLANCE.
With ``PAGES_SLOW=6`` the pages' processor is six times slower and answers of the server come late: a test that fails
only then looks before the page is complete.
"""

from __future__ import annotations

import functools
import http.server
import importlib.util
import os
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import gallery
import needs
import pytest
from sitesamples import hostile, sample, write_evidence

from catalog import index
from catalog.index import Catalog
from zoo import settings as settings_room
from zoo import site
from zoo.progress import Silent
from zoo.site.pages import lean

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SLOW = float(os.environ.get("PAGES_SLOW", "1"))
"""How many times slower the pages' processor is. Above 1, answers also come late and in another order."""
LATE_SECONDS = 0.3
SCREENSHOTS = Path(__file__).parent.parent.parent / "build" / "screenshots"
WIDE, NARROW = 1440, 360
HEIGHTS = {WIDE: 900, NARROW: 780}
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)

GLANCE = (
    "test_browser_chooser.py::test_choose_a_board_and_read_the_answer",
    "test_browser_hub.py::test_a_person_finds_a_file",
    "test_browser_pages.py::test_hostile_text_runs_nothing",
    "test_browser_pages.py::test_page_is_readable_without_scripts[front]",
    "test_browser_pages.py::test_page_is_readable_without_scripts[model]",
    "test_browser_policy.py::test_every_document_has_a_strict_policy[ordinary]",
    "test_browser_runit.py::test_one_tab_is_open_and_arrow_keys_change_it",
    "test_browser_search.py::test_what_readers_ask_finds_the_right_page_from_every_page[]",
    "test_browser_standards.py::test_html_is_valid[ordinary]",
    "test_browser_standards.py::test_page_fits_and_axe_finds_nothing[front-360-light]",
    "test_browser_standards.py::test_page_fits_and_axe_finds_nothing[files-1440-dark]",
    "test_browser_standards.py::test_page_fits_and_axe_finds_nothing[model-360-dark]",
    "test_browser_standards.py::test_page_fits_and_axe_finds_nothing[version-360-light]",
    "test_browser_table.py::test_filter",
    "test_browser_tryit.py::test_bytes_that_are_no_model_report_it",
)
"""What ``make test`` runs too, so that a broken page is seen at once: one of each kind, together less than a minute."""

_RULES = """() => {
  const root = document.documentElement, found = [];
  if (root.scrollWidth > innerWidth) found.push(`the page is ${root.scrollWidth} px wide, the window ${innerWidth}`);
  const shown = (one) => one.checkVisibility({visibilityProperty: true, opacityProperty: true});
  const scrolls = (one) => one && (/auto|scroll/.test(getComputedStyle(one).overflowX) || scrolls(one.parentElement));
  for (const one of document.querySelectorAll("body *")) {
    if (!shown(one)) continue;
    const box = one.getBoundingClientRect();
    if (box.width && box.right > innerWidth + 1 && !scrolls(one))
      found.push(`${one.outerHTML.slice(0, 80)} ends at ${box.right} px`);
  }
  for (const one of document.querySelectorAll("button, select, input, summary, .zoo-tap")) {
    const box = one.getBoundingClientRect();
    if (shown(one) && box.width && (box.width < 24 || box.height < 24) && !one.closest("label"))
      found.push(`${one.outerHTML.slice(0, 80)} is ${box.width} x ${box.height} px, too small to tap`);
  }
  return found;
}"""


def _missing() -> str | None:
    if importlib.util.find_spec("playwright") is None:
        return "Playwright is not installed: pip install -c constraints.txt playwright"
    if not Path(CHROMIUM).is_file():
        return f"there is no Chromium at {CHROMIUM}: apt install chromium, or set CHROMIUM"
    return None


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One Chromium for the tests of a module."""
    if why := _missing():
        needs.missing(why)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, "--no-sandbox"])
        yield started
        started.close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """A plain static host. ``isolated`` adds the two headers of cross-origin isolation."""

    def __init__(self, *arguments: Any, isolated: bool = False, **named: Any) -> None:
        self._isolated = isolated
        super().__init__(*arguments, **named)

    def do_GET(self) -> None:
        """Answers, in a slow run after a while."""
        if SLOW > 1:
            time.sleep(random.uniform(0, LATE_SECONDS))
        super().do_GET()

    def end_headers(self) -> None:
        """Adds headers to every answer."""
        if self._isolated:
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def hosted() -> Iterator[Callable[..., str]]:
    """``hosted(folder)`` is the address at which a folder is served, ending in a slash."""
    servers = []

    def host(folder: Path, isolated: bool = False) -> str:
        handler = functools.partial(_Quiet, directory=str(folder), isolated=isolated)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}/"

    yield host
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def build_site(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Catalog], Path]:
    """Builds the whole site from a catalog, as `zoo site build` does; a folder."""

    def build(catalog: Catalog) -> Path:
        folder = tmp_path_factory.mktemp("zoo")
        (folder / "zoo.toml").write_text("")
        (folder / "model_catalog.json").write_text(index.to_text(catalog), encoding="utf-8")
        write_evidence(catalog, folder / "site" / "evidence")
        return site.build(settings_room.load(folder, {}, {}), Silent()).folder

    return build


@pytest.fixture(scope="session")
def samples(build_site: Callable[[Catalog], Path], hosted: Callable[..., str]) -> str:
    """The address of a site with two ordinary models and a hostile one."""
    both = (*sample().models, *hostile().models)
    return hosted(build_site(Catalog(tuple(sorted(both, key=lambda model: model.name)))))


@pytest.fixture(scope="session")
def galleries(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """``galleries("ordinary")`` or ``"hostile"``: the folder of a built site that has a page of every type. With
    ``" as written"`` after it, its pages are as the templates wrote them, before ``lean``."""

    @functools.cache
    def build(kind: str) -> Path:
        folder = tmp_path_factory.mktemp(kind.replace(" ", "-"))
        gallery.write(gallery.hostile() if kind.startswith("hostile") else gallery.catalog(), folder)
        with pytest.MonkeyPatch.context() as patch:
            if kind.endswith(" as written"):
                patch.setattr(lean, "lean", lambda html: html)
            return site.build(settings_room.load(folder, {}, {}), Silent()).folder

    return build


@pytest.fixture(scope="session")
def gallery_at(galleries: Callable[[str], Path], hosted: Callable[..., str]) -> Callable[[str], str]:
    """``gallery_at("hostile")`` is the address of that site."""
    return functools.cache(lambda kind: hosted(galleries(kind)))


class Opened:
    """Opens pages, each in a browser profile of its own, and keeps what went wrong on them."""

    def __init__(self, browser: Any) -> None:
        self._browser = browser
        self._contexts: list[Any] = []
        self.troubles: list[str] = []

    def __call__(
        self,
        url: str,
        *,
        width: int = WIDE,
        scheme: Literal["light", "dark"] = "light",
        javascript: bool = True,
        scripts: str = "",
        **options: Any,
    ) -> Any:
        """A Playwright page at ``url``; ``scripts`` run before its own. ``options`` are those of new_context."""
        context = self._browser.new_context(
            viewport={"width": width, "height": HEIGHTS.get(width, 900)},
            color_scheme=scheme,
            java_script_enabled=javascript,
            reduced_motion="reduce",
            **options,
        )
        context.set_default_timeout(15_000 * SLOW)
        self._contexts.append(context)
        page = context.new_page()
        if SLOW > 1:
            context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOW})
        origin = "/".join(url.split("/")[:3])
        if scripts:
            page.add_init_script(scripts)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.troubles.append(f"error on the page: {error}"))
        page.on("request", lambda request: self._asked(request.url, origin))
        page.on("response", self._answered)
        page.goto(url)
        return page

    def close(self) -> None:
        """Close every profile."""
        for context in self._contexts:
            context.close()

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(f"console: {message.text}")

    def _asked(self, url: str, origin: str) -> None:
        if not url.startswith((f"{origin}/", f"blob:{origin}/", "data:")):
            self.troubles.append(f"asked another host: {url}")

    def _answered(self, response: Any) -> None:
        if response.status >= 400:
            self.troubles.append(f"{response.status} for {response.url}")


@pytest.fixture
def open_page(browser: Any) -> Iterator[Opened]:
    """``open_page(url, width=360, scheme="dark", javascript=False)``; at the end nothing may have gone wrong."""
    opened = Opened(browser)
    yield opened
    opened.close()
    assert opened.troubles == []


@pytest.fixture(scope="session")
def fits() -> Callable[[Any], None]:
    """``fits(page)``: nothing is wider than the window, and what one taps measures 24 px (WCAG 2.2, 2.5.8)."""

    def check(page: Any) -> None:
        assert page.evaluate(_RULES) == []

    return check


@pytest.fixture(scope="session")
def shoot() -> Callable[[Any, str], Path]:
    """``shoot(page, name)`` keeps a picture of the whole page for people to look at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)

    def take(page: Any, name: str) -> Path:
        path = SCREENSHOTS / f"{name}.png"
        page.screenshot(path=path, full_page=True)
        return path

    return take


def pytest_itemcollected(item: pytest.Item) -> None:
    """A test of this folder belongs to ``make pages``, unless it is one for ``make test``."""
    if item.nodeid.rpartition("/")[2] not in GLANCE:
        item.add_marker("pages")


def pytest_sessionstart() -> None:
    """Old screenshots would be taken for those of this run."""
    shutil.rmtree(SCREENSHOTS, ignore_errors=True)
