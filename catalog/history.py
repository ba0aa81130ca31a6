"""The history of benchmark reports as a file format, ``bench-history/1``: one line for each report or acknowledgement.

Lines are only ever added, so two branches of a repository merge as a union. A line that cannot be used is set aside
with its number and the reason; the others are read. Pure.
"""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict, get_args

from catalog import jsontext, schema
from catalog.jsontext import JsonObject
from catalog.release import Model
from catalog.shapes import shaped

SCHEMA, REPORT_SCHEMA = "bench-history-v1", "bench-report-v1"
FORMAT = "bench-history/1"
FILE = "bench-history.jsonl"
"""In the evidence folder of a model."""
ID_DIGITS = 16
COMMIT = r"[0-9a-f]{7,64}(-dirty)?"
"""As the schema has it."""

Figure = Literal["decode_tokens_per_second", "prompt_tokens_per_second"]
FIGURES: tuple[Figure, ...] = get_args(Figure)
"""What is compared over time; for both, more is better. The time to the first token is the prompt's time once more."""


@dataclass(frozen=True)
class Run:
    """One report. series: what must be equal for two runs to be comparable, name -> value. setting: what was measured,
    on which device, in words; runs of one setting are drawn in one picture."""

    id: str
    model: str | None
    version: str | None
    type: str | None
    commit: str | None
    at_utc: str
    valid: bool
    reasons: tuple[str, ...]
    sha256: str
    file_name: str
    device: str
    setting: str
    series: Mapping[str, str]
    samples: Mapping[Figure, tuple[float, ...]]
    right: bool | None
    report: JsonObject

    def median(self, figure: Figure) -> float:
        """Of all samples, in tokens per second."""
        return statistics.median(self.samples[figure])


@dataclass(frozen=True)
class Ack:
    """A change that somebody acknowledged: the alarm of ``figure`` that began at ``run`` is accepted."""

    id: str
    at_utc: str
    run: str
    figure: Figure
    by: str
    reason: str


@dataclass(frozen=True)
class SetAside:
    """A line that cannot be used. number counts from 1."""

    number: int
    why: str


@dataclass(frozen=True)
class History:
    """What the lines hold: runs by time, each once; acknowledgements; lines that were set aside."""

    runs: tuple[Run, ...]
    acks: tuple[Ack, ...]
    aside: tuple[SetAside, ...] = ()


class _Line(TypedDict):
    id: str
    model: str | None
    version: str | None
    type: str | None
    commit: str | None
    report: dict[str, object]


class _File(TypedDict):
    name: str
    sha256: str


class _Machine(TypedDict):
    label: str | None
    board_model: str | None
    cpu_model: str | None
    machine: str | None
    kernel: str | None
    governor: str | None
    cores_usable: int | None
    memory_total_bytes: int | None


class _Software(TypedDict):
    llama_cpp_version: str | None
    llama_cpp_python_version: str | None


class _Sample(TypedDict):
    decode_tokens_per_second: float
    prompt_tokens_per_second: float


class _Report(TypedDict):
    """What is used of ``bench-report/1``."""

    measured_at_utc: str
    valid: bool
    reasons: list[str]
    file: _File
    device: _Machine
    software: _Software
    settings: dict[str, object]
    samples: list[_Sample]
    method: dict[str, object]


class _Probe(TypedDict):
    passed: bool


class _Board(TypedDict):
    engine: str
    profile: str
    accelerator: str
    threads_prompt: int
    kv_type: str
    probe: _Probe


