"""What to do about a difference that a watch found: the command that repairs it, or who else can. Pure."""

from __future__ import annotations

from zoo.hub import BRANCH

_UPSTREAM = ("licence", "gating", "source")


def remedy(kind: str, name: str, version: str, revision: str | None, found: str | None, flags: str) -> str:
    """A sentence without its full stop. kind is that of a finding, or ``correction`` or ``notice`` of a card; revision
    and found are the finding's. flags: those that name the hub, each after a space."""
    if kind in _UPSTREAM:
        return f"If people should not use this version any more: zoo yank {name}@{version} --reason TEXT"
    if kind == "tag" and found:
        return f"No command moves a tag. Set {revision} back on the hub"
    if kind == "foreign":
        return (
            "If it should not be there, delete it on the hub, or with the next version: "
            f"zoo publish {name} --delete-others{flags}"
        )
    if kind == "card" and revision == BRANCH:
        return f"To replace it with the words of the recipe: zoo card {name} --publish --force{flags}"
    return f"Repair it with: zoo publish {name} --repair{flags}"
