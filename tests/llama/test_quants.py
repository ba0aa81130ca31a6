"""The table of file types against llama.cpp and the package gguf."""

from __future__ import annotations

from pathlib import Path

import llamaquant
import pytest
from tinygguf import make_tiny_gguf

from catalog.quants import LADDER, NEED_IMATRIX, QUANTS
from zoo.errors import ZooError
from zoo.llama.quantize import presets

llama_cpp = pytest.importorskip("llama_cpp")
gguf = pytest.importorskip("gguf")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_gguf(tmp_path_factory.mktemp("gguf") / "wide.gguf")


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


@pytest.mark.parametrize("name", LADDER)
def test_llama_cpp_can_write_every_type_of_a_ladder(name: str, source: Path) -> None:
    try:
        presets.choose(source, name, with_imatrix=True)
    except ZooError as error:
        pytest.fail(f"llama.cpp cannot write {name}, so it has no place in the table: {error}")


def test_every_type_that_llama_cpp_can_write_is_in_the_table(source: Path, tmp_path: Path) -> None:
    """Others have a number too: NVFP4 files come from llama.cpp's converter alone, for weights published like that."""
    numbers = {name: value for name, value in vars(llama_cpp).items() if "FTYPE_MOSTLY_" in name}
    missing = {name: numbers[name] for name in numbers if name.removeprefix("LLAMA_FTYPE_MOSTLY_") not in QUANTS}
    written = [name for name, number in missing.items() if llamaquant.code(source, tmp_path / name, number) == 0]
    assert written == [], "llama.cpp writes these, and catalog/quants.py has no row for them"


def test_what_needs_an_importance_matrix_may_be_in_a_ladder() -> None:
    assert set(LADDER) > NEED_IMATRIX
