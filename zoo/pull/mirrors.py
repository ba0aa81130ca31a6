"""The places that have a release, tried in order: its own, then its mirrors. Each is compared with the catalog."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from catalog import access
from catalog.release import Location, Release
from zoo.errors import Damaged, InputError, NotTrusted, RemoteError, ZooError
from zoo.hub import NoCommit, ReadHub, withheld
from zoo.hub.located import Here, here
from zoo.progress import Reporter
from zoo.pull.catalogs import Shelf

Result = TypeVar("Result")

_LOCAL = frozenset({"disk_full"})
"""Kinds of errors of this machine, which another place would not change."""

_REFUSED = frozenset({"not_found", "gated", "forbidden", "token_missing", "token_refused"})
"""Kinds of errors of a hub that does not let this reader in."""


@dataclass(frozen=True)
class Source:
    """An opened hub, and the release as it is there: its ``location`` is this place."""

    hub: ReadHub
    release: Release


def sources(
    shelf: Shelf, release: Release, named: Here | None = None, unknown: Callable[[InputError], None] = lambda _: None
) -> Iterator[Source]:
    """Where the release can be had, in order; each hub is opened when it is its turn.

    A hub that the user named is the only one: at its own recorded place if it has one, else at the commits of the
    release's place. named: that hub as the catalog records it, if that is known already. unknown: gets the reason why a
    place has no known hub. Raises InputError if there is none, such as only somebody else's folder hub.
    """
    if shelf.hub_text:
        only = shelf.hubs.open(shelf.hub_text)
        there = (named or here([release], only, settings=shelf.settings)).place(release) or release.location
        yield Source(only, _at(release, there))
        return
    refused: InputError | None = None
    found = False
    for place in release.places():
        if not _same_files(place, release.location):
            continue
        try:
            hub = shelf.hub(place, release)
        except InputError as error:
            refused = refused or error
            unknown(error)
            continue
        found = True
        yield Source(hub, _at(release, place))
    if refused and not found:
        raise refused


def first_that_serves(
    shelf: Shelf, release: Release, report: Reporter, use: Callable[[Source], Result]
) -> tuple[Source, Result]:
    """The first source that ``use`` succeeds with, and its result; what failed before it is reported then.

    Raises the error of the first source, with those of the others in its text, so that each is named once.
    NotTrusted ends it immediately, because who signed does not depend on the place.
    """
    failed: list[tuple[Source, ZooError]] = []
    for source in sources(shelf, release):
        if failed:
            report.say(f"{_name(failed[-1][0])} failed. Trying the mirror {_name(source)}")
        try:
            result = use(source)
        except NotTrusted:
            raise
        except (RemoteError, Damaged, NoCommit) as error:
            if isinstance(error, RemoteError) and error.kind in _LOCAL:
                raise
            _explain(source, error)
            failed.append((source, error))
        else:
            for one in failed:
                report.warn(_sentence(*one))
            return source, result
    (_, first), *others = failed
    if others:
        lines = [f"  {_sentence(*one)}" for one in others]
        first.what = "\n".join([first.what, "No mirror served it either:", *lines])
    raise first


def _same_files(place: Location, other: Location) -> bool:
    """Whether two places have the same files, as far as the catalog says: the same commit, or the same list of all
    files. Older records do not say; then only what the catalog records of the release is compared."""
    lists = {place.model.manifest_sha256, other.model.manifest_sha256}
    return place.model.commit == other.model.commit or len(lists) == 1 or None in lists


def _at(release: Release, place: Location) -> Release:
    """The release at a place. The list of all files is the same at each, so one digest holds for all of them."""
    pin = place.model.manifest_sha256 or release.location.model.manifest_sha256
    model = dataclasses.replace(place.model, manifest_sha256=pin)
    return dataclasses.replace(release, location=dataclasses.replace(place, model=model))


def _explain(source: Source, error: ZooError) -> None:
    """Of a place that is not public, a refusal says what its reader has to do."""
    place = source.release.location
    if access.is_closed(place) and (isinstance(error, NoCommit) or getattr(error, "kind", "") in _REFUSED):
        error.remedy = withheld(source.hub) or access.sentence(place)


def _name(source: Source) -> str:
    return f"{source.release.location.model.name} on {source.hub.name}"


def _sentence(source: Source, error: ZooError) -> str:
    return f"{_name(source)} failed: {error.what.splitlines()[0]}"
