"""The catalog of this zoo, of a file, or of an address; and the hub that has its releases."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from catalog.index import Catalog
from catalog.problems import show
from catalog.release import Location, Release
from zoo import addresses, catalogfile
from zoo.errors import InputError
from zoo.files.named import named_path
from zoo.hub import Hubs, ReadHub
from zoo.hub.located import Here, here, hub_of, hubs_of
from zoo.hub.spoken import spoken
from zoo.progress import Reporter
from zoo.pull import sites, webfile
from zoo.settings import Settings


@dataclass(frozen=True)
class Shelf:
    """A catalog and where its releases are.

    hub_text: a folder or address that was named instead of the recorded one, else empty. settings: of the zoo whose
    catalog it is, which tell what the word ``folder`` in it means; None if nobody knows. hubs: opens those that the
    catalog records. site: where the site of the catalog is, which may carry the files of a folder hub; empty if it is
    not known.
    """

    catalog: Catalog
    shown_as: str
    hub_text: str
    settings: Settings | None
    hubs: Hubs
    site: str = ""

    def hub(self, location: Location, release: Release) -> ReadHub:
        """The hub of a place of a release. Raises InputError for somebody else's folder hub, or
        for what is not a hub."""
        if location.hub == "folder" and self.site and not self.hub_text:
            return sites.hub_of(self.site, self.catalog)
        if not self.hub_text and location.hub != "folder" and not addresses.is_http(location.hub):
            raise InputError(
                f"{self.shown_as} names the hub {show(location.hub)}, which is not an http address",
                safe="Nothing was downloaded.",
                remedy="Add --hub with the folder or the address of the hub, and report this to the catalog's owner",
            )
        if self.hub_text:
            return self.hubs.open(self.hub_text)
        if location.hub == "folder" and self.settings:
            return hub_of(location, self.settings, self.hubs, release)
        if location.hub == "folder":
            raise InputError(
                f"the releases of {self.shown_as} are in a folder hub, but the catalog does not record its place",
                remedy="Add --hub with the folder, or with the address that serves it",
            )
        return self.hubs.open(location.hub)

    def spoken(self, release: Release) -> list[str]:
        """The hubs of the places of a release as people name them here."""
        if self.settings is None:
            return [place.hub for place in release.places()]
        own, settings = release.location, self.settings
        return [spoken(place, settings, mirror=place != own) for place in release.places()]

    def named(self) -> Here | None:
        """The hub that was named, as the catalog records it; None if none was named."""
        releases = [one for model in self.catalog.models for one in model.releases]
        return here(releases, self.hubs.open(self.hub_text), settings=self.settings) if self.hub_text else None


def own_shelf(settings: Settings, hub_text: str | None) -> Shelf:
    """The catalog of this zoo. Raises InputError."""
    shown = settings.shown(settings.catalog)
    found = catalogfile.read(settings)
    return Shelf(found, shown, hub_text or "", settings, _hubs(hub_text, settings))


def other_shelf(catalog: str, hub_text: str | None, report: Reporter) -> Shelf:
    """A catalog that was named by path or address. Raises InputError, RemoteError."""
    site = ""
    if "://" in catalog:
        found = read_url(catalog, report)
        site = sites.site_address(catalog)
    else:
        path = named_path(catalog)
        if not path.is_file():
            raise InputError(f"catalog {catalog} was not found", remedy="Name an existing model_catalog.json")
        found = catalogfile.read_catalog(path, catalog, catalogfile.ANOTHERS)
    return Shelf(found, addresses.shown(catalog), hub_text or "", None, _hubs(hub_text), site)


def _hubs(hub_text: str | None, settings: Settings | None = None) -> Hubs:
    # Outside of a zoo, what is named on the command line is meant from the current folder, like --to.
    return hubs_of(settings, quick=True) if settings else Hubs(Path.cwd(), hub_text or "", quick=True)


def read_url(address: str, report: Reporter) -> Catalog:
    """The catalog at an http address. Raises InputError, RemoteError."""
    address = addresses.parse(address, "flag --catalog", query=True)
    shown = addresses.shown(address)
    if not addresses.is_private_way(address):
        report.warn(
            f"{shown} uses plain http: anybody on the network can change the catalog, including its digests"
        )
    with tempfile.NamedTemporaryFile(prefix="zoo-catalog-") as file:
        webfile.fetch(address, file, catalogfile.MAX_BYTES, report)
        file.flush()
        return catalogfile.read_catalog(Path(file.name), shown, remedy=catalogfile.ANOTHERS)
