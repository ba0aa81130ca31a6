"""Whether two opened hubs are one: a folder and an address that serves it, or two such addresses.

Equal commits do not tell, because a copy has them too. A hub knows when it got a commit, so two times are two hubs.
Where those are equal, a branch is made in one hub for a moment: only the same hub shows it in the other. Each such
branch has its own name, so what a killed process leaves of it is never taken for another one's.
"""

from __future__ import annotations

import re
import secrets
import time

from catalog.release import Location
from zoo.errors import ZooError
from zoo.hub.folder import FolderHub
from zoo.hub.interface import Hub, Repo, is_same_commit

_MARK = "one-hub"
_LEFT = re.compile(rf"{_MARK}(?:-(\d{{1,12}})-[0-9a-f]+)?\Z")
"""Such a branch, with the time in seconds when it was made."""
_MOMENT_SECONDS = 3600
"""No process needs its branch for so long, even if the clocks of two machines differ."""


def is_one(place: Location, one: Hub, other: Hub, *, only_read: bool = False) -> bool | None:
    """Whether two hubs with the commit of a place are the same. None if that is not known: one does not answer, or
    neither can be written. only_read: nothing is written to a hub with an address."""
    try:
        times = [_time(_repo(hub, place), place.model.commit) for hub in (one, other)]
    except (ZooError, OSError):
        times = []  # of a damaged history, which says nothing
    if all(times) and len({*times}) == 2:
        return False
    # One of them may be readable only, such as a folder of somebody else that a server writes to.
    both = (one, other) if isinstance(one, FolderHub) else (other, one)
    if only_read:
        return _shows(place, *both) if isinstance(both[0], FolderHub) else None
    seen = _shows(place, *both)
    return _shows(place, *both[::-1]) if seen is None else seen


def sweep(repo: Repo) -> list[str]:
    """Delete the branches that killed processes left in a repository. Returns their names. Raises ZooError, OSError."""
    left = [name for name in repo.refs().branches if _is_left(name)]
    for name in left:
        repo.end(name)
    return left


def _is_left(branch: str) -> bool:
    found = _LEFT.match(branch)
    return found is not None and abs(time.time() - int(found[1] or 0)) > _MOMENT_SECONDS


def _shows(place: Location, written: Hub, other: Hub) -> bool | None:
    """Whether a branch that is made at the commit of a place in one hub is seen in another one. None if it cannot be
    made, as without the commit, or not be looked for."""
    mark = f"{_MARK}-{int(time.time())}-{secrets.token_hex(4)}"
    try:
        there, seen = _repo(written, place), _repo(other, place)
        sweep(there)
        there.begin(mark, place.model.commit)
        try:
            return mark in seen.refs().branches
        finally:
            there.end(mark)
    except (ZooError, OSError):
        return None


def _time(repo: Repo, commit: str) -> str:
    """When a hub got a commit; empty if it does not say."""
    notes = repo.history(commit, None)[:1]
    return notes[0].date if notes and is_same_commit(notes[0].oid, commit) else ""


def _repo(hub: Hub, place: Location) -> Repo:
    namespace, _, name = place.model.name.partition("/")
    return hub.repo("model", namespace, name)
