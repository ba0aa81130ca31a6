"""Tiny random models of the families that people use, each with its real vocabulary, template and special tokens.

``make("Qwen3", folder)`` writes one model folder as its publisher does. ``FAMILIES`` has a row for each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import llamasource

from families.vocabulary import Vocabulary, write

CHATML = "ibm-granite-granite-4.0"
SHAPE: dict[str, Any] = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 2048,
}  # fmt: skip
"""What most configurations call the shape. Rows of 64 weights: every quantization by blocks of 32 fits."""
SPREAD = 0.12
"""Standard deviation of random weights; the usual 0.02 gives logits that are almost equal."""


@dataclass(frozen=True)
class Family:
    """One row of the table.

    config: class of transformers; shape: its arguments in addition to the vocabulary's size and the special tokens'
    ids. template: a chat template of llama.cpp's source, None for base models. begin, end: texts of special tokens;
    further ends are only in generation_config.json. add_begin: whether a text begins with ``begin``. real_vocabulary:
    whether the vocabulary is the family's own; else the note says whose it is. layers: what student.layers keeps in the
    test; () for the complete model. old: what the publisher's config.json has if transformers writes another key; None
    removes a key. refused: words of the refusal if the family cannot be released.
    system_role: whether the template accepts a system message; without it no prompt of the second test has one.
    tutored: whether a second test distils it, pruned to ``layers`` if there are any; the first takes the complete
    model.
    """

    name: str
    example: str
    config: str
    vocabulary: Vocabulary
    template: str | None
    begin: str | None
    end: str
    ends: Sequence[str] = ()
    pad: str | None = None
    unknown: str | None = None
    add_begin: bool = False
    shape: Mapping[str, Any] = field(default_factory=dict)
    old: Mapping[str, Any] = field(default_factory=dict)
    layers: tuple[int, ...] = ()
    real_vocabulary: bool = True
    refused: str | None = None
    note: str = ""
    tutored: bool = False
    system_role: bool = True


LLAMA2 = Vocabulary("llama-spm", "LlamaTokenizer", files=("tokenizer.json", "tokenizer.model"))
LLAMA3 = Vocabulary("llama-bpe", "PreTrainedTokenizerFast", "llama3", ignore_merges=True)
QWEN = Vocabulary("qwen2", "Qwen2Tokenizer", "qwen2", normalizer="NFC")
GEMMA = Vocabulary(
    "gemma-4", "GemmaTokenizer", dummy_prefix=False, rename={105: "<start_of_turn>", 106: "<end_of_turn>"},
    files=("tokenizer.json", "tokenizer.model"),
)  # fmt: skip
NEOX = Vocabulary("gpt-neox", "GPTNeoXTokenizer", "gpt2", normalizer="NFC")
SMOLLM = Vocabulary("starcoder", "GPT2Tokenizer", "digits", rename={1: "<|im_start|>", 2: "<|im_end|>"})
GRANITE_ROLES = ("<|start_of_role|>", "<|end_of_role|>", "<|tool_call|>")
GRANITE = Vocabulary("refact", "GPT2Tokenizer", "digits", rename={0: "<|end_of_text|>"}, more=GRANITE_ROLES)

_LLAMA3_ROPE = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 1024, "rope_theta": 500000.0,
}  # fmt: skip
_LAYERS4 = {"num_hidden_layers": 4}

FAMILIES: tuple[Family, ...] = (
    Family("Llama 2", "meta-llama/Llama-2-7b-chat-hf", "LlamaConfig", LLAMA2, None, "<s>", "</s>", unknown="<unk>",
           add_begin=True, shape={"num_key_value_heads": 4}),
    Family("TinyLlama", "TinyLlama/TinyLlama-1.1B-Chat-v1.0", "LlamaConfig", LLAMA2, None, "<s>", "</s>", pad="</s>",
           unknown="<unk>", add_begin=True),
    Family("Llama 3.1", "meta-llama/Llama-3.1-8B-Instruct", "LlamaConfig", LLAMA3, "meta-llama-Llama-3.1-8B-Instruct",
           "<|begin_of_text|>", "<|eot_id|>", ("<|end_of_text|>",), add_begin=True,
           shape={"rope_parameters": _LLAMA3_ROPE}),
    Family("Llama 3.2", "meta-llama/Llama-3.2-1B-Instruct", "LlamaConfig", LLAMA3, "meta-llama-Llama-3.2-3B-Instruct",
           "<|begin_of_text|>", "<|eot_id|>", ("<|end_of_text|>",), add_begin=True,
           shape={"tie_word_embeddings": True, "rope_parameters": _LLAMA3_ROPE}, layers=(0, 2), tutored=True),
    Family("Qwen2", "Qwen/Qwen2-0.5B-Instruct", "Qwen2Config", QWEN, "Qwen-Qwen2.5-7B-Instruct", None, "<|im_end|>",
           ("<|endoftext|>",), pad="<|endoftext|>", shape={"tie_word_embeddings": True}),
    Family("Qwen2.5", "Qwen/Qwen2.5-0.5B-Instruct", "Qwen2Config", QWEN, "Qwen-Qwen2.5-7B-Instruct", None, "<|im_end|>",
           ("<|endoftext|>",), pad="<|endoftext|>", shape={"tie_word_embeddings": True}, layers=(0, 2)),
    Family("Qwen3", "Qwen/Qwen3-0.6B", "Qwen3Config", QWEN, "Qwen-Qwen3-0.6B", None, "<|im_end|>", ("<|endoftext|>",),
           pad="<|endoftext|>", shape={"head_dim": 32, "tie_word_embeddings": True}, layers=(0, 2), tutored=True),
    Family("Qwen3-MoE", "Qwen/Qwen3-30B-A3B", "Qwen3MoeConfig", QWEN, "Qwen-Qwen3-0.6B", None, "<|im_end|>",
           ("<|endoftext|>",), pad="<|endoftext|>",
           shape={"head_dim": 32, "moe_intermediate_size": 64, "num_experts": 8, "num_experts_per_tok": 2,
                  "norm_topk_prob": True, "decoder_sparse_step": 1},
           note="A model with layers without experts is refused."),
    Family("Gemma 2", "google/gemma-2-2b-it", "Gemma2Config", GEMMA, "google-gemma-2-2b-it", "<bos>", "<eos>",
           ("<end_of_turn>",), pad="<pad>", unknown="<unk>", add_begin=True,
           shape={"head_dim": 32, "sliding_window": 64, "num_hidden_layers": 4, "query_pre_attn_scalar": 32},
           real_vocabulary=False, note="The test uses Gemma 4's vocabulary."),
    Family("Gemma 3", "google/gemma-3-270m-it", "Gemma3TextConfig", GEMMA, "google-gemma-2-2b-it", "<bos>", "<eos>",
           ("<end_of_turn>",), pad="<pad>", unknown="<unk>", add_begin=True,
           shape={"head_dim": 32, "sliding_window": 64, "num_hidden_layers": 6, "query_pre_attn_scalar": 32},
           layers=(0, 1, 2, 5), tutored=True, system_role=False, real_vocabulary=False,
           note="The test uses Gemma 4's vocabulary."),
    Family("Phi-3", "microsoft/Phi-3-mini-4k-instruct", "Phi3Config",
           Vocabulary("phi-3", "LlamaTokenizer", files=("tokenizer.json", "tokenizer.model")),
           "microsoft-Phi-3.5-mini-instruct", "<s>", "<|endoftext|>", ("<|end|>", "<|assistant|>"),
           pad="<|endoftext|>", unknown="<unk>", shape={"num_key_value_heads": 4}),
    Family("Phi-4-mini", "microsoft/Phi-4-mini-instruct", "Phi3Config",
           Vocabulary("gpt-2", "GPT2Tokenizer", "gpt2", more=("<|system|>", "<|user|>", "<|assistant|>", "<|end|>")),
           "microsoft-Phi-3.5-mini-instruct", "<|endoftext|>", "<|endoftext|>", ("<|end|>",), pad="<|endoftext|>",
           shape={"tie_word_embeddings": True,
                  "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.75}},
           real_vocabulary=False, note="The test uses GPT-2's vocabulary."),
    Family("SmolLM2", "HuggingFaceTB/SmolLM2-135M-Instruct", "LlamaConfig", SMOLLM, "Bielik-11B-v3.0-Instruct",
           "<|im_start|>", "<|im_end|>", pad="<|im_end|>", unknown="<|endoftext|>",
           shape={"tie_word_embeddings": True}, layers=(0, 2), real_vocabulary=False,
           note="The test uses StarCoder's vocabulary; the starter recipes release the real model."),
    Family("SmolLM3", "HuggingFaceTB/SmolLM3-3B", "SmolLM3Config",
           Vocabulary("llama-bpe", "PreTrainedTokenizerFast", "llama3", ignore_merges=True,
                      rename={128011: "<|im_start|>", 128012: "<|im_end|>"}),
           "HuggingFaceTB-SmolLM3-3B", None, "<|im_end|>", pad="<|im_end|>",
           shape={"num_hidden_layers": 4, "no_rope_layer_interval": 4, "tie_word_embeddings": True}),
    Family("Mistral", "mistralai/Mistral-7B-Instruct-v0.3", "MistralConfig", LLAMA2, None, "<s>", "</s>",
           unknown="<unk>", add_begin=True, shape={"sliding_window": None, "head_dim": 16}, real_vocabulary=False,
           note="The test uses Llama 2's vocabulary. A sliding window shorter than the context is refused."),
    Family("Granite 3", "ibm-granite/granite-3.3-2b-instruct", "GraniteConfig", GRANITE,
           "ibm-granite-granite-3.3-2B-Instruct", "<|end_of_text|>", "<|end_of_text|>", pad="<|end_of_text|>",
           unknown="<|end_of_text|>",
           shape={"embedding_multiplier": 12.0, "logits_scaling": 8.0, "residual_multiplier": 0.22,
                  "attention_multiplier": 0.0625, "tie_word_embeddings": True}, real_vocabulary=False,
           note="The test uses Refact's vocabulary, which cuts text in the same way."),
    Family("Granite 4", "ibm-granite/granite-4.0-h-350m", "GraniteMoeHybridConfig", GRANITE, "ibm-granite-granite-4.0",
           "<|end_of_text|>", "<|end_of_text|>", pad="<|end_of_text|>", unknown="<|end_of_text|>",
           shape={"layer_types": ["mamba", "attention", "mamba"], "mamba_n_heads": 8, "mamba_d_head": 16,
                  "mamba_n_groups": 1, "mamba_d_state": 16, "mamba_expand": 2, "mamba_d_conv": 4,
                  "mamba_chunk_size": 16, "num_local_experts": 0, "num_experts_per_tok": 0,
                  "shared_intermediate_size": 128, "position_embedding_type": "nope", "embedding_multiplier": 12.0,
                  "logits_scaling": 8.0, "residual_multiplier": 0.22, "attention_multiplier": 0.0625,
                  "tie_word_embeddings": True},
           real_vocabulary=False, note="The test uses Granite 3's vocabulary."),
    Family("OLMo 2", "allenai/OLMo-2-0425-1B-Instruct", "Olmo2Config", NEOX, None, "<|endoftext|>", "<|endoftext|>",
           pad="<|padding|>", real_vocabulary=False, note="The test uses the vocabulary of the first OLMo."),
    Family("StableLM", "stabilityai/stablelm-3b-4e1t", "StableLmConfig", NEOX, None, "<|endoftext|>", "<|endoftext|>",
           shape={"num_key_value_heads": 4, "use_qkv_bias": False,
                  "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.25}},
           note="A model with qk_layernorm is refused: the converter has no norm per head."),
    Family("LFM2", "LiquidAI/LFM2-350M", "Lfm2Config",
           Vocabulary("llama-bpe", "PreTrainedTokenizerFast", "llama3", ignore_merges=True,
                      rename={128000: "<|startoftext|>", 128011: "<|im_start|>", 128012: "<|im_end|>"}),
           "LFM2.5-Instruct", "<|startoftext|>", "<|im_end|>", pad="<|im_end|>", add_begin=True,
           shape={"block_ff_dim": 128, "full_attn_idxs": [2], "conv_L_cache": 3}, tutored=True, real_vocabulary=False,
           note="The test uses Llama 3's vocabulary."),
    Family("GPT-2", "openai-community/gpt2", "GPT2Config", Vocabulary("gpt-2", "GPT2Tokenizer", "gpt2"), None,
           "<|endoftext|>", "<|endoftext|>", shape={"max_position_embeddings": 1024},
           old={"n_ctx": 1024}),
    Family("GPT-NeoX (Pythia)", "EleutherAI/pythia-70m", "GPTNeoXConfig", NEOX, None, "<|endoftext|>", "<|endoftext|>",
           old={"rope_parameters": None, "rotary_pct": 0.25, "rotary_emb_base": 10000}, tutored=True),
    Family("Falcon", "tiiuae/falcon-7b-instruct", "FalconConfig",
           Vocabulary("falcon", "PreTrainedTokenizerFast", "falcon"), None, "<|endoftext|>", "<|endoftext|>",
           shape={"multi_query": True, "parallel_attn": True, "new_decoder_architecture": False, "bias": False,
                  "alibi": False, "ffn_hidden_size": 256},
           old={"num_kv_heads": None}, note="A model with parallel_attn: false, alibi or bias is refused."),
)  # fmt: skip
"""The families of the documentation's table, in its order."""


