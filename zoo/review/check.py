"""What ``zoo check`` finds in the files of a zoo: recipes, files of records, cards, shared measurements, catalogs.

The command prints it, and a review asks which of it a contribution brought.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from catalog import cardrules, index, jsonplaces, jsontext, packed, plainfiles, reports, schema, targets
from catalog.checks import check_recipe
from catalog.filenames import absence
from catalog.lock import Lock
from catalog.problems import Problem
from catalog.recipe import Recipe
from catalog.release import Release
from catalog.targets import Target, target_of
from zoo import catalogfile
from zoo.choose import reported
from zoo.corpora import check as corpus_check
from zoo.corpora.privacy import audit
from zoo.errors import InputError
from zoo.files import journal
from zoo.progress import Advance, unheard
from zoo.settings import Settings

if TYPE_CHECKING:
    from zoo.plan.known import Known

EVAL_RESULTS = ".eval_results"
"""Folder of a model repository with results that the Hub shows."""

CORPORA, CARD = "recipes/corpora", "README.md"
DEVICES = ("catalog", "devices")

_MOST_BYTES = {
    ".json": catalogfile.WHOLE_BYTES,
}
"""Of a file that is checked as one text, by its ending; of others, what a card may have."""


@dataclass
class Found:
    """hints: allowed, but worth a look."""

    problems: list[Problem] = field(default_factory=list)
    hints: list[Problem] = field(default_factory=list)


def check(files: Sequence[Path], settings: Settings, advance: Advance = unheard) -> Found:
    """Every problem of the files, and of recipes of the zoo that publish where one of them does. advance: gets 1 for
    each file."""
    found, recipes = Found(), list[Target]()
    with _known(files, settings) as known:
        for path in files:
            found.problems += _check(path, settings, found.hints, recipes, known)
            advance(1)
    # A file may be checked by itself, and for every recipe that names it.
    found.problems = list(dict.fromkeys([*found.problems, *_shared(recipes, settings)]))
    return found


def own(settings: Settings) -> list[Path]:
    """Every file of the zoo that is checked. Raises PermissionError for a folder that cannot be listed."""
    recipes = settings.root / "recipes"
    refuse_unreadable(recipes)
    records = sorted(recipes.rglob("*.jsonl"))
    found = [*_recipes(settings), *records, *_cards(settings), *reports.paths(settings.evidence)]
    return [*found, settings.catalog] if os.path.lexists(settings.catalog) else found


def _recipes(settings: Settings) -> list[Path]:
    found = sorted((settings.root / "recipes").glob("*.y*ml"))
    return [path for path in found if not path.name.endswith(".lock.yaml")]


def _cards(settings: Settings) -> list[Path]:
    """Cards of corpora. A text without metadata only describes the folder to people."""
    found = sorted((settings.root / CORPORA).rglob(CARD))
    return [path for path in found if path.is_file() and has_header(path)]


def has_header(path: Path) -> bool:
    """Whether a text begins as a card does."""
    with path.open("rb") as stream:
        return stream.read(3) == b"---"


def refuse_unreadable(folder: Path) -> None:
    """Raises PermissionError for a folder that cannot be listed: glob would silently find nothing in it."""
    if folder.is_dir():
        os.listdir(folder)  # noqa: PTH208 - it is the listing itself that is tried


def _shared(checked: list[Target], settings: Settings) -> list[Problem]:
    """Repositories of checked recipes that other recipes of the zoo name, too."""
    files = {target.file.resolve() for target in checked}
    unread = [path for path in _recipes(settings) if path.resolve() not in files] if checked else []
    others = [target for path in unread if (target := target_of(path, settings.shown(path)))]
    return targets.problems(checked, [*checked, *others])


def _known(files: Sequence[Path], settings: Settings) -> contextlib.AbstractContextManager[Known | None]:
    if not any(path.suffix in (".yaml", ".yml") for path in files):
        return contextlib.nullcontext()
    # It imports what reads models, which the other checks do not need.
    from zoo.plan.known import Known

    return Known(settings.work)


def _check(
    path: Path, settings: Settings, hints: list[Problem], recipes: list[Target], known: Known | None
) -> list[Problem]:
    """Every problem of a file; things that are allowed but worth a look go into ``hints``, valid recipes' repositories
    into ``recipes``."""
    shown = settings.shown(path)
    if path.name.endswith(".lock.yaml"):
        return Lock.read(path, shown)[1]
    if path.parent.name == reports.FOLDER and os.path.lexists(path):
        return _report(path, shown, settings)
    if path.suffix in (".yaml", ".yml") and path.parent.name == EVAL_RESULTS:
        text = _text(path, shown)
        return [text] if isinstance(text, Problem) else cardrules.check_eval_results(text, shown)
    if path.suffix in (".yaml", ".yml"):
        # It reads models, which the other checks do not need.
        from zoo.plan import foresight, problems, sincerelease

        checked = check_recipe(path, settings.root)
        hints += checked.hints
        hints += foresight.remarks(checked, settings.root, known)
        if checked.recipe:
            publish = checked.recipe.publish
            names = {"model": publish.model, **({"dataset": publish.dataset} if publish.dataset else {})}
            recipes.append(Target(path, shown, checked.recipe.name, names))
            if release := _published(checked.recipe, settings):
                hints += sincerelease.changed_since_release(checked, release)
        return [*_other_ending(path, shown, settings), *problems.every(checked, settings, known)]
    # What was checked and not touched since is not read again.
    if path.suffix == ".json" and _is_own_catalog(path, settings) and catalogfile.is_sound(settings):
        return []
    if path.suffix == ".json" and path.is_file() and path.stat().st_size > catalogfile.WHOLE_BYTES:
        return _large_catalog(path, shown)
    if path.name.endswith(audit.SUFFIX) and path.is_file():
        return _reviews(path, shown)
    if path.suffix == ".jsonl":
        return _records(path, shown)
    text = _text(path, shown)
    if isinstance(text, Problem):
        return [text]
    if path.suffix == ".json" and path.absolute().parts[-3:-1] == DEVICES:
        return _device(text, shown, path.stem)
    if path.suffix == ".json":
        return index.parse(text, shown)[1]
    if path.suffix == ".md":
        return _card(text, shown, path, hints)
    instead = "Check .yaml, .jsonl, .md or .json files"
    return [Problem(shown, 1, 1, "", "this is not a recipe, prompt file, card or catalog", instead)]


def _reviews(path: Path, shown: str) -> list[Problem]:
    """A log of reviews whose lines do not follow from each other."""
    try:
        audit.entries(journal.lines(path))
    except audit.Broken as error:
        return [Problem(shown, error.line, 1, "", str(error), "Restore the file from version control")]
    return []


def _published(recipe: Recipe, settings: Settings) -> Release | None:
    """The published version of a recipe; None also for a catalog with problems, which are reported elsewhere."""
    with contextlib.suppress(InputError, OSError):
        model = catalogfile.read_model(settings, recipe.name)
        return model.release(recipe.version) if model else None
    return None


def _other_ending(path: Path, shown: str, settings: Settings) -> list[Problem]:
    """That the other commands do not find a recipe of the zoo, because its file ends in .yml."""
    if path.suffix != ".yml" or path.parent.resolve() != (settings.root / "recipes").resolve():
        return []
    what = "the other commands find only recipes whose file names end in .yaml"
    return [Problem(shown, 1, 1, "", what, f"Rename it to {path.stem}.yaml")]


def _report(path: Path, shown: str, settings: Settings) -> list[Problem]:
    """Problems of a measurement that somebody shared."""
    report = reports.read(path, shown)
    if isinstance(report, list):
        return report
    name, version = reports.name_of(path), reports.version_of(path)
    model = catalogfile.read_model(settings, name)
    release = model.release(version) if model else None
    if release is None:
        instead = f"Put it into {settings.shown(settings.evidence)}/NAME/VERSION/{reports.FOLDER}/"
        return [Problem(shown, 1, 1, "", f"the catalog has no {name} {version}", instead)]
    return reported.problems(report, release)


def _device(text: str, shown: str, name: str) -> list[Problem]:
    """Problems of a device profile, which is a file of its id."""
    try:
        data = jsontext.parse(text, unique=True)
    except jsontext.NotJson as error:
        instead = "Write it like catalog/devices/pi-400.json"
        return [Problem(shown, error.line, error.column, "", f"not valid JSON: {error.what}", instead)]
    document = jsonplaces.document(text, shown, data)
    found = schema.problems(document, "device-v1")
    if not found and isinstance(data, dict) and data["id"] != name:
        found.append(document.problem(("id",), "the file has another name", f"Name the file {data['id']}.json"))
    return found


def _records(path: Path, shown: str) -> list[Problem]:
    """Problems of a file of records of any kind."""
    try:
        if absent := _not_plain(path, shown):
            return [absent]
        if path.stat().st_size > plainfiles.MOST_CORPUS_BYTES:
            return [_too_large(plainfiles.TooLarge(path, plainfiles.MOST_CORPUS_BYTES), shown)]
        return corpus_check.problems(path, shown)
    except OSError as error:
        return [_unreadable(error, shown)]


def _large_catalog(path: Path, shown: str) -> list[Problem]:
    try:
        catalogfile.read_catalog(path, shown)
    except InputError as error:
        return [Problem(shown, 1, 1, "", error.what, error.remedy)]
    return []


def _is_own_catalog(path: Path, settings: Settings) -> bool:
    return path.is_file() and settings.catalog.is_file() and path.samefile(settings.catalog)


def _card(text: str, shown: str, path: Path, hints: list[Problem]) -> list[Problem]:
    """Check by the Hub's rules; also by the zoo's own rules if it is a zoo's card."""
    header = cardrules.read_header(text, shown)
    data = header.data
    kind = cardrules.kind_of(data)
    if data is not None:
        hints += cardrules.hints(header.document, kind)
    if data is None or ("zoo" not in data and not (path.parent / "MANIFEST.json").is_file()):
        return cardrules.check_header(header, kind)
    # cards imports jinja2, which the other checks do not need.
    from zoo.release.cards import read_card

    return read_card(text, shown, kind)[1]


