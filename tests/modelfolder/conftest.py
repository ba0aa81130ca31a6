"""What the tests of model folders begin with."""

from __future__ import annotations

from pathlib import Path

import pytest
from foldersamples import sound


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return sound(tmp_path / "models" / "m")
