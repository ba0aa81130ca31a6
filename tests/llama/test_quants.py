"""The table of file types against llama.cpp and the package gguf."""

from __future__ import annotations

import pytest

from catalog.quants import LADDER, NEED_IMATRIX, QUANTS

llama_cpp = pytest.importorskip("llama_cpp")
gguf = pytest.importorskip("gguf")


@pytest.mark.parametrize("name", sorted(QUANTS))
def test_numbers_and_base_types_are_those_of_llama_cpp(name: str) -> None:
    quant = QUANTS[name]
    full = "LLAMA_FTYPE_ALL_F32" if name == "F32" else f"LLAMA_FTYPE_MOSTLY_{name}"
    if hasattr(llama_cpp, full):  # the binding lacks the newest
        assert getattr(llama_cpp, full) == quant.number
    if quant.base not in gguf.GGMLQuantizationType.__members__:
        return  # newer than the package
    block, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[quant.base]]
    # A file has some tensors of more bits than its base type, and none of far fewer.
    assert 8 * size / block - 0.6 < quant.nominal_bits < 8 * size / block + 1.5


def test_every_type_of_llama_cpp_is_in_the_table() -> None:
    known = {name.removeprefix("LLAMA_FTYPE_MOSTLY_") for name in dir(llama_cpp) if "FTYPE_MOSTLY_" in name}
    # NVFP4 needs scales that only its own training tools write.
    assert known - {"NVFP4"} <= set(QUANTS), known - set(QUANTS)


def test_what_needs_an_importance_matrix_may_be_in_a_ladder() -> None:
    assert set(LADDER) > NEED_IMATRIX