def canonical(value: object) -> str:
    """One line of canonical JSON, without its end: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def id_of(document: Mapping[str, object]) -> str:
    """The id of a report, or of an acknowledgement without its id. Who measured is not a part of it: a report that is
    shared is the same run."""
    told = {key: value for key, value in document.items() if key not in ("measured_by", "id")}
    return hashlib.sha256(canonical(told).encode("utf-8", "surrogatepass")).hexdigest()[:ID_DIGITS]


def run_line(
    report: Mapping[str, object],
    *,
    model: str | None,
    version: str | None = None,
    type_: str | None = None,
    commit: str | None = None,
) -> dict[str, object]:
    """The line of a report."""
    names = {"model": model, "version": version, "type": type_, "commit": commit}
    return {"schema": FORMAT, "kind": "run", "id": id_of(report), **names, "report": report}


def ack_line(at_utc: str, run: str, figure: Figure, by: str, reason: str) -> dict[str, object]:
    """The line of an acknowledgement."""
    line: dict[str, object] = {"schema": FORMAT, "kind": "ack", "at_utc": at_utc, "run": run, "figure": figure,
                               "by": by, "reason": reason}  # fmt: skip
    return {**line, "id": id_of(line)}


def parse(raw: bytes) -> History:
    """The history in the bytes of a file. Never fails: what is not a line of this format is set aside."""
    runs, acks, aside = list[Run](), list[Ack](), list[SetAside]()
    *lines, rest = raw.split(b"\n")
    for number, line in enumerate([*lines, *([rest] if rest else [])], 1):
        if not line.strip():
            continue
        try:
            found = of_line(jsontext.parse(line, bounded=False))
        except ValueError as error:
            torn = number > len(lines)
            aside.append(SetAside(number, "it is incomplete" if torn else _short(str(error))))
            continue
        if isinstance(found, Run):
            runs.append(found)
        else:
            acks.append(found)
    return joined([History(tuple(runs), tuple(acks), tuple(aside))])


def joined(histories: Iterable[History]) -> History:
    """Several histories as one: every run and acknowledgement once, the first mention counts, sorted by time."""
    runs, acks, aside = dict[str, Run](), dict[str, Ack](), list[SetAside]()
    for one in histories:
        for run in one.runs:
            runs.setdefault(run.id, run)
        for ack in one.acks:
            acks.setdefault(ack.id, ack)
        aside += one.aside
    return History(
        tuple(sorted(runs.values(), key=lambda run: (run.at_utc, run.id))),
        tuple(sorted(acks.values(), key=lambda ack: (ack.at_utc, ack.id))),
        tuple(aside),
    )


def of_line(data: object) -> Run | Ack:
    """A line as its type. Raises ValueError with what is wrong with it."""
    _refuse(schema.violations(data, SCHEMA))
    assert isinstance(data, dict)
    if data["kind"] == "ack":
        told = {key: value for key, value in data.items() if key in Ack.__dataclass_fields__}
        ack = shaped(told, Ack)
        _refuse(["its id is not the digest of its content"] if ack.id != id_of(data) else [])
        return ack
    line = shaped(data, _Line)
    run = of_report(
        data["report"], model=line["model"], version=line["version"], type_=line["type"], commit=line["commit"]
    )
    _refuse(["its id is not the digest of its report"] if run.id != line["id"] else [])
    return run


def of_report(
    report: object,
    *,
    model: str | None = None,
    version: str | None = None,
    type_: str | None = None,
    commit: str | None = None,
) -> Run:
    """A report as a run. Raises ValueError with what is wrong with it."""
    _refuse(schema.violations(report, REPORT_SCHEMA))
    assert isinstance(report, dict)
    told = shaped(report, _Report)
    board = shaped(report["board"], _Board) if "board" in report else None
    series = _series(told, board)
    return Run(
        id=id_of(report), model=model, version=version, type=type_, commit=commit,
        at_utc=told["measured_at_utc"], valid=told["valid"], reasons=tuple(told["reasons"]),
        sha256=told["file"]["sha256"], file_name=told["file"]["name"], device=series["device"],
        setting=_setting(told, board), series=series,
        samples={figure: tuple(sample[figure] for sample in told["samples"]) for figure in FIGURES},
        right=None if board is None else board["probe"]["passed"], report=report,
    )  # fmt: skip


def _series(report: _Report, board: _Board | None) -> dict[str, str]:
    """What must be equal for two runs to be comparable: a difference begins a new series."""
    machine, software = report["device"], report["software"]
    words = (machine["label"], machine["board_model"], machine["cpu_model"], machine["machine"])
    settings = {key: value for key, value in report["settings"].items() if key != "samples"}
    how = None if board is None else {key: value for key, value in board.items() if key in _HOW}
    return {
        "device": next((one for one in words if one and one.strip()), "unknown device"),
        "processor": str(machine["cpu_model"]),
        "cores": str(machine["cores_usable"]),
        "memory bytes": str(machine["memory_total_bytes"]),
        "kernel": str(machine["kernel"]),
        "governor": str(machine["governor"]),
        "file": report["file"]["sha256"],
        "settings": canonical([settings, how]),
        "benchmark": _digest(report["method"]),
        "llama.cpp": str(software["llama_cpp_version"]),
        "llama-cpp-python": str(software["llama_cpp_python_version"]),
    }


_HOW = ("engine", "profile", "accelerator", "threads_prompt", "kv_type")


def _setting(report: _Report, board: _Board | None) -> str:
    settings = report["settings"]
    with_ = f" with {board['engine']}" if board else ""
    return (
        f"{settings.get('prompt_tokens')} + {settings.get('decode_tokens')} tokens, "
        f"{settings.get('threads')} threads{with_}"
    )


def key_of(series: Mapping[str, str]) -> str:
    """A short name of a series: the start of the digest of all its parts."""
    return _digest(series)[:12]


def _digest(value: object) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """What differs between two series, in words."""
    found = []
    for name, value in after.items():
        old = before.get(name, "")
        if old == value:
            continue
        plain = name in ("settings", "benchmark")
        short = name == "file"
        found.append(name if plain else f"{name} {old[:8] if short else old} to {value[:8] if short else value}")
    return found


def placed(run: Run, models: Iterable[Model]) -> tuple[str, str, str] | None:
    """(model, version, type) of the catalog's file that was measured, by its digest; None if it has none."""
    for model in models:
        for release in model.releases:
            for file in release.files:
                if run.sha256 in (file.sha256, file.measured_sha256):
                    return model.name, release.version, file.type
    return None


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:196]} ..."


def _refuse(found: Sequence[str]) -> None:
    if found:
        raise ValueError(found[0])
