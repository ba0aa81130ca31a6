"""Measurements that other people shared, as the site shows them: read from the evidence folder, all of them sound."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from catalog import entries, reports
from catalog.problems import Problem
from catalog.reports import Measurement
from zoo.choose import reported
from zoo.errors import InputError
from zoo.settings import Settings

Shared = Mapping[str, Sequence[Measurement]]
"""Of one model: version -> its reports."""

SHOWN = 20
"""Problems that are named."""


def read(settings: Settings, texts: Mapping[str, str]) -> dict[str, dict[str, list[Measurement]]]:
    """What was shared, by model; texts: the catalog's text of each. Raises InputError with the problems of reports."""
    found: dict[str, dict[str, list[Measurement]]] = {}
    problems: list[Problem] = []
    for path in reports.paths(settings.evidence):
        shown, name, version = settings.shown(path), reports.name_of(path), reports.version_of(path)
        report = reports.read(path, shown)
        if isinstance(report, list):
            problems += report
            continue
        model = entries.model(texts[name]) if name in texts else None
        release = model.release(version) if model else None
        if release is None:
            problems.append(Problem(shown, 1, 1, "", f"the catalog has no {name} {version}", "Remove the report"))
        else:
            problems += reported.problems(report, release)
            found.setdefault(name, {}).setdefault(version, []).append(report)
    if problems:
        lines = ["measurements that were shared have problems:", *map(str, problems[:SHOWN])]
        raise InputError(
            "\n".join(lines), safe="The existing site is unchanged", remedy="Fix them, then run: zoo check"
        )
    return found


def digest(shared: Shared) -> str:
    """Changes with every byte that was shared."""
    sha = hashlib.sha256()
    for version, some in sorted(shared.items()):
        for one in some:
            sha.update(f"{version} {one.speed.evidence} {len(one.content)}\n".encode() + one.content)
    return sha.hexdigest()


def files(shared: Shared) -> dict[tuple[str, str], bytes]:
    """The reports as evidence, by (version, path)."""
    return {(version, one.speed.evidence): one.content for version, some in shared.items() for one in some}
