"""A clone whose catalog is older than the hub turns nothing newer back, whatever command writes to the hub."""

from __future__ import annotations

from pathlib import Path

import pytest
from publishsamples import complete_release, through_flow
from releasedzoo import call, card_at, change
from releasedzoo import released as released
from releasedzoo import served as served
from releasedzoo import zoo as zoo

from catalog.release import YankEvent
from zoo import settings as settings_room
from zoo.hub import FolderHub
from zoo.upkeep import banner, yank

REASON = "It never stops."


@pytest.fixture(params=["folder", "http"])
def there(request: pytest.FixtureRequest, zoo: Path) -> Path:
    """A released zoo with either kind of hub."""
    if request.param == "http":
        request.getfixturevalue("served")
    return zoo


@pytest.mark.parametrize("command", [
    ["yank", "plain@1.0.0", "--reason", "Another reason."], ["card", "plain", "--publish"],
    ["publish", "plain", "--repair"],
])  # fmt: skip
def test_a_notice_that_the_catalog_does_not_know_stays(
    command: list[str], there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog = there / "model_catalog.json"
    older = catalog.read_bytes()
    assert call(capsys, "yank", "plain@1.0.0", "--reason", REASON)[0] == 0
    change(there, summary="Words that a reader understands.")
    card = card_at(there, "main")
    assert REASON in card
    catalog.write_bytes(older)
    assert "get the newest catalog, for example with: git pull" in call(capsys, "watch", "--no-upstream")[1]
    code, out, err = call(capsys, *command)
    if "--repair" not in command:
        assert code == 2 and "older than the hub" in err and "git pull" in err, out + err
    assert card_at(there, "main") == card and catalog.read_bytes() == older
    assert call(capsys, "card", "plain", "--publish", "--force")[0] == 0, "a notice that nobody of ours wrote can go"
    assert REASON not in card_at(there, "main")


@pytest.mark.parametrize("command", [
    ["yank", "plain@1.0.0", "--reason", "Another reason."], ["card", "plain", "--publish"],
    ["publish", "plain", "--repair"],
])  # fmt: skip
def test_a_notice_that_was_taken_off_does_not_come_back(
    command: list[str], there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog = there / "model_catalog.json"
    released = card_at(there, "main")
    assert call(capsys, "yank", "plain@1.0.0", "--reason", REASON)[0] == 0
    older = catalog.read_bytes()
    assert call(capsys, "unyank", "plain@1.0.0", "--reason", "It stops.")[0] == 0
    card = card_at(there, "main")
    assert card == released
    assert call(capsys, "watch", "--no-upstream")[0] == 0
    catalog.write_bytes(older)
    code, out, _ = call(capsys, "watch", "--no-upstream")
    assert code == 3 and "lacks the notice" in out and "get the newest catalog, for example with: git pull" in out
    change(there, summary="Words that a reader understands.")
    code, out, err = call(capsys, *command)
    if "--repair" not in command:
        assert code == 2 and "version 1.0.0 is available again" in err and "git pull" in err, out + err
    assert card_at(there, "main") == card and catalog.read_bytes() == older


def test_a_correction_that_the_catalog_does_not_know_stays(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    catalog = there / "model_catalog.json"
    older = catalog.read_bytes()
    change(there, summary="Words that a reader understands.")
    assert call(capsys, "card", "plain", "--publish")[0] == 0
    card = card_at(there, "main")
    catalog.write_bytes(older)
    assert "get the newest catalog, for example with: git pull" in call(capsys, "watch", "--no-upstream")[1]
    change(there, summary="Older words.")
    code, _, err = call(capsys, "card", "plain", "--publish")
    assert code == 2 and "has a correction that the catalog here does not have" in err and "git pull" in err
    assert card_at(there, "main") == card and catalog.read_bytes() == older
    assert call(capsys, "yank", "plain@1.0.0", "--reason", REASON)[0] == 0
    assert banner.take_off(card_at(there, "main")) == card and REASON in card_at(there, "main")


def test_a_new_version_does_not_replace_a_card_with_an_unknown_notice(tmp_path: Path) -> None:
    (tmp_path / "zoo.toml").touch()
    settings = settings_room.load(tmp_path, {}, {})
    through_flow(complete_release(tmp_path), settings)
    older = settings.catalog.read_bytes()
    event = YankEvent("1.0.0", "2026-11-24", "yank", REASON, "low", None)
    assert yank.yank("smollm2-135m-instruct", event, settings=settings).banner.state == "committed"
    there = FolderHub(tmp_path / "build/hub").repo("model", "local", "tutor-gguf")
    head, objects = there.refs(), sum(1 for _ in (tmp_path / "build/hub/objects").rglob("*"))
    settings.catalog.write_bytes(older)
    with pytest.raises(banner.OlderCatalog, match=r"version 1\.0\.0 was withdrawn on 2026-11-24"):
        through_flow(complete_release(tmp_path, "1.1.0", "more"), settings)
    assert there.refs() == head
    assert sum(1 for _ in (tmp_path / "build/hub/objects").rglob("*")) == objects, "no byte was sent"
