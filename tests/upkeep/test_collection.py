"""The zoo's collection on the hub: in the catalog's order, made again by the same call, other people's items stay."""

from __future__ import annotations

import dataclasses
import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("huggingface_hub")

import huggingface_hub
from hubserving import Start
from publishsamples import NAMES, complete_release, served, serving, settings, through_flow, zoo
from sitesamples import sample

from catalog.index import Catalog
from catalog.release import Model, YankEvent
from zoo import catalogfile
from zoo import settings as settings_room
from zoo.__main__ import main
from zoo.errors import InputError
from zoo.hub import FolderHub, Hub, connect
from zoo.hub.interface import Entry
from zoo.hub.server import Access, HubServer
from zoo.publish.places import Way
from zoo.settings import Settings
from zoo.upkeep import collection

pytest_plugins = ["hubserving"]
FIXTURES = (served, settings, zoo)
TITLE = "Small models of the north"
M, D = "local/tutor-gguf", "local/tutor-prompts"


# --- The plan


def entry(name: str, note: str = "", kind: str = "model") -> Entry:
    return Entry(kind, name, note, f"key of {name}")


def applied(there: list[Entry], steps: list[collection.Step]) -> list[Entry]:
    """What a hub has after the steps."""
    now = list(there)
    for step in steps:
        at = next((i for i, one in enumerate(now) if one.name == step.entry.name), None)
        if step.action == "add":
            assert at is None
            now.append(step.entry)
            continue
        assert at is not None
        one = now.pop(at)
        if step.action == "move":
            now.insert(step.position, one)
        elif step.action == "note":
            now.insert(at, dataclasses.replace(one, note=step.entry.note))
    return now


def test_any_beginning_becomes_what_is_wanted_and_other_items_stay() -> None:
    wanted = [entry("a", "x"), entry("b", "x"), entry("c", "x")]
    known = {("model", name) for name in "abcd"}
    pieces = [entry("a", "x"), entry("b", "old"), entry("c", "x"), entry("d", "x"), entry("other", "theirs")]
    for size in range(len(pieces) + 1):
        for there in itertools.permutations(pieces, size):
            steps = collection.plan(there, wanted, known)
            now = applied(list(there), steps)
            assert [(one.name, one.note) for one in now[:3]] == [("a", "x"), ("b", "x"), ("c", "x")]
            assert now[3:] == [one for one in there if one.name == "other"]
            assert collection.plan(now, wanted, known) == []


def test_what_is_wanted_comes_from_the_catalog() -> None:
    plain, tutor = sample().models
    hub = tutor.releases[0].location.hub
    found = list(collection.wished(Catalog((plain, tutor)), [hub]))
    # The other model is on another hub.
    assert [one.name for one in found if one.kind == "model"] == [tutor.releases[0].location.model.name]
    assert list(collection.wished(Catalog((plain, tutor)), ["https://other.example"])) == []
    private = dataclasses.replace(tutor.releases[0].location, access="private")
    closed = dataclasses.replace(tutor, releases=(dataclasses.replace(tutor.releases[0], location=private),))
    assert list(collection.wished(Catalog((closed,)), [hub])) == []
    assert ("model", private.model.name) in set(collection.known_in(Catalog((closed,)), [hub]))


def test_a_note_says_what_is_withdrawn_and_is_short() -> None:
    model: Model = sample().models[0]
    version = model.releases[0].version
    event = YankEvent(version, "2026-11-23", "yank", "It never stops.", "high", None)
    assert collection.note_of(dataclasses.replace(model, yanks=(event,)), version).startswith(
        f"Version {version} was withdrawn: It never stops. "
    )
    assert len(collection.note_of(dataclasses.replace(model, summary="x" * 4000), version)) == 500


# --- Over HTTP, with the official client


@pytest.fixture
def place(zoo: Path, served: str) -> Iterator[Settings]:
    """A zoo with a collection, whose first release is on the served hub."""
    (zoo / "zoo.toml").write_text(f'hub = "{served}"\ncollection = "{TITLE}"\n')
    yield settings_room.load(zoo, {}, {})


def items(settings: Settings) -> list[tuple[str, str, str]]:
    shelf = connect(settings.hub, settings.root).collections("local")
    assert shelf
    (found,) = shelf.find()
    assert found.title == settings.collection
    return [(one.kind, one.name, one.note) for one in found.entries]


def hub_of(settings: Settings) -> Hub:
    return connect(settings.hub, settings.root)


