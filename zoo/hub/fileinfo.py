"""What a hub says of a file without sending it."""

from __future__ import annotations

from dataclasses import dataclass

ABSENT_FILE, ABSENT_COMMIT = "file", "commit"


@dataclass(frozen=True)
class Served:
    """absent: None, ``file`` or ``commit``. Of sha256 and git_sha1 a hub tells one, or neither."""

    absent: str | None
    size_bytes: int | None = None
    sha256: str | None = None
    git_sha1: str | None = None
