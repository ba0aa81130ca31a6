"""Metadata of cards: every rule reports its line, what the Hub accepts passes, and the client reads the same."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from catalog import cardrules, hublists, licences
from catalog.cardrules.shape import repo_id_fault
from catalog.problems import Problem
from zoo.__main__ import main

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "cards").glob("*.md"))
MODEL = """\
language: [en, fr, gsw]
license: apache-2.0
pipeline_tag: text-generation
library_name: gguf
tags: [gguf, chat]
base_model: HuggingFaceTB/SmolLM2-135M-Instruct
base_model_relation: quantized
datasets: [local/prompts, squad]
metrics: [accuracy]
model-index:
- name: tutor
  results:
  - task: {type: text-generation}
    dataset: {type: local/prompts, name: Prompts, revision: "5503434ddd753f426f4b38109466949a1217c2bb"}
    metrics:
    - {type: kld, value: 0.02, name: KLD}
    - {type: ppl, value: "20.0 ± 1.2"}
    source: {name: zoo, url: "https://example.org"}
"""
DATASET = """\
language: [en]
language_details: [en-CA, fr-CA]
license: cc0-1.0
pretty_name: Prompts
task_categories: [text-generation]
size_categories: [n<1K]
source_datasets: [original, squad]
configs:
- config_name: default
  data_files:
  - {split: train, path: data/train.jsonl}
  - {split: test, path: [a.jsonl, b.jsonl]}
"""
RESULTS = """\
- dataset: {id: cais/hle, task_id: default}
  value: 20.90
- dataset: {id: Idavidrein/gpqa, task_id: diamond, revision: "5503434ddd753f426f4b38109466949a1217c2bb"}
  value: 0.412
  date: "2026-01-15T10:30:00Z"
  source: {url: "https://example.org/x", name: Logs, org: cais}
  notes: no-tools
