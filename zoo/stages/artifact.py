"""Names of files in artifacts that other rooms look for. Importing it does not load the stages that make them."""
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from catalog import jsontext
from zoo.errors import Damaged, DamagedStep
from zoo.files import checked
from zoo.files.listing import FileRecord

MODEL_FILE = "model.gguf"
"""The exported model, in the artifact of ``export``."""

IMATRIX_FILE = "imatrix.gguf"
"""The importance matrix, in the artifact of ``imatrix``."""

ANSWERS_FILE = "label-report.json"
"""Counts of the teacher's answers and every prompt without a valid one, next to labelled rows."""


RECORD = "artifact.json"


@dataclass(frozen=True)
class Artifact:
    """A finished step: ``files`` are sorted by path and never edited. ``facts`` are the stage's facts about them."""

    kind: str
    key: str
    folder: Path
    files: tuple[FileRecord, ...]
    facts: Mapping[str, object]
    memory: Path | None = field(default=None, compare=False, repr=False)

    def path(self, name: str) -> Path:
        """The path of one file, verified to be unchanged since the step finished.

        Raises DamagedStep if it has changed, Damaged if the artifact has no such file.
        """
        for record in self.files:
            if record.path == name:
                self._check(record)
                return self.folder / name
        raise Damaged(f"step {self.kind} has no file {name}", remedy=f"Delete {self.folder} and run again")

    def whole(self) -> Path:
        """The folder, with every file verified to be unchanged since the step finished. Raises DamagedStep."""
        for record in self.files:
            self._check(record)
        return self.folder

    def _check(self, record: FileRecord) -> None:
        if not checked.is_sound(self.folder / record.path, record.path, record.sha256, self.memory):
            raise DamagedStep(self.kind, self.key, record.path)

    def model(self) -> Path:
        """The model folder of a step that makes weights: ``model`` of a training, which also has reports, else
        ``whole``."""
        folder = self.whole()
        return folder / "model" if (folder / "model").is_dir() else folder

    def json(self, name: str) -> object:
        """The content of one JSON file."""
        return jsontext.read(self.path(name), bounded=False)
