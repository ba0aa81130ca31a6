"""What a model's page, its versions' and its dataset's say beyond the golden files: yanks, changes, proofs, lineage."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest
from recipesamples import TUTORED, edited
from sitesamples import CONTENT, HOSTILE, hostile, sample
from test_pages import SITE, Tags

from catalog.index import Catalog
from catalog.release import (
    EvidenceFile,
    LanguageLoss,
    Location,
    Model,
    News,
    Repository,
    Reproduction,
    YankEvent,
)
from zoo.site import pages
from zoo.site.pages import diagram

PLAIN = "models/smollm2-135m-instruct/"
TUTOR = "models/smollm2-tutor-57m/"
REPORT = {
    "schema": "dataset-report/1",
    "splits": [
        {
            "name": "train",
            "rows": 200,
            "json_rows": 12,
            "tags": {"fr-CA": 50, "rewriting": 150},
            "finish": {"stop": 190, "length": 10},
            "characters": {"user": {"min": 5, "p25": 20, "median": 40, "p75": 60, "p95": 90, "max": 120}},
        }
    ],
    "redaction": None,
}


def plain(**changed: object) -> Model:
    """The converted model; ``changed`` goes into its only release."""
    model = sample().models[0]
    return dataclasses.replace(model, releases=(dataclasses.replace(model.releases[0], **changed),))


def tutor() -> Model:
    return sample().models[1]


def files_of(*models: Model, report: bytes = CONTENT) -> dict[str, str]:
    def evidence(name: str, version: str, path: str) -> bytes | None:
        del name, version
        return report if path == "dataset-report.json" else CONTENT

    return {path: str(value) for path, value in pages.render(Catalog(models), SITE, evidence).items()}


def told(html: str) -> str:
    """The words of a page, with single spaces."""
    return re.sub(r"\s+", " ", Tags(html).text)


def test_a_yanked_newest_version_has_a_banner_and_the_page_describes_the_one_before() -> None:
    event = YankEvent("1.1.0", "2026-11-23", "yank", "The chat template is wrong.", "high", "other@1.0.0")
    made = files_of(dataclasses.replace(tutor(), yanks=(event,)))
    words = told(made[f"{TUTOR}index.html"])
    assert "Version 1.1.0 was yanked. Withdrawn on 2026-11-23 (severity: high)" in words
    assert "The chat template is wrong. Use other@1.0.0 instead." in words
    assert "Version 1.0.0 of 2026-11-22" in words
    assert "zoo pull smollm2-tutor-57m@1.0.0:" in words and "@1.1.0:" not in words
    assert "Version 1.1.0 was yanked" in made[f"{TUTOR}1.1.0/index.html"]
    assert "was yanked" not in made[f"{TUTOR}1.0.0/index.html"]


def test_the_page_describes_the_stable_version_and_marks_a_pre_release() -> None:
    stable = plain().releases[0]
    candidate = dataclasses.replace(stable, version="1.1.0-rc.1")
    made = files_of(dataclasses.replace(plain(), releases=(candidate, stable)))
    words = told(made[f"{PLAIN}index.html"])
    assert "instruct/1.0.0/SHA256SUMS" in made[f"{PLAIN}index.html"]
    assert words.count("pre-release") == 1 and re.search(r"1\.1\.0-rc\.1 ?pre-release", words)
    assert f"{PLAIN}1.1.0-rc.1/index.html" in made


def test_mirrors_are_listed_with_their_commits() -> None:
    place = Location("https://huggingface.co", Repository("other/m", "a" * 40, "v1.0.0"), None)
    words = told(files_of(plain(mirrors=(place,)))[f"{PLAIN}index.html"])
    assert f"Mirrors, which have the same files: other/m on https://huggingface.co, commit {'a' * 40}" in words
    assert "Mirrors" not in told(files_of(plain())[f"{PLAIN}index.html"])


def test_a_model_whose_only_version_is_yanked_reports_it_in_lists() -> None:
    event = YankEvent("1.0.0", "2026-11-23", "yank", HOSTILE, "critical", None)
    made = files_of(dataclasses.replace(plain(), yanks=(event,)))
    assert "zoo-yanked" in made["index.html"] and "zoo-yanked" in made["models/index.html"]
    assert "<script>alert(1)</script>" in Tags(made[f"{PLAIN}index.html"]).text


def test_every_version_has_a_page_that_stays() -> None:
    made = files_of(tutor())
    assert {f"{TUTOR}1.0.0/index.html", f"{TUTOR}1.1.0/index.html", f"{TUTOR}1.1.0/SHA256SUMS"} <= made.keys()
    old, new = made[f"{TUTOR}1.0.0/index.html"], made[f"{TUTOR}1.1.0/index.html"]
    assert 'id="evidence"' in old and 'id="use"' not in old
    assert "The model's page" in told(new) and 'content="noindex"' in new


def test_a_version_page_says_what_is_new() -> None:
    new, old = tutor().releases
    news = News(("Fewer mistakes in fractions.", HOSTILE), "1.0.0", ("Q8_0: 60.0 MB, was 61.2 MB.",))
    candidate = dataclasses.replace(old, version="1.2.0-rc.1", news=news)
    made = files_of(dataclasses.replace(tutor(), releases=(candidate, new, old)))
    words = told(made[f"{TUTOR}1.2.0-rc.1/index.html"])
    assert "What is new Fewer mistakes in fractions." in words and "Q8_0: 60.0 MB, was 61.2 MB." in words
    assert "<script>alert(1)" not in made[f"{TUTOR}1.2.0-rc.1/index.html"]
    assert "This is the first version." in told(made[f"{TUTOR}1.0.0/index.html"])
    assert "Fewer mistakes in fractions." in told(made[f"{TUTOR}index.html"])  # in the table of versions
    assert "What is new: Fewer mistakes in fractions." in made["feed.atom"]
    assert "Changes since 1.0.0: Q8_0: 60.0 MB, was 61.2 MB." in made["feed.atom"]


def test_known_differences_are_limits_and_stay_text() -> None:
    sentence = f"The recipe allows a difference in the check template. {HOSTILE}"
    model = plain(differences=(sentence,))
    page = files_of(model)[f"models/{model.name}/index.html"]
    assert "Known difference: The recipe allows a difference in the check template." in page
    assert "<script>alert(1)" not in page and "onload=alert(2)>" not in page.replace("&gt;", "")


def test_limits_say_how_much_of_the_memory_is_reserved_for_the_vocabulary() -> None:
    facts = dataclasses.replace(plain().releases[0].architecture, vocabulary_size=262_144, context_tokens=2048)
    html = " ".join(files_of(plain(architecture=facts))[PLAIN + "index.html"].split())
    assert "The compute buffer takes 536.9 MB, because the vocabulary has 262,144 tokens." in html


def test_a_dominated_file_names_the_one_that_beats_it() -> None:
    files = plain().releases[0].files
    worse = dataclasses.replace(files[3], size_bytes=200_000_000)
    page = files_of(plain(files=(*files[:3], worse)))[f"{PLAIN}index.html"]
    (row,) = re.findall(r'<tr class="zoo-beaten">.*?</tr>', page, re.DOTALL)
    assert "Worse than model-Q8_0.gguf" in row and "larger than model-Q8_0.gguf and has a higher loss" in row


def test_figures_lead_to_their_evidence() -> None:
    page = files_of(plain())[f"{PLAIN}index.html"]
    place = "../../models/smollm2-135m-instruct/1.0.0/evidence"
    assert f'<a href="{place}/loss/">0.083 ± 0.004</a>' in page
    assert page.count(f'<a href="{place}/speed/#bench-Q8_0">39.8 tokens/s</a>') == 2
    assert f'<a href="{place}/loss/">Loss</a>' in page


def test_loss_by_language_is_shown_when_it_was_measured() -> None:
    files = plain().releases[0].files
    assert files[1].loss
    languages = (LanguageLoss("en", 512, 0.004, 0.0004, 0.97), LanguageLoss("fr-CA", 512, 0.009, None, 0.9))
    file = dataclasses.replace(files[1], loss=dataclasses.replace(files[1].loss, languages=languages))
    page = files_of(plain(files=(files[0], file)))[f"{PLAIN}index.html"]
    assert "KLD mean by language" in page
    assert ">0.0040 ± 0.0004<" in page and ">0.009<" in page


def test_reproductions_are_counted() -> None:
    done = Reproduction("1.0.0", "2026-11-23", True, 4, 4, 1088, 1088, ("zoo 0.2",), "nowhere.json")
    half = dataclasses.replace(done, identical=False, files_identical=2, tensors_identical=1000)
    made = files_of(dataclasses.replace(plain(), reproductions=(done, half)))
    words = told(made[f"{PLAIN}index.html"])
    assert words.count("Reproduced 2 times; every file was identical in 1 of 2.") == 2
    assert "2 of 4 files and 1,000 of 1,088 tensors identical" in words
    assert "zoo reproduce smollm2-135m-instruct@1.0.0" in words


def test_the_drawing_of_the_lineage_says_the_same_in_words() -> None:
    model = tutor()
    drawn = diagram.lineage(model, model.releases[0])
    assert "Teacher: HuggingFaceTB" in drawn
    assert "Prompts leads to Answers of the teacher" in drawn
    assert "Student, distilled leads to 2 files" in drawn
    assert "Exported model" in diagram.lineage(plain(), plain().releases[0])
    assert diagram.lineage(model, dataclasses.replace(model.releases[0], lineage=())) == ""


def test_hostile_text_in_the_drawing_stays_text() -> None:
    model = hostile().models[0]
    drawn = Tags(str(diagram.lineage(model, model.releases[0])))
    assert {tag for tag, _ in drawn.tags} <= {"svg", "title", "desc", "rect", "path", "text"}
    assert drawn.open == []


def with_report(report: object) -> dict[str, str]:
    """Pages of a model whose newest release lists that dataset report."""
    content = json.dumps(report).encode()
    newest, *older = tutor().releases
    listed = EvidenceFile("dataset-report.json", len(content), "0" * 64)
    newest = dataclasses.replace(newest, evidence=(*newest.evidence, listed))
    return files_of(dataclasses.replace(tutor(), releases=(newest, *older)), report=content)


def test_a_dataset_page_shows_its_distributions() -> None:
    page = with_report(REPORT)[f"{TUTOR}1.1.0/dataset/index.html"]
    words = told(page)
    assert "240 prompts, 236 of them with a valid answer" in words
    assert "25.0 %" in words and "fr-CA" in words
    assert "dataset-report.json" in page


@pytest.mark.parametrize(
    ("redact", "said"),
    [
        pytest.param(None, "Nothing was redacted: the recipe does not ask for it", id="not asked for"),
        pytest.param("automatic", "lists was replaced by placeholders. The report has the counts", id="by a program"),
        pytest.param("reviewed", "A person reviewed these rows and signed for them.", id="and reviewed"),
        pytest.param("?", "Whether personal data was looked for is not recorded.", id="a recipe that cannot be read"),
    ],
)
def test_a_dataset_page_says_what_was_redacted(redact: str | None, said: str) -> None:
    text = edited(TUTORED, "label:\n", f"label:\n  redact: {redact}\n") if redact else TUTORED
    newest, *older = tutor().releases
    recipe = dataclasses.replace(newest.recipe, text=text)
    model = dataclasses.replace(tutor(), releases=(dataclasses.replace(newest, recipe=recipe), *older))
    words = told(files_of(model)[f"{TUTOR}1.1.0/dataset/index.html"])
    assert said in words
    assert ("Nothing was redacted" in words) == (redact is None)


@pytest.mark.parametrize("report", [7, {}, {"schema": "dataset-report/1", "splits": [{"name": HOSTILE}]}])
def test_a_report_of_another_form_is_as_good_as_none(report: object) -> None:
    page = with_report(report)[f"{TUTOR}1.1.0/dataset/index.html"]
    assert "This release recorded no distributions." in page


def test_a_release_without_a_dataset_has_no_page_for_one() -> None:
    assert not [path for path in files_of(plain()) if "/dataset/" in path]


def test_a_release_whose_files_all_failed_the_smoke_test_recommends_none() -> None:
    release = plain().releases[0]
    files = tuple(dataclasses.replace(file, smoke_passed=False) for file in release.files)
    page = files_of(plain(files=files))[f"{PLAIN}index.html"]
    assert "No file of this release is recommended." in page and "failed the smoke test." in page
    assert "It is not recommended." in page and "the recommended file for most devices" not in page


def test_no_file_fits_is_said() -> None:
    huge = dataclasses.replace(plain().releases[0].files[0], size_bytes=10**15, memory=())
    page = files_of(plain(files=(huge,)))[f"{PLAIN}index.html"]
    assert "No file fits on any device that this zoo knows." in page


@pytest.mark.parametrize(("access", "words"), [("private", "is private"), ("gated-auto", "accept its terms at https://")])
def test_a_release_that_not_everybody_may_read_says_so(access: str, words: str) -> None:
    model = plain()
    place = dataclasses.replace(model.releases[0].location, hub="https://huggingface.co", access=access)
    made = files_of(plain(location=place))
    page = told(made[f"{PLAIN}index.html"])
    assert "Not everybody can download this release." in page and words in page and "export HF_TOKEN=..." in page
    assert "try it in the browser" not in page
    # No other page offers a command that works for its owner only.
    assert all("hf download" not in made[path] for path in ("index.html", "boards/index.html"))
    assert "Not everybody can download" not in told(files_of(model)[f"{PLAIN}index.html"])