def test_publishing_keeps_the_collection(place: Settings) -> None:
    through_flow(complete_release(place.root), place)
    (model,) = catalogfile.read_catalog(place.catalog, "catalog").models
    assert [(kind, name) for kind, name, _ in items(place)] == [("model", M), ("dataset", D)]
    assert items(place)[0][2] == model.summary
    assert collection.sync(place, hub_of(place)).changes == []
    # Other people's items stay, behind the zoo's.
    shelf, other = hub_of(place).collections("local"), Entry("model", "local/other", "theirs")
    assert shelf
    FolderHub(place.root / "build/hub").repo("model", "local", "other").folder.mkdir(parents=True)
    (found,) = shelf.find()
    shelf.add(found.slug, other)
    shelf.add(found.slug, other)
    (found,) = shelf.find()
    shelf.move(found.slug, found.entries[2].key, 0)
    shelf.note(found.slug, found.entries[0].key, "wrong")
    done = collection.sync(place, hub_of(place))
    assert done.others == 1 and len(done.changes) == 3
    assert [name for _, name, _ in items(place)] == [M, D, "local/other"] and items(place)[0][2] == model.summary
    # A private one goes.
    through_flow_access(place)
    assert [name for _, name, _ in items(place)] == ["local/other"]


def through_flow_access(place: Settings) -> None:
    """As if the zoo had made its repositories private, which this hub cannot."""
    text = place.catalog.read_text(encoding="utf-8")
    (model,) = catalogfile.read_catalog(place.catalog, "catalog").models
    assert model and '"dataset": {' in text
    at = text.index('"location": {') + len('"location": {')
    place.catalog.write_text(text[:at] + '"access": "private",' + text[at:], encoding="utf-8")
    collection.sync(place, hub_of(place))


def test_a_new_title_renames_the_collection(place: Settings, zoo: Path) -> None:
    through_flow(complete_release(zoo), place)
    toml = zoo / "zoo.toml"
    toml.write_text(toml.read_text().replace(TITLE, "Other words"))
    again = settings_room.load(zoo, {}, {})
    assert collection.sync(again, hub_of(again)).changes == [f"change its title from {TITLE!r} to 'Other words'"]
    assert len(items(again)) == 2


class Killed:
    """Collections that are killed before or after their n-th call."""

    def __init__(self, inner: Any, at: int, way: str) -> None:
        self.inner, self.at, self.way, self.calls = inner, at, way, 0

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            self.calls += 1
            if self.calls == self.at and self.way == "before":
                raise KeyboardInterrupt
            found = getattr(self.inner, name)(*arguments)
            if self.calls == self.at and self.way == "after":
                raise KeyboardInterrupt
            return found

        return call


@pytest.mark.parametrize("way", ["before", "after"])
def test_a_kill_at_any_call_is_finished_by_the_same_call(way: str, place: Settings, zoo: Path) -> None:
    through_flow(complete_release(zoo), place)
    shelf = hub_of(place).collections("local")
    assert shelf
    (found,) = shelf.find()
    wanted = items(place)
    for at in range(1, 9):
        # All is wrong again.
        (found,) = shelf.find()
        for one in found.entries:
            shelf.remove(found.slug, one.key)
        shelf.add(found.slug, Entry("dataset", D, "wrong"))
        killed = Killed(shelf, at, way)

        class Place:
            name = place.hub

            def collections(self, _namespace: str, killed: Killed = killed) -> Killed:
                return killed

        try:
            collection.sync(place, Place())  # type: ignore[arg-type]  # all that is used of a hub
        except KeyboardInterrupt:
            collection.sync(place, hub_of(place))
        assert items(place) == wanted, at


