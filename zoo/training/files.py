"""Scratch files of a training: either complete or missing; reading a broken one is not an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from catalog import jsontext
from zoo.files.digests import digest, pretty_json, sha256_file
from zoo.files.whole import fsync, write_atomic
from zoo.training.writing import writing


def weights_digest(folder: Path) -> str:
    """Digest of a model folder's configuration and weights (``config.json`` and every ``*.safetensors``)."""
    names = ["config.json", *sorted(path.name for path in folder.glob("*.safetensors"))]
    return digest([[name, sha256_file(folder / name)] for name in names])


def model_digest(model: Path) -> str:
    """Digest of a GGUF file, or ``weights_digest`` of a model folder."""
    return sha256_file(model) if model.is_file() else weights_digest(model)


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a temporary file next to ``path``, flush it to the disk and rename it."""
    temporary = path.with_name(f".{path.name}.part")
    with writing():
        write(temporary)
    fsync(temporary)
    temporary.chmod(0o644)
    temporary.replace(path)
    fsync(path.parent)


def write_json(path: Path, data: object) -> None:
    """Write JSON atomically."""
    write_atomic(path, pretty_json(data))


def read_json(path: Path) -> object:
    """The data of a JSON file, or None if it is absent or not JSON (then a scratch file is made again).
    """
    try:
        return jsontext.read(path, bounded=False)
    except (OSError, ValueError):
        return None
