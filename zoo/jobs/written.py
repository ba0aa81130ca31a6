"""Writes the steps of recipes as files for a cluster."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from catalog.problems import show
from catalog.words import counted
from zoo import commandline
from zoo.errors import InputError
from zoo.files.whole import write_atomic
from zoo.jobs import flags, kubernetes, slurm
from zoo.jobs import kubernetesnames as names
from zoo.jobs.arrays import Array, arrays
from zoo.jobs.files import SUBMIT, Order
from zoo.jobs.tasks import Task, union
from zoo.plan.prepare import Planned
from zoo.settings import Settings

WRITERS: Mapping[str, Callable[[Sequence[Array], Order], Mapping[str, str]]] = {
    "slurm": slurm.files, "kubernetes": kubernetes.files,
}  # fmt: skip
"""Name of a cluster's engine -> its files. A new engine is a row."""

_OWN = (SUBMIT, "[0-9]*-*.sbatch", "[0-9]*-*.json")
"""Names of the files that are written."""
_NAMED = {"image": "container image", "claim": "volume claim"}
_NOTHING = "Nothing was written."


@dataclass(frozen=True)
class Wanted:
    """What the user asked for. out: the folder; jobs: most steps of an array at the same time, None for all; every: all
    recipes of the zoo."""

    engine: str
    out: Path
    jobs: int | None
    image: str | None
    claim: str
    every: bool = False


@dataclass(frozen=True)
class Written:
    """What was written: for programs, and as a sentence."""

    data: Mapping[str, object]
    sentence: str


def write(plans: Mapping[str, Planned], wanted: Wanted, settings: Settings, here: Path) -> Written:
    """Write the files; those of an earlier call are replaced. plans: by the word for the recipe, as typed in ``here``.

    Raises InputError for a folder with other files, and for places that the machines of a cluster could not see.
    """
    folder = wanted.out if wanted.out.is_absolute() else here / wanted.out
    flags.refuse_machines(settings)
    _refuse(wanted, folder, settings)
    placed = {flags.word(name, here, settings.root): planned for name, planned in plans.items()}
    tasks = union(placed)
    root = str(settings.root.resolve())
    # With the user's flags: with other threads or another device, the trainings would be other steps.
    release = commandline.line(settings, "release", *(["--all"] if wanted.every else map(shlex.quote, plans)))
    order = Order(
        root, list(flags.elsewhere(settings)), settings.threads, settings.processes, settings.sharding, wanted.jobs,
        _own_command(plans, wanted, settings), release, wanted.image or "", wanted.claim,
    )  # fmt: skip
    made = arrays(tasks, order.line)
    folder.mkdir(parents=True, exist_ok=True)
    for pattern in _OWN:
        for old in folder.glob(pattern):
            old.unlink()
    for name, text in WRITERS[wanted.engine](made, order).items():
        write_atomic(folder / name, text)
    (folder / SUBMIT).chmod(0o755)
    return Written(_data(folder, made, tasks, settings), _sentence(folder, made, len(tasks), release, settings))


def _own_command(plans: Collection[str], wanted: Wanted, settings: Settings) -> str:
    """The command that writes these files."""
    few = [*map(shlex.quote, plans)] if len(plans) < 5 else [f"RECIPES (of {len(plans)})"]
    more: dict[str, object] = {"--out": str(wanted.out), "--jobs": wanted.jobs, "--image": wanted.image}
    if wanted.engine == "kubernetes":
        more["--claim"] = wanted.claim
    words = [word for flag, value in more.items() if value is not None for word in (flag, shlex.quote(str(value)))]
    which = ["--all"] if wanted.every else few
    return commandline.line(settings, "plan", *which, "--as-jobs", wanted.engine, *words)


def _refuse(wanted: Wanted, folder: Path, settings: Settings) -> None:
    if wanted.engine == "kubernetes":
        _refuse_names(wanted, settings)
        root = settings.root.resolve()
        for name in ("work", "releases"):
            if not settings.folder(name).resolve().is_relative_to(root):
                raise InputError(
                    f"setting {name} is outside of the zoo's folder, which is all that the volume has",
                    where=settings.values[name].origin, remedy=f"Leave out --{name}, or name a folder in the zoo",
                )  # fmt: skip
    if folder.is_dir():
        mine = {path for pattern in (*_OWN, "logs") for path in folder.glob(pattern)}
        others = sorted(path.name for path in folder.iterdir() if path not in mine)
        if others:
            raise InputError(
                f"{settings.shown(folder)} has other files: {', '.join(others[:3])}", safe=_NOTHING,
                remedy="Name another folder with --out",
            )  # fmt: skip
    elif folder.exists():
        raise InputError(f"{settings.shown(folder)} is not a folder", remedy="Name another one with --out")


def _refuse_names(wanted: Wanted, settings: Settings) -> None:
    """Raises InputError for what Kubernetes would refuse when the files are applied, or the machines later."""
    root, image = str(settings.root.resolve()), "--image registry.example/zoo:1"
    rules = (
        ("image", wanted.image or "", names.image_fault, f"Name one that has zoo, such as: {image}"),
        ("claim", wanted.claim, names.claim_fault, "Name the claim as this lists it: kubectl get pvc"),
    )
    if not wanted.image:
        raise InputError("no container image was named", safe=_NOTHING, remedy=rules[0][-1])
    for flag, value, fault, remedy in rules:
        if why := fault(value):
            what = f"{show(value)} is not a valid name for the {_NAMED[flag]}: {why}"
            raise InputError(what, where=f"flag --{flag}", safe=_NOTHING, remedy=remedy)
    if why := names.mount_fault(root):
        raise InputError(
            f"the volume cannot be mounted at {root}: {why}", safe=_NOTHING,
            remedy="Move the zoo to a folder without a colon in its path",
        )  # fmt: skip


def _data(folder: Path, made: Sequence[Array], tasks: Sequence[Task], settings: Settings) -> Mapping[str, object]:
    listed = [
        {
            "name": one.name, "tasks": len(one.commands), "needs": list(one.needs), "memory_bytes": one.memory_bytes,
            "threads": settings.threads, "gpus": one.gpus,
        }
        for one in made
    ]  # fmt: skip
    return {"folder": settings.shown(folder), "steps": len(tasks), "arrays": listed}


def _sentence(folder: Path, made: Sequence[Array], steps: int, release: str, settings: Settings) -> str:
    if not made:
        return f"No step is left to run. Run: {release}"
    submit = shlex.quote(settings.shown(folder / SUBMIT))
    unknown = sum(one.memory_bytes is None for one in made)
    lines = [f"Wrote {counted(steps, 'step')} as {counted(len(made), 'array')} to {settings.shown(folder)}."]
    if unknown:
        lines.append(f"{counted(unknown, 'array')} without a limit on memory. zoo lock records how large sources are.")
    lines.append(f"Submit them with: {submit if '/' in submit else './' + submit}")
    lines.append(f"When all have ended, run: {release}")
    return "\n".join(lines)
