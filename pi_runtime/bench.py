"""``measure``: one GGUF file, one report.

Order of events: digest of the file (which also brings it into the page cache), state of the machine,
load, one warm-up, the samples, state of the machine. Each sample empties the context, runs the same
prompt and takes the same number of greedy tokens.
"""

from __future__ import annotations

import hashlib
import platform
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pi_runtime import VERSION, system, verdict
from pi_runtime.llama import Session, software
from pi_runtime.settings import WARMUPS, CouldNot, Settings
from pi_runtime.shape import During, FileIdentity, Memory, Report, Runs, Sample, SettingsUsed, State, Times
from pi_runtime.words import counted, rate

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
    "peak_memory_bytes": "VmHWM of the measuring process: weights mapped from the file as far as they were "
    "resident, copies that llama.cpp repacks, KV cache, compute buffers, and Python itself with its modules "
    "(about memory_before_load_bytes)",
    "others_cpu_share": "(busy time of the whole machine - own CPU time) / all CPU time, over the samples",
    "prompt_token_ids": PROMPT_RULE,
}

Progress = Callable[[str, int | None], None]
"""Receives a line for people, and the number of finished runs if it changed; the warm-up is the first run."""


def quiet(_line: str, _runs: int | None) -> None:
    """A progress listener that ignores everything."""


def measure(path: Path, settings: Settings, progress: Progress = quiet) -> Report:
    """Measure ``path`` in this process and return the report. Raises CouldNot or InvalidArguments."""
    settings.check()
    versions = software()
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    progress(f"reading {path.name}", None)
    stamp, identity = _stamp(path), identify(path)
    before = system.conditions()
    memory_before = system.own_memory("VmRSS")
    was_reset = system.reset_peak_memory()
    progress(f"loading with {counted(settings.threads_used, 'thread')}", None)
    clock = time.perf_counter()
    with Session(path, settings) as session:
        load_seconds = time.perf_counter() - clock
        during, run = _samples(session, settings, progress)
        memory: Memory = {
            "peak_memory_bytes": system.own_memory("VmHWM"),
            "peak_memory_was_reset": was_reset,
            "memory_before_load_bytes": memory_before,
            "memory_anonymous_bytes": system.own_memory("RssAnon"),
            "memory_file_bytes": system.own_memory("RssFile"),
        }
        model, used = session.describe(), _settings_used(session, settings)
    if _stamp(path) != stamp:
        raise CouldNot(f"{path.name} changed during the measurement.")
    report: Report = {
        "schema": SCHEMA,
        "measured_at_utc": started,
        "valid": False,
        "reasons": [],
        "thresholds": dict(verdict.THRESHOLDS),
        "file": identity,
        "model": model,
        "device": system.device(settings.device_label),
        "software": {"pi_runtime_version": VERSION, "python_version": platform.python_version(), **versions},
        "settings": used,
        "summary": {"load_seconds": load_seconds, **verdict.summarise(run["samples"]), **memory},
        "conditions": {"before": before, "after": system.conditions(), **during},
        **run,
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


def _settings_used(session: Session, settings: Settings) -> SettingsUsed:
    return {
        "prompt_tokens": settings.prompt_tokens,
        "decode_tokens": settings.decode_tokens,
        "samples": settings.samples,
        "warmups": WARMUPS,
        "threads": settings.threads_used,
        "context_tokens": session.context_tokens,
        "ubatch_tokens": session.ubatch_tokens,
        "gpu_layers": 0,
        "prompt_seed": PROMPT_SEED,
    }


def _samples(session: Session, settings: Settings, progress: Progress) -> tuple[During, Runs]:
    """Warm up, take the samples, and record what the rest of the machine did meanwhile."""
    prompt = prompt_ids(settings.prompt_tokens, session.vocabulary_tokens)
    progress("warming up", None)
    share = system.CpuShare()
    first, warmup = _sample(session, prompt, settings.decode_tokens)
    progress("warmed up", 1)
    for complaint in verdict.busy(share.others()):
        progress(f"before the samples, {complaint}; the run is unlikely to be valid", None)
    share, faults = system.CpuShare(), system.major_page_faults()
    repeats, samples = True, list[Sample]()
    for number in range(1, settings.samples + 1):
        tokens, times = _sample(session, prompt, settings.decode_tokens)
        repeats = repeats and tokens == first
        samples.append({"number": number, **times, **_state()})
        progress(
            f"sample {number} of {settings.samples}: prompt {times['prompt_tokens_per_second']:.1f}, "
            f"decode {rate(times['decode_tokens_per_second'])} tokens/s",
            number + 1,
        )
    during: During = {
        "others_cpu_share": share.others(),
        "major_page_faults": system.major_page_faults() - faults,
    }
    return during, {
        "prompt_token_ids": prompt,
        "decoded_token_ids": first,
        "decoded_alike_every_time": repeats,
        "warmup": warmup,
        "samples": samples,
    }


def _sample(session: Session, prompt: list[int], decode_tokens: int) -> tuple[list[int], Times]:
    """One prompt and ``decode_tokens`` tokens after the first one: the tokens and the raw seconds."""
    session.forget()
    clock = time.perf_counter
    start = clock()
    session.feed(prompt)
    prompt_done = clock()
    tokens = [session.greedy_token()]
    first_done = clock()
    for _ in range(decode_tokens):
        session.feed(tokens[-1:])
        tokens.append(session.greedy_token())
    decode_seconds = clock() - first_done
    prompt_seconds = prompt_done - start
    if prompt_seconds <= 0 or decode_seconds <= 0:
        raise CouldNot("The machine's clock did not advance during a sample, so nothing can be measured.")
    return tokens, {
        "prompt_seconds": prompt_seconds,
        "decode_seconds": decode_seconds,
        "time_to_first_token_seconds": first_done - start,
        "prompt_tokens_per_second": len(prompt) / prompt_seconds,
        "decode_tokens_per_second": decode_tokens / decode_seconds,
    }


def _state() -> State:
    """The state of the device directly after a sample, before its clock changes again."""
    return {
        "frequency_hertz": system.frequency(),
        "temperature_celsius": system.temperature()[0],
        "throttled_flags": system.throttled(),
    }
