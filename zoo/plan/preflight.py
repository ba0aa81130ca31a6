"""What could stop a long run, checked before it starts: packages, sources, disk, memory."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from catalog import sharding, shell
from catalog import sources as source_uris
from catalog.recipe import Distill, Recipe, Tune
from catalog.teacherweights import VLLM
from catalog.words import data_size
from zoo import extras
from zoo.errors import AGAIN, ZooError
from zoo.files import writable
from zoo.llama import processor
from zoo.llama.convert import source as llama_source
from zoo.machine import resources
from zoo.machine.resources import free_bytes
from zoo.modelfolder import weights
from zoo.plan.costs import RESERVE_BYTES, Costs
from zoo.plan.plan import Plan, Step
from zoo.progress import Reporter
from zoo.settings import Settings
from zoo.sources import resolve
from zoo.stages.table import CONVERTER, TRIAL_BYTES, is_asked, tools_of

RELEASE_TOOLS = ("cyclonedx-python-lib",)
"""What every release needs in addition to the tools of its steps."""


@dataclass(frozen=True)
class Build:
    """What is to be built: the steps with the ids ``to_run``, with the packages ``tools`` (name to version)."""

    recipe: Recipe
    plan: Plan
    to_run: Iterable[str]
    tools: Mapping[str, str]


def check(build: Build, costs: Costs, settings: Settings, report: Reporter) -> None:
    """Raises ZooError that names everything missing; only warns if memory is scarce."""
    recipe, plan, to_run, tools = build.recipe, build.plan, build.to_run, build.tools
    steps = [plan.step(id_) for id_ in to_run]
    stages = {step.stage for step in steps}
    needed_tools = {tool for step in steps for tool in tools_of(step.stage, step.spec)}
    faults = [*_packages(needed_tools, tools), *_sources(recipe, stages, settings), *folders(settings)]
    asks = "ask" in stages or any(is_asked(step.spec) for step in steps)
    if asks and not settings.teacher.address:
        faults.append(
            "the teacher is a model on a server, but no setting says where that is: export "
            "ZOO_TEACHER=http://localhost:8080/v1"
        )
    trainings = {name: one for name, one in _trainings(recipe, stages).items() if one}
    for name, training in trainings.items():
        faults += _together(name, training, settings)
    sound = not faults
    if sound and trainings and settings.device != "cpu":
        faults += _device(settings)
    faults += _machine(needed_tools, costs, settings, report, sound=sound)
    for words in too_much(costs):
        report.warn(words)
    for training in trainings.values():
        if settings.device == "cpu" and training.preset != "cpu-small" and training.adapter != "none":
            report.warn(
                f"preset {training.preset} of {plan.name} is meant for a GPU, but device is cpu. This will be very slow"
            )
    _refuse(f"{plan.name} cannot be built here yet", faults)


def check_step(
    step: Step, tools: Mapping[str, str], memory_bytes: int | None, settings: Settings, report: Reporter
) -> None:
    """The same for one step whose inputs are here, and whose recipe may not be. memory_bytes: that it needs, None if
    unknown."""
    needed, costs = set(tools_of(step.stage, step.spec)), Costs(1, None, memory_bytes, 0, ())
    faults = _packages(needed, tools)
    faults += _machine(needed, costs, settings, report, sound=not faults)
    _refuse(f"{step.id} cannot be made here yet", faults)


def _refuse(what: str, faults: Collection[str]) -> None:
    if faults:
        raise ZooError(
            "\n".join([what, *(f"  {fault}" for fault in faults)]), safe="Nothing was changed.",
            remedy="Fix these; zoo doctor shows everything that is missing", again=AGAIN,
        )  # fmt: skip


def _machine(
    needed_tools: Collection[str], costs: Costs, settings: Settings, report: Reporter, *, sound: bool
) -> Iterator[str]:
    """What this machine lacks for the steps. sound: the packages are as they should be."""
    if sound and "llama-cpp-python" in needed_tools and (other := processor.fault()):
        yield f"llama.cpp cannot run here: {other}. Compile it again: {processor.REBUILD}"
    free = free_bytes(settings.work)
    if costs.steps and free < costs.free_bytes:
        yield (
            f"disk: {data_size(costs.free_bytes)} must be free at {settings.shown(settings.work)}, "
            f"{data_size(RESERVE_BYTES)} of it in reserve; {data_size(free)} are free. "
            "Free some space, or set another folder with --work"
        )
    yield from _memory(costs, needed_tools, report)


def too_much(costs: Costs) -> Iterator[str]:
    """A warning if more comes from a teacher's server than a trial needs."""
    if costs.server_bytes > TRIAL_BYTES:
        yield (
            f"up to {data_size(costs.server_bytes)} of log-probabilities come from the teacher's server, as text. This "
            "is meant for trials: use a teacher with weights, or lower distill.top_k"
        )


def _memory(costs: Costs, needed: Iterable[str], report: Reporter) -> Iterator[str]:
    """What says that memory will not do; a warning if only other programs leave too little."""
    asked = costs.memory_bytes
    total, available = resources.memory_bytes()
    if asked and total and asked > total:
        yield (
            f"memory: about {data_size(asked)} are needed, {data_size(total)} are available to this program. "
            "Build on a larger machine"
        )
    elif asked and available and asked > available:
        report.warn(f"about {data_size(asked)} of memory are needed, {data_size(available)} are free now")
    left = resources.addresses_bytes()
    if asked and left is not None and left < asked + (libraries := extras.libraries_bytes(needed)):
        # Below this, libraries end the process in the middle of a step, or never end.
        yield (
            f"memory: a limit on addresses leaves {data_size(left)} of them to this program; about {data_size(asked)} "
            f"are needed, and {data_size(libraries)} for its libraries. Remove the limit: ulimit -v unlimited"
        )


