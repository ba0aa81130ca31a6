"""Speeds that other people measured and shared: benchmark reports in the evidence folder of a version.

A report is a file ``reports/NAME.json`` there, of the schema ``bench-report/1`` with ``measured_by``. What a report
says about itself is checked here; whether its file and its speed are plausible, in ``zoo.choose.reported``.
"""

from __future__ import annotations

import glob
import math
import re
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict, get_args

from catalog import device as devices
from catalog import jsonplaces, jsontext, packed, plainfiles, schema
from catalog.problems import Problem
from catalog.release import Speed
from catalog.shapes import shaped
from catalog.yamltext import Document, Path_

FOLDER = "reports"
MOST_BYTES = 1 << 20
"""Of a report; one with five samples has 9 kB."""
ROUNDING = 1e-6
"""Relative difference between a figure and the median of its samples that rounding may make."""

SCHEMA = "bench-report-v1"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}\.json")
_Figure = Literal["prompt_tokens_per_second", "decode_tokens_per_second", "time_to_first_token_seconds"]
_FIGURES: tuple[_Figure, ...] = get_args(_Figure)


@dataclass(frozen=True)
class Measurement:
    """A report without faults of its own. document: its data with the places of all parts; content: its bytes.

    file_sha256 and size_bytes: of the model file that was measured.
    """

    document: Document
    content: bytes
    file_sha256: str
    size_bytes: int
    speed: Speed


class _Median(TypedDict):
    median: float


class _Summary(TypedDict):
    load_seconds: float
    prompt_tokens_per_second: _Median
    decode_tokens_per_second: _Median
    time_to_first_token_seconds: _Median
    peak_memory_bytes: int | None


class _Sample(TypedDict):
    prompt_tokens_per_second: float
    decode_tokens_per_second: float
    time_to_first_token_seconds: float


class _File(TypedDict):
    sha256: str
    size_bytes: int


class _Machine(TypedDict):
    label: str | None
    board_model: str | None
    cpu_model: str | None
    machine: str | None


class _Settings(TypedDict):
    threads: int


class _Report(TypedDict):
    """What is used of ``bench-report/1``."""

    measured_by: str
    valid: bool
    reasons: list[str]
    file: _File
    device: _Machine
    settings: _Settings
    summary: _Summary
    samples: list[_Sample]


def paths(evidence: Path, name: str | None = None) -> list[Path]:
    """What is in the folders of reports, sorted: of all models, or of one. evidence: the folder of all evidence."""
    return sorted(evidence.glob(f"{'*' if name is None else glob.escape(name)}/*/{FOLDER}/*"))


def version_of(path: Path) -> str:
    """The version that a report is about, by its folder."""
    return path.parent.parent.name


def name_of(path: Path) -> str:
    """The model that a report is about, by its folder."""
    return path.parent.parent.parent.name


def read(path: Path, shown_as: str) -> Measurement | list[Problem]:
    """The report in a file, or its problems."""
    if not _NAME.fullmatch(path.name):
        instead = "Name it like ada-pi-5-8gb.json: letters, digits, dots, - and _"
        return [Problem(shown_as, 1, 1, "", "this is not a good name for a report", instead)]
    try:
        if path.is_symlink():
            return [Problem(shown_as, 1, 1, "", "the file is a link", "Put the report itself there")]
        content = plainfiles.read_bounded(path, MOST_BYTES)
    except OSError as error:
        what = f"the report cannot be read: {error.strerror}"
        return [Problem(shown_as, 1, 1, "", what, "Share the JSON file that pi_runtime bench wrote")]
    return _parsed(content, shown_as)


def _parsed(content: bytes, shown_as: str) -> Measurement | list[Problem]:
    try:
        text = content.decode("utf-8")
        data = jsontext.parse(text, unique=True)
    except UnicodeDecodeError:
        return [Problem(shown_as, 1, 1, "", *packed.undecoded(content, shown_as))]
    except jsontext.NotJson as error:
        instead = "Share the JSON file that pi_runtime bench wrote"
        return [Problem(shown_as, error.line, error.column, "", f"not valid JSON: {error.what}", instead)]
    document = jsonplaces.document(text, shown_as, data)
    if found := schema.problems(document, SCHEMA):
        return found
    if not isinstance(data, dict) or "measured_by" not in data:
        instead = 'Add your name or nickname: "measured_by": "NAME"'
        return [document.problem((), "it is not known who measured", instead)]
    report = shaped(data, _Report)
    found = list(_problems(report, document))
    return found or Measurement(
        document, content, report["file"]["sha256"], report["file"]["size_bytes"], _speed(report, shown_as)
    )


def _problems(report: _Report, document: Document) -> Iterator[Problem]:
    if not report["valid"]:
        why = f"the run is not valid: {'; '.join(report['reasons'])[:300]}"
        yield document.problem(("valid",), why, "Measure again on an idle machine")
    for name in _FIGURES:
        path: Path_ = ("summary", name, "median")
        said, right = (
            report["summary"][name]["median"],
            statistics.median(sample[name] for sample in report["samples"]),
        )
        if not math.isclose(said, right, rel_tol=ROUNDING):
            what = f"{said:.6g} is not the median of the samples, {right:.6g}"
            yield document.problem(path, what, "Share the file as pi_runtime bench wrote it")
    for place, words in ((("measured_by",), report["measured_by"]), (("device", "label"), report["device"]["label"])):
        if re.search(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]", words or ""):
            yield document.problem(place, "it has control characters", "Write it in letters")
    if not device_of(report["device"]):
        known = ", ".join(device.id for device in devices.DEVICES)
        yield document.problem(("device", "label"), "the device is not described", f"Write one of: {known}")


def device_of(machine: _Machine) -> str | None:
    """The id of the device profile, else the words that describe the machine; None without any."""
    label, board = machine["label"], machine["board_model"]
    return next((words for words in (label, board, machine["cpu_model"]) if words and words.strip()), None)


def _speed(report: _Report, shown_as: str) -> Speed:
    summary, machine = report["summary"], report["device"]
    return Speed(
        device=device_of(machine) or "",
        cpu=machine["cpu_model"] or machine["machine"] or "unknown",
        threads=report["settings"]["threads"],
        prompt_tokens_per_second=summary["prompt_tokens_per_second"]["median"],
        decode_tokens_per_second=summary["decode_tokens_per_second"]["median"],
        time_to_first_token_seconds=summary["time_to_first_token_seconds"]["median"],
        load_seconds=summary["load_seconds"],
        peak_memory_bytes=summary["peak_memory_bytes"],
        valid=True,
        reasons=(),
        evidence=f"{FOLDER}/{shown_as.rpartition('/')[2]}",
        by=" ".join(report["measured_by"].split()),
    )


def people(speeds: Iterable[Speed]) -> int:
    """How many people shared these measurements."""
    return len({speed.by for speed in speeds if speed.by})
