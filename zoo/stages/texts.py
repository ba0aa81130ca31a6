"""The texts of a corpus artifact for llama.cpp."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from catalog.jsonvalues import tables
from catalog.recipe import build
from zoo.llama.measure.windows import Text
from zoo.stages.artifact import Artifact


@dataclass(frozen=True)
class Kept:
    """A file of the zoo's corpus as the artifact of ``corpus`` holds it: under ``name``, from ``path`` in the zoo."""

    path: str
    name: str
    sha256: str
    language: str


def kept(artifact: Artifact, part: str) -> list[Kept]:
    """The files of one part (``train``, ``heldout``, ``evaluation`` or ``calibration``)."""
    return [build(Kept, file) for file in tables(artifact.facts[part])]


def texts(artifact: Artifact, part: str, *, by_path: bool = False) -> list[Text]:
    """The texts of one part (``evaluation`` or ``calibration``), named by file, or by their path in the zoo."""
    return [
        Text(
            file.path if by_path else Path(file.path).name,
            file.language,
            artifact.path(file.name).read_text(encoding="utf-8"),
        )
        for file in kept(artifact, part)
    ]
