"""A Q4_1 file for the fast kernels: the same values in two parts, and only where llama.cpp uses both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tinygguf import make_tiny_gguf

from zoo.errors import ZooError
from zoo.gguf.header import descriptions, header_bytes, read_header
from zoo.gguf.layout import opened, read_raw
from zoo.llama import repack
from zoo.llama.measure.logits import window_logits
from zoo.llama.model import Model
from zoo.llama.quantize.quantize import Wanted, quantize
from zoo.llama.quantize.rows import dequantize_rows

pytest.importorskip("llama_cpp")

IDS = list(range(20, 84))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Q4_1 with an embedding of another type, as files of this type have."""
    folder = tmp_path_factory.mktemp("small")
    quantize(make_tiny_gguf(folder / "tiny.gguf", layers=1), folder / "small.gguf", Wanted("Q4_1"), threads=1)
    return folder / "small.gguf"


def matrix(path: Path, name: str) -> tuple[bytes, str, tuple[int, ...]]:
    with opened(path) as data:
        raw = read_raw(data)
        tensor = next(tensor for tensor in raw.tensors if tensor.name == name)
        start = raw.data_start + tensor.offset
        return bytes(data.data[start : start + tensor.size_bytes]), tensor.type_name, tensor.shape


def test_both_parts_together_are_the_values_of_the_file(small: Path, tmp_path: Path) -> None:
    made = repack.repacked(small, tmp_path)
    assert made.path != small and made.adapter is not None
    names = [tensor.name for tensor in read_header(small).tensors if tensor.type_name == "Q4_1"]
    assert len(names) == 7 and not any("embd" in name for name in names)
    for name in names:
        data, type_name, (length, rows) = matrix(made.path, name)
        assert type_name == "Q4_0"
        base = dequantize_rows(data, "Q4_0", length)
        sums, parts = (
            np.frombuffer(values, np.float32).reshape(shape[::-1])
            for values, _, shape in (matrix(made.adapter, f"{name}.lora_{part}") for part in "ab")
        )
        assert parts.shape[0] == rows and parts.shape[1] % repack.RANK_STEP == 0
        whole = dequantize_rows(matrix(small, name)[0], "Q4_1", length)
        # Each of the three numbers is rounded once to float32.
        largest = np.abs(base).max() + np.abs(parts).max()
        assert np.abs(base + parts @ sums - whole).max() <= 3 * largest * np.finfo(np.float32).eps
    untouched = {tensor.name: tensor.type_name for tensor in read_header(small).tensors if tensor.name not in names}
    kept = {tensor.name: tensor.type_name for tensor in read_header(made.path).tensors}
    assert untouched.items() <= kept.items()
    assert read_header(made.path).metadata == read_header(small).metadata


def widened(path: Path, target: Path) -> Path:
    """The file's values in float32."""
    with opened(path) as data:
        raw = read_raw(data)
        types = {tensor.name: "F32" for tensor in raw.tensors}
        parts = [header_bytes(data, raw, {}, descriptions(raw, types))]
        for tensor in raw.tensors:
            parts.append(b"\0" * (-sum(map(len, parts)) % raw.alignment))
            stored = data.data[raw.data_start + tensor.offset :][: tensor.size_bytes]
            parts.append(dequantize_rows(stored, tensor.type_name, tensor.shape[0]).astype(np.float32).tobytes())
    target.write_bytes(b"".join(parts))
    return target


def logits(path: Path, **wanted: object) -> NDArray[np.float64]:
    with Model.open(path, threads=1, context_tokens=128, **wanted) as model:  # type: ignore[arg-type]  # test options
        return np.array(window_logits(model, IDS), np.float64)


def divergence(exact: NDArray[np.float64], found: NDArray[np.float64]) -> float:
    """Mean KL divergence in nats."""
    ours, theirs = (values - np.logaddexp.reduce(values, axis=-1, keepdims=True) for values in (exact, found))
    return float((np.exp(ours) * (ours - theirs)).sum(-1).mean())


def test_it_is_as_near_to_the_exact_logits_as_the_file(small: Path, tmp_path: Path) -> None:
    """Both round the inputs of a product to 8 bits; the means are not even rounded in the adapter."""
    made = repack.repacked(small, tmp_path)
    exact = logits(widened(small, tmp_path / "wide.gguf"), cache_f32=True)
    plain = divergence(exact, logits(small))
    assert divergence(exact, logits(made.path, adapter=made.adapter, fast=True, flash=True)) <= 1.5 * plain
    assert divergence(exact, logits(made.path, fast=True, flash=True)) > 100 * plain, "the adapter is needed"


def test_a_matrix_that_is_used_without_its_adapter_stays_as_it_is(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = repack._write_adapter
    lost = "blk.0.ffn_up.weight"

    def forgetful(data: object, raw: object, wanted: list[object], target: Path) -> None:
        real(data, raw, [one for one in wanted if one.name != lost], target)  # type: ignore[arg-type, attr-defined]  # as it comes

    monkeypatch.setattr(repack, "_write_adapter", forgetful)
    made = repack.repacked(small, tmp_path)
    types = {tensor.name: tensor.type_name for tensor in read_header(made.path).tensors}
    assert types[lost] == "Q4_1" and types["blk.0.ffn_gate.weight"] == "Q4_0"
    monkeypatch.setattr(repack, "_write_adapter", lambda data, raw, _, target: real(data, raw, [], target))
    assert repack.repacked(small, tmp_path) == repack.Repacked(small, None), "then nothing is gained"


def test_a_file_without_such_a_matrix_is_opened_where_it_is(tmp_path: Path) -> None:
    plain = make_tiny_gguf(tmp_path / "tiny.gguf", layers=1)
    assert repack.repacked(plain, tmp_path / "new") == repack.Repacked(plain, None)
    assert list((tmp_path / "new").iterdir()) == []


def test_a_killed_attempt_is_written_over(small: Path, tmp_path: Path) -> None:
    first = repack.repacked(small, tmp_path)
    assert first.adapter is not None
    sound = first.path.read_bytes(), first.adapter.read_bytes()
    first.path.write_bytes(sound[0][:1000])
    first.adapter.write_bytes(b"")
    assert repack.repacked(small, tmp_path) == first
    assert (first.path.read_bytes(), first.adapter.read_bytes()) == sound


def test_a_full_disk_is_named(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(repack, "_write_model", full)
    with pytest.raises(ZooError, match="for the fast kernels: No space left on device") as failed:
        repack.repacked(small, tmp_path)
    assert "label.repack" in (failed.value.remedy or "")
