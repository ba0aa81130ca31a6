"""The main branch holds the highest stable version; others get their commit and their tag beside it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

from faultserver import Fault, FaultServer
from hubserving import Start
from publishsamples import NAMES, Faulty, failing, make_release, publish, refs

from zoo import settings as settings_room
from zoo.errors import InputError, ZooError
from zoo.files.digests import pretty_json, sha256_file
from zoo.files.listing import FileRecord
from zoo.hub import FolderHub, Hub, Repo, connect
from zoo.progress import unheard
from zoo.publish.line import Owner
from zoo.publish.plan import VersionTaken
from zoo.settings import Settings

pytest_plugins = ["hubserving"]
pytestmark = pytest.mark.usefixtures("online")
MODEL = "smollm2-135m-instruct"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "zoo.toml").touch()
    return settings_room.load(tmp_path, {}, {})


@pytest.fixture(params=["folder", "http"])
def hub(request: pytest.FixtureRequest, tmp_path: Path, start: Start) -> Hub:
    if request.param == "folder":
        return FolderHub(tmp_path / "build" / "hub")
    return connect(start().address, tmp_path)


def held(version: str, name: str = MODEL) -> dict[str, str]:
    """A manifest that names the version."""
    return {"MANIFEST.json": pretty_json({"name": name, "version": version, "files": []})}


def main_has(settings: Settings) -> str:
    """What recipe.yaml of the model's main branch says: its version."""
    repo = FolderHub(settings.root / "build" / "hub").repo("model", "local", NAMES[0])
    with repo.open(repo.refs().branches["main"], "recipe.yaml") as stream:
        return stream.read().decode()


def tagged_has(settings: Settings, version: str) -> str:
    repo = FolderHub(settings.root / "build" / "hub").repo("model", "local", NAMES[0])
    with repo.open(repo.refs().tags[f"v{version}"], "recipe.yaml") as stream:
        return stream.read().decode()


@pytest.mark.parametrize("manifests", [True, False], ids=["manifests", "tags only"])
def test_a_year_of_versions_moves_main_only_upwards(
    manifests: bool, hub: Hub, settings: Settings, tmp_path: Path
) -> None:
    for version, main in (
        ("1.0.0-rc.1", "1.0.0-rc.1"),  # nothing stable is there
        ("1.0.0", "1.0.0"),
        ("1.1.0-rc.1", "1.0.0"),
        ("1.1.0", "1.1.0"),
        ("1.0.1", "1.1.0"),
        ("1.0.2", "1.1.0"),
        ("2.0.0-rc.1", "1.1.0"),
        ("1.10.0", "1.10.0"),
        ("1.9.0", "1.10.0"),
    ):
        release = make_release(tmp_path, version, **(held(version) if manifests else {}))
        done = publish(release, settings, hub)
        assert not done.already and main_has(settings) == main, version
        assert tagged_has(settings, version) == version
        branches, tags = refs(settings)["model"]
        assert set(branches) == {"main"} and tags[f"v{version}"].startswith(done.location.model.commit)
        assert publish(make_release(tmp_path, version, **(held(version) if manifests else {})), settings, hub).already
        assert main_has(settings) == main
    repo = FolderHub(tmp_path / "build" / "hub").repo("model", "local", NAMES[0])
    # A backport continues the version before it.
    assert [note.title for note in repo.history(refs(settings)["model"][1]["v1.0.2"], None)][:3] == [
        f"{MODEL} 1.0.2", f"{MODEL} 1.0.1", f"{MODEL} 1.0.0"
    ]  # fmt: skip


@pytest.mark.parametrize("at", ["begin model", "commit model", "tree model", "tag dataset", "tag model", "end model"])
def test_a_backport_that_was_stopped_anywhere_ends_right(at: str, settings: Settings, tmp_path: Path) -> None:
    for version in ("1.0.0", "1.1.0"):
        publish(make_release(tmp_path, version), settings)
    before = refs(settings)["model"][0]
    release = make_release(tmp_path, "1.0.1")
    calls = 0

    def act(number: int, method: str, kind: str) -> None:
        nonlocal calls
        if number < 0 and f"{method} {kind}" == at:
            calls += 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish(release, settings, Faulty(FolderHub(tmp_path / "build" / "hub"), act))
    assert calls == 1
    # Also if the journal is lost.
    release.folder.with_name("1.0.1.journal.jsonl").unlink(missing_ok=True)
    publish(release, settings)
    branches, tags = refs(settings)["model"]
    assert dict(branches) == dict(before) and tagged_has(settings, "1.0.1") == "1.0.1" and len(tags) == 3


