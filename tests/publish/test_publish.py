"""A release is published completely or not at all, and the same command again completes it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from publishsamples import (
    MODEL_FILES,
    NAMES,
    Faulty,
    FaultyRepo,
    failing,
    make_release,
    publish,
    refs,
    settings,
    zoo,
)

from zoo import settings as settings_room
from zoo.errors import AGAIN, RESUMES, Again, Damaged, InputError, ZooError
from zoo.hub import FolderHub
from zoo.progress import unheard
from zoo.publish import apply as publishing
from zoo.publish import hashes
from zoo.publish.apply import Published, VersionTaken
from zoo.settings import Settings

FIXTURES = (settings, zoo)


def journal(settings: Settings) -> list[dict[str, str]]:
    path = settings.releases / "tutor" / "1.0.0.journal.jsonl"
    return (
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    )


# --- Plans


def test_first_plan_adds_everything_with_its_reason(zoo: Path, settings: Settings) -> None:
    release, hub = make_release(zoo), FolderHub(zoo / "build" / "hub")
    dataset, model = publishing.prepare(publishing.Publication(release, NAMES, settings, hub))
    assert (dataset.kind, model.kind) == ("dataset", "model")
    assert {(change.action, change.reason) for change in model.plan.changes} == {
        ("add", "not on the hub yet")
    }
    assert [change.path for change in model.plan.changes] == sorted([*MODEL_FILES, "recipe.yaml"])
    assert model.plan.upload_bytes == sum(file.size_bytes for file in release.model_files)
    assert model.plan.parent is None and not model.plan.is_published
    assert not hub.folder.exists()


def test_plan_of_a_second_version(zoo: Path, settings: Settings) -> None:
    publish(make_release(zoo, "1.0.0", old="x"), settings)
    head = refs(settings)["model"][0]["main"]
    release = make_release(zoo, "1.1.0", **{"README.md": "# other"})
    hub = FolderHub(zoo / "build" / "hub")
    _, model = publishing.prepare(publishing.Publication(release, NAMES, settings, hub))
    assert {change.path: change.action for change in model.plan.changes} == {
        "MANIFEST.json": "replace", "README.md": "replace", "evidence/gates.json": "skip", "old": "delete",
        "recipe.yaml": "replace", "tutor-Q8_0.gguf": "skip",
    }  # fmt: skip
    reasons = {change.path: change.reason for change in model.plan.changes}
    assert reasons["old"] == "not in this release" and reasons["tutor-Q8_0.gguf"] == "the hub has the same bytes"
    assert reasons["README.md"].startswith("the hub has ")
    assert model.plan.parent == head
    manifest = release.folder / "model" / "MANIFEST.json"
    assert model.plan.upload_bytes == len("# other") + len("1.1.0") + manifest.stat().st_size


def test_a_release_without_dataset_has_one_repository(zoo: Path, settings: Settings) -> None:
    release = dataclasses.replace(make_release(zoo), dataset_files=())
    published = publish(release, settings)
    assert published.location.dataset is None
    assert refs(settings)["dataset"] == ({}, {})


# --- Publishing


def test_publish_and_the_same_again(zoo: Path, settings: Settings) -> None:
    release = make_release(zoo)
    first = publish(release, settings)
    there = refs(settings)
    for kind, place in (("model", first.location.model), ("dataset", first.location.dataset)):
        assert place and there[kind] == ({"main": place.commit}, {"v1.0.0": place.commit})
        assert place.tag == "v1.0.0" and place.name == f"local/{NAMES[kind == 'dataset']}"
    assert first.location.hub == "folder" and not first.already
    before, said = everything(settings), journal(settings)
    second = publish(release, settings)
    assert second == Published(first.location, already=True)
    assert everything(settings) == before and journal(settings) == said
    repo = FolderHub(zoo / "build" / "hub").repo("model", "local", NAMES[0])
    assert repo.tree(first.location.model.commit) == {file.path: file for file in release.model_files}


def everything(settings: Settings) -> dict[str, int]:
    folder = settings.root / "build" / "hub"
    return {
        path.relative_to(folder).as_posix(): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_published_version_never_changes(zoo: Path, settings: Settings) -> None:
    publish(make_release(zoo, old="x"), settings)
    before = everything(settings)
    with pytest.raises(VersionTaken) as caught:
        publish(make_release(zoo, new="y", **{"README.md": "# other"}), settings)
    lines = caught.value.what.splitlines()
    assert lines[0].endswith("1.0.0 is already published with different content")
    assert [line.split(":")[0] for line in lines[1:]] == [
        "  replace MANIFEST.json", "  replace README.md", "  add new", "  delete old",
    ]  # fmt: skip
    assert "Raise the version" in caught.value.remedy and caught.value.exit_code == 1
    assert everything(settings) == before


def test_a_second_version_keeps_the_first(zoo: Path, settings: Settings) -> None:
    one = publish(make_release(zoo, "1.0.0", old="x"), settings).location.model
    two = publish(make_release(zoo, "1.1.0"), settings).location.model
    assert refs(settings)["model"] == ({"main": two.commit}, {"v1.0.0": one.commit, "v1.1.0": two.commit})
    repo = FolderHub(zoo / "build" / "hub").repo("model", "local", NAMES[0])
    assert "old" in repo.tree(one.commit) and "old" not in repo.tree(two.commit)
    assert publish(make_release(zoo, "1.0.0", old="x"), settings).already


def test_the_journal_says_what_was_done_and_no_more(zoo: Path, settings: Settings) -> None:
    published = publish(make_release(zoo, big="x" * 2_000_000), settings)
    steps = [(entry["step"], entry.get("kind")) for entry in journal(settings) if entry["step"] != "uploaded"]
    both = ("dataset", "model")
    assert steps == [
        ("begin", None),
        *((step, kind) for kind in both for step in ("committing", "committed")),
        *((step, kind) for step in ("verified", "tagged") for kind in both),
        ("recorded", None),
        ("done", None),
    ]
    (uploaded,) = [entry for entry in journal(settings) if entry["step"] == "uploaded"]
    assert (uploaded["kind"], uploaded["path"]) == ("model", "big")
    text = (settings.releases / "tutor" / "1.0.0.journal.jsonl").read_text(encoding="utf-8")
    assert str(zoo) not in text and published.location.model.commit in text


def test_a_journal_that_was_cut_or_is_of_something_else(zoo: Path, settings: Settings) -> None:
    path = settings.releases / "tutor" / "1.0.0.journal.jsonl"
    release = make_release(zoo)
    path.write_bytes(
        b'{"step":"begin","files":"other"}\n{"step":"committed","kind":"model","oid":"x"}\n{"step":"com'
    )
    assert not publish(release, settings).already
    lines = path.read_bytes().split(b"\n")
    assert json.loads(lines[2])["step"] == "begin"
    before = path.read_bytes()
    assert publish(release, settings).already and path.read_bytes() == before


def test_a_file_that_changed_since_the_release_was_made_is_refused(zoo: Path, settings: Settings) -> None:
    for change in ("longer than before", "# tutoR"):
        release = make_release(zoo)
        (release.folder / "model" / "README.md").write_text(change, encoding="utf-8")
        with pytest.raises(Damaged):
            publish(release, settings)
        assert not any(tags for _, tags in refs(settings).values())


def test_a_link_in_the_release_folder_is_refused(zoo: Path, settings: Settings) -> None:
    for name in ("README.md", "evidence"):
        release = make_release(zoo)
        inside = release.folder / "model" / name
        other = zoo / f"other-{name}"
        inside.rename(other)
        inside.symlink_to(other)
        with pytest.raises(Damaged, match=r"changed since the release was made: it is a link"):
            publish(release, settings)
    assert refs(settings) == {"dataset": ({}, {}), "model": ({}, {})}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/etc/passwd", "is absolute"), ("../x", "leads outside its folder"), ("a\nb", "has a character"),
        (".git/config", "keep"),
        ("readme.md", "the same file on systems that ignore case"), ("README.md/x", "both a file and a folder"),
    ],
)  # fmt: skip
def test_paths_that_not_every_system_can_store(path: str, words: str, zoo: Path, settings: Settings) -> None:
    release = make_release(zoo)
    odd = dataclasses.replace(release.model_files[0], path=path)
    with pytest.raises(ZooError, match=words):
        publish(dataclasses.replace(release, model_files=(*release.model_files, odd)), settings)
    assert not (zoo / "build" / "hub").exists()


@pytest.mark.parametrize(
    "version", ["", "1", "1.0", "01.0.0", "1.0.0/x", "1.0.0 ", "main", "1.0.0-", "٣.0.0", "1.0.0\n"]
)
def test_versions_that_are_invalid(version: str, zoo: Path, settings: Settings) -> None:
    release = make_release(zoo)
    odd = dataclasses.replace(release, release=dataclasses.replace(release.release, version=version))
    with pytest.raises(InputError, match="is not a valid version"):
        publish(odd, settings)


def test_no_file_is_read_twice(zoo: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    read = list[str]()
    digest = hashes._digest

    def counting(path: Path, size: int, advance: Any) -> Any:
        read.append(path.name)
        return digest(path, size, advance)

    monkeypatch.setattr(hashes, "_digest", counting)
    release = make_release(zoo)
    count = len(release.model_files) + len(release.dataset_files)
    publish(release, settings)
    assert len(read) == count
    assert publish(release, settings).already and len(read) == count
    (zoo / "build/releases/tutor/1.0.0.hashes.json").write_bytes(b'{"x": 1')
    assert publish(release, settings).already and len(read) == 2 * count


def test_full_verification_reads_everything_back(zoo: Path, settings: Settings) -> None:
    release, hub = make_release(zoo), FolderHub(zoo / "build" / "hub")
    publish(release, settings, hub, verify="full")
    assert {e["how"] for e in journal(settings) if e["step"] == "verified"} == {"full"}
    file = next(file for file in release.model_files if file.path.endswith(".gguf"))
    stored = hub.folder / "objects" / file.sha256[:2] / file.sha256
    stored.chmod(0o644)
    stored.write_bytes(stored.read_bytes()[:-1] + b"X")
    assert publish(release, settings).already  # sizes and the recorded digests are right
    with pytest.raises(
        Damaged, match=r"reads back differently from what was sent\n  tutor-Q8_0\.gguf reads back"
    ) as caught:
        publish(release, settings, verify="full")
    assert caught.value.safe == "Tags that are set stay as they are. Finished steps are kept."


# --- Faults on the way


def test_everything_is_committed_and_verified_before_any_tag(zoo: Path, settings: Settings) -> None:
    watching = failing(settings, "nothing")
    publish(make_release(zoo), settings, watching)
    later = watching.calls[watching.calls.index("commit dataset") :]
    assert later == [
        "commit dataset", "commit model", "tree dataset", "tree model", "refs model", "tag dataset", "tag model"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("at", "commits", "tags"),
    [
        ("put dataset", set(), set()),
        ("commit dataset", set(), set()),
        ("put model", set(), set()),
        ("commit model", {"dataset"}, set()),
        ("tree model", {"dataset", "model"}, set()),
        ("tag dataset", {"dataset", "model"}, set()),
        ("tag model", {"dataset", "model"}, {"dataset"}),
    ],
)
def test_a_fault_leaves_no_tag_before_everything_is_there(
    at: str, commits: set[str], tags: set[str], zoo: Path, settings: Settings
) -> None:
    release, hub = make_release(zoo), failing(settings, at)
    with pytest.raises(ZooError, match="the hub is away") as caught:
        publish(release, settings, hub)
    assert caught.value.safe and caught.value.advice == f"Continue with: zoo publish {release.model.name}"
    there = refs(settings)
    assert {kind for kind, (branches, _) in there.items() if branches} == commits
    assert {kind for kind, (_, tagged) in there.items() if tagged} == tags
    again = publish(release, settings)
    assert not again.already
    for kind, place in (("model", again.location.model), ("dataset", again.location.dataset)):
        assert place and refs(settings)[kind] == ({"main": place.commit}, {"v1.0.0": place.commit})


def test_a_commit_that_is_not_what_was_uploaded_gets_no_tag(zoo: Path, settings: Settings) -> None:
    class Lying(FaultyRepo):
        def __getattr__(self, method: str) -> Any:
            call = super().__getattr__(method)
            if method != "tree":
                return call
            return lambda oid: {**call(oid), "evil.py": next(iter(call(oid).values()))}

    class LyingHub(Faulty):
        def repo(self, kind: str, namespace: str, name: str) -> Any:
            return Lying(self, kind, self.hub.repo(kind, namespace, name))

    lying = LyingHub(FolderHub(zoo / "build" / "hub"), lambda *_: None)
    with pytest.raises(Damaged, match=r"is not the release\n  evil\.py is not ours"):
        publish(make_release(zoo), settings, lying)
    assert not any(tags for _, tags in refs(settings).values())


# --- Two at the same time, and what already exists


def test_a_damaged_object_on_the_hub_is_not_trusted(zoo: Path) -> None:
    release, hub = make_release(zoo), FolderHub(zoo / "build" / "hub")
    file = next(file for file in release.model_files if file.path.endswith(".gguf"))
    source, repo = release.folder / "model" / file.path, hub.repo("model", "someone", "other")
    assert repo.put(source, file.sha256, unheard) is True
    assert repo.put(source, file.sha256, unheard) is False
    stored = hub.folder / "objects" / file.sha256[:2] / file.sha256
    stored.chmod(0o644)
    stored.write_bytes(stored.read_bytes()[:-1] + b"X")
    assert repo.put(source, file.sha256, unheard) is True
    assert stored.read_bytes() == source.read_bytes()


def test_two_processes_publish_at_once(zoo: Path) -> None:
    make_release(zoo)
    script = (
        "import sys, pathlib; sys.path[:0] = sys.argv[2:];"
        "import publishsamples as t; zoo = pathlib.Path(sys.argv[1]); s = t.settings_room.load(zoo, {}, {});"
        "r = t.read_release(zoo); sys.stdin.readline(); print(t.publish(r, s).already)"
    )
    here = Path(__file__).parents[1]
    command = [sys.executable, "-c", script, str(zoo), str(here), str(here.parent)]
    both = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for process in both:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate()[0].strip() for process in both]
    assert sorted(said) == ["False", "True"]
    assert len(list((zoo / "build/hub/repos").rglob("commits/*.json"))) == 2
    found = refs(settings_room.load(zoo, {}, {}))
    assert all(len(tags) == 1 for _, tags in found.values())


@pytest.mark.parametrize(
    ("remedy", "again", "advice", "named"),
    [
        ("", AGAIN, "Run the same command again", "Continue with: zoo publish x"),
        ("Free some space", AGAIN,
         "Free some space. Run the same command again", "Free some space. Continue with: zoo publish x"),
        ("Check it.", RESUMES, "Check it. Run the same command again; it resumes from there",
         "Check it. Continue with: zoo publish x"),
        ("", Again("in 30 seconds"), "Run the same command again in 30 seconds",
         "Continue in 30 seconds with: zoo publish x"),
        ("See: zoo doctor", None, "See: zoo doctor", "See: zoo doctor"),
    ],
)  # fmt: skip
def test_the_same_command_is_named(remedy: str, again: Again | None, advice: str, named: str) -> None:
    error = ZooError("x", remedy=remedy, again=again)
    assert error.advice == advice
    error.command = "zoo publish x"
    assert error.advice == named and str(error).endswith(f"{named}.")
