"""Yanks: what the catalog records, what the card says, and that nothing else changes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from publishsamples import make_release, publish, settings, through_flow, zoo
from publishsamples import served as served
from sitesamples import filled

from catalog import index, yanks
from catalog.index import Catalog
from catalog.release import Model, YankEvent
from catalog.yanks import YankRefused
from zoo import catalogfile
from zoo import settings as settings_room
from zoo.__main__ import main
from zoo.errors import InputError
from zoo.hub import FolderHub, connect
from zoo.progress import Silent
from zoo.publish import record, steps
from zoo.settings import Settings
from zoo.upkeep import banner, restore, yank

FIXTURES = (settings, zoo)

NAME = "smollm2-135m-instruct"
DAY = "2026-11-24"
CARD = "---\nlicense: mit\n---\n# tutor\n\nWords.\n"


def yanked(catalog: Catalog, version: str = "1.0.0", **changes: str | None) -> Catalog:
    words = {"date": DAY, "reason": "wrong chat template", "severity": "high", "replacement": f"{NAME}@1.1.0"}
    return yanks.yank(catalog, NAME, YankEvent(version=version, action="yank", **{**words, **changes}))


# --- The catalog


def test_a_yank_is_recorded_and_the_same_again_changes_nothing() -> None:
    before = filled("1.0.0", "1.1.0")
    once = yanked(before)
    assert once.models[0].yanks == (
        YankEvent("1.0.0", DAY, "yank", "wrong chat template", "high", f"{NAME}@1.1.0"),
    )
    assert once.models[0].releases == before.models[0].releases
    assert yanked(once, date="2027-01-01") is once
    assert index.parse(index.to_text(once), "x") == (once, [])
    other = yanked(once, severity="critical")
    assert [event.severity for event in other.models[0].yanks] == ["high", "critical"]


def test_taking_back_is_recorded_too() -> None:
    once = yanked(filled("1.0.0", "1.1.0"))
    back = yanks.unyank(once, NAME, "1.0.0", date=DAY, reason="it was the reader's fault")
    assert [event.action for event in back.models[0].yanks] == ["yank", "unyank"]
    assert back.models[0].yank_of("1.0.0") is None
    assert yanks.unyank(back, NAME, "1.0.0", date="2027-01-01", reason="it was the reader's fault") is back
    with pytest.raises(YankRefused, match=r"1\.0\.0 is not yanked"):
        yanks.unyank(back, NAME, "1.0.0", date=DAY, reason="other words")
    again = yanked(back)
    assert len(again.models[0].yanks) == 3 and again.models[0].yank_of("1.0.0")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": "9.9.9"}, "the catalog has no version"),
        ({"reason": "   "}, "the reason is empty"),
        ({"reason": "a\nb"}, "invisible characters"),
        ({"reason": "a\u202eb"}, "invisible characters"),
        ({"reason": "x" * 501}, "501 characters"),
        ({"severity": "grave"}, "is not a valid severity"),
        ({"replacement": NAME}, "does not name a version"),
        ({"replacement": f"{NAME}@1.0.0"}, "cannot replace itself"),
        ({"replacement": f"{NAME}@3.0.0"}, "does not exist: the catalog has no version"),
        ({"replacement": "none@1.0.0"}, "does not exist: the catalog has no model"),
        ({"replacement": f"{NAME}@1.2.0"}, r"1\.2\.0 is yanked itself"),
    ],
)
def test_what_is_refused(changes: dict[str, str], words: str) -> None:
    catalog = yanked(filled("1.0.0", "1.1.0", "1.2.0"), "1.2.0", replacement=None)
    with pytest.raises(YankRefused, match=words) as refused:
        yanked(catalog, **changes)
    assert refused.value.args[1]


def test_a_replacement_that_was_yanked_later_leads_on() -> None:
    catalog = yanked(filled("1.0.0", "1.1.0", "1.2.0"))
    event = catalog.models[0].yank_of("1.0.0")
    assert event and yanks.replacement_now(catalog, event) == f"{NAME}@1.1.0"
    later = yanked(catalog, "1.1.0", replacement=f"{NAME}@1.2.0")
    assert yanks.replacement_now(later, event) == f"{NAME}@1.2.0"
    assert yanks.pointing_at(later, f"{NAME}@1.1.0") == (f"{NAME}@1.0.0",)
    ended = yanked(catalog, "1.1.0", replacement=None)
    assert yanks.replacement_now(ended, event) is None


# --- The banner


def test_the_banner_says_what_and_why_and_comes_off_without_a_trace() -> None:
    model = yanked(filled("1.0.0", "1.1.0"), reason="<b>bad</b> | [x](y) -->").models[0]
    card = banner.put(CARD, model)
    head, _, body = card.partition("\n---\n")
    assert head == "---\nlicense: mit" and body.startswith("<!-- zoo:yank -->\n> [!CAUTION]\n")
    assert "**Version 1.0.0 was withdrawn** on 2026-11-24 (severity: high)." in card
    assert f"Use {NAME}@1.1.0 instead." in card
    assert "&lt;b&gt;bad&lt;/b&gt; \\| \\[x\\](y) --&gt;" in card
    assert banner.put(card, model) == card
    assert banner.take_off(card) == CARD == banner.put(card, dataclasses.replace(model, yanks=()))


@given(st.text(st.characters(codec="utf-8"), max_size=200), st.booleans())
@hypothesis_settings(max_examples=60, deadline=None)
def test_any_card_comes_back_completely(text: str, front: bool) -> None:
    model = yanked(filled("1.0.0", "1.1.0")).models[0]
    card = (CARD if front else "") + text
    assert banner.take_off(banner.put(card, model)) == banner.take_off(card)


# --- All steps, on both hubs


def released(zoo: Path, settings: Settings, *versions: str) -> Model:
    """Versions of the model ``smollm2-135m-instruct``, published to the setting's hub and in the catalog."""
    for version in versions:
        release = make_release(zoo, version, **{"README.md": CARD})
        done = publish(release, settings, connect(settings.hub, zoo))
        record.record(release, done.location, settings)
    return catalog_of(settings).models[0]


