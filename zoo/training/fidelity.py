"""Compares the written weights with the source's own, tensor by tensor and value by value.

The imported folder stores the weights under the names of the source again (transformers restores that layout when it
saves), so every tensor can be compared with its source, rounded as in the import.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import torch
from safetensors import safe_open

from catalog.jsonvalues import listed, table, whole
from zoo.errors import ModelFileError
from zoo.modelfolder.inspection import Inspected
from zoo.modelfolder.weights import named
from zoo.training.exactly import Account

COMPUTED = re.compile(
    r"(^|\.)(rotary_emb\.(inv_freq|cos_cached|sin_cached)|masked_bias|attn\.bias|attention\.bias|position_ids)$"
)
"""Tables that old versions of transformers stored with the weights: angles of the rotary embedding and causal masks.
They are computed from the configuration, so they are not weights."""
FP8_ROUNDING = 2.0**-7
"""Relative difference allowed between two ways to multiply an FP8 value by its scale: the product may be rounded to
bfloat16 (2^-9), the scale itself too, and the result to float16 (2^-11)."""
SMALLEST = 2.0**-24
"""The smallest step of float16."""


def check(
    found: Inspected, weights: Path, kept: Account, *, layers: str = "", order: Sequence[int] | None = None
) -> list[str]:
    """Raises ModelFileError unless ``weights`` (model.safetensors of the import) has the same values as the source.

    layers: name of the list of decoder layers, order: the source's number of each layer that was kept (None: all).
    Returns notes: tensors of the source that are not used, for a known reason.
    """
    with ExitStack() as stack:
        written = stack.enter_context(safe_open(weights, framework="pt"))
        shards = {
            name: stack.enter_context(safe_open(found.files[name], framework="pt")) for name in found.shards
        }
        comparison = _Comparison(found, written, shards, kept)
        names = {name: _source_name(name, layers, order) for name in written.keys()}  # noqa: SIM118 - no mapping
        wrong = [name for name, source in names.items() if not comparison.same(name, source)]
        wrong = [name for name in wrong if not comparison.renamed(name)]
        if wrong:
            raise ModelFileError(
                f"The imported weights differ from the source's: {named(wrong)}", where=found.shown,
                safe="Nothing was made of them.",
                remedy="Report this as a bug with the address of the model: transformers misreads this source",
            )  # fmt: skip
        return comparison.left_over(complete=order is None)


def _source_name(name: str, layers: str, order: Sequence[int] | None) -> str:
    if order is None or not layers:
        return name
    match = re.match(rf"((?:\w+\.)*?{re.escape(layers.rpartition('.')[2])}\.)(\d+)(\..*)", name)
    return f"{match[1]}{order[int(match[2])]}{match[3]}" if match else name


class _Tensors(Protocol):
    """An open safetensors file."""

    def get_tensor(self, name: str, /) -> torch.Tensor: ...


class _Comparison:
    """Compares written tensors with stored ones; remembers which stored ones were found."""

    def __init__(
        self, found: Inspected, written: _Tensors, shards: Mapping[str, _Tensors], kept: Account
    ) -> None:
        self.found, self.written, self.shards, self.kept = found, written, shards, kept
        self.stored = {own: found.tensors[stored] for stored, own in found.own.items()}
        self.met: set[str] = set()

    def same(self, name: str, source: str) -> bool:
        if f"{source}_blocks" in self.stored:
            return self._same_as_mxfp4(self.written.get_tensor(name), source)
        stored = next((one for one in self._candidates(source) if one in self.stored), None)
        if stored is None:
            return False
        self.met.add(stored)
        here = self.written.get_tensor(name)
        if self.stored[stored].dtype.startswith("F8"):
            return self._same_as_fp8(here, stored)
        original = self._tensor(stored)
        if not original.is_floating_point():
            return here.shape == original.shape and bool(torch.equal(here, original))
        return here.shape == original.shape and bool(torch.equal(here, original.to(here.dtype)))

    def renamed(self, name: str) -> bool:
        """Whether a written tensor has the shape and values of a stored one that was not found yet: transformers
        renames some old tensors (``gamma``, ``beta``) without reordering."""
        here = self.written.get_tensor(name)
        for stored in sorted(set(self.stored) - self.met):
            if self.stored[stored].shape == tuple(here.shape) and torch.equal(
                here, self._tensor(stored).to(here.dtype)
            ):
                self.met.add(stored)
                return True
        return False

    def left_over(self, *, complete: bool) -> list[str]:
        """Notes on stored tensors that were not written. Raises ModelFileError for one without a known reason."""
        scales = {name for name in self.stored if name.endswith(("_scale_inv", ".activation_scale"))}
        rest = sorted(set(self.stored) - self.met - (scales if self.found.quantized else set()))
        notes = []
        computed = [name for name in rest if COMPUTED.search(name)]
        ignored = [name for name in rest if any(re.search(pattern, name) for pattern in self.kept.patterns)]
        lost = [name for name in rest if name not in {*computed, *ignored} and not self._is_twin(name)]
        if computed:
            notes.append(f"tables that are computed anyway were left out: {named(computed)}")
        if set(ignored) - set(computed):
            notes.append(
                f"parts that this architecture does not use for writing text were left out: {named(ignored)}"
            )
        if lost and complete:
            raise ModelFileError(
                f"Tensors of the source did not reach the model: {named(lost)}", where=self.found.shown,
                remedy="Use the config.json that belongs to these weights",
            )  # fmt: skip
        return notes

    def _candidates(self, name: str) -> Iterator[str]:
        """Names under which a source may store a written tensor: the same, or without or with the model's prefix."""
        yield name
        yield name.partition(".")[2]
        for prefix in ("model.", "transformer.", "gpt_neox."):
            yield prefix + name

    def _tensor(self, name: str) -> torch.Tensor:
        one = self.stored[name]
        return self.shards[one.file].get_tensor(one.name)

    def _same_as_fp8(self, here: torch.Tensor, name: str) -> bool:
        """Whether a matrix matches its FP8 values and their scales; only its shape if the scales are unusual."""
        stored, scale = self._tensor(name), self.stored.get(f"{name}_scale_inv")
        if here.shape != stored.shape:
            return False
        if scale is None or stored.dim() != 2:
            return True
        stated = table(self.found.config.get("quantization_config")).get("weight_block_size")
        rows, columns = (whole(one) for one in listed(stated or (128, 128)))
        original = dequantized(stored, self._tensor(f"{name}_scale_inv"), (rows, columns))
        return bool(torch.allclose(here.float(), original, rtol=FP8_ROUNDING, atol=SMALLEST))

    def _same_as_mxfp4(self, here: torch.Tensor, name: str) -> bool:
        """Whether the experts' matrices, which transformers stores transposed, match their blocks and scales."""
        pair = [f"{name}_blocks", f"{name}_scales"]
        if pair[1] not in self.stored:
            return False
        self.met.update(pair)
        original = from_mxfp4(*map(self._tensor, pair)).transpose(1, 2)
        return here.shape == original.shape and bool(torch.equal(here, original.to(here.dtype)))

    def _is_twin(self, name: str) -> bool:
        """Whether a stored tensor that was not written is tied to one that was, and equal to it."""
        partners = {*(other for one, other in self.kept.tied.items() if one == name)}
        partners |= {one for one, other in self.kept.tied.items() if other == name}
        for partner in partners & self.met:
            one, two = self._tensor(name), self._tensor(partner)
            if one.shape == two.shape and torch.equal(one.to(torch.float16), two.to(torch.float16)):
                return True
        return False


FP4 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
"""Values of E2M1; the highest of the four bits is the sign (OCP Microscaling Formats, section 5.3.3)."""


def from_mxfp4(blocks: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """Plain numbers (float32) [experts, rows, columns] of blocks [experts, rows, columns / 32, 16 bytes] of two values
    each, lower half first, and one exponent (E8M0, bias 127) for each block."""
    table = torch.tensor([*FP4, *(-value for value in FP4)])
    values = torch.stack([table[(blocks & 15).long()], table[(blocks >> 4).long()]], dim=-1).flatten(-2)
    return torch.ldexp(values, (scales.int() - 127).unsqueeze(-1)).flatten(-2)


def dequantized(tensor: torch.Tensor, scale: torch.Tensor, block: tuple[int, int]) -> torch.Tensor:
    """Plain numbers (float32) of an FP8 matrix: each block of rows x columns times its scale."""
    rows, columns = tensor.shape
    spread = scale.float().repeat_interleave(block[0], 0).repeat_interleave(block[1], 1)[:rows, :columns]
    return tensor.float() * spread
