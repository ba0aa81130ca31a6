"""A model that moved to another hub: commands without --hub go where the catalog says, without the user's token."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

from hubserving import Start
from releasedzoo import call, change, model_of
from releasedzoo import released as released
from releasedzoo import zoo as zoo

from zoo import settings as settings_room
from zoo.hub import FolderHub
from zoo.hub.approved import is_named_by_user
from zoo.hub.located import at_home
from zoo.progress import Silent
from zoo.settings import CATALOG, Settings

pytest_plugins = ["hubserving"]
pytestmark = pytest.mark.usefixtures("online")


@pytest.fixture
def moved(zoo: Path, start: Start, capsys: pytest.CaptureFixture[str]) -> str:
    """The address of the hub that a published version moved to; zoo.toml still names the folder."""
    address = start(folder=zoo / "public").address
    code, _, err = call(capsys, "publish", "plain", "--move", "--hub", address)
    assert code == 0, err
    shutil.rmtree(zoo / "build/hub")
    return address


@pytest.mark.parametrize("command", [["release"], ["publish"], ["publish", "--repair"], ["publish", "--dry-run"]])
def test_commands_without_a_hub_go_where_the_catalog_says(
    command: list[str], moved: str, zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog = (zoo / "model_catalog.json").read_bytes()
    code, out, err = call(capsys, command[0], "plain", *command[1:])
    assert code == 0, err
    assert err.count(f"the catalog says that plain is at {moved}") == 1 and f'hub = "{moved}"' in err
    assert (zoo / "model_catalog.json").read_bytes() == catalog and not (zoo / "build/hub").exists()
    assert "was released before" in out or command[1:], out


def home(zoo: Path, flags: dict[str, str], environment: dict[str, str], version: str = "1.0.0") -> Settings:
    return at_home("plain", version, settings_room.load(zoo, dict(flags), environment), Silent())


def test_a_new_version_goes_there_too_and_a_named_hub_stays(moved: str, zoo: Path) -> None:
    there = home(zoo, {}, {}, "9.0.0")
    assert (there.hub, there.values["hub"].origin) == (moved, CATALOG)
    assert not is_named_by_user(there), "a catalog must not decide who receives the token"
    assert there.namespace == model_of(zoo).releases[0].location.model.name.partition("/")[0]
    assert home(zoo, {"namespace": "mine"}, {}).namespace == "mine"
    for given in (({"hub": "build/hub"}, {}), ({}, {"ZOO_HUB": "elsewhere"}), ({"hub": "http://127.0.0.1:1"}, {})):
        assert home(zoo, *given).values["hub"].origin != CATALOG
    assert at_home("other", "1.0.0", settings_room.load(zoo, {}, {}), Silent()).hub == "build/hub"


def test_a_mirror_after_a_correction_has_the_corrected_card(
    zoo: Path, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    address = start(folder=zoo / "public").address
    change(zoo, summary="Words that a reader understands.")
    assert call(capsys, "card", "plain", "--publish")[0] == 0
    code, _, err = call(capsys, "publish", "plain", "--mirror", "--hub", address)
    assert code == 0, err
    repo = FolderHub(zoo / "public").repo("model", "tiny", "plain-gguf")
    with repo.open(repo.refs().branches["main"], "README.md") as stream:
        assert b"Words that a reader understands." in stream.read(), "a mirror gets the corrected card"
    code, out, err = call(capsys, "watch", "--no-upstream")
    assert code == 0, out + err
