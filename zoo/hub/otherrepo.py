"""A repository of the same name that is not the recorded one, such as in a hub of another zoo that took its folder."""

from __future__ import annotations

from catalog.release import Repository
from zoo.errors import ZooError
from zoo.files.filelist import MANIFEST
from zoo.hub.interface import ABSENT_COMMIT, Repo, is_same_commit


def refuse(repo: Repo, place: Repository) -> None:
    """Raises ZooError for a repository without the recorded commit whose tag is on another one, which it has. Where
    only one of the two is so, the recorded one is damaged, or somebody moved its tag."""
    tagged = repo.refs().tags.get(place.tag)
    if not tagged or is_same_commit(tagged, place.commit):
        return
    there = [repo.served(one, MANIFEST).absent != ABSENT_COMMIT for one in (place.commit, tagged)]
    if there == [False, True]:
        raise ZooError(
            f"{place.name} on this hub is not the recorded repository: it lacks commit {place.commit[:12]}, and its "
            f"tag {place.tag} is on {tagged[:12]}",
            safe="Nothing was changed there.",
            remedy="Name the right hub with --hub, or move the other one away",
        )
