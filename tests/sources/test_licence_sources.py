"""Licence texts of a source: zoo lock fetches them into the zoo, check asks for them, and the release carries them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tinygguf import make_tiny_gguf
from tinyzoo import make_tiny_zoo, plain_recipe, write_recipe

from catalog import licencefiles
from catalog.checks import check_recipe
from catalog.lock import Lock, Pin, PinnedFile
from catalog.sources import PackageSource
from zoo.__main__ import main
from zoo.files.digests import sha256_file
from zoo.plan import foresight
from zoo.sources import licences
from zoo.sources import packages as packagesource
from zoo.sources.resolve import content_sha256

TEXT = "A licence of these weights.\n"
Changed = Callable[..., Path]


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny zoo; its plain recipe names the LICENSE of its source, a model folder."""
    made = make_tiny_zoo(tmp_path / "zoo")
    recipe = plain_recipe(made)
    folder = made / recipe["student"]["source"].removeprefix("file:")
    (folder / "LICENSE").write_text(TEXT, encoding="utf-8")
    recipe["student"]["sha256"] = content_sha256(folder, made)
    recipe["licence_files"] = ["student:LICENSE"]
    write_recipe(made, recipe)
    monkeypatch.chdir(made)
    return made


def test_an_entry_has_its_place_in_the_zoo() -> None:
    assert licencefiles.path_in_zoo("licences/NOTICE", "m") == "licences/NOTICE"
    assert licencefiles.path_in_zoo("student:LICENSE", "m") == "licences/m/LICENSE"
    assert licencefiles.path_in_zoo("teacher:LICENSE.txt", "m") == "licences/m/LICENSE-teacher.txt"
    for other in ("licence:LICENSE", "student:a/LICENSE", "student:", "student"):
        assert licencefiles.of_source(other) is None


