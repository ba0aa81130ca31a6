"""What was measured on this board over time: ``bench-history.jsonl``, only ever added to.

One line of canonical JSON for each report, in the format ``bench-history/1`` of the catalog, so that a zoo imports the
file as it is: ``zoo bench import``. A line that a power cut tore is skipped, and gets its end before the next one.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from pi_runtime import alarm, plainjson, store
from pi_runtime.plainjson import Json
from pi_runtime.settings import CouldNot
from pi_runtime.shape import Report
from pi_runtime.store import Kept
from pi_runtime.words import rate

FORMAT = "bench-history/1"
FILE = "bench-history.jsonl"
MOST_BYTES = 64 << 20
"""Of the file: some 3,000 reports. A larger one would slow a small board down."""

Figure = Literal["decode_tokens_per_second", "prompt_tokens_per_second"]
FIGURES: tuple[Figure, ...] = get_args(Figure)
SHORT: dict[Figure, str] = {"decode_tokens_per_second": "decode", "prompt_tokens_per_second": "prompt"}
_HOW = ("engine", "profile", "accelerator", "threads_prompt", "kv_type")


@dataclass(frozen=True)
class Run:
    """One report. series: the digest of what must be equal for two runs to be comparable. medians: tokens/s."""

    id: str
    at_utc: str
    valid: bool
    sha256: str
    series: str
    medians: Mapping[Figure, float]


@dataclass(frozen=True)
class History:
    """Runs by time, each once; accepted: (run, figure) pairs; skipped: numbers of lines that cannot be used."""

    runs: tuple[Run, ...]
    accepted: frozenset[tuple[str, str]]
    skipped: tuple[int, ...]


def path() -> Path:
    """The history of this user's store."""
    return store.home() / FILE


def canonical(value: object) -> str:
    """One line of canonical JSON, without its end: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _digest(value: object) -> str:
    return hashlib.sha256(canonical(value).encode("utf-8", "surrogatepass")).hexdigest()


def id_of(document: Mapping[str, object]) -> str:
    """The id of a report or of an acknowledgement. Who measured is not a part of it."""
    return _digest({key: value for key, value in document.items() if key not in ("measured_by", "id")})[:16]


def line_of(report: Report, kept: Kept) -> dict[str, object]:
    """The line of a report."""
    receipt, content = kept.receipt, dict(report)
    names = {"model": receipt.name, "version": receipt.version, "type": receipt.type, "commit": None}
    return {"schema": FORMAT, "kind": "run", "id": id_of(content), **names, "report": content}


def read(place: Path) -> History:
    """The history in a file; empty without one. Raises CouldNot for one that cannot be read or is too large."""
    try:
        if place.stat().st_size > MOST_BYTES:
            raise CouldNot(f"{place} is larger than {MOST_BYTES >> 20} MiB. Move it away: a new one is begun.")
        raw = place.read_bytes()
    except FileNotFoundError:
        return History((), frozenset(), ())
    except OSError as error:
        raise CouldNot(f"{place} cannot be read: {error.strerror}.") from error
    return parse(raw)


def parse(raw: bytes) -> History:
    """The history in these bytes. A line that cannot be used is skipped."""
    runs, accepted, skipped = dict[str, Run](), set[tuple[str, str]](), list[int]()
    for number, line in enumerate(raw.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            data = plainjson.parse(line, f"line {number}")
            if data["schema"].text != FORMAT:
                raise CouldNot(f"line {number} has another format.")
            if data["kind"].text == "ack":
                accepted.add((data["run"].text, data["figure"].text))
            else:
                run = _run(data["report"])
                runs.setdefault(run.id, run)
        except (CouldNot, ValueError):
            # ValueError: a number that JSON does not have, which no id can be made of.
            skipped.append(number)
    by_time = sorted(runs.values(), key=lambda run: (run.at_utc, run.id))
    return History(tuple(by_time), frozenset(accepted), tuple(skipped))


def _run(report: Json) -> Run:
    whole = {key: one.value for key, one in report.pairs}
    samples = report["samples"].items
    if not samples:
        raise CouldNot(f"{report.place} has no samples.")
    return Run(
        id_of(whole), report["measured_at_utc"].text, report["valid"].flag, report["file"]["sha256"].text,
        _digest(series_of(report)),
        {figure: statistics.median(one[figure].number for one in samples) for figure in FIGURES},
    )  # fmt: skip


def series_of(report: Json) -> dict[str, str]:
    """What must be equal for two runs to be comparable, name -> value."""
    machine, software = report["device"], report["software"]
    words = [machine.get(name) for name in ("label", "board_model", "cpu_model", "machine")]
    settings = {key: one.value for key, one in report["settings"].pairs if key != "samples"}
    board = report.get("board")
    how = None if board is None else {key: one.value for key, one in board.pairs if key in _HOW}
    return {
        "device": next((one.text for one in words if one and one.text.strip()), "unknown device"),
        "processor": _text(machine, "cpu_model"),
        "cores": _text(machine, "cores_usable"),
        "memory bytes": _text(machine, "memory_total_bytes"),
        "kernel": _text(machine, "kernel"),
        "governor": _text(machine, "governor"),
        "file": report["file"]["sha256"].text,
        "settings": canonical([settings, how]),
        "benchmark": _digest(report["method"].value),
        "llama.cpp": _text(software, "llama_cpp_version"),
        "llama-cpp-python": _text(software, "llama_cpp_python_version"),
    }


def _text(part: Json, key: str) -> str:
    found = part.get(key)
    return str(None if found is None else found.value)


def add(place: Path, line: Mapping[str, object]) -> None:
    """Add a line, which is on the disk afterwards. Two programs may add at the same time. Raises CouldNot."""
    try:
        store.make_folder(place.parent)
        with place.open("a+b") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            size = stream.seek(0, os.SEEK_END)
            torn = size > 0 and (stream.seek(size - 1), stream.read(1))[1] != b"\n"
            text = f"{canonical(line)}\n".encode("utf-8", "surrogatepass")
            if size + len(text) > MOST_BYTES:
                raise CouldNot(f"{place} is full. Move it away: a new one is begun.")
            stream.write(b"\n" + text if torn else text)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise CouldNot(f"{place} cannot be written: {error.strerror}.") from error


def accept(place: Path, run: str, figure: Figure, by: str, reason: str) -> None:
    """Record that somebody accepts the alarm that began at a run. Raises CouldNot."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    line: dict[str, object] = {"schema": FORMAT, "kind": "ack", "at_utc": now, "run": run, "figure": figure,
                               "by": by, "reason": reason}  # fmt: skip
    add(place, {**line, "id": id_of(line)})


