"""Lists of files that others wrote (manifests, receipts, evidence), checked entry by entry. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from catalog.jsontext import LARGEST
from catalog.paths import unsafe_reason
from zoo.files.listing import FileRecord

_HEX = re.compile(r"[0-9a-f]+\Z")


def records(entries: Any) -> tuple[FileRecord, ...]:
    """The entries of a parsed list, in its order. Raises ValueError, TypeError or KeyError for one that is not valid:
    an unsafe path, a path twice, a size that is not a count of bytes, a digest that is not a sha256.
    """
    if not isinstance(entries, list):
        raise TypeError("not a list of files")
    found = tuple(FileRecord(_path(e), _size(e), digest_of(e, "sha256")) for e in entries)
    if len({file.path for file in found}) != len(found):
        raise ValueError("a file is listed twice")
    return found


def digest_of(entry: Mapping[str, Any], key: str, digits: int = 64) -> str:
    """The digest under ``key``, in hexadecimal. Raises ValueError, TypeError or KeyError."""
    if not isinstance(entry, Mapping):
        raise TypeError("not an entry of a list of files")
    value = entry[key]
    if not (isinstance(value, str) and len(value) == digits and _HEX.match(value)):
        raise ValueError(f"{key} is not a digest of {digits} digits")
    return value


def _path(entry: Mapping[str, Any]) -> str:
    path = entry["path"]
    if not isinstance(path, str) or unsafe_reason(path):
        raise ValueError("a path is not safe")
    return path


def _size(entry: Mapping[str, Any]) -> int:
    size = entry["size_bytes"]
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= LARGEST:
        raise ValueError("a size is not a count of bytes")
    return size
