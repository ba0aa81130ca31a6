"""Contents that a hub no longer has: which it misses, and sending them again although it may believe to have them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from catalog import jsontext
from zoo.errors import Damaged, InputError, RemoteError
from zoo.files.listing import FileRecord
from zoo.hub.huggingface import lfs
from zoo.hub.huggingface.client import XET, plain
from zoo.hub.huggingface.door import Door
from zoo.hub.huggingface.upload import Told
from zoo.hub.interface import SEND_AGAIN
from zoo.progress import Advance

_LFS_BYTES = 10 << 20

def lost(door: Door, kind: str, identity: str, files: Iterable[FileRecord]) -> list[FileRecord]:
    """Large files whose content the hub asks for, as a publisher is asked before an upload. Nothing is sent.

    Small files are part of the repository itself, so the question does not exist for them. Raises RemoteError.
    """
    large = [file for file in files if file.size_bytes > _LFS_BYTES or file.path.endswith(".gguf")]
    if not large:
        return []
    with plain(door, identity):
        from huggingface_hub.lfs import UploadInfo

        infos = [UploadInfo(sha256=bytes.fromhex(one.sha256), size=one.size_bytes, sample=b"") for one in large]
        answers = lfs.ask(door, kind, identity, infos)
    return [file for file in large if answers.get(file.sha256, {}).get("actions")]


def restore(door: Door, kind: str, identity: str, path: Path, sha256: str, advance: Advance) -> bool:
    """Send a content again; True. Raises Damaged if the hub refuses it because it believes to have it, RemoteError."""
    with plain(door, identity, writing=True), XET.off(), Told(path, advance) as stream:
        from huggingface_hub import CommitOperationAdd

        operation = CommitOperationAdd(path.name, str(path))
        operation.upload_info.sha256 = bytes.fromhex(sha256)
        (answer,) = lfs.ask(door, kind, identity, [operation.upload_info], {SEND_AGAIN: "1"}).values()
        if not answer.get("actions"):
            raise Damaged(
                f"the hub serves other bytes for {path.name} than it lists, and does not take the right ones",
                remedy="Report this to the people who run the hub",
            )
        # The client reads a stream directly.
        operation.path_or_fileobj = stream
        lfs.upload(door, kind, identity, operation, answer)
        stream.settle()
    return True


def restore_commit(door: Door, kind: str, identity: str, oid: str, told: Mapping[str, object]) -> bool:
    """Have ``zoo hub serve`` write a lost commit again by what is known of it. False if that is not enough, or from
    another hub, which does not know this request. Raises RemoteError if the hub does not answer."""
    try:
        with plain(door, identity, writing=True):
            from huggingface_hub.utils import (  # type: ignore[attr-defined]  # public, lazy
                get_session,
                hf_raise_for_status,
            )

            url = f"{door.address}/api/{kind}s/{identity}/restore/{oid}"
            response = get_session().post(url, headers=door.headers(kind, identity), json=told)
            hf_raise_for_status(response)
            return jsontext.parse(response.content) == {"restored": True}
    except RemoteError as error:
        if error.transient:
            raise
        return False
    except InputError:
        return False
