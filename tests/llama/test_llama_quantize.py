"""Quantizing tiny files: the same bytes each time, fallbacks reported, damage refused."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tinygguf import make_tiny_gguf

from zoo.errors import InputError, ModelFileError
from zoo.gguf.header import read_header, rewrite_header
from zoo.llama.quantize import presets
from zoo.llama.quantize.quantize import Wanted, quantize
from zoo.progress import Advance, Silent

pytest.importorskip("llama_cpp")


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_gguf(tmp_path_factory.mktemp("gguf") / "wide.gguf")


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of 64 and 128: no k-quant can hold them."""
    return make_tiny_gguf(tmp_path_factory.mktemp("gguf") / "narrow.gguf", width=64)


class Counting(Silent):
    """Adds up what a task advances by."""

    def __init__(self) -> None:
        self.done = 0.0
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    @contextmanager
    def task(self, what: str, total: float | None, unit: str) -> Iterator[Advance]:
        del what, total, unit

        def advance(amount: float) -> None:
            self.done += amount

        yield advance


def test_the_same_bytes_whatever_the_threads(wide: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "1.gguf", tmp_path / "2.gguf"
    quantize(wide, one, Wanted("Q4_K_M"), threads=1)
    quantize(wide, two, Wanted("Q4_K_M"), threads=2)
    assert one.read_bytes() == two.read_bytes()


def test_the_report_is_what_the_file_says(wide: Path, tmp_path: Path) -> None:
    target, counting = tmp_path / "q.gguf", Counting()
    report = quantize(wide, target, Wanted("Q4_K_M"), threads=1, report=counting)
    header = read_header(target)
    assert report.type_name == "Q4_K_M"
    assert report.size_bytes == target.stat().st_size
    assert report.bits_per_weight == header.bits_per_weight
    assert sum(report.tensor_types.values()) == len(header.tensors)
    assert {"F32", "Q4_K", "Q6_K"} == set(report.tensor_types)
    assert report.fallbacks == ()
    assert counting.done == sum(math.prod(t.shape) for t in header.tensors if len(t.shape) > 1)
    assert header.file_type == 15


@pytest.mark.parametrize(
    ("name", "vocabulary", "said"),
    [
        ("Q4_0", 20_000, r"Q4_0: the file has 8\.\d\d bits per weight, not the 4\.50 of its name\. .* is token_embd"),
        ("Q4_0", 256, ""),
        ("Q8_0", 20_000, ""),
        ("F16", 20_000, ""),
        ("IQ4_NL", 20_000, r"not the 4\.50 of its name\. .*token_embd.weight \(Q8_0, 9\d% of the weights\)$"),
    ],
)
def test_a_file_with_far_more_bits_than_its_name_says_is_reported(
    tmp_path: Path, name: str, vocabulary: int, said: str
) -> None:
    """llama.cpp gives the tied embedding a better type by design; in a tiny model that is nearly all of it."""
    source, counting = make_tiny_gguf(tmp_path / "m.gguf", width=64, vocabulary=vocabulary), Counting()
    report = quantize(source, tmp_path / "q.gguf", Wanted(name), threads=1, report=counting)
    assert report.fallbacks == ()
    assert len(counting.warnings) == bool(said)
    assert all(re.search(said, warning) for warning in counting.warnings)


def test_fallbacks_are_every_matrix_whose_rows_do_not_divide(narrow: Path, tmp_path: Path) -> None:
    target = tmp_path / "q.gguf"
    report = quantize(narrow, target, Wanted("Q4_K_M", allow_fallback=True), threads=1)
    matrices = {tensor.name for tensor in read_header(narrow).tensors if len(tensor.shape) > 1}
    assert {fallback.name for fallback in report.fallbacks} == matrices
    assert {fallback.wanted for fallback in report.fallbacks} == {"Q4_K", "Q6_K"}
    assert {fallback.row_length for fallback in report.fallbacks} == {64, 128}
    assert not {"Q4_K", "Q6_K"} & set(report.tensor_types)


def test_fallbacks_are_refused_before_the_work(narrow: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"15 of 20 tensors .* multiple of 256") as caught:
        quantize(narrow, tmp_path / "q.gguf", Wanted("Q4_K_M"), threads=1)
    assert "allow_fallback" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["Q8_0", "Q4_0", "Q5_0", "IQ4_NL"])
