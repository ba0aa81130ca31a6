"""The swap of a complete site: one folder replaces another, and nothing else is ever replaced."""

from __future__ import annotations

import shutil
from pathlib import Path

from zoo.errors import InputError
from zoo.settings import Settings

MARKERS = ("index.html", "catalog.json")
"""A folder with these is a site that was built here; only such a folder is replaced."""

_OLD_MARKERS = ("index.html", "model_catalog.json", "sitemap.xml")
"""The same for version 0.1."""


def refuse_foreign(target: Path, settings: Settings) -> None:
    """Raises InputError if the swap would replace anything other than a built site."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not any(all((target / name).is_file() for name in names) for names in (MARKERS, _OLD_MARKERS)):
        raise InputError(
            f"{settings.shown(target)} contains something other than a site built by this program",
            safe="Nothing was changed",
            remedy="Move it, or name another folder in the setting `site`",
        )


def _old(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def restore(target: Path, new: Path) -> None:
    """After a kill between the renames of ``replace``, put the old site back in its place."""
    old = _old(target)
    if old.is_dir() and not target.exists():
        old.rename(target)
    elif old.is_dir() and not new.exists():
        old.rename(new)
    shutil.rmtree(old, ignore_errors=True)


def replace(target: Path, new: Path) -> None:
    """Put the new site in the place of the old one. The next build starts with the old one.

    Nothing is deleted, so the next build finds nearly every folder and file in its place.
    """
    old = _old(target)
    if target.exists():
        target.rename(old)
    new.rename(target)
    if old.exists():
        old.rename(new)
