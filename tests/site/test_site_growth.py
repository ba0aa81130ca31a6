"""A site that grew change by change is the same, byte for byte, as one that is built from nothing."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from choosersamples import catalog
from sitesamples import sample, write_evidence
from test_site import files_of, make_zoo

from catalog import index
from catalog.index import Catalog
from catalog.release import Model, YankEvent
from zoo import errors, settings, site
from zoo.progress import Silent
from zoo.site import documents

pytest.importorskip("mkdocs")
pytest.importorskip("material")


def set_catalog(zoo: settings.Settings, models: tuple[Model, ...]) -> None:
    made = Catalog(tuple(sorted(models, key=lambda model: model.name)))
    zoo.catalog.write_text(index.to_text(made), encoding="utf-8")
    write_evidence(made, zoo.evidence)


def contents(folder: Path) -> dict[str, bytes]:
    return {path: (folder / path).read_bytes() for path in files_of(folder)}


def yanked(model: Model) -> Model:
    event = YankEvent(model.releases[0].version, "2026-11-24", "yank", "It answers in riddles.", "high", None)
    return dataclasses.replace(model, yanks=(*model.yanks, event))


def slower(model: Model) -> Model:
    """With the speeds of its newest release halved, so that other files and models are chosen."""
    files = tuple(
        dataclasses.replace(
            file,
            speeds=tuple(
                dataclasses.replace(one, decode_tokens_per_second=one.decode_tokens_per_second / 2)
                for one in file.speeds
            ),
        )
        for file in model.releases[0].files
    )
    release = dataclasses.replace(model.releases[0], files=files)
    return dataclasses.replace(model, releases=(release, *model.releases[1:]))


CHANGES: tuple[Callable[[tuple[Model, ...]], tuple[Model, ...]], ...] = (
    lambda models: (dataclasses.replace(models[0], summary="Another summary."), *models[1:]),
    lambda models: (*models[:3], yanked(models[3]), *models[4:]),
    lambda models: models[:-1],
    lambda models: (*models[:5], slower(models[5]), *models[6:]),
    lambda models: (*models, sample().models[0]),
)


def test_a_site_that_grew_is_the_one_that_is_built_from_nothing(tmp_path: Path) -> None:
    models = catalog(9, seed=3).models
    zoo = make_zoo(tmp_path, Catalog(models))
    site.build(zoo, Silent())
    for change in CHANGES:
        models = change(models)
        set_catalog(zoo, models)
        site.build(zoo, Silent())
    grown = contents(zoo.site)
    afresh = make_zoo(tmp_path / "afresh", index.parse(zoo.catalog.read_text(encoding="utf-8"), "")[0])
    assert contents(site.build(afresh, Silent()).folder) == grown


def test_evidence_with_another_time_and_the_same_content_makes_nothing_again(tmp_path: Path) -> None:
    zoo = make_zoo(tmp_path, sample())
    site.build(zoo, Silent())
    before = {path: (zoo.site / path).stat().st_ino for path in files_of(zoo.site)}
    sources = [path for path in zoo.evidence.rglob("*") if path.is_file()]
    for path in sources:
        os.utime(path, (1_700_000_000, 1_700_000_000))
    site.build(zoo, Silent())
    assert {path: (zoo.site / path).stat().st_ino for path in files_of(zoo.site)} == before
    sources[0].write_bytes(b"x" * sources[0].stat().st_size)
    with pytest.raises(errors.ZooError, match="differs from the catalog"):
        site.build(zoo, Silent())


def test_another_program_makes_every_page_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zoo = make_zoo(tmp_path, sample())
    site.build(zoo, Silent())
    before = {path: (zoo.site / path).stat().st_ino for path in files_of(zoo.site)}
    real, template = documents.program, tmp_path / "frame.html"
    template.write_text("a template of another version", encoding="utf-8")

    def program() -> Iterator[Path]:
        yield from real()
        yield template

    monkeypatch.setattr(documents, "program", program)
    site.build(zoo, Silent())
    after = {path: (zoo.site / path).stat().st_ino for path in files_of(zoo.site)}
    kept = {path for path in before if after.get(path) == before[path]}
    # Neither the engine of the try page nor a list of digests is a page.
    assert {path for path in kept if not path.startswith("try/")} == {"search/versions.json"}


def remade(zoo: settings.Settings, models: tuple[Model, ...]) -> set[str]:
    """The files that a build makes again for other models."""
    before = {path: (zoo.site / path).stat().st_ino for path in files_of(zoo.site)}
    set_catalog(zoo, models)
    site.build(zoo, Silent())
    return {path for path in files_of(zoo.site) if (zoo.site / path).stat().st_ino != before.get(path)}


def test_a_change_makes_only_those_pages_again_that_show_it(tmp_path: Path) -> None:
    models = catalog(9, seed=3).models
    zoo = make_zoo(tmp_path, Catalog(models))
    site.build(zoo, Silent())
    said = dataclasses.replace(models[0], summary="Another summary.")
    of_lists = {path for path in remade(zoo, (said, *models[1:])) if not path.startswith(f"models/{said.name}/")}
    assert {"index.html", "models/index.html", "llms.txt", "catalog.json"} <= of_lists
    assert not [path for path in of_lists if path.startswith(("boards/", "pictures/", "compare/", "files/"))]
    faster = slower(said)
    assert {"boards/pi-5-4gb/index.html", "chooser.json", "files/index.html"} <= remade(zoo, (faster, *models[1:]))
