"""How much memory a file needs, and how fast it decodes on a device: the formulas of the catalog's pages. Pure.

    memory  = weights + cache(context) + 4 x vocabulary x min(512, context)
    seconds per token = max( (W + K(n)) / B,  W / (C k) ) + T

W: bytes of weights that are read for a token; K(n): bytes of the cache with n = half of the context in it; B: memory
bandwidth; C: cores; k: bytes per second that one core handles of a type, where that is known; T: fixed time per token.
The range takes the low bandwidth with twice the fixed time, and the high one with half of it. A test of the project
compares every figure with ``zoo.choose`` and with the site.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pi_runtime.catalogue import Cache, File, Release, Speed
from pi_runtime.profiles import Profile
from pi_runtime.words import counted, rate

UBATCH_TOKENS = 512
CELL_TOKENS = 256
KV_SHARES = {"f16": (1, 1), "q8_0": (17, 32), "q4_0": (9, 32)}
"""Type of the KV cache -> its size as a share of 16 bits per value."""

CAUTION = 2.0
COST_SPREAD = 2.0

DENSE = frozenset((
    "llama", "falcon", "gpt2", "gptj", "gptneox", "mpt", "baichuan", "starcoder", "refact", "bloom", "stablelm",
    "qwen", "qwen2", "qwen2vl", "qwen3", "qwen3vl", "phi2", "phi3", "plamo", "codeshell", "orion", "internlm2",
    "minicpm", "minicpm3", "gemma", "starcoder2", "xverse", "command-r", "olmo", "openelm", "chatglm", "glm4",
    "bitnet", "jais", "jais2", "nemotron", "exaone", "granite", "chameleon", "plm", "arcee", "ernie4_5",
    "hunyuan-dense", "hunyuan_vl", "smollm3", "seed_oss", "apertus", "cogvlm", "pangu-embedded", "mistral3",
    "paddleocr", "llama-embed", "maincoder", "talkie", "deci", "gemma2", "gemma3", "gemma3n", "olmo2", "exaone4",
    "cohere2", "plamo3", "muse-glimmer", "spark2_5", "lfm2", "plamo2", "nemotron_h", "falcon-h1", "qwen35", "mamba",
    "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7",
))  # fmt: skip
"""Architectures all of whose weights are used for every token, as the catalog's own table has them."""

KERNEL_TYPES = {
    "F16": "f16",
    "Q8_0": "q8_0",
    "Q4_K_M": "q4_K",
    "Q4_K_S": "q4_K",
    "Q2_K": "q2_K",
    "Q2_K_S": "q2_K",
}
"""Type of a file -> the type of most of its tensors, for types whose kernel speed a profile has."""


class Parts(NamedTuple):
    """Predicted memory in bytes."""

    weights: int
    cache: int
    buffer: int

    @property
    def total(self) -> int:
        return sum(self)


@dataclass(frozen=True)
class Decode:
    """Decode speed in tokens per second. words say whether it was measured, and where."""

    measured: bool
    low: float
    typical: float
    high: float
    words: str


