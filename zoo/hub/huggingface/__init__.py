"""The Hugging Face Hub, or any server that speaks its API, through the official client.

Commits here have 40 digits. The Hub's tree has the sha256 of LFS files only; for other, small files it has git's
digest. Their sha256 is known if a local file has that digest; else they are read once, checked against git's digest and
hashed. Small files travel inside the commit, larger ones are uploaded by ``put`` before it.

The token is HF_TOKEN or the client's own. Whether it may be sent decides the ``Door`` of a hub; it is never shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from zoo.errors import InputError
from zoo.hub.huggingface.collecting import HuggingFaceCollections
from zoo.hub.huggingface.door import Door
from zoo.hub.huggingface.repo import HuggingFaceRepo

__all__ = ["Door", "HuggingFaceHub", "HuggingFaceRepo"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}\Z")


@dataclass(frozen=True)
class HuggingFaceHub:
    """A hub at an address such as ``http://127.0.0.1:8000``."""

    door: Door

    @property
    def name(self) -> str:
        return self.door.address

    def repo(self, kind: str, namespace: str, name: str) -> HuggingFaceRepo:
        for part in (namespace, name):
            if not _NAME.match(part):
                raise InputError(f"{part!r} is not a valid name for a repository", remedy="Use letters, digits, - _ .")
        return HuggingFaceRepo(self.door, kind, f"{namespace}/{name}")

    def collections(self, namespace: str) -> HuggingFaceCollections:
        if not _NAME.match(namespace):
            raise InputError(f"{namespace!r} is not a valid name", remedy="Use letters, digits, - _ .")
        return HuggingFaceCollections(self.door, namespace)
