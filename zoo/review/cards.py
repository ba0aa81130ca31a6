"""The dataset card of each corpus of a zoo, made and judged: card, counts, Croissant and picture.

A folder below ``recipes/corpora`` with files of records is a corpus. Its own card is taken if it has one; else one is
made from the files, and from what recipes say of them. Pure but for reading the folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from catalog import cardrules, licences, plainfiles
from catalog.checks import check_recipe
from catalog.problems import Problem
from catalog.recipe import CorpusFile, Recipe
from catalog.words import counted
from zoo.corpora import croissant, describe
from zoo.corpora.check import File
from zoo.corpora.croissant import Made
from zoo.errors import InputError
from zoo.files.digests import pretty_json
from zoo.files.whole import write_atomic
from zoo.review.check import CARD
from zoo.review.corpora import FOLDER
from zoo.review.lines import fenced
from zoo.site.pages.charts.coverage import coverage
from zoo.site.pages.charts.trend import alone

REDACTION = "redaction-report.json"


@dataclass(frozen=True)
class Card:
    """folder: of the corpus, in the zoo. fact: what it is, in a sentence. files: text by name; what could not be made
    is missing. problems: what is wrong with the card, or why it could not be made."""

    folder: str
    fact: str
    files: Mapping[str, str]
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class _Listed:
    """A file of a recipe's corpus: its part, and the recipe."""

    part: str
    file: CorpusFile
    recipe: Recipe


def cards(root: Path) -> list[Card]:
    """The card of every corpus of a zoo, by folder."""
    there = root / FOLDER
    folders = sorted(path for path in there.glob("*/") if path.is_dir() and any(path.rglob("*.jsonl")))
    listed = _listed(root)
    alone = [_homeless(path.relative_to(root).as_posix()) for path in sorted(there.glob("*.jsonl"))]
    return [*alone, *(_card(root, folder.relative_to(root).as_posix(), listed) for folder in folders)]


def _homeless(path: str) -> Card:
    """A file that is in no folder of its own, which a card would describe."""
    what = "the file is in no folder of its own, so it has no dataset card"
    instead = f"Put it into a folder, such as {FOLDER}{Path(path).stem}/"
    return Card(path, f"{path}: no card", {}, (Problem(path, 1, 1, "", what, instead),))


def _listed(root: Path) -> dict[str, _Listed]:
    """Every file of records that a recipe names, as the newest such recipe has it."""
    found: dict[str, _Listed] = {}
    recipes = [check_recipe(path, root).recipe for path in sorted((root / "recipes").glob("*.y*ml"))
               if not path.name.endswith(".lock.yaml")]  # fmt: skip
    for recipe in sorted((one for one in recipes if one), key=lambda one: one.date):
        for part, files in recipe.data.items():
            found |= {file.path: _Listed(part, file, recipe) for file in files}
    return found


def _card(root: Path, folder: str, listed: Mapping[str, _Listed]) -> Card:
    place = root / folder
    names = sorted(path.relative_to(place).as_posix() for path in place.rglob("*.jsonl"))
    mine = {name: listed[f"{folder}/{name}"] for name in names if f"{folder}/{name}" in listed}
    files: dict[str, str] = {}
    try:
        found = describe.describe([File(place / name, f"{folder}/{name}") for name in names])
        files["description.json"] = pretty_json(describe.report(found))
        files["shares.svg"] = alone(coverage(found, folder))
        text, shown = _own(place / CARD), f"{folder}/{CARD}"
        if text is None:
            text = _made(folder, names, mine, found)
            shown = f"the card made for {folder}"
        files[CARD] = text
        problems = tuple(cardrules.check_header(cardrules.read_header(text, shown), "dataset"))
        if not problems:
            files[croissant.FILE] = croissant.as_text(place, _version(place, folder, mine), text)
        if (place / REDACTION).is_file():
            files[REDACTION] = plainfiles.read_text(place / REDACTION)
    except InputError as error:
        problems = (_problem(folder, error, root),)
    except (OSError, UnicodeDecodeError) as error:
        problems = (Problem(folder, 1, 1, "", f"the card cannot be made: {error}", "Look at the folder's files"),)
    return Card(folder, _fact(folder, names, files), files, problems)


