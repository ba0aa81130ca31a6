"""A report that came from a board: judged like one that a stranger shares, and kept in the evidence of its release."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from catalog import history as formats
from catalog import reports
from catalog.problems import Problem
from catalog.release import ModelFile, Release
from zoo.choose import reported
from zoo.files.whole import write_atomic
from zoo.history import store


@dataclass(frozen=True)
class Brought:
    """Where a report is now. valid: of the run. path: of the report, or of the history if the run is not valid."""

    valid: bool
    reasons: tuple[str, ...]
    path: Path
    decode: float
    prompt: float


@dataclass(frozen=True)
class Measured:
    """What was to be measured, and where reports go. evidence: the folder of all evidence; drafts: a work folder."""

    name: str
    release: Release
    file: ModelFile
    evidence: Path
    drafts: Path

    @property
    def spec(self) -> str:
        """As ``pi-zoo`` takes it."""
        return f"{self.name}@{self.release.version}:{self.file.type}"


def keep(report: dict[str, object], of: Measured) -> Brought | list[Problem]:
    """Keep a report, or say what is wrong with it; then it stays a draft. Raises ZooError, or OSError.

    A valid one becomes a file that a pull request can have. One of a run that was disturbed goes into the history,
    where it is marked.
    """
    name = report_name(report, of.file.type)
    draft, version, type_ = of.drafts / name, of.release.version, of.file.type
    draft.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(draft, json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    try:
        run = formats.of_report(report, model=of.name, version=version, type_=type_)
    except ValueError as error:
        return [Problem(str(draft), 1, 1, "", f"not a benchmark report: {error}", "Update pi-zoo on the board")]
    decode, prompt = run.median("decode_tokens_per_second"), run.median("prompt_tokens_per_second")
    if not run.valid:
        if run.sha256 not in (of.file.sha256, of.file.measured_sha256):
            what = f"it is about a file with the sha256 {run.sha256}, not about {of.spec}"
            return [Problem(str(draft), 1, 1, "", what, "Run pi-zoo verify on the board")]
        line = formats.run_line(report, model=of.name, version=version, type_=type_)
        store.add(of.evidence, of.name, [line])
        draft.unlink()
        return Brought(False, run.reasons, store.path_of(of.evidence, of.name), decode, prompt)
    found = reports.read(draft, str(draft))
    problems = found if isinstance(found, list) else reported.problems(found, of.release)
    if problems:
        return problems
    target = of.evidence / of.name / version / reports.FOLDER / name
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(target, draft.read_bytes())
    draft.unlink()
    return Brought(True, (), target, decode, prompt)


def report_name(report: dict[str, object], type_: str) -> str:
    """``ada-pi-5-8gb-Q8_0-20261129T101112Z.json``."""
    device = report.get("device")
    label = device.get("label") if isinstance(device, dict) else None
    time = re.sub(r"[^0-9TZ]", "", str(report.get("measured_at_utc")))
    parts = (str(report.get("measured_by")), str(label or "board"), type_, time)
    plain = "-".join(re.sub(r"[^A-Za-z0-9_]+", "-", part).strip("-_")[:40] or "x" for part in parts)
    return f"{plain[:110]}.json"
