"""Git LFS, by which large contents go to the hub's storage: where to send them, and sending one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from zoo.errors import RemoteError
from zoo.hub.huggingface.door import Door

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd
    from huggingface_hub.lfs import UploadInfo

BATCH = 256
"""Objects of one request, as the client itself asks."""

Action = dict[str, object]


def ask(
    door: Door, kind: str, identity: str, infos: list[UploadInfo], more: Mapping[str, str] | None = None
) -> dict[str, Action]:
    """What to do for each content, by its sha256; without ``actions`` the hub has it. ``more``: headers.

    Raises RemoteError if the hub refuses one, and the client's errors.
    """
    from huggingface_hub.lfs import post_lfs_batch_info

    found: dict[str, Action] = {}
    for start in range(0, len(infos), BATCH):
        answers, errors, _ = post_lfs_batch_info(
            infos[start : start + BATCH],
            token=None,  # it is in the headers
            repo_type=kind,
            repo_id=identity,
            endpoint=door.address,
            headers={**door.headers(kind, identity), **(more or {})},
        )
        if errors:
            said = str((errors[0].get("error") or {}).get("message") or "without a reason")
            raise RemoteError(f"{door.address} does not take a file: {said[:200]}", kind="refused",
                              facts={"address": door.address, "repository": identity})  # fmt: skip
        found |= {str(answer["oid"]): answer for answer in answers}
    return found


def upload(door: Door, kind: str, identity: str, operation: CommitOperationAdd, action: Action) -> None:
    """Send one content as ``action`` says. Raises the client's errors."""
    from huggingface_hub.lfs import lfs_upload

    lfs_upload(operation, action, headers=door.headers(kind, identity), endpoint=door.address)
