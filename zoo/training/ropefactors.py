"""The rope scaling of Llama 3.1 and later, recovered from the factors that GGUF files store (``rope_freqs.weight``).

llama.cpp's converter writes one factor for each pair of a head's values and drops the parameters that they came from;
transformers' GGUF reader drops the factors. The parameters are searched here, and accepted only if they give exactly
these factors. Formula: ``_compute_llama3_parameters`` of transformers; conversion/llama.py of llama.cpp.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from gguf import GGUFReader
from numpy.typing import NDArray

from zoo.errors import ModelFileError

TENSOR = "rope_freqs.weight"
LOW, HIGH = 1.0, 4.0
"""Every published Llama has these; only their ratios to the old context matter, so they can be chosen freely."""
CONTEXTS = tuple(1 << power for power in range(8, 21))
"""Old contexts to try if too few factors are between 1 and the largest to compute it."""
Factors = NDArray[np.float64]


def read(path: Path) -> Factors | None:
    """The factors of a GGUF file, float64 [pairs]; None for a file without them."""
    return next((np.array(one.data, np.float64) for one in GGUFReader(path).tensors if one.name == TENSOR), None)


def scaling(found: Factors, base: float, where: str) -> dict[str, object] | None:
    """The keys of config.json's rope_parameters that give the factors ``found``; None if all are 1 (no scaling).

    base: rope_theta. Raises ModelFileError if no parameters give them within float32 rounding.
    """
    if np.all(found == 1):
        return None
    factor = float(found.max())
    if np.isfinite(factor) and found.min() >= 1 and base > 1:
        for context in _contexts(found, factor, base):
            given = {"factor": factor, "low_freq_factor": LOW, "high_freq_factor": HIGH,
                     "original_max_position_embeddings": context}  # fmt: skip
            if np.all(np.abs(factors(given, base, len(found)) - found) <= rounding(found, context, base) * found):
                return {"rope_type": "llama3", **given}
    raise ModelFileError(
        f"The factors of the rope ({TENSOR}) are not those of a Llama 3 scaling, so config.json cannot state them",
        where=where,
        remedy="Use the model folder (safetensors) that this file was made from",
    )


def factors(given: Mapping[str, float], base: float, pairs: int) -> Factors:
    """The divisor of each frequency of the rope, float64 [pairs]."""
    low, high = given["low_freq_factor"], given["high_freq_factor"]
    # How often each pair turns within the old context.
    turns = given["original_max_position_embeddings"] * _frequencies(base, pairs) / (2 * math.pi)
    smooth = np.clip((turns - low) / (high - low), 0, 1)
    whole: Factors = 1 / ((1 - smooth) / given["factor"] + smooth)
    return whole


def rounding(found: Factors, context: int, base: float) -> Factors:
    """Relative difference that float32 can make in each factor.

    A frequency is a power of ``base``: an error of its exponent counts ln(base) times, its own rounding and those of
    the wave length and the quotient once each. The smoothing turns this into turns / (high - low) of it, and the
    factor, which is 1 / (1 / factor + smooth (1 - 1 / factor)), into at most its own size times that.
    """
    turns = np.clip(context * _frequencies(base, len(found)) / (2 * math.pi), LOW, HIGH)
    one = np.finfo(np.float32).eps
    allowed: Factors = one * ((math.log(base) + 3) * found * turns / (HIGH - LOW) + 1)
    return allowed


def _contexts(found: Factors, factor: float, base: float) -> Iterator[int]:
    """Old contexts that are possible: computed from the factors between the ends, then powers of two."""
    between = (found > 1) & (found < factor)
    smooth = (1 / found[between] - 1 / factor) / (1 - 1 / factor)
    turns = smooth * (HIGH - LOW) + LOW
    for context in turns * 2 * math.pi / _frequencies(base, len(found))[between]:
        yield round(float(context))
    yield from CONTEXTS


def _frequencies(base: float, pairs: int) -> Factors:
    return np.power(base, -np.arange(pairs, dtype=np.float64) / pairs)
