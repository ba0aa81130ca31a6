"""A site that carries the files of releases, as a hub to read from: plain files at fixed addresses, and no token.

SITE/catalog.json, and for each release that the site carries SITE/download/NAME/VERSION/: its files, and files.json,
the list of all files of its commit (see ``zoo.site.carried``).
"""

from __future__ import annotations

import contextlib
import re
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from catalog import jsontext
from catalog.index import Catalog
from catalog.shapes import shaped
from zoo import addresses
from zoo.errors import RemoteError
from zoo.files import filelist
from zoo.hub import Incoming, Listed, NoCommit
from zoo.hub.interface import ABSENT_FILE, Served
from zoo.progress import Silent
from zoo.pull import webfile

CATALOG = "catalog.json"
DOWNLOADS = "download"
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})\Z")
_BLOCK = 1 << 18
_LIST_BYTES = 16 << 20


def catalog_address(text: str, where: str) -> str:
    """The address of the catalog of a site or of a catalog. Raises InputError for anything but an http address."""
    address = addresses.parse(text, where, query=True)
    parts = urlsplit(address)
    if parts.path.endswith(".json"):
        return address
    return urlunsplit((parts.scheme, parts.netloc, f"{parts.path.rstrip('/')}/{CATALOG}", "", ""))


def site_address(catalog_url: str) -> str:
    """Where the site of a catalog is, ending in a slash."""
    parts = urlsplit(catalog_url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rpartition("/")[0] + "/", "", ""))


@dataclass(frozen=True)
class SiteHub:
    """The site at ``address``, which ends in a slash. folders: NAME/VERSION by repository and commit."""

    address: str
    folders: dict[tuple[str, str], str]

    @property
    def name(self) -> str:
        return self.address

    def repo(self, kind: str, namespace: str, name: str) -> SiteRepo:
        del kind
        return SiteRepo(self, f"{namespace}/{name}")


def hub_of(address: str, catalog: Catalog) -> SiteHub:
    """The site at an address, with the releases of its catalog."""
    releases = ((model.name, release) for model in catalog.models for release in model.releases)
    places = {
        (release.location.model.name, release.location.model.commit): f"{name}/{release.version}"
        for name, release in releases
    }
    return SiteHub(address, places)


@dataclass(frozen=True)
class SiteRepo:
    """A repository whose commits are folders of the site."""

    hub: SiteHub
    name: str

    def listing(self, revision: str) -> dict[str, Listed]:
        """The files of a commit, from the list that the site has. Raises RemoteError."""
        address = self._address(revision, filelist.TREE)
        with tempfile.TemporaryFile() as file:
            try:
                webfile.fetch(address, file, _LIST_BYTES, Silent())
            except RemoteError as error:
                if error.kind == "not_found":
                    raise NoCommit(
                        f"{self.hub.address} does not carry the files of {self._folder(revision)}",
                        remedy="Ask its owner to set site_files_mb, or add --hub with the folder or address of the hub",
                    ) from None
                raise
            file.seek(0)
            try:
                told = shaped(jsontext.parse(file.read()), filelist.Listing)
                files = filelist.checked(told["files"])
            except ValueError as error:
                raise RemoteError(f"{address} is not a list of files", kind="disagreement",
                                  facts={"address": address}, safe="Nothing was downloaded.") from error  # fmt: skip
        return {one.path: Listed(one.path, one.size_bytes, one.sha256) for one in files}

    def incoming(self, revision: str, file: Listed, begin: int, end: int, stall_seconds: float) -> Incoming:
        """Bytes of a file; a host without ranges sends all of it. Raises RemoteError."""
        address = self._address(revision, file.path)
        request = urllib.request.Request(address, headers={"Accept-Encoding": "identity"})
        part = begin > 0 or end < file.size_bytes
        if part:
            request.add_header("Range", f"bytes={begin}-{end - 1}")
        with _reported(address):
            answer = webfile.opener().open(request, timeout=stall_seconds)
        try:
            start = _start(answer, address, file, begin)
        except BaseException:
            answer.close()
            raise
        ranged = answer.status == 206 or (not part and "bytes" in answer.headers.get("Accept-Ranges", ""))
        return Incoming(start, _chunks(answer, address), answer.close, ranged)

    def served(self, revision: str, path: str) -> Served:
        """What a request for the headers says of a file: a site knows no digests. Raises RemoteError, NoCommit."""
        address = self._address(revision, path)
        request = urllib.request.Request(address, headers={"Accept-Encoding": "identity"}, method="HEAD")
        try:
            with _reported(address):
                answer = webfile.opener().open(request, timeout=webfile.STEP_SECONDS)
        except RemoteError as error:
            if error.kind == "not_found":
                return Served(ABSENT_FILE)
            raise
        answer.close()
        total = answer.headers.get("Content-Length", "")
        return Served(None, int(total[:20]) if total.isascii() and total.isdigit() else None)

    def other_way(self, revision: str, file: Listed, folder: Path) -> Path:
        """The complete file once more, in one piece."""
        target = folder / "content"
        came = self.incoming(revision, file, 0, file.size_bytes, webfile.STEP_SECONDS)
        with contextlib.closing(came), target.open("wb") as out:
            for chunk in came.chunks:
                out.write(chunk)
        return target

    def _folder(self, revision: str) -> str:
        found = self.hub.folders.get((self.name, revision))
        if found is None:
            raise NoCommit(f"the catalog of {self.hub.address} has no release of {self.name} at {revision[:12]}")
        return found

    def _address(self, revision: str, path: str) -> str:
        return f"{self.hub.address}{DOWNLOADS}/{quote(self._folder(revision))}/{quote(path)}"


def _start(answer: HTTPResponse, address: str, file: Listed, begin: int) -> int:
    """Where the body begins. Raises RemoteError if another length is announced than the file has."""
    start, total = 0, answer.headers.get("Content-Length", "")
    if answer.status == 206:
        found = _RANGE.match(answer.headers.get("Content-Range", ""))
        if not found or int(found[1]) != begin:
            raise RemoteError(f"{address} sent other bytes than were asked for", kind="refused",
                              facts={"address": address})  # fmt: skip
        start, total = begin, found[3]
    if total.isascii() and total.isdigit() and int(total[:20]) != file.size_bytes:
        raise RemoteError(
            f"{address} has {total} bytes, not the {file.size_bytes} of the release", kind="wrong_length",
            facts={"path": file.path, "expected": file.size_bytes, "got": int(total[:20])},
            safe="No file of that name was written.", remedy="Tell the owner of the site",
        )  # fmt: skip
    return start


def _chunks(answer: HTTPResponse, address: str) -> Iterator[bytes]:
    with _reported(address):
        while block := answer.read1(_BLOCK):
            yield block


@contextlib.contextmanager
def _reported(address: str) -> Iterator[None]:
    """Errors of the connection as a RemoteError."""
    try:
        yield
    except (OSError, ValueError, HTTPException, webfile.Unsafe) as error:
        raise webfile.told(address, error) from error
