"""The roadmap as the repository has it: which recipes are released, what is not yet, and where measurements lack."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from catalog import device as devices_room
from catalog import reports, yamltext
from catalog.index import Catalog
from catalog.words import counted
from zoo import catalogfile
from zoo.sync.derived import Disagrees

PLACEHOLDER = "@OWNER/maintainers"
"""In place of the maintainers, until the owner of a clone names them."""
_CATALOG, _EVIDENCE = "model_catalog.json", "site/evidence"
_UNRELEASED = re.compile(r"^## (\S+) - unreleased$", re.MULTILINE)


def roadmap(root: Path) -> str:
    """The table of what is done and what comes next."""
    catalog = catalogfile.read_catalog(root / _CATALOG, _CATALOG)
    rows = [*_recipes(root, catalog), *_packages(root), _measurements(root, catalog)]
    return "\n".join(["| What | State | Next |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)])


def owners(root: Path, now: str) -> str:
    """CODEOWNERS with the maintainers of ``pyproject.toml`` in every line."""
    data = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    names = data.get("tool", {}).get("zoo", {}).get("people", {}).get("maintainers", [])
    if not names or not all(isinstance(name, str) and re.fullmatch(r"@[\w.-]+(/[\w.-]+)?", name) for name in names):
        raise Disagrees(
            "[tool.zoo.people] has no valid maintainers",
            where="pyproject.toml",
            remedy='Write accounts or teams: maintainers = ["@my-organisation/my-team"]',
        )
    lines = [
        line if not line or line.startswith("#") else " ".join([line.split()[0], *names])
        for line in now.splitlines()
    ]
    return "\n".join(lines) + "\n"


def _recipes(root: Path, catalog: Catalog) -> Iterator[tuple[str, str, str]]:
    for path in sorted((root / "recipes").glob("*.yaml")):
        if path.name.endswith(".lock.yaml"):
            continue
        data = yamltext.read(path, path.name).data
        if not isinstance(data, dict):
            raise Disagrees("the recipe cannot be read", where=f"recipes/{path.name}", remedy="zoo check")
        wanted = str(data.get("version"))
        model = catalog.model(path.stem)
        newest = model.releases[0] if model and model.releases else None
        if newest is None:
            state, then = "a recipe", f"`zoo release {path.stem}`"
        elif newest.version != wanted:
            state, then = f"{newest.version} of {newest.date}", f"{wanted}: `zoo release {path.stem}`"
        else:
            state, then = f"{newest.version} of {newest.date}", "nothing planned"
        yield f"`{path.stem}`", state, then


def _packages(root: Path) -> Iterator[tuple[str, str, str]]:
    found = _UNRELEASED.search((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    if found:
        yield "the program", f"{found[1]} is not released", f"the changes under {found[1]} in CHANGELOG.md"
    else:
        yield "the program", "every change is released", "nothing planned"


def _measurements(root: Path, catalog: Catalog) -> tuple[str, str, str]:
    shared = len(list(reports.paths(root / _EVIDENCE)))
    total = len(devices_room.DEVICES)
    state = f"{counted(shared, 'shared measurement')} of {counted(len(catalog.models), 'model')}"
    return "measurements on boards", state, f"`pi-zoo bench NAME --share` on any of {total} known devices"
