"""Why the release folder of a version is not the build of the recipe as it is here and now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict

from catalog import jsontext
from catalog.shapes import shaped
from zoo.machine.processor import from_record, here
from zoo.plan.plan import Plan, Step
from zoo.release.folder import ReleaseFolder, as_built, load
from zoo.settings import Settings
from zoo.stages.table import capability, tools_of


@dataclass(frozen=True)
class OtherBuild:
    """A release folder of the same version. is_as_built: it was built from this very recipe for this namespace, so it
    can be published as it is."""

    folder: Path
    why: str
    is_as_built: bool


class _Step(TypedDict):
    id: str
    key: str
    processor: NotRequired[object]


class _Plan(TypedDict):
    steps: list[_Step]
    tools: dict[str, str]


def look(plan: Plan, recipe_sha256: str, tools: Mapping[str, str], settings: Settings) -> OtherBuild | None:
    """The other build of a plan's version on this machine; None if there is none. tools: versions of packages here."""
    folder = settings.releases / plan.name / plan.version
    if not folder.is_dir():
        return None
    found = load(folder)
    same = as_built(plan.name, plan.version, recipe_sha256, settings)
    if same:
        return OtherBuild(same.folder, _difference(plan, tools, same), True)
    if found is None:
        return OtherBuild(folder, "files of it are missing or damaged", False)
    if found.release.recipe.sha256 != recipe_sha256:
        return OtherBuild(folder, "it was built from another recipe", False)
    return OtherBuild(folder, f"its files are for another namespace than {settings.namespace}", False)


def _difference(plan: Plan, tools: Mapping[str, str], found: ReleaseFolder) -> str:
    """What differs between two builds of one recipe, by the plan that the folder has as evidence."""
    try:
        then = shaped(jsontext.read(found.folder / "model/evidence/plan.json", bounded=False), _Plan)
    except (OSError, ValueError):
        return "what it was built with is not recorded"
    before = {step["id"]: step for step in then["steps"]}
    others = [step for step in plan.steps if step.id not in before or before[step.id]["key"] != step.key]
    if not others:
        return "it was made with other texts for the cards, other licence files or another version before it"
    reasons = [*_packages(others, then["tools"], tools), *_processors(others, before)]
    first = f"step {others[0].id}" + (f" and {len(others) - 1} more" if len(others) > 1 else "")
    return f"{first} would be made again: " + ("; ".join(reasons) or "its settings, files or the program changed")


def _packages(steps: list[Step], then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({tool for step in steps for tool in tools_of(step.stage, step.spec)}):
        was, is_ = then.get(name, "absent"), now.get(name, "absent")
        if was != is_:
            yield f"{name} {was} then, {is_} now"


def _processors(steps: list[Step], before: Mapping[str, _Step]) -> Iterator[str]:
    for step in steps:
        was = from_record(before[step.id].get("processor")) if step.id in before else None
        now = step.processor or here()
        if was and capability(step.stage, was) != capability(step.stage, now):
            yield f"the processor was {was.words}, and is {now.words}"
            return
