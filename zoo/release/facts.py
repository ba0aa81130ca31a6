"""What a release reads of the facts that steps left with their artifacts; ``build`` makes these of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

from catalog.release import ProbeScore
from zoo.judge.evaluation import Evaluation


@dataclass(frozen=True)
class Labelled:
    """Of ``label``: rows that were asked, and those with a sound answer."""

    rows: int
    valid_rows: int


@dataclass(frozen=True)
class Trained:
    """Of ``distill``. The last two are figures on held-out conversations, see ``catalog.release.HeldOut``."""

    method: str
    adapter: str
    steps: int
    rows: int
    heldout_before: Mapping[str, object]
    heldout_after: Mapping[str, object]


class Smoked(TypedDict):
    """A file's chat smoke test, as far as it is read."""

    passed: bool


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
    """A figure over all runs, as far as it is read."""

    median: float


class BenchSummary(TypedDict):
    """Speeds in tokens per second, times in seconds."""

    prompt_tokens_per_second: Median
    decode_tokens_per_second: Median
    time_to_first_token_seconds: Median
    load_seconds: float
    peak_memory_bytes: int | None


class BenchDevice(TypedDict):
    """The machine, by each of the names that it has."""

    label: str | None
    board_model: str | None
    cpu_model: str | None
    machine: str | None


class BenchSettings(TypedDict):
    """How it was measured, as far as it is read."""

    threads: int


@dataclass(frozen=True)
class Bench:
    """``bench.json``, which ``pi_runtime`` writes. reasons: why the figures do not count; none where they do."""

    summary: BenchSummary
    device: BenchDevice
    settings: BenchSettings
    valid: bool
    reasons: tuple[str, ...]
