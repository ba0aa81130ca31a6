"""Recipe against sources, before anything expensive: those on this machine at the check, others after the import."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from catalog import licencefiles, placeholders
from catalog import sources as source_uris
from catalog.checks import CheckedRecipe
from catalog.problems import Problem
from catalog.recipe import Recipe
from catalog.teacherweights import LLAMA
from catalog.words import counted
from catalog.yamltext import Document
from zoo.errors import InputError, ModelFileError, RemoteError
from zoo.plan import contradictions, systemprompts
from zoo.plan.contradictions import Case
from zoo.plan.known import Known
from zoo.plan.plan import Step
from zoo.progress import Reporter
from zoo.sources import facts as sourcefacts
from zoo.sources import licences, resolve
from zoo.sources.facts import SourceFacts
from zoo.stages.artifact import Artifact

IMPORTS = {"import/student": "student", "import/teacher": "teacher"}
"""Id of a step -> the source that it makes a model folder of."""
LATER = ("unreachable", "stalled", "server_error", "rate_limited")
"""Kinds of RemoteError of a hub that does not answer now."""
LARGE_BYTES = 1_000_000_000
"""A model whose export takes longer than a trial of its vocabulary."""


def problems(
    checked: CheckedRecipe, root: Path, *, raising: bool = False, known: Known | None = None, templates: bool = False
) -> list[Problem]:
    """What the sources on this machine contradict, and why one cannot be used; with places in the recipe.

    raising: an unusable source raises its ModelFileError, because the recipe is not at fault. known: what need not be
    read again. templates: chat templates are tried too, in a process with limits, so that one that cannot be used is
    found here and not by the first step.
    """
    if known is None:
        with Known() as nothing:
            return problems(checked, root, raising=raising, known=nothing, templates=templates)
    recipe, document = checked.recipe, checked.document
    found: list[Problem] = []
    facts: dict[str, SourceFacts | None] = {"student": None, "teacher": None}
    for role, path, is_imported in _places(document, root, known.work):
        try:
            facts[role] = known.facts(path, root, imported=is_imported)
        except ModelFileError as error:
            _place(error, path, root)
            if raising:
                raise
            what = f"{error.where}: {error.what}" if error.where else error.what
            found.append(document.problem((role, "source"), what, error.remedy))
    for role, unusable in systemprompts.unusable(facts, known) if templates else ():
        found.append(document.problem((role, "source"), unusable.what, unusable.remedy))
    if recipe is None:
        return found
    case = Case(recipe, facts["student"], facts["teacher"], heldout=_heldout(checked, recipe))
    of_package = functools.partial(licences.sha256_in_package, root=root)
    found += licencefiles.outdated(document, recipe, root, of_package)
    return [*found, *contradictions.problems(document, case)]


def remarks(checked: CheckedRecipe, root: Path, known: Known | None) -> Iterator[Problem]:
    """What the sources on this machine have and nothing here uses: allowed, but worth a look. known: what need not be
    read again, None for no recipe.
    """
    if known is None:
        return
    instead = "If the model needs that code, use another one"
    for role, path, is_imported in _places(checked.document, root, known.work):
        with contextlib.suppress(ModelFileError):  # ``problems`` reports it
            for sentence in known.facts(path, root, imported=is_imported).remarks:
                yield checked.document.problem((role, "source"), sentence, instead)


def _place(error: ModelFileError, path: Path, root: Path) -> None:
    """The message must not include the user's folders."""
    if error.where == str(path):
        error.where = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def refuse_source(uri: str, root: Path, known: Known, *, safe: str) -> None:
    """Raises ModelFileError for a source on this machine that ``zoo check`` refuses, also because of its chat template.

    Others are not read: one that is not here, is not a file or folder, or is outside the zoo. safe: what is unchanged.
    """
    path = _local(uri, root, known.work)
    if path is None:
        return
    try:
        facts = known.facts(path, root, imported=True)
        for _, error in systemprompts.unusable({"student": facts}, known):
            raise error
    except ModelFileError as error:
        _place(error, path, root)
        error.safe = safe
        raise


def refuse_templates(checked: CheckedRecipe, root: Path, work: Path) -> list[str]:
    """Try the chat templates of the sources on this machine, each in a process with limits; nothing else is run.
    work: the work folder.

    Raises ModelFileError for one that cannot be used. Returns the sources that are on a hub: theirs are tried before
    the first step.
    """
    document = checked.document
    here = {role: sourcefacts.read(path, root) for role, path, _ in _places(document, root, work)}
    systemprompts.refuse_unusable(here, "Nothing was made.")
    recipe = checked.recipe
    used = {source.source for source in (recipe.student, recipe.teacher) if source} if recipe else set()
    return sorted(uri for uri in used if _is_on_hub(uri))


def _is_on_hub(uri: str) -> bool:
    return isinstance(source_uris.parse(uri), source_uris.HubSource)


def _heldout(checked: CheckedRecipe, recipe: Recipe) -> int:
    return sum(checked.files[file.path].prompts for file in recipe.corpus.heldout)


