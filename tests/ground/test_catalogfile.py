"""The catalog file model by model: the same as the complete file, checked once, and again after every change."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest
from sitesamples import model_and_release

from catalog import entries, index
from catalog.index import Catalog, with_release
from catalog.release import Model
from zoo import catalogfile
from zoo import settings as settings_room
from zoo.errors import Damaged, InputError
from zoo.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A zoo in which a catalog of any size is remembered."""
    monkeypatch.setattr(catalogfile, "REMEMBERED_BYTES", 0)
    (tmp_path / "zoo.toml").touch()
    return settings_room.load(tmp_path, {}, {})


def catalog_of(*names: str) -> Catalog:
    found = index.EMPTY
    for name in names:
        found = with_release(found, *model_and_release(name=name))
    return found


def write(settings: Settings, catalog: Catalog) -> None:
    settings.catalog.write_text(index.to_text(catalog), encoding="utf-8")


def put(settings: Settings, name: str, version: str = "1.0.0") -> bool:
    pair = model_and_release(version, name=name)
    return catalogfile.change_model(settings, name, lambda known: with_release(known, *pair))


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the models that are parsed and checked from now on."""
    names: list[str] = []
    real = entries.model

    def model(piece: str) -> Model | None:
        names.append(entries.name(piece))
        return real(piece)

    monkeypatch.setattr(entries, "model", model)
    return names


@pytest.mark.parametrize("seed", range(3))
def test_model_by_model_is_the_same_file_as_a_complete_one(settings: Settings, seed: int) -> None:
    dice = random.Random(seed)
    whole = index.EMPTY
    for _ in range(25):
        name, version = dice.choice("abcdefgh") * dice.randint(1, 3), f"{dice.randint(1, 3)}.0.0"
        changed = with_release(whole, *model_and_release(version, name=name))
        assert put(settings, name, version) is (changed != whole)
        whole = changed
        assert settings.catalog.read_text(encoding="utf-8") == index.to_text(whole)
    for model in whole.models:
        assert catalogfile.read_model(settings, model.name) == model
    for absent in ("", "A", "aaaaa", "b-", "zz", "é"):
        assert catalogfile.read_model(settings, absent) is None


@pytest.mark.parametrize("block", [16, 100, 1 << 16])
def test_pieces_are_found_whatever_is_read_at_a_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(entries, "_BLOCK", block)
    models = [dataclasses.replace(catalog_of("m").models[0], name=f"m-{number:02}") for number in range(20)]
    if block == 16:
        models = [dataclasses.replace(model, releases=()) for model in models[:6]]
    text = index.to_text(Catalog(tuple(models)))
    settings.catalog.write_text(text, encoding="utf-8")
    with settings.catalog.open("rb") as stream:
        cut = entries.Cut(stream.fileno())
        assert [piece.decode() for piece in cut.pieces()] == entries.split(text)
        for model in models:
            place = cut.find(model.name)
            assert place.there and cut.text(place) == entries.piece_of(model)
            assert b"".join(cut.with_piece(place, entries.piece_of(model))) == text.encode()
        assert not cut.find("m-").there and not cut.find("z").there


def test_a_catalog_that_nobody_touched_is_not_checked_again(settings: Settings, looked_at: list[str]) -> None:
    write(settings, catalog_of("a", "b", "c"))
    assert catalogfile.read_model(settings, "b")
    assert looked_at == ["a", "b", "c", "b"]
    looked_at.clear()
    assert catalogfile.read_model(settings, "c") and catalogfile.is_sound(settings)
    assert put(settings, "bb") and catalogfile.read_model(settings, "bb")
    # The new one before it is written, and when it is asked for.
    assert looked_at == ["c", "bb", "bb"]


def test_after_a_change_by_hand_the_new_texts_are_checked(settings: Settings, looked_at: list[str]) -> None:
    write(settings, catalog_of("a", "b", "c"))
    assert catalogfile.is_sound(settings)
    looked_at.clear()
    changed = settings.catalog.read_text(encoding="utf-8").replace('"name": "b"', '"name": "bc"')
    settings.catalog.write_text(changed, encoding="utf-8")
    assert catalogfile.is_sound(settings)
    assert looked_at == ["bc"]


@pytest.mark.parametrize("later", [0, 0.05])
def test_a_change_of_the_same_size_with_the_old_time_is_seen(settings: Settings, later: float) -> None:
    write(settings, catalog_of("a", "b"))
    assert catalogfile.is_sound(settings)
    put(settings, "c")
    time.sleep(later)
    before = settings.catalog.stat()
    with settings.catalog.open("r+b") as stream:
        stream.seek(settings.catalog.read_bytes().index(b'"languages"'))
        stream.write(b'"languagez"')
    if later:
        os.utime(settings.catalog, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(InputError, match=r'model_catalog\.json:\d+:\d+: .*unknown key "languagez"'):
        catalogfile.read_model(settings, "c")
    assert not catalogfile.is_sound(settings)
    with pytest.raises(InputError, match="unknown key"):
        put(settings, "d")


@pytest.mark.parametrize("names", ["ba", "aa"])
def test_models_that_are_not_sorted_are_refused_by_every_way_in(settings: Settings, names: str) -> None:
    models = [catalog_of(name).models[0] for name in names]
    write(settings, Catalog(tuple(models)))
    for ask in (lambda: catalogfile.read_model(settings, "a"), lambda: put(settings, "c")):
        with pytest.raises(InputError, match="not sorted by name"):
            ask()
    assert not (settings.work / catalogfile.MEMORY).exists()


def test_a_catalog_in_another_form_is_read_completely_and_written_in_ours(settings: Settings) -> None:
    whole = catalog_of("a", "c")
    settings.catalog.write_text(json.dumps(json.loads(index.to_text(whole))), encoding="utf-8")
    assert catalogfile.read_model(settings, "c") == whole.models[1]
    put(settings, "b")
    assert settings.catalog.read_text(encoding="utf-8") == index.to_text(catalog_of("a", "b", "c"))


@pytest.mark.parametrize("damage", [b"", b"[]\n", b"\xff\n", b'{"rules": 1, "stamp": null}\n', b"[" * 9999])
def test_a_damaged_memory_only_costs_time(settings: Settings, looked_at: list[str], damage: bytes) -> None:
    write(settings, catalog_of("a"))
    assert catalogfile.is_sound(settings)
    (settings.work / catalogfile.MEMORY).write_bytes(damage)
    assert catalogfile.is_sound(settings) and put(settings, "b")
    assert looked_at == ["a", "a", "b"]


def test_other_rules_make_the_memory_void(
    settings: Settings, looked_at: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(settings, catalog_of("a"))
    assert catalogfile.is_sound(settings)
    monkeypatch.setattr(catalogfile, "rules", lambda: "another version of the checks")
    assert catalogfile.is_sound(settings)
    assert looked_at == ["a", "a"]


def test_a_write_that_fails_changes_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    write(settings, catalog_of("a", "b"))
    before = settings.catalog.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            put(settings, "c")
    assert settings.catalog.read_bytes() == before
    assert [path.name for path in settings.catalog.parent.iterdir() if path.name.startswith(".model")] == []
    assert put(settings, "c")


def test_what_the_catalog_could_not_hold_is_not_written(settings: Settings) -> None:
    write(settings, catalog_of("a"))
    before = settings.catalog.read_bytes()
    odd = dataclasses.replace(catalog_of("b").models[0], releases=())
    with pytest.raises(Damaged, match="cannot store b"):
        catalogfile.change_model(settings, "b", lambda known: Catalog((*known.models, odd)))
    assert settings.catalog.read_bytes() == before


def test_a_small_catalog_leaves_no_memory(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    put(settings, "a")
    assert catalogfile.read_model(settings, "a") and not settings.work.exists()
