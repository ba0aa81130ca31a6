"""Whether the hub still serves what the catalog records. Asks, compares and reports; changes no record.

For every file of the model and the dataset repository that has a recorded digest: what is served at the recorded commit
and, where the branch has moved on, at its head. A head may hold another release, or the banner of a withdrawn one; it
drifts if it has no recorded release completely. Then the tags, and the licence and the gating of upstream models.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from catalog.index import Catalog
from catalog.release import Model, Release, Repository
from catalog.watch import Finding, Report, Unchecked, Watched
from zoo.errors import Damaged, ZooError
from zoo.files.digests import git_blob_sha1
from zoo.hub import BRANCH, FolderHub, Hub, Hubs, Repo
from zoo.hub.interface import Served
from zoo.hub.located import hub_of, hubs_of
from zoo.progress import Reporter, carried
from zoo.settings import Settings
from zoo.upkeep.recorded import Expected, of_dataset, of_model
from zoo.upkeep.upstream import Ask, Looked, look_at_sources

WORKERS = 8
"""Requests at the same time."""

_SOUND = ("equal", "size only")


@dataclass
class _Notes:
    """What was found; ``datasets`` has the recorded dataset files of releases, by version. hubs: those of all
    releases."""

    hubs: Hubs
    findings: list[Finding] = field(default_factory=list)
    unchecked: list[Unchecked] = field(default_factory=list)
    requests: int = 0
    datasets: dict[tuple[str, str], list[Expected]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Spot:
    """Where a difference is found: a repository of a release."""

    notes: _Notes
    model: Model
    release: Release
    repository: str

    def note(
        self, kind: str, path: str | None, revision: str | None, expected: str | None, found: str | None, what: str
    ) -> None:
        """Add a finding; revision and the two digests as a report has them."""
        spot = (self.model.name, self.release.version, self.repository)
        self.notes.findings.append(Finding(kind, *spot, path, revision, expected, found, what))


@dataclass(frozen=True)
class _Part:
    """One of a release's two repositories. of: its place in a release; expected: what a release recorded of it."""

    repo: Repo
    place: Repository
    of: Callable[[Release], Repository | None]
    expected: Callable[[Release], list[Expected]]


def look(
    catalog: Catalog, settings: Settings, date: str, before: Report | None, report: Reporter, ask: Ask | None
) -> Report:
    """Watch every release. The report also lists what could not be checked.

    before: the last report, to detect changes of gating. ask: None skips upstream models.
    """
    notes, watched = _Notes(hubs_of(settings)), []
    total = sum(len(of_model(r, _evidence(settings, m, r))) for m in catalog.models for r in m.releases)
    with report.task("asking the hub", total, "files") as advance, ThreadPoolExecutor(WORKERS) as pool:
        for model in catalog.models:
            for release in model.releases:
                done = _release(model, release, settings, notes, pool)
                watched += [done] if done else []
                for mirror in release.mirrors or ():
                    _mirror(model, dataclasses.replace(release, location=mirror), settings, notes, pool)
                advance(len(of_model(release, _evidence(settings, model, release))))
    sources = look_at_sources(catalog, before, ask) if ask else Looked()
    return Report(
        date,
        notes.requests + sources.requests,
        tuple(watched),
        tuple(sources.seen),
        (*notes.findings, *sources.findings),
        (*notes.unchecked, *sources.unchecked),
    )


def _release(
    model: Model, release: Release, settings: Settings, notes: _Notes, pool: ThreadPoolExecutor
) -> Watched | None:
    place, who = release.location, f"{model.name} {release.version}"
    try:
        hub = hub_of(place, settings, notes.hubs)
        if isinstance(hub, FolderHub) and not hub.folder.is_dir():
            raise ZooError("the folder hub does not exist", remedy="Name it with --hub")
        repo = _repo(hub, "model", place.model)
        parts = [
            _Part(
                repo,
                place.model,
                lambda one: one.location.model,
                lambda one: of_model(one, _evidence(settings, model, one)),
            )
        ]
        if place.dataset:
            data = _repo(hub, "dataset", place.dataset)
            expected = functools.partial(_of_dataset, model, settings, repo, data, notes)
            parts.append(_Part(data, place.dataset, lambda one: one.location.dataset, expected))
        heads = [_refs(model, release, part.repo, part.place, notes) for part in parts]
    except (ZooError, OSError) as error:
        notes.unchecked.append(Unchecked(who, str(error)))
        return None
    seen = [
        counts
        for part, head in zip(parts, heads, strict=True)
        if head is not None and (counts := _part(model, release, part, head, notes, pool))
    ]
    if heads[0] is None or not seen:
        return None
    files, equal, size_only = (sum(counts) for counts in zip(*seen, strict=True))
    return Watched(
        model.name, release.version, place.model.name, place.model.commit, heads[0] or None,
        files, equal, size_only,
    )  # fmt: skip


