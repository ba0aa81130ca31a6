"""What was published is recorded in the catalog, with its evidence, once and unchanged."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from publishsamples import make_release, publish, settings, with_evidence, zoo

from catalog import index
from zoo import records as records_room
from zoo.errors import InputError, ZooError
from zoo.settings import Settings

FIXTURES = (settings, zoo)


def test_recording(zoo: Path, settings: Settings) -> None:
    release = with_evidence(make_release(zoo))
    location = publish(release, settings).location
    assert records_room.record(release, location, settings) is True
    catalog = records_room.read_catalog(settings.catalog, "x")
    entry = catalog.release(release.model.name, "1.0.0")
    assert entry and entry.location == location
    evidence = settings.evidence / release.model.name / "1.0.0" / "gates.json"
    assert evidence.read_text(encoding="utf-8") == "[]"
    before = settings.catalog.read_bytes()
    assert records_room.record(release, location, settings) is False
    evidence.write_text("damaged", encoding="utf-8")
    assert records_room.record(release, location, settings) is False
    assert evidence.read_text(encoding="utf-8") == "[]"
    assert settings.catalog.read_bytes() == before


def test_recording_other_content_or_into_a_broken_catalog_changes_nothing(
    zoo: Path, settings: Settings
) -> None:
    release = with_evidence(make_release(zoo))
    location = publish(release, settings).location
    records_room.record(release, location, settings)
    before = settings.catalog.read_bytes()
    other = dataclasses.replace(release, release=dataclasses.replace(release.release, date="2030-01-01"))
    with pytest.raises(ZooError, match="is in the catalog with other content"):
        records_room.record(other, location, settings)
    assert settings.catalog.read_bytes() == before
    settings.catalog.write_bytes(before[:-20])
    with pytest.raises(InputError, match="the catalog is not sound"):
        records_room.record(other, location, settings)
    assert settings.catalog.read_bytes() == before[:-20]


def test_an_absent_catalog_is_empty_and_a_folder_is_none(tmp_path: Path) -> None:
    assert records_room.read_catalog(tmp_path / "none.json", "x") == index.EMPTY
    with pytest.raises(InputError, match="the catalog cannot be read"):
        records_room.read_catalog(tmp_path, "x")
