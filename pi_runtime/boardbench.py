"""Measure a model through llama-server, as it runs on a board: a report of the same form as ``bench.measure`` makes.

Order of events: digest of the file, state of the board, start of the server, correctness probe, one warm-up, the
samples, state of the board, then the other work: a long prompt and a chat turn. Each request forbids the prompt cache.
"""

from __future__ import annotations

import functools
import platform
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pi_runtime import VERSION, parsers, probing, programs, sampling, surroundings, system, verdict
from pi_runtime.accelerate import Plan
from pi_runtime.bench import PROMPT_RULE, PROMPT_SEED, SCHEMA, identify, prompt_ids
from pi_runtime.boardruns import LONG_DECODE, LONG_PROMPT, more, run
from pi_runtime.plainjson import Json
from pi_runtime.sampling import Progress, Run, Taken
from pi_runtime.server import Model, Server
from pi_runtime.settings import WARMUPS, Settings
from pi_runtime.shape import (
    BoardPart,
    BoardReport,
    Energy,
    Look,
    Memory,
    ModelFacts,
    Report,
    Sample,
    SettingsUsed,
    Summary,
    Swap,
    Temperature,
)
from pi_runtime.surroundings import Meter
from pi_runtime.words import counted

LEAST_CONTEXT = 256
"""Room for the probe and the chat turn."""

SHORT = "prompt 4096 and chat turn: left out on request"
PROBED_TOKENS = 64
UBATCH_TOKENS = 512

METHOD = {
    "quartiles": verdict.QUARTILE_RULE,
    "spread": "(upper quartile - lower quartile) / median",
    "load_seconds": "from the start of llama-server until its health probe answers; warm: the file was in the page "
    "cache, because it had just been read for its digest; cold: storage delivered at least half of it; no speed "
    "includes this",
    "prompt_tokens_per_second": "prompt tokens / prompt_seconds, which llama-server reports as prompt_ms",
    "time_to_first_token_seconds": "from sending the request until the first token arrives, both on this board",
    "decode_tokens_per_second": "tokens after the first one / decode_seconds, which llama-server reports as "
    "predicted_ms",
    "peak_memory_bytes": "VmHWM of llama-server, from /proc",
    "others_cpu_share": "(busy time of the whole machine - CPU time of this program and llama-server) / all CPU time, "
    "over the samples",
    "prompt_token_ids": PROMPT_RULE,
}


@dataclass(frozen=True)
class Job:
    """What is measured, and how. meter: a file with a count of energy. more: also the long prompt and the chat turn.
    cold: load the file from storage."""

    model: Model
    settings: Settings
    plan: Plan
    profile: str
    meter: Path | None
    more: bool
    cold: bool = False


def context_of(settings: Settings, more: bool, longest: int) -> int:
    """Context length for all that is measured, within the model's own."""
    needed = max(settings.prompt_tokens + settings.decode_tokens + probing.STEPS, LEAST_CONTEXT)
    return min(
        max(needed, LONG_PROMPT + LONG_DECODE + 8) if more and longest > LONG_PROMPT else needed, longest
    )


@dataclass(frozen=True)
class _During:
    """What happened on the board during the samples; and reads_bytes, what storage delivered to load the file."""

    reads_bytes: int | None
    taken: Taken
    swap: Swap
    energy: Energy


def measure(job: Job, progress: Progress) -> BoardReport:
    """Measure the file and return the report. Raises CouldNot."""
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    progress(f"reading {job.model.path.name}", None)
    identity, before = identify(job.model.path), system.conditions()
    progress(f"loading with {counted(job.plan.threads_decode, 'thread')}", None)
    with Server(Model(job.model.path, identity["sha256"], job.cold), job.plan.server()) as server:
        facts = server.ask("/v1/models")["data"].items[0]["meta"]
        prompt = prompt_ids(job.settings.prompt_tokens, facts["n_vocab"].whole)
        progress("checking that the answers are right", None)
        probe = probing.probe(server, prompt[:PROBED_TOKENS])
        work = functools.partial(run, server, prompt, job.settings.decode_tokens)
        warmup = sampling.warm_up(work, server.pid, progress)
        during = _during(work, job, server, progress)
        taken = during.taken
        after = system.conditions()
        workloads, skipped = (
            more(server, job.settings.samples, facts, progress) if job.more else ([], [SHORT])
        )
        summary: Summary = {
            "load_seconds": server.load_seconds,
            **verdict.summarise(taken.samples),
            **_memory(server.pid),
        }
    report: Report = {
        "schema": SCHEMA,
        "measured_at_utc": started,
        "valid": False,
        "reasons": [],
        "thresholds": dict(verdict.THRESHOLDS),
        "file": identity,
        "model": _model(facts),
        "device": system.device(job.settings.device_label),
        "software": {
            "pi_runtime_version": VERSION,
            "python_version": platform.python_version(),
            "llama_cpp_version": programs.version(programs.find("llama-server")),
            "llama_cpp_system_info": None,
            "llama_cpp_python_version": None,
        },
        "settings": _settings(job, facts["n_ctx"].whole),
        "summary": summary,
        "conditions": {
            "before": before,
            "after": after,
            "others_cpu_share": taken.others_cpu_share,
            "major_page_faults": taken.major_page_faults,
        },
        "prompt_token_ids": prompt,
        "decoded_token_ids": taken.runs[0].tokens,
        "decoded_alike_every_time": taken.alike,
        "warmup": warmup.times,
        "samples": taken.samples,
        "method": METHOD,
    }
    part = _part(job, during, (before, after))
    part["probe"], part["workloads"], part["skipped"] = probe, workloads, skipped
    complete: BoardReport = {**report, "board": part}
    complete["reasons"] = [*verdict.reasons(report), *reasons(complete)]
    complete["valid"] = not complete["reasons"]
    return complete


