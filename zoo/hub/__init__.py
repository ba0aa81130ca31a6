"""The only door to a hub. ``connect`` turns the setting ``hub`` into one; ``interface`` says what every hub can do."""

from __future__ import annotations

from pathlib import Path

from zoo.errors import InputError
from zoo.hub.folder import FolderHub, FolderRepo, refuse_clashes
from zoo.hub.interface import BRANCH, CommitNote, Hub, HubConflict, Incoming, Listed, Refs, Repo

__all__ = [
    "BRANCH",
    "CommitNote",
    "FolderHub",
    "FolderRepo",
    "Hub",
    "HubConflict",
    "Incoming",
    "Listed",
    "Refs",
    "Repo",
    "connect",
    "refuse_clashes",
]


def connect(address: str, root: Path) -> Hub:
    """The hub of a setting: a folder (relative to the zoo), or an address. Raises InputError for other schemes."""
    if address.startswith(("http://", "https://")):
        from zoo.hub.huggingface import HuggingFaceHub, parse_address

        return HuggingFaceHub(parse_address(address))
    if "://" in address:
        raise InputError(
            "publishing to a hub that is neither a folder nor at an http address is not part of this version",
            where="setting hub",
            remedy="Set hub to a folder, for example: zoo publish NAME --hub build/hub",
        )
    return FolderHub(root / Path(address).expanduser())
