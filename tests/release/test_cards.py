"""Cards: golden files, schemas, and text from a recipe that shows as text and nothing else."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from recipesamples import PLAIN, TUTORED
from sitesamples import sample

from catalog import schema
from catalog.checks import CheckedRecipe
from catalog.recipe import CorpusFile, Recipe, Share, Tune, TuneCorpus
from catalog.release import Release
from zoo.choose import commands
from zoo.release import cards

Check = Callable[..., CheckedRecipe]
GOLDEN = Path(__file__).parents[1] / "golden" / "cards"
UPDATE = "ZOO_UPDATE_GOLDEN"
"""Set this variable to 1 to write the golden files again; then check the difference."""

HOSTILE = (
    "<script>alert(1)</script> {{ 6*7777 }} {% raw %} | a | b | `code` **bold** [link](javascript:alert(2)) "
    "![image](x) ~~no~~ $x$ &lt; # head _under_"
)
SPLITS = [
    {
        "name": "train", "path": "data/train.jsonl", "records": 190, "json": 20, "sha256": "3" * 64,
        "lengths": {"min": 10, "median": 55, "max": 210}, "tags": {"lang:en": 110, "lang:fr-CA": 80, "topic:a": 3},
    },
    {
        "name": "heldout", "path": "data/heldout.jsonl", "records": 38, "json": 4, "sha256": "4" * 64,
        "lengths": {"min": 12, "median": 50, "max": 140}, "tags": {"lang:en": 22, "lang:fr-CA": 16},
    },
]  # fmt: skip
FILES = [
    {"part": "train", "path": "recipes/corpora/tutor/prompts.train.jsonl", "source": "the project",
     "licence": "CC0-1.0", "sha256": "5" * 64},
    {"part": "heldout", "path": "recipes/corpora/tutor/prompts.heldout.jsonl", "source": "the project",
     "licence": "CC0-1.0", "sha256": "6" * 64},
]  # fmt: skip


@pytest.fixture
def plain(check_text: Check) -> Recipe:
    recipe = check_text(PLAIN).recipe
    assert recipe
    return recipe


@pytest.fixture
def tutored(check_text: Check) -> Recipe:
    recipe = check_text(TUTORED, "tutored").recipe
    assert recipe
    return recipe


def release_of(model: int) -> Release:
    return sample().models[model].releases[0]


def model_card(recipe: Recipe, release: Release, model: int, **words: Any) -> str:
    return cards.model_card(recipe, dataclasses.replace(sample().models[model], **words), release, "local")


def dataset_card(recipe: Recipe, splits: Any = SPLITS, files: Any = FILES) -> str:
    return cards.dataset_card(recipe, sample().models[1], release_of(1), "local", splits, files)


def read(text: str, kind: str = "model") -> dict[str, Any]:
    """The front matter of a valid card."""
    data, problems = cards.read_card(text, "README.md", kind)
    assert problems == []
    return data


def body(text: str) -> str:
    return text.split("\n---\n", 1)[1]


# --- Golden files


@pytest.mark.parametrize("name", ["plain-model.md", "tutored-model.md", "tutored-dataset.md"])
def test_golden(name: str, plain: Recipe, tutored: Recipe) -> None:
    text = {
        "plain-model.md": lambda: model_card(plain, release_of(0), 0),
        "tutored-model.md": lambda: model_card(tutored, release_of(1), 1),
        "tutored-dataset.md": lambda: dataset_card(tutored),
    }[name]()
    path = GOLDEN / name
    if os.environ.get(UPDATE) == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_cards_are_valid_and_pure(plain: Recipe, tutored: Recipe) -> None:
    for recipe, number in ((plain, 0), (tutored, 1)):
        one = model_card(recipe, release_of(number), number)
        assert one == model_card(recipe, release_of(number), number)
        read(one)
        assert (
            one.endswith("\n")
            and "\n\n\n\n" not in one
            and not re.search(r"[ \t]+$", body(one), re.MULTILINE)
        )
    read(dataset_card(tutored), "dataset")


def test_a_teacher_that_was_trained_is_described_with_what_it_learnt(tutored: Recipe) -> None:
    """Of other recipes nothing is said."""
    assert tutored.teacher and "trained itself" not in model_card(tutored, release_of(1), 1)
    files = tuple((CorpusFile(f"{part}.jsonl", "CC-BY-4.0", "my *notes*", None),) for part in ("own", "own.heldout"))
    reason = "Nobody <b>minds</b> it"
    for corpus in (None, TuneCorpus(*files, None), TuneCorpus(*files, reason)):
        tune = Tune("lora", "cpu-small", 5, 4, 64, 1e-4, 1, 1, 10, None, None, corpus)
        recipe = dataclasses.replace(tutored, teacher=dataclasses.replace(tutored.teacher, tune=tune))
        text, data = model_card(recipe, release_of(1), 1), dataset_card(recipe)
        read(text), read(data, "dataset")
        assert "\n\n\n\n" not in text and "for 5 steps (adapter: lora)" in text and "\n\n## Where it comes from" in text
        assert ("on the same" in text) == (corpus is None)
        assert ("files `tune.train` below" in text) == ("on the files `tune.train`" in data) == (corpus is not None)
        assert ("Nobody &lt;b&gt;minds" in text) == (corpus is not None and corpus.overlap_accepted is not None)


# --- Metadata


def test_metadata_of_a_converted_model(plain: Recipe) -> None:
    release = release_of(0)
    data = read(model_card(plain, release, 0))
    assert data["license"] == "apache-2.0" and "license_name" not in data
    assert data["language"] == ["en"]
    assert (data["pipeline_tag"], data["library_name"]) == ("text-generation", "gguf")
    assert data["base_model"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert data["base_model_relation"] == "quantized"
    assert "datasets" not in data
    assert data["zoo"]["files"] == {
        file.path: {"size_bytes": file.size_bytes, "sha256": file.sha256} for file in release.files
    }
    assert {"gguf", "chat", "Q8_0"} <= set(data["tags"])


def test_metadata_of_a_distilled_model(tutored: Recipe) -> None:
    data = read(model_card(tutored, release_of(1), 1))
    assert data["base_model_relation"] == "finetune"
    assert data["datasets"] == ["local/tutored-prompts"]
    assert data["language"] == ["en", "fr"]


def test_metadata_of_a_dataset(tutored: Recipe) -> None:
    data = read(dataset_card(tutored), "dataset")
    assert data["size_categories"] == ["n<1K"]
    assert data["configs"][0]["data_files"][1] == {"split": "heldout", "path": "data/heldout.jsonl"}
    assert data["zoo"]["splits"]["train"] == {"records": 190, "sha256": "3" * 64, "path": "data/train.jsonl"}


def test_a_licence_that_the_hub_has_no_word_for(plain: Recipe) -> None:
    release = dataclasses.replace(release_of(0), licence="MIT OR Apache-2.0")
    data = read(model_card(plain, release, 0))
    assert (data["license"], data["license_name"]) == ("other", "MIT OR Apache-2.0")


@pytest.mark.parametrize("language", ["no", "yes", "nan"])
def test_languages_that_yaml_takes_for_something_else(language: str, plain: Recipe) -> None:
    recipe = dataclasses.replace(plain, languages=(language, "fr-CA"))
    text = model_card(recipe, release_of(0), 0)
    assert read(text)["language"] == sorted(["fr", language])
    # Also for those who read YAML 1.1, as the Hub may.
    assert yaml.safe_load(text.split("---\n")[1])["language"] == sorted(["fr", language])


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        (0, "n<1K"),
        (999, "n<1K"),
        (1000, "1K<n<10K"),
        (10_000, "10K<n<100K"),
        (100_000, "100K<n<1M"),
        (10**6, "1M<n<10M"),
        (10**12, "n>1T"),
    ],
)
def test_size_categories(rows: int, word: str) -> None:
    assert cards.size_category(rows) == word


def test_schemas_allow_every_word_of_the_code() -> None:
    properties = schema.load("model-card-v1")["properties"]
    assert set(cards.PIPELINE_TAGS.values()) <= set(properties["pipeline_tag"]["enum"])
    assert set(cards.PIPELINE_TAGS) == set(schema.load("recipe-v1")["properties"]["task"]["enum"])


# --- Numbers


def test_numbers_on_the_card(plain: Recipe, tutored: Recipe) -> None:
    release = release_of(0)
    text = model_card(plain, release, 0)
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| `")}
    assert set(rows) == {f"`{file.path}`" for file in release.files}
    for file in release.files:
        row = rows[f"`{file.path}`"]
        assert f"| {file.size_bytes / 1e6:.1f} MB | {file.bits_per_weight:.2f} |" in row
        if file.loss:
            assert f"{file.loss.kld_mean_nats:.4f} ± {file.loss.kld_mean_se_nats:.4f}" in row
        else:
            assert row.count("reference") == 2
        if not any(speed.valid for speed in file.speeds):
            assert "no valid measurement" in row
    # Fewest nats wins the command line.
    best = min(release.files[1:], key=lambda file: file.loss.kld_mean_nats if file.loss else 9)
    assert f"llama-cli -m {best.path} -cnv" in text
    assert commands.COMPLETES not in text and "the chat template renders" in text
    assert "## Training" not in text
    training = model_card(tutored, release_of(1), 1)
    assert (
        "## Training" in training and "| before training |" in training and "| after training |" in training
    )


def test_a_completion_model_is_called_one(plain: Recipe) -> None:
    release = release_of(0)
    bare = dataclasses.replace(release.architecture, template_sha256=None)
    text = model_card(plain, dataclasses.replace(release, architecture=bare), 0)
    assert f"\n{commands.COMPLETES}\n\n```sh\nllama-completion -m " in text
    assert "-no-cnv -p" in text and "llama-cli" not in text and "the chat template renders" not in text
    _, problems = cards.read_card(text, "README.md", "model")
    assert not problems


def test_the_card_runs_no_file_that_failed_its_smoke_test(plain: Recipe) -> None:
    release = release_of(0)
    named = re.compile(r"llama-cli -m (\S+)")

    def passing(*passed: str) -> str:
        files = tuple(dataclasses.replace(file, smoke_passed=file.path in passed) for file in release.files)
        text = model_card(plain, dataclasses.replace(release, files=files), 0)
        assert cards.read_card(text, "README.md", "model")[1] == []
        return text

    reference, *quants = release.files
    best, *others = sorted(quants, key=lambda file: file.loss.kld_mean_nats if file.loss else 0.0)
    assert named.findall(passing(*(file.path for file in release.files))) == [best.path]
    assert named.findall(passing(reference.path, *(file.path for file in others))) == [others[0].path]
    assert named.findall(passing(reference.path)) == [reference.path]
    none = passing()
    assert not named.findall(none) and "```sh" not in none
    assert "No file of this version passed the smoke test, so none is recommended.\n\n`sha256sum" in none


def test_the_card_says_why_the_loss_was_measured_on_so_few_tokens(plain: Recipe) -> None:
    release, words = release_of(0), "Measured on 1,016 of 15,240 tokens, because everything was settled."
    assert f"over windows of text. {words} Memory is predicted" in body(
        model_card(plain, dataclasses.replace(release, loss_stop=words), 0)
    ).replace("\n", " ")
    assert "Measured on" not in model_card(plain, release, 0)


def test_what_works_otherwise_in_llama_cpp_is_on_the_card(plain: Recipe) -> None:
    release = release_of(0)
    assert "## Known differences" not in model_card(plain, release, 0)
    sentence = "Write composed letters, <b>not</b> others."
    shown = body(model_card(plain, dataclasses.replace(release, differences=(sentence,)), 0))
    assert "## Known differences" in shown and "- Write composed letters, " in shown and "<b>" not in shown


def test_training_without_kld(tutored: Recipe) -> None:
    release = release_of(1)
    assert release.training
    held = dataclasses.replace(release.training.after, kld_mean_nats=None, kld_mean_se_nats=None)
    release = dataclasses.replace(
        release, training=dataclasses.replace(release.training, before=held, after=held)
    )
    assert model_card(tutored, release, 1).count("not measured |") == 2


# --- Hostile text


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a_b*c", r"a\_b\*c"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("{{ x }} {% y %}", r"\{\{ x \}\} \{% y %\}"),
        ("a|b", r"a\|b"),
        ("one\n\n# two\t three", r"one \# two three"),
        ("a\u202eb\x1b", r"a\\u202eb\\u001b".replace("\\\\", "\\\\")),
        ("[x](y) `z` ~$", r"\[x\](y) \`z\` \~\$"),
        ("back\\slash", r"back\\slash"),
    ],
)
def test_escapes(raw: str, shown: str) -> None:
    assert cards.escape_markdown(raw) == shown


def test_hostile_words_stay_words(tutored: Recipe) -> None:
    release = release_of(1)
    ancestor = dataclasses.replace(release.lineage[0], source=HOSTILE, upstream=HOSTILE, licence=HOSTILE)
    release = dataclasses.replace(release, lineage=(ancestor,), tools=(HOSTILE,))
    teacher = dataclasses.replace(tutored.teacher or tutored.student, note=HOSTILE, source=HOSTILE)
    recipe = dataclasses.replace(tutored, teacher=teacher)
    one = model_card(
        recipe, release, 1, summary=HOSTILE + "\n## Files\n---\n", good_at=(HOSTILE,), bad_at=(HOSTILE,)
    )
    files = [{**FILES[0], "source": HOSTILE, "licence": HOSTILE}]
    splits = [{**SPLITS[0], "tags": {HOSTILE[:60]: 1}}]
    other = dataset_card(recipe, splits, files)
    for text, kind in ((one, "model"), (other, "dataset")):
        read(text, kind)
        assert "46662" not in body(text)
        assert "<script" not in text and not re.search(r"(?<!\\)\{[{%]", text)
        assert not re.search(r"(?<!\\)\]\(javascript", text)
        assert not re.search(r"(?<!\\)\*\*bold", text)
        pipes = 0
        for line in body(text).splitlines():
            # Every row has as many cells as the head of its table.
            found = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
            assert found == pipes or not pipes or not found, line
            pipes = found
    assert one.count("\n## Files\n") == 1


def test_right_to_left_and_controls_are_shown_as_escapes(plain: Recipe) -> None:
    text = model_card(plain, release_of(0), 0, summary="abc \u202egnp.exe\x1b[31m \u2066x")
    assert all(char.isprintable() or char == "\n" for char in text)
    assert "u202egnp.exe" in text


# --- Reading


def test_a_missing_section_is_reported_with_a_line(plain: Recipe) -> None:
    text = model_card(plain, release_of(0), 0).replace("## How to run it", "### How to run it")
    _, (problem,) = cards.read_card(text, "README.md", "model")
    assert problem.what == 'section "How to run it" is missing'
    assert problem.line == text.count("\n") + 1 and problem.instead == "Add `## How to run it`"


def test_every_section_is_needed(plain: Recipe, tutored: Recipe) -> None:
    for text, kind, sections in (
        (model_card(plain, release_of(0), 0), "model", cards.MODEL_SECTIONS),
        (dataset_card(tutored), "dataset", cards.DATASET_SECTIONS),
    ):
        for section in sections:
            assert text.count(f"\n## {section}\n") == 1
            _, problems = cards.read_card(text.replace(f"\n## {section}\n", "\n"), "x", kind)
            assert [problem.what for problem in problems] == [f'section "{section}" is missing']


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("license: apache-2.0", "license: Apache 2", '"Apache 2" is not a licence identifier'),
        ("license: apache-2.0", "licence: apache-2.0", 'the Hub does not support the key "licence"'),
        (
            "pipeline_tag: text-generation",
            "pipeline_tag: text-generatoin",
            '"text-generatoin" is not a task of the Hub',
        ),
        ("library_name: gguf", "library_name: &a gguf", "anchor &a is not allowed"),
        ("library_name: gguf", "library_name: [", "not valid YAML"),
        ("library_name: gguf", "license: mit", 'key "license" is written twice (first on line 2)'),
    ],
)
def test_wrong_front_matter_is_reported_on_its_line(old: str, new: str, what: str, plain: Recipe) -> None:
    text = model_card(plain, release_of(0), 0)
    line = text[: text.index(old)].count("\n") + 1
    _, problems = cards.read_card(text.replace(old, new, 1), "README.md", "model")
    hits = [problem for problem in problems if what in problem.what]
    assert hits and line <= hits[0].line <= line + 2, problems


@pytest.mark.parametrize("text", ["", "# no front matter\n", "#\n---\nlicense: x\n", "--- \r\na: 1\r\n---\r\n"])
def test_no_front_matter(text: str) -> None:
    assert cards.read_card(text, "x", "model")[1][0].what.startswith(("the card has no front matter", "spaces follow"))


@pytest.mark.parametrize("front", ["", "null\n", "- a\n", "text\n", "# words\n"])
def test_front_matter_that_is_no_block(front: str) -> None:
    data, problems = cards.read_card(f"---\n{front}\n---\n# x\n", "x", "model")
    assert problems and (data == {} or not isinstance(data, dict))


def test_a_card_shows_what_the_recipe_accepts_and_why(tutored: Recipe) -> None:
    share = Share("language:fr", 0.45, None, "Few people helped | with the French.")
    corpus = dataclasses.replace(tutored.corpus, coverage=(share,), overlap_accepted="Everybody knows these sentences.")
    text = dataset_card(dataclasses.replace(tutored, corpus=corpus))
    read(text, "dataset")
    limits = body(text).partition("## Limits\n")[2]
    assert limits.endswith(
        "\n\n- The share language:fr is not asked for: Few people helped \\| with the French.\n"
        "- Training prompts may be nearly the same as what the model is measured on: Everybody knows these sentences.\n"
    )


def test_a_dataset_card_keeps_the_regions_of_its_languages(tutored: Recipe) -> None:
    data = read(dataset_card(tutored), "dataset")
    assert (data["language"], data["language_details"]) == (["en", "fr"], ["en", "fr-CA"])
