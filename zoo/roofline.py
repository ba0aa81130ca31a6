"""Predicted decode speed of a file on a device: the roofline model. Pure.

To write one token, a dense model reads each weight once, and the keys and values of every token before it. The memory
delivers so many bytes per second, and the processor works through so many; the slower of the two decides:

    tokens/s = min( B / (W + K n),  C k / W )

W: bytes of weights, taken as the size of the file; K: bytes of KV cache per token; n: tokens in the cache, taken as
half of the context; B: memory bandwidth in bytes/s; C: cores; k: bytes of weights that one core works through per
second, known for some types on some processors. B and k come from ``catalog.device`` with their sources.

The model is that of Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for multicore
architectures", Communications of the ACM 52 (2009), with tokens as the work.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from catalog import memory
from catalog.device import Device
from catalog.release import Architecture, ModelFile

CAUTION = 2.0
"""Where a figure rests on one report, the range goes from typical / CAUTION to typical x CAUTION; where the speed of
the kernel is not known, only the low end moves. A choice of this project, not a measurement."""

BANDWIDTH = "memory bandwidth"
KERNEL = "kernel speed"

_GGML_TYPES = {
    "F16": "f16",
    "Q8_0": "q8_0",
    "Q4_K": "q4_K",
    "Q4_K_S": "q4_K",
    "Q4_K_M": "q4_K",
    "Q2_K": "q2_K",
    "Q2_K_S": "q2_K",
}
"""Type of a file -> the ggml type of most of its weights, for the types that some device profile knows."""


@dataclass(frozen=True)
class Prediction:
    """Decode speed in tokens per second, never measured. roof: what the memory could deliver at best, cache empty.

    limited_by is BANDWIDTH or KERNEL, at the typical speed. assume: makes the assumptions when somebody reads them.
    """

    low: float
    typical: float
    high: float
    roof: float
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
    """Whether a measured speed can be true; the sentence says its numbers."""

    kept: bool
    sentence: str


def predict(file: ModelFile, architecture: Architecture, device: Device, context_tokens: int) -> Prediction:
    """Decode speed of ``file`` on ``device`` with half of ``context_tokens`` in the cache."""
    weights = max(file.size_bytes, 1)
    per_token = kv_bytes_per_token(file, architecture.vocabulary_size)
    read = weights + (per_token or 0) * context_tokens / 2
    low, typical, high = _bandwidths(device, file)
    cap = _kernel_bytes_per_second(device, file)

    def speed(bandwidth: float) -> float:
        return min(bandwidth / read, cap / weights)

    return Prediction(
        low=speed(low),
        typical=speed(typical),
        high=speed(high),
        roof=roof(file, device),
        limited_by=BANDWIDTH if typical / read <= cap / weights else KERNEL,
        assume=lambda: _assumptions(file, device, context_tokens, per_token),
    )


def roof(file: ModelFile, device: Device) -> float:
    """Tokens per second that the highest bandwidth allows with an empty cache. Kernel speed is left out of it, for
    kernels get faster with new versions of llama.cpp, and memory does not."""
    return _bandwidths(device, file)[2] / max(file.size_bytes, 1)


def plausible(measured_tokens_per_second: float, prediction: Prediction) -> Plausibility:
    """A measured speed above the roof is refused: so many bytes cannot have been read in that time."""
    if not (math.isfinite(measured_tokens_per_second) and measured_tokens_per_second >= 0):
        return Plausibility(False, f"{measured_tokens_per_second:g} tokens/s is no speed.")
    said, bound = rate(measured_tokens_per_second), rate(prediction.roof)
    if measured_tokens_per_second <= prediction.roof:
        return Plausibility(True, f"The measured {said} tokens/s is not above the roof of {bound} tokens/s.")
    return Plausibility(
        False,
        f"The measured {said} tokens/s is implausible: the memory of this device is taken to deliver the weights at "
        f"most {bound} times per second.",
    )


def kv_bytes_per_token(file: ModelFile, vocabulary_size: int) -> int | None:
    """KV cache in bytes per token, worked out of a memory need that the catalog lists; None if that cannot be done."""
    for need in file.memory:
        rest = need.bytes - memory.need_bytes(file.size_bytes, 0, vocabulary_size, need.context_tokens)
        if need.context_tokens > 0 and rest >= 0:
            return rest // need.context_tokens
    return None


def ggml_type(file: ModelFile) -> str | None:
    """The ggml type of most of the weights; None if the catalog does not tell, as when tensors fell back to others."""
    return None if file.fallback_tensors else _GGML_TYPES.get(file.type)


def rate(tokens_per_second: float) -> str:
    """Two decimals below 10, one above, powers where no real speed lies."""
    if tokens_per_second and not 0.01 <= abs(tokens_per_second) < 1e6:
        return f"{tokens_per_second:.2g}"
    return f"{tokens_per_second:,.{2 if tokens_per_second < 10 else 1}f}"


def _bandwidths(device: Device, file: ModelFile) -> tuple[float, float, float]:
    """Low, typical and high in bytes per second, the range widened as far as CAUTION asks."""
    figure = device.bandwidth_bytes_per_second
    single = figure.reports == 1
    careful = single or device.kernel(ggml_type(file)) is None
    low = min(figure.low, figure.typical / CAUTION) if careful else figure.low
    return low, figure.typical, max(figure.high, figure.typical * CAUTION) if single else figure.high


def _kernel_bytes_per_second(device: Device, file: ModelFile) -> float:
    kernel = device.kernel(ggml_type(file))
    return kernel.bytes_per_second_per_core * device.cores if kernel and device.cores else math.inf


def _assumptions(
    file: ModelFile, device: Device, context_tokens: int, per_token: int | None
) -> tuple[str, ...]:
    found = [
        "All bytes of the file are read for every token: the model is dense, and its embedding table is read as the "
        "output head. A model with separate tables, or with experts, reads less and may be faster.",
        f"The KV cache holds half of the {context_tokens:,} tokens of context, in 16 bits."
        if per_token is not None
        else "The KV cache is left out, for its size is not recorded.",
    ]
    if device.bandwidth_bytes_per_second.reports == 1:
        found.append(
            f"The bandwidth is one figure only ({device.bandwidth_bytes_per_second.source.rstrip('.')}); "
            "half and double of it are taken as the range, which is caution and no measurement."
        )
    kernel = device.kernel(ggml_type(file))
    if kernel and device.cores:
        found.append(f"All {device.cores} cores work on the weights. {kernel.source}")
    else:
        found.append(
            f"How fast this processor works through {file.type} data is not known, so nothing is capped, and the low "
            "end is taken at half of the typical bandwidth."
        )
    return tuple(found)
