"""How much memory a GGUF file needs at a context length. A prediction; benchmarks measure the peak."""

from __future__ import annotations

CONTEXTS = (512, 2048, 8192)
"""Context lengths that the catalog lists, as far as the model goes."""

UBATCH_TOKENS = 512
"""llama.cpp's default micro-batch; its compute buffer is sized for the logits of that many tokens."""


def need_bytes(size_bytes: int, kv_bytes: int, vocabulary_size: int, context_tokens: int) -> int:
    """Weights + KV cache + logits of one micro-batch in f32, which dominate the compute buffer of small models."""
    return size_bytes + kv_bytes + 4 * vocabulary_size * min(UBATCH_TOKENS, context_tokens)
