"""Keeps the builder's folders out of published headers."""

from __future__ import annotations

import re
from pathlib import Path

from zoo.gguf.header import Header, read_header, rewrite_header
from zoo.gguf.layout import Scalar

_LOCAL_PATH = re.compile(
    r"^(?:/[^/\s]+/|~[\w.-]*/|[A-Za-z]:[\\/]|\\\\|file:)|(?:\s|=)/(?:home|tmp|root|Users|var)/"
)
_SPOKEN_FOR = ("tokenizer.",)


def local_path_keys(header: Header) -> list[str]:
    """Keys whose text looks like a path on the builder's machine, ``quantize.imatrix.file`` always,
    sorted.
    """
    return sorted(
        key
        for key, value in header.metadata.items()
        if not key.startswith(_SPOKEN_FOR)
        and isinstance(value, str)
        and (key == "quantize.imatrix.file" or _LOCAL_PATH.search(value))
    )


def drop_local_paths(path: Path) -> list[str]:
    """Rewrite the file in place without such keys; returns what was dropped."""
    keys = local_path_keys(read_header(path))
    if keys:
        removals: dict[str, Scalar | list[str] | None] = dict.fromkeys(keys)
        rewrite_header(path, path, removals)
    return keys
