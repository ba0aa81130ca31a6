"""Predicted decode speed of a file on a device: the roofline model. Pure.

To write one token, a model reads once the weights that it uses and the keys, values and states that its layers keep.
The memory and the processor each handle a limited number of bytes per second; the slower of the two decides:

    seconds per token = max( (W + K(n)) / B,  W / (C k) ) + T

W: bytes of weights that are read: in a dense model all but an embedding table that is not its output head, and of
experts only the used share; K(n): bytes of keys, values and states that are read with n tokens in the cache, taken as
half of the context; T: time that every token takes, whatever the size of the model: launching kernels, waiting for
threads and sampling, fitted on public measurements for each kind of engine (``catalog/data``); B: memory bandwidth in
bytes/s; C: cores; k: bytes of weights that one core works through per second, known for some types on some
processors. W and K come from the file's header through the catalog; B and k from ``catalog.device`` with their sources.

The model is that of Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for multicore
architectures", Communications of the ACM 52 (2009), with tokens as the work.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from catalog import architectures, memory
from catalog.device import DEVICES, Device
from catalog.quants import QUANTS
from catalog.release import Architecture, Cache, ModelFile
from catalog.words import data_size, rate

CAUTION = 2.0
"""Where a figure rests on one report, the range goes from typical / CAUTION to typical x CAUTION; where the speed of
the kernel is not known, only the low end changes. A choice of this project, not a measurement."""

COST_SPREAD = 2.0
"""The range has up to so many times the fixed time per token, and down to that part of it. A choice of this project."""

BANDWIDTH = "memory bandwidth"
KERNEL = "kernel speed"

_KNOWN = {kernel.type for device in DEVICES for kernel in device.kernels}
_KERNEL_TYPES = {name: quant.ggml_type for name, quant in QUANTS.items() if quant.ggml_type in _KNOWN}
"""Type of a file -> the ggml type of most of its weights, for types that are in a device profile."""


@dataclass(frozen=True)
class Prediction:
    """Decode speed in tokens per second, never measured. roof: the best that the memory allows with an empty cache;
    None if the number of bytes per token is not known.

    limited_by is BANDWIDTH or KERNEL, at the typical speed. assume: computes the assumptions when they are needed.
    """

    low: float
    typical: float
    high: float
    roof: float | None
    limited_by: str
    assume: Callable[[], tuple[str, ...]] = field(compare=False, repr=False)

    @property
    def assumptions(self) -> tuple[str, ...]:
        return self.assume()

    @property
    def words(self) -> str:
        return f"predicted {rate(self.typical)} tokens/s ({rate(self.low)} to {rate(self.high)})"


@dataclass(frozen=True)
class Plausibility:
    """Whether a measured speed is plausible; the sentence gives the numbers."""

    kept: bool
    sentence: str


def predict(
    file: ModelFile, architecture: Architecture, device: Device, context_tokens: int, kv: str = memory.KV_TYPE
) -> Prediction:
    """Decode speed of ``file`` on ``device`` with half of ``context_tokens`` in the cache."""
    weights = weight_bytes(file)
    cache = cache_of(file, architecture)
    read = weights + (memory.cache_read_bytes(cache, context_tokens / 2, kv) if cache else 0)
    low, typical, high = _bandwidths(device, file)
    cap = _kernel_bytes_per_second(device, file)
    fixed = device.token_seconds

    def speed(bandwidth: float, fixed: float) -> float:
        return 1 / (max(read / bandwidth, weights / cap) + fixed)

    return Prediction(
        low=speed(low, fixed * COST_SPREAD),
        typical=speed(typical, fixed),
        high=speed(high, fixed / COST_SPREAD),
        roof=roof(file, architecture, device),
        limited_by=BANDWIDTH if typical / read <= cap / weights else KERNEL,
        assume=lambda: _assumptions(file, architecture, device, context_tokens, kv),
    )


def typical(
    file: ModelFile, architecture: Architecture, device: Device, context_tokens: int, kv: str = memory.KV_TYPE
) -> float:
    """``predict(...).typical`` alone, for many files."""
    weights, cache = weight_bytes(file), cache_of(file, architecture)
    read = weights + (memory.cache_read_bytes(cache, context_tokens / 2, kv) if cache else 0)
    bandwidth, cap = device.bandwidth_bytes_per_second.typical, _kernel_bytes_per_second(device, file)
    return 1 / (max(read / bandwidth, weights / cap) + device.token_seconds)


def weight_bytes(file: ModelFile) -> int:
    """Bytes of weights that are read for a token: as the catalog records them, else the size of the file."""
    return max(file.size_bytes if file.read_bytes is None else file.read_bytes, 1)


def judged(file: ModelFile, architecture: Architecture) -> bool:
    """Whether the bytes that are read for a token are known: recorded, or those of a dense architecture."""
    return file.read_bytes is not None or architectures.dense(architecture.name)


def roof(file: ModelFile, architecture: Architecture, device: Device) -> float | None:
    """Tokens per second that the highest bandwidth allows with an empty cache; None if too little is known.

    Kernel speed is not part of it, because kernels get faster with new versions of llama.cpp, and memory does not.
    """
    if not judged(file, architecture):
        return None
    return _bandwidths(device, file)[2] / weight_bytes(file)


def plausible(measured_tokens_per_second: float, prediction: Prediction) -> Plausibility:
    """A measured speed above the roof is implausible: that many bytes cannot be read in that time."""
    if not (math.isfinite(measured_tokens_per_second) and measured_tokens_per_second >= 0):
        return Plausibility(False, f"{measured_tokens_per_second:g} tokens/s is not a valid speed.")
    said = rate(measured_tokens_per_second)
    if prediction.roof is None:
        return Plausibility(
            True, f"The measured {said} tokens/s cannot be checked: the bytes read per token are not known."
        )
    bound = rate(prediction.roof)
    if measured_tokens_per_second <= prediction.roof:
        return Plausibility(True, f"The measured {said} tokens/s is within the limit of {bound} tokens/s.")
    return Plausibility(
        False,
        f"The measured {said} tokens/s is implausible: the memory of this device can read the weights at most {bound} "
        f"times per second, as its profile describes it.",
    )


def cache_of(file: ModelFile, architecture: Architecture) -> Cache | None:
    """What is kept in memory in addition to the weights: as the catalog records it, else computed from a listed memory
    need, as if every layer kept the complete context. None if neither is possible."""
    if architecture.cache is not None:
        return architecture.cache
    for need in file.memory:
        bare = file.size_bytes + memory.logits_bytes(architecture.vocabulary_size, need.context_tokens)
        if need.context_tokens > 0 and need.bytes >= bare:
            return Cache((need.bytes - bare) // need.context_tokens, 0, 0, 0, known=False)
    return None


def ggml_type(file: ModelFile) -> str | None:
    """The ggml type of most of the weights; None if the catalog does not show it, for example after fallbacks."""
    return None if file.fallback_tensors else _KERNEL_TYPES.get(file.type)


def _bandwidths(device: Device, file: ModelFile) -> tuple[float, float, float]:
    """Low, typical and high in bytes per second; the range is widened by CAUTION where it applies."""
    figure = device.bandwidth_bytes_per_second
    single = figure.reports == 1
    careful = single or device.kernel(ggml_type(file)) is None
    low = min(figure.low, figure.typical / CAUTION) if careful else figure.low
    return low, figure.typical, max(figure.high, figure.typical * CAUTION) if single else figure.high


def _kernel_bytes_per_second(device: Device, file: ModelFile) -> float:
    kernel = device.kernel(ggml_type(file))
    return kernel.bytes_per_second_per_core * device.cores if kernel and device.cores else math.inf


def _assumptions(
    file: ModelFile, architecture: Architecture, device: Device, context_tokens: int, kv: str
) -> tuple[str, ...]:
    return (
        _read_words(file, architecture),
        _cache_words(file, architecture, context_tokens, kv),
        *_device_words(file, device),
    )


def _read_words(file: ModelFile, architecture: Architecture) -> str:
    if file.read_bytes is not None:
        part = f"{data_size(file.read_bytes)} of the file's {data_size(file.size_bytes)} are read for every token: "
        if architecture.experts:
            return f"{part}{architecture.experts_used} of {architecture.experts} experts in each layer, and the rest."
        return f"{part}all weights, but only one row of an embedding table that is not the output head."
    if architectures.dense(architecture.name):
        return (
            "It is assumed that all bytes of the file are read for every token. The catalog does not record "
            "how many are. A model whose embedding table is not its output head reads less and may be faster."
        )
    return (
        "It is assumed that all bytes of the file are read for every token. The catalog does not record how "
        f"many are. Models of the architecture {architecture.name} may have experts, of which only a few are read: the "
        "model may be much faster, so no measurement is ignored as implausible."
    )


def _cache_words(file: ModelFile, architecture: Architecture, context_tokens: int, kv: str) -> str:
    cache = cache_of(file, architecture)
    if cache is None:
        return "The KV cache is not counted, because its size is not recorded."
    words = [f"The KV cache holds half of the {context_tokens:,} tokens of context, in {kv}."]
    if cache.window_bytes_per_token:
        words.append(f"Layers with a sliding window read at most the last {cache.window_tokens:,} of them.")
    if cache.state_bytes and cache.known:
        words.append(
            f"Recurrent layers read a state of {data_size(cache.state_bytes)}, whatever the context."
        )
    if architecture.cache is None and not architectures.keeps_all(architecture.name):
        words.append(
            "It is assumed that every layer keeps all of them, because the catalog does not record more. In "
            f"the architecture {architecture.name} some layers keep less, so the model needs less memory than shown "
            "and may be faster."
        )
    elif architecture.cache is not None and not cache.known:
        words.append(
            f"The program does not know the architecture {architecture.name}. It assumes that every layer keeps all of "
            "them, which is an upper bound."
        )
    return " ".join(words)


def _device_words(file: ModelFile, device: Device) -> tuple[str, ...]:
    found = []
    if device.bandwidth_bytes_per_second.reports == 1:
        found.append(
            f"The bandwidth is a single figure ({device.bandwidth_bytes_per_second.source.rstrip('.')}). The range "
            "goes from half to double of it, as a precaution; it was not measured."
        )
    kernel = device.kernel(ggml_type(file))
    if kernel and device.cores:
        found.append(f"All {device.cores} cores work on the weights. {kernel.source}")
    else:
        found.append(
            f"It is not known how fast this processor handles {file.type} data, so only the memory limits the speed, "
            "and the low end is half of the typical bandwidth."
        )
    if device.token_seconds:
        found.append(
            f"Every token takes {1000 * device.token_seconds:.1f} ms more, whatever the model. This was fitted on "
            "public measurements of such machines; the range has from half to double of it."
        )
    return tuple(found)
