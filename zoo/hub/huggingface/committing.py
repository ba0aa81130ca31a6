"""How a commit is sent: its operations, what it says, and the head that it must follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.files.listing import FileRecord
from zoo.hub.huggingface.client import XET, plain
from zoo.hub.huggingface.door import Door
from zoo.hub.interface import BRANCH

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd

ADDED_BY_HUB = ".gitattributes"


@dataclass(frozen=True)
class Header:
    """What a commit says, the head that it follows, and the branch."""

    message: str
    parent: str
    branch: str


def send(
    door: Door, kind: str, identity: str, operations: list[CommitOperationAdd], deletes: list[str], header: Header
) -> str:
    """Make the commit; its id. Raises RemoteError."""
    if operations:
        # A small file may still have to use LFS; only the hub knows.
        with plain(door, identity, writing=True), XET.off():
            door.api(kind, identity).preupload_lfs_files(
                identity, operations, repo_type=kind, revision=BRANCH, free_memory=False
            )
    for operation in operations:
        # Else the client omits files that the branch already has, and an outdated parent is not noticed.
        operation._remote_oid = None
    with plain(door, identity, writing=True):
        from huggingface_hub import CommitOperationDelete

        gone = [CommitOperationDelete(path, is_folder=False) for path in deletes]
        title, _, description = header.message.partition("\n\n")
        made = door.api(kind, identity).create_commit(
            identity, [*operations, *gone],
            commit_message=title, commit_description=description, repo_type=kind, revision=header.branch,
            parent_commit=header.parent,
        )  # fmt: skip
        return str(made.oid)


def ours(files: dict[str, FileRecord]) -> dict[str, FileRecord]:
    """Without what the Hub itself adds to a first commit."""
    return {path: file for path, file in files.items() if path != ADDED_BY_HUB}
