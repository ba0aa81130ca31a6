"""Lists of files that others wrote (manifests, receipts, evidence), checked entry by entry. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypedDict, TypeVar

from catalog.jsontext import LARGEST
from catalog.paths import unsafe_reason
from catalog.shapes import shaped
from zoo.errors import InputError
from zoo.files.listing import FileRecord

_HEX = re.compile(r"[0-9a-f]+\Z")

MANIFEST, SUMS = "MANIFEST.json", "SHA256SUMS"
"""The lists of a release's files: for programs, and for ``sha256sum -c``."""

TREE = "files.json"
"""The list of all files of a commit, next to those that a site carries. It is a ``Listing``."""


class Entry(Protocol):
    """A file as it is listed."""

    @property
    def path(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def sha256(self) -> str: ...


class Listing(TypedDict):
    """A document that lists files."""

    files: list[FileRecord]


Listed = TypeVar("Listed", bound=Entry)


def records(entries: object) -> tuple[FileRecord, ...]:
    """The entries of a parsed list, in its order. Raises ValueError as ``checked`` does."""
    return checked(shaped(entries, list[FileRecord]))


def checked(files: Sequence[Listed]) -> tuple[Listed, ...]:
    """The same files. Raises ValueError for an unsafe path, a path twice, a size that is not a count of bytes, a digest
    that is not a sha256.
    """
    for file in files:
        if unsafe_reason(file.path):
            raise ValueError("a path is not safe")
        if not 0 <= file.size_bytes <= LARGEST:
            raise ValueError("a size is not a count of bytes")
        refuse_other(file.sha256)
    if len({file.path for file in files}) != len(files):
        raise ValueError("a file is listed twice")
    return tuple(files)


def refuse_clashes(files: Mapping[str, object]) -> None:
    """Raises InputError for paths that some file systems cannot have together."""
    seen: dict[str, str] = {}
    folders = {"/".join(path.split("/")[:depth]) for path in files for depth in range(1, path.count("/") + 1)}
    for path in files:
        if path in folders:
            raise InputError(f"{path} would be both a file and a folder")
        other = seen.setdefault(path.casefold(), path)
        if other != path:
            raise InputError(f"{path} and {other} are the same file on systems that ignore case")


def sums_text(files: Iterable[Entry]) -> str:
    """The text of SHA256SUMS for these files."""
    return "".join(f"{file.sha256}  {file.path}\n" for file in sorted(files, key=lambda one: one.path))


def refuse_other(digest: str, digits: int = 64) -> None:
    """Raises ValueError for text that is not a digest of so many digits, in hexadecimal."""
    if not (len(digest) == digits and _HEX.match(digest)):
        raise ValueError(f"not a digest of {digits} digits")
