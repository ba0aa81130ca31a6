"""zoo review --cards: the dataset card of every corpus, made, judged and kept."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import yaml
from offers import Captured, git, zoo

from zoo.__main__ import main

__all__ = ["zoo"]

FILES = {"README.md", "croissant.json", "description.json", "shares.svg"}
STARTER, TUTOR = "recipes/corpora/starter", "recipes/corpora/tutor"


def reviewed(zoo: Path, capsys: Captured) -> tuple[int, str, Path]:
    git(zoo, "add", "-A")
    git(zoo, "commit", "-q", "--allow-empty", "-m", "An offer")
    capsys.readouterr()
    cards = zoo.parent / "cards"
    code = main(["review", "main..offer", "--cards", str(cards)])
    said = capsys.readouterr()
    assert "bug in zoo" not in said.err, said.err
    return code, said.out, cards


def test_every_corpus_has_a_card_and_what_belongs_to_it(zoo: Path, capsys: Captured) -> None:
    code, text, cards = reviewed(zoo, capsys)
    assert code == 0, text
    assert {path.name for path in cards.iterdir()} == {"starter", "tutor"}
    for folder in (cards / "starter", cards / "tutor"):
        assert {path.name for path in folder.iterdir()} == FILES
        assert ElementTree.parse(folder / "shares.svg").getroot().tag.endswith("svg")
    assert "- [x] every corpus has a valid dataset card" in text and "### Dataset cards" in text
    # The corpus has a card and metadata of its own: these are kept as they are.
    for name in ("README.md", "croissant.json"):
        assert (cards / "starter" / name).read_bytes() == (zoo / STARTER / name).read_bytes()
    _, header, body = (cards / "tutor/README.md").read_text(encoding="utf-8").split("---\n", 2)
    found = yaml.safe_load(header)
    assert found["license"] == "cc0-1.0" and found["language"] == ["en", "fr"]
    files = {one["data_files"][0]["path"]: one["data_files"][0]["split"] for one in found["configs"]}
    assert files == {"prompts.heldout.jsonl": "heldout", "prompts.train.jsonl": "train"}
    assert "| train, CC0-1.0, written by the project |" in body and "240 records" in body
    croissant = json.loads((cards / "tutor/croissant.json").read_text(encoding="utf-8"))
    assert (croissant["version"], croissant["datePublished"]) == ("1.0.0", "2026-11-22")
    before = {path: path.read_bytes() for path in sorted(cards.rglob("*")) if path.is_file()}
    assert reviewed(zoo, capsys)[1] == text
    assert {path: path.read_bytes() for path in sorted(cards.rglob("*")) if path.is_file()} == before


def test_what_is_wrong_with_a_card_is_a_problem(zoo: Path, capsys: Captured) -> None:
    card = zoo / STARTER / "README.md"
    card.write_text(card.read_text(encoding="utf-8").replace("prompts.heldout.jsonl", "other.jsonl"), encoding="utf-8")
    with (zoo / TUTOR / "prompts.train.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"usr": 1}\n')
    code, text, _ = reviewed(zoo, capsys)
    assert code == 3 and "- [ ] every corpus has a valid dataset card (2 without)" in text
    assert f"{STARTER}/README.md:1:" in text and "files and configs differ: other.jsonl" in text
    assert f"{TUTOR}/prompts.train.jsonl:201:" in text and "zoo.review-" not in text


HOSTILE = ']\n---\n<img src=x> @someone "a": b | c `x` \u202e'


def test_a_file_in_no_folder_of_its_own_is_named(zoo: Path, capsys: Captured) -> None:
    (zoo / "recipes/corpora/mine.jsonl").write_text('{"user": "What is moss?"}\n', encoding="utf-8")
    code, text, _ = reviewed(zoo, capsys)
    assert code == 3 and "Put it into a folder, such as recipes/corpora/mine/" in text
    assert "- [ ] every corpus has a valid dataset card (1 without)" in text


def test_hostile_words_stay_words(zoo: Path, capsys: Captured) -> None:
    (zoo / "recipes/corpora/<b>@x").mkdir()
    line = {"user": HOSTILE, "tags": ["lang:en", "topic:moss"]}
    (zoo / "recipes/corpora/<b>@x/a.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    recipe = zoo / "recipes/smollm2-tutor-57m.yaml"
    words = json.dumps(HOSTILE.replace("\u202e", ""))
    recipe.write_text(
        recipe.read_text(encoding="utf-8").replace("source: written by the project}", f"source: {words}}}", 1),
        encoding="utf-8",
    )
    _, _, cards = reviewed(zoo, capsys)
    text = (cards / "<b>@x/README.md").read_text(encoding="utf-8")
    assert yaml.safe_load(text.split("---\n", 2)[1])["pretty_name"] == "<b>@x"
    assert "# \\<b\\>\\@x" in text and "| no recipe names it |" in text
    text = (cards / "tutor/README.md").read_text(encoding="utf-8")
    assert text.count("---\n") == 2 and "<img" not in text.replace("\\<img", "")


def test_without_corpora_there_are_no_cards(zoo: Path, capsys: Captured) -> None:
    git(zoo, "rm", "-rq", "recipes/corpora/starter", "recipes/corpora/tutor")
    code, text, cards = reviewed(zoo, capsys)
    assert code == 3 and not cards.exists() and "### Dataset cards" not in text
