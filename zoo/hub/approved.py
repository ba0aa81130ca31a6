"""Hubs that a zoo's settings file or catalog names, and which of them the user said may receive the user's token.

Both may come with a clone or be in a folder above, so others may have written them. What they name gets a token only
after the user approved this hub for this folder. Approvals are kept in the user's own configuration folder. A flag
and an environment variable are the user's own words, and so is the hub of an official login.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

from catalog import jsontext
from catalog.shapes import shaped
from zoo import addresses
from zoo.errors import InputError
from zoo.files.digests import pretty_json
from zoo.files.locks import locked_folder
from zoo.files.whole import write_atomic
from zoo.settings import CATALOG, MARKER, Settings

FORMAT = 1


class _Entry(TypedDict):
    zoo: str
    hub: str


class _Told(TypedDict):
    format: int
    hubs: list[_Entry]


def own_folder() -> Path:
    """The user's configuration folder for this program. Raises InputError if the user has no home folder."""
    try:
        base = os.environ.get("XDG_CONFIG_HOME", "").strip() or str(Path("~/.config").expanduser())
    except RuntimeError as error:
        raise InputError(
            "there is no folder for your approvals, because no home folder is known", remedy="Set HOME"
        ) from error
    return Path(base) / "model-zoo-publisher"


def place() -> Path:
    """The file of the approvals. Raises InputError if the user has no home folder."""
    return own_folder() / "hubs.json"


def is_named_by_user(settings: Settings) -> bool:
    """Whether the user named the hub of the settings, by flag or variable, or approved that the file names it."""
    value = settings.values["hub"]
    if value.origin == CATALOG:
        return False
    if value.origin != MARKER or not addresses.is_http(value.text):
        return True
    return is_approved(settings.root, addresses.parse(value.text, "setting hub"))


def is_approved(root: Path, address: str) -> bool:
    """Whether the user approved the hub at an address for the zoo in ``root``."""
    return _entry(root, address) in _read()


def approve(root: Path, address: str) -> None:
    """Note that the token may be sent to the hub at an address from the zoo in ``root``."""
    entry = _entry(root, address)
    _change(lambda known: [*(one for one in known if one != entry), entry])


def forget(root: Path, address: str) -> bool:
    """Take that back; False if it was not noted."""
    entry = _entry(root, address)
    before = entry in _read()
    _change(lambda known: [one for one in known if one != entry])
    return before


def listed(root: Path) -> list[str]:
    """The hubs that are approved for the zoo in ``root``: scheme, host and port of each."""
    here = str(root.resolve())
    return sorted(one["hub"] for one in _read() if one["zoo"] == here)


def _entry(root: Path, address: str) -> _Entry:
    scheme, host, port = addresses.origin(address)
    return {"zoo": str(root.resolve()), "hub": f"{scheme}://{host}:{port}"}


def _read() -> list[_Entry]:
    """The approvals; none if the file cannot be read."""
    try:
        told = shaped(jsontext.read(place()), _Told)
    except (OSError, ValueError, InputError):
        return []
    return told["hubs"] if told["format"] == FORMAT else []


def _change(step: Callable[[list[_Entry]], list[_Entry]]) -> None:
    path = place()
    with locked_folder(path.parent):
        write_atomic(path, pretty_json({"format": FORMAT, "hubs": step(_read())}))
