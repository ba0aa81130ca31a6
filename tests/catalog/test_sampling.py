"""What is known of how models are sampled: only of the model that a release was made from, each with its source."""

import dataclasses

from sitesamples import model_and_release

from catalog import sampling
from catalog.release import Ancestor

CARD = "HuggingFaceTB/SmolLM2-135M-Instruct"


def test_a_release_has_the_figures_of_its_own_source() -> None:
    _, release = model_and_release()
    student = Ancestor("student", "package:x", "Apache-2.0", CARD, None)
    teacher = dataclasses.replace(student, role="teacher", upstream="org/another")
    found = sampling.card_of(dataclasses.replace(release, lineage=(teacher, student)))
    assert found is not None
    assert found["figures"] == {"temperature": 0.2, "top_p": 0.9}
    others = (dataclasses.replace(student, upstream="org/another"), dataclasses.replace(teacher, upstream=CARD))
    assert sampling.card_of(dataclasses.replace(release, lineage=others)) is None
    assert sampling.card_of(dataclasses.replace(release, lineage=())) is None


def test_every_figure_has_the_page_that_it_is_from() -> None:
    assert sampling.known()["default_source"].startswith("https://")
    for name, card in sampling.known()["cards"].items():
        assert card["source"].startswith(f"https://huggingface.co/{name}")
        assert card["figures"]
        assert set(card["figures"]) <= {"temperature", "top_k", "top_p", "min_p", "repeat_penalty"}
