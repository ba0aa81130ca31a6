"""Lists of a large catalog: from the record while nothing changed, and never from an old one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sitesamples import sample

from catalog import entries, index
from zoo import catalogfile
from zoo.settings import Settings, load
from zoo.views import outline


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A zoo whose catalog counts as a large one."""
    (tmp_path / "zoo.toml").touch()
    (tmp_path / "build/work").mkdir(parents=True)
    (tmp_path / "model_catalog.json").write_text(index.to_text(sample()), encoding="utf-8")
    monkeypatch.setattr(catalogfile, "REMEMBERED_BYTES", 1)
    return load(tmp_path, {}, {})


def test_a_record_has_what_the_models_say(large: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [outline.entry(model) for model in sample().models]
    assert list(outline.read(large)) == wanted
    assert (large.work / outline.MEMORY).is_file()
    monkeypatch.setattr(entries, "model", lambda _: pytest.fail("it is unchanged"))
    assert list(outline.read(large)) == wanted


def test_only_a_model_that_changed_is_read_again(large: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    outline.read(large)
    text = large.catalog.read_text(encoding="utf-8")
    large.catalog.write_text(text.replace('"en",\n          "fr-CA"', '"en",\n          "de"'), encoding="utf-8")
    before, read = entries.model, list[str]()
    with monkeypatch.context() as patched:
        patched.setattr(outline.entries, "model", lambda piece: read.append(entries.name(piece)) or before(piece))
        changed = outline.read(large)
    assert "en de" in [one.languages for one in changed] or large.catalog.read_text(encoding="utf-8") == text
    assert len(set(read)) <= 1


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"rules": "old", "stamp": [], "models": {}}'])
def test_a_damaged_record_is_made_again(damage: str, large: Settings) -> None:
    wanted = outline.read(large)
    path = large.work / outline.MEMORY
    path.write_text(damage, encoding="utf-8")
    assert list(outline.read(large)) == list(wanted)
    assert json.loads(path.read_text(encoding="utf-8"))["models"]


def test_an_unknown_model_names_the_nearest(large: Settings) -> None:
    with pytest.raises(Exception, match="no model") as raised:
        outline.model(large, "smollm2-135m-instruc")
    assert "smollm2-135m-instruct" in str(raised.value)


def test_the_kept_measurement_is_of_this_benchmark() -> None:
    terminal = pytest.importorskip("benchmarks.terminal")
    path = Path(__file__).parents[2] / "benchmarks/results/terminal.json"
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert kept["schema"] == terminal.SCHEMA and kept["targets"] == terminal.TARGETS
    assert kept["models"] == terminal.MODELS
    assert kept["kept"] and kept["missed"] == []
