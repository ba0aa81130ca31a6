"""A model at its place and at a mirror that has only some of its versions: notices, and what commands say of both."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

pytest.importorskip("huggingface_hub")

from hubserving import Start
from publishsamples import complete_release, through_flow
from releasedzoo import call

from zoo import settings as settings_room
from zoo.cli.answers import result_of
from zoo.hub import FolderHub
from zoo.plan.prepare import Planned
from zoo.publish.places import Way
from zoo.settings import Settings

pytest_plugins = ["hubserving"]
pytestmark = pytest.mark.usefixtures("online")
MODEL = "smollm2-135m-instruct"
YANK = ["yank", f"{MODEL}@1.0.0", "--reason", "It never stops."]


@pytest.fixture
def mirror(tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a mirror that has version 1.1.0 of a model, and not 1.0.0."""
    (tmp_path / "zoo.toml").touch()
    monkeypatch.chdir(tmp_path)
    address = start(folder=tmp_path / "public").address
    for version in ("1.0.0", "1.1.0"):
        through_flow(complete_release(tmp_path, version), settings_room.load(tmp_path, {}, {}))
    through_flow(complete_release(tmp_path, "1.1.0"), there(tmp_path, address), Way.MIRROR)
    return address


def there(zoo: Path, address: str) -> Settings:
    return settings_room.load(zoo, {"hub": address}, {})


def card(zoo: Path, folder: str) -> str:
    repo = FolderHub(zoo / folder).repo("model", "local", "tutor-gguf")
    with repo.open(repo.refs().branches["main"], "README.md") as stream:
        return str(stream.read().decode())


def test_a_mirror_lists_only_what_is_withdrawn_of_its_own_versions(
    mirror: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = call(capsys, *YANK)
    assert code == 0 and "mirror" not in out, out + err
    code, out, err = call(capsys, "yank", f"{MODEL}@1.1.0", "--reason", "Nor this one.")
    assert code == 0 and f"The mirror on {mirror} shows the same." in out, out + err
    assert "Version 1.0.0" in card(tmp_path, "build/hub") and "Version 1.1.0" in card(tmp_path, "build/hub")
    assert "Version 1.0.0" not in card(tmp_path, "public") and "Version 1.1.0" in card(tmp_path, "public")
    out = call(capsys, "watch", "--no-upstream")[1]
    assert "notice" not in out, "what was written is what a watch expects"
    assert call(capsys, "unyank", f"{MODEL}@1.1.0", "--reason", "It stops.")[0] == 0
    assert "withdrawn" not in card(tmp_path, "public") and "Version 1.0.0" in card(tmp_path, "build/hub")
    assert "notice" not in call(capsys, "watch", "--no-upstream")[1]


def test_a_repair_writes_at_each_place_what_a_watch_expects(
    mirror: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(capsys, *YANK)[0] == 0
    before = card(tmp_path, "public")
    call(capsys, "publish", MODEL, "--repair", "--hub", mirror)
    assert card(tmp_path, "public") == before
    assert "notice" not in call(capsys, "watch", "--no-upstream")[1]


def test_show_names_the_mirrors_of_a_version(
    mirror: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"Mirror on hub {mirror}: local/tutor-gguf, commit" in call(capsys, "show", MODEL)[1]
    assert "Mirror on hub" not in call(capsys, "show", f"{MODEL}@1.0.0")[1]


def test_a_new_version_names_the_mirror_that_lacks_it(mirror: str, tmp_path: Path) -> None:
    settings = settings_room.load(tmp_path, {}, {})

    def said(version: str, way: Way, there: Settings) -> str:
        planned = cast("Planned", SimpleNamespace(plan=SimpleNamespace(name=MODEL, version=version)))
        done = through_flow(complete_release(tmp_path, version), there, way)
        return str(result_of(planned, done, there, way)["sentence"])

    lacks = f"The mirror {mirror} lacks it: zoo publish {MODEL} --mirror --hub {mirror}"
    assert lacks in said("1.2.0", Way.PLACE, settings)
    assert "lacks" not in said("1.2.0", Way.PLACE, settings), "it was released before"
    assert "lacks" not in said("1.2.0", Way.MIRROR, there(tmp_path, mirror))
    assert lacks in said("1.3.0-rc.1", Way.PLACE, settings)


def test_a_yank_at_one_hub_names_the_others_that_serve_the_version(
    mirror: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    yank = ("yank", f"{MODEL}@1.1.0", "--reason", "Nor this one.")
    code, _, err = call(capsys, *yank, "--hub", mirror)
    assert code == 0 and "build/hub also serves this version" in err and "without --hub" in err
    assert "Version 1.1.0" in card(tmp_path, "public") and "Version 1.1.0" not in card(tmp_path, "build/hub")
    code, _, err = call(capsys, *yank, "--hub", "build/hub")
    assert code == 0 and f"{mirror} also serves this version" in err
    code, out, err = call(capsys, *yank)
    assert code == 0 and "also serve" not in err and "Version 1.1.0" in card(tmp_path, "build/hub"), out + err


def test_a_version_that_moved_alone_is_no_difference_where_the_others_are(
    mirror: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    through_flow(complete_release(tmp_path, "1.0.0"), there(tmp_path, mirror), Way.MOVE)
    code, out, err = call(capsys, "watch", "--no-upstream")
    assert code == 0, out + err
