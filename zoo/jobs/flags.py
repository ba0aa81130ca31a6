"""The words and flags of ``zoo build`` in a process that makes a task: on this machine, or on another one. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zoo import commandline
from zoo import settings as settings_room
from zoo.errors import InputError
from zoo.settings import Settings


def here(settings: Settings) -> list[str]:
    """The user's flags that ``zoo build`` takes. Its environment and folder are those of this process."""
    given = commandline.given(settings)
    return [word for name in commandline.TAKES["build"] if given.get(name) for word in (f"--{name}", given[name] or "")]


def elsewhere(settings: Settings) -> Iterator[str]:
    """Settings that another machine would not find in ``zoo.toml``; and those that depend on the machine."""
    for name in commandline.TAKES["build"]:
        value = settings.values[name]
        if name == "threads":
            yield from ("--threads", str(settings.threads))
        elif value.origin.startswith(("flag", "environment")) and value.text:
            yield from (f"--{name}", value.text)


def environment(settings: Settings) -> dict[str, str]:
    """The user's settings that ``zoo build`` has no flag for, as variables for another machine. No secret is one."""
    return {
        variable: settings.values[name].text
        for name, variable, *_ in settings_room.describe()
        if name not in commandline.TAKES["build"] and settings.values[name].origin.startswith(("flag", "environment"))
    }


def word(recipe: str, folder: Path, root: Path) -> str:
    """The word for a recipe in the zoo's folder, of the one typed in ``folder``: its name, or the path of its file."""
    if "/" not in recipe and not recipe.endswith((".yaml", ".yml")):
        return recipe
    path = (folder / recipe).resolve()
    return path.relative_to(root.resolve()).as_posix() if path.is_relative_to(root.resolve()) else str(path)


def refuse_machines(settings: Settings) -> None:
    """Raise InputError for trainings on several machines: each would wait for others at the same address."""
    if settings.machines > 1:
        raise InputError(
            f"the setting machines is {settings.machines}, but steps that are spread train on one machine each",
            where=settings.values["machines"].origin,
            remedy="Set machines to 1 (export ZOO_MACHINES=1), or leave out --jobs, --on and --as-jobs",
        )
