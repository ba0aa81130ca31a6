"""The catalog that a command uses."""

from __future__ import annotations

import dataclasses

from zoo import catalogfile
from zoo.cli.common import Call
from zoo.errors import InputError
from zoo.publish import staging
from zoo.pull import remembered
from zoo.pull.catalogs import Shelf, other_shelf, own_shelf
from zoo.pull.sites import catalog_address
from zoo.settings import NoZoo


def staged_shelf(call: Call, from_: str | None = None) -> Shelf:
    """The catalog of what this zoo has staged. Raises InputError if nothing is, or with another catalog."""
    if from_ or call.flags.get("catalog"):
        raise InputError("--staged takes no other catalog", remedy="Leave out --catalog and --from, or --staged")
    path = staging.path_of(call.settings)
    if not path.is_file():
        raise InputError("nothing is staged", remedy="Stage a release with: zoo publish NAME --stage")
    own = own_shelf(call.settings, call.flags.get("hub"))
    shown = call.settings.shown(path)
    return dataclasses.replace(own, catalog=catalogfile.read_catalog(path, shown), shown_as=shown)


def shelf_of(call: Call, from_: str | None = None) -> Shelf:
    """The catalog that a command uses; only the zoo's own catalog requires a zoo around the current folder.

    from_: the address of a site or catalog. Outside a zoo, the one that was named last is used, and shown.
    """
    hub = call.flags.get("hub")
    named = call.flags.get("catalog")
    if from_:
        if named:
            raise InputError("--from and --catalog both name a catalog", remedy="Use one of them")
        return _from(call, catalog_address(from_, "flag --from"))
    if named:
        return other_shelf(named, hub, call.output)
    try:
        return own_shelf(call.settings, hub)
    except NoZoo as error:
        if known := remembered.address():
            return _from(call, known, " (remembered; --from ADDRESS names another one)")
        raise NoZoo(
            "this folder is not in a zoo, so there is no catalog",
            remedy="Add --from and the address of a site, or --catalog and the path of a model_catalog.json",
        ) from error


def _from(call: Call, catalog: str, why: str = "") -> Shelf:
    shelf = other_shelf(catalog, call.flags.get("hub"), call.output)
    call.output.say(f"Catalog: {catalog}{why}")
    return shelf