def test_a_branch_that_cannot_be_deleted_does_not_stop_the_release(settings: Settings, tmp_path: Path) -> None:
    publish(make_release(tmp_path, "1.1.0"), settings)
    done = publish(make_release(tmp_path, "1.0.0"), settings, failing(settings, "end model"))
    branches, tags = refs(settings)["model"]
    assert tags["v1.0.0"] == done.location.model.commit == branches["publish-1.0.0"]
    assert publish(make_release(tmp_path, "1.0.0"), settings).already
    assert set(refs(settings)["model"][0]) == {"main"}


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize(
    ("fault", "times"),
    [(Fault("answer", status=500), 1), (Fault("lost"), 1), (Fault("answer", status=500), 99), (Fault("refuse"), 99),
     (Fault("answer", status=403), 99)],
    ids=["500 once", "lost", "500", "refused", "403"],
)  # fmt: skip
def test_faults_while_a_branch_is_made_or_deleted(
    fault: Fault, times: int, method: str, settings: Settings, tmp_path: Path, start: Start
) -> None:
    publish(make_release(tmp_path, "1.1.0"), settings)
    release = make_release(tmp_path, "1.0.0")
    with FaultServer(start().address) as faulty:
        faulty.break_(fault, path="/branch/", method=method, times=times)
        hub = connect(faulty.address, tmp_path)
        if times > 1 and method == "POST":
            with pytest.raises(ZooError) as caught:
                publish(release, settings, hub)
            assert "zoo publish" in str(caught.value.advice) and len(refs(settings)["model"][1]) == 1
        else:
            publish(release, settings, hub)
        faulty.heal()
        publish(release, settings, connect(faulty.address, tmp_path))
    branches, tags = refs(settings)["model"]
    assert set(branches) == {"main"} and set(tags) == {"v1.0.0", "v1.1.0"}
    assert main_has(settings) == "1.1.0" and tagged_has(settings, "1.0.0") == "1.0.0"


def test_a_higher_version_of_another_publisher_in_the_meantime_keeps_main(settings: Settings, tmp_path: Path) -> None:
    publish(make_release(tmp_path, "1.0.0"), settings)
    hub, done = FolderHub(tmp_path / "build" / "hub"), list[str]()

    def overtake(number: int, method: str, kind: str) -> None:
        if number > 0 and (method, kind) == ("commit", "model") and not done:
            done.append("1.2.0")
            publish(make_release(tmp_path / "other", "1.2.0"), settings, hub)

    publish(make_release(tmp_path, "1.1.0"), settings, Faulty(hub, overtake))
    assert done and main_has(settings) == "1.2.0" and tagged_has(settings, "1.1.0") == "1.1.0"
    assert set(refs(settings)["model"][0]) == {"main"}


def test_a_main_branch_that_was_turned_back_gets_the_highest_version_again(
    hub: Hub, settings: Settings, tmp_path: Path
) -> None:
    for version in ("1.0.0", "2.0.0", "2.1.0-rc.1"):
        publish(make_release(tmp_path, version, **held(version)), settings, hub)
    folder = FolderHub(tmp_path / "build" / "hub")
    repo = folder.repo("model", "local", NAMES[0])
    before = repo.refs()
    notes = put_text(repo, tmp_path, "notes.md", "hello")
    turned = repo.commit(before.branches["main"], [*repo.tree(before.tags["v1.0.0"]).values(), notes], [], "by hand")
    for version in ("1.0.0", "2.1.0-rc.1"):
        assert publish(make_release(tmp_path, version, **held(version)), settings, hub).already
        assert repo.refs().branches["main"] == turned
    release = make_release(tmp_path, "2.0.0", **held("2.0.0"))
    done = publish(release, settings, hub)
    assert done.already and before.tags["v2.0.0"].startswith(done.location.model.commit)
    now = repo.refs()
    assert now.tags == before.tags and main_has(settings) == "2.0.0"
    assert set(repo.tree(now.branches["main"])) == {*(f.path for f in release.model_files), "notes.md"}
    assert publish(release, settings, hub).already and repo.refs().branches == now.branches
    # What is on main is not a release of ours: nobody can say that it is behind.
    own = repo.commit(now.branches["main"], [], ["MANIFEST.json", "recipe.yaml"], "by hand")
    assert publish(release, settings, hub).already and repo.refs().branches["main"] == own


def put_text(repo: Repo, tmp_path: Path, path: str, text: str) -> FileRecord:
    source = tmp_path / "source"
    source.write_text(text, encoding="utf-8")
    record = FileRecord(path, len(text), sha256_file(source))
    repo.put(source, record.sha256, unheard)
    return record


