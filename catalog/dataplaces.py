"""Where in a recipe the files of each part of its data are named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from catalog.jsontext import Json, JsonObject

Place = tuple[str | int, ...]

TUNE = ("teacher", "tune", "corpus")
"""The block with the conversations that a teacher is trained on."""

PLACES: Mapping[str, tuple[str, ...]] = {
    "train": ("corpus", "train"),
    "heldout": ("corpus", "heldout"),
    "evaluation": ("corpus", "evaluation"),
    "calibration": ("corpus", "calibration"),
    "tune.train": (*TUNE, "train"),
    "tune.heldout": (*TUNE, "heldout"),
}
"""By the name of the part (``catalog.recipe.Recipe.data``)."""

TEXTS = frozenset(("evaluation", "calibration"))
"""Parts with files of text; the others have files of records."""


def shown(part: str) -> str:
    """A part as a person reads it in the recipe, such as ``corpus.train``."""
    return ".".join(PLACES[part])


def entries(data: JsonObject) -> Iterator[tuple[str, Place, JsonObject]]:
    """(part, place, what is written there) of every file that a recipe names. Tolerates any shape."""
    for part, place in PLACES.items():
        files: Json = data
        for key in place:
            files = files.get(key) if isinstance(files, dict) else None
        for index, entry in enumerate(files if isinstance(files, list) else ()):
            if isinstance(entry, dict):
                yield part, (*place, index), entry
