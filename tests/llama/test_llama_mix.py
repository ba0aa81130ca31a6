from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from llamaquant import random_imatrix
from tinygguf import make_tiny_gguf

from zoo.errors import InputError, ModelFileError
from zoo.gguf.header import read_header
from zoo.gguf.imatrix import Imatrix, read_imatrix
from zoo.llama.quantize import mix, slabs
from zoo.llama.quantize.rows import BLOCKS, QUANTIZED, dequantize_rows, needs_importance, quantize_rows

pytest.importorskip("llama_cpp")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_gguf(tmp_path_factory.mktemp("gguf") / "model.gguf", vocabulary=300)


def _all(model: Path, type_name: str) -> dict[str, str]:
    return {t.name: type_name for t in read_header(model).tensors if len(t.shape) > 1}


@pytest.mark.parametrize("type_name", QUANTIZED)
def test_rows_there_and_back(type_name: str) -> None:
    random = np.random.default_rng(3)
    rows = random.normal(size=(4, 512)).astype(np.float32)
    importance = (random.normal(size=512) ** 2).astype(np.float32)
    for weight in (None, importance):
        if weight is None and needs_importance(type_name):
            with pytest.raises(InputError, match="needs an importance matrix"):
                quantize_rows(rows, type_name)
            continue
        made = quantize_rows(rows, type_name, weight)
        block, size = BLOCKS[type_name]
        assert len(made) == rows.size // block * size
        assert made == quantize_rows(rows[:2], type_name, weight) + quantize_rows(rows[2:], type_name, weight)
        back = dequantize_rows(made, type_name, 512)
        # Better than setting every weight to zero, and more so with more bits.
        assert np.square(back - rows).mean() < (0.9 if size * 8 / block < 4 else 0.02)


def test_importance_decides_where_the_error_goes() -> None:
    rows = np.random.default_rng(4).normal(size=(32, 256)).astype(np.float32)
    importance = np.full(256, 1e-3, dtype=np.float32)
    importance[::4] = 1
    error = [
        np.square(dequantize_rows(quantize_rows(rows, "Q4_0", weight), "Q4_0", 256) - rows)[:, ::4].mean()
        for weight in (None, importance)
    ]
    assert error[1] < 0.8 * error[0]


