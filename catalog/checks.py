"""Checks of recipe text: all problems of a file, each with its line and what to write instead.

``check_recipe`` is the only way from text to a Recipe. It checks that the recipe's files exist, and reads nothing else.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from catalog import (
    corpusfiles,
    dataplaces,
    licencefiles,
    losses,
    maturity,
    microbatches,
    placeholders,
    plainfiles,
    presets,
    schema,
    secrets,
    shell,
    textlengths,
    tuning,
    yamltext,
)
from catalog.corpusfiles import FileFacts
from catalog.filenames import absence
from catalog.lock import Lock
from catalog.meaning import Meaning
from catalog.paths import THROUGH_LINK, within
from catalog.problems import Problem, limited
from catalog.recipe import Recipe, recipe_from_mapping
from catalog.unseen import visible
from catalog.yamltext import Document


@dataclass(frozen=True)
class CheckedRecipe:
    """recipe is None exactly when there are problems. text is the file byte for byte, document what it says.

    files: digest and lines of each file of the corpus by path, if there are no problems.
    hints: what is allowed, but worth a look.
    """

    file: str
    text: bytes
    document: Document
    recipe: Recipe | None
    lock: Lock
    problems: tuple[Problem, ...]
    files: Mapping[str, FileFacts] = field(default_factory=dict)
    hints: tuple[Problem, ...] = ()


def check_recipe(path: Path, root: Path) -> CheckedRecipe:
    """Read and check ``path``; ``root`` is the zoo's folder, which every path in the recipe is relative to."""
    shown = _shown(path, root)
    if path.is_symlink() and _leaves(path, root):
        # The link may lead to any file, and problems quote its text.
        problem = Problem(
            shown, 1, 1, "", "the file is a link to a place outside the zoo", "Put the recipe itself there"
        )
        return CheckedRecipe(shown, b"", Document(shown), None, Lock.empty(), (problem,))
    document = yamltext.read(path, shown)
    text = plainfiles.read_bytes(path, yamltext.MAX_BYTES) if document.data is not None else b""
    lock, found = Lock.empty(), list(document.problems)
    lock_path = path.parent / f"{path.stem}.lock.yaml"
    if lock_path.exists():
        lock, lock_problems = Lock.read(lock_path, _shown(lock_path, root))
        found += lock_problems
    if document.data is not None:
        found += check_document(document, lock, path.stem, _existing(root))
        told = {problem.line for problem in found}
        comments = secrets.in_comments(text.decode("utf-8"))
        found += [Problem(shown, line, 1, "", *why) for line, *why in comments if line not in told]
    files: Mapping[str, FileFacts] = {}
    recipe = None if found else _recipe(document)
    if recipe and not found:
        try:
            corpus = corpusfiles.read(document, recipe, root)
            files, found = corpus.files, [*found, *corpus.problems]
            if not found:
                found += textlengths.problems(document, recipe, files)
                found += tuning.too_few(document, recipe, files)
        except OSError as error:
            found.append(_unreadable(document, "corpus", error, root))
        try:
            texts = licencefiles.demands(document, recipe, root)
            wanted_of = functools.partial(licencefiles.sha256_of, lock=lock, root=root)
            found += texts or licencefiles.outdated(document, recipe, root, wanted_of)
        except OSError as error:
            found.append(_unreadable(document, "licence_files", error, root))
    problems = tuple(limited(found))
    hints = [one for room in (placeholders, maturity, presets, tuning) for one in room.hints(document)]
    return CheckedRecipe(shown, text, document, None if found else recipe, lock, problems, files, tuple(hints))


def recorded_recipe(text: str, shown_as: str) -> Recipe | None:
    """The recipe of a text that was checked when it was released; the files that it names are not looked at.

    None if this program does not understand it.
    """
    document = yamltext.parse(text.encode(), shown_as)
    if document.problems or schema.problems(document, "recipe-v1"):
        return None
    return _recipe(document)


def _recipe(document: Document) -> Recipe:
    """The recipe of data without problems."""
    assert isinstance(document.data, dict)
    filled = schema.fill_defaults(document.data, schema.load("recipe-v1"))
    recipe = microbatches.settled(losses.settled(recipe_from_mapping(filled)))
    texts = tuple(licencefiles.path_in_zoo(entry, recipe.name) for entry in recipe.licence_files)
    return dataclasses.replace(recipe, licence_files=texts)


def check_document(
    document: Document, lock: Lock, stem: str, missing: Callable[[str], str | None]
) -> list[Problem]:
    """Every problem of parsed recipe data. ``missing(path)`` says what is wrong with a path of the zoo, if anything."""
    found = schema.problems(document, "recipe-v1")
    # Sections that break the schema are left out of the other checks, so that nothing is reported twice.
    if not isinstance(document.data, dict):
        return found
    data = schema.fill_defaults(document.data, schema.load("recipe-v1"))
    checker = Meaning(document, data, lock, missing)
    seen = {(problem.line, problem.path) for problem in found}
    found += [p for p in checker.problems(stem) if (p.line, p.path) not in seen]
    found += secrets.problems(document)
    return found


def _unreadable(document: Document, key: str, error: OSError, root: Path) -> Problem:
    """A file that the section ``key`` names cannot be read: a problem of this recipe, which hides no other."""
    name = _shown(Path(str(error.filename or key)), root)
    if isinstance(error, IsADirectoryError):
        data = document.data if isinstance(document.data, dict) else {}
        named = ((*place, "path") for _, place, entry in dataplaces.entries(data) if entry.get("path") == name)
        return document.problem(next(named, (key,)), f"{name} is a folder", "Name a file")
    what = f"{name} cannot be read ({error.strerror or error})"
    return document.problem((key,), what, f"Fix the permissions: chmod u+r {shell.argument(name)}")


def _shown(path: Path, root: Path) -> str:
    return visible(within(path, root))


def _leaves(path: Path, root: Path) -> bool:
    try:
        return not path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):
        return True


def _existing(root: Path) -> Callable[[str], str | None]:
    base = root.resolve()

    def missing(relative: str) -> str | None:
        try:
            target = (base / relative).resolve()
            if not target.is_relative_to(base):
                return THROUGH_LINK
            if not target.exists():
                return absence(base / relative)
            # Reading a pipe would wait for ever.
            return None if target.is_file() or target.is_dir() else "is neither a file nor a folder"
        except UnicodeEncodeError as error:
            return f"has letters that the locale's encoding ({error.encoding}) lacks; set LC_ALL=C.UTF-8"
        except (OSError, RuntimeError, ValueError):
            return "cannot be looked up"

    return missing
