"""The metadata of a folder of records: computed from its files, valid for the tools that read it, and up to date."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from corpussamples import write

from zoo.corpora import croissant
from zoo.corpora.croissant import FILE, Made, as_text, made_before
from zoo.errors import InputError
from zoo.files.digests import sha256_file

STARTER = Path(__file__).parents[2] / "recipes/corpora/starter"
MADE = Made("1.0.0", "2026-11-29", "https://example.org/corpus")
CARD = """---
license: cc0-1.0
language: [en]
pretty_name: Some prompts
configs:
- config_name: default
  data_files:
  - {split: train, path: some.jsonl}
---
# Some prompts
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "some.jsonl", {"user": "Where is it?"}, {"user": "Write to ana.roy@gmail.com!", "tags": ["a"]})
    (tmp_path / "README.md").write_text(CARD, encoding="utf-8")
    return tmp_path


def test_the_file_of_the_starter_corpus_is_up_to_date() -> None:
    made = made_before(STARTER)
    assert made is not None
    assert (STARTER / FILE).read_text(encoding="utf-8") == as_text(STARTER, made), (
        "Write it again: zoo corpus croissant recipes/corpora/starter"
    )


def test_everything_is_computed(folder: Path) -> None:
    data: Any = json.loads(as_text(folder, MADE))
    assert (data["license"], data["inLanguage"]) == ("https://spdx.org/licenses/CC0-1.0", ["en"])
    (file,) = data["distribution"]
    assert file["sha256"] == sha256_file(folder / "some.jsonl")
    assert file["contentSize"] == f"{(folder / 'some.jsonl').stat().st_size} B"
    (records,) = data["recordSet"]
    assert records["description"] == "2 records of the kind prompt, split train."
    assert {field["name"]: field["dataType"] for field in records["field"]} == {"user": "sc:Text", "tags": "sc:Text"}
    assert "It found: EMAIL 1. Names of people were not looked for." in data["rai:personalSensitiveInformation"][0]
    assert "language: en 100 %" in data["rai:dataBiases"][0]
    assert "rai:dataCollection" not in data
    assert as_text(folder, MADE) == as_text(folder, MADE)
    card = CARD.replace("language:", "language_creators: [crowdsourced]\nsource_datasets: [original]\nlanguage:")
    told: Any = json.loads(as_text(folder, MADE, card))
    assert told["rai:dataCollection"] == ["By its card: text: crowdsourced; source: original."]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("license: cc0-1.0\n", "", "the card has no license"),
        ("pretty_name: Some prompts\n", "", "the card has no pretty_name"),
        ("path: some.jsonl", "path: other.jsonl", "files and configs differ: other.jsonl, some.jsonl"),
        ("---\nlicense", "license", "the card has no license"),
    ],
)
def test_a_card_that_does_not_fit_the_files_is_refused(folder: Path, old: str, new: str, what: str) -> None:
    (folder / "README.md").write_text(CARD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        as_text(folder, MADE)
    assert what in caught.value.what
    (folder / "README.md").unlink()
    with pytest.raises(InputError, match=r"README\.md"):
        as_text(folder, MADE)


@pytest.mark.parametrize("text", ["", "[]", '{"version": 1}', "{"])
def test_version_and_date_of_a_damaged_file_are_not_used(folder: Path, text: str) -> None:
    (folder / FILE).write_text(text, encoding="utf-8")
    assert made_before(folder) is None


def test_nested_data_has_no_column() -> None:
    assert croissant._type({"type": "object"}) is None
    assert croissant._type({"type": "array", "items": {"type": "object"}}) is None
    assert croissant._type({"enum": ["a"]}) == "sc:Text"
