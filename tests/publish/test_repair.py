"""A damaged hub is found and repaired: lost and damaged contents, commits, branches and tags. No version changes."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faultserver import Fault, FaultServer
from hubserving import Start
from publishsamples import make_release, settings, write_record, zoo
from publishsamples import served as served

from catalog.release import Model
from zoo import catalogfile, flow
from zoo import settings as settings_room
from zoo.__main__ import main
from zoo.errors import Damaged, InputError, RemoteError
from zoo.files.digests import sha256_file
from zoo.hub import FolderHub, connect
from zoo.progress import Silent
from zoo.publish import apply as publishing
from zoo.publish import record, repaired
from zoo.publish.apply import Publication
from zoo.publish.asked import Asked
from zoo.publish.places import Way
from zoo.release import ReleaseFolder
from zoo.settings import Settings

pytest_plugins = ["hubserving"]
FIXTURES = (settings, zoo)
NAME = "smollm2-135m-instruct"
LARGE = "weights of a model " * 4000


@pytest.fixture(params=["folder", "http"])
def place(request: pytest.FixtureRequest, zoo: Path, settings: Settings) -> Settings:
    """Settings of a zoo that has two versions on a hub and in its catalog."""
    if request.param == "http":
        settings = settings_room.load(zoo, {"hub": request.getfixturevalue("served")}, {})
    for version in ("1.0.0", "1.1.0"):
        released(zoo, settings, version)
    return settings


def released(zoo: Path, settings: Settings, version: str) -> ReleaseFolder:
    release = make_release(zoo, version, **{"tutor-Q8_0.gguf": LARGE + version, "README.md": f"# tutor {version}"})
    done = publishing.apply(publication(release, settings), Silent())
    record.record(release, done.location, settings)
    keep(zoo, release)
    return release


def publication(release: ReleaseFolder, settings: Settings) -> Publication:
    return Publication(release, ("tutor-gguf", "tutor-prompts"), settings, connect(settings.hub, settings.root))


def keep(zoo: Path, release: ReleaseFolder) -> None:
    """Put the folder where a real release would be, with the record that makes it one."""
    target = zoo / "build/releases" / NAME / release.release.version
    shutil.copytree(release.folder, target)
    write_record(release, target)


def model_of(settings: Settings) -> Model:
    found = catalogfile.read_model(settings, NAME)
    assert found
    return found


def fix(settings: Settings) -> repaired.Repaired:
    return flow.repaired(NAME, settings, Silent())


def object_of(zoo: Path, path: str, version: str = "1.1.0", kind: str = "model") -> Path:
    repo = FolderHub(zoo / "build/hub").repo(kind, "local", "tutor-gguf" if kind == "model" else "tutor-prompts")
    sha256 = repo.tree(repo.refs().tags[f"v{version}"])[path].sha256
    return zoo / "build/hub/objects" / sha256[:2] / sha256


def flip(path: Path) -> None:
    path.chmod(0o644)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def cut(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-3])


def state(zoo: Path) -> dict[str, bytes]:
    hub = zoo / "build/hub"
    skipped = ("lock", "refs.log")
    return {
        str(path.relative_to(hub)): path.read_bytes()
        for path in sorted(hub.rglob("*"))
        if path.is_file() and path.name not in skipped and path.suffix != ".secret"
    }


def test_a_sound_hub_is_left_alone(zoo: Path, place: Settings) -> None:
    before = state(zoo)
    found = fix(place)
    assert (found.versions, found.sent, found.restored, found.left) == (2, [], [], [])
    # Each content once: what both versions have is read once.
    objects = [path for path in (zoo / "build/hub/objects").rglob("*") if path.is_file()]
    assert found.contents == len(objects)
    assert state(zoo) == before
    assert repaired.sentence(NAME, found).startswith("Nothing to repair: ")


@pytest.mark.parametrize("harm", [flip, cut, Path.unlink], ids=["flipped", "cut", "lost"])
@pytest.mark.parametrize("path", ["tutor-Q8_0.gguf", "README.md", "evidence/gates.json"])
def test_any_content_is_sent_again(
    harm: Callable[[Path], object], path: str, zoo: Path, place: Settings
) -> None:
    before, catalog = state(zoo), place.catalog.read_bytes()
    harm(object_of(zoo, path, "1.0.0"))
    assert state(zoo) != before
    found = fix(place)
    assert [one.split(" of ")[0] for one in found.sent] == [path] and not found.left
    assert state(zoo) == before
    assert place.catalog.read_bytes() == catalog
    assert not fix(place).sent


def test_what_no_copy_exists_of_is_named_and_everything_else_repaired(
    zoo: Path, place: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    object_of(zoo, "tutor-Q8_0.gguf", "1.0.0").unlink()
    flip(object_of(zoo, "tutor-Q8_0.gguf", "1.1.0"))
    # The local copy is damaged too: it is never sent.
    flip(zoo / "build/releases" / NAME / "1.0.0/model/tutor-Q8_0.gguf")
    with pytest.raises(Damaged) as refused:
        fix(place)
    assert "tutor-Q8_0.gguf of model local/tutor-gguf 1.0.0" in refused.value.what
    assert "neither this machine nor a mirror has a copy of it" in refused.value.what
    assert "sent again: tutor-Q8_0.gguf of model local/tutor-gguf 1.1.0" in refused.value.safe
    assert sha256_file(object_of(zoo, "tutor-Q8_0.gguf", "1.1.0")) == object_of(zoo, "tutor-Q8_0.gguf", "1.1.0").name
    monkeypatch.chdir(zoo)
    code = main(["publish", NAME, "--repair", "--hub", place.hub])
    err = capsys.readouterr().err
    assert code == 1 and "is not completely repaired" in err and "zoo pull" not in err and "in the zoo whose" in err


def test_a_mirror_gives_what_this_machine_lacks(
    zoo: Path, served: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The damaged hub is a folder; a hub over HTTP has the same files."""
    there = settings_room.load(zoo, {"hub": served}, {})
    release = released(zoo, there, "1.0.0")
    own = settings_room.load(zoo, {"hub": "own"}, {})
    done = publishing.apply(publication(release, own), Silent())
    record.record(release, done.location, own, Way.MIRROR)
    shutil.rmtree(zoo / "build/releases")
    for path in ("tutor-Q8_0.gguf", "evidence/gates.json"):
        tree = FolderHub(zoo / "own").repo("model", "local", "tutor-gguf").tree(done.location.model.commit)
        sha256 = tree[path].sha256
        (zoo / "own/objects" / sha256[:2] / sha256).unlink()
    monkeypatch.chdir(zoo)
    code = main(["publish", NAME, "--repair", "--hub", "own"])
    out, err = capsys.readouterr()
    assert code == 0 and out.count("sent again: ") == 2, out + err
    # A mirror that is damaged in the same way gives nothing.
    for hub in (zoo / "own", zoo / "build/hub"):
        flip(hub / "objects" / sha256[:2] / sha256)
    code = main(["publish", NAME, "--repair", "--hub", "own"])
    assert code == 1 and "nor a mirror has a copy" in capsys.readouterr().err


