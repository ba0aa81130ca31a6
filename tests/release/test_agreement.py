"""A release that contradicts itself is not published: every field, one by one, on a really built release."""

from __future__ import annotations

import dataclasses
import errno
import shutil
from pathlib import Path

import pytest
import tinyzoo

from catalog.checks import check_recipe
from catalog.recipe import Recipe
from catalog.release import Release
from zoo.release import load
from zoo.release.assemble import unfinished
from zoo.release.selfcheck import disagreements


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tinyzoo.released_zoo(tmp_path_factory.mktemp("agreement"))


@pytest.fixture
def parts(built: Path, tmp_path: Path) -> tuple[Recipe, Release, Path]:
    checked = check_recipe(built / "recipes" / "plain.yaml", built)
    assert checked.recipe
    shutil.copytree(built / "build/releases/plain/1.0.0", tmp_path / "release")
    folder = load(tmp_path / "release")
    assert folder
    return checked.recipe, folder.release, tmp_path / "release"


def test_a_complete_release_agrees(parts: tuple[Recipe, Release, Path]) -> None:
    assert disagreements(*parts) == []


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "gemma3", "architecture of"),
        ("parameters", 7, "parameters of"),
        ("context_tokens", 77, "context_tokens of"),
        ("layers", 99, "block_count of"),
        ("vocabulary_size", 5, "vocabulary_size of"),
        ("template_sha256", "0" * 64, "template_sha256 of"),
    ],
)
def test_architecture(parts: tuple[Recipe, Release, Path], field: str, value: object, said: str) -> None:
    recipe, release, folder = parts
    wrong = dataclasses.replace(release.architecture, **{field: value})
    assert any(
        said in line
        for line in disagreements(recipe, dataclasses.replace(release, architecture=wrong), folder)
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"licence": "MIT"}, "licence of"),
        ({"version": "9.9.9"}, "version of"),
        ({"name": "other"}, "name of"),
        ({"context_tokens": 10**6}, "context length"),
    ],
)
def test_recipe(parts: tuple[Recipe, Release, Path], change: dict[str, object], said: str) -> None:
    recipe, release, folder = parts
    assert any(said in line for line in disagreements(dataclasses.replace(recipe, **change), release, folder))


def test_the_recipes_source(parts: tuple[Recipe, Release, Path]) -> None:
    recipe, release, folder = parts
    for change, said in (
        ({"parameters": 7}, "parameters"),
        ({"upstream": "someone/else"}, "base model on the card"),
    ):
        wrong = dataclasses.replace(recipe, student=dataclasses.replace(recipe.student, **change))
        assert any(said in line for line in disagreements(wrong, release, folder))


def test_one_flipped_byte_of_a_model_file(parts: tuple[Recipe, Release, Path]) -> None:
    recipe, release, folder = parts
    path = folder / "model" / release.files[1].path
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    # The release folder holds links to the work folder, so the copy is written again.
    path.unlink()
    path.write_bytes(raw)
    lines = disagreements(recipe, release, folder)
    assert any(release.files[1].path in line and "the release says sha256" in line for line in lines)


def test_an_evidence_file_that_changed(parts: tuple[Recipe, Release, Path]) -> None:
    recipe, release, folder = parts
    path = folder / "model" / "evidence" / release.evidence[0].path
    text = path.read_text(encoding="utf-8")
    path.unlink()
    path.write_text(text + " ", encoding="utf-8")
    assert any(release.evidence[0].path in line for line in disagreements(recipe, release, folder))


def test_a_card_that_says_otherwise(parts: tuple[Recipe, Release, Path]) -> None:
    recipe, release, folder = parts
    card = folder / "model" / "README.md"
    text = card.read_text(encoding="utf-8")
    card.unlink()
    card.write_text(text.replace("version: 1.0.0", "version: 1.0.1"), encoding="utf-8")
    assert any("version on the card" in line for line in disagreements(recipe, release, folder))


def test_the_measured_file(parts: tuple[Recipe, Release, Path]) -> None:
    """The figures are of the released files without their words, and of nothing else."""
    recipe, release, folder = parts
    first, *others = release.files
    wrong = dataclasses.replace(first, measured_sha256="0" * 64)
    (line,) = disagreements(recipe, dataclasses.replace(release, files=(wrong, *others)), folder)
    assert line.startswith(f"  {first.path}: the file that was measured has sha256 {'0' * 16}, without the words")
    older = dataclasses.replace(first, measured_sha256=None)
    assert disagreements(recipe, dataclasses.replace(release, files=(older, *others)), folder) == []


def test_an_unfinished_folder_is_deleted_and_a_finished_one_kept(tmp_path: Path) -> None:
    """It may be what fills the disk. One that a killed process left is deleted by the next."""
    target = tmp_path / "1.0.0"
    (tmp_path / ".1.0.0.new-killed").mkdir()
    with pytest.raises(OSError, match="No space"), unfinished(target) as folder:
        (folder / "part").write_bytes(b"part")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []
    with unfinished(target) as folder:
        folder.rename(target)
    assert list(tmp_path.iterdir()) == [target]
