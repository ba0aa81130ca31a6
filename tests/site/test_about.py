"""What the owners say, what the source is, and the sample answers of each file, which nobody chooses by hand."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import pytest
from recipesamples import PLAIN as PLAIN_RECIPE
from sitesamples import sample

from catalog import index
from catalog.index import Catalog
from catalog.release import EvidenceFile, Model, RecipeRecord, Release
from zoo.site import pages
from zoo.site.pages import about

PLAIN, TUTOR = (dataclasses.replace(model, maturity=None) for model in sample().models)
RELEASE = PLAIN.releases[0]
NOTE = "The weights were quantized before."


def item(name: str, *right: bool) -> dict[str, Any]:
    """A question with an answer of each of the files, whose types are those of the sample."""
    answers = {
        file.type: {"answer": f"{file.type} says {name}", "finish": "stop", "correct": verdict}
        for file, verdict in zip(RELEASE.files, right, strict=False)
    }
    return {"id": name, "prompt": f"What is {name}?", "answers": answers}


def content(*items: dict[str, Any]) -> bytes:
    pair = {"id": "pairs_en-1", "good": "a", "bad": "b", "answers": {"F16": {"answer": "+1", "correct": True}}}
    probes = [
        {"title": "Arithmetic", "items": list(items)},
        {"title": "Minimal pairs", "items": [pair]},
    ]
    return json.dumps({"format": "zoo-probes/1", "probes": probes}).encode()


def by_digest(*names: str) -> list[str]:
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())


def test_the_first_right_and_the_first_wrong_answer_by_digest() -> None:
    names = by_digest("a", "b", "c", "d")
    verdicts = {names[0]: (True, False), names[1]: (True, False), names[2]: (False, True), names[3]: (False, True)}
    made = content(*(item(name, *verdicts[name]) for name in ("d", "a", "c", "b")))
    found = about.examples(RELEASE, made)
    first, second = RELEASE.files[:2]
    assert found[first.path] == [
        {"title": "Arithmetic", "question": f"What is {names[0]}?", "answer": f"F16 says {names[0]}", "right": True},
        {"title": "Arithmetic", "question": f"What is {names[2]}?", "answer": f"F16 says {names[2]}", "right": False},
    ]
    assert [one["question"] for one in found[second.path]] == [f"What is {names[2]}?", f"What is {names[0]}?"]
    assert RELEASE.files[2].path not in found


@pytest.mark.parametrize("verdict", [True, False])
def test_answers_of_one_kind_give_the_first_two(verdict: bool) -> None:
    names = by_digest("a", "b", "c")
    found = about.examples(RELEASE, content(*(item(name, verdict) for name in names)))
    assert [one["question"] for one in found[RELEASE.files[0].path]] == [f"What is {n}?" for n in names[:2]]


@pytest.mark.parametrize("data", [None, b"", b"{", b"[]", b'{"probes": [{"items": [{"prompt": 1}]}]}', b"\xff"])
def test_evidence_of_another_form_has_no_samples(data: bytes | None) -> None:
    assert about.examples(RELEASE, data) == {}


def quantized(model: Model, notes: tuple[str, ...] | None = (NOTE,)) -> Model:
    release = dataclasses.replace(model.releases[0], quantized_source="Q4_1")
    return dataclasses.replace(model, releases=(release,), source_notes=notes)


def rendered(model: Model) -> dict[str, str]:
    files = pages.render(Catalog((model,)), pages.Site(), lambda *_: None)
    return {path: text for path, text in files.items() if isinstance(text, str)}


def test_a_quantized_source_is_named_wherever_the_files_are_compared_with_it() -> None:
    made = rendered(quantized(PLAIN))
    page = made[f"models/{PLAIN.name}/index.html"]
    source = "The source was already quantized: its weights have 4 bits (Q4_1)."
    for part in (page, made["index.html"], made["boards/pi-5-4gb/index.html"]):
        assert source in part and NOTE in part
    lineage, limits = (page.partition(f'id="{name}"')[2].partition("<h2")[0] for name in ("lineage", "limits"))
    assert source in lineage and NOTE in lineage and source in limits and NOTE in limits
    assert "already quantized: 4 bits (Q4_1)" in lineage and "Q4_1, Apache-2.0" in lineage
    for part in (page, made["files/index.html"], made["index.html"]):
        assert ">reference<" not in part and "unquantized" not in part
    assert "made from Q4_1" in page and "made from Q4_1" in made["files/index.html"]
    assert ">reference<" in rendered(PLAIN)["files/index.html"]


def test_older_records_have_the_notes_of_their_recipe() -> None:
    text = PLAIN_RECIPE
    recipe = RecipeRecord("plain.yaml", hashlib.sha256(text.encode()).hexdigest(), text)
    release: Release = dataclasses.replace(RELEASE, recipe=recipe)
    older = dataclasses.replace(PLAIN, releases=(release,))
    assert about.notes(older, release) == ("Already quantized at the source.",)
    newer = dataclasses.replace(release, version="2.0.0")
    both = dataclasses.replace(older, releases=(newer, release), source_notes=("New words.",))
    assert about.notes(both, newer) == ("New words.",)
    assert about.notes(both, release) == ("Already quantized at the source.",)
    assert about.notes(PLAIN, RELEASE) == ()


def test_an_experimental_model_has_pages_with_a_banner_and_is_not_the_answer() -> None:
    model = dataclasses.replace(TUTOR, maturity="experimental")
    made = rendered(model)
    assert "<strong>Experimental.</strong>" in made[f"models/{TUTOR.name}/index.html"]
    assert "<strong>Experimental.</strong>" in made[f"models/{TUTOR.name}/1.0.0/index.html"]
    assert "There is no good model yet. The nearest is smollm2-tutor-57m." in made["index.html"]
    for list_ in ("models/index.html", "files/index.html"):
        assert "experimental</strong>" in made[list_]
    assert "xperimental" not in rendered(TUTOR)["index.html"]


def test_samples_stand_in_the_answer_and_on_the_page() -> None:
    made = content(item("a", *(True,) * 4), item("b", *(False,) * 4))
    entry = EvidenceFile("probes.json", len(made), hashlib.sha256(made).hexdigest())
    release = dataclasses.replace(RELEASE, evidence=(*RELEASE.evidence, entry))
    model = dataclasses.replace(PLAIN, releases=(release,))
    files = pages.render(
        Catalog((model,)), pages.Site(), lambda *place: made if place[2] == "probes.json" else None
    )
    front, page = str(files["index.html"]), str(files[f"models/{PLAIN.name}/index.html"])
    assert "What is a?" in front and "Q8_0 says b" in front and "F16 says b" not in front
    assert "Sample answers" in page and "F16 says b" in page and "Q4_0 says a" in page
    told = json.loads(str(files[about.about_path(PLAIN.name)]))
    assert told["examples"].keys() == {file.path for file in RELEASE.files}
    assert told["bad_at"] == list(PLAIN.bad_at)


def test_old_catalogs_are_read() -> None:
    text = index.to_text(Catalog((PLAIN, TUTOR)))
    assert '"maturity"' not in text and '"source_notes"' not in text
    found, problems = index.parse(text, "catalog")
    assert not problems and not any(model.experimental for model in found.models)
    again = index.to_text(Catalog((quantized(PLAIN), dataclasses.replace(TUTOR, maturity="experimental"))))
    found, problems = index.parse(again, "catalog")
    assert not problems and found.models[1].experimental and found.models[0].source_notes == (NOTE,)
    assert index.to_text(found) == again
