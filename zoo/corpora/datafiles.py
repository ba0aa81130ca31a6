"""The files of a release's dataset with their digests, as evidence of the release: so the catalog pins the data too."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypedDict

from catalog import jsontext
from catalog.shapes import shaped
from zoo.errors import Damaged
from zoo.files import filelist
from zoo.files.digests import git_blob

SCHEMA = "dataset-files/1"
FILE = "dataset-files.json"


@dataclass(frozen=True)
class DataFile:
    """A file of the dataset repository. git_sha1: git's digest of a blob, the only digest that some hubs report."""

    path: str
    size_bytes: int
    sha256: str
    git_sha1: str


class _Listing(TypedDict):
    files: list[DataFile]


def listing(files: Mapping[str, Path]) -> dict[str, object]:
    """The evidence for files on this machine, by their path in the repository."""
    return {"schema": SCHEMA, "files": [asdict(_look(path, files[path])) for path in sorted(files)]}


def parse(raw: bytes) -> tuple[DataFile, ...]:
    """The files of a listing. Raises Damaged for an invalid listing."""
    try:
        files = filelist.checked(shaped(jsontext.parse(raw), _Listing)["files"])
        for file in files:
            filelist.refuse_other(file.git_sha1, 40)
    except ValueError:
        raise Damaged(f"{FILE} is not a valid list of files") from None
    return files


def _look(path: str, there: Path) -> DataFile:
    size = there.stat().st_size
    sha256, git = hashlib.sha256(), git_blob(size)
    with there.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            sha256.update(chunk)
            git.update(chunk)
    return DataFile(path, size, sha256.hexdigest(), git.hexdigest())
