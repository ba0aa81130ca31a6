"""What a repair of published versions found and did, and the words for it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from catalog import shell
from catalog.words import counted
from zoo.errors import Damaged

_FEW = 5
"""Lines that are read; of more, the number matters."""

NEWEST = "Get the newest catalog (for example with: git pull), then run the same command again"
COPIES = "To repair the files without a copy here, run the same command in the zoo whose release folders have them"
REPEAT = "Run the same command again"
DISK = "Ask the operator of the hub to check its disk"


def unknown(version: str, repository: str) -> str:
    """What a catalog that is older than the hub leads to. Also the words of ``zoo watch``."""
    return f"{repository} has v{version} (tag), which this catalog does not know"


def unfinished(version: str, branch: str) -> str:
    """What a stopped publication leaves. Also the words of ``zoo watch``."""
    return f"{branch} holds {version}, which has no tag yet: its publication was stopped, or still runs"


def moved(version: str, branch: str) -> str:
    """What is left where only the newest version moved away. Also the words of ``zoo watch``."""
    return f"{branch} still holds {version}, which the catalog records only at another place now"


def deleting(hub: str, folder: str, kind: str, repository: str, tag: str) -> str:
    """How to delete a tag, as the object of a sentence. hub: its address, or ``folder``. folder: that of a folder
    hub."""
    path = f"repos/{kind}/{repository}/refs/tags/{tag}"
    if hub == "folder":
        return f"the tag: rm {shell.argument(f'{folder}/{path}')}"
    of = "" if kind == "model" else f" --type {kind}"
    return (
        f"the tag: HF_ENDPOINT={hub} hf repos tag delete{of} {repository} {tag} (of zoo hub serve: the file {path} in "
        "its folder)"
    )


@dataclass
class Repaired:
    """What was looked at and done. contents: read completely, each once. left: what could not be repaired, and why.

    advice: what to do about what is left, a sentence without its full stop each. outdated: the hub has a newer version
    than the catalog, so the main branch and its card are left as they are. unknown: tags of other versions that the
    catalog does not have, which nothing is done about. moved: main branches that hold a version that moved away, which
    are left as they are.
    lost: versions without their commit, and why. The caller publishes them again or adds them to ``left``. absent: how
    many versions were found without their commit. held: how to delete the tags that are still on lost commits, by
    version: until then no other commit can have that version. refused: versions with a repository that is another
    zoo's. They are never in ``lost``, because nothing of them is published again. seen: keys of the contents that were
    read.
    """

    hub: str
    versions: int = 0
    contents: int = 0
    absent: int = 0
    sent: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)
    held: dict[str, list[str]] = field(default_factory=dict)
    advice: list[str] = field(default_factory=list)
    outdated: bool = False
    unknown: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)

    def leave(self, what: str, remedy: str) -> None:
        """Note what could not be repaired, and what to do about it."""
        self.left.append(what)
        if remedy and remedy not in self.advice:
            self.advice.append(remedy)


def sentence(name: str, found: Repaired) -> str:
    """The outcome for people."""
    looked = f"{counted(found.contents, 'content')} of {counted(found.versions - found.absent, 'version')}"
    if not found.sent and not found.restored:
        return f"Nothing to repair: {looked} of {name} at {found.hub} were read back, and all are as recorded."
    read = f": {looked} were read back" if found.contents else ""
    return "\n".join([f"Repaired {name} at {found.hub}{read}.", *(f"  {line}" for line in done_lines(found))])


def done_lines(found: Repaired) -> list[str]:
    """What was repaired, a line each; the first few of many."""
    return [*first_few([f"sent again: {one}" for one in found.sent], "content"),
            *first_few([f"restored: {one}" for one in found.restored], "part")]  # fmt: skip


def first_few(lines: Sequence[str], unit: str) -> list[str]:
    """The first lines of many, then how many more there are. unit: what a line is about."""
    more = len(lines) - _FEW
    return [*lines[:_FEW], f"and {counted(more, f'more {unit}')}"] if more > 1 else list(lines)


def not_done(found: Repaired) -> list[str]:
    """What could not be repaired, a line each: versions that were lost for one reason together; the first few of
    many."""
    reasons: dict[str, list[str]] = {}
    for version, why in found.lost.items():
        reasons.setdefault(why, []).append(version)
    lost = [f"{why} ({'version' if len(some) == 1 else 'versions'} {', '.join(some)})" for why, some in reasons.items()]
    return [*first_few(found.left, "content"), *lost]


def refuse_left(name: str, found: Repaired, command: str) -> None:
    """Raises Damaged with all that could not be repaired, and what was. command: publishes lost versions again."""
    left = not_done(found)
    if not left:
        return
    done = done_lines(found)
    held = first_few([one for version in found.lost for one in found.held.get(version, ())], "tag")
    first = f"delete {' and '.join(held)}. Then run" if held else ""
    again = (
        "Only folder hubs and zoo hub serve take a lost commit again, from a machine with its release folder. To "
        f"publish the same files with new commits{f', {first}' if first else ''}: {command}"
    )
    raise Damaged(
        "\n".join([f"{name} at {found.hub} is not completely repaired", *(f"  {line}" for line in left)]),
        safe="Repaired: " + "; ".join(done) + "." if done else "Nothing was changed.",
        remedy=". ".join([*([again] if found.lost else []), *found.advice]),
    )
