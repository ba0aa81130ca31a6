"""Another environment of Python, for a package that cannot be installed together with this program's own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class OtherPython:
    """An environment as ``python -m venv`` makes it."""

    folder: Path

    @property
    def program(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def version(self, names: Iterable[str]) -> str:
        """The version of the first of these packages that is installed there; "" if none is. Nothing is run."""
        for name in names:
            pattern = f"lib/python3.*/site-packages/{name.replace('-', '_')}-*.dist-info"
            if found := next(self.folder.glob(pattern), None):
                return found.name.removesuffix(".dist-info").rpartition("-")[2]
        return ""
