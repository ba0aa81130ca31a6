"""A tiny random Llama in the Hugging Face layout, for tests that need a complete model, not a good one.

llama.cpp's converter recognises a byte-level BPE tokenizer by a hash of what it makes of one sample text and
refuses an unknown one. A Llama-style tokenizer (BPE with byte fallback) is not looked up. So the vocabulary
here is that: bytes, printable ASCII and the two ChatML markers, 355 tokens, no merges. Without merges
llama.cpp and ``tokenizers`` cut any text alike: one token per character, or one per UTF-8 byte outside ASCII.

Only numpy, safetensors and json are needed, no torch. The same seed gives the same bytes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SPECIALS = ("<unk>", "<|im_start|>", "<|im_end|>")
WIDTH, HEADS, KV_HEADS, INNER = 64, 4, 2, 128


def make_tiny_llama(folder: Path, *, layers: int = 2, seed: int = 0) -> Path:
    """Write config, tokenizer, chat template and float16 weights into ``folder`` (made if missing); returns
    it.

    About 22,000 parameters of embedding (tied) and 37,000 per layer; width 64, 4 heads, 2 key-value heads.
    """
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = _vocabulary()
    _write(folder / "config.json", _config(layers, len(vocabulary)))
    _write(folder / "generation_config.json", {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2})
    _write(folder / "tokenizer.json", _tokenizer(vocabulary))
    _write(folder / "tokenizer_config.json", _tokenizer_config())
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
    save_file(
        _weights(layers, len(vocabulary), seed), folder / "model.safetensors", metadata={"format": "pt"}
    )
    return folder


def _vocabulary() -> list[str]:
    spaced = ["\u2581", "\n"]  # Llama-style vocabularies write the space as U+2581
    return [
        *SPECIALS,
        *(f"<0x{byte:02X}>" for byte in range(256)),
        *spaced,
        *(chr(code) for code in range(33, 127)),
    ]


def _config(layers: int, vocabulary_size: int) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "bos_token_id": 1,
        "dtype": "float16",
        "eos_token_id": 2,
        "head_dim": WIDTH // HEADS,
        "hidden_act": "silu",
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "max_position_embeddings": 1024,
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": HEADS,
        "num_hidden_layers": layers,
        "num_key_value_heads": KV_HEADS,
        "pad_token_id": 2,
        "rms_norm_eps": 1e-05,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "vocab_size": vocabulary_size,
    }


def _tokenizer(vocabulary: list[str]) -> dict[str, Any]:
    added = [
        {
            "id": number,
            "content": text,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for number, text in enumerate(SPECIALS)
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": {text: number for number, text in enumerate(vocabulary)},
            "merges": [],
        },
    }


def _tokenizer_config() -> dict[str, Any]:
    return {
        "add_bos_token": False,
        "add_eos_token": False,
        "add_prefix_space": False,
        "bos_token": "<|im_start|>",
        "eos_token": "<|im_end|>",
        "pad_token": "<|im_end|>",
        "unk_token": "<unk>",
        "model_max_length": 1024,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }


def _weights(layers: int, vocabulary_size: int, seed: int) -> dict[str, np.ndarray]:
    """Normal weights of variance 1 / fan-in; the embedding's 0.25 gives logits with a spread of about 2."""
    random = np.random.default_rng(seed)

    def normal(rows: int, columns: int, spread: float | None = None) -> np.ndarray:
        scale = spread if spread is not None else columns**-0.5
        return (random.standard_normal((rows, columns)) * scale).astype(np.float16)

    kv_width = WIDTH // HEADS * KV_HEADS
    tensors = {
        "model.embed_tokens.weight": normal(vocabulary_size, WIDTH, 0.25),
        "model.norm.weight": np.ones(WIDTH, dtype=np.float16),
    }
    for number in range(layers):
        prefix = f"model.layers.{number}"
        tensors[f"{prefix}.self_attn.q_proj.weight"] = normal(WIDTH, WIDTH)
        tensors[f"{prefix}.self_attn.k_proj.weight"] = normal(kv_width, WIDTH)
        tensors[f"{prefix}.self_attn.v_proj.weight"] = normal(kv_width, WIDTH)
        tensors[f"{prefix}.self_attn.o_proj.weight"] = normal(WIDTH, WIDTH)
        tensors[f"{prefix}.mlp.gate_proj.weight"] = normal(INNER, WIDTH)
        tensors[f"{prefix}.mlp.up_proj.weight"] = normal(INNER, WIDTH)
        tensors[f"{prefix}.mlp.down_proj.weight"] = normal(WIDTH, INNER)
        tensors[f"{prefix}.input_layernorm.weight"] = np.ones(WIDTH, dtype=np.float16)
        tensors[f"{prefix}.post_attention_layernorm.weight"] = np.ones(WIDTH, dtype=np.float16)
    return tensors


def _write(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
