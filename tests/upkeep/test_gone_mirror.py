"""A release on a server with a mirror in a folder: both have the same commits, and still are two hubs."""

from __future__ import annotations

import dataclasses
import shlex
import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

pytest.importorskip("huggingface_hub")

from hubserving import Start
from publishsamples import NAMES, complete_release, through_flow, write_record
from releasedzoo import call

from catalog.release import Model
from zoo import catalogfile, flow
from zoo import settings as settings_room
from zoo.errors import InputError, ZooError
from zoo.hub import FolderHub, FolderRepo, otherrepo
from zoo.hub.folders import Folders
from zoo.progress import Silent
from zoo.publish.places import Way
from zoo.settings import Settings

if TYPE_CHECKING:
    from zoo.plan.prepare import Planned

pytest_plugins = ["hubserving"]
pytestmark = pytest.mark.usefixtures("online")
MODEL = "smollm2-135m-instruct"
VERSION = f"{MODEL}@1.0.0"
YANK = ("yank", VERSION, "--reason", "It never stops.")


def at(zoo: Path, hub: str) -> Settings:
    return settings_room.load(zoo, {"hub": hub}, {})


class Hearing(Silent):
    """Keeps the warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def address(tmp_path: Path, start: Start) -> str:
    return start(folder=tmp_path / "public").address


@pytest.fixture
def zoo(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Version 1.0.0 was rehearsed in build/hub, moved to a server, and has a mirror in ../mir."""
    zoo = tmp_path / "zoo"
    zoo.mkdir()
    (zoo / "zoo.toml").write_text(f'hub = "{address}"\n')
    monkeypatch.chdir(zoo)
    release = complete_release(zoo, "1.0.0")
    write_record(release, release.folder)
    for hub, way in (("build/hub", Way.PLACE), (address, Way.MOVE), ("../mir", Way.MIRROR)):
        through_flow(release, at(zoo, hub), way)
    return zoo


def card(folder: Path) -> str:
    repo = FolderHub(folder).repo("model", "local", "tutor-gguf")
    with repo.open(repo.refs().branches["main"], "README.md") as stream:
        return str(stream.read().decode())


