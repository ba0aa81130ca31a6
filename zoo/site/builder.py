"""Builds the complete site next to the old one, and swaps the two if the build succeeds."""

from __future__ import annotations

import gc
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from catalog.shapes import shaped
from zoo import extras
from zoo.errors import AGAIN, InputError
from zoo.files import bundled
from zoo.files.digests import pretty_json
from zoo.files.locks import locked
from zoo.progress import Reporter
from zoo.settings import Settings
from zoo.site import address, carried, content, documents, drift, pages, roadmap, state, swap, tryout, wholes
from zoo.site.pages import frame, lean
from zoo.site.state import Part

OWN = ("index.html", "sitemap.xml", "sitemap.xml.gz", documents.NAVIGATION)
"""Files of mkdocs that are removed: the catalog has its own, or needs them only during the build."""

SEARCH = "search/"
SEARCHED = ("catalog.json", "search_index.json")
"""What the search loads; documents of a zoo's own may come without the second."""
LOADS = {"search.js": ("search-worker.js", "lunr.js")}
"""Asset -> assets that it loads with the version of its own address."""


@dataclass(frozen=True)
class SiteReport:
    """The built site: pages counts HTML files, size_bytes all files. address: where it will be, empty if unknown."""

    folder: Path
    address: str
    pages: int
    size_bytes: int
    seconds: float


def build(
    settings: Settings, report: Reporter, *, strict: bool = True, files_megabytes: float | None = None
) -> SiteReport:
    """Build the site into ``settings.site``. If anything fails, the old site stays unchanged.

    files_megabytes: files of a folder hub up to that size become part of the site, so that visitors can try them in the
    browser and download them; None as the setting ``site_files_mb`` says."""
    clock = time.monotonic()
    documents.require_mkdocs()
    content.read_text(settings)
    _refuse_odd_names(settings)
    target = settings.site.resolve()
    swap.refuse_foreign(target, settings)
    new, record = target.with_name(f".{target.name}.new"), target.with_name(f".{target.name}.json")
    lock = target.with_name(f".{target.name}.lock")
    with locked(lock, lambda: report.say("Waiting for another build of the site")), _seldom_collected():
        swap.restore(target, new)
        old = state.read(record)
        most_megabytes = settings.site_files_mb if files_megabytes is None else files_megabytes
        wanted = carried.wanted(settings, most_megabytes)
        parts = _parts(settings, old, new, report, strict, wanted.paths)
        parts["carried"] = carried.put(wanted, old, settings, new, report, most_megabytes)
        parts["tryout"] = tryout.build(settings, wanted.paths, old, new)
        state.remove_others(new, parts.values())
        # Without the record, a kill before it is written again only costs time.
        record.unlink(missing_ok=True)
        swap.replace(target, new)
        state.write(record, parts)
    return _report(target, parts, time.monotonic() - clock)


