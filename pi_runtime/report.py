"""The report as JSON, as CSV and as a summary for a person; files are written atomically (complete or not at all)."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import statistics
import tempfile
from pathlib import Path
from typing import Literal

from pi_runtime.settings import CouldNot
from pi_runtime.shape import BoardPart, Device, Distribution, Report
from pi_runtime.words import counted, data_size

CsvSetting = Literal["threads", "prompt_tokens", "decode_tokens"]
CSV_SETTINGS: tuple[CsvSetting, ...] = ("threads", "prompt_tokens", "decode_tokens")
CSV_WORLD = ("file_name", "file_sha256", "device_label", "measured_at_utc", "valid", *CSV_SETTINGS)
"""Columns before those of the sample, so that rows of several reports can be put into one table."""


def to_json(report: Report) -> str:
    """The report as text with a final newline. Infinity and NaN are refused, as JSON has no such numbers."""
    return json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def to_csv(report: Report) -> str:
    """One row for each counted sample; an empty cell is a value this machine does not tell."""
    world: dict[str, str | int | None] = {
        "file_name": report["file"]["name"],
        "file_sha256": report["file"]["sha256"],
        "device_label": report["device"]["label"],
        "measured_at_utc": report["measured_at_utc"],
        "valid": str(report["valid"]).lower(),
        **{key: report["settings"][key] for key in CSV_SETTINGS},
    }
    text = io.StringIO()
    table = csv.DictWriter(text, [*CSV_WORLD, *report["samples"][0]], lineterminator="\n")
    table.writeheader()
    table.writerows({**world, **sample} for sample in report["samples"])
    return text.getvalue()


def to_summary(report: Report, part: BoardPart | None = None) -> str:
    """A dozen lines for a person. part: of a measurement through llama-server."""
    summary, settings, device = report["summary"], report["settings"], report["device"]
    board = device["label"] or device["board_model"] or device["cpu_model"] or device["machine"]
    peak = summary["peak_memory_bytes"]
    lines = [
        f"{report['file']['name']} on {board}, {counted(settings['threads'], 'thread')}",
        *_cores(device),
        f"  load                 {summary['load_seconds']:.2f} s (file cached, not counted below)",
        _line(f"prompt, {settings['prompt_tokens']}", summary["prompt_tokens_per_second"], "tokens/s"),
        _line(f"decode, {settings['decode_tokens']}", summary["decode_tokens_per_second"], "tokens/s"),
        _line("time to first token", summary["time_to_first_token_seconds"], "s"),
        f"  peak memory          {'not known' if peak is None else data_size(peak)}",
    ]
    if part:
        lines += _board(part)
    if report["valid"]:
        lines.append(f"  valid: {len(report['samples'])} samples, undisturbed")
    else:
        lines += ["  NOT VALID:", *(f"    - {reason}" for reason in report["reasons"])]
    return "\n".join(lines) + "\n"


def _board(part: BoardPart) -> list[str]:
    """The other work, and whether the answers are right."""
    lines = []
    for work in part["workloads"]:
        first = statistics.median(one["time_to_first_token_seconds"] for one in work["samples"])
        speed = statistics.median(one["decode_tokens_per_second"] for one in work["samples"])
        prompt = statistics.median(one["prompt_tokens_per_second"] for one in work["samples"])
        after = f", then {speed:.2f} tokens/s" if work["decode_tokens"] > 1 else ""
        lines.append(f"  {work['name']:<20} first token after {first:.2f} s ({prompt:.2f} tokens/s of prompt){after}")
    lines += [f"  not measured         {one}" for one in part["skipped"]]
    probe, joules = part["probe"], part["energy"]["joules_per_token"]
    if joules is not None:
        lines.append(f"  energy               {joules:.3f} joules for each token, prompts included")
    words = f"{probe['continuations']} of {probe['continuations_asked']} known sequences continued"
    state = "right" if probe["passed"] else "WRONG"
    apart = f"batch and single steps {probe['largest_gap_nats']:.2f} nats apart"
    lines.append(f"  answers              {state}: {words}, {apart}")
    return lines


def _cores(device: Device) -> list[str]:
    """The cores that the threads ran on; older reports contain less."""
    if device.get("cores_physical") is None:
        return []
    words = (
        f"{device['cores_fast']} fast of {device['cores_physical']}, {device['cores_usable']} logical CPUs"
    )
    quota = device.get("cpu_quota")
    return [f"  cores                {words}{'' if quota is None else f', quota of {quota:g} CPUs'}"]


def _line(name: str, values: Distribution, unit: str) -> str:
    text = f"  {name:<20} {values['median']:.2f} {unit}"
    if values["lower_quartile"] is None:
        return text
    return f"{text}, quartiles {values['lower_quartile']:.2f} to {values['upper_quartile']:.2f}"


def file_stem(report: Report) -> str:
    """``MODEL[--DEVICE]--TIME``: the time keeps an earlier report from being replaced."""
    name = report["file"]["name"].removesuffix(".gguf")
    label = report["device"]["label"] or ""
    when = re.sub(r"[-:]", "", report["measured_at_utc"])
    parts = (re.sub(r"[^A-Za-z0-9._-]+", "-", part).strip("-.") for part in (name, label, when))
    return "--".join(part for part in parts if part)


def check_folder(folder: Path) -> None:
    """Make ``folder`` if necessary and check that it is writable, before the measurement takes minutes."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CouldNot(f"Reports cannot be written to {folder}: {error.strerror}.") from error


def write(report: Report, folder: Path) -> list[Path]:
    """Write ``STEM.csv`` and ``STEM.json`` into ``folder``, both or neither."""
    stem = file_stem(report)
    texts = {folder / f"{stem}.csv": to_csv(report), folder / f"{stem}.json": to_json(report)}
    try:
        write_together(texts)
    except OSError as error:
        raise CouldNot(f"The report could not be written to {folder}: {error.strerror}.") from error
    return list(texts)


def write_together(texts: dict[Path, str]) -> None:
    """Write every text to a temporary file next to its place, then move all of them there.

    Ctrl-C and SIGTERM wait during the moves, so that they cannot leave one file of two.
    """
    ready: dict[Path, Path] = {}
    try:
        for place, text in texts.items():
            ready[place] = _temporary(place, text)
        stops = {signal.SIGINT, signal.SIGTERM}
        old = signal.pthread_sigmask(signal.SIG_BLOCK, stops)
        try:
            for place in texts:
                ready[place].replace(place)
                del ready[place]
            _settle({place.parent for place in texts})
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, old)
    finally:
        for leftover in ready.values():
            leftover.unlink(missing_ok=True)


def _temporary(place: Path, text: str) -> Path:
    """``text`` in a temporary file on the same file system, on the disk and not only in its cache."""
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.", suffix=".tmp")
    path = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files private; a report is meant to be read by others.
        path.chmod(0o644)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _settle(folders: set[Path]) -> None:
    """Bring the new names to the disk too: a Pi is often switched off by pulling its plug."""
    for folder in folders:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
