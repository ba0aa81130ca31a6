"""The catalog of this zoo, of a file, or of an address; and the hub that has its releases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from catalog import index
from catalog.index import Catalog
from catalog.release import Location
from zoo import addresses, catalogfile
from zoo.errors import InputError, RemoteError
from zoo.hub import Hub, Hubs
from zoo.hub.located import hubs_of
from zoo.progress import Reporter
from zoo.settings import Settings

SECONDS = 30.0


@dataclass(frozen=True)
class Shelf:
    """A catalog and where its releases are.

    hub_text: a folder or address that was named instead of the recorded one, else empty. folder_hub: what the word
    ``folder`` in the catalog means; empty if nobody knows. hubs: opens those that the catalog records.
    """

    catalog: Catalog
    shown_as: str
    hub_text: str
    folder_hub: str
    hubs: Hubs

    def hub(self, location: Location) -> Hub:
        """The hub of a release. Raises InputError for somebody else's folder hub."""
        recorded = self.folder_hub if location.hub == "folder" else location.hub
        if not (self.hub_text or recorded):
            raise InputError(
                f"the releases of {self.shown_as} are in a folder hub, but the catalog does not record its place",
                remedy="Add --hub with the folder, or with the address that serves it",
            )
        return self.hubs.open(self.hub_text or recorded)


def own_shelf(settings: Settings, hub_text: str | None) -> Shelf:
    """The catalog of this zoo. Raises InputError."""
    shown = settings.shown(settings.catalog)
    found = catalogfile.read_catalog(settings.catalog, shown)
    return Shelf(found, shown, hub_text or "", settings.hub, _hubs(hub_text, settings))


def other_shelf(catalog: str, hub_text: str | None, report: Reporter) -> Shelf:
    """A catalog that was named by path or address. Raises InputError, RemoteError."""
    if "://" in catalog:
        found, problems = index.parse(read_url(catalog, report), catalog)
        if problems:
            lines = [str(problem) for problem in problems[:20]]
            raise InputError("\n".join([f"{catalog} is not a valid catalog", *lines]))
    else:
        path = Path(catalog).expanduser()
        if not path.is_file():
            raise InputError(f"catalog {catalog} not found")
        found = catalogfile.read_catalog(path, catalog)
    return Shelf(found, catalog, hub_text or "", "", _hubs(hub_text))


def _hubs(hub_text: str | None, settings: Settings | None = None) -> Hubs:
    # What is named on the command line is meant from the current folder, like --to.
    return hubs_of(settings) if settings and not hub_text else Hubs(Path.cwd(), hub_text or "")


def read_url(address: str, report: Reporter) -> str:
    """The text at an http address. Raises InputError, RemoteError."""
    import urllib.error
    import urllib.request

    address = addresses.parse(address, "flag --catalog", query=True)
    if not addresses.is_private_way(address):
        report.warn(
            f"{address} uses plain http: anybody on the network can change the catalog, including its digests"
        )
    facts = {"address": address}
    try:
        with urllib.request.urlopen(address, timeout=SECONDS) as answer:
            raw: bytes = answer.read(catalogfile.MAX_BYTES + 1)
    except urllib.error.HTTPError as error:
        raise RemoteError(f"{address} returned HTTP {error.code}", kind="not_found" if error.code == 404 else "refused",
                          facts={**facts, "status": error.code}, remedy="Check the address") from error  # fmt: skip
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise RemoteError(f"{address} cannot be read: {reason}", kind="unreachable", facts=facts, transient=True,
                          remedy="Check the address and the network") from error  # fmt: skip
    if len(raw) > catalogfile.MAX_BYTES:
        raise InputError(f"{address} is too large for a catalog")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{address} is not UTF-8 text, so it is not a catalog") from error
