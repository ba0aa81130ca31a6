"""Own noise: every product of any architecture is rounded, and an engine that adds up in f16 passes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tinymodel import make_tiny_llama

from zoo.judge.parity.distance import engine_allowance, figures, own_noise, relative_errors

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SMALL: dict[str, Any] = {
    "vocab_size": 96, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 256, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
    "initializer_range": 0.1,
}  # fmt: skip
EXPERTS = {"head_dim": 16, "moe_intermediate_size": 48, "num_experts": 4, "num_experts_per_tok": 2}
FAMILIES: list[tuple[str, dict[str, Any]]] = [
    ("Llama", {}), ("GPT2", {}), ("GPTNeoX", {}), ("Falcon", {"alibi": False}), ("Qwen3Moe", EXPERTS),
    ("Gemma2", {"head_dim": 16, "sliding_window": 8, "query_pre_attn_scalar": 16}), ("Phi3", {}),
    ("Lfm2", {"block_ff_dim": 128, "full_attn_idxs": [1], "conv_L_cache": 3}),
]  # fmt: skip
IDS = [5, 9, 13, 7, 80, 33, 2, 64, 12, 40, 11, 90, 17, 3, 28, 51]


def model_of(name: str, more: dict[str, Any]) -> Any:
    transformers.set_seed(0)
    config = getattr(transformers, f"{name}Config")(**{**SMALL, **more})
    return transformers.AutoModelForCausalLM.from_config(config).float().eval()


@pytest.mark.parametrize(("name", "more"), FAMILIES, ids=[name for name, _ in FAMILIES])
def test_every_weight_matrix_is_reached_and_nothing_else_changes(name: str, more: dict[str, Any]) -> None:
    """Inputs multiplied by 0 leave no logits that depend on the text; multiplied by 1 they are unchanged."""
    from zoo.training.noise import run
    from zoo.training.rounding import Rounding

    model = model_of(name, more)
    plain = run(model, IDS)
    spelt_out = run(model, IDS, Rounding(lambda x: x, lambda x: x))
    assert relative_errors(plain, spelt_out).max() < 1e-5
    moved = run(model, IDS, Rounding(lambda x: x, lambda x: 2 * x))
    assert relative_errors(plain, moved).max() > 1e-3, "attention was not reached"
    silenced = run(model, IDS, Rounding(torch.zeros_like, lambda x: x))
    assert np.ptp(silenced, axis=0).max() == 0, "no matrix saw the text"


def test_noise_is_the_same_each_time_and_as_large_as_a_rounding() -> None:
    from zoo.training.noise import roundings, run

    model = model_of("Llama", {})
    plain = run(model, IDS)
    first, second = ([relative_errors(plain, run(model, IDS, m)) for m in roundings("f16")] for _ in range(2))
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))
    sizes = [float(np.median(one)) for one in first]
    assert len(sizes) == 3 and max(sizes) < 3 * min(sizes) and 2**-13 < min(sizes) < 2**-8
    wider = [float(np.median(relative_errors(plain, run(model, IDS, m)))) for m in roundings("bf16")]
    only_cache = [float(np.median(relative_errors(plain, run(model, IDS, m)))) for m in roundings("f32")]
    assert np.mean(wider) > 4 * np.mean(sizes) and 0 < np.mean(only_cache) < np.mean(sizes)


def test_random_errors_have_the_size_that_was_asked_for() -> None:
    from zoo.training.rounding import shaken

    values = torch.full((1000,), 3.0)
    moved = shaken(0.01, 5)(values) / values - 1
    assert 0.009 < moved.abs().max() <= 0.01001 and abs(float(moved.mean())) < 0.001
    assert torch.equal(shaken(0.01, 5)(values), shaken(0.01, 5)(values))
    assert not torch.equal(shaken(0.01, 5)(values), shaken(0.01, 6)(values))


class Half:
    """An engine that adds products up in f16, ``lanes`` at a time, as ggml's kernels for ARM do (8 or 32)."""

    def __init__(self, lanes: int) -> None:
        from zoo.training.rounding import Rounding, rounded

        half = rounded(torch.float16)
        self.lanes, self.mode = lanes, Rounding(half, half)
        self.mode.product = self.product

    def product(self, func: Any, args: Sequence[Any], named: Any) -> Any:
        assert func is torch.nn.functional.linear and not named
        values, weights = args[0], args[1]
        total = torch.zeros(*values.shape[:-1], len(weights), self.lanes)
        for place in range(0, values.shape[-1], self.lanes):
            part = slice(place, place + self.lanes)
            total = (total + values[..., None, part] * weights[:, part]).half().float()
        return total.sum(-1)


@pytest.mark.parametrize("lanes", [8, 32])
@pytest.mark.parametrize("sharp", [1, 4])
def test_an_engine_that_adds_up_in_f16_is_within_the_allowance(lanes: int, sharp: int, tmp_path: Path) -> None:
    """And on x86-64, where sums are in float32, the same file is at less than one own noise."""
    from zoo.training.models import load_model
    from zoo.training.noise import roundings, run

    folder = make_tiny_llama(tmp_path / "m", layers=3, seed=sharp)
    tensors = load_file(folder / "model.safetensors")
    for name in tensors:
        if "q_proj" in name or "k_proj" in name:
            tensors[name] = tensors[name] * np.float16(sharp)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    model = load_model(folder, torch.float32, "cpu")
    ids = [int(i) for i in np.random.default_rng(1).integers(3, 350, 96)]
    plain = run(model, ids)
    noise = [own_noise([relative_errors(plain, run(model, ids, mode)) for mode in roundings("f16")])]
    found = figures([relative_errors(plain, run(model, ids, Half(lanes).mode))], noise, engine_allowance(128))
    assert found.sound and found.mean_ratio < 0.7 and found.share_beyond == 0