def _mirror(model: Model, there: Release, settings: Settings, notes: _Notes, pool: ThreadPoolExecutor) -> None:
    """Watch a mirror of a release, whose ``location`` it is: its commits and its tags. A named hub is the only one that
    is asked, so mirrors are left out then."""
    if settings.values["hub"].origin.startswith("flag"):
        return
    own, at = _Notes(notes.hubs), f"(mirror on {there.location.hub})"
    _release(model, there, settings, own, pool)
    notes.requests += own.requests
    notes.findings += [dataclasses.replace(one, what=f"{one.what} {at}") for one in own.findings]
    notes.unchecked += [dataclasses.replace(one, what=f"{one.what} {at}") for one in own.unchecked]


def _part(
    model: Model, release: Release, part: _Part, head: str, notes: _Notes, pool: ThreadPoolExecutor
) -> tuple[int, int, int] | None:
    """Files, those that are equal, and those of which only the size was compared; None if the hub does not answer."""
    commit, name = part.place.commit, part.place.name
    try:
        expected = part.expected(release)
    except Damaged as error:
        _Spot(notes, model, release, name).note("digest", None, commit, None, None, error.what)
        return None
    except (ZooError, OSError) as error:
        notes.unchecked.append(Unchecked(f"{model.name} {release.version}", str(error)))
        return None
    pinned, failed = _ask(part.repo, commit, expected, notes, pool)
    if failed:
        notes.unchecked.append(Unchecked(f"{model.name} {release.version}", failed))
        return None
    equal, size_only = _compare(model, release, part.place, expected, pinned, notes)
    if head and not _same(head, commit) and release is _newest_there(model, part, name):
        _head(model, release, part, head, notes, pool)
    return len(expected), equal, size_only


def _of_dataset(
    model: Model, settings: Settings, repo: Repo, data: Repo, notes: _Notes, release: Release
) -> list[Expected]:
    key = (model.name, release.version)
    if key not in notes.datasets:
        notes.requests += 2  # a tree, and the manifest in it
        notes.datasets[key] = of_dataset(release, _evidence(settings, model, release), repo, data)
    return notes.datasets[key]


def _refs(model: Model, release: Release, repo: Repo, place: Repository, notes: _Notes) -> str | None:
    """The branch's head ("" without a branch) after checking the tag; None if the repository no longer exists."""
    refs = repo.refs()
    notes.requests += 1
    note = _Spot(notes, model, release, place.name).note
    if not refs.branches and not refs.tags:
        note(
            "repository", None, None, place.commit, None, f"{place.name} no longer exists or is no longer public"
        )
        return None
    there = refs.tags.get(place.tag)
    if there is None:
        note("tag", None, place.tag, place.commit, None, f"tag {place.tag} of {place.name} no longer exists")
    elif not _same(there, place.commit):
        what = f"tag {place.tag} of {place.name} moved from {place.commit[:12]} to {there[:12]}"
        note("tag", None, place.tag, place.commit, there, what)
    return refs.branches.get(BRANCH, "")


def _ask(
    repo: Repo, revision: str, expected: Sequence[Expected], notes: _Notes, pool: ThreadPoolExecutor
) -> tuple[list[Served], str | None]:
    """What is served for each file, or why that could not be checked."""

    def one(file: Expected) -> Served | ZooError | OSError:
        try:
            return repo.served(revision, file.path)
        except (ZooError, OSError) as error:
            return error

    notes.requests += len(expected)
    answers = list(pool.map(carried(one), expected))
    failed = next((answer for answer in answers if not isinstance(answer, Served)), None)
    return [answer for answer in answers if isinstance(answer, Served)], str(failed) if failed else None


