"""Versions of one hub that the catalog records under two names: as a folder, and by the address that serves it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

from hubserving import Start
from publishsamples import complete_release, through_flow
from releasedzoo import call

from zoo import catalogfile
from zoo import settings as settings_room
from zoo.hub import FolderHub
from zoo.publish.places import Way

pytest_plugins = ["hubserving"]
pytestmark = pytest.mark.usefixtures("online")
MODEL = "smollm2-135m-instruct"
REASON = ("--reason", "It never stops.")


def release(zoo: Path, version: str, hub: str = "", way: Way = Way.PLACE) -> None:
    flags = {"hub": hub} if hub else {}
    through_flow(complete_release(zoo, version), settings_room.load(zoo, flags, {}), way)


@pytest.fixture
def address(online: None, tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of the folder hub, where version 1.1.0 was published; 1.0.0 was published in the folder."""
    del online
    (tmp_path / "zoo.toml").touch()
    monkeypatch.chdir(tmp_path)
    release(tmp_path, "1.0.0")
    found = start(folder=tmp_path / "build/hub").address
    release(tmp_path, "1.1.0", found)
    return found


def card(zoo: Path) -> str:
    repo = FolderHub(zoo / "build/hub").repo("model", "local", "tutor-gguf")
    with repo.open(repo.refs().branches["main"], "README.md") as stream:
        return str(stream.read().decode())


@pytest.mark.parametrize("name", ["folder", "address", "localhost", "recorded"])
def test_every_command_sees_all_of_them(
    name: str, address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = {"folder": "build/hub", "address": address, "localhost": address.replace("127.0.0.1", "localhost")}
    hub = ("--hub", other[name]) if name in other else ()
    verify = (("verify", MODEL, "--on-hub"), ("verify", f"{MODEL}@1.0.0", "--on-hub"))
    for command in (("watch", "--no-upstream"), *verify):
        code, out, err = call(capsys, *command, *hub)
        assert code == 0 and "left out" not in err, out + err
        assert command[0] == "verify" or "of 2 releases" in out, out
    for version in ("1.0.0", "1.1.0"):
        assert call(capsys, "yank", f"{MODEL}@{version}", *REASON, *hub)[0] == 0
    assert {"1.0.0", "1.1.0"} == set(re.findall(r"Version (\S+) was withdrawn", card(tmp_path)))
    assert call(capsys, "watch", "--no-upstream")[0] == 0
    code, out, err = call(capsys, "publish", MODEL, "--repair", *hub)
    assert code == 0 and "of 2 versions" in out, out + err


def test_what_is_lost_is_repaired_under_either_name(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for hub in ("build/hub", address):
        for version in ("1.0.0", "1.1.0"):
            (tmp_path / f"build/hub/repos/model/local/tutor-gguf/refs/tags/v{version}").unlink()
        code, out, err = call(capsys, "watch", "--no-upstream", "--hub", hub)
        assert code == 3 and out.count("no longer exists") == 2, out + err
        code, out, err = call(capsys, "publish", MODEL, "--repair", "--hub", hub)
        assert code == 0 and out.count("restored: tag") == 2, out + err
        assert call(capsys, "watch", "--no-upstream")[0] == 0


@pytest.mark.usefixtures("address")
def test_what_is_left_out_is_named(
    tmp_path: Path, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    other = start(folder=tmp_path / "other").address
    release(tmp_path, "1.1.0", other, Way.MIRROR)
    for command in (("watch", "--no-upstream"), ("verify", "--on-hub")):
        code, out, err = call(capsys, *command, "--hub", other)
        assert code == 0 and f"1 version never published at {other} left out: {MODEL} 1.0.0" in err, out + err
    code, _, err = call(capsys, "verify", f"{MODEL}@1.0.0", "--on-hub", "--hub", other)
    assert code == 2 and f"{MODEL} 1.0.0 at another place than {other}" in err and "or name build/hub" in err
    before = (tmp_path / "model_catalog.json").read_bytes()
    code, _, err = call(capsys, "yank", f"{MODEL}@1.0.0", *REASON, "--hub", other)
    assert code == 2 and f"1.0.0 was never published at {other}" in err
    assert (tmp_path / "model_catalog.json").read_bytes() == before


def test_one_server_is_recorded_under_one_name(
    address: str, tmp_path: Path, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    other = start(folder=tmp_path / "other").address
    local = other.replace("127.0.0.1", "localhost")
    for name in (other, local):
        release(tmp_path, "1.1.0", name, Way.MIRROR)
    release(tmp_path, "1.2.0", address.replace("127.0.0.1", "localhost"))
    model = catalogfile.read_model(settings_room.load(tmp_path, {}, {}), MODEL)
    assert model
    hubs = {one.version: [place.hub for place in one.places()] for one in model.releases}
    assert hubs == {"1.0.0": ["folder"], "1.1.0": [address, other], "1.2.0": [address]}
    code, out, err = call(capsys, "yank", f"{MODEL}@1.1.0", *REASON, "--hub", local)
    assert code == 0 and f"{address} also serves this version" in err, out + err
