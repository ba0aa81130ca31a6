"""The figures of the catalog belong to the files: what was measured is the file without the words of its header."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest
from sitesamples import sample
from tinygguf import make_tiny_gguf

from catalog.index import Catalog
from catalog.release import Release
from zoo.files.listing import FileRecord
from zoo.gguf import wording
from zoo.progress import Silent
from zoo.pull import accounts, verifying


@pytest.fixture
def pulled(tmp_path: Path) -> tuple[Path, Release]:
    """A folder with one real file and its manifest, and the release that has it."""
    folder, measured = tmp_path / "pulled", tmp_path / "measured.gguf"
    folder.mkdir()
    make_tiny_gguf(tmp_path / "raw.gguf")
    wording.place(tmp_path / "raw.gguf", measured, {})
    model = sample().models[0]
    release = model.releases[0]
    path = folder / release.files[0].path
    wording.place(measured, path, {"general.version": release.version})
    found = FileRecord(path.name, path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
    manifest = {"name": model.name, "version": release.version, "files": [vars(found)]}
    (folder / "MANIFEST.json").write_text(json.dumps(manifest))
    file = dataclasses.replace(
        release.files[0],
        size_bytes=found.size_bytes,
        sha256=found.sha256,
        measured_sha256=hashlib.sha256(measured.read_bytes()).hexdigest(),
    )
    return folder, dataclasses.replace(release, files=(file,), evidence=(), terms=None)


def differences(folder: Path, release: Release) -> list[str]:
    model = dataclasses.replace(sample().models[0], releases=(release,))
    found = verifying.folder(folder, Catalog((model,)), "pulled", Silent())
    assert "catalog" in found.against
    return [one.sentence for one in found.differences]


def test_the_files_that_were_measured_are_accepted(pulled: tuple[Path, Release]) -> None:
    folder, release = pulled
    assert differences(folder, release) == []
    # An older record does not tell.
    (file,) = release.files
    older = dataclasses.replace(release, files=(dataclasses.replace(file, measured_sha256=None),))
    assert differences(folder, older) == []


def test_figures_of_another_file_are_a_difference(pulled: tuple[Path, Release]) -> None:
    folder, release = pulled
    (file,) = release.files
    wrong = dataclasses.replace(release, files=(dataclasses.replace(file, measured_sha256="0" * 64),))
    (line,) = differences(folder, wrong)
    assert line.startswith(f"{file.path}: it is not the file that was measured (expected {'0' * 64}, got ")
    # A file that is not here cannot be compared, and is no difference.
    (folder / file.path).unlink()
    assert list(accounts.measured_against_catalog(folder, wrong)) == []
