"""How much memory a GGUF file needs at a context length. A prediction; benchmarks measure the peak."""

from __future__ import annotations

from catalog.release import Cache

CONTEXTS = (512, 2048, 8192)
"""Context lengths that the catalog lists, as far as the model goes."""

UBATCH_TOKENS = 512
"""llama.cpp's default micro-batch; its compute buffer is sized for the logits of that many tokens."""

CELL_TOKENS = 256
"""llama.cpp allocates keys and values for a multiple of this many tokens (``GGML_PAD`` in ``llama-context.cpp`` and
``llama-kv-cache-iswa.cpp``)."""

KV_TYPES = {"f16": (1, 1), "q8_0": (17, 32), "q4_0": (9, 32)}
"""Type of the KV cache -> its size as a share of 16 bits per value. A block of 32 values takes 34 bytes in q8_0 and 18
in q4_0 (``ggml-common.h``). llama.cpp needs flash attention for a quantized cache, and heads whose width 32 divides."""

KV_TYPE = "f16"
"""llama.cpp's default."""


def cells(tokens: int) -> int:
    """``tokens``, rounded up to what llama.cpp allocates."""
    return -(-tokens // CELL_TOKENS) * CELL_TOKENS


def cache_bytes(cache: Cache, context_tokens: int, kv: str = KV_TYPE) -> int:
    """Bytes that llama.cpp allocates in addition to the weights for one sequence of that length.

    A layer with a window keeps the window and one micro-batch, or the whole context if that is less, as
    ``llama-server`` allocates it without ``--swa-full``. kv: a key of KV_TYPES; states keep their type.
    """
    share, whole = KV_TYPES[kv]
    full = cells(context_tokens)
    window = cells(min(full, cache.window_tokens + UBATCH_TOKENS))
    kept = cache.full_bytes_per_token * full + cache.window_bytes_per_token * window
    return cache.state_bytes - (-kept * share // whole)


def cache_read_bytes(cache: Cache, tokens: float, kv: str = KV_TYPE) -> float:
    """Bytes of keys, values and states that are read to write the next token after ``tokens`` others."""
    seen = min(tokens, cache.window_tokens)
    share, whole = KV_TYPES[kv]
    kept = cache.full_bytes_per_token * tokens + cache.window_bytes_per_token * seen
    return cache.state_bytes + kept * share / whole


def need_bytes(size_bytes: int, cache: Cache, vocabulary_size: int, context_tokens: int) -> int:
    """Weights + cache + logits of one micro-batch in f32, which dominate the compute buffer of small models."""
    return size_bytes + cache_bytes(cache, context_tokens) + logits_bytes(vocabulary_size, context_tokens)


def logits_bytes(vocabulary_size: int, context_tokens: int) -> int:
    """The logits of one micro-batch in f32."""
    return 4 * vocabulary_size * min(UBATCH_TOKENS, context_tokens)
