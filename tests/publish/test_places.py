"""What is looked at before the first byte: the catalog, the evidence folder, and whether a release may go there."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

pytest.importorskip("huggingface_hub")

from hubserving import Start
from publishsamples import (
    NAMES,
    failing,
    make_release,
    publish,
    refs,
    settings,
    through_flow,
    with_evidence,
    zoo,
)

from catalog import index
from catalog.release import Release
from zoo import catalogfile, flow
from zoo import settings as settings_room
from zoo.errors import InputError, ZooError
from zoo.files.digests import pretty_json
from zoo.hub import FolderHub
from zoo.plan.prepare import Planned
from zoo.progress import Silent
from zoo.publish.line import OtherModel
from zoo.publish.places import Way
from zoo.publish.plan import VersionTaken
from zoo.settings import Settings

FIXTURES = (settings, zoo)
pytest_plugins = ["hubserving"]
pytestmark = pytest.mark.usefixtures("online")
MODEL = "smollm2-135m-instruct"


def recorded(settings: Settings) -> Release:
    found = catalogfile.read_catalog(settings.catalog, "x").release(MODEL, "1.0.0")
    assert found
    return found


def on(settings: Settings, hub: str, **more: str) -> Settings:
    """The settings with flags."""
    return settings_room.load(settings.root, {"hub": hub, **more}, {})


def nothing_was_sent(zoo: Path) -> bool:
    return not (zoo / "build" / "hub" / "repos").exists()


# --- The catalog and the evidence


@pytest.mark.parametrize(
    "text",
    ["<<<<<<< HEAD\n{}\n", '{"schema": "model-catalog/9", "models": []}\n', "", "[" * 100_000],
    ids=["merge markers", "a later format", "empty", "nested"],
)
def test_a_catalog_that_is_not_valid_is_refused_before_anything_is_sent(
    text: str, zoo: Path, settings: Settings
) -> None:
    settings.catalog.write_text(text, encoding="utf-8")
    for way in Way:
        with pytest.raises(InputError, match="the catalog is not valid"):
            through_flow(make_release(zoo), settings, way)
    assert nothing_was_sent(zoo) and settings.catalog.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("path", "folder"),
    [(f"{MODEL}", False), (f"{MODEL}/1.0.0", False), (f"{MODEL}/1.0.0/gates.json", True)],
)
def test_evidence_that_cannot_be_written_is_refused_before_anything_is_sent(
    path: str, folder: bool, zoo: Path, settings: Settings
) -> None:
    there = settings.evidence / path
    there.parent.mkdir(parents=True)
    if folder:
        there.mkdir()
    else:
        there.touch()
    with pytest.raises(ZooError, match="the evidence of this release cannot be written") as caught:
        through_flow(with_evidence(make_release(zoo)), settings)
    assert caught.value.safe == "Nothing was published." and path in caught.value.remedy
    assert nothing_was_sent(zoo)


def test_a_release_refuses_the_repository_of_another_model_before_it_builds(
    zoo: Path, settings: Settings
) -> None:
    manifest = {"MANIFEST.json": pretty_json({"name": "other-model", "version": "1.0.0", "files": []})}
    publish(make_release(zoo, **manifest), settings)
    names = SimpleNamespace(model=NAMES[0], dataset=None)
    plan, checked = SimpleNamespace(name=MODEL, version="1.0.0"), SimpleNamespace(text=b"")
    planned = cast("Planned", SimpleNamespace(plan=plan, recipe=SimpleNamespace(publish=names), checked=checked))
    with pytest.raises(OtherModel, match="belongs to another model"):
        flow.refuse_other_owner(planned, settings, Silent())
    names.model = "free"
    flow.refuse_other_owner(planned, settings, Silent())
    assert not FolderHub(zoo / "build" / "hub").repo("model", "local", "free").refs().branches
    told: list[str] = []
    hearer = Silent()
    hearer.warn = told.append  # type: ignore[method-assign]  # hear what is said
    flow.refuse_other_owner(planned, on(settings, "http://127.0.0.1:9"), hearer)
    # The hub is not asked again after pauses.
    assert len(told) == 1
    assert "will be checked when the release is published: http://127.0.0.1:9 cannot be reached: " in told[0]


# --- Another place


def test_a_rehearsal_in_a_folder_goes_public_with_move(zoo: Path, settings: Settings, start: Start) -> None:
    release = make_release(zoo)
    first = through_flow(release, settings).location
    public = zoo / "public"
    address = start(folder=public).address
    with pytest.raises(VersionTaken, match="at another place: local/tutor-gguf on hub folder") as told:
        through_flow(release, on(settings, address))
    assert told.value.safe == "Nothing was changed."
    for flag in ("--mirror", "--move"):
        assert f"zoo publish {MODEL} {flag} --hub {address}" in told.value.remedy
    assert not (public / "repos").exists() and recorded(settings).location == first
    moved = through_flow(release, on(settings, address), Way.MOVE)
    assert recorded(settings).location == moved.location and moved.location.hub == address
    assert recorded(settings).mirrors is None
    # The same command again, with or without the flag, changes nothing; the folder is the other place now.
    text = settings.catalog.read_bytes()
    for way in (Way.MOVE, Way.PLACE):
        assert through_flow(release, on(settings, address), way).already
    with pytest.raises(VersionTaken, match="already published at another place"):
        through_flow(release, settings)
    assert settings.catalog.read_bytes() == text


def test_a_mirror_is_recorded_once_and_can_become_the_place(zoo: Path, settings: Settings, start: Start) -> None:
    release = make_release(zoo)
    first = through_flow(release, settings).location
    address = start(folder=zoo / "second").address
    done = through_flow(release, on(settings, address), Way.MIRROR)
    assert (recorded(settings).location, recorded(settings).mirrors) == (first, (done.location,))
    text = settings.catalog.read_bytes()
    assert index.parse(text.decode(), "x")[1] == []
    for way in (Way.MIRROR, Way.PLACE):
        assert through_flow(release, on(settings, address), way).already
    assert through_flow(release, settings).already
    assert settings.catalog.read_bytes() == text
    with pytest.raises(InputError, match="the catalog records every folder hub"):
        through_flow(release, settings, Way.MIRROR)
    third = through_flow(release, on(settings, address, namespace="other"), Way.MIRROR).location
    assert recorded(settings).mirrors == (done.location, third)
    through_flow(release, on(settings, address), Way.MOVE)
    assert (recorded(settings).location, recorded(settings).mirrors) == (done.location, (third,))


def test_another_name_of_the_same_hub_is_not_a_mirror(zoo: Path, settings: Settings, start: Start) -> None:
    server = start(folder=zoo / "hub")
    through_flow(make_release(zoo), on(settings, server.address))
    other = server.address.replace("127.0.0.1", "LOCALHOST")
    with pytest.raises(InputError, match="is another name of"):
        through_flow(make_release(zoo), on(settings, other), Way.MIRROR)
    assert recorded(settings).mirrors is None


def test_a_mirror_has_exactly_the_published_files(zoo: Path, settings: Settings, start: Start) -> None:
    through_flow(make_release(zoo), settings)
    # The same weights and evidence, but another card, and so another list of files.
    other = make_release(zoo, **{"README.md": "# elsewhere", "MANIFEST.json": '{"other": 1}'})
    address = start(folder=zoo / "second").address
    with pytest.raises(VersionTaken, match="another card or provenance than this build") as told:
        through_flow(other, on(settings, address, namespace="mine"), Way.MIRROR)
    assert f"zoo build {MODEL} --namespace local" in told.value.remedy
    assert not (zoo / "second" / "repos").exists()
    # But it can move there with its card.
    moved = through_flow(other, on(settings, address, namespace="mine"), Way.MOVE).location
    assert recorded(settings).location == moved and moved.model.name == "mine/tutor-gguf"


def test_an_error_names_the_command_with_every_flag(zoo: Path, settings: Settings) -> None:
    release = make_release(zoo)
    mine = on(settings, str(zoo / "my hub"), namespace="mine")
    with pytest.raises(ZooError) as told:
        publish(release, mine, failing(settings, "commit model"), way=Way.MOVE, delete_others=True)
    command = f"zoo publish {MODEL} --delete-others --move --namespace mine --hub '{zoo}/my hub'"
    assert command in str(told.value.advice)


def test_what_is_not_published_has_no_mirror_and_does_not_move(zoo: Path, settings: Settings) -> None:
    for way, word in ((Way.MIRROR, "mirrored"), (Way.MOVE, "moved")):
        with pytest.raises(InputError, match=f"is not in the catalog yet, so it cannot be {word}"):
            through_flow(make_release(zoo), settings, way)
    assert nothing_was_sent(zoo)


def test_other_content_goes_nowhere(zoo: Path, settings: Settings, start: Start) -> None:
    release = make_release(zoo)
    through_flow(release, settings)
    other = dataclasses.replace(release, release=dataclasses.replace(release.release, date="2030-01-01"))
    address = start(folder=zoo / "second").address
    for way in Way:
        with pytest.raises(VersionTaken, match="is in the catalog with different content"):
            through_flow(other, on(settings, address), way)
    assert not (zoo / "second" / "repos").exists()


def test_a_repository_that_was_deleted_and_made_anew_is_recorded_with_move(
    zoo: Path, settings: Settings, start: Start
) -> None:
    address = start(folder=zoo / "hub").address
    mine = on(settings, address)
    through_flow(make_release(zoo, "0.9.0"), mine)
    release = make_release(zoo)
    first = through_flow(release, mine).location
    shutil.rmtree(zoo / "hub" / "repos")
    with pytest.raises(VersionTaken, match="no longer has commit"):
        through_flow(release, mine)
    assert not (zoo / "hub" / "repos").exists()
    again = through_flow(release, mine, Way.MOVE).location
    assert again != first and recorded(settings).location == again
    assert through_flow(release, mine).already


def test_a_folder_hub_that_was_lost_is_made_again_without_a_question(zoo: Path, settings: Settings) -> None:
    through_flow(make_release(zoo, "0.9.0"), settings)
    release = make_release(zoo)
    first = through_flow(release, settings).location
    shutil.rmtree(zoo / "build" / "hub")
    again = through_flow(release, settings).location
    # Its commit has no parent now, so it is another one.
    assert again != first and recorded(settings).location == again
    assert set(refs(settings)["model"][1]) == {"v1.0.0"}


def test_a_second_folder_cannot_be_recorded_and_that_is_the_reason(
    zoo: Path, settings: Settings, tmp_path: Path
) -> None:
    through_flow(make_release(zoo), settings)
    before = settings.catalog.read_bytes()
    with pytest.raises(InputError, match="records every folder hub as `folder`, without its path") as caught:
        through_flow(make_release(zoo), on(settings, str(tmp_path / "other")), Way.MIRROR)
    assert "this place" not in caught.value.what and "with an address" in caught.value.remedy
    assert settings.catalog.read_bytes() == before