def _text(path: Path, shown: str) -> str | Problem:
    try:
        if absent := _not_plain(path, shown):
            return absent
        most = _MOST_BYTES.get(path.suffix, plainfiles.MOST_CARD_BYTES)
        return plainfiles.read_bounded(path, most).decode("utf-8")
    except plainfiles.TooLarge as error:
        return _too_large(error, shown)
    except UnicodeDecodeError as error:
        return Problem(
            shown, error.object.count(b"\n", 0, error.start) + 1, 1, "", *packed.undecoded(error.object, shown)
        )
    except OSError as error:
        return _unreadable(error, shown)


def _not_plain(path: Path, shown: str) -> Problem | None:
    """The problem of a path that is not a regular file. Raises OSError.

    It is looked at before it is opened: reading a pipe would wait for ever.
    """
    if path.is_file():
        return None
    found = "is a folder" if path.is_dir() else "is not a regular file" if path.exists() else absence(path)
    return Problem(shown, 1, 1, "", f"the file {found}", "Name an existing file")


def _too_large(error: plainfiles.TooLarge, shown: str) -> Problem:
    what = f"the file {str(error.strerror).removeprefix('it ')}"
    return Problem(shown, 1, 1, "", what, "Check whether it is the right file")


def _unreadable(error: OSError, shown: str) -> Problem:
    return Problem(shown, 1, 1, "", f"the file cannot be read ({error.strerror})", "Name an existing file")
