"""What is new in a version: which one it is compared with, the sentences, and what commits and tags say."""

from __future__ import annotations

import dataclasses

from sitesamples import sample

from catalog import changes
from catalog.release import News, Release


def tutor() -> tuple[Release, Release]:
    new, old = next(model for model in sample().models if len(model.releases) == 2).releases
    return new, old


def test_what_changed_between_versions() -> None:
    new, old = tutor()
    assert changes.of_versions((new, old)) == {
        "1.1.0": [
            "Identical files: F16, Q8_0.",
            "The sources changed: teacher, train.",
            "It is trained now.",
            "1 line of the recipe changed.",
        ]
    }
    smaller = dataclasses.replace(new.files[1], size_bytes=60_000_000, sha256="0" * 64)
    other = dataclasses.replace(
        new, files=(smaller,), licence="MIT", lineage=old.lineage, recipe=old.recipe, training=None
    )
    assert changes.of_versions((other, old))["1.1.0"] == [
        "Removed files: F16.",
        "The licence changed from Apache-2.0 to MIT.",
        "Q8_0: 60.0 MB, was 61.2 MB.",
    ]
    alike = dataclasses.replace(old, version="1.0.1", files=())
    later = dataclasses.replace(alike, version="1.0.2")
    assert changes.of_versions((later, alike))["1.0.2"] == ["The catalog records no change."]


def test_figures_are_compared_with_their_errors() -> None:
    new, _ = tutor()
    file = new.files[1]
    assert file.loss
    loss = dataclasses.replace(file.loss, kld_mean_nats=0.5, kld_mean_se_nats=0.01, same_top_share=0.5)
    other = dataclasses.replace(file, sha256="0" * 64, loss=loss, perplexity=9.0, perplexity_se=0.1)
    (sentence,) = [one for one in changes.between(dataclasses.replace(new, files=(other,)), new) if one[:4] == "Q8_0"]
    assert "KLD 0.500 ± 0.010 nats, was " in sentence and "; same top 50." in sentence
    assert "; perplexity 9.00 ± 0.10, was " in sentence and sentence.count("±") == 6


def test_other_words_in_a_header_are_the_same_weights() -> None:
    new, _ = tutor()
    worded = tuple(dataclasses.replace(f, sha256="0" * 64, measured_sha256=f.sha256) for f in new.files)
    assert "Same weights, other words in the header: F16, Q8_0." in changes.between(
        dataclasses.replace(new, files=worded), new
    )


def test_training_is_compared() -> None:
    new, _ = tutor()
    assert new.training and new.training.after.kld_mean_nats
    after = dataclasses.replace(new.training.after, kld_mean_nats=0.1)
    longer = dataclasses.replace(new.training, steps=999, after=after)
    said = changes.between(dataclasses.replace(new, training=longer), new)
    assert any("999 steps" in one and f"was {new.training.method}" in one for one in said)
    assert any(one.startswith("KLD to the teacher on held-out conversations: 0.1") for one in said)


def test_a_stable_version_is_compared_with_the_stable_one_before() -> None:
    releases = [dataclasses.replace(tutor()[0], version=one) for one in ("1.1.0", "1.1.0-rc.2", "1.1.0-rc.1", "1.0.0")]

    def before(version: str) -> str | None:
        found = changes.before(releases, version)
        return found and found.version

    assert before("1.1.0") == "1.0.0" and before("1.2.0") == "1.1.0" and before("1.0.1") == "1.0.0"
    assert before("1.1.0-rc.2") == "1.1.0-rc.1" and before("1.1.0-rc.1") == "1.0.0" and before("1.0.0") is None
    only_candidate = releases[2:3]
    found = changes.before(only_candidate, "1.1.0")
    assert found and found.version == "1.1.0-rc.1"


def test_news_are_bounded_and_say_how_much_is_left_out() -> None:
    new, old = tutor()
    many = tuple(dataclasses.replace(old.files[0], type=f"T{n}", sha256=f"{n:064x}") for n in range(90))
    other = tuple(dataclasses.replace(file, size_bytes=9, sha256="f" * 64) for file in many)
    said = changes.between(dataclasses.replace(new, files=other), dataclasses.replace(old, files=many))
    assert len(said) == changes.MOST and said[-1] == "And 54 more changes."
    long = dataclasses.replace(new, tools=("x" * 5000,))
    assert max(map(len, changes.between(long, old))) < 200


def test_the_message_is_the_title_without_news() -> None:
    assert changes.message("tutor 1.0.0", None) == "tutor 1.0.0"
    news = News(("Fewer mistakes.",), "1.0.0", ("Removed files: F16.",))
    assert changes.message("tutor 1.1.0", news) == (
        "tutor 1.1.0\n\n- Fewer mistakes.\n\nChanges since 1.0.0:\n- Removed files: F16."
    )
    assert changes.message("tutor 1.0.0", changes.news(["First."], tutor()[1], None)) == "tutor 1.0.0\n\n- First."
    assert changes.news([], tutor()[1], None) is None
