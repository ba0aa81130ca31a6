"""Memory in addition to the weights, compared with llama.cpp's own allocation for a tiny file of each architecture."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import families
import pytest
from tinyarch import allocated, make_tiny_arch
from tinygguf import make_tiny_gguf

from catalog import architectures, memory
from catalog.release import Cache
from zoo.gguf.caches import cache_of, experts, read_bytes
from zoo.gguf.header import Header, TensorInfo, read_header
from zoo.llama.convert.convert import convert

MOE = {"expert_count": 4, "expert_used_count": 2, "expert_feed_forward_length": 128}
MAMBA_1 = {"ssm.conv_kernel": 4, "ssm.inner_size": 512, "ssm.state_size": 64, "ssm.time_step_rank": 8}
MAMBA = {**MAMBA_1, "ssm.group_count": 1}
DELTA = {**MAMBA, "ssm.group_count": 4}
MROPE = {"rope.dimension_sections": [16, 24, 24, 0]}
SOME = {"attention.head_count_kv": [0, 2, 0, 2]}
NO_HEADS = {
    "attention.head_count": 0, "attention.head_count_kv": None, "attention.key_length": None,
    "attention.value_length": None,
}  # fmt: skip
WINDOW = {"attention.sliding_window": 512}
EVERY_HEAD = {"attention.head_count_kv": 4}
MLA = {
    "attention.head_count_kv": 1, "attention.kv_lora_rank": 192, "attention.q_lora_rank": 64,
    "attention.key_length": 256, "attention.value_length": 192, "attention.key_length_mla": 128,
    "attention.value_length_mla": 64, "leading_dense_block_count": 1, "expert_shared_count": 1,
    "expert_weights_scale": 1.0,
}  # fmt: skip
CONV_BIAS = {"ssm_conv1d.weight": "ssm_conv1d.bias"}
DELTA_MORE = {"ssm_conv1d.weight": "attn_qkv.weight attn_gate.weight"}


class Case(NamedTuple):
    """An architecture with the keys that matter here; see ``make_tiny_arch``."""

    name: str
    keys: Mapping[str, Any] = MappingProxyType({})
    beside: Mapping[str, str] = MappingProxyType({})


CASES = {
    "Llama, TinyLlama, SmolLM2, Mistral": Case("llama"),
    "Mixtral": Case("llama", MOE),
    "Qwen2": Case("qwen2"),
    "Qwen3": Case("qwen3"),
    "Qwen3-MoE": Case("qwen3moe", MOE),
    "Gemma 2": Case("gemma2", {"attention.sliding_window": 1024}),
    "Gemma 2, no window written": Case("gemma2"),
    "Gemma 3": Case("gemma3", {**WINDOW, "block_count": 7}),
    "Gemma 3, no window": Case("gemma3"),
    "Gemma 3, period": Case("gemma3", {**WINDOW, "attention.sliding_window_pattern": 2}),
    "Gemma 3, list": Case("gemma3", {**WINDOW, "attention.sliding_window_pattern": [False, True, True, True]}),
    "Phi-3": Case("phi3", WINDOW, {"attn_norm.weight": "attn_qkv.weight"}),
    "SmolLM3": Case("smollm3"),
    "Mistral 3": Case("mistral3"),
    "Granite 3": Case("granite", {"logit_scale": 1.0}),
    "Granite 3 MoE": Case("granitemoe", {**MOE, "logit_scale": 1.0}),
    "Granite 4": Case("granitehybrid", {**MAMBA, **SOME}, CONV_BIAS),
    "OLMo 2": Case("olmo2"),
    "OLMo 3": Case("olmo2", WINDOW),
    "StableLM": Case("stablelm"),
    "LFM2": Case("lfm2", {"shortconv.l_cache": 3, **SOME}),
    "LFM2 with a window": Case("lfm2", {"shortconv.l_cache": 3, **SOME, **WINDOW}),
    "GPT-2": Case("gpt2", EVERY_HEAD),
    "GPT-NeoX": Case("gptneox", {**EVERY_HEAD, "use_parallel_residual": True}),
    "Falcon": Case("falcon", {"attention.head_count_kv": 1}),
    "Falcon-H1": Case("falcon-h1", MAMBA, CONV_BIAS),
    "Jamba": Case("jamba", {**MAMBA_1, **SOME}),
    "Qwen3-Next": Case("qwen3next", {**MOE, **DELTA, "expert_shared_feed_forward_length": 128}, DELTA_MORE),
    "Qwen3.5": Case("qwen35", {**DELTA, **MROPE, "full_attention_interval": 2}, DELTA_MORE),
    "Mamba": Case("mamba", {**MAMBA_1, **NO_HEADS, "feed_forward_length": 0}),
    "RWKV 7": Case("rwkv7", {
        **NO_HEADS, "wkv.head_size": 64, "attention.decay_lora_rank": 32, "attention.iclr_lora_rank": 32,
        "attention.value_residual_mix_lora_rank": 32, "attention.gate_lora_rank": 32,
    }),
    "Nemotron-H": Case("nemotron_h", {
        **MAMBA, "attention.head_count_kv": [0, 0, 2, 0], "feed_forward_length": [0, 512, 0, 0],
    }, CONV_BIAS),
    "Command R7B": Case("cohere2", {**WINDOW, "logit_scale": 0.1}),
    "gpt-oss": Case("gpt-oss", {**MOE, "attention.sliding_window": 128}),
    "Llama 4": Case("llama4", {**MOE, "interleave_moe_layer_step": 1}),
    "SmallThinker": Case("smallthinker", {**MOE, **WINDOW, "expert_gating_func": 2}),
    "EXAONE 4": Case("exaone4", WINDOW),
    "DeepSeek 2": Case("deepseek2", {**MOE, **MLA}),
    "MiniCPM 3": Case("minicpm3", {**EVERY_HEAD, "attention.kv_lora_rank": 192, "attention.q_lora_rank": 64}),
    "Gemma 4": Case("gemma4", {
        **WINDOW, "attention.sliding_window_pattern": [True, False, True, False], "attention.shared_kv_layers": 2,
        "attention.key_length_swa": 64, "attention.value_length_swa": 64, "attention.key_length": 128,
        "attention.value_length": 128, "embedding_length_per_layer_input": 0,
    }),
    "Gemma 3n": Case("gemma3n", {**WINDOW, "block_count": 22}),
    "EXAONE 4 32B": Case("exaone4", {**WINDOW, "block_count": 64}),
}  # fmt: skip

CONTEXTS = (512, 4096, 32_768)


@pytest.mark.parametrize("name", CASES)
def test_the_figure_is_what_llama_cpp_allocates(name: str, tmp_path: Path) -> None:
    """llama.cpp prints each buffer in MiB with two decimals: the difference must be within that, plus the alignment."""
    path = make_tiny_arch(tmp_path / "tiny.gguf", *CASES[name])
    cache = cache_of(read_header(path))
    assert cache.known
    for tokens in CONTEXTS:
        theirs, buffers = allocated(path, tokens)
        ours = memory.cache_bytes(cache, tokens)
        assert abs(ours - theirs) <= buffers * (0.005 * 2**20 + 4096), (tokens, ours, theirs, cache)


@pytest.mark.parametrize("name", [pytest.param("Gemma 3", marks=pytest.mark.long), "Granite 4", "LFM2"])
def test_the_header_that_the_converter_writes_says_enough(name: str, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    path = tmp_path / "model.gguf"
    convert(families.make(name, tmp_path / "model"), path)
    header = read_header(path)
    cache = cache_of(header)
    assert cache.known and (cache.window_bytes_per_token > 0) == (name == "Gemma 3")
    assert (cache.state_bytes > 0) == (name != "Gemma 3")
    assert read_bytes(header) == sum(one.size_bytes for one in header.tensors)
    for tokens in CONTEXTS:
        theirs, buffers = allocated(path, tokens)
        assert abs(memory.cache_bytes(cache, tokens) - theirs) <= buffers * (0.005 * 2**20 + 4096)


def test_every_name_of_the_table_is_one_that_llama_cpp_knows() -> None:
    package = importlib.util.find_spec("llama_cpp")
    assert package is not None and package.origin is not None
    # Of two texts of which one ends like the other, the linker keeps one.
    library = b"".join(path.read_bytes() for path in (Path(package.origin).parent / "lib").glob("libllama.so*"))
    assert not [name for name in architectures.ARCHITECTURES if name.encode() + b"\0" not in library]


def shaped(**changes: Any) -> Header:
    """A header of an architecture that is not in the table, unless ``changes`` set one."""
    plain = Header("newborn", 1, 4096, 4, 256, 4, 2, 64, 32, 100, None, None, None, {}, {}, ())
    return dataclasses.replace(plain, **changes)


def test_an_unknown_architecture_is_taken_to_keep_everything_and_reports_it() -> None:
    lists = {"newborn.attention.head_count_kv": (0, 2, 1, 0)}
    metadata = {
        "newborn.attention.sliding_window": 512,
        "newborn.ssm.conv_kernel": 4,
        "newborn.ssm.inner_size": 512,
    }
    found = cache_of(shaped(lists=lists, metadata=metadata))
    assert found == Cache(2 * 2 * (64 + 32) * 4, 0, 0, 4 * 4 * 3 * 512, known=False)


def test_layers_that_predict_further_tokens_keep_nothing() -> None:
    """llama.cpp's main context leaves them out (``n_layer`` is ``n_layer_all`` without ``n_layer_nextn``)."""
    header = shaped(architecture="glm4moe", metadata={"glm4moe.nextn_predict_layers": 1})
    assert cache_of(header) == Cache(3 * 2 * 2 * 96, 0, 0, 0, known=True)


