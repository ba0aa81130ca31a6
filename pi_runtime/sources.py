"""Where the catalog is: an address or a file, named once and then remembered; and where the files of a release are."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from pi_runtime import catalogue, download, plainjson, store
from pi_runtime.catalogue import File, Model, Release
from pi_runtime.settings import CouldNot, InvalidArguments
from pi_runtime.words import data_size

VARIABLE = "PI_ZOO_CATALOG"
COPY = "catalog.json"
SOURCE = "source.json"
CONFIGURED = Path("/etc/pi-zoo/catalog")
"""One line: the address that the administrator chose."""


NOT_KNOWN = "No catalog is known yet. Name the site or a catalog file once: pi-zoo list --from https://..."


@dataclass(frozen=True)
class Catalog:
    """The models, where they were read, and the site's address if it was one."""

    models: list[Model]
    source: str
    site: str | None

    def find(self, text: str) -> tuple[Model, Release]:
        """The model and version of ``NAME[@VERSION][:TYPE]``. Raises CouldNot."""
        spec = store.parse_spec(text)
        model = next((one for one in self.models if one.name == spec.name), None)
        if model is None:
            raise CouldNot(f"The catalog has no model {spec.name!r}. See: pi-zoo list")
        release = model.release(spec.version) if spec.version else model.current()
        if release is None:
            versions = ", ".join(one.version for one in model.releases)
            raise CouldNot(f"{spec.name} has no such version, or all were withdrawn. Versions: {versions}.")
        return model, release


def load(given: str | None, say: Callable[[str], None]) -> Catalog:
    """The catalog of ``given``, of ``PI_ZOO_CATALOG``, of the administrator, or the one that was used last.

    An address that cannot be reached is replaced by the last copy, and ``say`` gets the reason. Raises CouldNot.
    """
    source = given or os.environ.get(VARIABLE) or _remembered()
    if not source:
        raise InvalidArguments(NOT_KNOWN)
    if not download.is_address(source):
        path = store.path_of(source)
        text = _text(path)
        found = Catalog(catalogue.read(text, path.name), str(path.resolve()), None)
    else:
        found = _of_site(source, say)
    _remember(found.source)
    return found


def last() -> Catalog:
    """The catalog as it was last read, without any network. Raises CouldNot if there is none."""
    source = os.environ.get(VARIABLE) or _remembered()
    if not source:
        raise InvalidArguments(NOT_KNOWN)
    if not download.is_address(source):
        path = store.path_of(source)
        return Catalog(catalogue.read(_text(path), path.name), source, None)
    download.checked(source)  # it is shown
    copy = _copy()
    return Catalog(catalogue.read(_text(copy), copy.name), source, None)


def addresses(catalog: Catalog, model: Model, release: Release, name: str) -> Iterator[str]:
    """Where a file of a release may be: on the site itself, then on its hub and the mirrors."""
    if catalog.site:
        yield f"{catalog.site}download/{quote(model.name)}/{quote(release.version)}/{quote(name)}"
    for place in release.places:
        if "://" in place.hub:
            repository, commit = quote(place.repository), quote(place.commit)
            yield f"{place.hub.rstrip('/')}/{repository}/resolve/{commit}/{quote(name)}"


def of_type(release: Release, kind: str) -> File:
    """The file of that type. Raises CouldNot."""
    found = next((one for one in release.files if one.type == kind), None)
    if found is None:
        raise CouldNot(
            f"No file has the type {kind!r}. Types: {', '.join(one.type for one in release.files)}."
        )
    return found


def _of_site(source: str, say: Callable[[str], None]) -> Catalog:
    address = download.checked(source)
    path = urlsplit(address).path
    if not path.endswith(".json"):
        address = f"{address.rstrip('/')}/catalog.json"
    site = address.rpartition("/")[0] + "/"
    try:
        text = download.document(address).decode("utf-8", errors="replace")
    except CouldNot as error:
        copy = _copy()
        if source != _remembered() or not copy.is_file():
            raise
        say(f"{error} The copy from the last time is used.")
        return Catalog(catalogue.read(_text(copy), copy.name), source, site)
    found = Catalog(catalogue.read(text, address), source, site)
    try:
        store.write(store.home() / COPY, text)
    except CouldNot:
        say(f"The catalog cannot be kept in {store.home()}, so it is needed again next time.")
    return found


def _copy() -> Path:
    """The last copy of the catalog: the user's own, else the system's."""
    found = [place / COPY for place in store.places()]
    return next((path for path in found if path.is_file()), found[0])


def _text(path: Path) -> str:
    with plainjson.opened(path) as file:
        text = file.read(download.SMALL_BYTES + 1)
    if len(text) > download.SMALL_BYTES:
        raise CouldNot(f"{path} is larger than {data_size(download.SMALL_BYTES)}.")
    return text.decode("utf-8", errors="replace")


def _remembered() -> str | None:
    for path in (*(place / SOURCE for place in store.places()), store.of_caller(SOURCE)):
        if path and path.is_file():
            return plainjson.read(path)["source"].text
    try:
        return CONFIGURED.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def _remember(source: str) -> None:
    if source == _remembered():
        return
    try:
        store.write(store.home() / SOURCE, json.dumps({"source": source}) + "\n")
    except CouldNot:
        # Somebody without a folder of their own names the source each time.
        return
