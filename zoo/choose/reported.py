"""Speeds that others measured, judged against the release and the device, and added to the release's own. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from catalog import device as devices
from catalog.problems import Problem
from catalog.release import Model, ModelFile, Release
from catalog.reports import Measurement
from catalog.words import rate
from zoo.choose import roofline

MOST_BYTES_PER_SECOND = 2.0 * 10**12
"""What the memory of a machine without a profile can deliver at most. The fastest servers of 2026 stay below it."""

MOST_OPERATIONS_PER_SECOND = 10.0**14
"""What the cores of one machine compute at most; a token of the prompt takes two operations for each weight."""

_DECODE = ("decode_tokens_per_second", "median")


def problems(one: Measurement, release: Release) -> list[Problem]:
    """Why a report cannot be about this release, or its speed cannot be true."""
    file = file_of(one, release)
    if file is None:
        what = "no file of this version has this digest"
        instead = f"Measure a file of {release.version}, as published, or move the report to its version"
        return [one.document.problem(("file", "sha256"), what, instead)]
    found = []
    if one.size_bytes not in (file.size_bytes, _measured_size(one, file)):
        what = f"the file has {file.size_bytes:,} bytes, not {one.size_bytes:,}"
        found.append(one.document.problem(("file", "size_bytes"), what, "Share the report as it was written"))
    for figure, why in _implausible(one, file, release):
        found.append(one.document.problem(("summary", *figure), why, "Check the device label, and measure again"))
    return found


def file_of(one: Measurement, release: Release) -> ModelFile | None:
    """The file that a report is about: published, or the same before its header got its words."""
    return next((f for f in release.files if one.file_sha256 in (f.sha256, f.measured_sha256)), None)


def joined(model: Model, reports: Mapping[str, Sequence[Measurement]]) -> Model:
    """The model with the speeds of sound reports, by version. They come after the release's own."""
    releases = tuple(_release(one, reports.get(one.version, ())) for one in model.releases)
    return replace(model, releases=releases) if any(reports.values()) else model


def _release(release: Release, reports: Sequence[Measurement]) -> Release:
    sound = [one for one in reports if not problems(one, release)]
    return replace(release, files=tuple(_with(file, release, sound) for file in release.files)) if sound else release


def _with(file: ModelFile, release: Release, reports: Iterable[Measurement]) -> ModelFile:
    more = tuple(one.speed for one in reports if file_of(one, release) is file)
    return replace(file, speeds=file.speeds + more) if more else file


def _measured_size(one: Measurement, file: ModelFile) -> int:
    """The size of the file that was measured; only the digest of that one is recorded."""
    return one.size_bytes if one.file_sha256 == file.measured_sha256 != file.sha256 else file.size_bytes


def _implausible(one: Measurement, file: ModelFile, release: Release) -> Iterator[tuple[tuple[str, ...], str]]:
    """(figure of the summary, why it cannot be true)."""
    speed, device = one.speed, devices.find(one.speed.device)
    most_prompt = MOST_OPERATIONS_PER_SECOND / (2 * max(release.architecture.parameters, 1))
    if not release.architecture.experts and speed.prompt_tokens_per_second > most_prompt:
        said = rate(speed.prompt_tokens_per_second)
        yield ("prompt_tokens_per_second", "median"), f"no processor reads {said} tokens/s with a model of this size"
    if device and (speed.peak_memory_bytes or 0) > device.memory_bytes:
        yield ("peak_memory_bytes",), f"{device.name} has less memory than that"
    if device:
        verdict = roofline.plausible(
            speed.decode_tokens_per_second, roofline.predict(file, release.architecture, device, 0)
        )
        if not verdict.kept:
            yield _DECODE, verdict.sentence.rstrip(".")
    elif roofline.judged(file, release.architecture):
        most = MOST_BYTES_PER_SECOND / roofline.weight_bytes(file)
        if speed.decode_tokens_per_second > most:
            said = rate(speed.decode_tokens_per_second)
            yield _DECODE, f"no machine reads the weights {said} times per second; about {rate(most)} is the most"
