"""Contents that a hub no longer has: which it misses, and sending them again although it may believe to have them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import Damaged
from zoo.files.listing import FileRecord
from zoo.hub.huggingface.client import XET, plain
from zoo.hub.huggingface.door import Door
from zoo.hub.huggingface.upload import Told
from zoo.hub.interface import SEND_AGAIN
from zoo.progress import Advance

if TYPE_CHECKING:
    from huggingface_hub.lfs import UploadInfo

_LFS_BYTES = 10 << 20
_BATCH = 256
"""Objects of one request, as the client itself asks."""


def lost(door: Door, kind: str, identity: str, files: Iterable[FileRecord]) -> list[FileRecord]:
    """Large files whose content the hub asks for, as it answers a publisher before an upload. Nothing is sent.

    Small files are part of the repository itself, so the question does not exist for them. Raises RemoteError.
    """
    large = [file for file in files if file.size_bytes > _LFS_BYTES or file.path.endswith(".gguf")]
    wanted: set[str] = set()
    for start in range(0, len(large), _BATCH):
        with plain(door, identity):
            from huggingface_hub.lfs import UploadInfo

            some = large[start : start + _BATCH]
            infos = [UploadInfo(sha256=bytes.fromhex(one.sha256), size=one.size_bytes, sample=b"") for one in some]
            answers = _ask(door, kind, identity, infos, {})
            wanted |= {str(answer["oid"]) for answer in answers if answer.get("actions")}
    return [file for file in large if file.sha256 in wanted]


def restore(door: Door, kind: str, identity: str, path: Path, sha256: str, advance: Advance) -> bool:
    """Send a content again; True. Raises Damaged if the hub refuses it because it believes to have it, RemoteError."""
    with plain(door, identity, writing=True), XET.off(), Told(path, advance) as stream:
        from huggingface_hub import CommitOperationAdd
        from huggingface_hub.lfs import lfs_upload

        operation = CommitOperationAdd(path.name, str(path))
        operation.upload_info.sha256 = bytes.fromhex(sha256)
        (answer,) = _ask(door, kind, identity, [operation.upload_info], {SEND_AGAIN: "1"})
        if not answer.get("actions"):
            raise Damaged(
                f"the hub serves other bytes for {path.name} than it lists, and does not take the right ones",
                remedy="Report this to the people who run the hub",
            )
        # The client reads a stream directly.
        operation.path_or_fileobj = stream
        api = door.api(kind, identity)
        token = api.token if isinstance(api.token, str) else None
        lfs_upload(operation, answer, token=token, headers=door.headers(kind, identity), endpoint=door.address)
        stream.settle()
    return True


def _ask(
    door: Door, kind: str, identity: str, infos: list[UploadInfo], more: dict[str, str]
) -> list[dict[str, object]]:
    from huggingface_hub.lfs import post_lfs_batch_info

    api = door.api(kind, identity)
    answer = post_lfs_batch_info(
        infos,
        token=api.token,  # type: ignore[arg-type]  # False, which means none, is accepted too
        repo_type=kind,
        repo_id=identity,
        endpoint=door.address,
        headers={**(api.headers or {}), **more},
    )
    return answer[0]