"""


def card(metadata: str) -> str:
    return f"---\n{metadata}---\n# Title\n\nwords\n"


def problems(metadata: str, kind: str | None = None) -> list[Problem]:
    return cardrules.check_card(card(metadata), "README.md", kind)


def test_what_the_hub_takes_passes() -> None:
    assert problems(MODEL) == problems(DATASET) == []
    assert cardrules.check_eval_results(RESULTS, "x.yaml") == []
    assert problems("license: [mit, apache-2.0]\nlanguage: multilingual\nmy_own_key: 3\n") == []
    assert cardrules.check_card(card(MODEL).replace("\n", "\r\n"), "x") == []
    assert cardrules.check_card("\n\n" + card(MODEL), "x") == []


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name)
def test_our_own_cards_pass(path: Path) -> None:
    assert cardrules.check_card(path.read_text(encoding="utf-8"), path.name) == []


MODEL_FAULTS = [
    ("license: apache-2.0", "license: Apache-2.0", "is not a licence identifier", "Write apache-2.0"),
    ("license: apache-2.0", "license: GPL-3.0-only", "is not a licence identifier", "Write gpl-3.0"),
    ("license: apache-2.0", "license: Apache 2.0", "is not a licence identifier", "Write apache-2.0"),
    ("license: apache-2.0", "license: my-own-terms", "is not a licence identifier", "with the licence's own name"),
    ("license: apache-2.0", "license: other", "its name is missing", "Add `license_name:`"),
    ("license: apache-2.0", "license: apache-2.0\nlicense_name: x", "needs no separate name", "Delete license_name"),
    ("license: apache-2.0", "license: 2.0", "text is required here", 'Put it in quotes: "2.0"'),
    ("license: apache-2.0", "license:", "nothing follows the colon", "Write a value"),
    ("license: apache-2.0", "licence: apache-2.0", 'the Hub does not support the key "licence"', "Write license"),
    ("license: apache-2.0", "license: mit\nlicense_link: terms.txt", "is not an address", "Write LICENSE, LICENSE.md"),
    ("library_name: gguf", "library-name: gguf", "the Hub does not support the key", "Write library_name"),
    ("library_name: gguf", "library_name: Transformers", "is not a library", "Write transformers"),
    ("library_name: gguf", "library_name: trasnformers", "is not a library", "Write transformers"),
    ("language: [en, fr, gsw]", "language: [en, xq]", "is not a language code", "two or three letters"),
    ("language: [en, fr, gsw]", "language: EN", "is not in lower case", "Write en"),
    ("language: [en, fr, gsw]", "language: [fr-CA]", "has a region", "Write fr here, and fr-CA under language_bcp47"),
    ("language: [en, fr, gsw]", "language: [english]", "is not a language code", "such as en"),
    ("language: [en, fr, gsw]", "language: [no]", "is read as false by YAML 1.1", 'Put it in quotes: "no"'),
    ("language: [en, fr, gsw]", "language: [en, en]", "is listed twice", "Delete one"),
    ("language: [en, fr, gsw]", "language: en\nlanguage_bcp47: [xq-CA]", "is not a language tag", "such as fr-CA"),
    ("pipeline_tag: text-generation", "pipeline_tag: text-gen", "is not a task of the Hub", "Write text-generation"),
    ("pipeline_tag: text-generation", "pipeline_tag: [a]", "text is required here, not a list", "Write one word"),
    ("tags: [gguf, chat]", "tags: chat", "a list is required here", "Write `- entry` lines"),
    ("tags: [gguf, chat]", "tags: [gguf, 4]", "text is required here", 'Put it in quotes: "4"'),
    ("tags: [gguf, chat]", f"tags: [{'x' * 101}]", "101 characters", "at most 100"),
    ("base_model: Hugg", "base_model: https://huggingface.co/Hugg", "it is an address", "Write HuggingFaceTB/Smol"),
    ("base_model: Hugg", "base_model: a/b/Hugg", "more than one /", "Write OWNER/NAME"),
    ("base_model: Hugg", "base_model: -Hugg", "is not a repository name", "Write OWNER/NAME"),
    ("relation: quantized", "relation: quantised", "is not a relation to a base model", "Write quantized"),
    ("base_model: HuggingFaceTB/SmolLM2-135M-Instruct\n", "", "without a base model", "Add `base_model: OWNER/NAME`"),
    ("datasets: [local/prompts, squad]", "datasets: []", "the list is empty", "delete the key"),
    ("datasets: [local/prompts, squad]", "datasets: [a..b]", "it has -- or .. in it", "OWNER/NAME"),
    ("- name: tutor", "- title: tutor", 'key "name" is missing', "Add `name:`"),
    ("task: {type: text-generation}", "task: {name: x}", 'key "type" is missing', "Add `type:`"),
    ("value: 0.02", "value: [1]", "is not a value of a metric", "Write a number"),
    ("value: 0.02", "value:", 'key "value" is missing', "Add `value:`"),
    ("name: Prompts, revision", "revision", 'key "name" is missing', "Add `name:`"),
    ('url: "https://example.org"', "link: x", 'key "url" is missing', "Add `url:`"),
    ("metrics: [accuracy]", "version: 1.10", "1.10 is read as a number", 'Put it in quotes: "1.10"'),
    ("metrics: [accuracy]", "date: 2026-11-24", "is read as a date", "in quotes"),
    ("metrics: [accuracy]", "count: 010", "is read as the number 8", "in quotes"),
    ("metrics: [accuracy]", "time: 1:30", "is read as the number 90", "in quotes"),
    ("metrics: [accuracy]", "mask: 0x1F", "is read as the number 31", "in quotes"),
    ("metrics: [accuracy]", "on: x", 'the key "on" is read as a boolean', "in quotes"),
    ("metrics: [accuracy]", "co2_eq_emissions: much", "is not a number of grams", "Write a number"),
    ("value: 0.02", "value: .nan", "is read as the number nan", "Write a number"),
    ("value: 0.02", "value: -.inf", "is read as the number -inf", "Write a number"),
    ("value: 0.02", "value: yes", "is read as true", "Write a number"),
    ("value: 0.02", "value: 1:30", "is read as the number 90", "Write a number"),
    ("value: 0.02", 'value: ".nan"', "is not a value of a metric", "Write a number"),
    ("value: 0.02", "value: nan", "is not a value of a metric", "Write a number"),
    ("metrics: [accuracy]", "co2_eq_emissions: .inf", "is read as the number inf", "Write a number"),
    ("metrics: [accuracy]", "co2_eq_emissions: {emissions: 1_000}", "is read as the number 1000", "Write a number"),
    ("metrics: [accuracy]", "inference: off", "is read as false", "Write true or false"),
    ("metrics: [accuracy]", "mark: .NaN", "is read as the number nan", "If it is a word, put it in quotes"),
    ("metrics: [accuracy]", "version: .inf", "is read as the number inf", 'Put it in quotes: ".inf"'),
    ("metrics: [accuracy]", "extra_gated_feilds: {A: text}", "does not support the key", "Write extra_gated_fields"),
    ("metrics: [accuracy]", "extra_gated_fields: {A: textbox}", "is not a type of question", "Write text"),
    ("metrics: [accuracy]", "extra_gated_fields: {A: select}", "a select needs its options", "options: [one, two]"),
    ("metrics: [accuracy]", "extra_gated_fields: {A: {kind: text}}", "null is not a type", "Write one of: text"),
    ("metrics: [accuracy]", "extra_gated_fields: yes", "is read as true", "in quotes"),
    ("metrics: [accuracy]", "extra_gated_eu_disallowed: no", "is read as false", "Write true or false"),
    ("metrics: [accuracy]", "license: mit", 'key "license" is written twice (first on line 3)', "Delete one"),
    ("metrics: [accuracy]", "x:\n\t- a", "begins with a tab", "Indent with spaces"),
    ("metrics: [accuracy]", "x: &a 1", "anchor &a is not allowed", "Write the value out"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "what", "instead"), MODEL_FAULTS)
def test_model_faults_are_reported_with_their_line_and_what_to_do(
    old: str, new: str, what: str, instead: str
) -> None:
    assert MODEL.count(old) == 1
    changed = MODEL.replace(old, new)
    found = problems(changed, "model")
    assert len(found) == 1, found
    assert what in found[0].what and instead in found[0].instead
    first = card(MODEL)[: card(MODEL).index(old)].count("\n") + 1
    assert first <= found[0].line <= first + 1 + new.count("\n")
    assert found[0].file == "README.md" and found[0].column >= 1


@pytest.mark.parametrize(
    ("old", "new", "what", "instead"),
    [
        ("n<1K", "small", "is not a size category", "Write one of: n<1K, 1K<n<10K"),
        ("n<1K", "n>1M", "is not a size category", "Write n>1T"),
        ("[text-generation]", "[text-generator]", "is not a task", "Write text-generation"),
        ("language: [en]", "language: [fr-CA]", "has a region", "under language_details"),
        ("pretty_name: Prompts", "pretty_name: 7", "text is required here", "in quotes"),
        ("config_name: default", "name: default", 'key "config_name" is missing', "Add `config_name:`"),
        ("split: train, ", "", 'key "split" is missing', "Add `split:`"),
        ("squad", "a/b/c", "more than one /", "OWNER/NAME"),
        ("license: cc0-1.0", "license: CC0", "is not a licence identifier", "Write cc0-1.0"),
    ],
)
def test_dataset_faults(old: str, new: str, what: str, instead: str) -> None:
    assert cardrules.kind_of({"pretty_name": ""}) == "dataset"
    (found,) = problems(DATASET.replace(old, new, 1))
    assert what in found.what and instead in found.instead


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("id: cais/hle", "name: cais/hle", 'key "id" is missing'),
        ("task_id: default", "config: default", "config was the name of this key"),
        ("value: 20.90", "score: 20.90", 'key "value" is missing'),
        ('date: "2026-01-15T10:30:00Z"', "date: 2026-01-15", "is read as a date"),
        ('date: "2026-01-15T10:30:00Z"', 'date: "15 January"', "is not a date"),
        ('url: "https://example.org/x", ', "", 'key "url" is missing'),
        ('revision: "5503434ddd753f426f4b38109466949a1217c2bb"', "revision: main", "is not a commit"),
        (
            "- dataset: {id: cais/hle, task_id: default}\n  value: 20.90\n",
            "- x\n",
            "a block is required here",
        ),
    ],
)
def test_faults_of_eval_results(old: str, new: str, what: str) -> None:
    found = cardrules.check_eval_results(RESULTS.replace(old, new, 1), "hle.yaml")
    assert any(what in one.what for one in found), found
    assert all(one.line >= 1 and one.instead for one in found)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "the card has no front matter"),
        ("# Title\n\n---\nlicense: mit\n---\n", "the --- on line 3 is not its beginning"),
        ("---\nlicense: mit\n", "the front matter does not end"),
        ("\ufeff---\nlicense: mit\n---\n", "begins with a byte order mark"),
        ("---\n- a\n---\n", "is not a block of `key: value` lines"),
        ("---\nlicense: [mit\n---\n", "not valid YAML"),
        ("---  \nlicense: mit\n---\n", "spaces follow the ---"),
        ("\n---\t\nlicense: mit\n---\n", "U+0009 (tab) follows the ---"),
        ("---\u00a0\nlicense: mit\n---\n", "U+00A0 (no-break space) follows the ---"),
        ("\u200b---\nlicense: mit\n---\n", "U+200B (zero width space) is next to the ---"),
        ("--- # metadata\nlicense: mit\n---\n", '"# metadata" follows the ---'),
        ("---yaml\nlicense: mit\n---\n", '"yaml" follows the ---'),
        ("\u2014-\nlicense: mit\n\u2014-\n", "begins with "),
        ("----\nlicense: mit\n----\n", 'begins with "----"'),
        ("+++\nlicense = 'mit'\n+++\n", "+++ (TOML)"),
        ("---\nlicense: mit\n----\n# X\n", 'its closing line is "----"'),
        ("---\nlicense: mit\n ---\n# X\n", "its closing line is indented"),
        ("---\nlicense: mit\n...\n# X\n", 'its closing line is "..."'),
    ],
)
def test_headers_that_are_invalid(text: str, what: str) -> None:
    (found,) = cardrules.check_card(text, "x")
    assert what in found.what and found.instead


GATED = """\
license: apache-2.0
extra_gated_heading: Read this first
extra_gated_description: Where your answers go.
extra_gated_prompt: You agree to be kind.
extra_gated_button_content: I agree
extra_gated_eu_disallowed: true
extra_gated_fields:
  Company: text
  Country: country
  Date of birth: date_picker
  geo: ip_location
  I want to use it for: {type: select, options: [Research, {label: Other, value: other}]}
  Name: {type: text}
  I agree: checkbox
