"""Canonical JSON texts, and digests of them and of files."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

from zoo.errors import ZooError
from zoo.progress import Advance, unheard

_CHUNK = 1 << 20


class NotFinite(ZooError, ValueError):
    """A number is NaN or infinite, which JSON cannot represent."""


def canonical_json(value: object) -> str:
    """The canonical JSON text of a value: sorted keys, no spaces, no NaN. Digests are taken of this.

    Raises NotFinite with the place of a number that is NaN or infinite.
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise _not_finite(value) or error from error


def pretty_json(value: object) -> str:
    """JSON for people and for diffs: sorted keys, two spaces, no NaN, a final newline.

    Raises NotFinite with the place of a number that is NaN or infinite.
    """
    try:
        return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except ValueError as error:
        raise _not_finite(value) or error from error


def _not_finite(value: object, place: str = "") -> NotFinite | None:
    """The error for the first number of ``value`` that JSON cannot represent; None if there is none."""
    if isinstance(value, float) and not math.isfinite(value):
        words = "NaN (not a number)" if math.isnan(value) else "infinite"
        return NotFinite(
            f"the figure {place or 'to be written'} is {words}, so it cannot be written to a report",
            safe="Nothing was written.",
            remedy="The model's weights are damaged, or too large to compute with. Compare the source with its "
            "original, or use another model",
        )
    if isinstance(value, dict):
        parts = [(f"{place}.{key}" if place else str(key), one) for key, one in value.items()]
    else:
        parts = [(f"{place}[{i}]", one) for i, one in enumerate(value)] if isinstance(value, list | tuple) else []
    return next((found for where, one in parts if (found := _not_finite(one, where))), None)


def digest(value: object) -> str:
    """sha256 of the canonical JSON. Raises NotFinite."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def sha256_file(path: Path, advance: Advance = unheard) -> str:
    """sha256 of a file's content; ``advance`` receives the number of bytes read."""
    sha = hashlib.sha256()
    with path.open("rb", buffering=0) as stream:
        while chunk := stream.read(_CHUNK):
            sha.update(chunk)
            advance(len(chunk))
    return sha.hexdigest()


def git_blob(size_bytes: int) -> hashlib._Hash:
    """The start of git's hash of a blob of this size: SHA-1 with the header, before the content.

    Source: git's documentation, "Git Objects".
    """
    return hashlib.sha1(b"blob %d\0" % size_bytes, usedforsecurity=False)


def git_blob_sha1(raw: bytes) -> str:
    """Git's digest of a file's content, which is the ETag of small files on the Hugging Face Hub."""
    found = git_blob(len(raw))
    found.update(raw)
    return found.hexdigest()
