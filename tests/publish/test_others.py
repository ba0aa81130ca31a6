"""Files that other people put into a repository: they stay, between versions and before the first one."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest
from publishsamples import NAMES, failing, make_release, publish, settings, zoo
from sitesamples import sample

from catalog.release import YankEvent
from zoo.errors import InputError, ZooError
from zoo.files.listing import FileRecord
from zoo.hub import BRANCH, FolderHub, FolderRepo
from zoo.progress import Silent, unheard
from zoo.publish import apply as publishing
from zoo.publish.asked import Asked
from zoo.publish.others import Cards
from zoo.settings import Settings
from zoo.upkeep import banner

FIXTURES = (settings, zoo)
THEIRS = {"images/logo.png": "a picture", ".eval_results/x.yaml": "a result"}


def repo(zoo: Path) -> FolderRepo:
    return FolderHub(zoo / "build" / "hub").repo("model", "local", NAMES[0])


def add(zoo: Path, **files: str) -> None:
    """Somebody else's commit on the main branch."""
    there, records = repo(zoo), []
    for path, content in files.items():
        source = zoo / "content"
        source.write_text(content, encoding="utf-8")
        records.append(FileRecord(path, len(content), hashlib.sha256(content.encode()).hexdigest()))
        there.put(source, records[-1].sha256, unheard)
    there.commit(there.refs().branches.get(BRANCH), records, [], "by hand")


def on_main(zoo: Path) -> set[str]:
    there = repo(zoo)
    return set(there.tree(there.refs().branches[BRANCH]))


def again(release: object, settings: Settings, *, delete_others: bool) -> None:
    hub = FolderHub(settings.root / "build" / "hub")
    publication = publishing.Publication(release, NAMES, settings, hub, asked=Asked(delete_others=delete_others))  # type: ignore[arg-type]  # a release
    publishing.apply(publication, Silent())


def test_they_stay_between_versions_and_ours_go(zoo: Path, settings: Settings) -> None:
    publish(make_release(zoo, "1.0.0", old="ours", changed="ours"), settings)
    add(zoo, **THEIRS, changed="somebody made it better")
    publish(make_release(zoo, "1.1.0"), settings)
    found = on_main(zoo)
    assert {*THEIRS, "changed"} <= found and "old" not in found
    # A third version still knows whose they are.
    publish(make_release(zoo, "1.2.0"), settings)
    assert {*THEIRS, "changed"} <= on_main(zoo)
    assert publish(make_release(zoo, "1.2.0"), settings).already


def test_they_stay_before_the_first_version(zoo: Path, settings: Settings) -> None:
    add(zoo, **THEIRS)
    publish(make_release(zoo), settings)
    assert set(THEIRS) <= on_main(zoo)


def test_they_go_if_that_is_asked(zoo: Path, settings: Settings) -> None:
    add(zoo, **THEIRS)
    publish(make_release(zoo, "1.0.0"), settings)
    again(make_release(zoo, "1.1.0"), settings, delete_others=True)
    assert not set(THEIRS) & on_main(zoo)


def test_the_plan_names_them(zoo: Path, settings: Settings) -> None:
    publish(make_release(zoo, "1.0.0", old="ours"), settings)
    add(zoo, **THEIRS)
    hub = FolderHub(zoo / "build" / "hub")
    _, target = publishing.prepare(publishing.Publication(make_release(zoo, "1.1.0"), NAMES, settings, hub))
    changes = {change.path: (change.action, change.reason) for change in target.plan.changes}
    assert {changes[path] for path in THEIRS} == {("keep", "no release of this zoo put it there")}
    assert changes["old"] == ("delete", "not in this release")


def test_one_that_is_in_the_way_is_named_before_anything_is_sent(zoo: Path, settings: Settings) -> None:
    add(zoo, **{"Evidence/x": "y", "readme.md": "theirs"})
    before = repo(zoo).refs()
    with pytest.raises(InputError, match=r"readme.md and README.md are the same file|README.md and readme.md") as found:
        publish(make_release(zoo), settings)
    assert "--delete-others" in found.value.remedy and repo(zoo).refs() == before
    again(make_release(zoo), settings, delete_others=True)
    assert "readme.md" not in on_main(zoo)


def test_a_list_that_somebody_damaged_makes_nothing_ours(zoo: Path, settings: Settings) -> None:
    publish(make_release(zoo, "1.0.0", old="ours"), settings)
    add(zoo, **{"MANIFEST.json": "not json"})
    publish(make_release(zoo, "1.1.0"), settings)
    assert "old" in on_main(zoo)


def test_what_someone_changed_and_this_release_replaces_is_named(zoo: Path, settings: Settings) -> None:
    def replaced(version: str) -> list[str]:
        cards = Cards(banner.take_off, [hashlib.sha256(b"# corrected").hexdigest()])
        hub = FolderHub(zoo / "build" / "hub")
        publication = publishing.Publication(make_release(zoo, version, **{"README.md": version}), NAMES, settings, hub)
        _, target = publishing.prepare(dataclasses.replace(publication, cards=cards))
        return target.plan.replaced

    publish(make_release(zoo, "1.0.0"), settings)
    assert replaced("1.1.0") == []
    event = YankEvent("1.0.0", "2026-11-24", "yank", "bad", "low", None)
    model = dataclasses.replace(sample().models[0], yanks=(event,))
    for ours in (banner.put("# tutor", model), "# corrected", banner.put("# corrected", model)):
        add(zoo, **{"README.md": ours})
        assert replaced("1.1.0") == []
    add(zoo, **{"README.md": "# buy my coin", "recipe.yaml": "theirs"})
    assert replaced("1.1.0") == ["README.md", "recipe.yaml"]


def test_a_stopped_publication_goes_on_and_keeps_them(zoo: Path, settings: Settings) -> None:
    publish(make_release(zoo, "1.0.0"), settings)
    add(zoo, **THEIRS)
    with pytest.raises(ZooError, match="the hub is away"):
        publish(make_release(zoo, "1.1.0"), settings, failing(settings, "tag model"))
    head = repo(zoo).refs().branches[BRANCH]
    done = publish(make_release(zoo, "1.1.0"), settings)
    assert done.location.model.commit == head, "a second commit was made"
    assert set(THEIRS) <= on_main(zoo)