def catalog_of(settings: Settings) -> Catalog:
    return catalogfile.read_catalog(settings.catalog, "x")


def do(settings: Settings, version: str = "1.0.0", **changes: str) -> yank.Yanked:
    words = {"reason": "wrong chat template", "severity": "high", "replacement": f"{NAME}@1.1.0", "date": DAY}
    event = YankEvent(version=version, action="yank", **{**words, **changes})
    return yank.yank(NAME, event, settings=settings)


def card_at(settings: Settings, revision: str) -> str:
    repo = FolderHub(settings.root / "build" / "hub").repo("model", "local", "tutor-gguf")
    with repo.open(repo.refs().branches.get(revision) or repo.refs().tags[revision], "README.md") as stream:
        return stream.read().decode()


def refs_log(settings: Settings) -> str:
    path = settings.root / "build" / "hub" / "repos" / "model" / "local" / "tutor-gguf" / "refs.log"
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("way", ["folder", "http"])
def test_the_branch_gets_a_banner_and_the_tag_stays(
    way: str, zoo: Path, settings: Settings, request: pytest.FixtureRequest
) -> None:
    if way == "http":
        settings = settings_room.load(zoo, {"hub": request.getfixturevalue("served")}, {})
    model = released(zoo, settings, "1.0.0", "1.1.0")
    repo = FolderHub(zoo / "build" / "hub").repo("model", "local", "tutor-gguf")
    tags, files = dict(repo.refs().tags), repo.tree(repo.refs().branches["main"])
    done = do(settings)
    assert (done.changed, done.banner.state) == (True, "committed")
    assert "Version 1.0.0 was withdrawn" in card_at(settings, "main") and card_at(settings, "v1.0.0") == CARD
    assert dict(repo.refs().tags) == tags
    now = repo.tree(repo.refs().branches["main"])
    assert {path for path in files | now if files.get(path) != now.get(path)} == {"README.md"}
    log, text = refs_log(settings), settings.catalog.read_text(encoding="utf-8")
    again = do(settings, date="2027-01-01")
    assert (again.changed, again.banner.state) == (False, "unchanged")
    assert refs_log(settings) == log and settings.catalog.read_text(encoding="utf-8") == text
    back = yank.unyank(NAME, "1.0.0", reason="a mistake", date=DAY, settings=settings)
    assert back.banner.state == "committed" and card_at(settings, "main") == CARD, "byte for byte as before the yank"
    assert catalog_of(settings).models[0].releases == model.releases


def test_without_the_hub_the_card_is_pending_until_the_command_is_given_again(
    zoo: Path, settings: Settings
) -> None:
    released(zoo, settings, "1.0.0", "1.1.0")
    hub = zoo / "build" / "hub"
    hub.rename(zoo / "away")
    done = do(settings)
    assert done.changed and done.banner.state == "pending" and "no repository" in (done.banner.why or "")
    assert catalog_of(settings).models[0].yank_of("1.0.0")
    assert not hub.exists()
    (zoo / "away").rename(hub)
    again = do(settings)
    assert (again.changed, again.banner.state) == (False, "committed")
    assert "was withdrawn" in card_at(settings, "main")


def test_a_hub_that_cannot_be_reached_is_reported(zoo: Path, settings: Settings, served: str) -> None:
    released(zoo, settings_room.load(zoo, {"hub": served}, {}), "1.0.0", "1.1.0")
    nowhere = settings_room.load(zoo, {"hub": "http://127.0.0.1:9"}, {})
    done = do(nowhere)
    assert done.banner.state == "pending" and "cannot be reached" in (done.banner.why or "")
    # The release records its place, so the setting (a folder) is not used.
    assert do(settings).banner.state == "committed"


