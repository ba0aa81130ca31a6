"""Sources that are not plain weights: quantized by another tool, or adapters that change another model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from catalog import shell
from catalog.jsonvalues import table
from zoo.errors import ModelFileError
from zoo.modelfolder.commands import FileRefused
from zoo.modelfolder.weights import Stored, named

ADAPTER = "adapter_config.json"
MERGE = (
    'python -c "from peft import AutoPeftModelForCausalLM as M; from transformers import AutoTokenizer as T; '
    "m = M.from_pretrained('ADAPTER'); b = m.peft_config['default'].base_model_name_or_path; "
    "m.merge_and_unload().save_pretrained('MERGED'); "
    "import os; t = 'ADAPTER' if os.path.exists('ADAPTER/tokenizer_config.json') else b; "
    "T.from_pretrained(t).save_pretrained('MERGED')\""
)

DEQUANTIZED: Mapping[str, str] = {"fp8": "FP8", "mxfp4": "MXFP4"}
"""quant_method -> name, of formats that transformers converts to plain numbers on a CPU (its own ``dequantize``)."""

REFUSED: Mapping[str, str] = {
    "bitsandbytes": "bitsandbytes",
    "gptq": "GPTQ",
    "awq": "AWQ",
    "compressed-tensors": "compressed-tensors",
    "hqq": "HQQ",
    "torchao": "torchao",
    "aqlm": "AQLM",
    "auto-round": "AutoRound",
    "quanto": "Quanto",
    "fbgemm_fp8": "FBGEMM FP8",
    "mxfp8": "MXFP8",
    "nvfp4": "NVFP4",
    "bitnet": "BitNet",
}
"""quant_method -> name for people. They need a GPU or extra packages, and the 16-bit weights are more precise."""


SIXTEEN_BITS = (
    "Use the repository with the 16-bit weights (BF16 or F16) that this one was made from; base_model on its card "
    "usually names it"
)


def quantized(config: Mapping[str, object]) -> str | None:
    """The format that a configuration says its weights are in, for people; None for plain weights.

    Raises ModelFileError for a format that cannot be converted to plain numbers here.
    """
    if config.get("transformers_weights"):
        raise ModelFileError(
            f"config.json names another file for the weights (transformers_weights: {config['transformers_weights']})",
            where="config.json",
            remedy="Remove the key, and name the file model.safetensors",
        )
    given = config.get("quantization_config") or config.get("quantization")
    if not given:
        return None
    given = table(given)
    if _is_mlx(given):
        raise ModelFileError(
            f"The weights are quantized already (MLX, {given['bits']} bits; quantization of config.json)",
            where="config.json",
            remedy=SIXTEEN_BITS,
        )
    method = _method(given)
    if method in DEQUANTIZED:
        return DEQUANTIZED[method]
    name = REFUSED.get(method, method or "an unnamed format")
    bits = (
        given.get("bits")
        or given.get("w_bit")
        or (4 if given.get("load_in_4bit") else 8 if given.get("load_in_8bit") else None)
    )
    detail = f"{name}, {bits} bits" if bits else name
    raise ModelFileError(
        f"The weights are quantized already ({detail}; quantization_config of config.json)",
        where="config.json",
        remedy=SIXTEEN_BITS,
    )


PLAIN = ("F64", "F32", "F16", "BF16")
"""Types of a safetensors file whose values are the weights themselves."""
_PACKED = (
    ".qweight", ".qzeros", ".absmax", ".quant_map", ".weight_packed", ".SCB", ".weight_scale_inv", "_blocks",
)  # fmt: skip
"""Name endings of tensors that only a quantized format has."""


def refuse_packed(stored: Mapping[str, Stored], method: str | None) -> None:
    """Raises ModelFileError for tensors that only a quantized format has, if the configuration does not name a
    format."""
    packed = sorted(
        f"{name} of type {one.dtype}"
        for name, one in stored.items()
        if name.endswith(_PACKED) or ".quant_state." in name or (name.endswith(".weight") and one.dtype not in PLAIN)
    )
    if packed and method is None:
        raise ModelFileError(
            f"The weights are quantized ({named(packed)}), but config.json has no quantization_config",
            where="config.json",
            remedy="Use the repository with the 16-bit weights (BF16 or F16)",
        )


def refuse_unpacked(config: Mapping[str, object], stored: Mapping[str, Stored]) -> None:
    """Raises ModelFileError if the configuration names a quantized format of which no tensor is.

    Does nothing without tensors, and for BitNet: its plain weights are rounded while the model runs.
    """
    key = next((key for key in ("quantization_config", "quantization") if config.get(key)), None)
    given = table(config.get(key)) if key else {}
    method = _method(given)
    if not given or not stored or method == "bitnet":
        return
    types = {one.dtype for one in stored.values()}
    scales = any("scale" in name for name in stored)
    if method == "fp8":
        absent = not scales or not any(type_.startswith("F8_") for type_ in types)
    else:
        absent = types <= set(PLAIN) and not any(name.endswith(_PACKED) for name in stored)
    if absent:
        name = "MLX" if _is_mlx(given) else {**DEQUANTIZED, **REFUSED}.get(method, method or "an unnamed format")
        raise ModelFileError(
            f"config.json says that the weights are quantized ({name}; {key}), but the files have numbers of type "
            f"{' and '.join(sorted(types))}{'' if scales else ' without scales'}",
            where="config.json",
            remedy=f"If these are the 16-bit weights, remove {key} from config.json. Otherwise fetch the weights that "
            "belong to this config.json",
        )


def refuse_adapter(files: Mapping[str, Path]) -> None:
    """Raises ModelFileError for an adapter, alone or together with weights."""
    if ADAPTER not in files:
        return
    if any(name.startswith("model") and name.endswith(".safetensors") for name in files):
        raise FileRefused(
            "The folder has an adapter (LoRA) next to the weights. It is not clear whether they are merged",
            where=ADAPTER,
            remedy=lambda place: (
                f"If they are merged, delete the adapter: rm {shell.argument(place)}; if not, merge them first: {MERGE}"
            ),
        )
    raise ModelFileError(
        "This folder is an adapter (LoRA), not a model: it only changes another model's weights",
        where=ADAPTER,
        remedy=f"Merge it into its base model first: {MERGE}; then name the new folder in the recipe: file:MERGED",
    )


def refuse_lora(names: Iterable[str]) -> None:
    """Raises ModelFileError for weights that still hold an adapter's matrices."""
    parts = (".lora_A", ".lora_B", ".lora_embedding_", ".lora_magnitude_vector", "lora_A.", "lora_B.")
    found = sorted(name for name in names if any(part in name for part in parts))
    if found:
        raise ModelFileError(
            f"The weights include adapter (LoRA) matrices that are not merged: {named(found)}",
            where="model.safetensors",
            remedy=f"Merge the adapter first: {MERGE}",
        )


def _method(given: Mapping[str, object]) -> str:
    return str(given.get("quant_method") or ("bitsandbytes" if _is_bitsandbytes(given) else "")).lower()


def _is_mlx(given: Mapping[str, object]) -> bool:
    """MLX names no method; it writes the same values under ``quantization`` and ``quantization_config``."""
    return "quant_method" not in given and {"group_size", "bits"} <= set(given)


def _is_bitsandbytes(given: Mapping[str, object]) -> bool:
    return bool(given.get("load_in_4bit") or given.get("load_in_8bit"))
