"""The documents: mkdocs in its own process, and the digest that decides whether it must run."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

from catalog import jsontext
from catalog.shapes import shaped
from zoo import extras, stopping
from zoo.errors import ZooError
from zoo.files import bundled
from zoo.machine import endings
from zoo.settings import Settings
from zoo.site import address, roadmap
from zoo.site.pages import lean

NAVIGATION = "navigation.json"
"""Written into the built documents by ``site/hooks.py``: what catalog pages have to know of them."""

CODE = Path(__file__).resolve().parent.parent.parent
"""The folder that holds the packages ``zoo`` and ``catalog``."""

PROGRAM = "mkdocs"
"""The package that builds the documents, as a module that runs. ``properdocs`` builds the same from the same files: to
change over is this line and the package's name in pyproject.toml. ``site/hooks.py`` is the only file that imports it.
"""

TOOLS = (PROGRAM, "mkdocs-material", lean.PACKAGE)
_QUOTED_LINES = 30
_SECRETS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


def mkdocs_file(settings: Settings) -> Path:
    """The zoo's own ``mkdocs.yml``, else the bundled one."""
    own = settings.root / "mkdocs.yml"
    return own if own.is_file() else bundled.mkdocs_file()


def require_mkdocs() -> None:
    """Raises MissingExtra if this Python cannot build the documents or draw the charts."""
    extras.require("Building the site", *TOOLS, "segno")


def key(settings: Settings, strict: bool) -> str:
    """Digest of everything that the documents are made from: sources, program, tools, environment."""
    config = mkdocs_file(settings).resolve()
    sha = hashlib.sha256(f"documents strict={strict}".encode())
    for tool in TOOLS:
        sha.update(f"{tool} {extras.version(tool)}\n".encode())
    sha.update(f"address {address.published(settings, os.environ)}\n".encode())
    sha.update(f"roadmap {roadmap.rows(settings)}\n".encode())
    for path in (config, *_files(config.parent / "site", "evidence"), *program()):
        sha.update(f"{path}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return sha.hexdigest()


def program() -> Iterator[Path]:
    """The files of the program that pages depend on: code, schemas, templates and assets."""
    yield from _files(CODE / "zoo")
    yield from _files(CODE / "catalog")
    yield from _files(bundled.site_folder() / "templates")
    yield from _files(bundled.site_folder() / "assets")
    yield from _files(bundled.site_folder() / "theme")


def _files(folder: Path, but: str = "__pycache__") -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in (but, "__pycache__"))
        yield from (Path(place, name) for name in sorted(names))


def build(settings: Settings, folder: Path, strict: bool) -> None:
    """Run mkdocs into ``folder``. Raises ZooError with its words."""
    command = [sys.executable, "-P", "-m", PROGRAM, "build", "--clean", "--strict" if strict else "--no-strict"]
    command += ["--config-file", str(mkdocs_file(settings).resolve()), "--site-dir", str(folder)]
    done = subprocess.run(
        stopping.bound(command),
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
        if ended := endings.fault(PROGRAM, done.returncode, told[-1] if told else ""):
            raise ended
        what = f"{PROGRAM} failed to build the site (exit code {done.returncode}). Its output:\n{quoted}"
        safe = "The existing site is unchanged"
        raise ZooError(what, safe=safe, remedy="Fix the problems that it names and build again")


class Navigation(TypedDict):
    """Name and address of the site, the links of the navigation (title, address), the paths of all pages."""

    name: str
    address: str
    links: list[tuple[str, str]]
    pages: list[str]


class Facts(Navigation):
    """What the catalog's pages need of the documents. assets: path below ``assets/`` -> start of its digest."""

    assets: dict[str, str]


def navigation(folder: Path) -> Navigation:
    """What the hook wrote of the documents: name and address of the site, links of the navigation, pages."""
    try:
        return shaped(jsontext.read(folder / NAVIGATION), Navigation)
    except (OSError, ValueError) as error:
        what = f"mkdocs built the documents without {NAVIGATION}, which site/hooks.py writes"
        remedy = "Copy site/hooks.py, site/theme and mkdocs.yml of this version into your zoo; zoo init makes them"
        raise ZooError(what, safe="The existing site is unchanged", remedy=remedy) from error


def _environment(settings: Settings) -> dict[str, str]:
    search = [str(CODE), os.environ.get("PYTHONPATH", "")]
    # The hooks of a zoo's own mkdocs.yml are its own code, which needs no token.
    kept = {key: value for key, value in os.environ.items() if key not in _SECRETS}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(part for part in search if part),
        "NO_MKDOCS_2_WARNING": "true",
        "ZOO_SITE_URL": address.published(settings, os.environ),
    }