def test_another_hub_than_the_releases_is_not_written_to(zoo: Path, settings: Settings) -> None:
    released(zoo, settings, "1.0.0", "1.1.0")
    (zoo / "zoo.toml").write_text('hub = "http://127.0.0.1:9"\n', encoding="utf-8")
    (zoo / "build" / "hub").rename(zoo / "away")
    done = do(settings_room.load(zoo, {}, {}))
    assert done.banner.state == "pending" and "was published to hub folder" in (done.banner.why or "")
    (zoo / "away").rename(zoo / "build" / "hub")
    assert do(settings_room.load(zoo, {}, {})).banner.state == "committed", "the folder of this zoo has its commit"


def test_a_refused_yank_changes_nothing(zoo: Path, settings: Settings) -> None:
    released(zoo, settings, "1.0.0")
    text, log = settings.catalog.read_bytes(), refs_log(settings)
    with pytest.raises(InputError, match="the replacement does not exist"):
        do(settings)
    assert (settings.catalog.read_bytes(), refs_log(settings)) == (text, log)


def test_a_newer_release_keeps_the_yank_and_the_command_again_brings_the_banner_back(
    zoo: Path, settings: Settings
) -> None:
    released(zoo, settings, "1.0.0", "1.1.0")
    do(settings)
    released(zoo, settings, "1.2.0")
    assert catalog_of(settings).models[0].yank_of("1.0.0")
    assert do(settings).banner.state in ("committed", "unchanged")
    assert "was withdrawn" in card_at(settings, "main") and card_at(settings, "v1.2.0") == CARD


@pytest.mark.parametrize("way", ["folder", "http"])
def test_the_notice_survives_a_kill_at_any_moment_of_a_newer_release(
    way: str, zoo: Path, settings: Settings, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "http":
        settings = settings_room.load(zoo, {"hub": request.getfixturevalue("served")}, {})
    released(zoo, settings, "1.0.0", "1.1.0")
    do(settings)
    release = make_release(zoo, "1.2.0", **{"README.md": CARD})

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    # After the commit; after the tags; after the catalog.
    for room, name in ((steps, "tag"), (record, "record"), (restore, "keep_card")):
        with monkeypatch.context() as patch:
            patch.setattr(room, name, killed)
            with pytest.raises(KeyboardInterrupt):
                through_flow(release, settings)
        assert card_at(settings, "main") == CARD
    assert through_flow(release, settings).already
    assert "was withdrawn" in card_at(settings, "main") and card_at(settings, "v1.2.0") == CARD


def test_every_publication_brings_the_notice_up(zoo: Path, settings: Settings) -> None:
    released(zoo, settings, "1.0.0", "1.1.0")
    do(settings)
    repo = FolderHub(zoo / "build" / "hub").repo("model", "local", "tutor-gguf")
    release = make_release(zoo, "1.1.0", **{"README.md": CARD})
    card = next(file for file in release.model_files if file.path == "README.md")
    repo.commit(repo.refs().branches["main"], [card], [], "by hand")
    assert card_at(settings, "main") == CARD
    assert through_flow(release, settings).already
    assert "was withdrawn" in card_at(settings, "main")


# --- The command


def test_the_command(
    zoo: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    released(zoo, settings, "1.0.0", "1.1.0")
    monkeypatch.chdir(zoo)
    words = [
        "yank",
        f"{NAME}@1.0.0",
        "--reason",
        "bad",
        "--replacement",
        f"{NAME}@1.1.0",
        "--severity",
        "low",
    ]
    assert main([*words, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["changed"], data["banner"]["state"], data["severity"]) == (True, "committed", "low")
    assert main(words) == 0
    assert "was already yanked with this reason" in capsys.readouterr().out
    assert main(["yank", f"{NAME}@1.1.0", "--reason", "bad too", "--catalog-only"]) == 0
    said = capsys.readouterr()
    assert "was not looked at" in said.out and f"{NAME}@1.0.0 is also yanked and names" in said.err
    assert main(["show", f"{NAME}@1.0.0"]) == 0
    assert "WITHDRAWN on" in capsys.readouterr().out
    assert main(["unyank", f"{NAME}@1.1.0", "--reason", "good"]) == 0
    assert main(["yank", NAME, "--reason", "x"]) == 2
    assert main(["yank", f"{NAME}x@1.0.0", "--reason", "x"]) == 2
    assert f"Did you mean {NAME}?" in capsys.readouterr().err


def test_a_release_that_is_published_by_the_flow_carries_the_banner_on(zoo: Path, settings: Settings) -> None:
    released(zoo, settings, "1.0.0", "1.1.0")
    do(settings)
    release = make_release(zoo, "1.2.0", **{"README.md": CARD})
    location = publish(release, settings).location
    record.record(release, location, settings)
    assert card_at(settings, "main") == CARD
    version, there = release.release.version, connect(settings.hub, zoo)
    restore.keep_card(release.model.name, version, location, there, settings, Silent())
    assert "was withdrawn" in card_at(settings, "main") and card_at(settings, "v1.2.0") == CARD