def test_types_of_32_weights_fit_narrow_rows(narrow: Path, tmp_path: Path, name: str) -> None:
    report = quantize(narrow, tmp_path / "q.gguf", Wanted(name), threads=1)
    assert report.fallbacks == ()
    assert name in report.tensor_types


@pytest.mark.parametrize(("asked", "meant"), [("q8_0", "Q8_0"), ("Q4_KM", "Q4_K_M"), ("iq4nl", "IQ4_NL")])
def test_an_unknown_type_is_corrected(wide: Path, tmp_path: Path, asked: str, meant: str) -> None:
    with pytest.raises(InputError) as caught:
        quantize(wide, tmp_path / "q.gguf", Wanted(asked), threads=1)
    assert meant in caught.value.remedy


@pytest.mark.parametrize("tensor", ["blk.1.ffn_down.weight", "token_embd.weight"])
def test_nan_in_the_weights_is_named(tmp_path: Path, tensor: str) -> None:
    bad = make_tiny_gguf(tmp_path / "bad.gguf", spoil=tensor)
    with pytest.raises(ModelFileError, match=f"{tensor} of bad.gguf contains NaN"):
        quantize(bad, tmp_path / "q.gguf", Wanted("Q8_0"), threads=1)
    assert list(tmp_path.iterdir()) == [bad]


def test_a_quantized_file_is_not_quantized_again(wide: Path, tmp_path: Path) -> None:
    quantize(wide, tmp_path / "8.gguf", Wanted("Q8_0"), threads=1)
    with pytest.raises(ModelFileError, match="already quantized"):
        quantize(tmp_path / "8.gguf", tmp_path / "4.gguf", Wanted("Q4_0"), threads=1)


def test_a_type_that_needs_an_importance_matrix_reports_it(wide: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"imatrix|importance matrix"):
        quantize(wide, tmp_path / "q.gguf", Wanted("IQ2_XXS"), threads=1)
    assert list(tmp_path.iterdir()) == []


def test_the_builders_path_does_not_travel_on(wide: Path, tmp_path: Path) -> None:
    leaky = tmp_path / "leaky.gguf"
    rewrite_header(wide, leaky, {"quantize.imatrix.file": "/home/anna/matrix.dat"})
    quantize(leaky, tmp_path / "q.gguf", Wanted("Q8_0"), threads=1)
    assert "quantize.imatrix.file" not in read_header(tmp_path / "q.gguf").metadata


def test_every_tensor_of_a_deep_model_gets_its_type(tmp_path: Path) -> None:
    """llama.cpp reports two lines for each of some 800 tensors; the first ones count as much as the last."""
    deep = make_tiny_gguf(tmp_path / "deep.gguf", width=32, layers=90, vocabulary=64)
    report = quantize(deep, tmp_path / "q.gguf", Wanted("Q8_0"), threads=1)
    matrices = sum(len(tensor.shape) > 1 for tensor in read_header(deep).tensors)
    assert matrices > 600 and report.tensor_types["Q8_0"] == matrices and set(report.tensor_types) == {"F32", "Q8_0"}
    assert report.bits_per_weight < 9.5


def test_a_tensor_that_llama_cpp_does_not_report_is_named(wide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line for line in presets._ask(wide, 7, False) if "blk.0.attn_q.weight" not in line]
    monkeypatch.setattr(presets, "_ask", lambda *_: lines)
    with pytest.raises(ModelFileError, match=r"of the \d+ tensors of wide\.gguf; blk\.0\.attn_q\.weight is not in"):
        presets.choose(wide, "Q8_0", with_imatrix=False)
