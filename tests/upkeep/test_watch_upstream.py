"""The watch of upstream models: licence, gating, and whether they are still there."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from sitesamples import sample
from test_watch import DAY, released
from test_yanks import served as served
from test_yanks import settings as settings
from test_yanks import zoo as zoo

from catalog.index import Catalog
from catalog.release import (
    Ancestor,
)
from catalog.watch import Report
from zoo.errors import InputError, ZooError
from zoo.hub.interface import Described
from zoo.settings import Settings
from zoo.upkeep import upstream


def look_at_sources(catalog: Catalog, before: Report | None, ask: Any) -> upstream.Looked:
    return upstream.look_at_sources(catalog, before, ask, lambda *words: " ".join(("zoo", *words)))



def with_source(source: str, licence: str = "Apache-2.0", upstream: str | None = None) -> Any:
    model = sample().models[0]
    ancestor = Ancestor("student", source, licence, upstream, None)
    release = dataclasses.replace(model.releases[0], lineage=(ancestor,))
    return dataclasses.replace(sample(), models=(dataclasses.replace(model, releases=(release,)),))


def described(licence: str | None = "apache-2.0", name: str | None = None, gated: str = "no") -> Any:
    return lambda _repository, _revision: Described(licence, name, gated)


PINNED = "hf:org/model@" + "a" * 40


def test_upstream_models_are_asked_once_for_now_and_once_for_the_pin() -> None:
    asked: list[Any] = []

    def ask(repository: str, revision: str | None) -> Described:
        asked.append((repository, revision))
        return Described("apache-2.0", None, "no")

    done = look_at_sources(with_source(PINNED), None, ask)
    assert asked == [("org/model", None), ("org/model", "a" * 40)]
    assert (done.findings, done.unchecked, len(done.seen), done.requests) == ([], [], 1, 2)
    assert look_at_sources(with_source("package:x/y.gguf", upstream="org/base"), None, ask).requests == 1
    assert look_at_sources(with_source("file:x"), None, ask).requests == 0


@pytest.mark.parametrize(
    ("recorded", "licence", "name", "same"),
    [
        ("Apache-2.0", "apache-2.0", None, True),
        ("Apache-2.0", "cc-by-nc-4.0", None, False),
        ("Apache-2.0", None, None, False),
        ("LicenseRef-Gemma", "gemma", None, True),
        ("LicenseRef-Own", "other", "own", True),
        ("LicenseRef-Own", "other", "another", False),
        ("LicenseRef-Own", "mit", None, False),
    ],
)
def test_a_changed_licence_is_found(recorded: str, licence: str | None, name: str | None, same: bool) -> None:
    done = look_at_sources(with_source(PINNED, recorded), None, described(licence, name))
    assert [one.kind for one in done.findings] == ([] if same else ["licence"])


def test_changed_gating_is_found_by_the_last_report() -> None:
    catalog = with_source(PINNED)
    first = look_at_sources(catalog, None, described())
    report = Report(DAY, 0, (), tuple(first.seen), (), ())
    assert look_at_sources(catalog, report, described()).findings == []
    (finding,) = look_at_sources(catalog, report, described(gated="manual")).findings
    assert finding.kind == "gating" and "changed from no to manual" in finding.what


def test_upstream_that_went_or_cannot_be_asked() -> None:
    def gone(repository: str, revision: str | None) -> Described:
        if revision:
            raise InputError(f"{repository} no longer has commit {revision}")
        return Described("apache-2.0", None, "no")

    (finding,) = look_at_sources(with_source(PINNED), None, gone).findings
    assert finding.kind == "source" and finding.revision == "a" * 40

    def offline(_repository: str, _revision: str | None) -> Described:
        raise ZooError("the client is in offline mode")

    done = look_at_sources(with_source(PINNED), None, offline)
    assert done.findings == [] and {one.why for one in done.unchecked} == {"the client is in offline mode."}


def test_the_client_asks_a_real_server_for_an_upstream_model(zoo: Path, settings: Settings, served: str) -> None:
    from zoo.hub.huggingface.upstream import upstream

    released(zoo, settings, "1.0.0")
    assert upstream("local/tutor-gguf", None, served) == Described(None, None, "no")
    with pytest.raises(InputError, match="no longer exists"):
        upstream("local/none", None, served)
    with pytest.raises(InputError, match="no longer has commit"):
        upstream("local/tutor-gguf", "c" * 40, served)
