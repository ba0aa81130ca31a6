"""What to do about a difference that a watch found: a row for every kind, with the command that repairs it. Pure.

A kind is that of a finding, with a word more where the same difference needs another repair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zoo.commandline import Command

LOST = " lost"
"""Only new commits can bring it back: a hub over HTTP makes its commits itself."""
ACCESS = " access"
"""It is about who may read a repository."""
OTHER = " other"
"""It is another zoo's, in the place of the recorded one."""
MOVED = " moved"
NEWER = " newer"
"""Another machine published a higher version, which the catalog here does not have."""
UNKNOWN = " unknown"
"""It is of a version that the catalog does not have, and that changes nothing for people who name no version."""


UNFINISHED = " unfinished"
"""It is of a version whose publication was stopped."""


@dataclass(frozen=True)
class Remedy:
    """words: a sentence without its full stop; {0} and {1} stand for the commands, and {delete} for the tag and how to
    delete it on its hub."""

    words: str
    commands: tuple[tuple[str, ...], ...] = ()


_REPAIR = Remedy("Repair it with: {0}", (("publish", "{name}", "--repair"),))
_AGAIN = Remedy(
    "If it is really lost, and not private or renamed, repair it with: {0}",
    (("publish", "{name}", "--repair", "--move"),),
)
_YANK = Remedy(
    "If people should not use this version any more: {0}", (("yank", "{name}@{version}", "--reason", "TEXT"),)
)
_CARD = ("card", "{name}", "--publish", "--force")
_NEWEST = (
    "Get the newest catalog, for example with: git pull. If nobody of yours published that version, delete {delete}"
)

TABLE: Mapping[str, Remedy] = {
    "branch": _REPAIR,
    "branch moved": Remedy(
        "If people are to get it there too, record it as a mirror, with the recipe of that version: {0}",
        (("publish", "{name}", "--mirror"),),
    ),
    "branch unfinished": Remedy(
        "If no other machine publishes it now, finish it where it was started: {0}", (("publish", "{name}"),)
    ),
    "card": Remedy("To replace it with the words of the recipe: {0}", (_CARD,)),
    "commit": _REPAIR,
    "commit lost": Remedy(
        "If it is really lost, and not private or renamed, repair it with: {0}. If that cannot write the commit again, "
        "delete {delete} if it is still there, then publish it with a new commit: {1}",
        (("publish", "{name}", "--repair"), ("publish", "{name}", "--repair", "--move")),
    ),
    "correction": _REPAIR,
    "digest": _REPAIR,
    "foreign": Remedy(
        "If it should not be there, delete it with: {0}", (("publish", "{name}", "--repair", "--delete-others"),)
    ),
    "gating": _YANK,
    "licence": _YANK,
    "missing": _REPAIR,
    "notice": _REPAIR,
    "repository": _REPAIR,
    "repository access": Remedy("If that is wrong, change it in the settings of the repository on the hub"),
    "repository lost": _AGAIN,
    "repository other": Remedy(
        "If another machine of yours published there, get the newest catalog, for example with: git pull. If the "
        "recorded hub is elsewhere, name it with --hub. If it was deleted, move the other one away, then restore it "
        "with: {0}",
        (("publish", "{name}", "--repair"),),
    ),
    "size": _REPAIR,
    "source": _YANK,
    "stale": Remedy(
        "If another machine wrote it, get the newest catalog, for example with: git pull. Else replace it: {0}",
        (_CARD,),
    ),
    "tag": _REPAIR,
    "tag lost": _AGAIN,
    "tag moved": Remedy(
        "Delete {delete}, then set it again with: {0}. If the new commit is right, record it with: {1}",
        (("publish", "{name}", "--repair"), ("publish", "{name}", "--move")),
    ),
    "tag newer": Remedy(
        f"{_NEWEST}, then run: {{0}}. If its publication was stopped on this machine, finish it with: {{1}}",
        (("publish", "{name}", "--repair"), ("publish", "{name}")),
    ),
    "tag unknown": Remedy(_NEWEST),
}
"""Kind of difference -> what to do."""


def remedy(kind: str, values: Mapping[str, str], command: Command) -> str:
    """The sentence of a row. values: name and version, of what is on a hub also how to ``delete`` the tag. command:
    gives the line of a command with the flags that name the hub and the catalog."""
    row = TABLE[kind]
    lines = [command(*(word.format_map(values) for word in words)) for words in row.commands]
    return row.words.format(*lines, **values)
