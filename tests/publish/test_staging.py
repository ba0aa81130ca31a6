"""Staged releases: complete and checked on a branch of their own, published from there without sending again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from publishsamples import (
    NAMES,
    Faulty,
    complete_release,
    failing,
    make_release,
    publish,
    served,
    serving,
    settings,
    through_flow,
    zoo,
)

from zoo import catalogfile, flow
from zoo import settings as settings_room
from zoo.__main__ import main
from zoo.errors import InputError, ZooError
from zoo.hub import FolderHub, Hub, connect
from zoo.plan.prepare import Planned
from zoo.progress import Silent
from zoo.publish import staging
from zoo.publish.apply import VersionTaken
from zoo.publish.asked import Asked
from zoo.release import ReleaseFolder
from zoo.settings import Settings

FIXTURES = (served, settings, zoo)
KINDS = ("dataset", "model")
NAME = "smollm2-135m-instruct"
BRANCH = "staging-1.0.0"


@pytest.fixture(params=["folder", "http"])
def hub(request: pytest.FixtureRequest, zoo: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    if request.param == "folder":
        yield FolderHub(zoo / "build/hub")
        return
    with serving(zoo, monkeypatch) as address:
        yield connect(address, zoo)


def refs(hub: Any) -> dict[str, tuple[list[str], list[str]]]:
    """Branches and tags of both repositories."""
    found = {}
    for kind, name in zip(KINDS, reversed(NAMES), strict=True):
        there = hub.repo(kind, "local", name).refs()
        found[kind] = (sorted(there.branches), sorted(there.tags))
    return found


def both(*names: list[str]) -> dict[str, tuple[list[str], ...]]:
    return dict.fromkeys(KINDS, names)


def test_a_staged_release_has_no_tag_and_leaves_main_alone(zoo: Path, settings: Settings, hub: Hub) -> None:
    release = make_release(zoo)
    staged = publish(release, settings, hub, stage=True)
    assert refs(hub) == both([BRANCH], []) and staged.location.model.tag == BRANCH
    tree = hub.repo("model", "local", NAMES[0]).tree(staged.location.model.commit)
    assert set(tree) == {file.path for file in release.model_files}
    # Again, and after another build: the branch moves, nothing else does.
    assert publish(release, settings, hub, stage=True).location == staged.location
    other = make_release(zoo, "1.0.0", **{"README.md": "# better"})
    again = publish(other, settings, hub, stage=True)
    assert again.location.model.commit != staged.location.model.commit and refs(hub) == both([BRANCH], [])
    done = publish(other, settings, hub)
    assert refs(hub) == both(["main"], ["v1.0.0"])
    assert hub.repo("model", "local", NAMES[0]).tree(done.location.model.commit)["README.md"].size_bytes == 8
    # A version after a published one.
    head = hub.repo("model", "local", NAMES[0]).refs().branches["main"]
    publish(make_release(zoo, "1.1.0", new="x"), settings, hub, stage=True)
    # The dataset has the same files, so there is nothing to stage of it.
    assert refs(hub) == {"dataset": (["main"], ["v1.0.0"]), "model": (["main", "staging-1.1.0"], ["v1.0.0"])}
    assert hub.repo("model", "local", NAMES[0]).refs().branches["main"] == head


def test_publishing_sends_no_content_again(zoo: Path, settings: Settings) -> None:
    hub = FolderHub(zoo / "build/hub")
    publish(make_release(zoo), settings, hub, stage=True)
    before = {path: path.stat().st_mtime_ns for path in (zoo / "build/hub/objects").rglob("*") if path.is_file()}
    sent = []

    def act(number: int, method: str, kind: str) -> None:
        if number > 0 and method == "put":
            sent.append(kind)

    publish(make_release(zoo), settings, Faulty(hub, act))
    after = {path: path.stat().st_mtime_ns for path in (zoo / "build/hub/objects").rglob("*") if path.is_file()}
    assert sent and after == before and refs(hub) == both(["main"], ["v1.0.0"])


def test_large_files_are_not_sent_again_over_http(
    zoo: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zoo.hub.server import writes

    put, arrived = writes.lfs_put, []

    def counted(store: Any, signer: Any, oid: str, request: Any) -> Any:
        arrived.append(oid)
        return put(store, signer, oid, request)

    monkeypatch.setattr(writes, "lfs_put", counted)
    release = make_release(zoo, **{"tutor-F16.gguf": "w" * (21 << 20)})
    with serving(zoo, monkeypatch) as address:
        hub = connect(address, zoo)
        publish(release, settings, hub, stage=True)
        assert len(arrived) == 1
        publish(release, settings, connect(address, zoo))
        assert len(arrived) == 1 and refs(hub) == both(["main"], ["v1.0.0"])


def test_another_build_than_the_staged_one_is_refused(zoo: Path, settings: Settings, hub: Hub) -> None:
    publish(make_release(zoo), settings, hub, stage=True)
    other = make_release(zoo, "1.0.0", **{"README.md": "# better"})
    with pytest.raises(InputError, match="has another build of this version on its branch of staging") as caught:
        publish(other, settings, hub)
    assert "--stage" in caught.value.remedy and "--unstage" in caught.value.remedy
    assert refs(hub) == both([BRANCH], [])


def test_a_published_version_is_not_staged(zoo: Path, settings: Settings, hub: Hub) -> None:
    publish(make_release(zoo), settings, hub)
    with pytest.raises(VersionTaken, match="cannot be staged"):
        publish(make_release(zoo), settings, hub, stage=True)


@pytest.mark.parametrize("way", ["before", "after"])
def test_a_kill_at_any_call_is_finished_by_the_same_command(way: str, zoo: Path, settings: Settings, hub: Hub) -> None:
    """Staging, then publishing; each killed at every call once."""
    release = make_release(zoo)
    for stage in (True, False):
        finished, at = False, 0
        while not finished:
            at += 1

            def act(number: int, _method: str, _kind: str, at: int = at) -> None:
                if number == (at if way == "before" else -at):
                    raise KeyboardInterrupt

            try:
                publish(release, settings, Faulty(cast("FolderHub", hub), act), stage=stage)
                finished = True
            except KeyboardInterrupt:
                if stage:
                    assert all(not tags and "main" not in heads for heads, tags in refs(hub).values())
        assert at > 8
        publish(release, settings, hub, stage=stage)
        assert refs(hub) == (both([BRANCH], []) if stage else both(["main"], ["v1.0.0"]))
    for kind, name in zip(KINDS, reversed(NAMES), strict=True):
        repo = hub.repo(kind, "local", name)
        commits = repo.history(repo.refs().branches["main"], None)
        assert len(commits) == 1


def test_an_error_names_the_command_that_continues(zoo: Path, settings: Settings) -> None:
    with pytest.raises(ZooError) as caught:
        publish(make_release(zoo), settings, failing(settings, "commit model"), stage=True)
    assert "zoo publish" in str(caught.value) and "--stage" in str(caught.value)


# --- Through the catalog and the commands


def stage(release: ReleaseFolder, settings: Settings, **asked: bool) -> None:
    names = SimpleNamespace(model=NAMES[0], dataset=NAMES[1], access=None)
    planned = cast("Planned", SimpleNamespace(recipe=SimpleNamespace(publish=names)))
    flow.publish(planned, release, settings, Silent(), Asked(**(asked or {"stage": True})))


def unstage(settings: Settings) -> list[str]:
    names = SimpleNamespace(model=NAMES[0], dataset=NAMES[1])
    plan = SimpleNamespace(name=NAME, version="1.0.0")
    stub = SimpleNamespace(recipe=SimpleNamespace(publish=names), plan=plan, checked=SimpleNamespace(text=b""))
    return flow.unstage(cast("Planned", stub), settings)


@pytest.mark.parametrize("way", ["folder", "http"])
def test_a_staged_release_can_be_pulled_by_those_who_know_of_it(
    way: str, zoo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    monkeypatch.chdir(zoo)
    if way == "http":
        address = request.getfixturevalue("served")
        (zoo / "zoo.toml").write_text(f'hub = "{address}"\n')
    settings = settings_room.load(zoo, {}, {})
    release = complete_release(zoo)
    assert main(["pull", f"{NAME}@1.0.0:Q8_0", "--staged"]) == 2
    assert "nothing is staged" in capsys.readouterr().err
    stage(release, settings)
    assert not (zoo / "model_catalog.json").exists() and not (zoo / "site/evidence" / NAME).exists()
    assert main(["pull", f"{NAME}@1.0.0:Q8_0", "--staged", "--to", "here"]) == 0, capsys.readouterr().err
    assert main(["pull", f"{NAME}@1.0.0:Q8_0", "--to", "public"]) == 2
    # Its note is a catalog, which works on another machine too.
    shutil.copy(staging.path_of(settings), zoo / "other.json")
    hub = ["--hub", settings.hub]
    assert main(["pull", f"{NAME}@1.0.0:Q8_0", "--catalog", "other.json", *hub, "--to", "there"]) == 0
    capsys.readouterr()

    # Promote: the same bytes, main and tag, and the note is gone.
    stage(release, settings, promote=True)
    model = catalogfile.read_model(settings, NAME)
    assert model and model.releases[0].location.model.tag == "v1.0.0"
    assert json.loads(staging.path_of(settings).read_text())["models"] == []
    assert main(["pull", f"{NAME}@1.0.0:Q8_0", "--to", "here"]) == 0
    assert "everything was already here" in capsys.readouterr().out


def test_staging_can_be_abandoned(zoo: Path, settings: Settings) -> None:
    stage(complete_release(zoo), settings)
    hub = FolderHub(zoo / "build/hub")
    assert refs(hub) == both([BRANCH], [])
    assert sorted(unstage(settings)) == sorted(f"local/{name}" for name in NAMES)
    assert refs(hub) == both([], []) and json.loads(staging.path_of(settings).read_text())["models"] == []
    assert unstage(settings) == []
    with pytest.raises(InputError, match="has no staged release of this version") as caught:
        stage(complete_release(zoo), settings, promote=True)
    assert f"zoo publish {NAME} --stage" in caught.value.remedy
    assert refs(hub) == both([], [])
    through_flow(complete_release(zoo), settings)
    assert refs(hub) == both(["main"], ["v1.0.0"])
    with pytest.raises(VersionTaken, match="nothing to stage"):
        stage(complete_release(zoo), settings)


@pytest.mark.parametrize("older", [True, False], ids=["with an older version", "alone"])
def test_what_was_removed_is_staged_again(older: bool, zoo: Path, settings: Settings, hub: Hub) -> None:
    """The journal of the first staging still names its commit, and the hub may still have it."""
    if older:
        publish(make_release(zoo, "0.9.0", old="x"), settings, hub)
    release, repo = make_release(zoo), hub.repo("model", "local", NAMES[0])
    for _ in range(3):
        staged = publish(release, settings, hub, stage=True)
        assert repo.refs().branches[BRANCH] == staged.location.model.commit
        assert staging.remove(hub, "local", NAMES, "1.0.0")
        assert BRANCH not in repo.refs().branches
    publish(release, settings, hub, stage=True)
    publish(release, settings, hub)
    assert "v1.0.0" in refs(hub)["model"][1] and BRANCH not in refs(hub)["model"][0]
