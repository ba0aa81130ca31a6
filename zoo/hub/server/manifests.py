"""Which GGUF file llama.cpp means by ``-hf NAMESPACE/NAME:TAG``, asked as ``/v2/NAMESPACE/NAME/manifests/TAG``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from zoo.files.listing import FileRecord
from zoo.hub.folder import FolderRepo
from zoo.hub.server import views
from zoo.hub.server.store import head_of
from zoo.hub.server.wire import ApiError

PREFERRED = ("Q4_K_M", "Q4_0", "Q5_K_M", "Q8_0")
"""Without a tag, as in llama.cpp's documentation: Q4_K_M if it exists, else the first that exists."""


def manifest(repo: FolderRepo, tag: str) -> dict[str, object]:
    """The answer: name, size and sha256 of the file at the head of the branch. Raises ApiError 404."""
    head = head_of(repo)
    there = repo.tree(head) if head else {}
    file = choose(there, tag)
    if file is None:
        raise ApiError(404, "this repository has no GGUF file of that name", "EntryNotFound")
    entry = views.entry(file)
    lfs = {"sha256": file.sha256, "size": entry["lfs"]["size"], "pointerSize": entry["lfs"]["pointerSize"]}
    return {"ggufFile": {"rfilename": file.path, "size": file.size_bytes, "blobId": entry["oid"], "lfs": lfs}}


def choose(files: Mapping[str, FileRecord], tag: str) -> FileRecord | None:
    """The GGUF file whose name ends in the quantization ``tag``; ``latest`` is the preferred one."""
    found = {path: file for path, file in sorted(files.items()) if path.endswith(".gguf")}
    for wanted in (*PREFERRED, "") if tag == "latest" else (tag,):
        ending = re.compile(
            rf"(^|[-._/]){re.escape(wanted)}(-00001-of-\d{{5}})?\.gguf$" if wanted else "", re.I
        )
        for path, file in found.items():
            if ending.search(path):
                return file
    return None
