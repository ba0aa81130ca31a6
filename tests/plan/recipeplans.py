"""Plans of two recipes without running anything: what the tests of keys and of costs share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from recipesamples import PLAIN, TUTORED

from catalog.checks import CheckedRecipe
from catalog.lock import Lock
from catalog.recipe import CorpusFile, Recipe, Tune, TuneCorpus
from zoo.plan import plan
from zoo.plan.plan import Plan, World
from zoo.stages.table import STAGES

Check = Callable[..., CheckedRecipe]
TOOLS = {tool: "1" for row in STAGES.values() for tool in row.tools}


@pytest.fixture
def plain(check_text: Check) -> Recipe:
    recipe = check_text(PLAIN).recipe
    assert recipe
    return recipe


@pytest.fixture
def tutored(check_text: Check) -> Recipe:
    recipe = check_text(TUTORED, "tutored").recipe
    assert recipe
    return recipe


def made(
    recipe: Recipe, *, sha256: str = "r", lock: Lock | None = None, threads: int = 2, **changes: Any
) -> Plan:
    files = dict.fromkeys(plan.own_files(recipe), "f") | changes.get("files", {})
    return plan.make(
        recipe, sha256, lock or Lock.empty(),
        World(
            TOOLS | changes.get("tools", {}), files, threads, changes.get("device", "cpu"),
            teacher_device=changes.get("teacher_device", "cpu"), processes=changes.get("processes", 1),
            sharding=changes.get("sharding", "none"), machines=changes.get("machines", 1),
        ),
    )  # fmt: skip


def put(recipe: Any, **parts: Any) -> Any:
    """The recipe with a field of a section changed: ``label={"seed": 2}``."""
    for name, change in parts.items():
        inner = getattr(recipe, name)
        recipe = dataclasses.replace(recipe, **{name: put_in(inner, change)})
    return recipe


OWN = TuneCorpus(*((CorpusFile(f"{part}.jsonl", "CC0-1.0", "me", None),) for part in ("t", "h")), None)
"""The conversations that a teacher is trained on."""

TUNE = Tune("lora", "cpu-small", 5, 4, 64, 1e-4, 1, 1, 10, None, None, None)

SERVED = {"teacher": {"source": "server:parrot-1b", "sha256": None}, "distill": {"method": "labels"}}
"""A teacher on a server, as parts for ``put``."""


def put_in(inner: Any, change: Any) -> Any:
    return dataclasses.replace(inner, **change) if isinstance(change, dict) else change