@dataclass(frozen=True)
class Speed:
    """The newest valid run of a series, for one figure. began: the run at which a lasting alarm began."""

    figure: Figure
    value: float
    verdict: alarm.Verdict
    began: Run | None

    @property
    def words(self) -> str:
        """One line for people."""
        short, band = SHORT[self.figure], self.verdict.band
        if band is None:
            return f"{short}: fewer than {alarm.LEAST_RUNS} earlier runs to compare with"
        usual = f"{short}: usual are {rate(band.low)} to {rate(band.high)} tokens/s"
        if self.began is not None:
            slower = f"{1 - self.value / band.median:.0%} slower than usual"
            return f"{usual}. ALARM: {slower} since {self.began.at_utc[:10]}"
        below = self.value < band.low
        known = {
            "suspect": f"; this run is {'slower' if below else 'faster'}. Measure again: one more decides",
            "better": "; two runs in a row are faster: a new level",
        }
        return usual + known.get(self.verdict.state, "")


def speeds(runs: Sequence[Run], accepted: frozenset[tuple[str, str]]) -> Iterator[Speed]:
    """Each figure of the newest valid run. runs: valid ones of one series, oldest first; none gives nothing."""
    for figure in FIGURES if runs else ():
        values = [run.medians[figure] for run in runs]
        places = {place for place, run in enumerate(runs) if (run.id, figure) in accepted}
        verdict = alarm.judge(values, places)
        began = None if verdict.began is None else runs[verdict.began]
        yield Speed(figure, values[-1], verdict, began)


def newest(history: History, sha256: str) -> list[Run]:
    """The runs of a file in the series of its newest run, valid or not, oldest first."""
    mine = [run for run in history.runs if run.sha256 == sha256]
    return [run for run in mine if run.series == mine[-1].series] if mine else []
