"""The parity gate refuses each of the faults of the benchmark ``parity_power``, and accepts the valid file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tinymodel import make_tiny_llama

from zoo.llama.convert.convert import convert

pytest.importorskip("torch")
pytest.importorskip("llama_cpp")
power = pytest.importorskip("benchmarks.parity_power")

SEEN_BY = {
    "rope base times 0.9": {"parameters", "logits"},
    "rope base times 1.1": {"parameters", "logits"},
    "norm constant times 0.1": {"parameters"},
    "norm constant times 100": {"parameters", "logits"},
    "begin-of-text token added": {"tokenizer"},
    "rope scaling lost": {"parameters", "logits"},
    "head lost": {"parameters", "logits"},
    "one head's weights negated": {"logits"},
    "two heads swapped": {"logits"},
    "rows of a matrix permuted": {"logits"},
    "one layer missing": {"logits"},
}
"""Fault -> the checks that refuse it. A smaller norm constant is below what f16 rounds away; the header shows it."""


@pytest.fixture(scope="module")
def sharp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A model that attends sharply, as trained ones do."""
    base = tmp_path_factory.mktemp("power")
    folder = make_tiny_llama(base / "sharp", layers=3, seed=2)
    weights = load_file(folder / "model.safetensors")
    for name in weights:
        if "q_proj" in name or "k_proj" in name:
            weights[name] = weights[name] * np.float16(4)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    model = power.Model("sharp", folder)
    convert(folder, model.file)
    yield model


def test_the_sound_file_passes_on_one_and_two_threads(sharp: object, tmp_path: Path) -> None:
    found = list(power._sound(sharp, ["f16"], tmp_path))
    assert [trial["refused_by"] for trial in found] == [[], []]
    assert all(trial["float32_mean_ratio"] < 0.05 and trial["stored_mean_ratio"] < 0.5 for trial in found)


def test_every_fault_is_refused_by_the_checks_that_can_see_it(sharp: object, tmp_path: Path) -> None:
    found = {trial["fault"]: set(trial["refused_by"]) for trial in power._broken(sharp, tmp_path)}
    assert found == SEEN_BY
