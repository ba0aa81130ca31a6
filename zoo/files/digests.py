"""Canonical JSON texts, and digests of them and of files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from zoo.progress import Advance, unheard

_CHUNK = 1 << 20


def canonical_json(value: object) -> str:
    """The canonical JSON text of a value: sorted keys, no spaces, no NaN. Digests are taken of this."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def pretty_json(value: object) -> str:
    """JSON for people and for diffs: sorted keys, two spaces, no NaN, a final newline."""
    return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def digest(value: object) -> str:
    """sha256 of the canonical JSON."""
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
