"""The report of ``zoo watch``: what the hub serves, compared with what the catalog records. Pure; the date comes from
the caller."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from catalog import jsontext, schema
from catalog.problems import Problem
from catalog.recipe import build, plain
from catalog.release import LATER
from catalog.words import counted
from catalog.yamltext import Document

SCHEMA = "watch/1"

FILE = "watch.json"
"""The report's name in the evidence folder."""


@dataclass(frozen=True)
class Finding:
    """One difference. revision is a commit, a tag or ``main``; expected and found are digests, commits or words.

    kind: ``digest``, ``size``, ``missing``, ``commit``, ``tag``, ``repository``, ``branch`` (it holds another version
    than the highest stable one), ``foreign`` (a file that no release has), ``card``, ``licence``, ``gating`` or
    ``source``. repair: what to do about it, with the command if there is one; None in older reports.
    """

    kind: str
    name: str
    version: str
    repository: str
    path: str | None
    revision: str | None
    expected: str | None
    found: str | None
    what: str
    repair: str | None = field(default=None, metadata=LATER)


@dataclass(frozen=True)
class Unchecked:
    """What could not be checked, and why."""

    what: str
    why: str


@dataclass(frozen=True)
class Watched:
    """A release. head: the commit of the branch then, None if the hub did not answer.

    files_size_only: files without a sha256 on the hub and without a copy in the zoo to compare another digest with.
    """

    name: str
    version: str
    repository: str
    commit: str
    head: str | None
    files: int
    files_equal: int
    files_size_only: int


@dataclass(frozen=True)
class Source:
    """An upstream model as its hub describes it now. gated: ``no``, ``auto`` or ``manual``."""

    repository: str
    licence: str | None
    gated: str


@dataclass(frozen=True)
class Report:
    """Releases newest first by model, sources by repository. requests: how many requests the hub received."""

    date: str
    requests: int
    releases: tuple[Watched, ...]
    sources: tuple[Source, ...]
    findings: tuple[Finding, ...]
    unchecked: tuple[Unchecked, ...]

    @property
    def files(self) -> int:
        """Files that were compared."""
        return sum(one.files for one in self.releases)


@dataclass(frozen=True)
class Badge:
    """state: ``as recorded``, ``drift`` or ``unchecked``; words: a sentence without the final full stop."""

    state: str
    words: str


def badge(report: Report) -> Badge:
    """The report in a sentence."""
    count = f"{counted(report.files, 'file')} of {counted(len(report.releases), 'release')}"
    missed = f"; {len(report.unchecked)} could not be checked" if report.unchecked else ""
    if report.findings:
        many = counted(len(report.findings), "difference")
        where = f"in {count}" if report.files else "and no file could be compared"
        found = f"{many} to the record {'was' if len(report.findings) == 1 else 'were'} found {where}"
        return Badge("drift", f"on {report.date}, {found}{missed}")
    if not report.files:
        return Badge("unchecked", f"on {report.date}, nothing could be checked")
    served = f"{count} {'was' if report.files == 1 else 'were'} served as recorded"
    return Badge("as recorded", f"on {report.date}, {served}{missed}")


def badges(report: Report) -> dict[tuple[str, str], Badge]:
    """The same for each release that was watched, by (name, version)."""
    some: dict[tuple[str, str], tuple[list[Watched], list[Finding]]] = {}
    for watched in report.releases:
        some.setdefault((watched.name, watched.version), ([], []))[0].append(watched)
    for finding in report.findings:
        some.setdefault((finding.name, finding.version), ([], []))[1].append(finding)
    return {
        key: badge(Report(report.date, 0, tuple(releases), (), tuple(findings), ()))
        for key, (releases, findings) in sorted(some.items())
    }


def worded(report: Report, words: Callable[[str], str]) -> Report:
    """The report with ``words(sentence)`` in place of each of its sentences."""
    findings = (
        dataclasses.replace(one, what=words(one.what), repair=one.repair and words(one.repair))
        for one in report.findings
    )
    unchecked = tuple(Unchecked(words(one.what), words(one.why)) for one in report.unchecked)
    return dataclasses.replace(report, findings=tuple(findings), unchecked=unchecked)


def to_text(report: Report) -> str:
    """The one text of a report."""
    data = {"schema": SCHEMA, **plain(report)}
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def parse(text: str, shown_as: str) -> tuple[Report | None, list[Problem]]:
    """The report in JSON text, or its problems."""
    try:
        data = jsontext.parse(text)
    except jsontext.NotJson as error:
        what, instead = f"not valid JSON: {error.what}", "Make it again with: zoo watch"
        return None, [Problem(shown_as, error.line, error.column, "", what, instead)]
    found = schema.problems(Document(shown_as, data), "watch-v1")
    return (None, found) if found else (build(Report, data), [])
