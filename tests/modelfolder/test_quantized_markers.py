"""A configuration that names a quantized format of which the files have nothing is refused by its headers alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from foldersamples import edit_json, refusal

from catalog.jsontext import JsonObject
from zoo.errors import ModelFileError
from zoo.modelfolder import formats
from zoo.modelfolder.weights import Stored

PLAIN = "the files have numbers of type F16 without scales"


@pytest.mark.parametrize(
    ("key", "given", "name"),
    [
        ("quantization_config", {"quant_method": "fp8", "weight_block_size": [128, 128]}, "FP8"),
        ("quantization_config", {"quant_method": "mxfp4"}, "MXFP4"),
        ("quantization_config", {"quant_method": "gptq", "bits": 4}, "GPTQ"),
        ("quantization_config", {"quant_method": "awq", "bits": 4}, "AWQ"),
        ("quantization_config", {"load_in_4bit": True}, "bitsandbytes"),
        ("quantization_config", {"quant_method": "compressed-tensors"}, "compressed-tensors"),
        ("quantization", {"group_size": 64, "bits": 4}, "MLX"),
        ("quantization_config", {"quant_method": "mystery"}, "mystery"),
    ],
)
def test_plain_weights_under_a_marker(key: str, given: dict[str, Any], name: str, folder: Path) -> None:
    found = refusal(edit_json(folder, "config.json", **{key: given}))
    assert found.what == f"config.json says that the weights are quantized ({name}; {key}), but {PLAIN}"
    assert found.where == "m/config.json" and found.remedy.startswith("If these are the 16-bit weights, remove")


def tensors(**types: str) -> dict[str, Stored]:
    return {name: Stored(name, "model.safetensors", type_, (2, 2)) for name, type_ in types.items()}


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"quant_method": "fp8"}, tensors(**{"a.weight": "F8_E4M3", "a.weight_scale_inv": "F32"})),
        ({"quant_method": "mxfp4"}, tensors(a_blocks="U8", a_scales="U8")),
        ({"quant_method": "gptq"}, tensors(**{"a.qweight": "I32", "a.bias": "F16"})),
        ({"quant_method": "bitsandbytes"}, tensors(**{"a.weight": "U8"})),
        # Its plain weights are rounded while the model runs.
        ({"quant_method": "bitnet"}, tensors(**{"a.weight": "BF16"})),
        ({"quant_method": "fp8"}, {}),
        ({}, tensors(**{"a.weight": "F16"})),
    ],
)
def test_no_contradiction(given: JsonObject, stored: dict[str, Stored]) -> None:
    formats.refuse_unpacked({"quantization_config": given}, stored)


@pytest.mark.parametrize(
    "stored",
    [tensors(**{"a.weight": "F8_E4M3"}), tensors(**{"a.weight": "F16", "a.weight_scale_inv": "F32"})],
)
def test_half_of_fp8(stored: dict[str, Stored]) -> None:
    with pytest.raises(ModelFileError, match="quantized \\(FP8; quantization_config\\), but the files have numbers"):
        formats.refuse_unpacked({"quantization_config": {"quant_method": "fp8"}}, stored)


def test_a_format_that_is_refused_keeps_its_reason(folder: Path) -> None:
    """Also where the weights cannot be read."""
    edit_json(folder, "config.json", quantization_config={"quant_method": "gptq", "bits": 4})
    (folder / "model.safetensors").unlink()
    assert "quantized already (GPTQ, 4 bits" in refusal(folder).what
