"""Measuring again: forgets the benchmarks of a build that other work on the machine disturbed."""

from __future__ import annotations

from typing import TypedDict

from catalog import jsontext
from catalog.shapes import WrongShape, shaped
from zoo import catalogfile
from zoo.errors import InputError
from zoo.plan.prepare import Planned
from zoo.plan.store import Workspace
from zoo.release import ReleaseFolder, find, kept
from zoo.settings import Settings
from zoo.stages.benchmark import REPORTS

STAGE = "benchmark"


class _Verdict(TypedDict):
    valid: bool


def is_needed(built: ReleaseFolder) -> bool:
    """Whether a file of a build has no valid benchmark."""
    return any(not any(speed.valid for speed in file.speeds) for file in built.release.files if file.speeds)


def refuse_published(planned: Planned, settings: Settings) -> None:
    """Raises InputError if the version is published: its card tells what was measured then."""
    name, version = planned.plan.name, planned.plan.version
    model = catalogfile.read_model(settings, name)
    if model and model.release(version):
        raise InputError(
            f"{name} {version} is published, and the measurements of a published version never change",
            remedy="Add one to its history with: zoo bench import REPORT, or raise the version in "
            f"{planned.checked.file}",
        )


def forget(planned: Planned, settings: Settings) -> list[str]:
    """Remove the finished benchmarks whose report is not valid, and the release folder with them in it. The next build
    makes both again, and nothing else. Returns the steps' names."""
    store = Workspace(settings.work)
    disturbed = [step for step in planned.plan.steps if step.stage == STAGE and _is_disturbed(store, step.key)]
    if disturbed:
        # The folder first: after a kill in between, the benchmarks are still found here.
        if built := find(planned.plan, settings):
            kept.discard(built.folder, planned.plan.name, settings)
        for step in disturbed:
            store.discard(step.key)
    return [step.id for step in disturbed]


def _is_disturbed(store: Workspace, key: str) -> bool:
    made = store.finished(key)
    if made is None:
        return False
    try:
        return not shaped(jsontext.read(made.path(REPORTS[0])), _Verdict)["valid"]
    except (OSError, jsontext.NotJson, WrongShape):
        return False