def _trainings(recipe: Recipe, stages: Collection[str]) -> dict[str, Distill | Tune | None]:
    """The trainings that will run, by the name of their section."""
    every = {"distill": ("distill", recipe.distill), "tune": ("teacher.tune", recipe.tune)}
    return dict(every[stage] for stage in every if stage in stages)


def _together(name: str, training: Distill | Tune, settings: Settings) -> Iterator[str]:
    """Why several processes cannot train this together."""
    if settings.processes > training.batch_rows:
        crowded = sharding.crowded(settings.processes, training.batch_rows)
        yield f"{crowded}: raise {name}.batch_rows, or lower the setting processes"
    if uneven := sharding.uneven(settings.processes, settings.machines):
        yield f"{uneven}: change the setting processes or machines"
    if settings.machines > 1 and settings.meeting is None:
        yield "no setting says where the machines meet: export ZOO_MEETING=HOST:PORT, a free port of this machine"
    if settings.sharding != sharding.NONE and any(found := sharding.fault(training.adapter)):
        yield ": ".join(found)


def _device(settings: Settings) -> Iterator[str]:
    """Why the device cannot be had. torch is asked, which takes a second to import: only for a training on a GPU."""
    from zoo.training import devices

    if any(found := devices.fault(settings.device, settings.processes // settings.machines)):
        yield ": ".join(found)


WRITTEN = ("work", "releases", "evidence", "catalog", "site")
"""Settings of places that the program writes."""


def folders(settings: Settings) -> list[str]:
    """Why the folders that a build writes cannot be used: a sentence for each, with what to do."""
    faults = [fault for name in WRITTEN if (fault := _in_model(name, settings))]
    for name in ("work", "releases"):
        if found := writable.obstacle(settings.folder(name)):
            shown = settings.shown(found.place)
            faults.append(
                f"setting {name} ({settings.values[name].origin}): no files can be written in "
                f"{settings.shown(settings.folder(name))}, because {shown} {found.what}. "
                f"{_first(found, shown)}ame another folder with --{name}"
            )
    return faults


def _first(found: writable.Obstacle, shown: str) -> str:
    """The begin of the sentence that ends with naming another folder."""
    if found.is_rights:
        return f"Make it writable (chmod u+w {shell.argument(shown)}), or n"
    return "Move it away, or n" if found.is_movable else "N"


def _in_model(name: str, settings: Settings) -> str:
    """What is wrong with a place inside a model folder: what is written there would change the source. "" if nothing.

    The zoo's own folder and those above it do not count.
    """
    place = settings.folder(name)
    path = Path(os.path.normpath(place))
    for folder in (path, *path.parents):
        if settings.root.is_relative_to(folder):
            return ""
        if weights.is_model_folder(folder):
            return (
                f"setting {name} ({settings.values[name].origin}): {settings.shown(place)} is inside the model folder "
                f"{settings.shown(folder)}. What is written there would change the model. Choose a folder outside of it"
            )
    return ""


def _packages(needed: set[str], tools: Mapping[str, str]) -> list[str]:
    """What is not installed, or has an unsupported version."""
    versions = {**{name: extras.version(name) for name in RELEASE_TOOLS}, **tools}
    wanted = sorted({*needed, *RELEASE_TOOLS})
    absent = [tool for tool in wanted if versions.get(tool, extras.ABSENT) == extras.ABSENT]
    faults = []
    ours = [tool for tool in absent if extras.extra_of(tool)]
    if ours:
        command = extras.command(extras.covering(ours))
        faults.append(f"not installed: {', '.join(ours)}; install with: {command}")
    unfit = {tool: words for tool in wanted if (words := extras.unfit(tool))}
    faults += [
        f"{words}; install with: {extras.command(extras.covering([tool]))}" for tool, words in unfit.items()
    ]
    # After the packages, as in zoo doctor: its command needs llama-cpp-python.
    if VLLM in absent:
        faults.append(
            "vLLM is not installed, or the setting vllm does not name its environment. It needs one of its own: "
            "python3 -m venv VLLM && VLLM/bin/pip install vllm && export ZOO_VLLM=$PWD/VLLM"
        )
    if CONVERTER in absent:
        faults.append(f"llama.cpp's converter is not installed: {llama_source.INSTALL}")
    if CONVERTER in needed and (other := llama_source.fault()):
        faults.append(f"{other}; install the right one with: {llama_source.INSTALL}")
    return faults


def _sources(recipe: Recipe, stages: Iterable[str], settings: Settings) -> list[str]:
    if not {"import", "label"} & set(stages):
        return []
    faults = []
    for uri in sorted({source.source for source in (recipe.student, recipe.teacher) if source}):
        is_remote = isinstance(source_uris.parse(uri), source_uris.HubSource | source_uris.ServerSource)
        path = None if is_remote else resolve.locate(uri, settings.root, settings.work)
        if path is not None:
            resolve.inspect_folder(path, settings.root)
        elif not is_remote:
            faults.append(f"{uri} is not on this machine: {resolve.missing_remedy(uri)}")
    return faults
