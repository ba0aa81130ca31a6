"""Evidence of a release as this program writes it, small enough to read: each passes its published schema."""

from __future__ import annotations

from typing import Any

TYPES = ("F16", "Q8_0", "Q4_K_M", "Q4_0")
_SHA = "a" * 64


def bench(type_: str = "Q8_0", *, valid: bool = True, speed: float = 40.0, sha256: str = _SHA) -> dict[str, Any]:
    """A report of speed with five samples."""

    def figure(value: float) -> dict[str, Any]:
        ends = {"minimum": value * 0.98, "maximum": value * 1.02, "spread": 0.01}
        return {"median": value, "lower_quartile": value * 0.99, "upper_quartile": value * 1.01, **ends}

    times = {"prompt_seconds": 0.5, "decode_seconds": 1.6, "time_to_first_token_seconds": 0.51}
    times |= {"prompt_tokens_per_second": speed * 6, "decode_tokens_per_second": speed}
    state = {"frequency_hertz": 2_400_000_000, "temperature_celsius": 61.5, "throttled_flags": 0}
    look = {"load_average": [0.1, 0.1, 0.1], "memory_available_bytes": 7_000_000_000, "temperature_zone": "cpu"} | state
    versions = {"llama_cpp_version": "0.5.0", "llama_cpp_system_info": "NEON = 1", "llama_cpp_python_version": "0.3.36"}
    return {
        "schema": "bench-report/1",
        "measured_at_utc": "2026-11-22T10:00:00Z",
        "valid": valid,
        "reasons": [] if valid else ["other processes used 31% of the machine's CPU time; at most 5% is allowed"],
        "thresholds": {"samples_minimum": 5, "others_cpu_share_maximum": 0.05, "spread_maximum": 0.1,
                       "frequency_ratio_minimum": 0.9},
        "file": {"name": f"model-{type_}.gguf", "size_bytes": 144_811_264, "sha256": sha256},
        "model": {"description": "llama", "parameters": 134_515_008, "tensor_bytes": 144_000_000,
                  "vocabulary_tokens": 49_152, "context_trained_tokens": 8192},
        "device": {"label": "pi-5-8gb", "board_model": "Raspberry Pi 5", "cpu_model": "Cortex-A76", "cores": 4,
                   "cores_usable": 4, "machine": "aarch64", "kernel": "6.6", "operating_system": "Debian 12",
                   "governor": "ondemand", "frequency_maximum_hertz": 2_400_000_000,
                   "memory_total_bytes": 8_000_000_000},
        "software": {"pi_runtime_version": "1.0", "python_version": "3.11.2", **versions},
        "settings": {"prompt_tokens": 128, "decode_tokens": 64, "samples": 5, "warmups": 1, "threads": 4,
                     "context_tokens": 256, "ubatch_tokens": 128, "gpu_layers": 0, "prompt_seed": 1},
        "summary": {"load_seconds": 0.31, "prompt_tokens_per_second": figure(speed * 6),
                    "decode_tokens_per_second": figure(speed), "time_to_first_token_seconds": figure(0.51),
                    "peak_memory_bytes": 241_000_000, "peak_memory_was_reset": True,
                    "memory_before_load_bytes": 40_000_000, "memory_anonymous_bytes": 1, "memory_file_bytes": 1},
        "conditions": {"before": look, "after": look, "others_cpu_share": 0.31 if not valid else 0.01,
                       "major_page_faults": 0},
        "prompt_token_ids": [1, 2],
        "decoded_token_ids": [3, 4],
        "decoded_alike_every_time": True,
        "warmup": times,
        "samples": [{"number": n, **times, "decode_tokens_per_second": speed + n / 10, **state} for n in range(1, 6)],
        "method": {"spread": "(upper quartile - lower quartile) / median"},
    }  # fmt: skip


def shared(by: str = "Ada", speed: float = 40.0, sha256: str = "b" * 64, **device: Any) -> dict[str, Any]:
    """A report as somebody shares it."""
    report = bench(speed=speed, sha256=sha256)
    for number, sample in enumerate(report["samples"]):
        sample["decode_tokens_per_second"] = speed + (number - 2) / 100
    for name in ("prompt_tokens_per_second", "time_to_first_token_seconds"):
        report["summary"][name]["median"] = report["samples"][0][name]
    report["device"] |= device
    return {**report, "measured_by": by}


