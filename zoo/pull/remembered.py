"""The address that ``zoo pull --from`` was last given, in the user's own configuration folder.

It only says where the catalog is read. It decides nothing about tokens."""

from __future__ import annotations

import contextlib
from typing import TypedDict

from catalog import jsontext
from catalog.shapes import shaped
from zoo.errors import InputError
from zoo.files.digests import pretty_json
from zoo.files.whole import write_atomic
from zoo.hub import approved
from zoo.pull.sites import catalog_address

FORMAT = 1


class _Told(TypedDict):
    format: int
    catalog: str


def address() -> str | None:
    """The address of the catalog; None if none is noted, or the note cannot be read."""
    with contextlib.suppress(OSError, ValueError, InputError):
        told = shaped(jsontext.read(approved.own_folder() / "from.json"), _Told)
        if told["format"] == FORMAT:
            return catalog_address(told["catalog"], "the noted address")
    return None


def note(catalog: str) -> bool:
    """Note the address of a catalog. False if the user's folder cannot be written, which stops nothing."""
    with contextlib.suppress(OSError, InputError):
        folder = approved.own_folder()
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / "from.json", pretty_json({"format": FORMAT, "catalog": catalog}))
        return True
    return False