def _fact(folder: str, names: Sequence[str], files: Mapping[str, str]) -> str:
    made = ", ".join(sorted(files)) or "nothing"
    return f"{folder}: {counted(len(names), 'file')} of records. Made: {made}"


def _problem(folder: str, error: InputError, root: Path) -> Problem:
    place, _, line = error.where.replace(f"{root}/", "").rpartition(":")
    shown = place if line.isdigit() else folder
    what = f"no card can be made: {error.what}"
    return Problem(shown, int(line) if line.isdigit() else 1, 1, "", what, error.remedy or "Fix the file")


def _own(path: Path) -> str | None:
    """The text of a card; None if it is not there, or has no metadata and only describes the folder to people.
    Raises OSError, UnicodeDecodeError."""
    if not path.is_file():
        return None
    text = plainfiles.read_text(path, plainfiles.MOST_CARD_BYTES)
    return text if text.startswith("---") else None


def _version(place: Path, folder: str, mine: Mapping[str, _Listed]) -> Made:
    """As the folder's metadata have it; else as the newest recipe that names one of its files."""
    if made := croissant.made_before(place):
        return made
    name = folder.removeprefix(FOLDER)
    newest = max((one.recipe for one in mine.values()), key=lambda one: one.date, default=None)
    version, date = (newest.version, newest.date) if newest else ("0.0.0", "1970-01-01")
    return Made(version, date, f"urn:zoo:corpus:{name}")


def _made(folder: str, names: Sequence[str], mine: Mapping[str, _Listed], found: describe.Described) -> str:
    """A card from the files and from what recipes say of them. Texts are JSON, which is YAML, so that a hostile name
    stays a text."""
    words = sorted({one.file.licence for one in mine.values()})
    licence = licences.hub_identifier(words[0]) if len(words) == 1 else "other" if words else "unknown"
    configs = [
        {"config_name": name.removesuffix(".jsonl").replace("/", "-").replace(".", "-"),
         "data_files": [{"split": mine[name].part.rpartition(".")[2] if name in mine else "train", "path": name}]}
        for name in names
    ]  # fmt: skip
    header: dict[str, object] = {"license": licence}
    if licence == "other":
        header |= {"license_name": "several" if len(words) > 1 else words[0]}
    header |= {"language": _languages(found), "pretty_name": folder.removeprefix(FOLDER), "configs": configs}
    lines = ["---", *(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in header.items()), "---"]
    rows = [f"| {_cell(name)} | {_cell(_of(name, mine))} |" for name in names]
    return "\n".join([
        *lines, f"# {_cell(folder.removeprefix(FOLDER))}", "",
        "Made from the files of this corpus and from the recipes that use it.", "",
        "## Sources and licences", "", "| File | Use, licence, source |", "|---|---|", *rows, "",
        "## Distributions", "", fenced(describe.as_text(found).splitlines()),
        "## Redaction", "", "What programs find of personal data is in `croissant.json`.", "",
    ])  # fmt: skip


def _of(name: str, mine: Mapping[str, _Listed]) -> str:
    if name not in mine:
        return "no recipe names it"
    one = mine[name]
    return f"{one.part}, {one.file.licence}, {one.file.source}"


def _cell(text: str) -> str:
    """A text in a table: nothing in it is markup."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>()#|!@&" else letter for letter in " ".join(text.split()))


def _languages(found: describe.Described) -> list[str]:
    """Codes of the tags ``lang:``; without them, the languages that a program finds."""
    tagged = {tag.removeprefix("lang:").partition("-")[0] for tag in found.groups["tag"] if tag.startswith("lang:")}
    return sorted(tagged) or sorted({"en", "fr"} & found.groups["language"].keys()) or ["en"]


def write(found: Sequence[Card], out: Path) -> None:
    """Put the files of each card into a folder of its own in ``out``."""
    for card in found:
        for name, text in card.files.items():
            path = out / card.folder.removeprefix(FOLDER) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, text)
