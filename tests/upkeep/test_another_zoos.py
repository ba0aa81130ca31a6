"""No command writes to a repository of another zoo, whichever of the two repositories it is, and ours stays ours."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

pytest.importorskip("huggingface_hub")

from faultserver import Fault, FaultServer
from hubserving import Start
from publishsamples import NAMES, complete_release, put_by_hand, through_flow, write_record
from releasedzoo import call

from zoo import flow
from zoo import settings as settings_room
from zoo.errors import RemoteError
from zoo.files.digests import git_blob_sha1
from zoo.hub import BRANCH, FolderHub, FolderRepo
from zoo.hub.otherrepo import OtherRepository
from zoo.progress import Silent
from zoo.publish.asked import Asked
from zoo.publish.journal import Fact, Journal
from zoo.publish.places import Way
from zoo.release import kept
from zoo.settings import Settings

if TYPE_CHECKING:
    from zoo.plan.prepare import Planned

pytest_plugins = ["hubserving"]
pytestmark = pytest.mark.usefixtures("online")
MODEL = "smollm2-135m-instruct"
REPOSITORIES = (("model", NAMES[0]), ("dataset", NAMES[1]))
PLANNED = cast(
    "Planned",
    SimpleNamespace(
        recipe=SimpleNamespace(publish=SimpleNamespace(model=NAMES[0], dataset=NAMES[1], access=None)),
        plan=SimpleNamespace(name=MODEL, version="0.5.0"),
        checked=SimpleNamespace(text=b"0.5.0 of this zoo"),
    ),
)


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    zoo = tmp_path / "zoo"
    zoo.mkdir()
    (zoo / "zoo.toml").touch()
    monkeypatch.chdir(zoo)
    return zoo


@pytest.fixture(params=["folder", "http"])
def hub(request: pytest.FixtureRequest, tmp_path: Path, start: Start) -> str:
    """The hub in the folder ``hub`` as the setting names it."""
    return start(folder=tmp_path / "hub").address if request.param == "http" else "../hub"


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub of another zoo with the same repositories."""
    made = tmp_path_factory.mktemp("theirs")
    (made / "zoo.toml").touch()
    through_flow(complete_release(made, "0.5.0", "Words of another zoo."), at(made, "hub"))
    return made / "hub"


def at(zoo: Path, hub: str) -> Settings:
    return settings_room.load(zoo, {"hub": hub}, {})


def publish(zoo: Path, hub: str, version: str = "1.0.0", way: Way = Way.PLACE, words: str = "") -> None:
    release = complete_release(zoo, version, words)
    write_record(release, release.folder)
    through_flow(release, at(zoo, hub), way)


def repository(folder: Path, kind: str) -> FolderRepo:
    return FolderHub(folder).repo(kind, "local", dict(REPOSITORIES)[kind])


