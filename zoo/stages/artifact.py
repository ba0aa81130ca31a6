"""Names of files in artifacts that other rooms look for. Importing it loads nothing of what makes them."""
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from catalog import jsontext
from zoo.errors import Damaged, DamagedStep
from zoo.files import checked
from zoo.files.listing import FileRecord

MODEL_FILE = "model.gguf"
"""The exported model, in the artifact of ``export``."""

IMATRIX_FILE = "imatrix.gguf"
"""The importance matrix, in the artifact of ``imatrix``."""


RECORD = "artifact.json"


@dataclass(frozen=True)
class Artifact:
    """A finished step: ``files`` are sorted by path and never edited. ``facts`` is what the stage says of them."""

    kind: str
    key: str
    folder: Path
    files: tuple[FileRecord, ...]
    facts: Mapping[str, Any]
    memory: Path | None = field(default=None, compare=False, repr=False)

    def path(self, name: str) -> Path:
        """The place of one file, which is what it was when the step finished.

        Raises DamagedStep if it is not, Damaged if the artifact has no such file.
        """
        for record in self.files:
            if record.path == name:
                self._check(record)
                return self.folder / name
        raise Damaged(f"step {self.kind} has no file {name}", remedy=f"Delete {self.folder} and run again")

    def whole(self) -> Path:
        """The folder, every file of which is what it was when the step finished. Raises DamagedStep."""
        for record in self.files:
            self._check(record)
        return self.folder

    def _check(self, record: FileRecord) -> None:
        if not checked.is_sound(self.folder / record.path, record.path, record.sha256, self.memory):
            raise DamagedStep(self.kind, self.key, record.path)

    def json(self, name: str) -> Any:
        """The content of one JSON file."""
        return jsontext.read(self.path(name), bounded=False)
