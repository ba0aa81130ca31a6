"""Comparing two files: which figure is better, when a difference is only chance, and the pages without scripts."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import evidencesamples
import pytest
from sitesamples import HOSTILE, sample

from catalog.index import Catalog
from catalog.release import EvidenceFile, Model, ProbeScore
from zoo.site import pages
from zoo.site.pages import compare
from zoo.site.pages.compare import figures, verdict
from zoo.site.pages.compare.figures import Figure


def figure(value: float, error: float = 0.0, *, kind: str = "kld", better: int = -1, scope: str = "m 1") -> Figure:
    return {
        "key": "k", "label": "L", "kind": kind, "better": better, "value": value, "low": value - 2 * error,
        "high": value + 2 * error, "text": str(value), "scope": scope,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("a", "b", "better", "words"),
    [
        (figure(0.01, 0.001), figure(0.1, 0.01), "a", "First: 0.0900 ± 0.0100 lower"),
        (figure(0.01, 0.02), figure(0.03, 0.02), "", "No clear difference"),
        (figure(0.01), figure(0.01), "", "Equal"),
        (figure(200, kind="size"), figure(150, kind="size"), "b", "Second: 25 % less"),
        (figure(10, kind="speed", better=1), figure(8, kind="speed", better=1), "a", "First: 25 % faster"),
        (figure(0.9, 0.01, kind="share", better=1), figure(0.8, 0.01, kind="share", better=1), "a",
         "First: 10.0 ± 1.4 points higher"),
        (figure(0.01), figure(0.1, scope="n 1"), "", "Not comparable: each is measured against its own original"),
    ],
)  # fmt: skip
def test_a_difference_counts_only_outside_both_intervals(a: Figure, b: Figure, better: str, words: str) -> None:
    assert verdict.judged(a, b) == (better, words)
    turned = {"a": "b", "b": "a", "": ""}[better]
    assert verdict.judged(b, a)[0] == turned


def test_files_that_answered_the_same_questions_are_compared_question_by_question() -> None:
    a, b = figure(0.7, 0.1, kind="score", better=1), figure(0.6, 0.1, kind="score", better=1)
    assert verdict.judged(a, b)[1] == "No clear difference"
    found = verdict.judged(a, b, "1" * 70 + "0" * 30, "1" * 60 + "0" * 40)
    assert found == ("a", "Only the first right: 10, only the second: 0")
    few = verdict.judged(a, b, "1110000000", "1100000000")
    assert few == ("", "No clear difference (only the first right: 1, only the second: 0)")
    assert verdict.judged(a, b, "10", "10") == ("", "The same questions right")


def test_mcnemars_exact_test_has_its_known_values() -> None:
    assert verdict.by_chance(0, 5) == pytest.approx(0.0625) and verdict.by_chance(0, 6) == pytest.approx(0.03125)
    assert verdict.by_chance(5, 5) == 1.0 and verdict.by_chance(10, 2) == pytest.approx(0.038574, abs=1e-6)


# --- Pages


def probed(name: str = "smollm2-135m-instruct") -> Model:
    """The first sample with probes and their evidence."""
    first = sample().models[0]
    release = first.releases[0]
    scores = (ProbeScore("arithmetic", "en", 22, 40, 0.4, 0.7),)
    files = tuple(dataclasses.replace(file, probes=scores) for file in release.files)
    listed = (*release.evidence, EvidenceFile("probes.json", 1, "1" * 64))
    return dataclasses.replace(
        first, name=name, releases=(dataclasses.replace(release, files=files, evidence=listed),)
    )


def made(*models: Model, content: Any = None) -> dict[str, str]:
    probes = json.dumps(evidencesamples.probes() if content is None else content).encode()
    files = pages.render(Catalog(models), pages.Site(), lambda *place: probes if place[2] == "probes.json" else None)
    return {path: text if isinstance(text, str) else "" for path, text in files.items()}


def test_every_model_has_a_page_of_its_files_and_neighbours_have_one_together() -> None:
    files = made(probed("a"), probed("b"))
    assert files["compare/a/index.html"].count("<h2") == 3
    assert "compare/a/b/index.html" in files and 'href="../compare/a/b/"' in files["compare/index.html"]
    page = files["compare/a/index.html"]
    assert "No clear difference (only the first right: 1, only the second: 0)" in page and "What is" in page
    assert json.loads(files["compare-names.json"])["a"] == ["1.0.0", ["F16", "Q8_0", "Q4_K_M", "Q4_0"]]
    assert 'href="../../compare/?a=a%401.0.0%3A' in files["models/a/index.html"]


def test_only_the_first_of_the_ranking_have_pages_without_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "NEIGHBOURS", 2)
    files = made(*map(probed, "abc"))
    pages_of = {path for path in files if "compare/" in path and path.endswith(".html")}
    assert pages_of == {f"{p}/index.html" for p in ("compare", "compare/a/b", "compare/a", "compare/b")}
    assert "1 more model can be compared" in files["compare/index.html"] and "models/c/compare.json" in files


def test_kld_does_not_compare_two_models() -> None:
    page = made(probed("a"), probed("b"))["compare/a/b/index.html"]
    assert page.count("Not comparable: each is measured against its own original") == 2


def test_two_models_are_compared_by_the_same_questions() -> None:
    a, b = (figures.of(probed(n), probed(n).releases[0], json.dumps(evidencesamples.probes()).encode()) for n in "ab")
    assert a["items"] == b["items"] and a["files"][0]["right"]["arithmetic:en"] == "1" * 40
    assert [one.question for one in verdict.samples(a, "Q8_0", b, "Q4_0")] == [one["question"] for one in a["samples"]]
    assert len(a["samples"]) == figures.SAMPLES


def test_an_empty_catalog_and_experiments_have_nothing_to_rank() -> None:
    assert "There is nothing to compare yet" in made()["compare/index.html"]
    experiment = dataclasses.replace(probed("a"), maturity="experimental")
    files = made(experiment, probed("b"))
    assert "compare/a/index.html" in files and "compare/a/b/index.html" not in files


@pytest.mark.parametrize("content", [[], {"probes": [{}]}, "x", {"probes": []}])
def test_probes_of_another_form_are_left_out(content: object) -> None:
    page = made(probed("a"), content=content)["compare/a/index.html"]
    assert "22 of 40 right" in page and "What is" not in page


def test_hostile_answers_stay_text() -> None:
    content = evidencesamples.probes()
    for item in content["probes"][0]["items"]:
        item["prompt"] = HOSTILE
        item["answers"]["F16"]["answer"] = HOSTILE
    page = made(probed("a"), content=content)["compare/a/index.html"]
    assert "<script>alert" not in page and "alert(1)" in page and "\u202e" not in page
