"""Others write to the same repositories while a release is published."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from publishsamples import NAMES, Faulty, failing, make_release, publish, refs, settings, zoo

from zoo.errors import ZooError
from zoo.files.digests import sha256_file
from zoo.files.listing import FileRecord
from zoo.hub import FolderHub, HubConflict
from zoo.hub.folder import FolderRepo
from zoo.progress import unheard
from zoo.publish.apply import Published
from zoo.settings import Settings

FIXTURES = (settings, zoo)


def interfering(
    settings: Settings, at: str, files: list[FileRecord], title: str = "by hand"
) -> tuple[Faulty, list[str]]:
    """A hub where somebody else commits ``files`` once, just before the call ``at``; the commits."""
    hub, heads = FolderHub(settings.root / "build" / "hub"), list[str]()

    def interfere(number: int, method: str, kind: str) -> None:
        if number > 0 and f"{method} {kind}" == at and not heads:
            other = hub.repo(kind, "local", NAMES[kind == "dataset"])
            heads.append(other.commit(other.refs().branches.get("main"), files, [], title))

    return Faulty(hub, interfere), heads


def test_somebody_else_changes_our_files_in_the_meantime(zoo: Path, settings: Settings) -> None:
    release = make_release(zoo)
    hub, heads = interfering(settings, "commit dataset", [release.dataset_files[0]])
    with pytest.raises(HubConflict) as caught:
        publish(release, settings, hub)
    first, who = caught.value.what.splitlines()
    assert first == "someone else changed README.md in dataset tutor-prompts in the meantime"
    assert who.startswith("  20") and who.endswith("unknown by hand")
    assert "No tag was set" in caught.value.safe and "zoo publish" in caught.value.advice
    assert refs(settings) == {"dataset": ({"main": heads[0]}, {}), "model": ({}, {})}
    assert publish(release, settings).location.dataset
    other = hub.repo("dataset", "local", NAMES[1])
    assert len(other.tree(refs(settings)["dataset"][1]["v1.0.0"])) == len(release.dataset_files)


def test_somebody_else_changes_other_files_in_the_meantime(zoo: Path, settings: Settings) -> None:
    release, notes = make_release(zoo), zoo / "notes"
    notes.write_text("hello", encoding="utf-8")
    theirs = FileRecord("notes.md", 5, sha256_file(notes))
    FolderHub(zoo / "build" / "hub").repo("model", "local", "any").put(notes, theirs.sha256, unheard)
    for at in ("commit model", "tag model"):
        hub, heads = interfering(settings, at, [theirs])
        published = publish(release, settings, hub)
        repo = FolderHub(zoo / "build" / "hub").repo("model", "local", NAMES[0])
        tagged = repo.tree(refs(settings)["model"][1]["v1.0.0"])
        assert set(tagged) == {f.path for f in release.model_files} | (
            {"notes.md"} if at == "commit model" else set()
        )
        assert [note.title for note in repo.history(published.location.model.commit, None)] == [
            f"{release.model.name} 1.0.0", *(["by hand"] if at == "commit model" else [])
        ]  # fmt: skip
        assert len(heads) == 1
        assert publish(release, settings).already
        shutil.rmtree(zoo / "build" / "hub" / "repos")


def test_a_commit_that_was_made_before_somebody_else_came_gets_the_tag(zoo: Path, settings: Settings) -> None:
    release = make_release(zoo)
    with pytest.raises(ZooError, match="the hub is away"):
        publish(release, settings, failing(settings, "tag dataset"))
    made = refs(settings)
    repo = FolderHub(zoo / "build" / "hub").repo("model", "local", NAMES[0])
    later = repo.commit(made["model"][0]["main"], [], ["recipe.yaml"], "by hand")
    assert publish(release, settings).location.model.commit == made["model"][0]["main"]
    assert refs(settings)["model"] == ({"main": later}, {"v1.0.0": made["model"][0]["main"]})


def test_another_publisher_did_the_same(zoo: Path, settings: Settings) -> None:
    release = make_release(zoo)
    hub, heads = FolderHub(zoo / "build" / "hub"), list[str]()

    def same(number: int, method: str, kind: str) -> None:
        if number > 0 and (method, kind) == ("commit", "model"):
            heads.append(hub.repo(kind, "local", NAMES[0]).commit(None, release.model_files, [], "elsewhere"))

    assert publish(release, settings, Faulty(hub, same)).location.model.commit == heads[0]
    assert refs(settings)["model"] == ({"main": heads[0]}, {"v1.0.0": heads[0]})


@pytest.mark.parametrize("at", ["commit dataset", "commit model", "tag dataset", "tag model"])
def test_another_publisher_is_completely_done_in_the_meantime(at: str, zoo: Path, settings: Settings) -> None:
    """On another machine, with the same release: commits and tags, just before a step of ours."""
    release, other, done = make_release(zoo), make_release(zoo / "other"), list[Published]()

    def overtake(number: int, method: str, kind: str) -> None:
        if number > 0 and f"{method} {kind}" == at and not done:
            done.append(publish(other, settings, FolderHub(zoo / "build" / "hub")))

    ours = publish(release, settings, Faulty(FolderHub(zoo / "build" / "hub"), overtake))
    assert done and ours.location == done[0].location
    assert len(list((zoo / "build" / "hub" / "repos").rglob("commits/*.json"))) == 2
    assert all(len(tags) == 1 for _, tags in refs(settings).values())


def test_a_hub_that_fails_after_it_set_the_first_tag(
    zoo: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, real = make_release(zoo), FolderRepo.tag

    def lost(repo: FolderRepo, name: str, oid: str, message: str = "") -> None:
        real(repo, name, oid, message)
        raise ZooError("the answer was lost")

    monkeypatch.setattr(FolderRepo, "tag", lost)
    with pytest.raises(ZooError, match="the answer was lost") as caught:
        publish(release, settings)
    assert "Tags that were set are correct and stay" in caught.value.safe
    assert "v1.0.0" in refs(settings)["dataset"][1]
    monkeypatch.undo()
    assert publish(release, settings).location.dataset