def _compare(
    model: Model,
    release: Release,
    place: Repository,
    expected: Sequence[Expected],
    answers: Sequence[Served],
    notes: _Notes,
) -> tuple[int, int]:
    """Files that are equal, and files of which only the size could be compared; differences become findings."""
    equal, size_only = 0, 0
    at = place.commit[:12]
    if answers and all(answer.absent == "commit" for answer in answers):
        what = f"{place.name} no longer has commit {at}"
        _Spot(notes, model, release, place.name).note("commit", None, place.commit, place.commit, None, what)
        return 0, 0
    for file, answer in zip(expected, answers, strict=True):
        verdict = _verdict(file, answer)
        equal += verdict == "equal"
        size_only += verdict == "size only"
        if verdict in _SOUND:
            continue
        found, words = answer.sha256 or answer.git_sha1, "has different content from the recorded"
        if verdict == "missing":
            words = "is no longer served"
        elif verdict == "size":
            words = f"has {answer.size_bytes} bytes, but the record says {file.size_bytes}"
            found = str(answer.size_bytes)
        what = f"{file.path} of {place.name} at {at} {words}"
        _Spot(notes, model, release, place.name).note(verdict, file.path, place.commit, file.sha256, found, what)
    return equal, size_only


def _head(
    model: Model, release: Release, part: _Part, head: str, notes: _Notes, pool: ThreadPoolExecutor
) -> None:
    """The branch must have some release of this repository completely; else the nearest release shows what differs."""
    repo, place = part.repo, part.place
    files = {}
    for one in model.releases:
        there = part.of(one)
        if there and there.name == place.name:
            # Another release's record may no longer be available; that was reported with that release.
            with contextlib.suppress(ZooError, OSError):
                files[one.version] = part.expected(one)
    paths = {file.path: file for expected in files.values() for file in expected}
    answers, failed = _ask(repo, head, list(paths.values()), notes, pool)
    if failed:
        notes.unchecked.append(Unchecked(f"the branch of {place.name}", failed))
        return
    served_now = dict(zip(paths, answers, strict=True))
    wrong = {
        version: [file for file in expected if _verdict(file, served_now[file.path]) not in _SOUND]
        for version, expected in files.items()
    }
    # The first of equals is the newest.
    version = min(wrong, key=lambda one: len(wrong[one]) / len(files[one]))
    for file in wrong[version]:
        verdict, answer = _verdict(file, served_now[file.path]), served_now[file.path]
        words = "no longer exists" if verdict == "missing" else f"differs from what {version} recorded"
        what = f"on the branch of {place.name}, {file.path} {words}"
        found = answer.sha256 or answer.git_sha1
        _Spot(notes, model, release, place.name).note(verdict, file.path, BRANCH, file.sha256, found, what)


def _verdict(file: Expected, answer: Served) -> str:
    """``equal``, ``size only``, ``missing``, ``size`` or ``digest``."""
    if answer.absent:
        return "missing"
    if None not in (answer.size_bytes, file.size_bytes) and answer.size_bytes != file.size_bytes:
        return "size"
    if answer.sha256:
        return "equal" if answer.sha256 == file.sha256 else "digest"
    if not answer.git_sha1:
        return "size only"
    raw = None if file.git_sha1 else file.raw()
    known = file.git_sha1 or (git_blob_sha1(raw) if raw is not None else None)
    if known is None:
        return "size only"
    return "equal" if known == answer.git_sha1 else "digest"


def _evidence(settings: Settings, model: Model, release: Release) -> Path:
    """Where the zoo keeps its copies of a release's evidence."""
    return settings.evidence / model.name / release.version


def _newest_there(model: Model, part: _Part, name: str) -> Release:
    """The newest release of the repository ``name``."""
    there: Iterable[Release] = model.releases
    return next(one for one in there if (place := part.of(one)) and place.name == name)


def _repo(hub: Hub, kind: str, place: Repository) -> Repo:
    namespace, _, name = place.name.partition("/")
    return hub.repo(kind, namespace, name)


def _same(one: str, other: str) -> bool:
    """Whether two commit ids mean the same commit; a served folder hub shortens them."""
    return one.startswith(other) or other.startswith(one)
