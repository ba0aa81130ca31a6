"""A publication that was stopped between its commit and its tag: what a watch and a repair say, and what ends it."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

from hubserving import Start
from publishsamples import complete_release, through_flow, write_record
from releasedzoo import call

from zoo import settings as settings_room
from zoo.hub import FolderHub, FolderRepo
from zoo.settings import Settings

pytest_plugins = ["hubserving"]
pytestmark = pytest.mark.usefixtures("online")
MODEL = "smollm2-135m-instruct"


@pytest.fixture(params=["folder", "http"])
def settings(request: pytest.FixtureRequest, tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A zoo with 1.0.0, whose publication of 1.1.0 was stopped before it had a tag."""
    hub = start().address if request.param == "http" else "build/hub"
    (tmp_path / "zoo.toml").write_text(f'hub = "{hub}"\n')
    monkeypatch.chdir(tmp_path)
    settings = settings_room.load(tmp_path, {}, {})
    for version in ("1.0.0", "1.1.0"):
        release = complete_release(tmp_path, version)
        write_record(release, release.folder)
        if version == "1.0.0":
            through_flow(release, settings)
    with monkeypatch.context() as stopped:
        stopped.setattr("zoo.publish.steps.tag", interrupt)
        with pytest.raises(KeyboardInterrupt):
            through_flow(release, settings)
    return settings


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_it_is_finished_by_publishing_and_not_by_a_repair(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    repo: FolderRepo = FolderHub(settings.root / "build/hub").repo("model", "local", "tutor-gguf")
    head = repo.refs().branches["main"]
    code, out, err = call(capsys, "watch", "--no-upstream")
    assert code == 3 and out.count("DRIFT") == 2, "the model and its dataset" + out + err
    assert out.count("holds 1.1.0, which has no tag yet") == out.count(f"started: zoo publish {MODEL}\n") == 2, out
    assert "--repair" not in out
    code, out, err = call(capsys, "publish", MODEL, "--repair")
    assert code == 1 and f"Finish it with: zoo publish {MODEL}" in err and repo.refs().branches["main"] == head, err
    through_flow(complete_release(settings.root, "1.1.0"), settings)
    assert repo.refs().tags["v1.1.0"] == head
    assert call(capsys, "watch", "--no-upstream")[0] == 0
