"""The rope scaling of Llama 3.1 and later is recovered from the factors that a GGUF file stores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("llama_cpp")

from foldersamples import edit_json, sound  # noqa: E402 - after the skip
from tinygguf import make_tiny_gguf  # noqa: E402 - after the skip

from zoo.errors import ModelFileError  # noqa: E402 - after the skip
from zoo.llama.convert.convert import convert  # noqa: E402 - after the skip
from zoo.progress import Silent  # noqa: E402 - after the skip
from zoo.training import ropefactors  # noqa: E402 - after the skip
from zoo.training.importing import import_model  # noqa: E402 - after the skip

PUBLISHED: list[tuple[float, int, float, int]] = [
    (500000.0, 128, 8.0, 8192),  # Llama 3.1 8B
    (500000.0, 64, 32.0, 8192),  # Llama 3.2 1B
    (500000.0, 128, 32.0, 8192),  # Llama 3.2 3B
    (1000000.0, 128, 16.0, 8192),  # EXAONE 4
    (500000.0, 16, 32.0, 8192),  # as few pairs as a test has
    (10000.0, 96, 4.0, 3000),
]


def given(factor: float, context: int, low: float = 1.0, high: float = 4.0) -> dict[str, Any]:
    return {"rope_type": "llama3", "factor": factor, "low_freq_factor": low, "high_freq_factor": high,
            "original_max_position_embeddings": context}  # fmt: skip


def frequencies(base: float, width: int, rope: dict[str, Any]) -> np.ndarray:
    """What transformers computes, float32."""
    config = transformers.LlamaConfig(
        hidden_size=4 * width, num_attention_heads=4, head_dim=width, max_position_embeddings=131072,
        rope_parameters={**rope, "rope_theta": base},
    )  # fmt: skip
    rotary = transformers.models.llama.modeling_llama.LlamaRotaryEmbedding(config)
    return rotary.inv_freq.double().numpy()


def plain(base: float, width: int) -> np.ndarray:
    return frequencies(base, width, {"rope_type": "default"})


@pytest.mark.parametrize(("base", "width", "factor", "context"), PUBLISHED)
def test_the_parameters_that_transformers_needs_are_found(
    base: float, width: int, factor: float, context: int
) -> None:
    stored = (plain(base, width) / frequencies(base, width, given(factor, context))).astype(np.float32)
    assert ropefactors.scaling(stored.astype(np.float64), base, "m.gguf") == given(factor, context)


@pytest.mark.parametrize(("low", "high"), [(1.0, 2.0), (1.0, 8.0), (2.0, 3.0)])
@pytest.mark.parametrize("width", [64, 128])
def test_factors_of_other_parameters_are_refused_and_not_rounded(low: float, high: float, width: int) -> None:
    stored = plain(5e5, width) / frequencies(5e5, width, given(8.0, 8192, low, high))
    with pytest.raises(ModelFileError, match=r"m\.gguf: The factors of the rope"):
        ropefactors.scaling(stored.astype(np.float32).astype(np.float64), 5e5, "m.gguf")


@pytest.mark.parametrize("odd", [np.array([1, np.nan]), np.array([1, np.inf]), np.array([0.5, 8]), np.array([9, 3, 1])])
def test_numbers_that_are_no_such_factors_are_refused(odd: np.ndarray) -> None:
    with pytest.raises(ModelFileError, match="not those of a Llama 3 scaling"):
        ropefactors.scaling(odd.astype(np.float64), 5e5, "m.gguf")


def test_factors_of_one_are_no_scaling() -> None:
    assert ropefactors.scaling(np.ones(32), 1e4, "m.gguf") is None


def test_a_converted_file_is_imported_as_the_model_that_it_was_made_from(tmp_path: Path) -> None:
    """A folder with scaling, converted by llama.cpp, imported again: the same scaling, the same weights."""
    rope = {**given(32.0, 64), "rope_theta": 10000.0}
    folder = edit_json(sound(tmp_path / "m"), "config.json", rope_parameters=rope)
    import_model(folder, tmp_path / "one", Silent())
    convert(tmp_path / "one", tmp_path / "m.gguf")
    stored = ropefactors.read(tmp_path / "m.gguf")
    assert stored is not None and stored.max() == 32.0
    import_model(tmp_path / "m.gguf", tmp_path / "two", Silent())
    config = json.loads((tmp_path / "two/config.json").read_text(encoding="utf-8"))
    assert config["rope_parameters"] == rope


def test_a_vocabulary_of_llama_3_has_no_token_more_than_its_file(tmp_path: Path) -> None:
    """transformers' reader adds <|endoftext|> to the tokens of such a file, and the converter then fails."""
    source = make_tiny_gguf(tmp_path / "m.gguf", vocabulary=300)
    raw = source.read_bytes()
    assert b"<|endoftext|>" in raw
    source.write_bytes(raw.replace(b"<|endoftext|>", b"<|end_of_txt|"))
    import_model(source, tmp_path / "out", Silent())
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    assert len(tokenizer) == 300 and "<|endoftext|>" not in tokenizer.get_vocab()
