"""Our quantized tensors are llama.cpp's own, byte for byte, for every file type, with and without importance."""

from __future__ import annotations

from pathlib import Path

import pytest
from llamaquant import llama_quantize, random_imatrix, tensors
from tinygguf import make_tiny_gguf

from catalog.quants import NEED_IMATRIX, QUANTS
from zoo.gguf.header import read_header
from zoo.gguf.imatrix import Imatrix
from zoo.llama.quantize.quantize import Wanted, quantize

pytest.importorskip("llama_cpp")

SLOWEST = ("IQ1_M", "IQ1_S", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ3_XXS")
"""llama.cpp's tables for them take seconds to make: make long compares them."""
NARROW = ("Q4_K_M", "Q5_K_M", "Q6_K", "Q2_K", "IQ4_XS", "IQ3_M", "Q4_0")


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight layers, because the mixes treat the first eighth of them differently."""
    return make_tiny_gguf(tmp_path_factory.mktemp("gguf") / "wide.gguf", inner=256, layers=8, vocabulary=300)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of 64 and 128: every k-quant falls back."""
    return make_tiny_gguf(tmp_path_factory.mktemp("gguf") / "narrow.gguf", width=64, layers=8, vocabulary=300)


def _same(source: Path, folder: Path, type_name: str, imatrix: Imatrix | None) -> None:
    theirs, ours = folder / "theirs.gguf", folder / "ours.gguf"
    llama_quantize(source, theirs, type_name, imatrix)
    quantize(source, ours, Wanted(type_name, imatrix=imatrix, allow_fallback=True), threads=2)
    assert tensors(ours) == tensors(theirs)
    for key in ("general.file_type", "general.quantization_version"):
        assert read_header(ours).metadata[key] == read_header(theirs).metadata[key]


@pytest.mark.parametrize("type_name", sorted(set(QUANTS) - NEED_IMATRIX))
def test_without_importance(wide: Path, tmp_path: Path, type_name: str) -> None:
    _same(wide, tmp_path, type_name, None)


@pytest.mark.parametrize("type_name", [
    pytest.param(name, marks=[pytest.mark.long] if name in SLOWEST else [])
    for name in sorted(set(QUANTS) - {"F16", "F32", "BF16"})
])  # fmt: skip
def test_with_importance(wide: Path, tmp_path: Path, type_name: str) -> None:
    _same(wide, tmp_path, type_name, random_imatrix(wide))


@pytest.mark.parametrize("type_name", NARROW)
@pytest.mark.parametrize("weighted", [False, True])
def test_with_fallbacks(narrow: Path, tmp_path: Path, type_name: str, weighted: bool) -> None:
    _same(narrow, tmp_path, type_name, random_imatrix(narrow) if weighted else None)