def test_a_folder_that_is_a_mirror_gives_it_too(
    zoo: Path, served: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The damaged hub is over HTTP; the folder of the settings file is recorded as a mirror."""
    there, own = settings_room.load(zoo, {"hub": served}, {}), settings_room.load(zoo, {"hub": "own"}, {})
    release = released(zoo, there, "1.0.0")
    done = publishing.apply(publication(release, own), Silent())
    record.record(release, done.location, own, Way.MIRROR)
    (zoo / "zoo.toml").write_text('hub = "own"\n')
    shutil.rmtree(zoo / "build/releases")
    lost = object_of(zoo, "tutor-Q8_0.gguf", "1.0.0")
    lost.unlink()
    monkeypatch.chdir(zoo)
    code = main(["publish", NAME, "--repair", "--hub", served])
    out, err = capsys.readouterr()
    assert code == 0 and "sent again: tutor-Q8_0.gguf" in out, out + err
    assert lost.exists()


def test_many_lost_contents_are_counted_and_said_once(
    zoo: Path, place: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(zoo)
    shutil.rmtree(zoo / "build/hub/objects")
    code = main(["publish", NAME, "--repair", "--hub", place.hub])
    out, err = capsys.readouterr()
    lines = [line for line in (out + err).splitlines() if "sent again" in line]
    assert code == 0 and len(lines) == 5 and "more contents" in out, out + err
    assert re.search(r"Repaired .*: \d+ contents of 2 versions were read back", out)
    shutil.rmtree(zoo / "build/hub/objects")
    shutil.rmtree(zoo / "build/releases")
    code = main(["publish", NAME, "--repair", "--hub", place.hub])
    err = capsys.readouterr().err
    assert code == 1 and err.count("has a copy of it") == 5 and "more contents" in err


def test_publishing_again_finds_a_lost_file_and_sends_it(zoo: Path, place: Settings) -> None:
    before = state(zoo)
    release = released_folder(zoo, place)
    object_of(zoo, "tutor-Q8_0.gguf").unlink()
    done = publishing.apply(publication(release, place), Silent())
    assert done.already
    assert state(zoo) == before
    if place.hub.startswith("http"):
        return
    object_of(zoo, "README.md").unlink()
    flip(object_of(zoo, "tutor-Q8_0.gguf"))
    with pytest.raises(Damaged, match=r"reads back differently") as refused:
        publishing.apply(dataclasses.replace(publication(release, place), asked=Asked(verify="full")), Silent())
    assert "--repair" in refused.value.remedy
    assert object_of(zoo, "README.md").is_file()


def released_folder(zoo: Path, settings: Settings) -> ReleaseFolder:
    del settings
    return make_release(zoo, "1.1.0", **{"tutor-Q8_0.gguf": LARGE + "1.1.0", "README.md": "# tutor 1.1.0"})


# --- What only a folder hub can lose


@pytest.fixture
def folder(zoo: Path, settings: Settings) -> Settings:
    for version in ("1.0.0", "1.1.0"):
        released(zoo, settings, version)
    return settings


def repository(zoo: Path) -> Path:
    return zoo / "build/hub/repos/model/local/tutor-gguf"


@pytest.mark.parametrize("harm", [flip, cut, Path.unlink], ids=["flipped", "cut", "lost"])
def test_a_commit_is_written_again(harm: Callable[[Path], object], zoo: Path, folder: Settings) -> None:
    before = state(zoo)
    for release in model_of(folder).releases:
        harm(repository(zoo) / "commits" / f"{release.location.model.commit}.json")
    assert len(fix(folder).restored) == 2
    assert state(zoo) == before


@pytest.mark.parametrize("name", ["heads/main", "tags/v1.0.0"])
@pytest.mark.parametrize("content", [None, "", "garbage\n"])
def test_a_branch_or_tag_is_set_again(content: str | None, name: str, zoo: Path, folder: Settings) -> None:
    before = state(zoo)
    path = repository(zoo) / "refs" / name
    path.unlink() if content is None else path.write_text(content)
    (restored,) = fix(folder).restored
    assert name.split("/")[1] in restored
    assert state(zoo) == before


def test_a_branch_is_set_on_its_last_commit_not_on_the_release(zoo: Path, folder: Settings) -> None:
    """A notice or a corrected card came after the release."""
    repo = FolderHub(zoo / "build/hub").repo("model", "local", "tutor-gguf")
    head = repo.refs().branches["main"]
    theirs = dataclasses.replace(repo.tree(head)["evidence/gates.json"], path="theirs.json")
    later = repo.commit(head, [theirs], [], "later")
    (repository(zoo) / "refs/heads/main").unlink()
    fix(folder)
    assert repo.refs().branches["main"] == later


def test_a_tag_that_was_moved_stays_and_is_reported(zoo: Path, folder: Settings) -> None:
    tags = repository(zoo) / "refs/tags"
    (tags / "v1.0.0").write_text((tags / "v1.1.0").read_text())
    with pytest.raises(Damaged, match=r"tag v1\.0\.0 .* is already on commit") as refused:
        fix(folder)
    assert "delete the tag: rm build/hub/" in refused.value.remedy and "--move" in refused.value.remedy
    assert "release folders" not in refused.value.remedy
    assert (tags / "v1.0.0").read_text() == (tags / "v1.1.0").read_text()


def test_a_version_that_is_elsewhere_is_not_repaired_here(zoo: Path, folder: Settings) -> None:
    catalog = json.loads(folder.catalog.read_text())
    for release in catalog["models"][0]["releases"]:
        release["location"]["hub"] = "https://hub.example"
    folder.catalog.write_text(json.dumps(catalog, indent=2, ensure_ascii=False) + "\n")
    with pytest.raises(InputError, match="records no version") as refused:
        fix(settings_room.load(zoo, {"hub": "another"}, {}))
    assert "https://hub.example" in refused.value.remedy
    with pytest.raises(InputError, match="has no model"):
        flow.repaired("nobody", folder, Silent())


@pytest.mark.usefixtures("folder")
def test_the_command_needs_no_valid_recipe(
    zoo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(zoo)
    object_of(zoo, "README.md").unlink()
    assert main(["publish", f"recipes/{NAME}.yaml", "--repair", "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert told["sent_again"] == ["README.md of model local/tutor-gguf 1.1.0"] and told["versions"] == 2
    assert main(["publish", NAME, "--repair"]) == 0
    assert "Nothing to repair" in capsys.readouterr().out


def older(settings: Settings) -> None:
    """The catalog of a clone that has not heard of 1.1.0 yet."""
    catalog = json.loads(settings.catalog.read_text())
    (model,) = catalog["models"]
    model["releases"] = [one for one in model["releases"] if one["version"] == "1.0.0"]
    settings.catalog.write_text(json.dumps(catalog, indent=2, ensure_ascii=False) + "\n")


@pytest.mark.parametrize("main", ["there", "lost"])
def test_an_older_catalog_never_turns_the_main_branch_back(main: str, zoo: Path, place: Settings) -> None:
    older(place)
    repo = FolderHub(zoo / "build/hub").repo("model", "local", "tutor-gguf")
    before = repo.refs()
    lost = zoo / "build/hub/repos/model/local/tutor-gguf/refs/heads/main"
    if main == "lost":
        lost.unlink()
    object_of(zoo, "tutor-Q8_0.gguf", "1.0.0").unlink()
    with pytest.raises(Damaged) as refused:
        flow.repaired(NAME, place, Silent())
    assert "the main branch of model local/tutor-gguf: local/tutor-gguf has v1.1.0 (tag)" in refused.value.what
    assert "git pull" in refused.value.remedy and "release folders" not in refused.value.remedy
    assert "sent again: tutor-Q8_0.gguf" in refused.value.safe, "the contents are repaired nevertheless"
    assert lost.exists() == (main == "there")
    if main == "there":
        assert repo.refs() == before


def test_a_tag_without_a_release_does_not_stop_a_repair(zoo: Path, place: Settings) -> None:
    folder = zoo / "build/hub/repos/model/local/tutor-gguf/refs/tags"
    repo = FolderHub(zoo / "build/hub").repo("model", "local", "tutor-gguf")
    other = repo.commit(None if not repo.refs().branches else repo.refs().branches["main"], [], ["MANIFEST.json"], "x")
    (folder / "v9.0.0").write_text(f"{other}\n")
    assert fix(place).left == []
    assert not fix(place).outdated


@pytest.mark.usefixtures("online")
@pytest.mark.parametrize("path", ["/resolve/", "/batch"])
def test_a_hub_that_no_longer_answers_is_not_waited_for_once_a_file(path: str, zoo: Path, start: Start) -> None:
    """It ends while a file is read, or while one is sent."""
    with FaultServer(start().address) as proxy:
        settings = settings_room.load(zoo, {"hub": proxy.address}, {})
        released(zoo, settings, "1.0.0")
        for one in (zoo / "build/hub/objects").rglob("*"):
            one.unlink() if one.is_file() and path == "/batch" else None
        proxy.break_(Fault("call", call=lambda: proxy.break_(Fault("refuse"), times=999)), path=path)
        with pytest.raises(RemoteError, match="cannot be reached"):
            flow.repaired(NAME, settings, Silent())
        tried = {one.path for one in proxy.exchanges if one.fault == "refuse" and "/refs" not in one.path}
    assert 1 <= len(tried) <= 2, f"one file, and the question before it is sent: {tried}"
