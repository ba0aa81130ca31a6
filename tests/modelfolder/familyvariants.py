"""Every family of the documentation, and settings of config.json that bring other weights."""

from __future__ import annotations

from typing import Any

import families

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((family.name, {}) for family in families.FAMILIES),
    ("Llama 3.2", {"attention_bias": True, "mlp_bias": True}),
    ("Qwen3-MoE", {"mlp_only_layers": [1]}),
    ("Qwen3-MoE", {"decoder_sparse_step": 2}),
    ("Granite 4", {"num_local_experts": 4, "num_experts_per_tok": 2}),
    ("Granite 4", {"attention_bias": True, "mamba_conv_bias": False, "mamba_proj_bias": True}),
    ("StableLM", {"use_qkv_bias": True, "use_parallel_residual": True}),
    ("GPT-2", {"tie_word_embeddings": False}),
    ("GPT-NeoX (Pythia)", {"attention_bias": False}),
    ("Falcon", {"new_decoder_architecture": True, "num_kv_heads": 2}),
    ("Falcon", {"new_decoder_architecture": True, "num_kv_heads": 2, "num_ln_in_parallel_attn": 1}),
    ("Falcon", {"parallel_attn": False, "multi_query": False, "bias": True, "alibi": True}),
]