def state(folder: Path) -> dict[str, bytes]:
    """Every file of a repository but its locks."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}


def take(folder: Path, theirs: Path, kind: str) -> Path:
    """One repository of another zoo is in the place of ours, and the other one is lost. Returns its folder."""
    shutil.rmtree(folder)
    shutil.copytree(theirs, folder)
    for other, name in REPOSITORIES:
        if other != kind:
            shutil.rmtree(folder / "repos" / other / "local" / name)
    return folder / "repos" / kind


@pytest.mark.parametrize("is_noted", [True, False])
@pytest.mark.parametrize("flag", [(), ("--move",)])
@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_no_version_with_one_repository_of_another_zoo_is_published_again(
    kind: str, flag: tuple[str, ...], is_noted: bool, hub: str, zoo: Path, theirs: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    publish(zoo, hub)
    for journal in (zoo / "build/releases").rglob("*.journal.jsonl"):
        if not is_noted:
            journal.unlink()  # so that no commit can be written again
    take(zoo.parent / "hub", theirs, kind)
    folder = zoo.parent / "hub/repos"
    before, catalog = state(folder), (zoo / "model_catalog.json").read_bytes()
    code, out, err = call(capsys, "publish", MODEL, "--repair", *flag, "--hub", hub)
    assert code == 1 and "is not the recorded repository" in err and "--repair --move" not in err, out + err
    assert state(folder) == before and (zoo / "model_catalog.json").read_bytes() == catalog


@pytest.mark.parametrize("kind", ["model", "dataset"])
@pytest.mark.parametrize("way", [Way.PLACE, Way.MOVE])
def test_nothing_goes_next_to_one_repository_of_another_zoo(
    kind: str, way: Way, hub: str, zoo: Path, theirs: Path
) -> None:
    publish(zoo, hub)
    folder = take(zoo.parent / "hub", theirs, kind)
    before, version = state(zoo.parent / "hub/repos"), "1.0.0" if way is Way.MOVE else "1.1.0"
    with pytest.raises(OtherRepository):
        publish(zoo, hub, version, way)
    release = complete_release(zoo, version)
    with pytest.raises(OtherRepository):
        flow.targets(PLANNED, release, at(zoo, hub), Asked(way=way))
    assert state(zoo.parent / "hub/repos") == before and before.items() >= state(folder).items()


@pytest.mark.parametrize("status", [403, 503])
def test_a_hub_that_does_not_say_whose_it_is_is_not_written_to(
    status: int, zoo: Path, theirs: Path, start: Start, tmp_path: Path
) -> None:
    with FaultServer(start(folder=tmp_path / "hub").address) as proxy:
        publish(zoo, proxy.address)
        shutil.rmtree(tmp_path / "hub")
        shutil.copytree(theirs, tmp_path / "hub")
        before = state(tmp_path / "hub/repos")
        proxy.break_(Fault("answer", status=status), method="HEAD", path="MANIFEST.json", times=9)
        with pytest.raises(RemoteError) as told:
            publish(zoo, proxy.address, "1.1.0")
    assert "continue with: zoo publish" in str(told.value) or "zoo publish" in str(told.value), told.value
    assert state(tmp_path / "hub/repos") == before


def undigested(zoo: Path) -> None:
    """The catalog of an earlier version of the program, as far as its first version goes."""
    path = zoo / "model_catalog.json"
    data = json.loads(path.read_text())
    for release in data["models"][0]["releases"]:
        for one in ("model", "dataset"):
            if release["version"] == "1.0.0":
                del release["location"][one]["manifest_sha256"]
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def test_a_version_without_a_digest_excuses_only_itself(zoo: Path, theirs: Path) -> None:
    hub = zoo.parent / "hub"
    publish(zoo, "../hub")
    publish(zoo, "../hub", "1.1.0")
    undigested(zoo)
    shutil.rmtree(hub)
    shutil.copytree(theirs, hub)
    with pytest.raises(OtherRepository, match=r'holds "0\.5\.0" with other files'):
        publish(zoo, "../hub", "1.2.0")


LOOSE = {"README.md": "# Mine\n", "notes.txt": "My notes.", "MANIFEST.json": '{"manifest_version": 3}'}


def test_a_repository_that_is_no_zoos_is_left_as_it_is(
    hub: str, zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(zoo, hub)
    shutil.rmtree(zoo.parent / "hub")
    put_by_hand(zoo.parent / "hub", REPOSITORIES, **LOOSE)
    before = state(zoo.parent / "hub/repos")
    for flags in ((), ("--move",)):
        code, out, err = call(capsys, "publish", MODEL, "--repair", *flags, "--hub", hub)
        assert code == 1 and 'no release of this zoo put "MANIFEST.json" on its branch main' in err, out + err
    with pytest.raises(OtherRepository, match="no release of this zoo put"):
        publish(zoo, hub, "1.1.0")
    assert state(zoo.parent / "hub/repos") == before


def test_a_new_repository_as_the_hub_makes_it_is_filled_again(
    hub: str, zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(zoo, hub)
    shutil.rmtree(zoo.parent / "hub")
    made = {".gitattributes": "*.gguf filter=lfs\n", "README.md": "---\nlicense: mit\n---\n"}
    put_by_hand(zoo.parent / "hub", REPOSITORIES, **made)
    code, out, err = call(capsys, "publish", MODEL, "--repair", "--move", "--hub", hub)
    assert code == 0, out + err
    publish(zoo, hub, "1.1.0")


def interrupted(zoo: Path, hub: str, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A publication is killed when a main branch has its commit, before or after this machine noted that."""
    note = Journal.note

    def interrupt(journal: Journal, step: str, **facts: Fact) -> None:
        if step == at:
            raise KeyboardInterrupt
        note(journal, step, **facts)

    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(Journal, "note", interrupt)
        publish(zoo, hub, "1.1.0")


