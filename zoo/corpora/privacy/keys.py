"""The secret key of a corpus: made at random, kept by its owner alone or by nobody, forgotten on request."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from zoo.corpora.privacy.placeholders import KEY_BYTES
from zoo.errors import InputError

_MAGIC = "zoo-corpus-key/1 "


def fresh() -> bytes:
    """A new key that nobody keeps."""
    return secrets.token_bytes(KEY_BYTES)


def kept(path: Path) -> bytes:
    """The key in a file, which is made if it does not exist, readable by its owner alone. Raises InputError for a file
    that others may read or that holds no key; OSError."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return _read(path)
    key = fresh()
    with os.fdopen(handle, "w", encoding="ascii") as stream:
        stream.write(f"{_MAGIC}{key.hex()}\n")
        stream.flush()
        os.fsync(stream.fileno())
    return key


def forget(path: Path) -> None:
    """Overwrite and delete a key. Raises InputError for a file that holds no key; OSError."""
    _read(path)
    with path.open("r+b") as stream:
        stream.write(secrets.token_bytes(path.stat().st_size))
        stream.flush()
        os.fsync(stream.fileno())
    path.unlink()


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise InputError(f"{path} is not a file with a key", remedy="Name the file that you gave to --key")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise InputError(f"others may read the key in {path}", remedy=f"Run: chmod 600 {path}")
    with path.open("rb") as stream:
        text = stream.read(200).decode("ascii", errors="replace").strip()
    try:
        key = bytes.fromhex(text.removeprefix(_MAGIC)) if text.startswith(_MAGIC) else b""
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise InputError(f"{path} holds no key", remedy="Name another file: one that does not exist is made")
    return key
