"""A mirror in a folder that is not the zoo's own hub: every command goes to that folder, and to no other one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

from hubserving import Start
from publishsamples import complete_release, through_flow, write_record
from releasedzoo import call

from zoo import settings as settings_room
from zoo.errors import InputError, ZooError
from zoo.hub import FolderHub, folders
from zoo.publish.places import Way
from zoo.settings import Settings

pytest_plugins = ["hubserving"]
pytestmark = pytest.mark.usefixtures("online")
MODEL = "smollm2-135m-instruct"
VERSION = f"{MODEL}@1.1.0"
YANK = ("yank", VERSION, "--reason", "It never stops.")


def at(zoo: Path, hub: str) -> Settings:
    return settings_room.load(zoo, {"hub": hub}, {})


@pytest.fixture
def zoo(tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Version 1.0.0 was rehearsed in build/hub, and both moved to a server; 1.1.0 has a mirror in ../hub2."""
    zoo = tmp_path / "zoo"
    zoo.mkdir()
    (zoo / "zoo.toml").touch()
    monkeypatch.chdir(zoo)
    address = start(folder=tmp_path / "public").address
    for version, hub, way in (
        ("1.0.0", "build/hub", Way.PLACE), ("1.0.0", address, Way.MOVE), ("1.1.0", address, Way.PLACE),
        ("1.1.0", "../hub2", Way.MIRROR),
    ):  # fmt: skip
        release = complete_release(zoo, version)
        write_record(release, release.folder)
        through_flow(release, at(zoo, hub), way)
    return zoo


def card(folder: Path) -> str:
    repo = FolderHub(folder).repo("model", "local", "tutor-gguf")
    with repo.open(repo.refs().branches["main"], "README.md") as stream:
        return str(stream.read().decode())


def forget(zoo: Path, replaced: str = "") -> None:
    """Take away the notes of where folders are; replaced: by what they say instead of ../hub2."""
    path = folders.path_of(settings_room.load(zoo, {}, {}))
    notes = path.read_text().replace('"../hub2"', replaced)
    path.write_text(notes) if replaced else path.unlink()


def test_a_yank_and_its_end_reach_the_mirror_and_not_the_own_hub(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = call(capsys, *YANK)
    assert code == 0 and "The mirror on ../hub2 shows the same." in out, out + err
    assert "Version 1.1.0 was withdrawn" in card(zoo.parent / "hub2")
    assert "withdrawn" not in card(zoo / "build/hub"), "it never had this version"
    assert call(capsys, "unyank", VERSION, "--reason", "It stops.")[0] == 0
    assert "withdrawn" not in card(zoo.parent / "hub2")
    assert "hub2" not in (zoo / "model_catalog.json").read_text(), "the catalog is public"


def test_a_watch_looks_into_the_mirror_and_its_command_repairs_it(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    killed = zoo / "site/evidence/.watch.json.abc.tmp"
    killed.parent.mkdir(parents=True, exist_ok=True)
    killed.touch()
    code, out, err = call(capsys, "watch", "--no-upstream")
    assert code == 0 and not killed.exists(), out + err
    for path in (zoo.parent / "hub2/repos/model/local/tutor-gguf").glob("commits/*"):
        path.unlink()
    code, out, err = call(capsys, "watch", "--no-upstream")
    repair = f"zoo publish {MODEL} --repair --hub ../hub2"
    assert code == 3 and "(mirror on ../hub2)" in out and repair in out, out + err
    code, out, err = call(capsys, *repair.split()[1:])
    assert code == 0, out + err
    assert call(capsys, "watch", "--no-upstream", "--full")[0] == 0
    for words in (("verify", MODEL, "--on-hub"), ("verify", VERSION, "--on-hub", "--hub", "../hub2")):
        code, out, err = call(capsys, *words)
        assert code == 0, out + err
    shutil.rmtree(zoo / "build")
    for path in (zoo.parent / "hub2/objects").rglob("*"):
        path.unlink() if path.is_file() else None
    assert call(capsys, "verify", VERSION, "--on-hub", "--hub", "../hub2")[0] == 3


def test_a_folder_that_is_not_known_is_said_and_the_command_with_it_works(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for damage in ('"~nobody-has-this-name/hub"', r'"\u0000"', "1", "{"):
        before = (folders.path_of(settings_room.load(zoo, {}, {}))).read_bytes()
        forget(zoo, damage)
        code, out, err = call(capsys, "watch", "--no-upstream")
        assert code == 1 and "is in a folder that is not known on this machine" in err, out + err
        folders.path_of(settings_room.load(zoo, {}, {})).write_bytes(before)
    forget(zoo)
    code, out, err = call(capsys, *YANK)
    assert code == 0 and "shows the same" not in out, out + err
    assert "is in a folder that is not known on this machine" in err and "--hub FOLDER" in err
    assert "withdrawn" not in card(zoo / "build/hub") + card(zoo.parent / "hub2")
    code, out, err = call(capsys, "watch", "--no-upstream")
    assert code == 1 and "is in a folder that is not known on this machine" in err, out + err
    code, out, err = call(capsys, "verify", VERSION, "--on-hub")
    assert "build/hub" not in out + err
    assert call(capsys, *YANK, "--hub", "build/hub")[0] == 2, "this version was never there"
    code, out, err = call(capsys, *YANK, "--hub", "../hub2")
    assert code == 0 and "shows it too" in out and "withdrawn" in card(zoo.parent / "hub2"), out + err
    code, out, err = call(capsys, "watch", "--no-upstream")
    assert code == 0, "the folder is known again" + out + err


def test_a_second_folder_is_no_mirror_and_no_other_place(zoo: Path) -> None:
    release = complete_release(zoo, "1.1.0")
    with pytest.raises(InputError, match=r"already published in one \(\.\./hub2\)"):
        through_flow(release, at(zoo, "../hub3"), Way.MIRROR)
    through_flow(release, at(zoo, "../hub2"), Way.MIRROR)
    with pytest.raises(ZooError, match="already published at another place"):
        through_flow(release, at(zoo, "build/hub"), Way.PLACE)
    assert not (zoo.parent / "hub3").exists()


@pytest.mark.parametrize("first", ["the folder", "the address"])
def test_the_address_of_a_folder_hub_is_no_mirror_of_it(first: str, tmp_path: Path, start: Start) -> None:
    (tmp_path / "zoo.toml").touch()
    names = ["build/hub", start(folder=tmp_path / "build/hub").address]
    own, other = names if first == "the folder" else names[::-1]
    release = complete_release(tmp_path, "1.0.0")
    through_flow(release, at(tmp_path, own))
    before = (tmp_path / "model_catalog.json").read_bytes()
    with pytest.raises(InputError, match="two names of one hub"):
        through_flow(release, at(tmp_path, other), Way.MIRROR)
    assert (tmp_path / "model_catalog.json").read_bytes() == before
    # A copy of the folder that another server serves has the same commits, and is a mirror.
    shutil.copytree(tmp_path / "build/hub", tmp_path / "copy")
    through_flow(release, at(tmp_path, start(folder=tmp_path / "copy").address), Way.MIRROR)
    assert b'"mirrors"' in (tmp_path / "model_catalog.json").read_bytes()
    assert list(FolderHub(tmp_path / "build/hub").repo("model", "local", "tutor-gguf").refs().branches) == ["main"]