@pytest.mark.parametrize("left", ["all", "no build", "no notes"])
def test_no_other_hub_is_taken_for_a_mirror_that_is_gone(
    left: str, zoo: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = (zoo.parent / "mir").rename(zoo.parent / "gone")
    if left == "no build":
        shutil.rmtree(zoo / "build")
    elif left == "no notes":
        (zoo / "build/releases/folder_hubs.json").unlink()
    code, out, err = call(capsys, "watch", "--no-upstream")
    why = "the folder hub does not exist" if left == "all" else "is in a folder that is not known on this machine"
    assert code == 1 and why in err, out + err
    assert ("--repair --hub ../mir" if left == "all" else "--hub FOLDER") in err, err
    code, out, err = call(capsys, *YANK)
    assert code == 0 and "shows the same" not in out and why in err, out + err
    assert "withdrawn" in card(zoo.parent / "public") and "withdrawn" not in card(gone)
    if left != "no build":
        assert "withdrawn" not in card(zoo / "build/hub"), "what is left of the rehearsal is no place"
    code, out, err = call(capsys, "verify", VERSION, "--on-hub")
    assert code == (3 if left == "all" else 1) and (left == "all" or why in err), out + err
    assert out.count(f" on {address}: ") == 2 and "build/hub" not in out, "model and dataset, once each" + out
    if left == "all":
        assert f"../mir: {why}. If it was deleted, restore it with: zoo publish {MODEL} --repair --hub ../mir" in err


def test_a_hub_that_is_not_recorded_is_not_yanked_instead(
    zoo: Path, address: str, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(zoo.parent / "public", zoo.parent / "copy")
    for other in ("build/hub", "../copy", start(folder=zoo.parent / "copy").address):
        code, out, err = call(capsys, *YANK, "--hub", other)
        assert code == 2 and f"It is at {address} and ../mir" in err, out + err
        code, out, err = call(capsys, "publish", MODEL, "--repair", "--hub", other)
        assert code == 2 and f"records no version of {MODEL} at" in err, out + err
    assert not any("withdrawn" in card(zoo.parent / one) for one in ("copy", "public", "zoo/build/hub"))
    assert '"yanks": []' in (zoo / "model_catalog.json").read_text()
    second = start(folder=zoo.parent / "public").address
    with pytest.raises(InputError, match="two names of one hub"):
        through_flow(complete_release(zoo, "1.0.0"), at(zoo, second), Way.MIRROR)
    code, out, err = call(capsys, *YANK, "--hub", second)
    assert code == 0 and "withdrawn" in card(zoo.parent / "public"), "another address of the recorded hub" + err


def test_a_folder_that_cannot_be_written_is_still_known_as_the_one_of_an_address(
    zoo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (zoo.parent / "theirs").symlink_to(zoo.parent / "public")
    begin = FolderRepo.begin

    def refused(repo: FolderRepo, name: str, oid: str) -> None:
        if "theirs" in repo.folder.parts:
            raise PermissionError(13, "Permission denied", str(repo.folder))
        begin(repo, name, oid)

    # Whoever runs the tests may write everywhere, such as root.
    monkeypatch.setattr(FolderRepo, "begin", refused)
    (zoo.parent / "mir").rename(zoo.parent / "gone")
    code, out, err = call(capsys, *YANK, "--hub", "../theirs")
    assert code == 2 and "is recorded at another place" in err, out + err


def test_commands_that_change_nothing_write_to_no_hub_with_an_address(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A release in a folder that cannot be written, with a mirror on a server."""
    zoo = tmp_path / "zoo"
    zoo.mkdir()
    (zoo / "zoo.toml").touch()
    monkeypatch.chdir(zoo)
    release = complete_release(zoo, "1.0.0")
    for hub, way in (("build/hub", Way.PLACE), (address, Way.MIRROR)):
        through_flow(release, at(zoo, hub), way)
    (zoo / "build/releases/folder_hubs.json").unlink(missing_ok=True)
    begun: list[Path] = []

    def refused(repo: FolderRepo, _name: str, _oid: str) -> None:
        begun.append(repo.folder)
        raise PermissionError(13, "Permission denied", str(repo.folder))

    monkeypatch.setattr(FolderRepo, "begin", refused)
    for command in (("watch", "--no-upstream"), ("verify", MODEL, "--on-hub")):
        call(capsys, *command)
    assert begun and all(zoo in one.parents for one in begun)


def test_the_folder_behind_an_address_is_not_its_mirror(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (zoo.parent / "mir").rename(zoo.parent / "gone")
    code, out, err = call(capsys, *YANK, "--hub", "../public")
    assert code == 2 and "withdrawn" not in card(zoo.parent / "public"), out + err
    call(capsys, "watch", "--no-upstream", "--hub", "../public")
    assert "public" not in (zoo / "build/releases/folder_hubs.json").read_text()
    code, out, err = call(capsys, *YANK, "--hub", "../gone")
    assert code == 0 and "withdrawn" in card(zoo.parent / "gone"), out + err


def test_a_look_at_a_copy_does_not_make_it_the_mirror(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(zoo.parent / "mir", zoo.parent / "copy")
    notes = zoo / "build/releases/folder_hubs.json"
    before = notes.read_bytes()
    for other in ("../copy", "build/hub", "../public"):
        assert call(capsys, "watch", "--no-upstream", "--hub", other)[0] == 0
        assert notes.read_bytes() == before
    code, out, err = call(capsys, *YANK)
    assert code == 0 and "withdrawn" in card(zoo.parent / "mir"), out + err
    assert not any("withdrawn" in card(zoo.parent / one) for one in ("copy", "zoo/build/hub"))


def test_a_look_at_a_hub_that_is_not_recorded_is_not_published(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(zoo.parent / "mir", zoo.parent / "copy")
    report = zoo / "site/evidence/watch.json"
    for words, told in ((("--hub", "../mir"), "Other places"), ((), "1 mirror was looked at too.")):
        out = call(capsys, "watch", "--no-upstream", *words)[1]
        assert told in out and "The report is site/evidence/watch.json." in out, out
    report.unlink()
    out = call(capsys, "watch", "--no-upstream", "--hub", "../copy")[1]
    assert "No report was written, because the catalog does not record ../copy." in out and not report.exists(), out
    code, out, err = call(capsys, "publish", MODEL, "--repair", "--hub", "../copy")
    assert code == 2 and f"no version of {MODEL} at ../copy, only at another place with the same commits" in err, err
    assert "--mirror" not in err and f"zoo publish {MODEL} --move --hub ../copy" in err, "one folder is recorded" + err
    with pytest.raises(ZooError) as refused:
        through_flow(complete_release(zoo, "1.0.0"), at(zoo, "../copy"))
    assert "--mirror" not in str(refused.value) and "--move" in str(refused.value)
    heard = Hearing()
    through_flow(complete_release(zoo, "1.0.0"), at(zoo, "../copy"), Way.MOVE, report=heard)
    assert any("the mirror in ../mir is no longer recorded" in one for one in heard.warnings), heard.warnings


def test_the_address_of_a_mirror_is_not_offered_as_the_place_where_people_are_sent(
    zoo: Path, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    second = start(folder=zoo.parent / "mir").address
    with pytest.raises(InputError, match="two names of one hub") as refused:
        through_flow(complete_release(zoo, "1.0.0"), at(zoo, second), Way.MIRROR)
    assert "--move" not in str(refused.value)
    code, out, err = call(capsys, "publish", MODEL, "--repair", "--hub", second)
    assert code == 0 and "of 1 version of" in out, "both places are there, and are one" + out + err
    out = call(capsys, "watch", "--no-upstream", "--hub", second)[1]
    assert f"No report was written, because the catalog does not record {second}." in out, out
    code, out, err = call(capsys, *YANK, "--hub", second)
    assert code == 0 and "withdrawn" in card(zoo.parent / "mir"), "it is the mirror" + out + err
    assert "withdrawn" not in card(zoo.parent / "public")


def test_the_hubs_that_a_message_names_can_be_pasted(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (zoo.parent / "mir").rename(zoo.parent / "ann's mir")
    assert call(capsys, "watch", "--no-upstream", "--hub", "../ann's mir")[0] == 0
    for words in (YANK, ("publish", MODEL, "--repair"), ("verify", VERSION, "--on-hub")):
        err = call(capsys, *words, "--hub", "../other")[2]
        assert shlex.quote("../ann's mir") in err, err


def test_a_folder_that_may_be_the_one_behind_an_address_is_not_noted_as_the_mirror(
    zoo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(repo: FolderRepo, _name: str, _oid: str) -> None:
        raise PermissionError(13, "Permission denied", str(repo.folder))

    # Whoever runs the tests may write everywhere, such as root.
    monkeypatch.setattr(FolderRepo, "begin", refused)
    (zoo.parent / "mir").rename(zoo.parent / "gone")
    call(capsys, "watch", "--no-upstream", "--hub", "../public")
    assert "public" not in (zoo / "build/releases/folder_hubs.json").read_text()


@pytest.mark.parametrize("left", ["one-hub", "one-hub-1700000000-0a1b2c3d", "now"])
def test_what_a_killed_process_left_tells_nothing_about_two_hubs_and_is_deleted(
    left: str, zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A branch that was left before the folder was copied is in both."""
    name = left if left != "now" else f"one-hub-{int(time.time())}-0a1b2c3d"
    repo = FolderHub(zoo.parent / "mir").repo("model", "local", "tutor-gguf")
    shutil.rmtree(zoo.parent / "mir")
    repo_of_public = FolderHub(zoo.parent / "public").repo("model", "local", "tutor-gguf")
    repo_of_public.begin(name, repo_of_public.refs().branches["main"])
    shutil.copytree(zoo.parent / "public", zoo.parent / "mir")
    (zoo / "build/releases/folder_hubs.json").unlink()
    code, out, err = call(capsys, *YANK, "--hub", "../mir")
    assert code == 0 and "withdrawn" in card(zoo.parent / "mir"), "a copy is another hub" + out + err
    assert (name in repo.refs().branches) == (left == "now"), "another process may still need it"
    for words in (("watch", "--no-upstream"), ("publish", MODEL, "--repair")):
        code, out, err = call(capsys, *words)
        assert code in (0, 3) and "one-hub" not in out + err, out + err


def test_the_published_report_names_no_path_of_this_machine(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evidence = zoo / "site/evidence/watch.json"
    for path in (zoo.parent / "mir/repos/model/local/tutor-gguf").glob("refs/tags/*"):
        path.write_text("e" * 64)
    code, out, err = call(capsys, "watch", "--no-upstream")
    assert code == 3 and "rm ../mir/repos/" in out, out + err
    text = evidence.read_text()
    assert "(mirror on FOLDER)" in text and "rm FOLDER/repos/" in text and "--hub FOLDER" in text
    assert "mir/" not in text and "../" not in text
    absolute = str(zoo.parent / "mir")
    assert call(capsys, "watch", "--no-upstream", "--hub", absolute)[0] == 3
    assert str(zoo.parent) not in evidence.read_text() and "--hub FOLDER" in evidence.read_text()
    folder = zoo.parent / "mir/repos/model/local/tutor-gguf/refs"
    shutil.rmtree(folder)
    folder.write_text("")
    for words in ((), ("--hub", absolute)):
        code, out, err = call(capsys, "watch", "--no-upstream", *words)
        text = evidence.read_text()
        assert code in (1, 3) and str(zoo.parent) not in text and "../" not in text and "Errno" not in text, text


def test_the_paths_in_a_text(zoo: Path) -> None:
    public = Folders(at(zoo, "/srv/my hub")).public
    assert public("rm '/srv/my hub/repos/x' (in ../mir)") == "rm 'FOLDER/repos/x' (in FOLDER)"
    assert public("zoo publish x --hub ../mir --catalog /home/ann/c.json") == (
        "zoo publish x --hub FOLDER --catalog PATH"
    )
    for same in ("see http://host/a/b and https://x", "on main, docs/a.md", "and/or ../", "a file of ../mirror's x"):
        assert "FOLDER" not in public(same) and (".." in same or public(same) == same)


def test_a_link_that_leads_to_itself_is_a_folder_that_is_gone(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loop = zoo.parent / "loop"
    loop.symlink_to(loop)
    (zoo.parent / "a file").touch()
    for folder in ("../loop", "../a file"):
        for words in (
            YANK, ("watch", "--no-upstream"), ("verify", VERSION, "--on-hub"), ("publish", MODEL, "--repair"),
            ("show", MODEL), ("card", MODEL),
        ):  # fmt: skip
            code, out, err = call(capsys, *words, *(("--hub", folder) if words[0] != "show" else ()))
            assert code in ((0,) if words[0] == "show" else (1, 2, 3)), out + err
            assert "bug in zoo" not in err and "Errno" not in err, err
    shutil.rmtree(zoo.parent / "mir")
    (zoo.parent / "mir").symlink_to(zoo.parent / "mir")
    code, out, err = call(capsys, "watch", "--no-upstream")
    assert code == 1 and "the folder hub does not exist" in err, out + err


def test_a_folder_is_named_from_the_zoo_by_every_command(
    zoo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(zoo / "build")
    assert call(capsys, "watch", "--no-upstream", "--hub", "../mir")[0] == 0
    code, out, err = call(capsys, "verify", VERSION, "--on-hub", "--hub", "../mir")
    assert code == 0, out + err


def test_a_mirror_that_is_gone_is_made_again_or_replaced(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(zoo.parent / "mir")
    err = call(capsys, *YANK)[2]
    repair = f"zoo publish {MODEL} --repair --hub ../mir"
    assert repair in err and "Run the same command again with" not in err, err
    code, out, err = call(capsys, *repair.split()[1:])
    assert code == 0 and "withdrawn" in card(zoo.parent / "mir"), out + err
    shutil.rmtree(zoo.parent / "mir")
    release = complete_release(zoo, "1.0.0")
    through_flow(release, at(zoo, "../new"), Way.MIRROR)
    shutil.rmtree(zoo.parent / "new")
    (zoo / "build/releases/folder_hubs.json").unlink()  # as in another clone of the zoo
    through_flow(release, at(zoo, "../newer"), Way.MIRROR)
    assert (zoo / "model_catalog.json").read_text().count('"hub": "folder"') == 1
    code, out, err = call(capsys, "watch", "--no-upstream")
    assert code == 0, out + err


@pytest.mark.parametrize("version", ["0.9.0", "1.0.0", "2.0.0"])
def test_another_hub_in_the_folder_of_a_mirror_is_not_written_to(
    version: str, zoo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has the same repositories, but other commits, as of another zoo."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "zoo.toml").touch()
    through_flow(complete_release(other, version, "Words of another zoo."), at(other, "build/hub"))
    shutil.rmtree(zoo.parent / "mir")
    (other / "build/hub").rename(zoo.parent / "mir")
    hub = FolderHub(zoo.parent / "mir")
    repos = [hub.repo("model", "local", "tutor-gguf"), hub.repo("dataset", "local", "tutor-prompts")]
    before = [repo.refs() for repo in repos]
    why = "at ../mir is not the recorded repository"
    code, out, err = call(capsys, *YANK)
    assert code == 0 and why in err and "shows the same" not in out, out + err
    code, out, err = call(capsys, "publish", MODEL, "--repair", "--hub", "../mir")
    assert code == 1 and why in err, out + err
    assert [repo.refs() for repo in repos] == before
    code, out, err = call(capsys, "watch", "--no-upstream")
    assert code == 3 and why in out and "move the other one away" in out and "1 mirror was looked at" in out, out + err
    assert "rm " not in out and "no longer" not in out, "its tag is not ours to delete" + out
    (zoo.parent / "mir").rename(tmp_path / "away")
    assert call(capsys, "publish", MODEL, "--repair", "--hub", "../mir")[0] == 0
    code, out, err = call(capsys, "watch", "--no-upstream")
    assert code == 0, out + err


def test_no_version_is_published_over_another_zoos(zoo: Path, address: str, tmp_path: Path) -> None:
    """Where the catalog records a version, another zoo's hub has the same repositories now."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "zoo.toml").touch()
    through_flow(complete_release(other, "0.5.0", "Words of another zoo."), at(other, "build/hub"))
    names = SimpleNamespace(model=NAMES[0], dataset=NAMES[1])
    plan, recipe = SimpleNamespace(name=MODEL, version="0.5.0"), SimpleNamespace(publish=names)
    planned = cast("Planned", SimpleNamespace(recipe=recipe, plan=plan, checked=SimpleNamespace(text=b"")))
    for folder, hub, version in (("public", address, "1.1.0"), ("mir", "../mir", "1.0.0")):
        shutil.rmtree(zoo.parent / folder)
        shutil.copytree(other / "build/hub", zoo.parent / folder)
        repo = FolderHub(zoo.parent / folder).repo("model", "local", "tutor-gguf")
        before = repo.refs()
        with pytest.raises(ZooError, match="is not the recorded repository"):
            through_flow(complete_release(zoo, version), at(zoo, hub))
        with pytest.raises(ZooError, match="is not the recorded repository"):
            flow.unstage(planned, at(zoo, hub))
        assert repo.refs() == before


@pytest.mark.parametrize("lost", ["repository", "server"])
def test_a_publication_that_was_killed_where_the_repository_was_lost_is_finished(
    lost: str, zoo: Path, address: str
) -> None:
    """The catalog has only the version before, none of whose commits is there, and main is ours already."""
    catalog = zoo / "model_catalog.json"
    before = catalog.read_bytes()
    shutil.rmtree(zoo.parent / "public" / ("repos/model/local/tutor-gguf" if lost == "repository" else "repos"))
    release = complete_release(zoo, "1.1.0")
    write_record(release, release.folder)
    through_flow(release, at(zoo, address))
    catalog.write_bytes(before)  # as if the kill came before this was written
    through_flow(release, at(zoo, address))
    assert b'"version": "1.1.0"' in catalog.read_bytes()
    catalog.write_bytes(before)  # an older catalog was checked out
    later = complete_release(zoo, "1.2.0")
    write_record(later, later.folder)
    through_flow(later, at(zoo, address))


def test_the_same_files_at_new_commits_are_the_recorded_repository(zoo: Path, tmp_path: Path) -> None:
    """Another clone brought a lost repository back, and this one's catalog still has the old commits."""
    model = catalogfile.read_model(at(zoo, "../mir"), MODEL)
    assert model
    (release,) = model.releases
    repo = FolderHub(zoo.parent / "mir").repo("model", "local", "tutor-gguf")

    def recorded(manifest: str | None) -> Model:
        place = dataclasses.replace(release.location.model, commit="f" * 40, manifest_sha256=manifest)
        location = dataclasses.replace(release.location, model=place, dataset=None)
        return dataclasses.replace(model, releases=(dataclasses.replace(release, location=location, mirrors=()),))

    def refuse(known: Model, releases: Path) -> None:
        otherrepo.refuse(repo, known.releases[0].location.model, known, releases, "../mir")

    refuse(recorded(release.location.model.manifest_sha256), tmp_path / "none")
    refuse(recorded("0" * 64), zoo / "build/releases")
    with pytest.raises(otherrepo.OtherRepository, match=r"git pull"):
        refuse(recorded("0" * 64), tmp_path / "none")
