"""The only door to a hub. ``connect`` opens the hub of the setting ``hub``; ``interface`` defines what every hub can
do."""

from __future__ import annotations

import os
from pathlib import Path

from zoo import addresses
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
    "connect_recorded",
    "refuse_clashes",
]

LOGIN = "https://huggingface.co"
"""The hub that an official login is for, unless HF_ENDPOINT names another one."""


def connect(address: str, root: Path) -> Hub:
    """The hub that the user names: a folder (relative to the zoo) or an http address. Raises InputError."""
    if address.startswith(("http://", "https://")):
        from zoo.hub.huggingface import HuggingFaceHub

        return HuggingFaceHub(addresses.parse(address, "setting hub"))
    if "://" in address:
        raise InputError(
            "this version publishes only to a folder or to an http address",
            where="setting hub",
            remedy="Set hub to a folder, for example: zoo publish NAME --hub build/hub",
        )
    return FolderHub(root / Path(address).expanduser())


def connect_recorded(address: str, root: Path, named: str) -> Hub:
    """The hub that data such as a catalog names. The user's token is sent there only if the user named it too: in the
    setting hub (``named``), in HF_ENDPOINT, or as the hub that an official login is for.
    """
    if not address.startswith(("http://", "https://")):
        return connect(address, root)
    from zoo.hub.huggingface import HuggingFaceHub

    found = addresses.parse(address, "hub of the catalog")
    login = os.environ.get("HF_ENDPOINT", "").strip() or LOGIN
    known = [
        addresses.parse(one, "named hub") for one in (named, login) if one.startswith(("http://", "https://"))
    ]
    if addresses.origin(found) not in {addresses.origin(one) for one in known}:
        found = addresses.Stranger(found)
    return HuggingFaceHub(found)
