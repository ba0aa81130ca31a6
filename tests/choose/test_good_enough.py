"""What is never the answer: experimental models, and models that are no better than guessing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from choosersamples import catalog
from sitesamples import sample
from test_picks import called, device

from catalog import index
from catalog.release import Model, ProbeScore
from zoo.choose import chooser
from zoo.choose.chooser import Choice, Question

PLAIN, TUTOR = (dataclasses.replace(model, maturity=None) for model in sample().models)
BOARD = device("pi-5-4gb")


def probed(model: Model, *scores: tuple[str, str | None, int, int]) -> Model:
    """The model, every file with these scores: probe, language, right answers, all."""
    probes = tuple(ProbeScore(*one, 0.0, 1.0) for one in scores)
    release = model.releases[0]
    files = tuple(dataclasses.replace(file, probes=probes) for file in release.files)
    return dataclasses.replace(model, releases=(dataclasses.replace(release, files=files),))


def maturity(model: Model, word: str | None) -> Model:
    return dataclasses.replace(model, maturity=word)


def choose(*models: Model, task: str | None = None, language: str | None = None) -> Choice:
    entries = [one for model in models if (one := chooser.entry(model))]
    return chooser.choose(Question(BOARD, 2048, None, task, language), chooser.rank(entries, language))


def test_an_experimental_model_is_not_the_answer() -> None:
    good = probed(TUTOR, ("arithmetic", None, 40, 40))
    poor = probed(PLAIN, ("arithmetic", None, 10, 40))
    before = choose(good, poor)
    assert before.answer and before.answer.ranked.entry.name == TUTOR.name
    found = choose(maturity(good, "experimental"), poor)
    assert found.answer and found.answer.ranked.entry.name == PLAIN.name
    assert found.asked == 1 and not found.passed
    names = [*(one.ranked.entry.name for one in found.runners_up), found.reason]
    assert TUTOR.name not in " ".join(names)


@pytest.mark.parametrize("word", ["usable", "recommended", None])
def test_other_words_and_older_records_may_be_the_answer(word: str | None) -> None:
    assert choose(maturity(TUTOR, word)).answer


def test_only_experiments_for_a_language_are_named_and_not_recommended() -> None:
    found = choose(PLAIN, maturity(TUTOR, "experimental"), language="fr-CA")
    assert found.answer is None and found.asked == 0
    assert found.reason == (
        "There is no good model in fr-CA yet. The nearest is smollm2-tutor-57m. Its owners call it experimental."
    )
    assert [(one.ranked.entry.name, one.reason) for one in found.passed] == [
        (TUTOR.name, "Its owners call it experimental.")
    ]


def test_a_language_whose_probes_are_at_chance_has_no_good_model_yet() -> None:
    model = probed(TUTOR, ("pairs_fr", "fr-CA", 23, 60), ("arithmetic", None, 39, 40))
    found = choose(model, language="fr-CA")
    assert found.answer is None
    assert found.reason == (
        "There is no good model in fr-CA yet. The nearest is smollm2-tutor-57m. It answered 23 of 60 test questions "
        "correctly, and guessing gives about 30."
    )
    # All probes together are far above guessing: 62 of 100, where guessing gives 30.
    assert choose(model).answer


@pytest.mark.parametrize(("right", "good"), [(30, False), (37, False), (38, True), (60, True)])
def test_the_interval_must_be_above_what_guessing_gives(right: int, good: bool) -> None:
    """Of 60 pairs the lower end of the 95 % interval passes one half between 37 and 38."""
    found = choose(probed(TUTOR, ("pairs_fr", "fr-CA", right, 60)), language="fr-CA")
    assert (found.answer is not None) is good


def test_no_right_answer_at_all_is_no_better_than_guessing() -> None:
    assert choose(probed(TUTOR, ("copying", None, 0, 20))).answer is None
    assert choose(probed(TUTOR, ("copying", None, 1, 20))).answer


def test_a_model_at_chance_is_passed_with_the_reason() -> None:
    poor = probed(PLAIN, ("pairs_en", None, 31, 60))
    other = probed(TUTOR, ("arithmetic", None, 3, 60), ("copying", None, 9, 20))
    found = choose(poor, other)
    assert found.answer and found.answer.ranked.entry.name == TUTOR.name


def test_a_model_whose_files_all_failed_the_smoke_test_is_no_answer_and_named() -> None:
    release = TUTOR.releases[0]
    files = tuple(dataclasses.replace(file, smoke_passed=False) for file in release.files)
    broken = dataclasses.replace(TUTOR, releases=(dataclasses.replace(release, files=files),))
    found = choose(broken)
    assert found.answer is None
    assert found.reason == (
        f"There is no good model yet. The nearest is {TUTOR.name}. Each of its files that fit failed the smoke test."
    )
    found = choose(broken, PLAIN)
    assert found.answer and found.answer.ranked.entry.name == PLAIN.name


def test_random_catalogs_never_answer_with_either() -> None:
    models = [
        maturity(model, "experimental" if number % 5 == 0 else None)
        for number, model in enumerate(catalog(40, seed=3).models)
    ]
    entries = [one for model in models if (one := chooser.entry(model))]
    seen = 0
    for language in (None, "fr", "en"):
        for place in ("pi-zero-2", "pi-5-8gb", "laptop-32gb"):
            found = chooser.choose(Question(device(place), 512, None, None, language), chooser.rank(entries, language))
            for offer in (found.answer, *found.runners_up):
                if offer:
                    seen += 1
                    assert not offer.ranked.entry.experimental
                    assert not (offer.ranked.share and offer.ranked.share.at_chance)
    assert seen > 10


def test_the_command_refuses_an_experimental_model(
    zoo_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(zoo_folder)
    models = (PLAIN, maturity(TUTOR, "experimental"))
    (zoo_folder / "model_catalog.json").write_text(index.to_text(index.Catalog(models)), encoding="utf-8")
    asked = (TUTOR.name, "--device", "pi-400")
    code, _, err = called(capsys, *asked)
    assert code == 1 and f"{TUTOR.name} is experimental" in err and "nearly everything" in err
    assert f"zoo pick {TUTOR.name} --experimental" in err
    code, out, _ = called(capsys, *asked, "--experimental")
    assert code == 0 and "Recommended: " in out


def test_the_command_refuses_a_model_at_chance_in_the_words_of_the_site(
    zoo_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(zoo_folder)
    poor = probed(TUTOR, ("pairs_en", None, 31, 60))
    sentence = choose(poor).reason.partition(f"The nearest is {TUTOR.name}. ")[2]
    assert sentence == "It answered 31 of 60 test questions correctly, and guessing gives about 30."
    (zoo_folder / "model_catalog.json").write_text(index.to_text(index.Catalog((poor,))), encoding="utf-8")
    asked = (TUTOR.name, "--device", "pi-400")
    code, out, err = called(capsys, *asked)
    assert code == 1 and not out
    assert f"{TUTOR.name} is no better than guessing, so no file of it is recommended. {sentence}" in err
    assert f"zoo pick {TUTOR.name} --experimental" in err
    code, out, _ = called(capsys, *asked, "--experimental")
    assert code == 0 and "Recommended: " in out and f"\n{sentence} " in out
    # Whether a model is ranked by its probes depends on the others, as on the site.
    usual = [dataclasses.replace(probed(PLAIN, ("copying", None, 9, 20)), name=f"plain-{one}") for one in "ab"]
    everything = (*usual, poor)
    (zoo_folder / "model_catalog.json").write_text(index.to_text(index.Catalog(everything)), encoding="utf-8")
    entries = [one for model in everything if (one := chooser.entry(model))]
    assert not any(one.at_chance for one in chooser.rank(entries))
    assert called(capsys, *asked)[0] == 0