def family(name: str) -> Family:
    return next(one for one in FAMILIES if one.name == name)


def make(which: str | Family, folder: Path, *, seed: int = 0, **shape: Any) -> Path:
    """Write a family's model folder, float16 weights included; ``shape`` overrides arguments of its configuration."""
    import torch
    import transformers

    row = family(which) if isinstance(which, str) else which
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"bos_token": row.begin, "eos_token": row.end, "pad_token": row.pad, "unk_token": row.unknown}
    own: dict[str, Any] = {key: text for key, text in texts.items() if text}
    own |= {"add_bos_token": row.add_begin, "model_max_length": 2048}
    size = write(folder, row.vocabulary, own)
    number = _ids(folder)
    special = {"bos_token_id": row.begin, "eos_token_id": row.end, "pad_token_id": row.pad}
    ids = {key: number[text] if text else None for key, text in special.items()}
    config_class = getattr(transformers, row.config)
    with _silent(transformers):
        transformers.set_seed(seed)
        rows = {"initializer_range": SPREAD, "vocab_size": -(-size // 64) * 64}
        config = config_class(**{**_shape(config_class), **rows, **ids, **row.shape, **shape})
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float16)
        model.generation_config = transformers.GenerationConfig(
            **{**ids, "eos_token_id": [number[text] for text in (row.end, *row.ends)]}
        )
        model.save_pretrained(folder)
    if row.template is not None:
        (folder / "chat_template.jinja").write_text(llamasource.template(row.template), encoding="utf-8")
    _as_published(folder / "config.json", row.old)
    return folder


def saved(row: Family, folder: Path, **shape: Any) -> tuple[dict[str, Any], list[str]]:
    """config.json and the names of the weights, as transformers saves a model with 64 tokens into ``folder``."""
    import torch
    import transformers
    from safetensors import safe_open

    config_class = getattr(transformers, row.config)
    ids = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 0}
    with _silent(transformers):
        config = config_class(**{**_shape(config_class), "vocab_size": 64, **ids, **row.shape, **shape})
        transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float16).save_pretrained(folder)
    with safe_open(folder / "model.safetensors", "pt") as file:
        names = sorted(file.keys())
    return json.loads((folder / "config.json").read_text(encoding="utf-8")), names


def _shape(config_class: Any) -> dict[str, Any]:
    """SHAPE, as far as this class of transformers has it."""
    return {key: n for key, n in SHAPE.items() if hasattr(config_class, key) or key in config_class.attribute_map}


def _ids(folder: Path) -> dict[str, int]:
    data = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    return {token["content"]: int(number) for number, token in data["added_tokens_decoder"].items()}


def _as_published(path: Path, old: Mapping[str, Any]) -> None:
    data = json.loads(path.read_text(encoding="utf-8")) | old
    kept = {key: value for key, value in data.items() if key not in old or old[key] is not None}
    path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


class _silent:
    """Within the block, transformers prints nothing."""

    def __init__(self, transformers: Any) -> None:
        self.logging = transformers.utils.logging

    def __enter__(self) -> None:
        self.before = self.logging.get_verbosity()
        self.logging.set_verbosity_error()
        self.logging.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        self.logging.set_verbosity(self.before)
        self.logging.enable_progress_bar()
