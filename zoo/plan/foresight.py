"""Recipe against sources, before anything expensive: those on this machine when it is checked, others when imported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from catalog import sources as source_uris
from catalog import yamltext
from catalog.checks import CheckedRecipe
from catalog.problems import Problem
from zoo.errors import InputError, ModelFileError
from zoo.plan import contradictions
from zoo.plan.contradictions import Case
from zoo.sources import facts as sourcefacts
from zoo.sources import resolve
from zoo.sources.facts import SourceFacts
from zoo.stages.artifact import Artifact

IMPORTS = {"import/student": "student", "import/teacher": "teacher"}
"""Id of a step -> the source that it makes a model folder of."""


def problems(checked: CheckedRecipe, root: Path, *, raising: bool = False) -> list[Problem]:
    """What the sources on this machine contradict, and why one of them cannot be used; with places in the recipe.

    raising: a source that cannot be used is no fault of the recipe, and raises its ModelFileError.
    """
    recipe = checked.recipe
    if recipe is None:
        return []
    document = yamltext.parse(checked.text, checked.file)
    found: list[Problem] = []
    facts: dict[str, SourceFacts | None] = {"student": None, "teacher": None}
    for role, source in (("student", recipe.student), ("teacher", recipe.teacher)):
        path = _local(source.source, root) if source else None
        try:
            # llama.cpp runs a teacher that only labels; whoever is imported goes through transformers.
            if path and (role == "student" or recipe.distill):
                resolve.refuse_gguf(path, root)
            facts[role] = sourcefacts.read(path, root) if path else None
        except ModelFileError as error:
            if path and error.where == str(path):
                # Where a user's folders are is not part of what is said.
                error.where = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
            if raising:
                raise
            what = f"{error.where}: {error.what}" if error.where else error.what
            found.append(document.problem((role, "source"), what, error.remedy))
    return [*found, *contradictions.problems(document, Case(recipe, facts["student"], facts["teacher"]))]


def refuse_imported(checked: CheckedRecipe, imported: Mapping[str, Artifact]) -> None:
    """Raises InputError for what the imported model folders contradict. ``imported``: by the id of their step."""
    if checked.recipe is None:
        return
    facts = {IMPORTS[id_]: sourcefacts.read(made.folder) for id_, made in imported.items() if id_ in IMPORTS}
    case = Case(checked.recipe, facts.get("student"), facts.get("teacher"))
    found = contradictions.problems(yamltext.parse(checked.text, checked.file), case)
    refuse(checked.file, found, safe="The imported models are kept; nothing else was made.")


def refuse(file: str, found: list[Problem], *, safe: str) -> None:
    """Raises InputError that lists every problem; none is fine."""
    if not found:
        return
    count = f"{len(found)} problem{'s' * (len(found) > 1)}"
    raise InputError(
        "\n".join([f"{file} has {count}", *(str(problem) for problem in found)]),
        safe=safe,
        remedy="Fix the lines above",
    )


def _local(uri: str, root: Path) -> Path | None:
    """A source that is there to be read; the check of the recipe has its own words for one that is not."""
    is_remote = isinstance(source_uris.parse(uri), source_uris.HubSource)
    return None if is_remote else resolve.locate(uri, root)
