"""A source or text that cannot be read is a problem of its recipe, with a line, and hides no other problem."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from tinygguf import make_tiny_gguf
from tinyzoo import as_a_user, make_tiny_zoo, plain_recipe, write_recipe

from zoo.__main__ import main

ROOT = os.geteuid() == 0
pytestmark = pytest.mark.skipif(ROOT and not shutil.which("setpriv"), reason="root reads every file")


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    folder = make_tiny_zoo(tmp_path / "zoo")
    shutil.copytree(folder / "models/teacher", folder / "models/other")
    student = {**plain_recipe(folder)["student"], "source": "file:models/other"}
    write_recipe(folder, plain_recipe(folder, "other", student=student, summary="TODO", languages=["nothing"]))
    (folder / "recipes/tutored.yaml").unlink()
    return folder


@pytest.mark.parametrize(("path", "key"), [
    ("models/teacher/model.safetensors", "student.source"), ("models/teacher/config.json", "student.source"),
    ("models/teacher", "student.source"), ("models", "student.source"), ("texts/words.txt", "corpus"),
])  # fmt: skip
def test_one_unreadable_file_hides_no_other_problem(zoo: Path, path: str, key: str) -> None:
    mode = (zoo / path).stat().st_mode
    (zoo / path).chmod(0)
    try:
        code, said = as_a_user(zoo, "check")
    finally:
        (zoo / path).chmod(mode)
    assert code == 2 and re.search(r"recipes/other\.yaml:\d+:\d+: languages", said), "the other recipe's problem"
    assert re.search(rf"recipes/plain\.yaml:\d+:\d+: {key}: ", said), said
    assert key == "corpus" or path == "models" or f"chmod u+rX {path}" in said


def test_the_same_of_a_gguf_file_and_for_the_doctor(zoo: Path) -> None:
    make_tiny_gguf(zoo / "models/m.gguf")
    recipe = plain_recipe(zoo, student={**plain_recipe(zoo)["student"], "source": "file:models/m.gguf"})
    write_recipe(zoo, recipe)
    (zoo / "models/m.gguf").chmod(0)
    code, said = as_a_user(zoo, "check")
    assert code == 2 and "recipes/other.yaml" in said
    assert re.search(r"recipes/plain\.yaml:\d+:\d+: student\.source: models/m\.gguf: it cannot be read", said)
    code, said = as_a_user(zoo, "doctor", "plain")
    assert code == 1 and "plain: models/m.gguf: it cannot be read" in said and "Python" in said


@pytest.mark.parametrize("links", [{"a": "a"}, {"a": "b", "b": "a"}], ids=["one", "two"])
def test_a_circle_of_links_is_named(
    zoo: Path, links: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = zoo / "models/teacher"
    names = {"a": "model.safetensors", "b": "elsewhere"}
    for one, other in links.items():
        (folder / names[one]).unlink(missing_ok=True)
        (folder / names[one]).symlink_to(names[other])
    monkeypatch.chdir(zoo)
    assert main(["check"]) == 2
    said = capsys.readouterr().out
    assert "model.safetensors is in a circle of links" in said and "recipes/other.yaml" in said
    assert main(["new", "fresh", "--source", "file:models/teacher"]) == 1
    said = capsys.readouterr().err
    assert "in a circle of links" in said and "bug" not in said
    shutil.rmtree(folder)
    folder.symlink_to("teacher")
    assert main(["check"]) == 2
    said = capsys.readouterr().out
    assert re.search(r"recipes/plain\.yaml:\d+:\d+: student\.source", said) and "recipes/other.yaml" in said
