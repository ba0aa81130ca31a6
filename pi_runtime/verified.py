"""Open a model file and make sure that it is the one in its release's manifest, without a moment in between."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pi_runtime.notify import Notifier
from pi_runtime.service import Service
from pi_runtime.words import data_size

MANIFEST_BYTES = 16 << 20
CHUNK_BYTES = 1 << 20


class NotVerified(Exception):
    """The file is not the one in the manifest, or the manifest is not the expected one."""


class Unreadable(Exception):
    """A file is missing or cannot be read."""


@dataclass(frozen=True)
class Checked:
    """descriptor: of the open file, valid inside ``open_verified``."""

    descriptor: int
    sha256: str


def listed(service: Service) -> tuple[int, str]:
    """(size in bytes, sha256) of the model file in the manifest. Raises NotVerified, Unreadable."""
    path, model = Path(service.manifest), Path(service.model)
    try:
        with path.open("rb") as handle:
            raw = handle.read(MANIFEST_BYTES + 1)
    except OSError as error:
        raise Unreadable(f"The manifest {path} could not be read: {error.strerror}.") from error
    digest = hashlib.sha256(raw).hexdigest()
    if service.manifest_sha256 not in (None, digest):
        raise NotVerified(f"The manifest {path} has the sha256 {digest}, not {service.manifest_sha256}. {_next(model)}")
    try:
        files = {entry["path"]: entry for entry in json.loads(raw)["files"]}
        entry = files[os.path.relpath(model, path.parent)]
        return int(entry["size_bytes"]), str(entry["sha256"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        fault = f"The manifest {path} does not list {model.name} ({str(error)[:80]!r})."
        raise NotVerified(f"{fault} {_next(model)}") from error


@contextmanager
def open_verified(service: Service, notifier: Notifier) -> Iterator[Checked]:
    """The model file, open for reading, after its size and digest were compared with the manifest.

    Raises NotVerified if they differ, Unreadable if it cannot be opened.
    """
    size, wanted = listed(service)
    model = Path(service.model)
    try:
        descriptor = os.open(model, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise Unreadable(f"The model file {model} could not be opened: {error.strerror}.") from error
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise NotVerified(f"{model} is not a regular file. {_next(model)}")
        if facts.st_size != size:
            raise NotVerified(
                f"{model} has {data_size(facts.st_size)} ({facts.st_size} bytes), the manifest says {size} bytes. "
                f"{_next(model)}"
            )
        found = _digest(descriptor, model, size, notifier)
        if found != wanted:
            raise NotVerified(f"{model} has the sha256 {found}, the manifest says {wanted}. {_next(model)}")
        yield Checked(descriptor, found)
    finally:
        os.close(descriptor)


def _digest(descriptor: int, model: Path, size: int, notifier: Notifier) -> str:
    inner, at = hashlib.sha256(), 0
    while True:
        try:
            piece = os.pread(descriptor, CHUNK_BYTES, at)
        except OSError as error:
            raise Unreadable(f"{model} could not be read after {data_size(at)}: {error.strerror}.") from error
        if not piece:
            return inner.hexdigest()
        inner.update(piece)
        at += len(piece)
        notifier.extend(60)
        if at % (256 * CHUNK_BYTES) == 0:
            notifier.send(f"STATUS=checking the model file: {data_size(at)} of {data_size(size)}")


def _next(model: Path) -> str:
    return f"Nothing was started. Fetch the file again: pi-zoo pull {model.parent.parent.name}"
