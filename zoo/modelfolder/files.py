"""Which files of a model folder count, and where they are when they are links."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from catalog import shell
from zoo.errors import ModelFileError, is_no_memory, remedy_for
from zoo.modelfolder.commands import FileRefused

CONFIG = "config.json"
INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
TOKENIZER_CONFIG = "tokenizer_config.json"
TOKENIZER = (
    "tokenizer.json",
    TOKENIZER_CONFIG,
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
)
"""Files of a tokenizer that the import reads or copies."""
LICENCES = ("LICENSE*", "LICENCE*", "NOTICE*", "USE_POLICY*")
USED = (
    CONFIG,
    "generation_config.json",
    *TOKENIZER,
    "model*.safetensors",
    INDEX,
    "adapter_config.json",
    *LICENCES,
)
"""Patterns of the files of the root that the import reads, or that a release must include. Subfolders are not read."""

LINKS_REMEDY = "Copy the files that the links point to: cp -rL FOLDER NEW_FOLDER"


@contextlib.contextmanager
def reading(path: Path, root: Path | None = None) -> Iterator[None]:
    """Turns an OSError of reading the source ``path`` (a file or folder) into a ModelFileError with the file's place.

    It is then a problem of one source, and hides nothing about the others. root: the zoo's folder.
    """
    try:
        yield
    except OSError as error:
        if is_no_memory(error):
            raise
        file = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else path
        place = file.relative_to(root).as_posix() if root and file.is_relative_to(root) else file.name

        mine, advice = isinstance(error, PermissionError) and _is_mine(file), remedy_for(error)
        raise FileRefused(
            f"it cannot be read: {error.strerror or error}",
            where="" if place == "." else place,
            remedy=lambda place: f"Fix the permissions: chmod u+rX {shell.argument(place)}" if mine else advice,
        ) from error


def _is_mine(path: Path) -> bool:
    """Whether this user owns the file, so that chmod can help."""
    try:
        return path.stat().st_uid == os.geteuid()
    except OSError:
        return False


def is_used(name: str, shards: Iterable[str] = ()) -> bool:
    """Whether a path inside a model folder counts. ``shards`` are the files that the index of the weights names."""
    return "/" not in name and (name in set(shards) or any(fnmatchcase(name, pattern) for pattern in USED))


def listed(folder: Path, root: Path | None = None, shards: Iterable[str] = ()) -> dict[str, Path]:
    """Name to real path of every file of ``folder`` that counts, sorted by name.

    A link is followed when it stays inside ``root`` (the zoo's folder), inside the folder itself, or inside the hub
    client's cache that the folder belongs to. Raises ModelFileError for any other link, and for anything that is not a
    file.
    """
    shards = set(shards)
    names = sorted(entry.name for entry in os.scandir(folder))
    return {name: _real(folder, name, root) for name in names if is_used(name, shards)}


def _real(folder: Path, name: str, root: Path | None) -> Path:
    path = folder / name
    if path.is_symlink():
        try:
            path.stat()
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOENT, errno.ENOTDIR):
                raise
            kind = "in a circle of links" if error.errno == errno.ELOOP else "a link to a missing file"
            raise ModelFileError(
                f"{name} is {kind}", where=folder.name,
                remedy="Fetch the file again, or copy the folder from a complete one with: cp -rL FOLDER NEW_FOLDER",
            ) from error  # fmt: skip
        target = path.resolve()
        if not any(target.is_relative_to(place) for place in _allowed(folder, root)):
            raise ModelFileError(
                f"{name} is a link to a place outside the zoo's folder", where=folder.name, remedy=LINKS_REMEDY
            )
        path = target
    if not path.is_file():
        raise ModelFileError(
            f"{name} is not a file", where=folder.name, remedy="Remove it, or replace it with the file"
        )
    return path


def _allowed(folder: Path, root: Path | None) -> list[Path]:
    """Folders in which a link of ``folder`` may end: itself, the zoo, and ``models--X`` of a hub client's cache."""
    real = folder.resolve()
    places = [real] + ([root.resolve()] if root else [])
    # models--ORG--NAME/snapshots/COMMIT/FILE -> ../../blobs/DIGEST
    if real.parent.name == "snapshots":
        places.append(real.parent.parent / "blobs")
    return places


def view(files: Mapping[str, Path], target: Path, leave_out: Iterable[str] = ()) -> Path:
    """A new folder ``target`` that shows ``files`` by name and nothing else, as links."""
    target.mkdir(parents=True)
    for name, path in files.items():
        if name not in leave_out:
            (target / name).symlink_to(path.resolve())
    return target