def evaluation() -> dict[str, Any]:
    """The loss of two files against F16."""

    def summary(kld: float) -> dict[str, Any]:
        names = ("mean", "median", "p90", "p95", "p99", "p99_9", "max")
        klds = {f"kld_{name}_nats": kld * factor for name, factor in zip(names, (1, 0.6, 2, 3, 6, 9, 20), strict=True)}
        more = {"same_top_share": 0.9, "rms_delta_p": 0.02, "ln_ppl_ratio": kld / 5, "perplexity": 14.3}
        more |= {"reference_perplexity": 14.2}
        errors = {"kld_mean_se_nats": kld / 20} | {f"{name}_se": 0.01 for name in more}
        return {**klds, **more, **errors, "tokens": 1270, "windows": 10}

    ppl = {"perplexity": 14.2, "perplexity_se": 0.5, "tokens": 1270, "windows": 10}
    curve = [{"share_above": 0.5, "kld_nats": 0.003}]
    rule = {"words": "Windows do not overlap.", "window_tokens": 256, "scored_tokens_per_window": 127, "windows": 10}
    return {
        "rule": {**rule, "windows_asked": 10, "begin_of_text": False},
        "texts": [{"name": "evaluation.en.txt", "language": "en", "sha256": _SHA, "tokens": 5000, "windows": 10}],
        "tokens_sha256": _SHA,
        "reference": {**ppl, "languages": {"en": ppl}},
        "reference_type": "F16",
        "candidates": {
            type_: {**summary(kld), "languages": {"en": summary(kld)}, "curve": curve}
            for type_, kld in (("Q8_0", 0.0056), ("Q4_0", 0.34))
        },
    }


def probes() -> dict[str, Any]:
    """Two probes of three files; they differ on one question."""

    def answers(*right: bool) -> dict[str, Any]:
        return {
            type_: {"answer": "4" if yes else "5", "finish": "stop", "correct": yes}
            for type_, yes in zip(TYPES, right, strict=True)
        }

    def scores(probe: str) -> dict[str, Any]:
        rest = {"total": 40, "share_low": 0.4, "share_high": 0.7, "language": None}
        return {type_: {"probe": probe, "correct": 22 + n, **rest} for n, type_ in enumerate(TYPES)}

    sums = [
        {"id": f"arithmetic-{n}", "prompt": f"What is {n} + 1?", "expected": str(n + 1),
         "answers": answers(True, True, True, n != 17)}
        for n in range(1, 41)
    ]  # fmt: skip
    pair = {"id": "pairs_en-1", "good": "The cars are red.", "bad": "The cars is red.", "phenomenon": "agreement"}
    head = {"language": "en", "shots": [["What is 3 + 4?", "7"]]}
    return {
        "format": "zoo-probes/1",
        "interval": "Wilson, 95 %",
        "decoding": "greedy",
        "probes": [
            {"probe": "arithmetic", "title": "Short arithmetic", "asks": "The last number is the right one.", **head,
             "scores": scores("arithmetic"), "items": sums},
            {"probe": "pairs_en", "title": "Minimal pairs", "asks": "The grammatical one is more probable.", **head,
             "scores": scores("pairs_en"), "items": [{**pair, "answers": answers(True, False, True, True)}]},
        ],
    }  # fmt: skip


def gates() -> list[dict[str, Any]]:
    """A gate that is kept, and one that is not."""
    words = "kld_mean_nats of Q8_0 is 0.0056; it must be at most 0.02"
    kept = {"metric": "kld_mean_nats", "file": "Q8_0", "measured": 0.0056, "judged": 0.006, "bound": 0.02, "kept": True}
    lost = {"metric": "valid_share", "file": None, "measured": None, "judged": None, "bound": 0.9, "kept": False}
    return [{**kept, "sentence": words}, {**lost, "sentence": "valid_share has no valid measurement"}]


def smoke() -> dict[str, Any]:
    """A file that passes, and one that never stops."""
    said = {"prompt": "Name a colour.", "text": "Blue.", "tokens": 2}
    return {
        type_: {
            "passed": ends,
            "checks": {name: {"passed": ends or name != "stops", "detail": "As found."}
                       for name in ("chat_template", "stops", "json")},
            "answers": [{**said, "finish": "stop" if ends else "length"}],
        }
        for type_, ends in (("Q8_0", True), ("Q4_0", False))
    }  # fmt: skip
