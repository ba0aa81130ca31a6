"""What was published is recorded in the catalog, with its evidence, once and unchanged."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
from pathlib import Path

import pytest
from publishsamples import make_release, publish, settings, with_evidence, zoo
from smalldisk import mounted

from catalog import index
from catalog.release import Location, Repository
from zoo import catalogfile as records_room
from zoo import settings as settings_room
from zoo.errors import InputError, ZooError
from zoo.publish import record
from zoo.settings import Settings

FIXTURES = (settings, zoo)


def test_recording(zoo: Path, settings: Settings) -> None:
    release = with_evidence(make_release(zoo))
    location = publish(release, settings).location
    assert record.record(release, location, settings) is True
    catalog = records_room.read_catalog(settings.catalog, "x")
    entry = catalog.release(release.model.name, "1.0.0")
    assert entry and entry.location == location
    manifest = (release.folder / "model" / "MANIFEST.json").read_bytes()
    assert location.model.manifest_sha256 == hashlib.sha256(manifest).hexdigest()
    evidence = settings.evidence / release.model.name / "1.0.0" / "gates.json"
    assert evidence.read_text(encoding="utf-8") == "[]"
    before = settings.catalog.read_bytes()
    assert record.record(release, location, settings) is False
    evidence.write_text("damaged", encoding="utf-8")
    assert record.record(release, location, settings) is False
    assert evidence.read_text(encoding="utf-8") == "[]"
    assert settings.catalog.read_bytes() == before


def test_recording_other_content_or_into_a_broken_catalog_changes_nothing(
    zoo: Path, settings: Settings
) -> None:
    release = with_evidence(make_release(zoo))
    location = publish(release, settings).location
    record.record(release, location, settings)
    before = settings.catalog.read_bytes()
    other = dataclasses.replace(release, release=dataclasses.replace(release.release, date="2030-01-01"))
    with pytest.raises(ZooError, match="is in the catalog with different content"):
        record.record(other, location, settings)
    assert settings.catalog.read_bytes() == before
    settings.catalog.write_bytes(before[:-20])
    with pytest.raises(InputError, match="the catalog is not valid"):
        record.record(other, location, settings)
    assert settings.catalog.read_bytes() == before[:-20]


def test_an_absent_catalog_is_empty_and_a_folder_is_invalid(tmp_path: Path) -> None:
    assert records_room.read_catalog(tmp_path / "none.json", "x") == index.EMPTY
    with pytest.raises(InputError, match="the catalog cannot be read"):
        records_room.read_catalog(tmp_path, "x")


# --- Checked before anything is published


def with_catalog(zoo: Path, path: str, **more: str) -> Settings:
    return settings_room.load(zoo, {"catalog": path, **more}, {})


def test_a_missing_folder_of_the_catalog_is_made(zoo: Path) -> None:
    mine = with_catalog(zoo, "data/deep/model_catalog.json", evidence="elsewhere/evidence")
    release = with_evidence(make_release(zoo))
    record.refuse_unwritable(mine)
    location = publish(release, mine).location
    assert record.record(release, location, mine) is True
    assert (zoo / "data/deep/model_catalog.json").is_file() and (zoo / "elsewhere/evidence").is_dir()
    # Recording itself does not leave a file at the folder's path either.
    other = with_catalog(zoo, "new/catalog.json")
    assert record.record(release, location, other) is True
    assert (zoo / "new/catalog.json").is_file()
    assert records_room.change(with_catalog(zoo, "third/catalog.json"), lambda catalog: catalog)[1] is False


def test_a_catalog_that_cannot_be_written_is_named_before(zoo: Path) -> None:
    (zoo / "data").touch()
    (zoo / "folder.json").mkdir()
    for mine, words in (
        (
            with_catalog(zoo, "data/catalog.json"),
            "the folder of the catalog cannot be made: a file has the same path",
        ),
        (with_catalog(zoo, "data/deeper/catalog.json"), "a file has the same path"),
        (with_catalog(zoo, "folder.json"), "the catalog is a folder here"),
        (with_catalog(zoo, "catalog.json", evidence="data/e"), "the folder of the evidence cannot be made"),
    ):
        with pytest.raises(ZooError, match=words) as caught:
            record.refuse_unwritable(mine)
        assert caught.value.safe == "Nothing was published." and caught.value.remedy


def test_a_catalog_on_a_file_system_that_is_read_only(zoo: Path) -> None:
    with mounted(zoo / "data", "1m") as folder:
        (folder / "catalog.json").write_text(index.to_text(index.EMPTY), encoding="utf-8")
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        with pytest.raises(ZooError, match="the catalog cannot be written"):
            record.refuse_unwritable(with_catalog(zoo, "data/catalog.json"))


def test_a_release_that_the_catalog_could_not_hold(zoo: Path, settings: Settings) -> None:
    release = make_release(zoo)
    place = Location("folder", Repository("local/tutor-gguf", "0" * 40, "v0"), None)
    record.refuse_invalid(release, place, settings)
    file = dataclasses.replace(release.release.files[0], bits_per_weight=1e300)
    odd = dataclasses.replace(release, release=dataclasses.replace(release.release, files=(file,)))
    with pytest.raises(ZooError, match="would not be valid") as caught:
        record.refuse_invalid(odd, place, settings)
    assert "bits_per_weight" in caught.value.what and caught.value.safe == "Nothing was published."