def _memory(pid: int) -> Memory:
    return {
        "peak_memory_bytes": surroundings.memory(pid, "VmHWM"),
        "peak_memory_was_reset": True,
        "memory_before_load_bytes": None,
        "memory_anonymous_bytes": surroundings.memory(pid, "RssAnon"),
        "memory_file_bytes": surroundings.memory(pid, "RssFile"),
    }


def _model(facts: Json) -> ModelFacts:
    return {
        "description": None,
        "parameters": facts["n_params"].whole,
        "tensor_bytes": facts["size"].whole,
        "vocabulary_tokens": facts["n_vocab"].whole,
        "context_trained_tokens": facts["n_ctx_train"].whole,
    }


def _settings(job: Job, context_tokens: int) -> SettingsUsed:
    return {
        "prompt_tokens": job.settings.prompt_tokens,
        "decode_tokens": job.settings.decode_tokens,
        "samples": job.settings.samples,
        "warmups": WARMUPS,
        "threads": job.plan.threads_decode,
        "context_tokens": context_tokens,
        "ubatch_tokens": min(UBATCH_TOKENS, job.settings.prompt_tokens),
        "gpu_layers": job.plan.gpu_layers,
        "prompt_seed": PROMPT_SEED,
    }


def _part(job: Job, during: _During, looks: tuple[Look, Look]) -> BoardPart:
    """What the report says about the board; the probe and the other work are added by the caller."""
    before, after = looks
    taken = during.taken
    return {
        "engine": "llama-server",
        "profile": job.profile,
        "accelerator": job.plan.accelerator,
        "arguments": job.plan.server(),
        "threads_prompt": job.plan.threads_prompt,
        "kv_type": job.plan.kv_type,
        "package_version": surroundings.package_version(),
        "firmware": surroundings.firmware(),
        "page_size_bytes": surroundings.page_size(),
        "storage": surroundings.storage(job.model.path),
        "start": surroundings.start(during.reads_bytes, job.model.path.stat().st_size),
        "swap": during.swap,
        "temperature": _temperature(
            before["temperature_celsius"], taken.samples, after["temperature_celsius"]
        ),
        "throttled_new": new_flags(before["throttled_flags"], after["throttled_flags"]),
        "energy": during.energy,
        "cached_tokens": [one.cached for one in taken.runs],
        "probe": {
            "passed": False,
            "continuations": 0,
            "continuations_asked": 0,
            "steps": 0,
            "largest_gap_nats": None,
        },
        "workloads": [],
        "skipped": [],
    }


def reasons(report: BoardReport) -> list[str]:
    """Why a measurement through llama-server is not valid, in addition to the usual reasons."""
    found, part = [], report["board"]
    if any(part["cached_tokens"]):
        found.append(
            "llama-server took a part of the prompt from its cache, so the prompt's speed is too high"
        )
    if part["swap"]["pages_moved"]:
        found.append(f"the board swapped {part['swap']['pages_moved']:,} pages during the samples")
    if not report["decoded_alike_every_time"]:
        found.append("the same prompt was answered differently, so something computes wrong results")
    wrong = probing.failure(part["probe"])
    return [*found, wrong] if wrong else found


def _during(work: Callable[[], Run], job: Job, server: Server, progress: Progress) -> _During:
    """The samples, and what the board used for them."""
    settings = job.settings
    pages, meter = surroundings.swapped_pages(), Meter(job.meter)
    taken = sampling.take(work, settings.samples, server.pid, progress)
    tokens = settings.samples * (settings.prompt_tokens + settings.decode_tokens)
    return _During(server.load_reads_bytes, taken, surroundings.swap(pages), meter.used(tokens))


def _temperature(start: float | None, samples: list[Sample], end: float | None) -> Temperature:
    seen = [one for one in (start, *(s["temperature_celsius"] for s in samples), end) if one is not None]
    return {"start": start, "maximum": max(seen, default=None), "end": end}


def new_flags(before: int | None, after: int | None) -> list[str]:
    """What the firmware reports after a run and did not report before it, in words."""
    if before is None or after is None:
        return []
    return parsers.throttle_names(after & ~before)
