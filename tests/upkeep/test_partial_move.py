"""A hub from which only the newest version moved away: its main branch stays what it was, and commands say so."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

from hubserving import Start
from publishsamples import complete_release, through_flow, write_record
from releasedzoo import call

from zoo import settings as settings_room
from zoo.hub import FolderHub
from zoo.publish.places import Way

pytest_plugins = ["hubserving"]
pytestmark = pytest.mark.usefixtures("online")
MODEL = "smollm2-135m-instruct"
HELD = "still holds 1.1.0, which the catalog records only at another place now"


@pytest.mark.parametrize("kind", ["folder", "http"])
def test_the_main_branch_stays_where_the_newest_version_moved_away(
    kind: str, tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = start(folder=tmp_path / "build/hub").address if kind == "http" else "build/hub"
    (tmp_path / "zoo.toml").write_text(f'hub = "{old}"\n')
    monkeypatch.chdir(tmp_path)
    for version in ("1.0.0", "1.1.0"):
        release = complete_release(tmp_path, version)
        write_record(release, release.folder)
        through_flow(release, settings_room.load(tmp_path, {}, {}))
    public = start(folder=tmp_path / "public").address
    through_flow(release, settings_room.load(tmp_path, {"hub": public}, {}), Way.MOVE)
    hub = FolderHub(tmp_path / "build/hub")
    repos = [hub.repo("model", "local", "tutor-gguf"), hub.repo("dataset", "local", "tutor-prompts")]
    before = [repo.refs() for repo in repos]
    mirror = f"zoo publish {MODEL} --mirror"
    code, out, err = call(capsys, "publish", MODEL, "--repair", "--hub", old)
    assert code == 0 and err.count(HELD) == 2 and f"{mirror} --hub {old}" in err, out + err
    code, out, err = call(capsys, "publish", MODEL, "--repair", "--delete-others", "--hub", old)
    assert code == 1 and f"{HELD}, so nothing is known to be foreign" in err, out + err
    code, out, err = call(capsys, "watch", "--no-upstream")
    assert code == 3 and out.count("DRIFT") == out.count(HELD) == out.count(mirror) == 2, out + err
    assert [repo.refs() for repo in repos] == before
    through_flow(release, settings_room.load(tmp_path, {"hub": old}, {}), Way.MIRROR)
    code, out, err = call(capsys, "watch", "--no-upstream")
    assert code == 0, out + err
    code, out, err = call(capsys, "publish", MODEL, "--repair", "--hub", old)
    assert code == 0 and HELD not in err and [repo.refs() for repo in repos] == before, out + err
