"""Two recipes that publish into one repository: the second would replace the first one's files and share its tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from catalog import yamltext
from catalog.problems import Problem, show

KINDS = ("model", "dataset")
"""The keys of ``publish:``."""


@dataclass(frozen=True)
class Target:
    """Where a recipe publishes: its repository names by kind. Hubs ignore the case of a name."""

    file: Path
    shown: str
    name: str
    repositories: Mapping[str, str]


def target_of(file: Path, shown: str) -> Target | None:
    """The target of a recipe, read from its text alone; None if that does not name one."""
    data = yamltext.read(file, shown).data
    publish = data.get("publish") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(publish, dict):
        return None
    return Target(file, shown, str(data.get("name")), {k: str(publish[k]) for k in KINDS if publish.get(k)})


def problems(mine: Iterable[Target], every: Iterable[Target]) -> list[Problem]:
    """A problem for each repository of ``mine`` that another recipe of ``every`` names, too."""
    owners: dict[tuple[str, str], list[Target]] = {}
    for one in every:
        for kind, repository in one.repositories.items():
            owners.setdefault((kind, repository.casefold()), []).append(one)
    found = []
    for one in mine:
        for kind, repository in one.repositories.items():
            other = next((t for t in owners.get((kind, repository.casefold()), ()) if t.name != one.name), None)
            if other:
                what = f"{show(repository)} is also the {kind} repository of {other.shown}"
                document = yamltext.read(one.file, one.shown)
                found.append(document.problem(("publish", kind), what, "Name another repository in one of them"))
    return found