# --- Whose repository it is


def test_a_repository_of_another_model_is_refused_before_anything_is_sent(
    hub: Hub, settings: Settings, tmp_path: Path
) -> None:
    publish(make_release(tmp_path, "1.0.0", **held("1.0.0", "other-model")), settings, hub)
    before = refs(settings)
    for version in ("1.0.0", "2.0.0"):
        release = make_release(tmp_path, version, **held(version))
        with pytest.raises(InputError, match=r"another model: it holds .other-model. .1\.0\.0.") as caught:
            publish(release, settings, hub, owner=Owner((MODEL,)))
        assert caught.value.safe == "Nothing was changed." and "`publish:`" in caught.value.remedy
    assert refs(settings) == before
    # A model that was renamed keeps its repository.
    publish(release, settings, hub, owner=Owner((MODEL, "other-model")))
    assert main_has(settings) == "2.0.0"


# --- Tags


def test_both_tags_are_looked_at_before_either_is_set(settings: Settings, tmp_path: Path) -> None:
    hub = FolderHub(tmp_path / "build" / "hub")
    release = make_release(tmp_path)

    def take(number: int, method: str, kind: str) -> None:
        if number < 0 and (method, kind) == ("commit", "model"):
            repo = hub.repo("model", "local", NAMES[0])
            other = repo.commit(repo.refs().branches["main"], [], ["recipe.yaml"], "by hand")
            repo.tag("v1.0.0", other)

    with pytest.raises(VersionTaken, match=r"tag v1\.0\.0 of model tutor-gguf is on commit .* another") as caught:
        publish(release, settings, Faulty(hub, take))
    assert "Raise the version" in caught.value.remedy and "zoo publish" not in str(caught.value.advice)
    assert refs(settings)["dataset"][1] == {}
    with pytest.raises(VersionTaken, match="different content"):
        publish(release, settings)


@pytest.mark.parametrize("at", ["tag dataset", "tag model"])
def test_the_same_release_under_another_commit_in_the_meantime_is_taken(
    at: str, settings: Settings, tmp_path: Path
) -> None:
    hub, release, theirs = FolderHub(tmp_path / "build" / "hub"), make_release(tmp_path), dict[str, str]()
    kind_of, files = at.partition(" ")[2], {"dataset": release.dataset_files, "model": release.model_files}

    def take(number: int, method: str, kind: str) -> None:
        if number > 0 and f"{method} {kind}" == at and not theirs:
            repo = hub.repo(kind, "local", NAMES[kind == "dataset"])
            theirs[kind] = repo.commit(repo.refs().branches["main"], files[kind], [], "elsewhere")
            repo.tag("v1.0.0", theirs[kind])

    location = publish(release, settings, Faulty(hub, take)).location
    place = location.model if kind_of == "model" else location.dataset
    assert place and place.commit == theirs[kind_of]
    assert publish(release, settings).location == location


def test_a_tag_that_moved_is_reported_as_moved(settings: Settings, tmp_path: Path) -> None:
    release = make_release(tmp_path)
    location = publish(release, settings).location
    repo = FolderHub(tmp_path / "build" / "hub").repo("model", "local", NAMES[0])
    other = repo.commit(location.model.commit, [], ["recipe.yaml"], "by hand")
    (repo.folder / "refs" / "tags" / "v1.0.0").write_text(other)
    with pytest.raises(VersionTaken, match=r"tag v1\.0\.0 of model tutor-gguf moved: the catalog records") as caught:
        publish(release, settings, recorded=location)
    assert caught.value.safe == "Nothing was changed."
    (repo.folder / "refs" / "tags" / "v1.0.0").unlink()
    # A tag that is gone is set again on the recorded commit, whatever main holds now.
    assert publish(release, settings, recorded=location).location == location
    assert repo.refs().tags == {"v1.0.0": location.model.commit} and repo.refs().branches == {"main": other}


def test_errors_name_the_hub_that_has_nothing(settings: Settings, tmp_path: Path, start: Start) -> None:
    release = make_release(tmp_path)
    hub = connect(start().address, tmp_path)
    location = publish(release, settings, hub).location
    shutil.rmtree(tmp_path / "build" / "hub" / "repos")
    with pytest.raises(ZooError, match=r"no longer has commit .* which the catalog records") as caught:
        publish(release, settings, connect(hub.name, tmp_path), recorded=location)
    assert "--move" in caught.value.remedy and not (tmp_path / "build" / "hub" / "repos").exists()
