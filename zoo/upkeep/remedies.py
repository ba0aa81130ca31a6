"""What to do about a difference that a watch found: the command that repairs it, or who else can. Pure."""

from __future__ import annotations

from zoo.hub import BRANCH

_UPSTREAM = ("licence", "gating", "source")
LOST = " lost"
"""End of the kind of a finding about what only new commits can bring back: a hub over HTTP makes its commits itself."""
ACCESS = " access"
"""End of the kind of a finding about who may read a repository."""
NEWER = " newer"
"""End of the kind of a finding about a version that another machine published, if the catalog here does not have it."""


def remedy(kind: str, name: str, version: str, revision: str | None, found: str | None, flags: str) -> str:
    """A sentence without its full stop. kind is that of a finding, ``correction``, ``notice``, ``stale`` of a card, or
    it ends in ``LOST``, ``ACCESS`` or ``NEWER``; revision and found are the finding's. flags: those that name the
    hub, each after a space.
    """
    if kind.endswith(LOST):
        sure = "If it is really lost, and not private or renamed, repair it with"
        return f"{sure}: zoo publish {name} --repair --move{flags}"
    if kind.endswith(NEWER):
        return (
            "Get the newest catalog, for example with: git pull. If nobody of yours published that version, delete the "
            f"tag on the hub, then run: zoo publish {name} --repair{flags}"
        )
    if kind.endswith(ACCESS):
        return "If that is wrong, change it in the settings of the repository on the hub"
    if kind in _UPSTREAM:
        return f"If people should not use this version any more: zoo yank {name}@{version} --reason TEXT"
    if kind == "tag" and found:
        return (
            f"Delete {revision} on the hub, then set it back with: zoo publish {name} --repair{flags}. If the new "
            f"commit is right, record it with: zoo publish {name} --move{flags}"
        )
    if kind == "foreign":
        return (
            "If it should not be there, delete it on the hub. Publishing this version again does not do it, but "
            f"the next version can: zoo publish {name} --delete-others{flags}"
        )
    if kind == "stale":
        return (
            "If another machine wrote it, get the newest catalog, for example with: git pull. Else replace it: "
            f"zoo card {name} --publish --force{flags}"
        )
    if kind == "card" and revision == BRANCH:
        return f"To replace it with the words of the recipe: zoo card {name} --publish --force{flags}"
    return f"Repair it with: zoo publish {name} --repair{flags}"