"""


def test_keys_of_the_hub_and_of_tools_are_not_mistaken_for_slips() -> None:
    assert problems(GATED, "model") == problems(GATED, "dataset") == []
    assert problems("extra_gated_fields:\n- Name: text\n- I agree: checkbox\n") == []
    tools = "model_type: llama\nmodel_link: x\nquantized_by: me\narxiv: 1\nlm_studio: {param_count: 8b}\nthumbnail:\n"
    assert problems(tools + "inference: false\nwidget: [{text: Hi}]\ninstance_prompt:\n", "model") == []
    data = "multilinguality: [monolingual]\ndataset_info: {features: []}\nconfig_names: [a]\nviewer: false\n"
    assert (
        problems(
            data + "train-eval-index: [{config: a}]\npaperswithcode_id:\nlicense_details: x\n", "dataset"
        )
        == []
    )


def test_a_key_that_nobody_reads_is_a_hint_and_no_problem() -> None:
    header = cardrules.read_header(card("license: mit\nmy_own_key: 3\npretty_name: x\nlicence: mit\n"), "x")
    told = [(hint.line, hint.what) for hint in cardrules.hints(header.document, "model")]
    assert told == [
        (3, 'the Hub does not use the key "my_own_key"'),
        (4, '"pretty_name" is a key of dataset cards'),
        (5, 'the Hub does not use the key "licence"'),
    ]


def test_the_list_of_keys_has_a_rule_for_each_and_every_key_of_the_client() -> None:
    repocard_data = pytest.importorskip("huggingface_hub.repocard_data")
    ours = {"ignore_metadata_errors", "eval_results", "kwargs", "self"}
    for kind, cls in (("model", repocard_data.ModelCardData), ("dataset", repocard_data.DatasetCardData)):
        keys = set(inspect.signature(cls.__init__).parameters) - ours
        known = {key.replace("-", "_") for key in hublists.card_keys(kind)}
        assert keys <= known
        assert cardrules.check_card(card("license: mit\n"), "x", kind) == []  # every word has its rule


BLOCK = "---\nlicense: mit\n---\n"


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (
            BLOCK + "---\nlicense: apache-2.0\nlanguage: en\n---\n# X\n",
            4,
            "lines 4 to 7. The first one ends on line 3",
        ),
        (BLOCK + "\n\n---\nlicense: mit\n---\n", 6, "lines 6 to 8"),
        (BLOCK + "---  \nown: 1\n---\n", 4, "lines 4 to 6"),
        (BLOCK.replace("\n", "\r\n") * 2 + "# X\n", 4, "lines 4 to 6"),
        (BLOCK + "license: apache-2.0\n---\n# X\n", 4, '(license is "mit" and "apache-2.0")'),
        (BLOCK + "---\nlicense: [mit\n---\n", 4, "lines 4 to 6"),
    ],
)
def test_a_second_block_of_metadata_is_named_with_the_first(text: str, line: int, what: str) -> None:
    (found,) = cardrules.check_card(text, "x")
    assert found.line == line and what in found.what and "delete the second" in found.instead


@pytest.mark.parametrize(
    "body",
    [
        "\n---\nJust text.\n---\n",
        "\n---\nNote: be kind\n---\n",
        "# X\n---\nlicense: mit\n---\n",
        "---\n",
        "\nKey: a\n\nText\n",
    ],
)
def test_rules_across_the_page_are_no_second_block(body: str) -> None:
    assert cardrules.check_card(BLOCK + body, "x") == []


def test_lists_hold_what_they_should() -> None:
    assert {"apache-2.0", "llama3.2", "gemma", "other", "cc-by-nc-sa-4.0"} <= set(hublists.licences())
    assert {"en", "no", "fre", "fra", "yue", "code", "multilingual"} <= hublists.languages()
    assert not {"xx", "english", "fr-CA", ""} & hublists.languages()
    for name in (hublists.licences, hublists.tasks, hublists.libraries, hublists.size_categories):
        assert len(set(name())) == len(name()) > 10
    assert licences.hub_identifier("ODC-By-1.0") == "odc-by"
    assert licences.hub_identifier("LicenseRef-unknown") == "other"


# --- Against the official client


def test_the_client_reads_our_cards_as_we_do() -> None:
    repocard = pytest.importorskip("huggingface_hub.repocard")
    for path in GOLDEN:
        text = path.read_text(encoding="utf-8")
        kind = repocard.DatasetCard if "dataset" in path.name else repocard.ModelCard
        assert kind(text).data.to_dict() == cardrules.read_header(text, "x").document.data
    read = repocard.ModelCard(card(MODEL)).data
    assert read.eval_results[0].metric_value == 0.02 and read.model_name == "tutor"


def test_what_the_client_cannot_parse_we_refuse() -> None:
    repocard = pytest.importorskip("huggingface_hub.repocard")
    for old, new, _, _ in MODEL_FAULTS:
        text = card(MODEL.replace(old, new))
        try:
            repocard.ModelCard(text)
        except (ValueError, KeyError, TypeError, yaml.YAMLError):
            assert cardrules.check_card(text, "x", "model")
    entries = pytest.importorskip("huggingface_hub._eval_results").parse_eval_result_entries
    assert len(entries(yaml.safe_load(RESULTS))) == 2


names = st.text(st.sampled_from("ab0-_./é "), max_size=12) | st.just("a" * 97) | st.just("org/" + "b" * 96)


@given(names)
@hypothesis_settings(max_examples=400, deadline=None)
def test_repository_names_are_judged_as_the_client_does(name: str) -> None:
    validators = pytest.importorskip("huggingface_hub.utils._validators")
    errors = pytest.importorskip("huggingface_hub.errors")
    try:
        validators.validate_repo_id(name)
        allowed = True
    except errors.HFValidationError:
        allowed = False
    assert (repo_id_fault(name) is None) == allowed


@given(st.text(max_size=120))
@hypothesis_settings(max_examples=150, deadline=None)
def test_any_text_gives_problems_and_no_exception(text: str) -> None:
    for found in (cardrules.check_card(f"---\n{text}\n---\n", "x"), cardrules.check_eval_results(text, "x")):
        assert all(problem.line >= 1 for problem in found)


anything: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
known = st.sampled_from(
    ["license", "language", "tags", "model-index", "configs", "datasets", "base_model", "x"]
)


@given(st.dictionaries(known, anything, max_size=4))
@hypothesis_settings(max_examples=150, deadline=None)
def test_any_shape_is_judged_without_an_exception(data: Any) -> None:
    text = yaml.safe_dump(data, allow_unicode=True)
    for kind in ("model", "dataset"):
        cardrules.check_card(f"---\n{text}---\n", "x", kind)
    cardrules.check_eval_results(text, "x")


# --- zoo check


def test_the_command_judges_cards_of_others_by_the_hubs_rules_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "zoo.toml").touch()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text(card(MODEL), encoding="utf-8")
    (tmp_path / ".eval_results").mkdir()
    (tmp_path / ".eval_results" / "hle.yaml").write_text(RESULTS, encoding="utf-8")
    assert main(["check", "README.md", ".eval_results/hle.yaml"]) == 0
    (tmp_path / "README.md").write_text(card(MODEL.replace("apache-2.0", "Apache-2.0")), encoding="utf-8")
    (tmp_path / ".eval_results" / "hle.yaml").write_text(RESULTS.replace("value", "score"), encoding="utf-8")
    assert main(["check", "README.md", ".eval_results/hle.yaml", "--format", "github"]) == 2
    said = capsys.readouterr().out
    assert "::error file=README.md,line=3,col=10::" in said and "Write apache-2.0" in said
    assert "file=.eval_results/hle.yaml,line=1" in said
    (tmp_path / "MANIFEST.json").touch()
    (tmp_path / "README.md").write_text(card(MODEL), encoding="utf-8")
    assert main(["check", "README.md"]) == 2
    assert "is missing" in capsys.readouterr().out
