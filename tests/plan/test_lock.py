"""zoo lock pins sources that it can reach, and reports the others."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from tinygguf import make_tiny_gguf

from catalog.checks import check_recipe
from catalog.lock import Lock
from zoo.__main__ import main

RECIPE = "student: {{source: '{source}', licence: MIT}}\n"


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "zoo.toml").write_text("")
    (tmp_path / "recipes").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(zoo: Path, source: str) -> Path:
    path = zoo / "recipes" / "it.yaml"
    path.write_text(RECIPE.format(source=source))
    return path


def test_a_file_is_pinned_by_its_digest(zoo: Path) -> None:
    weights = make_tiny_gguf(zoo / "weights.gguf")
    path = write(zoo, "file:weights.gguf")
    assert any("not pinned by a sha256" in problem.what for problem in check_recipe(path, zoo).problems)
    assert main(["lock", "it"]) == 0
    lock, problems = Lock.read(zoo / "recipes" / "it.lock.yaml", "it.lock.yaml")
    assert problems == []
    assert lock.sha256("file:weights.gguf") == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert not any("not pinned by a sha256" in problem.what for problem in check_recipe(path, zoo).problems)


def test_a_file_that_is_no_lock_is_not_replaced(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_tiny_gguf(zoo / "weights.gguf")
    write(zoo, "file:weights.gguf")
    other = zoo / "recipes/it.lock.yaml"
    other.write_text("name: it.lock\n")
    assert main(["lock", "it"]) == 2
    said = capsys.readouterr().err
    assert "recipes/it.lock.yaml: this file is not a lock file" in said and other.read_text() == "name: it.lock\n"
    # A lock file that a merge damaged is written anew.
    other.write_text("<<<<<<< ours\nzoo_lock: 1\n")
    assert main(["lock", "it"]) == 0 and Lock.read(other, "it.lock.yaml")[0].pins


def test_a_hub_that_cannot_be_reached_is_a_sentence(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(zoo, "hf:some-org/some-model@main")
    assert main(["lock", "it"]) == 1
    told = capsys.readouterr().err
    assert "hf:some-org/some-model" in told
    assert "Traceback" not in told
    assert not (zoo / "recipes" / "it.lock.yaml").exists()


def test_a_file_that_is_not_there_is_named(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(zoo, "package:no_such_module/weights.gguf")
    assert main(["lock", "it"]) == 1
    said = capsys.readouterr().err
    assert "No installed package has the module no_such_module" in said and "pip install" not in said


def test_a_recipe_that_pins_another_digest_is_refused_by_lock_and_by_check(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = make_tiny_gguf(zoo / "weights.gguf")
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    path, lock = write(zoo, "file:weights.gguf"), zoo / "recipes" / "it.lock.yaml"
    assert main(["lock", "it"]) == 0
    before = lock.read_bytes()
    recipe = path.read_text()
    path.write_text(recipe.replace("licence: MIT", f"sha256: {'a' * 64}, licence: MIT"))
    found = [one for one in check_recipe(path, zoo).problems if one.path == "student.sha256"]
    assert [one.what for one in found] == [f"the recipe pins another sha256 than its lock file, {digest}"]
    capsys.readouterr()
    assert main(["lock", "it"]) == 1
    said = capsys.readouterr().err
    assert f"zoo: file:weights.gguf has sha256 {digest}, but the recipe pins {'a' * 64}" in said
    assert lock.read_bytes() == before
    path.write_text(recipe.replace("licence: MIT", f"sha256: {digest}, licence: MIT"))
    assert main(["lock", "it"]) == 0
    assert not [one for one in check_recipe(path, zoo).problems if one.path == "student.sha256"]


@pytest.mark.parametrize("content", [b"hello", b"", b"GGUF\x03\x00"])
def test_a_file_that_check_refuses_is_not_pinned(
    content: bytes, zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (zoo / "weights.gguf").write_bytes(content)
    write(zoo, "file:weights.gguf")
    assert main(["lock", "it"]) == 1
    said = capsys.readouterr().err
    assert "weights.gguf" in said and str(zoo) not in said and "Fetch or build the file again" in said
    assert not (zoo / "recipes/it.lock.yaml").exists()
