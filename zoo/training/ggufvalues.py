"""Compares the written weights with a GGUF file's own values.

transformers renames tensors and reorders their rows, so names and places cannot be compared. How often each value
occurs does not change. Every tensor of the file must occur with exactly its values, rounded as the import rounds it, in
one written tensor, and every written tensor must come from one of the file.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader, ReaderTensor, dequantize
from numpy.typing import NDArray
from safetensors import safe_open

from zoo.errors import ModelFileError
from zoo.modelfolder.weights import named
from zoo.progress import Advance
from zoo.training import ropefactors

Values = NDArray[np.float32]
EXPERTS = "_exps."
"""Part of the name of a tensor that holds all experts of a layer."""


def check(source: Path, weights: Path, advance: Advance) -> None:
    """Raises ModelFileError unless ``weights`` (safetensors) has the values of the GGUF file ``source``."""
    with safe_open(weights, framework="pt") as written:
        every = list(written.keys())
        dtype = written.get_tensor(every[0]).dtype
        names = {name: fingerprint(written.get_tensor(name), dtype) for name in every}
    left = Counter(names.values())
    lost = []
    for tensor in GGUFReader(source).tensors:
        # The rope's factors become keys of config.json, see ropefactors.
        if tensor.name != ropefactors.TENSOR and not _taken(tensor, left, dtype):
            lost.append(str(tensor.name))
        advance(1)
    # A head that is tied to the embedding is in the file once more, or not at all.
    more = sorted(name for name, mark in names.items() if left[mark] > 0)
    if lost or more:
        parts = [f"{named(lost)} of the file are missing from the imported weights"] if lost else []
        parts += [f"the imported {named(more)} are not in the file"] if more else []
        raise ModelFileError(
            f"The imported weights differ from the file's: {'; '.join(parts)}", where=source.name,
            safe="Nothing was made of them.",
            remedy="Use the model folder (safetensors) that this file was made from",
        )  # fmt: skip


def fingerprint(values: torch.Tensor, dtype: torch.dtype) -> bytes:
    """A digest of how often each value of a 16-bit type occurs, for any order and shape."""
    bits = values.to(dtype).contiguous().view(torch.int16).numpy().view(np.uint16).ravel()
    return hashlib.sha256(np.bincount(bits, minlength=1 << 16).tobytes()).digest()


def _taken(tensor: ReaderTensor, left: Counter[bytes], dtype: torch.dtype) -> bool:
    """Whether the tensor's values are among the remaining ones; if so, they are removed."""
    values: Values = dequantize(tensor.data, tensor.tensor_type)
    for form in _forms(str(tensor.name), values):
        wanted = Counter(fingerprint(torch.from_numpy(np.array(part)), dtype) for part in form)
        if all(left[mark] >= count for mark, count in wanted.items()):
            left.subtract(wanted)
            return True
    return False


def _forms(name: str, values: Values) -> Iterator[list[Values]]:
    """How transformers may store a tensor: unchanged, experts one by one, norms minus one (Gemma, Nemotron), and the
    logarithm of a negative decay (Mamba)."""
    yield [values]
    if EXPERTS in name:
        yield list(values)
    if "norm" in name and values.ndim == 1:
        yield [values - 1]
    if name.endswith("ssm_a"):
        yield [np.log(-values)]
