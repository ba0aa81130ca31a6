"""What a watch found, on the site."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from sitesamples import sample
from test_site import files_of, make_zoo

from catalog import watch
from catalog.watch import Finding, Report, Watched
from zoo import errors, settings, site
from zoo.progress import Silent
from zoo.site import drift, pages

pytest.importorskip("mkdocs")
pytest.importorskip("material")

MODELS = sample().models
NAME, VERSION = MODELS[0].name, MODELS[0].releases[0].version
PAGE = f"models/{NAME}/index.html"
WATCHED = Watched(NAME, VERSION, f"zoo/{NAME}", "a" * 40, "a" * 40, 7, 7, 0)
GOOD = Report("2026-11-24", 8, (WATCHED,), (), (), ())
LOST = Finding(
    "missing", NAME, VERSION, f"zoo/{NAME}", "x.gguf", "a" * 40, "1" * 64, None, "x.gguf is not there"
)


def write(zoo: settings.Settings, text: str) -> None:
    (zoo.evidence / watch.FILE).write_text(text, encoding="utf-8")


def words_of(report: Report | None, path: str) -> str:
    """A catalog page of the sample, rendered with what this report says."""
    shown = None
    if report:
        badges = {key: drift._lasting(badge) for key, badge in watch.badges(report).items()}
        shown = pages.Drift(drift.PATH, watch.badge(report), badges)
    return str(pages.render(sample(), pages.Site(drift=shown), lambda *_: b"")[path])


def test_pages_say_what_the_last_watch_found_and_lead_to_its_report() -> None:
    front, model = words_of(GOOD, "index.html"), words_of(GOOD, PAGE)
    assert "On 2026-11-24, 7 files of 1 release were served as recorded." in front
    assert 'href="./evidence/watch.json"' in front
    assert "At the last watch the hub served every file of this version as recorded." in model
    assert 'href="../../evidence/watch.json"' in model
    assert "watch.json" not in words_of(GOOD, f"models/{MODELS[1].name}/index.html")


def test_a_watch_that_finds_the_same_changes_few_files(tmp_path: Path) -> None:
    zoo = make_zoo(tmp_path, sample())
    write(zoo, watch.to_text(GOOD))
    built = site.build(zoo, Silent()).folder
    before = {path: (built / path).read_bytes() for path in files_of(built)}
    write(zoo, watch.to_text(dataclasses.replace(GOOD, date="2026-11-25")))
    site.build(zoo, Silent())
    changed = {path for path in files_of(built) if (built / path).read_bytes() != before[path]}
    assert changed == {"index.html", drift.PATH}


def test_drift_is_said_on_the_page_of_its_model() -> None:
    bad = dataclasses.replace(GOOD, findings=(LOST,))
    said = "On 2026-11-24, 1 difference to the record was found in 7 files of 1 release."
    assert words_of(bad, PAGE).count(said) == 1
    assert 'data-state="drift"' in words_of(bad, "index.html")


def test_a_watch_that_could_check_nothing_does_not_say_that_all_is_well() -> None:
    blind = Report("2026-11-24", 8, (), (), (), ())
    front = words_of(blind, "index.html")
    assert "On 2026-11-24, nothing could be checked." in front and "as recorded" not in front
    assert "zoo-drift" not in words_of(blind, PAGE)


def test_a_version_that_came_after_the_last_watch_is_not_vouched_for() -> None:
    old = Report("2026-01-02", 8, (dataclasses.replace(WATCHED, version="0.9.0"),), (), (), ())
    assert "On 2026-01-02, 7 files of 1 release were served as recorded." in words_of(old, "index.html")
    assert "as recorded" not in words_of(old, PAGE) and "last watch" not in words_of(old, PAGE)


def test_a_zoo_that_was_never_watched_says_nothing() -> None:
    assert "watch.json" not in words_of(None, "index.html") + words_of(None, PAGE)


def test_a_new_report_reaches_a_site_that_exists_and_a_removed_one_leaves_it(tmp_path: Path) -> None:
    zoo = make_zoo(tmp_path, sample())
    write(zoo, watch.to_text(GOOD))
    built = site.build(zoo, Silent()).folder
    assert (built / drift.PATH).read_text(encoding="utf-8") == watch.to_text(GOOD)
    assert "At the last watch" in (built / PAGE).read_text(encoding="utf-8")
    write(zoo, watch.to_text(dataclasses.replace(GOOD, date="2026-11-25", findings=(LOST,))))
    site.build(zoo, Silent())
    assert "2026-11-25" in (built / drift.PATH).read_text(encoding="utf-8")
    for path in ("index.html", PAGE):
        assert "On 2026-11-25, 1 difference" in (built / path).read_text(encoding="utf-8"), path
    (zoo.evidence / watch.FILE).unlink()
    site.build(zoo, Silent())
    assert not (built / drift.PATH).exists()
    assert "zoo-drift" not in (built / PAGE).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "says"),
    [("{", "not valid JSON"), ('{"schema": "watch/1"}', "watch.json:1"), ("\udcff", "UTF-8")],
)
def test_a_broken_report_stops_the_build_with_a_sentence(tmp_path: Path, text: str, says: str) -> None:
    zoo = make_zoo(tmp_path, sample())
    (zoo.evidence / watch.FILE).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(errors.InputError, match=says) as failed:
        drift.read(zoo)
    assert "zoo watch" in str(failed.value.remedy) and "unchanged" in str(failed.value.safe)
