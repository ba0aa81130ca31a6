"""Plans of a generated zoo with many recipes, for the tests of tasks and of the files for clusters."""

from __future__ import annotations

from pathlib import Path

import tinyzoo

from zoo import settings as settings_room
from zoo.plan import prepare
from zoo.plan.prepare import Planned
from zoo.settings import Settings


def zoo_of(folder: Path, names: tuple[str, ...]) -> Path:
    """A zoo with these recipes; every other one trains a student, and those share all but their names."""
    zoo = tinyzoo.make_tiny_zoo(folder)
    for path in (zoo / "recipes").glob("*.yaml"):
        path.unlink()
    for number, name in enumerate(names):
        made = tinyzoo.tutored_recipe if number % 2 else tinyzoo.plain_recipe
        tinyzoo.write_recipe(zoo, made(zoo, name))
    return zoo


def settings_of(zoo: Path, **environment: str) -> Settings:
    return settings_room.load(zoo, {}, {"ZOO_THREADS": "1", **environment})


def plans_of(zoo: Path, **environment: str) -> dict[str, Planned]:
    found = settings_of(zoo, **environment)
    return prepare.make_plans(prepare.every_recipe(found), found)
