"""What trials of tokenizers found, remembered next to the converter: one small file for each trial.

A trial takes seconds of a processor, and every command that reads a recipe would repeat it. Its result follows from the
files of the model, the installed converter and packages, and our own code; a digest of all these is its name.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from catalog import jsontext
from catalog.shapes import shaped
from zoo import extras
from zoo.files.digests import digest, sha256_file
from zoo.files.whole import write_atomic
from zoo.llama.convert import source

MEMORY = Path(sys.prefix) / "llama.cpp-trials"
"""In the Python environment, like the converter: the results are valid for what is installed there."""
CODE = ("llama", "modelfolder", "training")
"""Rooms whose code a trial runs."""
PACKAGES = ("torch", "transformers", "tokenizers", "sentencepiece", "gguf")


@dataclass(frozen=True)
class Refused:
    """Why a tokenizer cannot be written. where: the file concerned, or empty."""

    what: str
    remedy: str
    where: str = ""


def key(files: Mapping[str, Path], lost: tuple[str, ...]) -> str:
    """The name of the trial of these files. lost: tokens that are removed before it."""
    return digest({
        "files": {name: sha256_file(path) for name, path in files.items()},
        "lost": list(lost),
        "converter": converter(),
        "packages": {name: extras.version(name) for name in PACKAGES},
        "python": sys.version,
        "code": _code(),
    })  # fmt: skip


def converter() -> str:
    """The version of the converter that a trial runs."""
    return source.version()


def recall(name: str) -> tuple[bool, Refused | None]:
    """(whether the trial has a stored result, why it refused)."""
    try:
        found = jsontext.read(MEMORY / f"{name}.json")
        return True, None if found is None else shaped(found, Refused)
    except (OSError, ValueError):
        return False, None


def keep(name: str, refused: Refused | None) -> None:
    """Store a trial's result. If the environment cannot be written, the trial is repeated."""
    try:
        write_atomic(MEMORY / f"{name}.json", json.dumps(refused and asdict(refused)))
    except OSError:
        return


def _code() -> str:
    house = Path(__file__).parents[1]
    inner = hashlib.sha256()
    for path in sorted(path for room in CODE for path in (house / room).rglob("*.py")):
        inner.update(path.read_bytes())
    return inner.hexdigest()
