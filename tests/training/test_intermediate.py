"""What the layers keep for the gradient, counted in transformers, against the estimate of a plan."""

from __future__ import annotations

import pytest

from zoo.stages.intermediate import Layers

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

TOKENS = 64
SHAPES = [
    ("Llama", 256, 683, 4, 4), ("Llama", 576, 1536, 9, 3), ("Llama", 576, 576, 9, 9), ("Qwen2", 896, 4864, 14, 2),
    ("Gemma3Text", 640, 2048, 4, 1),
]  # fmt: skip
"""Architecture, width, inner width, heads, heads of the keys."""


def counted(name: str, shape: Layers, heads: int, *, again: bool) -> float:
    """Bytes per token that the backward pass will read, apart from weights."""
    config = getattr(transformers, f"{name}Config")(
        hidden_size=shape.width, intermediate_size=shape.inner, num_hidden_layers=shape.count, vocab_size=64,
        num_attention_heads=heads, head_dim=shape.width // heads,
        num_key_value_heads=shape.keys // (shape.width // heads),
    )  # fmt: skip
    model = getattr(transformers, f"{name}Model")(config).train()
    if again:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    own = {value.untyped_storage().data_ptr() for value in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(value: torch.Tensor) -> torch.Tensor:
        place = value.untyped_storage().data_ptr()
        if place not in own:
            kept[place] = value
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        model(torch.ones(1, TOKENS, dtype=torch.long), use_cache=False)
    return sum(value.untyped_storage().nbytes() for value in kept.values()) / TOKENS


@pytest.mark.parametrize(("name", "width", "inner", "heads", "key_heads"), SHAPES)
def test_the_estimate_is_hardly_below_what_is_kept_and_not_far_above(
    name: str, width: int, inner: int, heads: int, key_heads: int
) -> None:
    shape = Layers(3, width, inner, width // heads * key_heads)
    found = counted(name, shape, heads, again=False)
    assert 2 / 3 <= found / shape.token_bytes() <= 1.02
    assert shape.token_bytes(0.5) == shape.token_bytes() / 2


def test_checkpointed_layers_keep_their_inputs() -> None:
    few, many = (Layers(count, 256, 683, 256) for count in (3, 9))
    # The layer that is computed again exists only later, so what the layers add is compared.
    found = counted("Llama", many, 4, again=True) - counted("Llama", few, 4, again=True)
    assert found == pytest.approx(many.token_bytes(again=True) - few.token_bytes(again=True), rel=0.05)
