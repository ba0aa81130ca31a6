"""The one catalog file: read, looked up, and changed under its lock."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from catalog import index, plainfiles, yanks
from catalog.problems import instead_of
from catalog.release import Model, Release
from zoo.errors import Damaged, InputError
from zoo.files.locks import locked_folder
from zoo.files.whole import sweep, write_atomic
from zoo.settings import Settings

MAX_BYTES = 512 * 1024 * 1024


def read_catalog(path: Path, shown_as: str) -> index.Catalog:
    """The catalog, empty if there is no file. Raises InputError with every problem of a broken one."""
    if not os.path.lexists(path):
        return index.EMPTY
    try:
        text = plainfiles.read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        remedy = "Name the catalog's file with --catalog, or restore it from version control"
        raise InputError(f"the catalog cannot be read: {reason}", where=shown_as, remedy=remedy) from error
    catalog, problems = index.parse(text, shown_as)
    if problems:
        lines = [str(problem) for problem in problems[:20]]
        raise InputError(
            "\n".join(["the catalog is not sound", *lines]),
            safe="It was not changed.",
            remedy="Restore it from version control",
        )
    return catalog


NOTHING_YET = "There are none yet. Make one with: zoo release NAME"


def find(catalog: index.Catalog, name: str, version: str = "") -> tuple[Model, Release]:
    """A model and one of its releases, the newest without ``version``. Raises InputError with what there is instead."""
    model = catalog.model(name)
    if model is None:
        remedy = instead_of(name, (one.name for one in catalog.models), NOTHING_YET)
        raise InputError(f"the catalog has no model {name!r}", remedy=remedy)
    release = catalog.release(name, version) if version else model.releases[0]
    if release is None:
        versions = ", ".join(one.version for one in model.releases)
        raise InputError(f"the catalog has no version {version!r} of {name}", remedy=f"There are: {versions}")
    return model, release


Step = Callable[[index.Catalog], index.Catalog]


def change(settings: Settings, step: Step) -> tuple[index.Catalog, bool]:
    """Write ``step(catalog)`` under the catalog's lock. Returns the catalog now, and whether it changed.

    Raises InputError when ``step`` raises YankRefused; the catalog is then as it was.
    """
    path = settings.catalog
    with locked_folder(path.parent):
        before = read_catalog(path, settings.shown(path))
        try:
            after = step(before)
        except yanks.YankRefused as refused:
            what, instead = refused.args
            raise InputError(what, safe="The catalog was not changed.", remedy=instead) from refused
        if after == before:
            return before, False
        sweep(path.parent, path.name)
        write_atomic(path, index.to_text(after))
        if read_catalog(path, settings.shown(path)) != after:
            raise Damaged("the catalog does not read back as it was written", where=settings.shown(path))
    return after, True
