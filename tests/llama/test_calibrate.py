"""Importance matrices: llama.cpp's callback and torch's hooks see the same inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tinygguf import make_tiny_gguf
from tinymodel import make_tiny_llama

from zoo.errors import InputError, ModelFileError
from zoo.llama.convert.convert import convert
from zoo.llama.measure import calibrate
from zoo.llama.measure.windows import Text
from zoo.llama.model import Model

pytest.importorskip("llama_cpp")

TEXTS = [
    Text("a.txt", "en", "The quick brown fox jumps over the lazy dog, and the dog does not mind. " * 3),
    Text("b.txt", "fr", "Portez ce vieux whisky au juge blond qui fume sur son île intérieure. " * 2),
]
WINDOW = 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_llama(tmp_path_factory.mktemp("tiny") / "model", layers=3)


@pytest.mark.parametrize(("type_name", "tolerance"), [("f32", 1e-3), ("f16", 2e-3)])
def test_both_ways_agree_within_rounding(
    folder: Path, tmp_path: Path, type_name: str, tolerance: float
) -> None:
    """llama.cpp keeps keys and values in f16, and at f16 rounds the inputs of a product to f16 too."""
    pytest.importorskip("torch")
    from zoo.training import importance

    convert(folder, tmp_path / "model.gguf", type_name)
    ours = calibrate.collect(tmp_path / "model.gguf", TEXTS, threads=1, window_tokens=WINDOW)
    with Model.open(tmp_path / "model.gguf", threads=1, context_tokens=WINDOW) as model:
        windows = calibrate.windows(model, TEXTS, WINDOW)
    sums, counts = importance.collect(folder, windows)
    assert set(ours.sums) == set(sums)
    assert len(sums) == 3 * 7
    for name, expected in sums.items():
        assert ours.counts[name].tolist() == [counts[name]] == [len(windows) * WINDOW]
        assert np.allclose(ours.sums[name][0], expected, rtol=tolerance, atol=tolerance * expected.mean())


def test_the_same_bytes_whatever_the_threads(folder: Path, tmp_path: Path) -> None:
    convert(folder, tmp_path / "model.gguf", "f16")
    one, two = (
        calibrate.collect(tmp_path / "model.gguf", TEXTS, threads=threads, window_tokens=WINDOW)
        for threads in (1, 2)
    )
    assert one.encoded() == two.encoded()
    assert one.datasets == ("a.txt", "b.txt")
    assert one.chunk_count == len(TEXTS[0].content) // WINDOW + len(TEXTS[1].content.encode()) // WINDOW


def test_every_window_counts_although_the_head_is_left_out(tmp_path: Path) -> None:
    """From the second decode on the graph stops after the last matrix; the sums must not notice."""
    model = make_tiny_gguf(tmp_path / "m.gguf", vocabulary=512)
    text = TEXTS[0].content
    whole = calibrate.collect(model, [Text("a", "en", text * 4)], threads=1, window_tokens=32)
    with Model.open(model, threads=1, context_tokens=32) as opened:
        windows = calibrate.windows(opened, [Text("a", "en", text * 4)], 32)
        pieces = [opened.detokenize(window).decode() for window in windows]
    total = None
    for piece in pieces:
        part = calibrate.collect(model, [Text("p", "en", piece)], threads=1, window_tokens=32)
        last = part.sums["blk.1.ffn_down.weight"].astype(np.float64)
        total = last if total is None else total + last
    assert total is not None and len(windows) > 3
    assert np.allclose(whole.sums["blk.1.ffn_down.weight"], total, rtol=1e-6)


def test_a_text_shorter_than_a_window_is_named(folder: Path, tmp_path: Path) -> None:
    convert(folder, tmp_path / "model.gguf", "f16")
    with pytest.raises(InputError, match=r"the calibration text b\.txt has 144 tokens") as caught:
        calibrate.collect(tmp_path / "model.gguf", TEXTS, threads=1, window_tokens=150)
    assert "imatrix_window_tokens" in caught.value.remedy


def test_a_model_that_computes_nan_is_refused(tmp_path: Path) -> None:
    bad = make_tiny_gguf(tmp_path / "bad.gguf", vocabulary=512, spoil="blk.0.ffn_up.weight")
    with pytest.raises(ModelFileError, match="NaN or infinite"):
        calibrate.collect(bad, [TEXTS[0]], threads=1, window_tokens=32)
