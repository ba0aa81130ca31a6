"""Reproducing a release: find it, rebuild, compare, record."""

from __future__ import annotations

import contextlib
import dataclasses
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from catalog import index, schema
from catalog.recipe import plain
from catalog.release import Model, Release, Reproduction
from catalog.shapes import shaped
from zoo import catalogfile
from zoo.files.digests import digest, pretty_json, sha256_file
from zoo.files.whole import sweep, write_atomic
from zoo.gguf import fingerprint
from zoo.llama import library
from zoo.machine import processor
from zoo.plan.plan import file_makers, file_name
from zoo.progress import Reporter
from zoo.settings import Settings
from zoo.upkeep.reproduce import compare, rebuild
from zoo.upkeep.reproduce.compare import FileResult, Fingerprint, ToolChange

SCHEMA = "reproduction/1"


class Machine(TypedDict):
    """Where it was made again, and on what it was made then."""

    system: str
    processor: str
    recorded_processor: str | None


Record = TypedDict(
    "Record",
    {
        "schema": str,
        "name": str,
        "version": str,
        "date": str,
        "identical": bool,
        "from": str,
        "recipe_sha256": str,
        "machine": Machine,
        "tools": "list[str]",
        "changed_tools": "list[dict[str, object]]",
        "inputs": "list[dict[str, object]]",
        "files": "list[dict[str, object]]",
    },
)
"""The record of a reproduction, as the schema ``reproduction-v1`` has it."""


@dataclass(frozen=True)
class Outcome:
    """The outcome. record goes next to the evidence, entry into the catalog."""

    model: Model
    release: Release
    results: tuple[FileResult, ...]
    changes: tuple[ToolChange, ...]
    record: Record
    entry: Reproduction

    @property
    def identical(self) -> bool:
        return all(result.identical for result in self.results)

    @property
    def refuted(self) -> bool:
        """Something differs that must not differ on any processor."""
        return any(result.refuted for result in self.results)


def reproduce(
    model: Model, release: Release, *, quants_only: bool, date: str, settings: Settings, report: Reporter
) -> Outcome:
    """Rebuild and compare; nothing is recorded yet. The work folder stays until ``clean``.

    Raises InputError for a recipe that is no longer valid, ZooError when an input or a tool is missing.
    """
    prepared = rebuild.prepare(model.name, release, settings)
    changes = compare.tool_changes(release, prepared.world.tools)
    for line in compare.lines((), changes):
        report.warn(line)
    if quants_only:
        prepared = rebuild.begin_with(prepared, release, settings)
    then, others = rebuild.recorded_processors(rebuild.recorded_plan(model.name, release, settings))
    makers = {file_name(model.name, type_): step for type_, step in file_makers(prepared.recipe).items()}
    made = rebuild.run(prepared, report)
    now = dataclasses.replace(processor.here(), kernels=library.kernels())
    known = rebuild.recorded_fingerprints(model.name, release, settings)
    results = []
    with report.task("comparing", len(release.files), "files") as advance:
        for file in release.files:
            path = made.get(file.path)
            if path is None:
                results.append(FileResult(file.path, file.sha256, None, file.tensors, 0))
            else:
                sha256 = sha256_file(path)
                if sha256 == file.sha256:
                    rebuild.refuse_other_measured(file, path)
                found = None if sha256 == file.sha256 else shaped(fingerprint.digests(path), Fingerprint)
                free = compare.latitude(prepared.plan, makers[file.path], then, now, others)
                results.append(compare.compare_file(file, sha256, known.get(file.path), found, free))
            advance(1)
    used = {name: prepared.world.tools.get(name, "absent") for name, _ in map(_tool, release.tools)}
    machine: Machine = {
        "system": platform.system(),
        "processor": now.words,
        "recorded_processor": then.words if then else None,
    }
    run = _Run(tuple(results), tuple(changes), used, machine, "released reference file" if quants_only else "sources")
    record = _record(model.name, release, run, date)
    assert not schema.violations(record, "reproduction-v1")
    return Outcome(model, release, run.results, changes, record, _entry(release, results, record))


def write(outcome: Outcome, settings: Settings) -> None:
    """Write the record next to the release's evidence, and an entry into the catalog. Repeating it changes nothing."""
    target = settings.evidence / outcome.model.name / outcome.release.version / outcome.entry.evidence
    sweep(target.parent, target.name)
    write_atomic(target, pretty_json(outcome.record))
    name = outcome.model.name
    catalogfile.change_model(
        settings, name, lambda catalog: index.with_reproduction(catalog, name, outcome.entry)
    )


def clean(outcome: Outcome, settings: Settings) -> None:
    """Remove the work folder of the reproduction."""
    folder = rebuild.folder_of(outcome.model.name, outcome.release, settings)
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):  # another reproduction is there
        folder.parent.rmdir()


def _tool(text: str) -> tuple[str, str]:
    name, _, version = text.rpartition(" ")
    return name, version


@dataclass(frozen=True)
class _Run:
    """What was made again. tools: name -> version that was used; begun: what with."""

    results: tuple[FileResult, ...]
    changes: tuple[ToolChange, ...]
    tools: Mapping[str, str]
    machine: Machine
    begun: str


def _record(name: str, release: Release, run: _Run, date: str) -> Record:
    return {
        "schema": SCHEMA,
        "name": name,
        "version": release.version,
        "date": date,
        "identical": all(result.identical for result in run.results),
        "from": run.begun,
        "recipe_sha256": release.recipe.sha256,
        "machine": run.machine,
        "tools": [f"{tool} {version}" for tool, version in sorted(run.tools.items())],
        "changed_tools": [plain(change) for change in run.changes],
        "inputs": [plain(ancestor) for ancestor in release.lineage],
        "files": [_file(result) for result in run.results],
    }


def _file(result: FileResult) -> dict[str, object]:
    found = {name: value for name, value in plain(result).items() if name != "latitude"}
    return {**found, "identical": result.identical, "may_differ": result.latitude.why}


def _entry(release: Release, results: Sequence[FileResult], record: Record) -> Reproduction:
    return Reproduction(
        version=release.version,
        date=record["date"],
        identical=record["identical"],
        files_identical=sum(result.identical for result in results),
        files=len(results),
        tensors_identical=sum(result.tensors_identical or 0 for result in results),
        tensors=sum(result.tensors for result in results),
        tools=tuple(record["tools"]),
        evidence=f"reproductions/{record['date']}-{digest(record)[:12]}.json",
    )
