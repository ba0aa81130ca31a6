"""The logits of a model folder in float32, and how far they move if an engine rounds the inputs of matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import torch

from zoo.judge.parity.distance import F16_ROUNDING, own_noise, relative_errors
from zoo.judge.parity.seen import Distances, Logits
from zoo.progress import Advance
from zoo.training.rounding import Change, Rounding, rounded, shaken

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SEEDS = (1, 2)
"""Draws of random errors in addition to the rounding itself: a position that one draw misses is found by another."""

INPUTS: dict[str, tuple[torch.dtype, float] | None] = {
    "f16": (torch.float16, F16_ROUNDING),
    "bf16": (torch.bfloat16, 8 * F16_ROUNDING),
    "f32": None,
}
"""Type of the exported file -> the type to which llama.cpp rounds the inputs of its matrices, and by how much at most.
The cache is f16 for every type."""


def logits_and_noise(
    model: PreTrainedModel, texts: Sequence[Sequence[int]], export_type: str, threads: int, advance: Advance
) -> tuple[list[Logits], list[Distances]]:
    """Logits [tokens, vocabulary] of every text, and the own noise [tokens] of every position (``parity.distance``).

    model: in float32, on the CPU. ``advance`` is called for each text.
    """
    with _threads(threads):
        logits, noise = [], []
        for ids in texts:
            found = run(model, ids)
            logits.append(found)
            runs = [relative_errors(found, run(model, ids, mode)) for mode in roundings(export_type)]
            noise.append(own_noise(runs))
            advance(1)
        return logits, noise


def as_exported(model: PreTrainedModel, export_type: str) -> None:
    """Round the matrices of ``model`` to bf16 if the recipe exports a bf16 file: that is the model to compare with.

    An imported folder holds f16, or bf16 where f16 loses something; that loss is then the file's own difference.
    llama.cpp's converter rounds matrices, not vectors.
    """
    if export_type != "bf16":
        return
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.copy_(weight.to(torch.bfloat16).to(weight.dtype))


def roundings(export_type: str) -> Iterator[Rounding]:
    """The runs that measure own noise: rounding, and random errors of the same size."""
    inputs = INPUTS[export_type]
    yield Rounding(rounded(inputs[0]) if inputs else _same, rounded(torch.float16))
    for seed in SEEDS:
        cache = shaken(F16_ROUNDING, 1000 + seed)
        yield Rounding(shaken(inputs[1], seed) if inputs else _same, cache)


def run(model: PreTrainedModel, ids: Sequence[int], mode: Rounding | None = None) -> Logits:
    """Logits [tokens, vocabulary] of one text, float32."""
    with torch.no_grad(), ExitStack() as stack:
        if mode is not None:
            stack.enter_context(table_activations(model, mode.cache))
            stack.enter_context(mode)
        found: Logits = model(input_ids=torch.tensor([list(ids)]), use_cache=False).logits[0].float().numpy()
        return found


@contextmanager
def table_activations(model: torch.nn.Module, change: Change) -> Iterator[None]:
    """llama.cpp looks GELU up in a table whose inputs and outputs are f16, whatever the file's type (ggml's vec.h)."""
    hooks = []
    for module in model.modules():
        if "GELU" in type(module).__name__:
            hooks.append(module.register_forward_pre_hook(_on_input(change)))
            hooks.append(module.register_forward_hook(_on_output(change)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _on_input(change: Change) -> Callable[[object, tuple[torch.Tensor, ...]], tuple[torch.Tensor, ...]]:
    return lambda _module, given: (change(given[0]), *given[1:])


def _on_output(change: Change) -> Callable[[object, object, torch.Tensor], torch.Tensor]:
    return lambda _module, _given, made: change(made)


def _same(values: torch.Tensor) -> torch.Tensor:
    return values


@contextmanager
def _threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