@pytest.mark.parametrize(
    ("shape", "type_name", "importance", "says"),
    [
        ((2, 100), "Q4_0", None, "not a multiple of 32"),
        ((2, 64), "Q9_9", None, "cannot be quantized to"),
        ((2, 64), "Q8_1", None, "cannot be quantized to"),
        ((64,), "Q8_0", None, "two dimensions"),
        ((2, 64), "Q8_0", np.ones(32, dtype=np.float32), "rows have 64"),
        ((2, 64), "Q8_0", np.full(64, -1, dtype=np.float32), "negative"),
        ((2, 64), "Q8_0", np.full(64, np.nan, dtype=np.float32), "NaN"),
    ],
)
def test_rows_that_cannot_be(
    shape: tuple[int, ...], type_name: str, importance: np.ndarray | None, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        quantize_rows(np.zeros(shape, dtype=np.float32), type_name, importance)


def test_nan_never_reaches_ggml() -> None:
    with pytest.raises(InputError, match="NaN or infinity"):
        quantize_rows(np.full((1, 256), np.inf, dtype=np.float32), "IQ2_XS", np.ones(256, dtype=np.float32))


def test_a_mix_is_the_same_whatever_threads_cache_and_slabs(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    types = _all(model, "Q4_K") | {"token_embd.weight": "Q8_0", "blk.0.ffn_down.weight": "IQ4_NL"}
    cache = tmp_path / "cache"
    first = mix.write_mix(model, tmp_path / "a.gguf", mix.Content(types), cache_folder=cache, threads=1)
    assert (first.computed, first.reused) == (15, 0)
    again = mix.write_mix(model, tmp_path / "b.gguf", mix.Content(types), cache_folder=cache, threads=2)
    assert (again.computed, again.reused) == (0, 15)
    monkeypatch.setattr(slabs, "_SLAB_WEIGHTS", 1000)
    mix.write_mix(model, tmp_path / "c.gguf", mix.Content(types), cache_folder=None, threads=3)
    one, two, three = ((tmp_path / f"{name}.gguf").read_bytes() for name in "abc")
    assert one == two == three
    assert read_header(tmp_path / "a.gguf").bits_per_weight == first.bits_per_weight
    assert {
        t.name: t.type_name for t in read_header(tmp_path / "a.gguf").tensors if len(t.shape) > 1
    } == types
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.gguf", "b.gguf", "c.gguf", "cache"]


def test_only_what_is_new_is_computed(model: Path, tmp_path: Path) -> None:
    cache, types = tmp_path / "cache", _all(model, "Q5_0")
    mix.write_mix(model, tmp_path / "a.gguf", mix.Content(types), cache_folder=cache, threads=1)
    types["blk.1.attn_q.weight"] = types["token_embd.weight"] = "Q8_0"
    made = mix.write_mix(model, tmp_path / "b.gguf", mix.Content(types), cache_folder=cache, threads=1)
    assert (made.computed, made.reused) == (2, 13)
    weighted = mix.write_mix(
        model, tmp_path / "c.gguf", mix.Content(types, random_imatrix(model)), cache_folder=cache, threads=1
    )
    # The matrix does not have the embedding, which therefore stays unchanged.
    assert (weighted.computed, weighted.reused, weighted.unweighted) == (14, 1, ("token_embd.weight",))


def test_a_damaged_cache_is_found_out(model: Path, tmp_path: Path) -> None:
    cache, types = tmp_path / "cache", _all(model, "Q8_0")
    mix.write_mix(model, tmp_path / "a.gguf", mix.Content(types), cache_folder=cache, threads=1)
    blob = max(cache.rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0)
    raw = bytearray(blob.read_bytes())
    raw[100] ^= 1
    blob.write_bytes(raw)
    made = mix.write_mix(model, tmp_path / "b.gguf", mix.Content(types), cache_folder=cache, threads=1)
    assert (made.computed, made.reused) == (1, 14)
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()


def test_several_mixes_at_once(model: Path, tmp_path: Path) -> None:
    def make(name: str) -> None:
        mix.write_mix(
            model,
            tmp_path / name,
            mix.Content(_all(model, "Q4_0")),
            cache_folder=tmp_path / "cache",
            threads=2,
        )

    threads = [threading.Thread(target=make, args=(f"{number}.gguf",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({(tmp_path / f"{number}.gguf").read_bytes() for number in range(4)}) == 1


def test_what_cannot_be_mixed(model: Path, tmp_path: Path) -> None:
    def refuse(types: dict[str, str], imatrix: Imatrix | None = None) -> str:
        with pytest.raises((InputError, ModelFileError)) as caught:
            mix.write_mix(
                model, tmp_path / "q.gguf", mix.Content(types, imatrix), cache_folder=None, threads=1
            )
        return str(caught.value)

    assert "no tensor blk.7" in refuse({"blk.7.attn_q.weight": "Q8_0"})
    assert "without an importance matrix" in refuse({"blk.0.attn_q.weight": "IQ2_XXS"})
    other = random_imatrix(make_tiny_gguf(tmp_path / "other.gguf", width=64, vocabulary=300))
    assert "does not belong to model.gguf" in refuse(_all(model, "Q8_0"), other)
    more = random_imatrix(make_tiny_gguf(tmp_path / "more.gguf", layers=3, vocabulary=300))
    assert "the model has no blk.2" in refuse(_all(model, "Q8_0"), more)
    assert not (tmp_path / "q.gguf").exists()


def test_an_importance_matrix_there_and_back(model: Path, tmp_path: Path) -> None:
    made = random_imatrix(model)
    made.write(tmp_path / "imatrix.gguf")
    read = read_imatrix(tmp_path / "imatrix.gguf")
    assert read.encoded() == made.encoded() == (tmp_path / "imatrix.gguf").read_bytes()
    assert (read.datasets, read.chunk_count, read.chunk_tokens) == (("calibration.en.txt",), 1, 512)
    name = "blk.1.ffn_down.weight"
    expected = made.sums[name] / np.float32(512)
    assert np.array_equal(read.importance(name), expected)
    assert read.importance("token_embd.weight") is None


def test_an_expert_that_no_token_reached_weighs_all_alike() -> None:
    sums = np.array([[2, 4], [0, 0]], dtype=np.float32)
    counts = np.array([2, 0], dtype=np.float32)
    found = Imatrix({"x": sums}, {"x": counts}, (), 1, 512).importance("x")
    assert found is not None and found.tolist() == [[1, 2], [1, 1]]


def test_what_is_no_importance_matrix(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="not an importance matrix"):
        read_imatrix(model)
    made = random_imatrix(model)
    made.sums["blk.0.attn_q.weight"][0, 0] = np.nan
    made.write(tmp_path / "nan.gguf")
    with pytest.raises(ModelFileError, match=r"attn_q\.weight\.in_sum2 has values"):
        read_imatrix(tmp_path / "nan.gguf")
    whole = random_imatrix(model).encoded()
    (tmp_path / "cut.gguf").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelFileError, match="is incomplete"):
        read_imatrix(tmp_path / "cut.gguf")
