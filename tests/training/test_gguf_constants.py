"""What transformers' GGUF reader ignores: further end tokens, and the scale of Gemma's attention."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("llama_cpp")

from tinygguf import make_tiny_gguf  # noqa: E402 - after the skip

from zoo.gguf.header import rewrite_header  # noqa: E402 - after the skip
from zoo.progress import Silent  # noqa: E402 - after the skip
from zoo.training import ggufconstants  # noqa: E402 - after the skip
from zoo.training.importing import import_model  # noqa: E402 - after the skip


@pytest.mark.parametrize(
    ("more", "expected"),
    [({}, 2), ({"eot": 5}, [2, 5]), ({"eom": 4, "eot": 5}, [2, 5, 4]), ({"eot": 2}, 2)],
)
def test_all_end_tokens_of_the_header_reach_generation_config(
    more: dict[str, int], expected: object, tmp_path: Path
) -> None:
    source = tmp_path / "m.gguf"
    keys = {f"tokenizer.ggml.{key}_token_id": number for key, number in more.items()}
    rewrite_header(make_tiny_gguf(tmp_path / "plain.gguf", vocabulary=300), source, keys)
    import_model(source, tmp_path / "out", Silent())
    said = json.loads((tmp_path / "out/generation_config.json").read_text(encoding="utf-8"))
    assert said["eos_token_id"] == expected


@pytest.mark.parametrize(
    ("kind", "architecture", "layers", "scalar"),
    [("Gemma3Text", "gemma3", 2, 48), ("Gemma2", "gemma2", 2, 48),
     ("Gemma3Text", "gemma3", 62, 16), ("Gemma2", "gemma2", 46, 16)],
)  # fmt: skip
def test_gemmas_attention_is_scaled_as_llama_cpp_does(kind: str, architecture: str, layers: int, scalar: int) -> None:
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=8, hidden_size=64, intermediate_size=8, num_hidden_layers=layers, num_attention_heads=4,
        num_key_value_heads=1, head_dim=48,
    )  # fmt: skip
    model = transformers.AutoModelForCausalLM.from_config(config)
    (note,) = ggufconstants.settle(model, architecture, [{"id": 1}])
    assert model.config.query_pre_attn_scalar == scalar and f"it is {scalar}" in note


def test_other_architectures_have_no_such_constant() -> None:
    sizes = {"vocab_size": 8, "hidden_size": 8, "intermediate_size": 8}
    config = transformers.LlamaConfig(**sizes, num_hidden_layers=1, num_attention_heads=1)
    assert ggufconstants.settle(transformers.AutoModelForCausalLM.from_config(config), "llama", []) == []
