"""Files that are either whole or not there: written under a temporary name, flushed to the disk, then
renamed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def file_digest(path: Path) -> str:
    """SHA-256 of the file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def data_digest(data: Any) -> str:
    """SHA-256 of JSON-ready data in one canonical spelling, in hex."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def weights_digest(folder: Path) -> str:
    """Digest of a model folder's configuration and weights (``config.json`` and every ``*.safetensors``)."""
    names = ["config.json", *sorted(path.name for path in folder.glob("*.safetensors"))]
    return data_digest([[name, file_digest(folder / name)] for name in names])


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, flush it to the disk and rename it."""
    temporary = path.with_name(f".{path.name}.part")
    write(temporary)
    flush(temporary)
    temporary.chmod(0o666 & ~_umask())
    temporary.replace(path)
    flush(path.parent)


def write_json(path: Path, data: Any) -> None:
    """Write JSON (two-space indent, keys in the order given, final newline) whole or not at all."""
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(path, lambda part: _fill(part, text))


def read_json(path: Path) -> Any:
    """The data of a JSON file, or None when it is absent or not JSON (a scratch file is then simply made
    again).
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def flush(path: Path) -> None:
    """fsync of a file or folder, so that a rename after it never shows an empty file after a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _fill(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
