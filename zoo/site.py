"""The static site: mkdocs in a process of its own, and a new site only when that ended well."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from catalog import index
from zoo import data
from zoo.errors import InputError, MissingExtra, ZooError
from zoo.progress import Reporter
from zoo.settings import Settings
from zoo.workspace import locked

MARKERS = ("index.html", "model_catalog.json", "sitemap.xml")
"""A folder with these is a site that was built here; only such a folder is replaced."""

_QUOTED_LINES = 30
_NO_CATALOG = 'Restore it, or begin with an empty one: {"schema": "model-catalog/1", "models": []}'


@dataclass(frozen=True)
class SiteReport:
    """The built site: pages counts HTML files, size_bytes all files."""

    folder: Path
    pages: int
    size_bytes: int
    seconds: float


def build(settings: Settings, report: Reporter, *, strict: bool = True) -> SiteReport:
    """Build the site into ``settings.site``. When anything fails, the site that was there stays as it was."""
    clock = time.monotonic()
    for module in ("mkdocs", "material"):
        if importlib.util.find_spec(module) is None:
            raise MissingExtra(f"Building the site needs {module}, which this Python does not have", "site")
    check_catalog(settings)
    target = settings.site.resolve()
    _refuse_foreign(target, settings)
    new = target.with_name(f".{target.name}.new")
    lock = target.with_name(f".{target.name}.lock")
    with locked(lock, lambda: report.say("Waiting for another build of the site")):
        _restore(target)
        shutil.rmtree(new, ignore_errors=True)
        try:
            _run_mkdocs(settings, new, strict)
            _replace(target, new)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    files = [path for path in target.rglob("*") if path.is_file()]
    pages = sum(path.suffix == ".html" for path in files)
    return SiteReport(target, pages, sum(path.stat().st_size for path in files), time.monotonic() - clock)


def serve(settings: Settings, port: int, report: Reporter) -> None:
    """Build, then serve the site on this machine only, until Ctrl-C."""
    built = build(settings, report)
    handler = functools.partial(_QuietHandler, directory=str(built.folder))
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except (OSError, OverflowError) as error:
        what = f"port {port} cannot be used: {error}"
        raise ZooError(what, safe="The site is built", remedy="Choose another port") from error
    with server:
        report.say(f"Serving http://127.0.0.1:{server.server_port}/ until Ctrl-C")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            report.say("Stopped")


def check_catalog(settings: Settings) -> index.Catalog:
    """The catalog. Raises InputError with every problem of it."""
    shown = settings.shown(settings.catalog)
    safe = "The site that was there is unchanged"
    try:
        text = settings.catalog.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        what = f"the catalog cannot be read: {reason}"
        raise InputError(what, where=shown, safe=safe, remedy=_NO_CATALOG) from error
    catalog, problems = index.parse(text, shown)
    if problems:
        raise InputError("\n".join(["the catalog is not sound:", *map(str, problems)]), safe=safe)
    return catalog


def mkdocs_file(settings: Settings) -> Path:
    """The zoo's own ``mkdocs.yml``, else the bundled one."""
    own = settings.root / "mkdocs.yml"
    return own if own.is_file() else data.mkdocs_file()


def _run_mkdocs(settings: Settings, folder: Path, strict: bool) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--clean", "--strict" if strict else "--no-strict"]
    command += ["--config-file", str(mkdocs_file(settings).resolve()), "--site-dir", str(folder)]
    done = subprocess.run(
        command,
        cwd=settings.root,
        env=_environment(settings),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        told = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("INFO")]
        quoted = "\n".join(f"  {line}" for line in told[-_QUOTED_LINES:])
        what = f"mkdocs did not build the site (exit code {done.returncode}). It said:\n{quoted}"
        safe = "The site that was there is unchanged"
        raise ZooError(what, safe=safe, remedy="Mend what mkdocs names and build again")


def _environment(settings: Settings) -> dict[str, str]:
    code = str(Path(__file__).resolve().parent.parent)
    search = [code, os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "ZOO_SITE_CATALOG": str(settings.catalog.resolve()),
        "ZOO_SITE_EVIDENCE": str(settings.evidence.resolve()),
        "PYTHONPATH": os.pathsep.join(part for part in search if part),
        "NO_MKDOCS_2_WARNING": "true",
    }


def _refuse_foreign(target: Path, settings: Settings) -> None:
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not all((target / name).is_file() for name in MARKERS):
        raise InputError(
            f"{settings.shown(target)} holds something else than a site that was built here",
            safe="Nothing was changed",
            remedy="Move it away, or name another folder in the setting `site`",
        )


def _old(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _restore(target: Path) -> None:
    """After a kill between the two renames of ``_replace``, the old site still lies beside its place."""
    old = _old(target)
    if old.is_dir() and not target.exists():
        old.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _replace(target: Path, new: Path) -> None:
    old = _old(target)
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line of log for each."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
