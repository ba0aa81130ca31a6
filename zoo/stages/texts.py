"""The texts of a corpus artifact for llama.cpp."""

from __future__ import annotations

from pathlib import Path

from zoo.llama.measure.windows import Text
from zoo.stages.artifact import Artifact


def texts(artifact: Artifact, part: str, *, by_path: bool = False) -> list[Text]:
    """The texts of one part (``evaluation`` or ``calibration``), named by file, or by their path in the zoo."""
    return [
        Text(
            file["path"] if by_path else Path(file["path"]).name,
            file["language"],
            artifact.path(file["name"]).read_text(encoding="utf-8"),
        )
        for file in artifact.facts[part]
    ]
