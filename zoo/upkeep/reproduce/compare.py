"""Rebuilt files against the released ones: by file digest, then by tensor and header key. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypedDict

from catalog.release import ModelFile, Release
from zoo.machine.processor import Processor
from zoo.plan.plan import Plan, Step
from zoo.stages.table import STAGES

_NOTHING: Mapping[str, Processor] = {}


@dataclass(frozen=True)
class Difference:
    """A tensor or header key that differs. Types and digests are None on the side that lacks it."""

    name: str
    recorded_type: str | None
    recorded_sha256: str | None
    found_type: str | None
    found_sha256: str | None


@dataclass(frozen=True)
class Latitude:
    """What may differ in a file although nothing is wrong. why: empty if its bytes must be the same.

    types: also the tensors' types, because the search of a byte budget chooses them by measurements.
    """

    why: str = ""
    types: bool = False


@dataclass(frozen=True)
class FileResult:
    """One released file. found_sha256 is None if it was not made; tensors_identical is None if the release has no
    digests of its tensors to compare with. latitude: what may differ here, and why."""

    path: str
    recorded_sha256: str
    found_sha256: str | None
    tensors: int
    tensors_identical: int | None
    different_tensors: tuple[Difference, ...] = ()
    different_keys: tuple[Difference, ...] = ()
    latitude: Latitude = field(default_factory=lambda: Latitude())

    @property
    def identical(self) -> bool:
        return self.recorded_sha256 == self.found_sha256

    @property
    def refuted(self) -> bool:
        """Something differs that is the same on every processor."""
        if self.identical:
            return False
        if not self.latitude.why or self.found_sha256 is None:
            return True
        structure = [*self.different_tensors, *self.different_keys]
        lost = any(None in (one.recorded_sha256, one.found_sha256) for one in structure)
        retyped = any(one.recorded_type != one.found_type for one in self.different_tensors)
        return lost or ((retyped or bool(self.different_keys)) and not self.latitude.types)


@dataclass(frozen=True)
class ToolChange:
    """A tool whose version differs from the recorded one; None if it is missing."""

    name: str
    recorded: str | None
    used: str | None


def latitude(
    plan: Plan, step: str, then: Processor | None, now: Processor, others: Mapping[str, Processor] = _NOTHING
) -> Latitude:
    """What may differ in the file of ``step`` on this processor.

    then: the processor that the release records, if any; others: those that finished single steps of it, by step id.
    """
    sums, roundings, were = [], [], []
    before = _steps_before(plan, step)
    for one in sorted(before, key=lambda one: one.stage):
        maker = others.get(one.id, then)
        # Of another maker it is not recorded what its llama.cpp was compiled for.
        same = maker == (replace(now, kernels=()) if one.id in others else now)
        row = STAGES[one.stage]
        if same or not (row.sums or row.roundings):
            continue
        if row.sums:
            sums.append(row.sums)
        elif maker is None or maker.machine != now.machine:
            roundings.append(row.roundings)
        else:
            continue
        were.append(f"on {maker.words}" if maker else "on an unrecorded processor")
    if not were:
        return Latitude()
    what = " and ".join(dict.fromkeys(sums or roundings))
    was = " and ".join(dict.fromkeys(were))
    return Latitude(f"{what} ran {was}, but now on {now.words}", types=any(one.stage == "budget" for one in before))


def _steps_before(plan: Plan, step: str) -> list[Step]:
    """A step and all that it is made from; a step outside the plan was given, not made."""
    steps = {one.id: one for one in plan.steps}
    found, open_ = dict[str, Step](), [step]
    while open_:
        if one := steps.get(open_.pop()):
            found[one.id] = one
            open_ += one.inputs.values()
    return list(found.values())


class Tensor(TypedDict):
    """A tensor with the digest of its stored bytes."""

    name: str
    type: str
    sha256: str


class Fingerprint(TypedDict):
    """What ``zoo.gguf.fingerprint.digests`` says of a file. keys: digest of the value of each header key."""

    tensors: list[Tensor]
    keys: dict[str, str]


class Fingerprints(TypedDict):
    """The evidence file tensors.json: the fingerprint of each file by its path."""

    format: str
    files: dict[str, Fingerprint]


def compare_file(
    file: ModelFile,
    found_sha256: str,
    recorded: Fingerprint | None,
    found: Fingerprint | None,
    latitude: Latitude = Latitude(),
) -> FileResult:
    """One file. found may be None if the file
    digests are equal, because then everything in them is equal."""
    if found_sha256 == file.sha256:
        return FileResult(file.path, file.sha256, found_sha256, file.tensors, file.tensors)
    if recorded is None or found is None:
        return FileResult(file.path, file.sha256, found_sha256, file.tensors, None, latitude=latitude)
    tensors = _differences(_by_name(recorded["tensors"]), _by_name(found["tensors"]))
    keys = _differences(_keys(recorded["keys"]), _keys(found["keys"]))
    lost = sum(one.recorded_sha256 is not None for one in tensors)
    same = len(recorded["tensors"]) - lost
    return FileResult(file.path, file.sha256, found_sha256, file.tensors, same, tensors, keys, latitude)


_Entry = tuple[str | None, str]


def _by_name(tensors: Iterable[Tensor]) -> dict[str, _Entry]:
    return {tensor["name"]: (tensor["type"], tensor["sha256"]) for tensor in tensors}


def _keys(keys: Mapping[str, str]) -> dict[str, _Entry]:
    return {name: (None, sha256) for name, sha256 in keys.items()}


def _differences(recorded: Mapping[str, _Entry], found: Mapping[str, _Entry]) -> tuple[Difference, ...]:
    """In the order of the recorded file, then what only the new one has."""
    names = [*recorded, *(name for name in found if name not in recorded)]
    return tuple(
        Difference(name, *recorded.get(name, (None, None)), *found.get(name, (None, None)))
        for name in names
        if recorded.get(name) != found.get(name)
    )


def tool_changes(release: Release, now: Mapping[str, str]) -> tuple[ToolChange, ...]:
    """Recorded tools whose version differs here. now: the version of every tool, "absent" if it is missing."""
    changes = []
    for tool in release.tools:
        name, _, version = tool.rpartition(" ")
        used = now.get(name, "absent")
        if used != version:
            changes.append(ToolChange(name, version, None if used == "absent" else used))
    return tuple(changes)


def lines(results: Iterable[FileResult], changes: Iterable[ToolChange], limit: int = 12) -> list[str]:
    """The outcome for people; at most ``limit`` tensors of a file are named."""
    said = []
    for result in results:
        said.append(f"{result.path}: {_verdict(result)}")
        if result.latitude.why and not result.refuted:
            continue
        said += [f"  tensor {one.name}: {_change(one)}" for one in result.different_tensors[:limit]]
        if (more := len(result.different_tensors) - limit) > 0:
            said.append(f"  and {more} more tensors; the record lists them all")
        said += [f"  header key {one.name}: {_change(one)}" for one in result.different_keys]
    for change in changes:
        said.append(f"tool {change.name}: {change.recorded} was used for the release, {change.used or 'none'} now")
    return said


def _verdict(result: FileResult) -> str:
    if result.identical:
        return "identical"
    if result.found_sha256 is None:
        return "was not made"
    begin = f"differs (sha256 {result.found_sha256[:16]}, released {result.recorded_sha256[:16]})"
    if result.latitude.why and not result.refuted:
        return f"{begin}, which is acceptable: {result.latitude.why}{_structure(result)}"
    if result.tensors_identical is None:
        return f"{begin}. The release records no digests of its tensors, so the different ones are unknown"
    said = f"{begin}; {result.tensors_identical} of {result.tensors} tensors are identical"
    if not result.different_tensors and not result.different_keys:
        said += ", and so is every header key: only their order or the padding differs"
    return said


def _structure(result: FileResult) -> str:
    """What could still be compared."""
    if result.tensors_identical is None:
        return "; the release records nothing else to compare"
    same = "tensor names" if result.latitude.types else "tensor names, types and header"
    return f"; its {same} are the same, and {result.tensors_identical} of {result.tensors} tensors have the same bytes"


def _change(one: Difference) -> str:
    if one.found_sha256 is None:
        return "is missing now"
    if one.recorded_sha256 is None:
        return "is new"
    if one.recorded_type != one.found_type:
        return f"was {one.recorded_type}, is {one.found_type}"
    return "other bytes"