@pytest.mark.parametrize("step", ["committed", "verified"])
def test_what_our_own_killed_publication_committed_is_ours(
    step: str, hub: str, zoo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The repositories were lost, and the build whose publication was killed has other files now."""
    publish(zoo, hub)
    shutil.rmtree(zoo.parent / "hub/repos")
    interrupted(zoo, hub, step, monkeypatch)
    if step == "committed":  # only its manifest tells it
        kept.discard(zoo / "build/releases" / MODEL / "1.1.0", MODEL, at(zoo, hub))
    complete_release(zoo, "1.1.0", "Measured again.")
    _, out, err = call(capsys, "publish", MODEL, "--repair", "--hub", hub)
    assert "is not the recorded repository" not in err, out + err
    publish(zoo, hub, "1.1.0", words="Measured again.")
    for kind, _ in REPOSITORIES:
        refs = repository(zoo.parent / "hub", kind).refs()
        assert refs.branches[BRANCH] == refs.tags["v1.1.0"]


def test_a_build_whose_staging_was_stopped_is_kept_aside(zoo: Path) -> None:
    release = complete_release(zoo, "1.1.0")
    journal = release.folder.with_name("1.1.0.staging.jsonl")
    journal.write_text('{"step": "committing"}\n', encoding="utf-8")
    place = kept.set_aside(release.folder, MODEL, at(zoo, "../hub"))
    assert place and (place / "model/MANIFEST.json").is_file()
    assert not journal.exists() and place.with_name(f"{place.name}.staging.jsonl").is_file()


def staged_only(folder: Path) -> None:
    """A hub whose repositories have nothing but the staging of a release."""
    for kind, _ in REPOSITORIES:
        repo = repository(folder, kind)
        repo.begin("staging-0.5.0", repo.refs().branches[BRANCH])
        (repo.folder / "refs/heads/main").unlink()
        shutil.rmtree(repo.folder / "refs/tags")


@pytest.mark.parametrize("is_recorded", [True, False])
def test_a_staging_of_another_zoo_is_neither_replaced_nor_removed(
    is_recorded: bool, hub: str, zoo: Path, theirs: Path
) -> None:
    if is_recorded:
        publish(zoo, hub)
        shutil.rmtree(zoo.parent / "hub")
    shutil.copytree(theirs, zoo.parent / "hub", dirs_exist_ok=True)
    staged_only(zoo.parent / "hub")
    before = state(zoo.parent / "hub/repos")
    release = complete_release(zoo, "0.5.0")
    with pytest.raises(OtherRepository, match=r"staging-0\.5\.0"):
        flow.publish(PLANNED, release, at(zoo, hub), Silent(), Asked(stage=True))
    with pytest.raises(OtherRepository, match=r"staging-0\.5\.0"):
        flow.unstage(PLANNED, at(zoo, hub))
    assert state(zoo.parent / "hub/repos") == before


def test_our_own_staging_is_replaced_and_removed(hub: str, zoo: Path) -> None:
    for words in ("", "Other words."):
        release = complete_release(zoo, "0.5.0", words)
        flow.publish(PLANNED, release, at(zoo, hub), Silent(), Asked(stage=True))
    assert len(flow.unstage(PLANNED, at(zoo, hub))) == 2


def test_a_hub_that_answers_for_any_commit_is_not_believed(
    zoo: Path, theirs: Path, start: Start, tmp_path: Path
) -> None:
    with FaultServer(start(folder=tmp_path / "hub").address) as proxy:
        publish(zoo, proxy.address)
        ours = [repository(tmp_path / "hub", kind).refs().tags["v1.0.0"] for kind, _ in REPOSITORIES]
        shutil.rmtree(tmp_path / "hub")
        shutil.copytree(theirs, tmp_path / "hub")
        before = state(tmp_path / "hub/repos")
        raw = b'{"name": "theirs", "version": "0.5.0"}'
        for oid in ours:
            headers = {"ETag": f'"{git_blob_sha1(raw)}"', "X-Repo-Commit": oid, "Content-Length": str(len(raw))}
            fault = Fault("answer", status=200, headers=headers, body=raw)
            proxy.break_(fault, path=f"/resolve/{oid[:12]}", times=99)
        with pytest.raises(OtherRepository):
            publish(zoo, proxy.address, "1.1.0")
        assert any(one.fault for one in proxy.exchanges)
    assert state(tmp_path / "hub/repos") == before


def test_what_is_advised_about_it_can_help(
    hub: str, zoo: Path, theirs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(zoo, hub)
    shutil.rmtree(zoo.parent / "hub")
    shutil.copytree(theirs, zoo.parent / "hub")
    code, out, err = call(capsys, "yank", f"{MODEL}@1.0.0", "--reason", "It never stops.", "--hub", hub)
    assert code == 0 and "is not the recorded repository" in err, out + err
    assert "can be reached" not in err and "is not changed yet" not in out, out + err
    code, out, err = call(capsys, "watch", "--no-upstream", "--hub", hub)
    assert code == 3 and "If another machine of yours published there, get the newest catalog" in out, out + err