def test_check_asks_for_it_lock_fetches_it_and_the_plan_has_it(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = zoo / "recipes/plain.yaml"
    (problem,) = check_recipe(path, zoo).problems
    assert problem.path == "licence_files[0]" and "student:LICENSE" in problem.what
    assert problem.instead == "Fetch it from the source with: zoo lock recipes/plain.yaml"
    assert main(("lock", "plain", "--json")) == 0
    assert json.loads(capsys.readouterr().out)["licence_texts"] == ["licences/plain/LICENSE"]
    assert (zoo / "licences/plain/LICENSE").read_text(encoding="utf-8") == TEXT
    assert not check_recipe(path, zoo).problems


def test_a_copy_that_is_not_the_text_of_the_pinned_source_is_named(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The copy was changed by hand, or the pin moved on without it."""
    path, copy = zoo / "recipes/plain.yaml", zoo / "licences/plain/LICENSE"
    assert main(("lock", "plain")) == 0
    assert not check_recipe(path, zoo).problems
    copy.write_text("Other terms.\n", encoding="utf-8")
    (problem,) = check_recipe(path, zoo).problems
    assert problem.instead == "Fetch it again with: zoo lock recipes/plain.yaml"
    assert problem.path == "licence_files[0]" and "is not the LICENSE of the student's source" in problem.what
    assert main(("lock", "plain")) == 0 and copy.read_text(encoding="utf-8") == TEXT
    assert not check_recipe(path, zoo).problems
    capsys.readouterr()


def test_a_copy_is_compared_with_a_later_pin_of_a_hub_source(zoo: Path) -> None:
    recipe = plain_recipe(zoo)
    recipe["licence_files"] = ["student:LICENSE"]
    recipe["student"]["source"] = uri = "hf:some/model"
    recipe["student"].pop("sha256", None)
    write_recipe(zoo, recipe)
    copy = zoo / "licences/plain/LICENSE"
    copy.parent.mkdir(parents=True)
    copy.write_text(TEXT, encoding="utf-8")
    path = zoo / "recipes/plain.yaml"
    for text, wrong in ((TEXT, 0), ("New terms.\n", 1)):
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        pin = Pin("c" * 40, (PinnedFile("LICENSE", len(text), sha256), PinnedFile("config.json", 2, "a" * 64)))
        path.with_name("plain.lock.yaml").write_text(Lock({uri: pin}).to_text(), encoding="utf-8")
        found = check_recipe(path, zoo).problems
        assert len([one for one in found if one.path == "licence_files[0]"]) == wrong, found
        assert len(found) == wrong


def test_what_the_source_lacks_is_named_and_nothing_is_written(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = plain_recipe(zoo)
    for entry, said in (
        ("student:NOTICE", "the source has no file NOTICE"),
        ("student:model.safetensors", "is not the name of a licence text"),
    ):
        recipe["licence_files"] = [entry]
        write_recipe(zoo, recipe)
        assert main(("lock", "plain")) == 1
        assert said in "".join(capsys.readouterr())
    assert not (zoo / "licences").exists()
    recipe["licence_files"] = ["teacher:LICENSE"]
    write_recipe(zoo, recipe)
    assert any("the recipe has no teacher" in p.what for p in check_recipe(zoo / "recipes/plain.yaml", zoo).problems)


@pytest.mark.parametrize("name", ["../../outside", "/tmp", ".."])
def test_a_name_that_leads_outside_writes_nothing(name: str, zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = {**plain_recipe(zoo), "name": name, "licence_files": ["student:LICENSE"]}
    (zoo / "recipes/plain.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    before = set(zoo.parent.rglob("LICENSE*"))
    assert main(("lock", "plain")) == 1
    assert set(zoo.parent.rglob("LICENSE*")) == before
    assert "Traceback" not in "".join(capsys.readouterr())


def test_a_text_next_to_a_single_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "models").mkdir()
    (tmp_path / "zoo.toml").touch()
    make_tiny_gguf(tmp_path / "models/m.gguf")
    (tmp_path / "models/NOTICE").write_text(TEXT, encoding="utf-8")
    recipe = {"student": {"source": "file:models/m.gguf", "licence": "MIT"}, "licence_files": ["student:NOTICE"]}
    (tmp_path / "recipes/it.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(("lock", "it")) == 0
    assert (tmp_path / "licences/it/NOTICE").read_text(encoding="utf-8") == TEXT


def test_a_text_of_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the package's metadata, where wheels keep it, or beside the model."""
    place = tmp_path / "site"
    info = place / "tiny_model-1.0.dist-info"
    (info / "licenses").mkdir(parents=True)
    (place / "tiny_model").mkdir()
    files = {
        "tiny_model/NOTICE": "beside\n", "tiny_model-1.0.dist-info/licenses/LICENSE": TEXT,
        "tiny_model-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n",
    }  # fmt: skip
    for name, text in files.items():
        (place / name).write_text(text, encoding="utf-8")
    make_tiny_gguf(place / "tiny_model/m.gguf")
    names = ("tiny_model/m.gguf", *files)
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in names), encoding="utf-8")
    monkeypatch.syspath_prepend(str(place))
    source = PackageSource("tiny_model", "m.gguf")
    found = packagesource.beside(source, "LICENSE")
    assert found is not None and found.read_text(encoding="utf-8") == TEXT
    beside = packagesource.beside(source, "NOTICE")
    assert beside is not None and beside.parent.name == "tiny_model"
    assert packagesource.beside(source, "COPYING") is None
    zoo = tmp_path / "zoo"
    (zoo / "recipes").mkdir(parents=True)
    (zoo / "zoo.toml").touch()
    recipe = {
        "name": "it", "teacher": {"source": "package:tiny_model/m.gguf", "licence": "MIT"},
        "licence_files": ["teacher:LICENSE"],
    }  # fmt: skip
    (zoo / "recipes/it.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    monkeypatch.chdir(zoo)
    assert main(("lock", "it")) == 0
    text = zoo / "licences/it/LICENSE-teacher"
    assert hashlib.sha256(text.read_bytes()).hexdigest() == hashlib.sha256(TEXT.encode()).hexdigest()
    assert licences.sha256_in_package("package:tiny_model/m.gguf", "LICENSE", root=zoo) == sha256_file(text)


def test_a_copy_of_a_packages_text_is_compared_with_the_installed_package(
    zoo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = zoo.parent / "site-packages"
    info = place / "tiny_model-1.0.dist-info"
    info.mkdir(parents=True)
    (place / "tiny_model").mkdir()
    make_tiny_gguf(place / "tiny_model/m.gguf")
    (place / "tiny_model/LICENSE").write_text(TEXT, encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n", encoding="utf-8")
    (info / "RECORD").write_text("tiny_model/m.gguf,,\ntiny_model/LICENSE,,\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(place))
    recipe = plain_recipe(zoo)
    recipe["licence_files"] = ["student:LICENSE"]
    recipe["student"] |= {"source": "package:tiny_model/m.gguf", "sha256": sha256_file(place / "tiny_model/m.gguf")}
    write_recipe(zoo, recipe)
    monkeypatch.chdir(zoo)
    assert main(("lock", "plain")) == 0
    for text, wrong in ((TEXT, 0), ("New terms.\n", 1)):
        (place / "tiny_model/LICENSE").write_text(text, encoding="utf-8")
        found = foresight.problems(check_recipe(zoo / "recipes/plain.yaml", zoo), zoo)
        assert [one.path for one in found if "is not the LICENSE" in one.what] == ["licence_files[0]"] * wrong
