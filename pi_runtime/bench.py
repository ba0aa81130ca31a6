"""``measure``: one GGUF file in an engine, one report.

Order of events: digest of the file (which also brings it into the page cache), state of the machine, start of the
engine, load, one warm-up, the samples, state of the machine. Each sample empties the context, runs the same
prompt and takes the same number of greedy tokens.
"""

from __future__ import annotations

import functools
import hashlib
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pi_runtime import VERSION, sampling, surroundings, system, verdict
from pi_runtime.engine import Engine, Loaded
from pi_runtime.sampling import Progress, quiet
from pi_runtime.settings import WARMUPS, CouldNot, Settings
from pi_runtime.shape import FileIdentity, Memory, Report, SettingsUsed
from pi_runtime.words import counted

SCHEMA = "bench-report/1"
PROMPT_SEED = 1
PROMPT_RULE = "x = seed; for each id: x = (1103515245 x + 12345) mod 2^31, id = floor(x / 256) mod vocabulary"

METHOD = {
    "quartiles": verdict.QUARTILE_RULE,
    "spread": "(upper quartile - lower quartile) / median",
    "load_seconds": "opening the file and making the context; the file had just been read for its digest, "
    "so storage does not count if memory could hold the file; no speed includes this",
    "prompt_tokens_per_second": "prompt tokens / prompt_seconds, until the last token's logits are ready",
    "time_to_first_token_seconds": "from the start of the prompt until the first token is chosen",
    "decode_tokens_per_second": "decode tokens / decode_seconds, one token at a time after the first, "
    "greedy choice included",
    "peak_memory_bytes": "VmHWM of the engine, from /proc: weights mapped from the file as far as they were "
    "resident, copies that llama.cpp repacks, KV cache, compute buffers, and the program itself with its modules "
    "(about memory_before_load_bytes)",
    "others_cpu_share": "(busy time of the whole machine - CPU time of this program and the engine) / all CPU time, "
    "over the samples",
    "prompt_token_ids": PROMPT_RULE,
}


def measure(path: Path, settings: Settings, engine: Sequence[str], progress: Progress = quiet) -> Report:
    """Measure ``path`` in an engine (the words of its command) and return the report. Raises CouldNot or
    InvalidArguments."""
    settings.check()
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    progress(f"reading {path.name}", None)
    stamp, identity = _stamp(path), identify(path)
    before = system.conditions()
    with Engine(engine, path) as running:
        memory_before = surroundings.memory(running.pid, "VmRSS")
        was_reset = surroundings.reset_peak_memory(running.pid)
        progress(f"loading with {counted(settings.threads_used, 'thread')}", None)
        loaded = running.load(settings)
        prompt = prompt_ids(settings.prompt_tokens, loaded.model["vocabulary_tokens"])
        work = functools.partial(running.run, prompt, settings.decode_tokens)
        warmup = sampling.warm_up(work, running.pid, progress)
        taken = sampling.take(work, settings.samples, running.pid, progress)
        memory: Memory = {
            "peak_memory_bytes": surroundings.memory(running.pid, "VmHWM"),
            "peak_memory_was_reset": was_reset,
            "memory_before_load_bytes": memory_before,
            "memory_anonymous_bytes": surroundings.memory(running.pid, "RssAnon"),
            "memory_file_bytes": surroundings.memory(running.pid, "RssFile"),
        }
    if _stamp(path) != stamp:
        raise CouldNot(f"{path.name} changed during the measurement.")
    report: Report = {
        "schema": SCHEMA,
        "measured_at_utc": started,
        "valid": False,
        "reasons": [],
        "thresholds": dict(verdict.THRESHOLDS),
        "file": identity,
        "model": loaded.model,
        "device": system.device(settings.device_label),
        "software": {"pi_runtime_version": VERSION, "python_version": platform.python_version(), **running.versions},
        "settings": _settings_used(loaded, settings),
        "summary": {"load_seconds": loaded.seconds, **verdict.summarise(taken.samples), **memory},
        "conditions": {
            "before": before,
            "after": system.conditions(),
            "others_cpu_share": taken.others_cpu_share,
            "major_page_faults": taken.major_page_faults,
        },
        "prompt_token_ids": prompt,
        "decoded_token_ids": warmup.tokens,
        "decoded_alike_every_time": taken.alike and taken.runs[0].tokens == warmup.tokens,
        "warmup": warmup.times,
        "samples": taken.samples,
        "method": METHOD,
    }
    report["reasons"] = verdict.reasons(report)
    report["valid"] = not report["reasons"]
    return report


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise CouldNot(f"{path.name} cannot be read: {error.strerror}.") from error
    return status.st_size, status.st_mtime_ns


def check_file(path: Path) -> None:
    """Refuse what is clearly not a single GGUF file, before any expensive work."""
    if re.search(r"-\d{5}-of-\d{5}\.gguf$", path.name):
        join = "Join the parts with: llama-gguf-split --merge FIRST OUT"
        raise CouldNot(f"{path.name} is one part of a split model. {join}")
    if path.exists() and not path.is_file():
        raise CouldNot(f"{path.name} is not a regular file.")
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise CouldNot(f"{path.name} cannot be read: {error.strerror}.") from error
    if head[:8] == b"version ":
        raise CouldNot(f"{path.name} is a Git LFS pointer, not the file itself. Download the file with: git lfs pull")
    if head[:4] != b"GGUF" or len(head) < 8:
        raise CouldNot(f"{path.name} is not a GGUF file: it does not begin with the letters GGUF and a version.")


def identify(path: Path) -> FileIdentity:
    """Base name, size in bytes and sha256. The folder is left out: it may identify a person."""
    check_file(path)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    except OSError as error:
        raise CouldNot(f"{path.name} cannot be read: {error.strerror}.") from error
    return {"name": path.name, "size_bytes": size, "sha256": digest}


def prompt_ids(count: int, vocabulary: int, seed: int = PROMPT_SEED) -> list[int]:
    """``count`` token ids below ``vocabulary``, the same on every machine (see PROMPT_RULE)."""
    ids, state = [], seed
    for _ in range(count):
        state = (1103515245 * state + 12345) % 2**31
        ids.append(state // 256 % vocabulary)
    return ids


def _settings_used(loaded: Loaded, settings: Settings) -> SettingsUsed:
    return {
        "prompt_tokens": settings.prompt_tokens,
        "decode_tokens": settings.decode_tokens,
        "samples": settings.samples,
        "warmups": WARMUPS,
        "threads": settings.threads_used,
        "context_tokens": loaded.context_tokens,
        "ubatch_tokens": loaded.ubatch_tokens,
        "gpu_layers": 0,
        "prompt_seed": PROMPT_SEED,
    }
