"""Which weights are trained: all of them, or small low-rank matrices added to them (LoRA, DoRA, QLoRA).

Presets are named after the machines they suit. LoRA: Hu et al. 2021; QLoRA: Dettmers et al. 2023; DoRA: Liu
et al. 2024.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import torch
import transformers

from zoo.errors import InputError
from zoo.progress import Reporter
from zoo.training.models import load_model

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import PreTrainedModel

ADAPTERS = ("none", "lora", "dora", "qlora")


@dataclass(frozen=True)
class Preset:
    """quantization: nf4, fp4 or None (how qlora holds the frozen weights); compute: the dtype of the matrix
    products.

    The adapter's output is scaled by alpha / rank; dropout applies to its input.
    """

    quantization: str | None
    compute: str
    double_quantization: bool
    rank: int
    alpha: int
    dropout: float


PRESETS = {
    "ampere-balanced": Preset("nf4", "bfloat16", True, 64, 128, 0.05),
    "turing-safe": Preset("nf4", "float16", True, 32, 64, 0.10),
    "ada-memory": Preset("fp4", "bfloat16", False, 16, 32, 0.05),
    "ada-memory-nf4": Preset("nf4", "bfloat16", True, 16, 32, 0.05),
    "cpu-small": Preset(None, "float32", False, 16, 32, 0.0),
}


def preset_named(name: str) -> Preset:
    """The preset of that name; InputError lists the existing ones."""
    if name not in PRESETS:
        raise InputError(f"There is no preset {name!r}", remedy=f"Use one of {', '.join(PRESETS)}")
    return PRESETS[name]


def supports_bfloat16(device: str) -> bool:
    """Whether the device computes in bfloat16 itself rather than by emulation."""
    if device.startswith("cuda"):
        return bool(torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def compute_dtype(
    preset: Preset, device: str, report: Reporter, supported: Callable[[str], bool] = supports_bfloat16
) -> torch.dtype:
    """The preset's dtype; bfloat16 falls back to float16, with a warning, if the device does not support it."""
    if preset.compute == "bfloat16" and not supported(device):
        report.warn(f"{device} has no bfloat16. Using float16 instead, which has a smaller range")
        return torch.float16
    found: torch.dtype = getattr(torch, preset.compute)
    return found


def load_trainable(
    student: Path, adapter: str, preset: Preset, dtype: torch.dtype, device: str
) -> PreTrainedModel:
    """The student in training mode, with gradients for the weights to train.

    Without an adapter the weights are float32 for any ``dtype`` (products are then cast); with one the
    frozen weights are in ``dtype`` or 4 bit and the adapter in float32.
    """
    if adapter == "none":
        return load_model(student, torch.float32, device).train()
    if adapter == "qlora":
        return apply_adapter(_load_4bit(student, preset, dtype, device), adapter, preset).train()
    return apply_adapter(load_model(student, dtype, device), adapter, preset).train()


def apply_adapter(model: PreTrainedModel, adapter: str, preset: Preset) -> PreTrainedModel:
    """``model`` with the adapter on every linear layer except the output head; ``none`` returns it unchanged.

    The adapter starts as the identity; its random half comes from torch's global generator.
    """
    if adapter not in ADAPTERS:
        raise InputError(f"There is no adapter {adapter!r}", remedy=f"Use one of {', '.join(ADAPTERS)}")
    if adapter == "none":
        return model
    with warnings.catch_warnings():
        # peft asks transformers for an attribute that is being renamed.
        warnings.simplefilter("ignore", FutureWarning)
        return _peft().get_peft_model(model, lora_config(adapter, preset))


def lora_config(adapter: str, preset: Preset) -> LoraConfig:
    """peft's configuration of an adapter."""
    return _peft().LoraConfig(
        r=preset.rank,
        lora_alpha=preset.alpha,
        lora_dropout=preset.dropout,
        use_dora=adapter == "dora",
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def adapter_state(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """The adapter's own weights, on the CPU, by name."""
    state = _peft().get_peft_model_state_dict(model)
    return {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}


def merge(model: PreTrainedModel, base: PreTrainedModel, adapter: str, preset: Preset) -> PreTrainedModel:
    """A plain model: ``base`` (the student in float32) plus the trained adapter of ``model``.

    The adapter is attached to the float weights again instead of being merged where it was trained: with
    qlora the trained-on weights are 4-bit roundings, and merging there would put that rounding into a release that is
    quantized again later; with lora and dora the frozen weights may be 16 bit, which would round the sum.
    """
    if adapter == "none":
        return model
    fresh = apply_adapter(base, adapter, preset)
    _peft().set_peft_model_state_dict(fresh, adapter_state(model))
    merged: PreTrainedModel = fresh.merge_and_unload()
    return merged


def dequantized(
    base: PreTrainedModel, student: Path, preset: Preset, dtype: torch.dtype, device: str
) -> PreTrainedModel:
    """``base`` (the student in float32, on the CPU) with the values of the 4-bit weights that qlora trains on."""
    from bitsandbytes.functional import dequantize_4bit

    packed = _load_4bit(student, preset, dtype, device)
    with torch.no_grad():
        for name, module in packed.named_modules():
            state = getattr(getattr(module, "weight", None), "quant_state", None)
            if state is not None:
                values = dequantize_4bit(module.weight.data, state)
                base.get_submodule(name).weight.copy_(values.reshape(module.out_features, module.in_features))
    return base


def _peft() -> ModuleType:
    """peft, imported when needed: it takes seconds, and bitsandbytes prints messages about its kernels."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    import peft

    module: ModuleType = peft
    return module


def _load_4bit(student: Path, preset: Preset, dtype: torch.dtype, device: str) -> PreTrainedModel:
    if preset.quantization is None:
        fitting = ", ".join(name for name, other in PRESETS.items() if other.quantization)
        raise InputError("qlora requires a preset that quantizes to 4 bits", remedy=f"Use one of {fitting}")
    config = transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=preset.quantization,
        bnb_4bit_use_double_quant=preset.double_quantization,
        bnb_4bit_compute_dtype=dtype,
    )
    return load_model(student, dtype, device, quantization_config=config, device_map={"": device})
