"""The catalog that a command goes by."""

from __future__ import annotations

from zoo.cli.common import Call
from zoo.pull.catalogs import Shelf, other_shelf, own_shelf
from zoo.settings import NoZoo


def shelf_of(call: Call) -> Shelf:
    """The catalog that a command goes by; a zoo around the current folder is only needed for the zoo's own."""
    hub = call.flags.get("hub")
    if named := call.flags.get("catalog"):
        return other_shelf(named, hub, call.output)
    try:
        return own_shelf(call.settings, hub)
    except NoZoo as error:
        raise NoZoo(
            "there is no zoo around this folder, so no catalog to go by",
            remedy="Add --catalog and the path or address of a model_catalog.json",
        ) from error
