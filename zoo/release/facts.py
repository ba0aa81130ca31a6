"""The facts of steps that a release reads from their artifacts; ``build`` makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

from catalog.release import ProbeScore
from zoo.judge.evaluation import Evaluation


@dataclass(frozen=True)
class Labelled:
    """Of ``label``: rows that were asked, and those with a valid answer."""

    rows: int
    valid_rows: int


@dataclass(frozen=True)
class Redacted:
    """Of ``redact``: rows that are not released, because no form of them followed their schema."""

    left_out: int


@dataclass(frozen=True)
class Trained:
    """Of ``distill``. The last two are figures on held-out conversations, see ``catalog.release.HeldOut``."""

    method: str
    adapter: str
    steps: int
    rows: int
    heldout_before: Mapping[str, object]
    heldout_after: Mapping[str, object]


class SmokeCheck(TypedDict):
    """One thing that a smoke test looks at, and what it found."""

    passed: bool
    detail: str


class Smoked(TypedDict):
    """The parts of a file's smoke test that are used."""

    passed: bool
    checks: dict[str, SmokeCheck]


def smoke_faults(one: Smoked) -> str:
    """What a smoke test found wrong; "" if it passed."""
    return " ".join(f"{name}: {check['detail']}" for name, check in one["checks"].items() if not check["passed"])


@dataclass(frozen=True)
class Measured:
    """Of ``evaluate``. smoke: by file type."""

    evaluation: Evaluation
    smoke: Mapping[str, Smoked]


@dataclass(frozen=True)
class Probed:
    """Of ``probe``."""

    scores: tuple[ProbeScore, ...]


@dataclass(frozen=True)
class Compared:
    """Of ``parity``: the checks, each with its outcome."""

    checks: tuple[Mapping[str, object], ...]


class Median(TypedDict):
    """The parts of a figure over all runs that are used."""

    median: float


class BenchSummary(TypedDict):
    """Speeds in tokens per second, times in seconds."""

    prompt_tokens_per_second: Median
    decode_tokens_per_second: Median
    time_to_first_token_seconds: Median
    load_seconds: float
    peak_memory_bytes: int | None


class BenchDevice(TypedDict):
    """The machine, by each of its names."""

    label: str | None
    board_model: str | None
    cpu_model: str | None
    machine: str | None


class BenchSettings(TypedDict):
    """The parts of the measurement's settings that are used."""

    threads: int


@dataclass(frozen=True)
class Bench:
    """``bench.json``, which ``pi_runtime`` writes. reasons: why the figures are not valid; empty if they are."""

    summary: BenchSummary
    device: BenchDevice
    settings: BenchSettings
    valid: bool
    reasons: tuple[str, ...]
