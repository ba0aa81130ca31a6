"""The head that training runs at some positions only gives what the model's own forward pass gives, in any format."""

from __future__ import annotations

from typing import Any

import pytest

from zoo.errors import ZooError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SMALL: dict[str, Any] = {
    "vocab_size": 96, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip


def check(name: str, dtype: Any, spread: float, **more: Any) -> None:
    """A random model whose head is ``spread`` times as large as usual, and its logits with it."""
    from zoo.training.models import check_head

    transformers.set_seed(0)
    config = getattr(transformers, f"{name}Config")(**{**SMALL, **more})
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=dtype).eval()
    with torch.no_grad():
        model.get_output_embeddings().weight.mul_(spread)
    check_head(model, [5, 6, 7, 8, 9])


@pytest.mark.parametrize("spread", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_logits_of_any_size_agree(dtype: str, spread: float) -> None:
    """An absolute bound would refuse large logits and miss differences in small ones."""
    check("Llama", getattr(torch, dtype), spread)


@pytest.mark.parametrize("spread", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_scale_after_the_head_is_found(dtype: str, spread: float) -> None:
    with pytest.raises(ZooError, match="changes its logits after the output head"):
        check("Granite", getattr(torch, dtype), spread, logits_scaling=1.25)
