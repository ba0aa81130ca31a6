"""Whether the chat templates can be rendered, and accept the system messages of the recipe's prompts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from catalog import dataplaces
from catalog.checks import CheckedRecipe
from catalog.corpusfiles import FileFacts
from catalog.recipe import Recipe
from zoo.errors import ModelFileError
from zoo.plan.known import Known
from zoo.sources.facts import SourceFacts
from zoo.templates.renderer import OverLimit, Renderer

USER = {"role": "user", "content": "question"}
SYSTEM = {"role": "system", "content": "instruction"}
ORDINARY = ((USER,), (SYSTEM, USER), (USER, {"role": "assistant", "content": "answer"}, USER))
"""Conversations of which every usable template renders one at least; some require a system message."""
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>", "unk_token": "<unk>"}
"""Used instead of the model's own tokens: their text does not matter here."""


@dataclass(frozen=True)
class Refused:
    """place: in the recipe; where: the first system message, for a sentence; why: what the template's refusal says."""

    place: tuple[str | int, ...]
    where: str
    why: str


def unusable(
    sources: Mapping[str, SourceFacts | None], known: Known
) -> Iterator[tuple[str, ModelFileError]]:
    """The role and the error of each template that ``refuse_unusable`` refuses. It is rendered in a process with
    limits, as everywhere. Those that are ``known`` to be usable are not tried again."""
    for role, found in sources.items():
        if found is None or not found.template or known.is_usable(found.template):
            continue
        try:
            _refuse(known.renderer(found.template, SPECIAL, f"the {role}"), "")
            known.usable(found.template)
        except ModelFileError as error:
            yield role, error


def refuse_unusable(sources: Mapping[str, SourceFacts | None], safe: str) -> None:
    """Raises ModelFileError for a template that renders none of ``ORDINARY``, with the reason of the first: it does not
    compile, fails or refuses. Raises OverLimit for one that uses too much. ``sources``: by their role. safe: what is
    kept.
    """
    for role, found in sources.items():
        if found is None or not found.template:
            continue
        with Renderer(found.template, special=SPECIAL, source=f"the {role}") as renderer:
            _refuse(renderer, safe)


def _refuse(renderer: Renderer, safe: str) -> None:
    first: ModelFileError | None = None
    for messages in ORDINARY:
        try:
            renderer.render(messages)
            return
        except ModelFileError as error:
            error.safe = safe
            first = first or error
            if isinstance(error, OverLimit):
                raise
    assert first
    raise first


def refused(checked: CheckedRecipe, sources: Mapping[str, SourceFacts | None]) -> Iterator[Refused]:
    """The refusal of each template that must render a system message but does not. ``sources``: by their role.

    Only templates that accept the question alone are checked: others are a different problem. Raises OverLimit for one
    that uses too much: no later step could use it, and each would spend the same time until it knows.
    """
    recipe = checked.recipe
    if recipe is None:
        return
    roles = [role for role, used in (("teacher", recipe.label), ("student", recipe.distill)) if used]
    asked = [(role, found.template) for role in roles if (found := sources.get(role)) and found.template]
    firsts = {role: _first(recipe, checked.files, role) for role, _ in asked}
    for role, template in asked:
        if (first := firsts[role]) is None:
            continue
        with Renderer(template, special=SPECIAL, source=f"the {role}") as renderer:
            try:
                renderer.render([USER])
            except OverLimit as error:
                error.safe = "The imported models are kept. Nothing else was made."
                raise
            except ModelFileError:
                continue
            try:
                renderer.render([SYSTEM, USER])
            except ModelFileError as error:
                yield Refused(*first, why=error.what)


def _first(recipe: Recipe, read: Mapping[str, FileFacts], role: str) -> tuple[tuple[str | int, ...], str] | None:
    """Place and description of the first system message that the model of a role must read; None without one."""
    if recipe.label and recipe.label.system:
        return ("label", "system"), "label.system"
    own = ("tune.train", "tune.heldout") if role == "teacher" else ()
    for part in ("train", "heldout", *own):
        for index, file in enumerate(recipe.data.get(part, ())):
            if (line := read[file.path].system_line) is not None:
                return (*dataplaces.PLACES[part], index, "path"), f"{file.path}:{line}"
    return None
