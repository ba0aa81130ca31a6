"""The catalog file: sorted, one text, published versions never change, broken files give problems."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sitesamples import filled, hostile, model_and_release, sample

from catalog import index
from catalog.index import Catalog, CatalogConflict, with_place, with_release
from catalog.release import Location, Repository, YankEvent
from catalog.versions import version_key


def test_text_round_trip() -> None:
    for catalog in (index.EMPTY, sample(), hostile()):
        text = index.to_text(catalog)
        assert index.parse(text, "x") == (catalog, [])
        again = index.to_text(index.parse(text, "x")[0])
        assert index.to_text(index.parse(again, "x")[0]) == again
        assert text.endswith("}\n") and "\\u" not in text.replace("\\\\u", "")


def test_releases_stand_newest_first_whatever_the_order_of_publishing() -> None:
    one = filled("1.0.0", "1.10.0", "1.9.0", "2.0.0-rc.1")
    other = filled("2.0.0-rc.1", "1.9.0", "1.10.0", "1.0.0")
    assert [r.version for r in one.models[0].releases] == ["2.0.0-rc.1", "1.10.0", "1.9.0", "1.0.0"]
    assert index.to_text(one) == index.to_text(other)


def test_models_stand_by_name() -> None:
    catalog = index.EMPTY
    for name in ("b", "a", "c"):
        catalog = with_release(catalog, *model_and_release(name=name))
    assert [model.name for model in catalog.models] == ["a", "b", "c"]
    assert index.parse(index.to_text(catalog), "x") == (catalog, [])


def test_the_same_release_again_changes_nothing() -> None:
    catalog = filled("1.0.0", "1.1.0")
    assert with_release(catalog, *model_and_release("1.0.0")) is catalog


def test_other_content_under_a_known_version_is_refused() -> None:
    model, release = model_and_release()
    with pytest.raises(
        CatalogConflict, match=r"smollm2-135m-instruct 1\.0\.0 is in the catalog with different content"
    ):
        with_release(filled("1.0.0"), model, dataclasses.replace(release, date="2027-01-01"))


def test_an_older_record_gets_the_digest_of_its_manifest() -> None:
    model, release = model_and_release("1.0.0")
    place = release.location
    pinned = dataclasses.replace(
        release, location=dataclasses.replace(place, model=dataclasses.replace(place.model, manifest_sha256="a" * 64))
    )
    known = with_release(filled("1.0.0"), model, pinned)
    assert known.models[0].releases == (pinned,)
    assert with_release(known, model, pinned) is known
    for other in (release, dataclasses.replace(pinned, date="2027-01-01")):
        with pytest.raises(CatalogConflict):
            with_release(known, model, other)


def test_words_are_those_of_the_newest_release() -> None:
    model, release = model_and_release("1.5.0")
    newer = with_release(filled("1.0.0"), dataclasses.replace(model, summary="new"), release)
    assert newer.models[0].summary == "new"
    older = with_release(filled("2.0.0"), dataclasses.replace(model, summary="old"), release)
    assert older.models[0].summary == model.summary


def test_a_release_candidate_does_not_change_the_words_of_a_stable_release() -> None:
    model, candidate = model_and_release("2.0.0-rc.1")
    both = with_release(filled("1.0.0"), dataclasses.replace(model, summary="candidate"), candidate).models[0]
    assert both.summary == model.summary and [r.version for r in both.releases] == ["2.0.0-rc.1", "1.0.0"]
    assert [r.version for r in both.preferred()] == ["1.0.0", "2.0.0-rc.1"]
    only = with_release(filled("1.0.0-rc.1"), dataclasses.replace(model, summary="second"),
                        dataclasses.replace(candidate, version="1.0.0-rc.2")).models[0]  # fmt: skip
    assert only.summary == "second" and only.preferred()[0].version == "1.0.0-rc.2"


def test_places_of_a_version_change_and_nothing_else() -> None:
    before = filled("1.0.0", "1.1.0")
    model = before.models[0]
    own = model.releases[1].location
    first, second = (Location(f"https://{n}.example", Repository("a/m", n * 40, "v1.0.0"), None) for n in "bc")
    catalog = before
    for place in (first, second):
        catalog = with_place(catalog, model.name, "1.0.0", place, mirror=True)
    found = catalog.release(model.name, "1.0.0")
    assert found and found.places() == (own, first, second)
    assert index.parse(index.to_text(catalog), "x") == (catalog, [])
    # The same again changes nothing; other commits in the same repositories replace what was there.
    assert with_place(catalog, model.name, "1.0.0", first, mirror=True) == catalog
    later = dataclasses.replace(first, model=dataclasses.replace(first.model, commit="d" * 40))
    changed = with_place(catalog, model.name, "1.0.0", later, mirror=True).release(model.name, "1.0.0")
    assert changed and changed.places() == (own, later, second)
    moved = with_place(catalog, model.name, "1.0.0", second, mirror=False)
    found = moved.release(model.name, "1.0.0")
    assert found and found.places() == (second, first)
    assert dataclasses.replace(found, location=own, mirrors=None) == model.releases[1]
    assert moved.models[0].releases[0] == model.releases[0]
    alone = with_place(moved, model.name, "1.0.0", first, mirror=False)
    alone = with_place(alone, model.name, "1.0.0", own, mirror=False)
    assert index.to_text(alone) == index.to_text(before)
    with pytest.raises(KeyError):
        with_place(catalog, model.name, "3.0.0", first, mirror=True)


def test_look_up() -> None:
    catalog = filled("1.0.0", "1.1.0")
    name = catalog.models[0].name
    found = catalog.release(name, "1.0.0")
    assert found and found.version == "1.0.0"
    assert catalog.release(name, "3.0.0") is None and catalog.release("none", "1.0.0") is None
    assert catalog.model("none") is None


# --- Broken files


def broken(change: Callable[[dict[str, Any]], object]) -> str:
    data = json.loads(index.to_text(filled("1.0.0", "1.1.0")))
    change(data)
    return json.dumps(data)


GOOD = index.to_text(filled("1.0.0", "1.1.0"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not valid JSON"),
        (GOOD[: len(GOOD) // 2], "not valid JSON"),
        (GOOD.replace('"perplexity": ', '"perplexity": NaN, "x": ', 1), "NaN is not a number in JSON"),
        (GOOD.replace('"perplexity": ', '"perplexity": -Infinity, "x": ', 1), "-Infinity is not a number in JSON"),
        (GOOD.replace('"models"', '"schema": "model-catalog/1", "models"', 1), "key 'schema' is written twice"),
        (GOOD.replace('"chat"', '"\\ud800"'), "half of a surrogate pair"),
        (GOOD.replace("model-catalog/1", "model-catalog/2"), '"model-catalog/2" is not "model-catalog/1"'),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "is too large"),
        ("null", "is not a JSON object"),
        ("[]", "is not a JSON object"),
        ("{}", 'key "models" is missing'),
        (broken(lambda d: d["models"].append(copy.deepcopy(d["models"][0]))), "the models are not sorted by name"),
        (broken(lambda d: d["models"][0]["releases"].reverse()), "the releases are not sorted from newest to oldest"),
        (broken(lambda d: d["models"][0]["releases"].append(d["models"][0]["releases"][1])), "are not sorted"),
        (broken(lambda d: d["models"][0]["releases"].clear()), "the list has 0 entries"),
        (broken(lambda d: d["models"][0].update(licence="MIT")), 'unknown key "licence"'),
        (broken(lambda d: d["models"][0].pop("task")), 'key "task" is missing'),
        (broken(lambda d: d["models"][0]["releases"][0]["files"][0].update(sha256="x")), "has the wrong form"),
        (broken(lambda d: d["models"][0]["releases"][0]["files"][0].update(path="../x")), "has the wrong form"),
        (broken(lambda d: d["models"][0]["releases"][0]["files"][0].update(path="a\n")), "has the wrong form"),
    ],
)  # fmt: skip
def test_broken_catalog_gives_problems(text: str, words: str) -> None:
    catalog, problems = index.parse(text, "model_catalog.json")
    assert catalog == index.EMPTY
    assert any(words in problem.what for problem in problems), problems
    assert all(problem.file == "model_catalog.json" and problem.instead for problem in problems)


def test_truncation_is_reported_where_it_is() -> None:
    _, (problem,) = index.parse(GOOD[:200], "x")
    assert problem.line == GOOD[:200].count("\n") + 1


@given(st.data())
@hypothesis_settings(max_examples=60, deadline=None)
def test_any_damage_is_reported_or_harmless(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(GOOD)))
    text = GOOD[:start] + data.draw(st.text(max_size=5)) + GOOD[start + data.draw(st.integers(0, 5)) :]
    catalog, problems = index.parse(text, "x")
    assert bool(problems) == (catalog == index.EMPTY)
    index.to_text(catalog).encode()


# --- Versions


def test_versions_of_semver_org() -> None:
    ordered = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
    ]
    assert sorted(sorted(ordered), key=version_key) == ordered
    assert version_key("1.9.0") < version_key("1.10.0") < version_key("2.0.0-rc.1") < version_key("2.0.0")


def test_versions_that_the_standard_does_not_tell_apart_make_a_valid_catalog() -> None:
    for published in (("1.0.0-1", "1.0.0-01"), ("1.0.0-01", "1.0.0-1")):
        catalog = filled(*published)
        assert index.parse(index.to_text(catalog), "x") == (catalog, [])


versions = st.from_regex(
    r"(0|[1-9][0-9]?)\.[0-9]\.[0-9](-[0-9A-Za-z-]{1,4}(\.[0-9A-Za-z-]{1,4}){0,2})?", fullmatch=True
)


@given(versions, versions, versions)
@hypothesis_settings(max_examples=300, deadline=None)
def test_versions_have_a_total_order(a: str, b: str, c: str) -> None:
    x, y, z = version_key(a), version_key(b), version_key(c)
    assert (x < y) + (x > y) + (a == b) == 1
    if x <= y <= z:
        assert x <= z


@given(st.lists(versions, min_size=1, max_size=5, unique=True))
@hypothesis_settings(max_examples=25, deadline=None)
def test_any_published_versions_make_a_valid_catalog(published: list[str]) -> None:
    catalog = filled(*published)
    assert index.parse(index.to_text(catalog), "x") == (catalog, [])


# --- What is recorded beside releases


def test_the_latest_word_on_a_version_holds_and_a_new_release_keeps_the_history() -> None:
    yank = YankEvent("1.0.0", "2026-11-24", "yank", "wrong template", "high", "smollm2-135m-instruct@1.1.0")
    back = YankEvent("1.0.0", "2026-11-25", "unyank", "it was the reader's fault", None, None)
    model = dataclasses.replace(filled("1.0.0").models[0], yanks=(yank,), former_names=("smollm2-135m",))
    later = with_release(Catalog((model,)), *model_and_release("1.1.0")).models[0]
    assert later.yank_of("1.0.0") == yank and later.yank_of("1.1.0") is None
    assert later.former_names == ("smollm2-135m",)
    assert index.parse(index.to_text(Catalog((later,))), "x") == (Catalog((later,)), [])
    assert dataclasses.replace(later, yanks=(yank, back)).yank_of("1.0.0") is None
    stray = dataclasses.replace(later, yanks=(dataclasses.replace(yank, version="9.0.0"),))
    _, (problem,) = index.parse(index.to_text(Catalog((stray,))), "x")
    assert "9.0.0" in problem.what and problem.path == "models[0].yanks[0]"