def test_a_lost_hub_does_not_undo_a_release(
    place: Settings, zoo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from zoo.hub.server import collecting
    from zoo.hub.server.wire import ApiError

    def away(*_: Any) -> Any:
        raise ApiError(403, "no collections today")

    monkeypatch.setattr(collecting, "answer", away)
    done = through_flow(complete_release(zoo), place)
    assert not done.already and catalogfile.read_catalog(place.catalog, "catalog").models
    monkeypatch.chdir(zoo)
    assert main(["collection"]) == 1
    assert "no collections today" in capsys.readouterr().err


def test_the_command(place: Settings, zoo: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(zoo)
    through_flow(complete_release(zoo), place)
    shelf = hub_of(place).collections("local")
    assert shelf
    (found,) = shelf.find()
    shelf.remove(found.slug, found.entries[0].key)
    assert main(["collection", "--dry-run"]) == 0
    assert f"add model {M}" in capsys.readouterr().out and len(items(place)) == 1
    assert main(["collection"]) == 0
    assert "has 2 items of the zoo now" in capsys.readouterr().out and len(items(place)) == 2
    assert main(["collection", "--json"]) == 0
    assert '"changes": []' in capsys.readouterr().out


def test_a_watch_finds_a_collection_that_is_not_what_the_catalog_says(
    place: Settings, zoo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(zoo)
    through_flow(complete_release(zoo), place)
    watch = ["watch", "--no-upstream"]
    before = main(watch), capsys.readouterr().out
    assert "collection" not in before[1]
    shelf = hub_of(place).collections("local")
    assert shelf
    (found,) = shelf.find()
    shelf.note(found.slug, found.entries[0].key, "Words of another time.")
    assert main(watch) == 3
    assert f"change the note of model {M}. If your catalog is the newest, repair it with: zoo collection" in (
        capsys.readouterr().out
    )
    assert main(["collection"]) == 0 and main(watch) == before[0]
    assert "DRIFT the collection" not in capsys.readouterr().out


def test_a_version_that_moves_leaves_the_collection_of_its_old_hub(
    place: Settings, zoo: Path, start: Start
) -> None:
    release = complete_release(zoo)
    through_flow(release, place)
    assert len(items(place)) == 2
    there = settings_room.load(zoo, {"hub": start(folder=zoo / "public").address}, {})
    through_flow(release, there, Way.MOVE)
    assert items(place) == [] and len(items(there)) == 2


def test_a_mirror_lists_the_newest_version_that_it_has(place: Settings, zoo: Path, start: Start) -> None:
    there = settings_room.load(zoo, {"hub": start(folder=zoo / "public").address}, {})
    release = complete_release(zoo)
    through_flow(release, place)
    through_flow(release, there, Way.MIRROR)
    through_flow(complete_release(zoo, "1.1.0"), place)
    collection.sync(there, hub_of(there))
    assert [name for _, name, _ in items(there)] == [M, D]


def test_a_folder_has_none(zoo: Path, settings: Settings) -> None:
    named = settings_room.load(zoo, {"collection": TITLE}, {})
    with pytest.raises(InputError, match="a folder hub has no collections"):
        collection.sync(named, FolderHub(zoo / "build/hub"))
    with pytest.raises(InputError, match="has no title"):
        collection.sync(settings, FolderHub(zoo / "build/hub"))
    through_flow(complete_release(zoo), named)  # and publishing says nothing of it
    assert NAMES[0] == "tutor-gguf"


@pytest.mark.usefixtures("online")
def test_a_hub_that_was_away_is_not_waited_for_and_the_same_command_finishes(
    zoo: Path, start: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = start(folder=zoo / "public")
    (zoo / "zoo.toml").write_text(f'hub = "{server.address}"\ncollection = "{TITLE}"\n')
    there = settings_room.load(zoo, {}, {})
    through_flow(complete_release(zoo), there)
    monkeypatch.chdir(zoo)
    port = server.server_address[1]
    server.shutdown()
    server.server_close()
    huggingface_hub.close_session()  # an open connection would still be served
    words = ["yank", "smollm2-135m-instruct@1.0.0", "--reason", "It never stops."]
    assert main(words) == 0
    said = capsys.readouterr().err
    assert "the collection is not up to date" not in said and "It then also brings the collection up to date." in said
    for command in (["collection"], ["watch", "--no-upstream"]):
        assert main(command) == 1
        said = capsys.readouterr().err
        assert "cannot be reached" in said
        assert "thrown while requesting" not in said, "nobody waits for the client's own tries"
    again = HubServer(zoo / "public", "127.0.0.1", port, Access({}, anonymous_write=True))
    threading.Thread(target=again.serve_forever, args=(0.02,), daemon=True).start()
    try:
        assert main(words) == 0
        assert items(there)[0][2].startswith("Version 1.0.0 was withdrawn: ")
    finally:
        again.shutdown()
        again.server_close()


def test_a_title_is_checked(zoo: Path) -> None:
    with pytest.raises(InputError, match="collection is"):
        settings_room.load(zoo, {"collection": "x" * 61}, {})


def test_a_hub_with_tokens_asks_for_one(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(zoo, monkeypatch, "writer-token-0123456789") as address:
        named = settings_room.load(zoo, {"collection": TITLE, "hub": address}, {})
        assert collection.sync(named, connect(address, zoo)).entries == 0


def test_a_yank_changes_the_note_and_says_why_it_is_no_deletion(
    place: Settings, zoo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(zoo)
    through_flow(complete_release(zoo), place)
    version = "smollm2-135m-instruct@1.0.0"
    assert main(["yank", version, "--reason", "It never stops."]) == 0
    assert "somebody may have pulled it already" in capsys.readouterr().err
    assert items(place)[0][2].startswith("Version 1.0.0 was withdrawn: It never stops. ")
    assert main(["yank", version, "--reason", "It never stops."]) == 0
    assert "somebody may have pulled it" not in capsys.readouterr().err
    assert main(["unyank", version, "--reason", "It was the reader."]) == 0
    assert "withdrawn" not in items(place)[0][2]
