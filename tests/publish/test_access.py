"""Private and gated repositories: closed before the first byte, opened after the last tag, and said everywhere."""

from __future__ import annotations

import dataclasses
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from publishsamples import (
    NAMES,
    Faulty,
    complete_release,
    make_release,
    publish,
    serving,
    settings,
    through_flow,
    zoo,
)

from catalog import access
from catalog.release import Location, Repository
from zoo import catalogfile
from zoo import settings as settings_room
from zoo.__main__ import main
from zoo.errors import InputError, ZooError
from zoo.hub import FolderHub, Hub, connect
from zoo.hub.server import repositories, views
from zoo.progress import Silent
from zoo.settings import Settings

FIXTURES = (settings, zoo)
TOKEN = "writer-token-0123456789"
KINDS = ("model", "dataset")


@pytest.fixture(params=["folder", "http"])
def hub(request: pytest.FixtureRequest, zoo: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Both kinds of hub; the served one has tokens."""
    if request.param == "folder":
        yield FolderHub(zoo / "build/hub")
        return
    with serving(zoo, monkeypatch, TOKEN) as address:
        yield connect(address, zoo)


class Spoken(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def say(self, text: str) -> None:
        self.words.append(text)


def states(hub: Any) -> list[str]:
    return [hub.repo(kind, "local", name).access() for kind, name in zip(KINDS, NAMES, strict=True)]


class Watched(Faulty):
    """A hub that notes who may read the repository before each call that sends something."""

    def __init__(self, hub: Any) -> None:
        super().__init__(hub, self.look)
        self.seen: list[tuple[str, str]] = []

    def look(self, number: int, method: str, kind: str) -> None:
        if number > 0 and method in ("put", "commit", "tag"):
            self.seen.append((method, self.hub.repo(kind, "local", NAMES[KINDS.index(kind)]).access()))


def test_a_private_release_is_private_before_the_first_byte(zoo: Path, settings: Settings, hub: Hub) -> None:
    watched = Watched(hub)
    done = publish(make_release(zoo), settings, watched, access="private")
    assert states(hub) == ["private", "private"] and done.location.access == "private"
    assert {method for method, _ in watched.seen} == {"put", "commit", "tag"}
    assert {state for _, state in watched.seen} == {"private"}
    # Again: nothing changes. Without a word in the recipe it stays as it is, and the catalog keeps what it knows.
    assert publish(make_release(zoo), settings, hub, access="private").already
    again = publish(make_release(zoo), settings, hub, recorded=done.location, known_access="private")
    assert again.already and again.location.access == "private" and states(hub) == ["private", "private"]


def test_what_is_to_be_more_open_opens_when_it_is_complete(zoo: Path, settings: Settings, hub: Hub) -> None:
    publish(make_release(zoo), settings, hub, access="private")
    watched = Watched(hub)
    done = publish(make_release(zoo, "1.1.0", **{"README.md": "# other"}), settings, watched, access="public")
    assert {state for _, state in watched.seen} == {"private"}
    assert states(hub) == ["public", "public"] and done.location.access is None
    # And what is to be stricter closes first.
    watched = Watched(hub)
    publish(make_release(zoo, "1.2.0", **{"README.md": "# third"}), settings, watched, access="private")
    assert {state for _, state in watched.seen} == {"private"} and states(hub) == ["private", "private"]


def test_staging_closes_new_repositories_only(zoo: Path, settings: Settings, hub: Hub) -> None:
    publish(make_release(zoo), settings, hub, access="private", stage=True)
    assert states(hub) == ["private", "private"]
    publish(make_release(zoo), settings, hub, access="public")
    assert states(hub) == ["public", "public"]
    # People read its published version, so it closes when the staged one is published.
    second = make_release(zoo, "1.1.0", **{"README.md": "# other"})
    publish(second, settings, hub, access="private", stage=True, readable=True)
    assert states(hub) == ["public", "public"]
    publish(second, settings, hub, access="private")
    assert states(hub) == ["private", "private"]


@pytest.mark.parametrize("wanted", ["gated-auto", "private"])
def test_a_staging_that_others_could_read_is_refused_before_a_byte(
    wanted: str, zoo: Path, settings: Settings, hub: Hub
) -> None:
    publish(make_release(zoo), settings, hub, access="public")
    second, watched = make_release(zoo, "1.1.0", **{"README.md": "# secret"}), Watched(hub)
    with pytest.raises(InputError) as caught:
        publish(second, settings, watched, access=wanted, stage=True)
    assert f"everybody could read this {wanted} version" in caught.value.what
    assert "Nothing was sent" in caught.value.safe
    assert "--stage-readable" in caught.value.remedy
    assert not watched.seen and states(hub) == ["public", "public"]
    # As open as the repository, or more: there is nothing to refuse.
    assert publish(second, settings, hub, access="public", stage=True).location


@pytest.mark.parametrize("way", ["before", "after"])
@pytest.mark.parametrize("wanted", ["private", "public"])
def test_a_kill_at_any_call_never_leaves_more_open_than_wanted(
    wanted: str, way: str, zoo: Path, settings: Settings, hub: Hub
) -> None:
    """From the other state; the next run finishes."""
    first = "private" if wanted == "public" else "public"
    publish(make_release(zoo), settings, hub, access=first)
    release = make_release(zoo, "1.1.0", **{"README.md": "# other"})
    finished = at = 0
    while not finished:
        at += 1

        def act(number: int, _method: str, _kind: str, at: int = at) -> None:
            if number == (at if way == "before" else -at):
                raise KeyboardInterrupt

        try:
            publish(release, settings, Faulty(hub, act), access=wanted)  # type: ignore[arg-type]  # any hub
            finished = 1
        except KeyboardInterrupt:
            tags = [hub.repo(kind, "local", name).refs().tags for kind, name in zip(KINDS, NAMES, strict=True)]
            if wanted == "public" and not all("v1.1.0" in one for one in tags):
                assert states(hub) == ["private", "private"], at
    assert states(hub) == [wanted, wanted] and at > 10


def test_a_hub_without_tokens_refuses_before_anything_is_sent(
    zoo: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = Spoken()
    with serving(zoo, monkeypatch) as address:
        with pytest.raises(InputError) as caught:
            publish(make_release(zoo), settings, connect(address, zoo), said, access="private")
        assert not said.words, "nothing is announced that is then refused"
        assert "it has no tokens" in caught.value.what and "--token-file" in caught.value.what
        assert "zoo publish" in str(caught.value)
    assert not list((zoo / "build/hub").rglob("commits/*")) and not list((zoo / "build/hub").glob("objects/*/*"))


def test_a_served_folder_without_tokens_has_no_private_repositories(
    zoo: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(make_release(zoo), settings, access="private")
    with serving(zoo, monkeypatch) as address:
        hub = connect(address, zoo)
        assert states(hub) == ["", ""]
        assert not hub.repo("model", "local", NAMES[0]).refs().branches
        assert _names(address, "") == []
    with serving(zoo, monkeypatch, TOKEN) as address:
        assert states(connect(address, zoo)) == ["private", "private"]
        assert _names(address, TOKEN) == ["local/tutor-gguf"]
    # A note that nobody understands is not taken for an open door.
    (zoo / "build/hub/repos/model/local/tutor-gguf/access").write_text("publc\n")
    assert FolderHub(zoo / "build/hub").repo("model", "local", "tutor-gguf").access() == "private"


def _names(address: str, token: str) -> list[str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urllib.request.urlopen(urllib.request.Request(f"{address}/api/models", headers=headers)) as answer:
        return [one["id"] for one in json.load(answer)]


@pytest.fixture
def gating(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server keeps what the client says about gates too, as the Hub does."""
    whole = views.info

    def change(_store: Any, find: Any, request: Any) -> Any:
        data, repo = request.json(), find()
        if data.get("gated"):
            repo.set_access(f"gated-{data['gated']}")
        elif data.get("visibility") == "private" or data.get("private"):
            repo.set_access("private")
        elif data.get("gated") is False or not repo.access().startswith("gated"):
            repo.set_access("public")
        return repositories.as_json({})

    def told(about: Any, *, blobs: bool) -> dict[str, object]:
        state = FolderHub(zoo / "build/hub").repo(about.kind, *about.identity.split("/")).access()
        gated = state.removeprefix("gated-") if "-" in state else False
        return whole(about, blobs=blobs) | {"private": state == "private", "gated": gated}

    monkeypatch.setattr(repositories, "settings", change)
    monkeypatch.setattr(views, "info", told)


@pytest.mark.parametrize("wanted", ["gated-auto", "gated-manual"])
@pytest.mark.usefixtures("gating")
def test_a_gated_release_is_gated_from_the_start(
    wanted: str, zoo: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(zoo, monkeypatch, TOKEN) as address:
        hub = connect(address, zoo)
        watched = Watched(hub)
        done = publish(make_release(zoo), settings, watched, access=wanted)
        assert states(hub) == [wanted, wanted] and done.location.access == wanted
        assert {state for _, state in watched.seen} == {wanted}
        publish(make_release(zoo), settings, hub, access="private")
        assert states(hub) == ["private", "private"]


@pytest.mark.parametrize("wanted", ["gated-auto", "gated-manual"])
def test_a_hub_without_gates_refuses_before_anything_is_made(
    wanted: str, zoo: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(zoo, monkeypatch, TOKEN) as address:
        hub, said = connect(address, zoo), Spoken()
        with pytest.raises(InputError, match="are not gated: nobody has an account here") as caught:
            publish(make_release(zoo), settings, hub, said, access=wanted)
        assert not said.words
        assert "access: public or access: private" in caught.value.advice and "zoo publish" not in str(caught.value)
        assert states(hub) == ["", ""], "nothing was made"
        publish(make_release(zoo), settings, hub, access="private")
        with pytest.raises(InputError, match="are not gated"):
            publish(make_release(zoo), settings, hub, access=wanted)
        assert states(hub) == ["private", "private"]


def test_a_hub_that_says_yes_and_does_nothing_is_reported(
    zoo: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repositories, "settings", lambda *_: repositories.as_json({}))
    with serving(zoo, monkeypatch, TOKEN) as address:
        with pytest.raises(ZooError) as caught:
            publish(make_release(zoo), settings, connect(address, zoo), access="gated-auto")
        assert "but it is private" in caught.value.what and "/settings in a browser" in caught.value.remedy


# --- The catalog, and readers


def test_access_changes_without_a_new_version(zoo: Path, settings: Settings) -> None:
    release = complete_release(zoo)
    through_flow(release, settings, access="private")
    assert _place(settings).access == "private"
    assert through_flow(release, settings, access="public").already
    assert _place(settings).access is None
    assert json.loads((zoo / "model_catalog.json").read_text())["models"][0]["releases"][0]["location"].keys() == {
        "hub", "model", "dataset"
    }  # fmt: skip
    through_flow(release, settings, access="private")
    assert _place(settings).access == "private"
    through_flow(release, settings)
    assert _place(settings).access == "private"


def test_all_versions_of_a_repository_are_as_open_as_it_is(
    zoo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(zoo)
    settings = settings_room.load(zoo, {}, {})
    through_flow(complete_release(zoo), settings, access="private")
    through_flow(complete_release(zoo, "1.1.0"), settings, access="public")
    model = catalogfile.read_model(settings, "smollm2-135m-instruct")
    assert model and [one.location.access for one in model.releases] == [None, None]
    assert main(["watch"]) == 0, capsys.readouterr().out
    through_flow(complete_release(zoo, "1.2.0"), settings, access="private")
    model = catalogfile.read_model(settings, "smollm2-135m-instruct")
    assert model and [one.location.access for one in model.releases] == ["private"] * 3
    # Without a word in the recipe, a new version is in the same private repository.
    through_flow(complete_release(zoo, "1.3.0"), settings)
    model = catalogfile.read_model(settings, "smollm2-135m-instruct")
    assert model and [one.location.access for one in model.releases] == ["private"] * 4
    assert main(["watch"]) == 0, capsys.readouterr().out


def _place(settings: Settings) -> Location:
    model = catalogfile.read_model(settings, "smollm2-135m-instruct")
    assert model
    return model.releases[0].location


def test_what_a_reader_must_do() -> None:
    place = Location("https://huggingface.co", Repository("tiny/m", "a" * 40, "v1.0.0"), None)
    assert access.sentence(place) == "" and not access.is_closed(place)
    assert "accept its terms at https://huggingface.co/tiny/m in a browser, then set HF_TOKEN" in access.sentence(
        dataclasses.replace(place, access="gated-auto")
    )
    assert "wait until its owner lets you in" in access.sentence(dataclasses.replace(place, access="gated-manual"))
    assert "is private" in access.sentence(dataclasses.replace(place, access="private"))


def test_pull_and_watch_without_a_token_say_what_to_do(
    zoo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(zoo)
    with serving(zoo, monkeypatch, TOKEN) as address:
        monkeypatch.setenv("ZOO_HUB", address)  # a word of the user, so that the token may be sent
        found = settings_room.load(zoo, {}, {"ZOO_HUB": address})
        through_flow(complete_release(zoo), found, access="private")
        name = "smollm2-135m-instruct"
        assert main(["pull", f"{name}:Q8_0", "--to", "with"]) == 0
        assert main(["watch"]) == 0, capsys.readouterr().out
        assert main(["verify", name, "--on-hub"]) == 0
        capsys.readouterr()
        # Somebody opens it.
        for kind, repository in zip(KINDS, NAMES, strict=True):
            FolderHub(zoo / "build/hub").repo(kind, "local", repository).set_access("public")
        assert main(["watch"]) == 3
        assert "local/tutor-gguf is public now, but was published as private" in capsys.readouterr().out
        for kind, repository in zip(KINDS, NAMES, strict=True):
            FolderHub(zoo / "build/hub").repo(kind, "local", repository).set_access("private")
        monkeypatch.delenv("HF_TOKEN")
        assert main(["pull", f"{name}:Q8_0", "--to", "without"]) != 0
        assert "is private: only people whom its owner lets in" in capsys.readouterr().err
        assert not list(Path("without").rglob("*.gguf"))
        code = main(["watch"])
        captured = capsys.readouterr()
        assert code == 1 and "DRIFT" not in captured.out