def test_gemma_3_270m_keeps_116_mb_at_32768_tokens() -> None:
    """18 layers, one KV head of 256, a window of 512 tokens in 15 of them: as its published configuration says."""
    header = shaped(
        architecture="gemma3", block_count=18, head_count_kv=1, key_length=256, value_length=256,
        metadata={"gemma3.attention.sliding_window": 512},
    )  # fmt: skip
    cache = cache_of(header)
    assert memory.cache_bytes(cache, 32_768) == 1024 * (3 * 32_768 + 15 * 1024) == 116_391_936
    assert (
        memory.cache_bytes(cache_of(dataclasses.replace(header, architecture="newborn")), 32_768)
        == 603_979_776
    )


def test_a_file_with_an_absurd_number_of_layers_costs_nothing() -> None:
    assert cache_of(shaped(block_count=2**31 - 1)).full_bytes_per_token == 2 * 512 * 2 * 96
    assert cache_of(shaped(architecture="lfm2", block_count=2**31 - 1)).known


def tensor(name: str, *shape: int, size: int = 1000) -> TensorInfo:
    return TensorInfo(name, "Q8_0", shape, size)


def test_bytes_read_for_a_token() -> None:
    head, table = tensor("output.weight", 10, 100), tensor("token_embd.weight", 10, 100)
    assert read_bytes(shaped(tensors=(table, tensor("blk.0.attn_q.weight", 10, 10)))) == 2000
    assert read_bytes(shaped(tensors=(table, head))) == 1000 + 10
    assert read_bytes(shaped(tensors=(table, tensor("per_layer_token_embd.weight", 10, 100)))) == 1000 + 10
    layers = (
        table,
        tensor("blk.0.ffn_up_exps.weight", 10, 10, 8),
        tensor("blk.1.ffn_up_shexp.weight", 10, 10),
    )
    assert read_bytes(shaped(tensors=layers)) == 3000
    metadata = {"newborn.expert_count": 8, "newborn.expert_used_count": 2}
    assert read_bytes(shaped(tensors=layers, metadata=metadata)) == 1000 + 250 + 1000
    per_layer = {"newborn.expert_used_count": (4, 1, 1, 1)}
    assert read_bytes(shaped(tensors=layers, metadata={"newborn.expert_count": 8}, lists=per_layer)) == 2500
    further = tensor("blk.3.nextn.eh_proj.weight", 10, 10)
    assert read_bytes(shaped(tensors=(table, further), metadata={"newborn.nextn_predict_layers": 1})) == 1000


def test_experts_are_counted(tmp_path: Path) -> None:
    header = read_header(make_tiny_arch(tmp_path / "moe.gguf", "qwen3moe", MOE))
    assert experts(header) == (4, 2)
    every = sum(one.size_bytes for one in header.tensors)
    inside = sum(one.size_bytes for one in header.tensors if "_exps" in one.name)
    table = next(one.size_bytes for one in header.tensors if one.name == "token_embd.weight")
    separate = any(one.name == "output.weight" for one in header.tensors)
    assert read_bytes(header) == every - inside // 2 - (table - table // 64 if separate else 0)


def test_a_dense_model_reads_all_it_has(tmp_path: Path) -> None:
    header = read_header(make_tiny_gguf(tmp_path / "tiny.gguf"))
    assert experts(header) == (0, 0)
    assert read_bytes(header) == sum(one.size_bytes for one in header.tensors)