def _places(document: Document, root: Path, work: Path | None) -> Iterator[tuple[str, Path, bool]]:
    """(role, path, whether it is imported) of every source that is on this machine.

    A recipe with other problems has them too, so that all problems are named at the same time.
    llama.cpp runs a teacher that only labels, or whose logits it computes; transformers reads every imported model.
    """
    data = document.data if isinstance(document.data, dict) else {}
    distils = bool(data.get("distill"))
    for role in ("student", "teacher"):
        section = data.get(role)
        uri = section.get("source") if isinstance(section, dict) else None
        path = _local(uri, root, work) if isinstance(uri, str) else None
        if path is not None:
            by_torch = isinstance(section, dict) and section.get("engine") != LLAMA
            tune = section.get("tune") if isinstance(section, dict) else None
            is_trained = isinstance(tune, dict) and tune.get("corpus") is not None
            yield role, path, role == "student" or (distils and by_torch) or is_trained


def refuse_imported(
    checked: CheckedRecipe, imported: Mapping[str, Artifact], root: Path, work: Path | None = None
) -> None:
    """Raises InputError for contradictions with the imported model folders, and with a teacher that labels as the GGUF
    file that it is on this machine; ModelFileError for a chat template that cannot be used. ``imported``: by the id of
    their step. work: the work folder.

    Chat templates are rendered here, in ``refuse_before``, in ``refuse_templates`` and for ``zoo check``, always in a
    process with limits.
    """
    recipe = checked.recipe
    if recipe is None:
        return
    facts = {IMPORTS[id_]: sourcefacts.read(made.folder) for id_, made in imported.items() if id_ in IMPORTS}
    if "teacher" not in facts and recipe.teacher and source_uris.is_gguf(recipe.teacher.source):
        path = _local(recipe.teacher.source, root, work)
        facts |= {"teacher": sourcefacts.read(path, root)} if path else {}
    systemprompts.refuse_unusable(facts, "The imported models are kept. Nothing else was made.")
    systems = tuple(systemprompts.refused(checked, facts))
    case = Case(recipe, facts.get("student"), facts.get("teacher"), systems, _heldout(checked, recipe))
    found = contradictions.problems(checked.document, case)
    refuse(checked.file, found, safe="The imported models are kept. Nothing else was made.")


def refuse_other_tokens(recipe: Recipe, stages: Collection[str], student: Artifact) -> None:
    """Raises GateRefused if the file of the imported student will cut text into other tokens, unless the recipe allows
    it. Only before expensive steps: parity compares them too, right after the export.

    stages: of the steps that are to run.
    """
    size = sum(file.size_bytes for file in student.files)
    is_early = {"label", "tune", "distill"} & set(stages) or ("export" in stages and size > LARGE_BYTES)
    if is_early and "parity" in stages and "tokenizer" not in recipe.parity.allow:
        from zoo.stages import samecuts  # needs numpy, which plans do not

        samecuts.refuse_early(student.model(), student.folder)


def refuse_before(
    checked: CheckedRecipe, steps: Iterable[Step], work: Path, root: Path, report: Reporter
) -> None:
    """Before the first step: raises InputError for contradictions with sources on a hub, ModelFileError for one that
    the import would refuse, by their small files, which are fetched first, or whose chat template cannot be used.
    steps: those that are to run.

    A hub that does not answer now may answer when the source is imported, which checks again.
    """
    steps = list(steps)
    if not steps or checked.recipe is None:
        return
    facts = _remote(steps, work, report)
    has_remote = bool(facts)
    document = checked.document
    for role, path, _ in _places(document, root, work):
        facts.setdefault(role, sourcefacts.read(path, root))
    if has_remote:
        heldout = _heldout(checked, checked.recipe)
        case = Case(checked.recipe, facts.get("student"), facts.get("teacher"), heldout=heldout)
        refuse(checked.file, contradictions.problems(document, case), safe="Nothing was made.")
    systemprompts.refuse_unusable(facts, "Nothing was made.")


def _remote(steps: Iterable[Step], work: Path, report: Reporter) -> dict[str, SourceFacts]:
    """Facts of the sources on a hub that these steps import, by their role."""
    facts: dict[str, SourceFacts] = {}
    for step in steps:
        role = IMPORTS.get(step.id)
        if role is None:
            continue
        try:
            if folder := resolve.small_files(step.spec, work, report):
                facts[role] = sourcefacts.read_small(folder, str(step.spec["source"]))
        except RemoteError as error:
            if error.kind not in LATER:
                raise
            report.warn(f"{step.spec['source']} is only checked when it is imported: {error}")
    return facts


def refuse(file: str, found: list[Problem], *, safe: str) -> None:
    """Raises InputError that lists every problem; does nothing without problems."""
    if not found:
        return
    count = counted(len(found), "problem")
    raise InputError(
        "\n".join([f"{file} has {count}", *(str(problem) for problem in found)]),
        safe=safe,
        remedy="Fix the lines above",
    )


def refuse_placeholders(checked: CheckedRecipe, *, safe: str) -> None:
    """Raises InputError for placeholder text, which must not become a published description."""
    refuse(checked.file, list(placeholders.hints(checked.document)), safe=safe)


def _local(uri: str, root: Path, work: Path | None) -> Path | None:
    """A source that can be read; the recipe's check reports any other."""
    try:
        source = source_uris.parse(uri)
    except source_uris.SourceSyntax:
        return None
    try:
        path = None if isinstance(source, source_uris.HubSource) else resolve.locate(uri, root, work)
        if path is None or not (path.is_file() or path.is_dir()):
            return None
        is_own = isinstance(source, source_uris.FileSource)
        return None if is_own and not path.resolve().is_relative_to(root.resolve()) else path
    except (OSError, RuntimeError):  # RuntimeError: links in a circle, before Python 3.13
        return None
