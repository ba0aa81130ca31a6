"""Which number format an imported folder is kept in: float16, or bfloat16 if float16 cannot represent the weights.

float16 is the more precise one (2^-11 of a value, bfloat16 2^-9) and has the smaller range: 65,504 at most, and below
2^-14 its steps are all equal. So bfloat16 is used if a weight is larger, or if a tensor is so small that float16 would
lose more of it than bfloat16.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open

from catalog import jsontext
from catalog.jsonvalues import table
from zoo.modelfolder.inspection import Inspected
from zoo.modelfolder.weights import named

if TYPE_CHECKING:
    from transformers import PreTrainedModel

WIDER = frozenset(("BF16", "F32", "F64"))
"""Formats of stored tensors with a larger range than float16's."""
BF16_ROUNDING = 2.0**-9
"""bfloat16 has 8 bits of precision, so it changes a value by at most this share."""
LIMIT = 65_504
"""The largest number of float16."""


@dataclass(frozen=True)
class Format:
    """overflows: tensors with a value beyond float16, with the largest; matrices among them: without vectors, which
    GGUF files hold in float32. faint: tensors that are so small that float16 loses more than bfloat16."""

    overflows: tuple[tuple[str, float], ...] = ()
    matrices: tuple[str, ...] = ()
    faint: tuple[str, ...] = ()

    @property
    def dtype(self) -> torch.dtype:
        """The number format of the folder."""
        return torch.bfloat16 if self.overflows or self.faint else torch.float16

    def notes(self) -> list[str]:
        """What to report, in sentences."""
        found = []
        if self.overflows:
            which = named(f"{name} (up to {value:,.0f})" for name, value in self.overflows)
            found.append(f"weights are beyond float16's {LIMIT:,}: {which}; the model is kept in bfloat16")
        if self.faint:
            found.append(
                f"weights are so small that float16 would lose them: {named(self.faint)}; the model is kept in bfloat16"
            )
        return found


def of_folder(found: Inspected) -> Format:
    """Check every stored tensor of a wider format."""
    judge = _Judge()
    with ExitStack() as stack:
        shards = {
            name: stack.enter_context(safe_open(found.files[name], framework="pt")) for name in found.shards
        }
        for name, one in sorted(found.tensors.items()):
            if one.dtype in WIDER:
                judge.look(found.own.get(name, name), shards[one.file].get_tensor(name))
    return judge.format()


def of_model(model: PreTrainedModel) -> Format:
    """The same of a model in float32."""
    judge = _Judge()
    for name, tensor in sorted(model.state_dict().items()):
        if tensor.is_floating_point():
            judge.look(name, tensor)
    return judge.format()


def kept(folder: Path) -> torch.dtype:
    """The number format of an imported folder, from its config.json."""
    config = table(jsontext.read(folder / "config.json", bounded=False, finite=False))
    return torch.bfloat16 if config.get("dtype") == "bfloat16" else torch.float16


def inference_dtype(device: str) -> torch.dtype:
    """float32 on a CPU; half the memory on a GPU, where a teacher of 7 billion weights would not fit otherwise."""
    if device == "cpu":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def teaching_dtype(folder: Path, device: str, *, as_stored: bool) -> torch.dtype:
    """What a teacher computes in. as_stored: in the format of its folder, so that its weights are mapped and never
    converted; a GPU without bfloat16 gets float16."""
    if not as_stored:
        return inference_dtype(device)
    own = kept(folder)
    return own if device == "cpu" or own == torch.float16 else inference_dtype(device)


class _Judge:
    def __init__(self) -> None:
        self.overflows: list[tuple[str, float]] = []
        self.matrices: list[str] = []
        self.faint: list[str] = []

    def look(self, name: str, tensor: torch.Tensor) -> None:
        values = tensor.float()
        # Infinity and NaN are refused elsewhere, with their own message.
        if values.numel() == 0 or not torch.isfinite(values).all():
            return
        half = values.to(torch.float16)
        if not torch.isfinite(half).all():
            self.overflows.append((name, float(values.abs().max())))
            self.matrices += [name] if values.dim() > 1 else []
            return
        largest = values.abs().max()
        # Scaled first: the square of 1e-30 is zero in float32.
        if largest > 0:
            lost = (values - half.float()).div_(largest).norm()
            if lost > BF16_ROUNDING * values.div(largest).norm():
                self.faint.append(name)

    def format(self) -> Format:
        return Format(tuple(self.overflows), tuple(self.matrices), tuple(self.faint))
