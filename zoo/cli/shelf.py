"""The catalog that a command uses."""

from __future__ import annotations

from zoo.cli.common import Call
from zoo.pull.catalogs import Shelf, other_shelf, own_shelf
from zoo.settings import NoZoo


def shelf_of(call: Call) -> Shelf:
    """The catalog that a command uses; only the zoo's own catalog requires a zoo around the current folder."""
    hub = call.flags.get("hub")
    if named := call.flags.get("catalog"):
        return other_shelf(named, hub, call.output)
    try:
        return own_shelf(call.settings, hub)
    except NoZoo as error:
        raise NoZoo(
            "this folder is not in a zoo, so there is no catalog",
            remedy="Add --catalog and the path or address of a model_catalog.json",
        ) from error
