"""Where one command cannot end a fault, it names what does, and that works."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

from hubserving import Start, put
from publishsamples import complete_release, through_flow, write_record
from releasedzoo import call

from zoo import settings as settings_room
from zoo.hub import BRANCH, FolderHub, FolderRepo
from zoo.publish.places import Way
from zoo.release import ReleaseFolder
from zoo.settings import Settings

pytest_plugins = ["hubserving"]
pytestmark = pytest.mark.usefixtures("online")
MODEL = "smollm2-135m-instruct"


def released(zoo: Path, hub: str, monkeypatch: pytest.MonkeyPatch) -> tuple[ReleaseFolder, Settings]:
    (zoo / "zoo.toml").write_text(f'hub = "{hub}"\n')
    monkeypatch.chdir(zoo)
    settings, release = settings_room.load(zoo, {}, {}), complete_release(zoo)
    write_record(release, release.folder)
    through_flow(release, settings)
    return release, settings


@pytest.mark.parametrize("kind", ["folder", "http"])
def test_a_lost_commit_with_its_tag_left(
    kind: str, tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It kept a file of somebody else, so it cannot be written again."""
    repo: FolderRepo = FolderHub(tmp_path / "build/hub").repo("model", "local", "tutor-gguf")
    repo.commit(None, [put(repo, "logo.png", "a picture", tmp_path)], [], "by hand")
    released(tmp_path, start().address if kind == "http" else "build/hub", monkeypatch)
    lost = repo.refs().tags["v1.0.0"]
    assert repo.refs().branches[BRANCH] == lost
    (repo.folder / "commits" / f"{lost}.json").unlink()
    tag = "repos/model/local/tutor-gguf/refs/tags/v1.0.0"
    name_it = f"rm build/hub/{tag}" if kind == "folder" else "hf repos tag delete local/tutor-gguf v1.0.0"
    commands = [("publish", MODEL, "--repair"), ("publish", MODEL, "--repair", "--move")]
    for command in commands:
        code, out, err = call(capsys, *command)
        assert code == 1 and name_it in err, out + err
        ends = err.rpartition(tag if kind == "folder" else ")")[2]
        assert f"zoo publish {MODEL} --repair --move" in ends or "run the same command again" in ends, err
    (tmp_path / "build/hub" / tag).unlink()
    code, out, err = call(capsys, *commands[kind == "http"])
    assert code == 0 and "version 1.0.0 of local/tutor-gguf, now at commit" in out, out + err
    out = call(capsys, "watch", "--no-upstream")[1]
    assert out.count("DRIFT") == 1 and "logo.png" in out, out


def test_a_server_that_has_another_address_now(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = start()
    release, _ = released(tmp_path, first.address, monkeypatch)
    first.shutdown()
    first.server_close()
    new = start().address
    yank = ("yank", f"{MODEL}@1.0.0", "--reason", "It never stops.", "--hub", new)
    code, out, err = call(capsys, *yank)
    move = f"zoo publish {MODEL} --move --hub {new}"
    assert code == 2 and f"If {new} is that hub under another address, record it with: {move}" in err, out + err
    through_flow(release, settings_room.load(tmp_path, {"hub": new}, {}), Way.MOVE)
    code, out, err = call(capsys, *yank)
    assert code == 0 and "pending" not in out + err, out + err
