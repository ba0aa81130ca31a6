"""The engine of "Try it in the browser" and files of the folder hub in the site."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from sitesamples import sample, write_evidence

from catalog import index
from catalog.index import Catalog
from zoo import settings as settings_room
from zoo import site
from zoo.errors import Damaged
from zoo.progress import Silent
from zoo.settings import Settings
from zoo.site import tryout
from zoo.site.tryout import Package

pytest.importorskip("mkdocs")
CONTENT = b"GGUF and the rest"


def a_package(folder: Path) -> Package:
    """A package as ``npm pack`` leaves it."""
    folder.mkdir(parents=True)
    with tarfile.open(folder / "one-engine-1.0.0.tgz", "w:gz") as archive:
        for name, content in (("package/run.js", b"run()"), ("package/other.js", b"other()")):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    digest = hashlib.sha512((folder / "one-engine-1.0.0.tgz").read_bytes()).digest()
    integrity = "sha512-" + base64.b64encode(digest).decode()
    return Package("@one/engine", "1.0.0", integrity, {"run.js": "one/run.js"})


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A zoo with one model in a folder hub, two files of it, and the package ``@one/engine``."""
    (tmp_path / "zoo.toml").write_text("")
    model = sample().models[1]
    release = model.releases[0]
    digest = hashlib.sha256(CONTENT).hexdigest()
    small = dataclasses.replace(release.files[1], size_bytes=len(CONTENT), sha256=digest)
    release = dataclasses.replace(release, files=(release.files[0], small))
    catalog = Catalog((dataclasses.replace(model, releases=(release,)),))
    (tmp_path / "model_catalog.json").write_text(index.to_text(catalog), encoding="utf-8")
    write_evidence(catalog, tmp_path / "site" / "evidence")
    place = tmp_path / "build" / "hub" / "objects" / digest[:2] / digest
    place.parent.mkdir(parents=True)
    place.write_bytes(CONTENT)
    monkeypatch.setattr(tryout, "PACKAGES", (a_package(tmp_path / "build" / "npm"),))
    return settings_room.load(tmp_path, {}, {})


def told(folder: Path) -> dict[str, object]:
    data: dict[str, object] = json.loads((folder / "try" / "site.json").read_text())
    return data


def test_engine_and_small_files_become_part_of_the_site(zoo: Settings) -> None:
    built = site.build(zoo, Silent(), files_megabytes=1).folder
    here = "download/smollm2-tutor-57m/1.1.0/model-Q8_0.gguf"
    assert told(built)["files"] == [here] and (built / here).read_bytes() == CONTENT
    assert told(built)["engine"] == {"@one/engine": "1.0.0"}
    assert (built / "try/engine/one/run.js").read_bytes() == b"run()"
    assert not list(built.rglob("other.js"))
    again = site.build(zoo, Silent()).folder
    assert told(again)["files"] == [] and not (again / "download").exists()
    assert (again / "try/engine/one/run.js").is_file()


@pytest.mark.parametrize("access", ["private", "gated-auto"])
def test_a_site_carries_nothing_that_not_everybody_may_read(access: str, zoo: Settings) -> None:
    text = (zoo.root / "model_catalog.json").read_text(encoding="utf-8")
    closed = text.replace('"location": {', f'"location": {{"access": "{access}",')
    assert closed != text
    (zoo.root / "model_catalog.json").write_text(closed, encoding="utf-8")
    built = site.build(zoo, Silent(), files_megabytes=1).folder
    assert told(built)["files"] == [] and not (built / "download").exists()


def test_without_the_packages_the_page_says_how_to_get_them(zoo: Settings) -> None:
    for file in (zoo.root / "build" / "npm").iterdir():
        file.unlink()
    built = site.build(zoo, Silent()).folder
    assert told(built)["engine"] is None and "&& npm pack @wllama/wllama@" in str(told(built)["how"])
    assert not (built / "try/engine").exists()


def test_a_package_with_another_digest_is_refused(zoo: Settings) -> None:
    old = site.build(zoo, Silent()).folder
    (zoo.root / "build" / "npm" / "one-engine-1.0.0.tgz").write_bytes(b"another")
    (zoo.root / "model_catalog.json").touch()
    (old.with_name(f".{old.name}.json")).unlink()
    with pytest.raises(Damaged, match=r"one-engine-1\.0\.0\.tgz is not @one/engine 1\.0\.0"):
        site.build(zoo, Silent())
    assert (old / "try/engine/one/run.js").read_bytes() == b"run()"


def test_pinned_packages_are_whole() -> None:
    for package in tryout.PACKAGES:
        assert base64.b64decode(package.integrity.removeprefix("sha512-"), validate=True).__len__() == 64
        assert package.file.endswith(f"-{package.version}.tgz") and "/" not in package.file
    documented = Path(__file__).parents[2] / "site/docs/how-to/try-in-the-browser.md"
    assert tryout.HOW in documented.read_text(encoding="utf-8")
