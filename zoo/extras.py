"""The optional packages of this program (extras), and the only way to load them.

The table of extras is the package's own metadata, so there is no second list to maintain. A package that is missing,
broken or of an untested version is reported in one sentence with the command that fixes it. The program imports this
module at every start, so it imports little itself.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING

from zoo.errors import MissingExtra, OutOfMemory, ZooError, no_memory_behind

if TYPE_CHECKING:
    from packaging.requirements import Requirement

DISTRIBUTION = "model-zoo-publisher"
DEVELOPMENT = "dev"
"""The extra that only developers of the program need; it is not shown."""

MODULES = {
    "llama-cpp-python": "llama_cpp",
    "mkdocs-material": "material",
    "cyclonedx-python-lib": "cyclonedx",
    "pyopenssl": "OpenSSL",
    "backports-zstd": "backports",
    "phonenumberslite": "phonenumbers",
}
"""Packages whose import name differs from their own."""

ABSENT = "absent"


def load(module: str) -> ModuleType:
    """Import a module that needs optional packages, of this program or of others.

    Raises MissingExtra, with the package and the command, if a package of an extra is the one that failed; OutOfMemory
    if it found no memory.
    """
    try:
        return importlib.import_module(module)
    except Exception as error:
        explained = explain(error)
        if explained is None:
            raise
        raise explained from error


def require(purpose: str, *names: str) -> None:
    """Raises MissingExtra if a package is not installed or has a version that this program does not support.

    purpose: what needs them, as the beginning of a sentence ("Training").
    """
    absent = [name for name in names if version(name) == ABSENT]
    if absent:
        verb = "is" if len(absent) == 1 else "are"
        raise MissingExtra(
            f"{purpose} needs {_listed(absent)}, which {verb} not installed", _extra(absent[0])
        )
    for name in names:
        if words := unfit(name):
            raise MissingExtra(f"{purpose} requires another version: {words}", _extra(name))


@functools.cache
def table() -> Mapping[str, tuple[Requirement, ...]]:
    """Every extra with the packages that it brings, in the order of the metadata; empty where this program is only a
    folder on the path."""
    from importlib import metadata

    from packaging.requirements import Requirement

    try:
        told = metadata.metadata(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return {}
    requirements = [Requirement(text) for text in told.get_all("Requires-Dist") or ()]
    return {
        extra: tuple(
            # Without an extra a marker is about the machine, and the package comes with the core.
            r for r in requirements
            if r.marker and r.marker.evaluate({"extra": extra}) and not r.marker.evaluate({"extra": ""})
        )
        for extra in told.get_all("Provides-Extra") or ()
        if extra != DEVELOPMENT
    }


def extra_of(name: str) -> str | None:
    """The smallest extra that brings a package; None for one that no extra brings."""
    bringing = [extra for extra, found in table().items() if name in {r.name for r in found}]
    return min(bringing, key=lambda extra: len(table()[extra]), default=None)


def covering(names: Iterable[str]) -> list[str]:
    """The smallest set of extras that brings the packages, sorted; packages of no extra are ignored."""
    wanted = {name for name in names if extra_of(name)}
    chosen = {str(extra_of(name)) for name in wanted}
    for extra in sorted(chosen, key=lambda extra: len(table()[extra])):
        others = {r.name for other in chosen - {extra} for r in table()[other]}
        if wanted <= others:
            chosen.discard(extra)
    return sorted(chosen)


def version(name: str) -> str:
    """Installed version of a package, "absent" if it is not installed."""
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ABSENT


def libraries_bytes(names: Iterable[str]) -> int:
    """The least that loading these packages maps: the largest shared library of each that is installed, in bytes."""
    from importlib import metadata

    total = 0
    for name in names:
        try:
            files = metadata.files(name) or ()
        except metadata.PackageNotFoundError:
            continue
        total += max((file.size or 0 for file in files if ".so" in file.suffixes), default=0)
    return total


def unfit(name: str) -> str:
    """What is wrong with the installed version of a package; empty if it is absent or correct."""
    found = version(name)
    for requirement in (r for every in table().values() for r in every if r.name == name):
        if found != ABSENT and not requirement.specifier.contains(found, prereleases=True):
            return f"{name} {found} is installed, but {name}{requirement.specifier} is required"
    return ""


def command(extras: Iterable[str]) -> str:
    """The command that installs extras, and also what is missing or too old of them."""
    return f"pip install '{DISTRIBUTION}[{','.join(extras)}]'"


def explain(error: Exception) -> ZooError | None:
    """The error for an import that failed because of an optional package; None if no package is the cause.

    A package that found no memory is not broken: OutOfMemory.
    """
    name = None if isinstance(error, ZooError) else _to_blame(error)
    if name is None:
        return None
    if lacking := no_memory_behind(error):
        return OutOfMemory(f"loading {name}", detail=str(lacking).splitlines()[-1] if str(lacking) else "")
    extra, found = _extra(name), version(name)
    if found == ABSENT:
        return MissingExtra(f"{name} is not installed", extra)
    if words := unfit(name):
        return MissingExtra(words, extra)
    if isinstance(error, ModuleNotFoundError) and _package(error.name or "") != name:
        return MissingExtra(f"{name} {found} needs {error.name}, which is not installed", extra)
    said = (str(error).strip().splitlines() or [type(error).__name__])[0]
    what = f"{name} {found} is installed but does not load: {said}"
    return MissingExtra(what, extra, f"Install it again: {again(name)}")


def again(name: str) -> str:
    """The command that reinstalls a package without pip's cache, which may hold a build for another processor."""
    return f"pip install --force-reinstall --no-cache-dir --no-deps {name}=={version(name)}"


def _to_blame(error: BaseException) -> str | None:
    """The package of an extra whose import failed: the one that is missing, else the first in the traceback."""
    import traceback

    names = [error.name or ""] if isinstance(error, ImportError) else []
    names += [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    return next((found for name in names if (found := _package(name))), None)


def _package(module: str) -> str | None:
    """The package of an extra that brings a module."""
    return _packages().get(module.partition(".")[0])


@functools.cache
def _packages() -> Mapping[str, str]:
    names = {requirement.name for found in table().values() for requirement in found}
    return {MODULES.get(name, name.replace("-", "_")): name for name in names}


def _extra(name: str) -> str:
    return extra_of(name) or name


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