def cells(tokens: int) -> int:
    """``tokens``, rounded up to what llama.cpp allocates."""
    return -(-tokens // CELL_TOKENS) * CELL_TOKENS


def cache_bytes(cache: Cache, context_tokens: int, kv: str) -> int:
    """Bytes that are allocated for one sequence of that length."""
    share, whole = KV_SHARES[kv]
    full = cells(context_tokens)
    window = cells(min(full, cache.window_tokens + UBATCH_TOKENS))
    return cache.state - (-(cache.full * full + cache.window * window) * share // whole)


def cache_of(file: File, release: Release) -> Cache | None:
    """As the catalog records it, else computed from a listed memory need; None if neither is possible."""
    if release.cache is not None:
        return release.cache
    for context, need in file.needs:
        bare = file.size_bytes + logits_bytes(release.vocabulary, context)
        if context > 0 and need >= bare:
            return Cache((need - bare) // context, 0, 0, 0)
    return None


def logits_bytes(vocabulary: int, context_tokens: int) -> int:
    """The logits of one micro-batch in 32 bits."""
    return 4 * vocabulary * min(UBATCH_TOKENS, context_tokens)


def need(file: File, release: Release, context_tokens: int, kv: str = "f16") -> Parts | None:
    """What a file needs at that context: as the catalog lists it, else by the formula; None if that is not known."""
    cache, buffer = cache_of(file, release), logits_bytes(release.vocabulary, context_tokens)
    listed = dict(reversed(file.needs)).get(context_tokens)
    if listed is None:
        return Parts(file.size_bytes, cache_bytes(cache, context_tokens, kv), buffer) if cache else None
    if kv != "f16":
        if cache is None:
            return None
        listed += cache_bytes(cache, context_tokens, kv) - cache_bytes(cache, context_tokens, "f16")
    buffer = min(buffer, listed - file.size_bytes)
    return Parts(file.size_bytes, listed - file.size_bytes - buffer, buffer)


def predict(
    file: File, release: Release, profile: Profile, context_tokens: int, kv: str = "f16"
) -> tuple[float, float, float]:
    """Low, typical and high decode speed in tokens per second, with half of the context in the cache."""
    weights, cache, read = weight_bytes(file), cache_of(file, release), float(weight_bytes(file))
    if cache:
        share, whole = KV_SHARES[kv]
        tokens = context_tokens / 2
        kept = cache.full * tokens + cache.window * min(tokens, cache.window_tokens)
        read = weights + (cache.state + kept * share / whole)
    kernel, fixed = _kernel(file, profile), profile.token_seconds
    cap = kernel * profile.cores if kernel and profile.cores else math.inf

    def speed(bandwidth: float, more: float) -> float:
        return 1 / (max(read / bandwidth, weights / cap) + more)

    low, typical, high = bandwidths(file, profile)
    return speed(low, fixed * COST_SPREAD), speed(typical, fixed), speed(high, fixed / COST_SPREAD)


def decode(
    file: File,
    release: Release,
    profile: Profile,
    context_tokens: int,
    sisters: Sequence[str],
    kv: str = "f16",
) -> Decode:
    """The best plausible speed measured on this device, else on one with the same processor; else predicted."""
    bound = roof(file, release, profile)
    for one in _measured(file, profile, sisters):
        if one.decode >= 0 and (bound is None or one.decode <= bound):
            kin = "" if one.device == profile.id else " (same processor)"
            who = f", by {one.by}" if one.by else ""
            words = f"measured {rate(one.decode)} tokens/s on {one.device}{kin}, {counted(one.threads, 'thread')}{who}"
            return Decode(True, one.decode, one.decode, one.decode, words)
    low, typical, high = predict(file, release, profile, context_tokens, kv)
    words = f"predicted {rate(typical)} tokens/s ({rate(low)} to {rate(high)})"
    return Decode(False, low, typical, high, words)


def roof(file: File, release: Release, profile: Profile) -> float | None:
    """Tokens per second that the highest bandwidth allows with an empty cache; None if too little is known."""
    if file.read_bytes is None and release.architecture not in DENSE:
        return None
    return bandwidths(file, profile)[2] / weight_bytes(file)


def weight_bytes(file: File) -> int:
    """Bytes of weights that are read for a token: as the catalog records them, else the size of the file."""
    return max(file.size_bytes if file.read_bytes is None else file.read_bytes, 1)


def bandwidths(file: File, profile: Profile) -> tuple[float, float, float]:
    """Low, typical and high, wider where they rest on one figure or the kernel's speed is not known."""
    low, typical, high = profile.bandwidths
    careful = profile.single or _kernel(file, profile) is None
    return (
        min(low, typical / CAUTION) if careful else low,
        typical,
        max(high, typical * CAUTION) if profile.single else high,
    )


def _kernel(file: File, profile: Profile) -> float | None:
    return None if file.fallback_tensors else profile.kernels.get(KERNEL_TYPES.get(file.type, ""))


def _measured(file: File, profile: Profile, sisters: Sequence[str]) -> list[Speed]:
    valid = sorted((one for one in file.speeds if one.valid), key=lambda one: -one.decode)
    return [s for s in valid if s.device == profile.id] + [s for s in valid if s.device in sisters]
