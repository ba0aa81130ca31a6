"""The page of a model says where its tests are no better than guessing, by the chooser's own rule."""

from __future__ import annotations

import dataclasses

import pytest
from sitesamples import sample

from catalog import guessing
from catalog.release import Model, ProbeScore
from zoo.choose import ranking
from zoo.site.pages import Site, model

PLAIN = sample().models[0]


def probed(*scores: ProbeScore) -> Model:
    release = PLAIN.releases[0]
    files = tuple(dataclasses.replace(file, probes=scores) for file in release.files)
    return dataclasses.replace(PLAIN, releases=(dataclasses.replace(release, files=files),))


def score(probe: str, language: str | None, correct: int, total: int) -> ProbeScore:
    return ProbeScore(probe, language, correct, total, *guessing.wilson(correct, total))


def page(one: Model) -> str:
    return model.model_page(one, one.releases[0], Site(), ()).html


@pytest.mark.parametrize(("correct", "guessed"), [(30, True), (35, True), (37, True), (38, False), (58, False)])
def test_pairs_at_chance_are_named_in_the_section_and_at_the_top(correct: int, guessed: bool) -> None:
    one = probed(score("pairs_en", "en", 58, 60), score("pairs_fr", "fr-CA", correct, 60))
    html = page(one)
    words = f"{correct} of 60 right; guessing gives about 30"
    assert (html.count(words) == 2) is guessed
    assert ("No better than guessing:" in html) is guessed
    share = ranking.guessed(one.releases[0])
    assert ("pairs_fr" in share.probes) is guessed
    assert ("fr-CA" in share.languages) is guessed
    assert "pairs_en" not in share.probes


def test_no_right_answer_at_all_is_as_good_as_guessing() -> None:
    one = probed(score("arithmetic", None, 0, 40), score("pairs_en", "en", 58, 60))
    html = page(one)
    assert "0 of 40 right." in html
    assert "guessing gives about" not in html


def test_a_language_of_several_probes_is_judged_as_a_whole() -> None:
    one = probed(score("pairs_fr", "fr-CA", 30, 60), score("copying", "fr-CA", 0, 20), score("pairs_en", "en", 58, 60))
    assert "Language fr-CA: 30 of 80 right; guessing gives about 30" in page(one)


def test_a_model_that_passes_has_no_such_words() -> None:
    assert "guessing" not in page(probed(score("pairs_en", "en", 58, 60), score("arithmetic", None, 9, 40)))
