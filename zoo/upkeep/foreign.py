"""Files on the main branch that no release of this zoo put there: which they are, and deleting them when asked."""

from __future__ import annotations

from collections.abc import Iterable

from catalog.release import Model, Repository
from zoo.errors import Damaged, ZooError
from zoo.files.filelist import MANIFEST, SUMS
from zoo.hub import BRANCH, Hub, Repo
from zoo.publish import line, others, repaired
from zoo.publish.plan import ADDED_BY_HUB
from zoo.pull.arriving import some
from zoo.release.provenance import SIGNATURE


def paths(there: Iterable[str], released: Iterable[str]) -> list[str]:
    """Those of ``there`` that no release has. released: all paths of all releases of the repository."""
    return sorted({*there} - {*released, MANIFEST, SUMS, SIGNATURE, ADDED_BY_HUB})


def delete(model: Model, hub: Hub, repair_line: str) -> list[str]:
    """Delete such files of a model's repositories at a hub, with one commit each. Returns what was done, a sentence
    each.

    repair_line: the command that repairs the model. Raises ZooError with nothing deleted in a repository of which not
    every release is known.
    """
    done = []
    for (kind, name), places in _repositories(model, hub.name).items():
        namespace, _, repository = name.partition("/")
        repo = hub.repo(kind, namespace, repository)
        refs, label = repo.refs(), f"{kind} {name}"
        head = refs.branches.get(BRANCH)
        if head is None:
            continue
        owner, known = line.owner_of(model.name, model, hub.name), [one.version for one in model.releases]
        highest = next(one.version for one in model.preferred() if one.version in places)
        if newer := line.newer(label, repo, refs, highest, owner, known):
            raise ZooError(
                f"{repaired.unknown(newer, name)}, so nothing is known to be foreign",
                safe="Nothing was deleted there.",
                remedy=repaired.NEWEST,
            )
        gone_from_here = {one.version for one in model.releases} - places.keys()
        if held := line.moved(label, repo, refs, highest, owner, gone_from_here):
            raise ZooError(
                f"{repaired.moved(held, f'the main branch of {label}')}, so nothing is known to be foreign",
                safe="Nothing was deleted there.",
                remedy="Run the same command without --delete-others",
            )
        released = [path for one in places.values() for path in _released(repo, one, repair_line)]
        if gone := paths(repo.listing(head), released):
            repo.commit(head, [], gone, f"{model.name}: files that no release put here are deleted")
            done.append(f"deleted from the main branch of {label}: {some(gone)}")
    return done


def _repositories(model: Model, hub: str) -> dict[tuple[str, str], dict[str, Repository]]:
    """The places of the versions that each repository has, by its kind and name."""
    found: dict[tuple[str, str], dict[str, Repository]] = {}
    for release in model.releases:
        for place in release.places():
            for kind, there in (("model", place.model), ("dataset", place.dataset)):
                if there and place.hub == hub:
                    found.setdefault((kind, there.name), {})[release.version] = there
    return found


def _released(repo: Repo, place: Repository, repair_line: str) -> Iterable[str]:
    """The paths that a version put there, by its own list. Raises Damaged without it."""
    listed = others.released(repo, place.commit, repo.listing(place.commit))
    if not listed:
        raise Damaged(
            f"{MANIFEST} of {place.name} at {place.commit[:12]} cannot be read, so nothing is known to be foreign",
            safe="Nothing was deleted there.",
            remedy=f"Repair it first: {repair_line}",
        )
    return listed
