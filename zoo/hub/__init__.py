"""The only way to a hub. ``connect`` opens the hub of the setting ``hub``, ``Hubs`` those that a catalog names;
``interface`` defines what every hub can do."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from zoo import addresses
from zoo.errors import InputError
from zoo.files.filelist import refuse_clashes
from zoo.files.named import named_path
from zoo.hub import approved
from zoo.hub.folder import FolderHub, FolderRepo
from zoo.hub.interface import (
    BRANCH,
    CommitNote,
    Hub,
    HubConflict,
    Incoming,
    Listed,
    NoCommit,
    NotOffered,
    ReadHub,
    ReadRepo,
    Refs,
    Repo,
)

__all__ = [
    "BRANCH",
    "CommitNote",
    "FolderHub",
    "FolderRepo",
    "Hub",
    "HubConflict",
    "Hubs",
    "Incoming",
    "Listed",
    "NoCommit",
    "NotOffered",
    "ReadHub",
    "ReadRepo",
    "Refs",
    "Repo",
    "approval",
    "connect",
    "refuse_clashes",
    "withheld",
]

LOGIN = "https://huggingface.co"
"""The hub that an official login is for, unless HF_ENDPOINT names another one."""


def connect(address: str, root: Path) -> Hub:
    """The hub that the user names: a folder (relative to the zoo) or an http address. Raises InputError."""
    if addresses.is_http(address):
        return Hubs(root, address).open(address)
    if "://" in address:
        raise InputError(
            "a hub is a folder or an http address",
            where="setting hub",
            remedy="Set hub to a folder, for example: zoo publish NAME --hub build/hub",
        )
    return FolderHub(root / named_path(address))


def withheld(hub: ReadHub) -> str:
    """Why the user's token is not sent to a hub, and what to do; empty if it is, or if there is none."""
    if not addresses.is_http(hub.name):
        return ""
    from zoo.hub.huggingface import HuggingFaceHub

    return hub.door.withheld() if isinstance(hub, HuggingFaceHub) else ""


def approval(hub: ReadHub) -> str:
    """The command that lets the user's token be sent to a hub; empty if it may be sent, or never can be."""
    if not hub.name.startswith(("http://", "https://")):
        return ""
    from zoo.hub.huggingface import HuggingFaceHub

    return hub.door.approval() if isinstance(hub, HuggingFaceHub) else ""


def _over_http(address: str, *, named: bool, in_settings: bool, quick: bool, in_zoo: bool) -> Hub:
    from zoo.hub.huggingface import Door, HuggingFaceHub

    return HuggingFaceHub(Door(address, named, in_settings, quick, in_zoo))


@dataclass(frozen=True)
class Hubs:
    """The hubs of one command that data such as a catalog names, each opened once.

    The user's token is sent there only if the user named the same scheme, host and port too: in the setting hub
    (``named``, unless that is not ``by_user``), in HF_ENDPOINT, as the hub that an official login is for, or as one
    that is approved for the zoo in ``root`` (``in_zoo``). quick: for reading, where a hub that does not answer at all
    is given up within seconds, because there may be a mirror.
    """

    root: Path
    named: str
    by_user: bool = True
    quick: bool = False
    in_zoo: bool = False
    _opened: dict[str, Hub] = field(default_factory=dict, compare=False, repr=False)

    def open(self, address: str) -> Hub:
        """The recorded or named hub, an address or a folder relative to ``root``. Raises InputError."""
        if not addresses.is_http(address):
            return connect(address, self.root)
        found = addresses.parse(address, "setting hub" if address == self.named else "hub of the catalog")
        if found not in self._opened:
            here = addresses.origin(found)
            named = here in self._origins(*([self.named] if self.by_user else []), self._login())
            named = named or (self.in_zoo and approved.is_approved(self.root, found))
            in_settings = not self.by_user and here in self._origins(self.named)
            self._opened[found] = _over_http(
                found, named=named, in_settings=in_settings, quick=self.quick, in_zoo=self.in_zoo
            )
        return self._opened[found]

    @staticmethod
    def _login() -> str:
        return os.environ.get("HF_ENDPOINT", "").strip() or LOGIN

    @staticmethod
    def _origins(*named: str) -> set[addresses.Origin]:
        known = [one for one in named if addresses.is_http(one)]
        endpoint = os.environ.get("HF_ENDPOINT", "").strip()
        where = {one: "environment variable HF_ENDPOINT" if one == endpoint else "named hub" for one in known}
        return {addresses.origin(addresses.parse(one, where[one])) for one in known}
