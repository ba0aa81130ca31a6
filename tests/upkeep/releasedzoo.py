"""A zoo whose recipe ``plain`` is really released, and what its hub and catalog say. For tests of what comes after."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tinyzoo
import yaml
from publishsamples import serving

from catalog.release import Model
from zoo import catalogfile
from zoo import settings as settings_room
from zoo.__main__ import main
from zoo.files.digests import pretty_json
from zoo.hub import FolderHub


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zoo whose recipe ``plain`` is really released to a folder hub."""
    return tinyzoo.released_zoo(tmp_path_factory.mktemp("card"))


@pytest.fixture
def zoo(released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(released, tmp_path / "zoo", ignore=shutil.ignore_patterns("work"))
    monkeypatch.chdir(tmp_path / "zoo")
    return tmp_path / "zoo"


@pytest.fixture
def served(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The zoo's hub behind the real server, and the catalog as if the release had been published there."""
    with serving(zoo, monkeypatch) as address:
        catalog = zoo / "model_catalog.json"
        catalog.write_text(catalog.read_text().replace('"hub": "folder"', f'"hub": "{address}"'))
        with (zoo / "zoo.toml").open("a") as stream:
            stream.write(f'hub = "{address}"\n')
        yield address


def change(zoo: Path, **changes: Any) -> None:
    path = zoo / "recipes/plain.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes, sort_keys=False))


def repo(zoo: Path) -> Any:
    return FolderHub(zoo / "build/hub").repo("model", "tiny", "plain-gguf")


def card_at(zoo: Path, name: str) -> str:
    refs = repo(zoo).refs()
    with repo(zoo).open(refs.branches.get(name) or refs.tags[name], "README.md") as stream:
        return str(stream.read().decode())


def model_of(zoo: Path) -> Model:
    found = catalogfile.read_model(settings_room.load(zoo, {}, {}), "plain")
    assert found
    return found


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture(params=["folder", "http"])
def one(request: pytest.FixtureRequest, zoo: Path) -> Path:
    """A zoo with one model, whose hub is a folder or the server of one."""
    catalog = zoo / "model_catalog.json"
    data = json.loads(catalog.read_text())
    data["models"] = [model for model in data["models"] if model["name"] == "plain"]
    catalog.write_text(pretty_json(data))
    if request.param == "http":
        request.getfixturevalue("served")
    return zoo