def _refuse_odd_names(settings: Settings) -> None:
    """mkdocs takes folder names as text. Raises InputError for one that is not UTF-8."""
    for folder in (settings.root.resolve(), settings.site.resolve(), settings.evidence.resolve()):
        try:
            str(folder).encode()
        except UnicodeEncodeError:
            shown = str(folder).encode("utf-8", "backslashreplace").decode()
            raise InputError(
                f"the name of the folder {shown} is not UTF-8, so the site cannot be built there",
                safe=content.SAFE,
                remedy="Rename the folder",
                again=AGAIN,
            ) from None


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Meanwhile Python collects cycles a hundred times less often: a build allocates much that stays and makes few
    cycles, and collecting took a fifth of its time."""
    before = gc.get_threshold()
    gc.set_threshold(100 * before[0], *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _parts(
    settings: Settings, old: Mapping[str, Part], new: Path, report: Reporter, strict: bool, files: Set[str]
) -> dict[str, Part]:
    """Make every part of the site in ``new``, or reuse it from the old site."""
    made = _documents(settings, old.get("documents"), new, report, strict)
    facts = shaped(made.fact("documents"), documents.Facts)
    shown, watched = drift.read(settings)
    site = pages.Site(
        name=facts["name"],
        address=facts["address"],
        documents=tuple(pages.Link(title, url) for title, url in facts["links"]),
        document_pages=tuple(facts["pages"]),
        assets=facts["assets"],
        drift=shown,
        carried=files,
        engine=tryout.has_engine(settings),
        program=address.program(settings, os.environ),
    )
    program = hashlib.sha256(f"{lean.PACKAGE} {extras.version(lean.PACKAGE)}\n".encode())
    for path in documents.program():
        program.update(hashlib.sha256(path.read_bytes()).digest())
    models = content.build(settings, site, program.hexdigest(), old, new, report)

    def keep(name: str, key: str) -> Part | None:
        known = old.get(name)
        return known if state.take_over(known, key, settings.site.resolve(), new) else None

    about_all = wholes.build(models, site, program.hexdigest(), keep, new)
    found = {"documents": made, "watch": drift.put(settings, watched, old, new), **models, **about_all}
    return {**found, "search": _search(settings, old.get("search"), new)}


def _documents(settings: Settings, known: Part | None, new: Path, report: Reporter, strict: bool) -> Part:
    """The documents, with the bundled assets that mkdocs did not bring."""
    key = documents.key(settings, strict)
    if known and state.take_over(known, key, settings.site.resolve(), new):
        return known
    report.say("Building the documents")
    with tempfile.TemporaryDirectory(prefix=f"{new.name}.", dir=new.parent) as name:
        made = Path(name, "documents")
        documents.build(settings, made, strict)
        told = documents.navigation(made)
        assets = _versions(made / "assets", _assets(made))
        paths = sorted(set(_paths(made)) - set(OWN))
        for path in paths:
            state.make_room(new / path)
            (made / path).rename(new / path)
            if path.endswith("/index.html"):
                page = (new / path).read_text(encoding="utf-8")
                page = roadmap.inserted(page, roadmap.rows(settings)) if path == roadmap.PAGE else page
                (new / path).write_text(lean.lean(page), encoding="utf-8")
    facts: documents.Facts = {**told, "assets": assets}
    return state.with_facts(Part(key, state.stamps(new, paths)), {"documents": facts})


def _assets(new: Path) -> list[str]:
    """Add the bundled assets, except those that the zoo has its own file for, and join the styles of catalog pages;
    returns the names of all."""
    source, folder = bundled.site_folder() / "assets", new / "assets"
    names = sorted(_paths(source))
    for name in names:
        target = folder / name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target)
    (folder / frame.JOINED).write_bytes(b"".join((folder / name).read_bytes() for name in frame.STYLES))
    return [*names, frame.JOINED]


def _versions(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Start of the digest of each asset and of those that it loads by itself."""
    return {name: _short_digest(*(folder / part for part in (name, *LOADS.get(name, ())))) for name in names}


def _paths(folder: Path) -> Iterable[str]:
    return (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _short_digest(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:8]


def _search(settings: Settings, known: Part | None, new: Path) -> Part:
    """Versions of what the search loads. Pages name only this file, which browsers revalidate: with the versions in
    them, every page would change with every model."""
    lists = [path for name in SEARCHED if (path := new / SEARCH / name).is_file()]
    text = pretty_json({path.name: _short_digest(path) for path in lists})
    if known and state.take_over(known, text, settings.site.resolve(), new):
        return known
    return Part(text, content.write_files(new, {f"{SEARCH}versions.json": text}))


def _report(target: Path, parts: Mapping[str, Part], seconds: float) -> SiteReport:
    files = {path: size for part in parts.values() for path, (size, _) in part.files.items()}
    count = sum(path.endswith(".html") for path in files)
    address = shaped(parts["documents"].fact("documents"), documents.Facts)["address"]
    return SiteReport(target, address, count, sum(files.values()), seconds)


def last_files_megabytes(settings: Settings) -> float | None:
    """How large files of a folder hub could be at the last build; None if there was none."""
    target = settings.site.resolve()
    made = state.read(target.with_name(f".{target.name}.json")).get("carried")
    return carried.most_megabytes(made) if made and target.is_dir() else None
