"""Facts of a model folder: every fault is reported with its file before anything is loaded."""

from __future__ import annotations

import json
import shlex
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from foldersamples import INDEX, SMALL, change, edit_json, put, refusal, rename, shard, sound, tensors

from zoo.errors import ModelFileError
from zoo.modelfolder import depth, record
from zoo.modelfolder.formats import MERGE
from zoo.modelfolder.inspection import inspect, inspect_small
from zoo.modelfolder.smallfiles import TYPES


@pytest.mark.parametrize("name", ["special_tokens_map.json", "config.json", "tokenizer_config.json"])
def test_a_small_file_that_is_absurdly_large_is_refused_before_it_is_parsed(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"[" * 60_000_000)
    began = time.process_time()
    error = refusal(folder, folder.parents[1])
    assert error.where == f"models/m/{name}" and "it has 60.0 MB" in error.what and "4 MiB" in error.what
    assert time.process_time() - began < 5


def test_a_vocabulary_may_be_large(folder: Path) -> None:
    """Those of known models have up to 35 MB."""
    text = (folder / "tokenizer.json").read_text()
    (folder / "tokenizer.json").write_text(text + " " * (5 << 20))
    assert inspect(folder, None).vocabulary.size


@pytest.mark.parametrize("name", [*SMALL, "chat_template.jinja", "special_tokens_map.json", INDEX])
def test_a_byte_order_mark_is_named_with_its_file(name: str, folder: Path) -> None:
    if name == INDEX:
        shard(folder)
    path = folder / name
    path.write_bytes(b"\xef\xbb\xbf" + (path.read_bytes() if path.exists() else b"{}"))
    error = refusal(folder, folder.parent.parent)
    assert error.where == f"models/m/{name}" and "byte order mark" in error.what
    assert error.remedy.endswith(f"sed -i '1s/^\\xEF\\xBB\\xBF//' models/m/{name}")


def test_the_command_that_removes_a_byte_order_mark_works(folder: Path, tmp_path: Path) -> None:
    import subprocess

    shard(folder)
    before = {name: (folder / name).read_bytes() for name in (*SMALL, INDEX)}
    for name, text in before.items():
        (folder / name).write_bytes(b"\xef\xbb\xbf" + text)
    (folder / "LICENSE.txt").write_bytes(b"\xef\xbb\xbfMine.")
    error = refusal(folder, tmp_path)
    assert all(name in f"{error.where} {error.what}" for name in before), "all of them are named at the same time"
    command = error.remedy.partition(": ")[2]
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True)
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert inspect(folder, tmp_path)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b'{"a": "\xe9t\xe9"}', "not UTF-8"),
        (b'{"a": 1,\n "b" 2}', "line 2, column 6"),
        (b"", "it is empty"),
        (b"[1, 2]", "not a JSON object"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "Git LFS pointer"),
    ],
)
def test_a_small_file_that_cannot_be_read_is_named(name: str, raw: bytes, words: str, folder: Path) -> None:
    (folder / name).write_bytes(raw)
    error = refusal(folder)
    assert error.where == f"m/{name}" and words in error.what


WRONG: dict[str, Any] = {"config.json": {"a": []}, "tokenizer.json": "x"}
EVERY_KEY = [
    (name, key) for name in (*SMALL, "special_tokens_map.json", "chat_template.json") for key in TYPES[name]
]


@pytest.mark.parametrize(("name", "key"), EVERY_KEY)
def test_a_value_of_a_wrong_type_is_named_with_key_and_file(name: str, key: str, folder: Path) -> None:
    # No used key may be a list of lists.
    edit_json(folder, name, **{key: [[None]]})
    error = refusal(folder)
    assert error.where == f"m/{name}" and error.what.startswith(
        f"The file cannot be used: {key} is [[null]]; it must be"
    )


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("config.json", "eos_token_id", "2"), ("config.json", "eos_token_id", True),
        ("config.json", "eos_token_id", 2.0),
        ("config.json", "vocab_size", "355"), ("config.json", "vocab_size", 0), ("config.json", "hidden_size", 64.5),
        ("config.json", "num_hidden_layers", -1), ("config.json", "tie_word_embeddings", "true"),
        ("config.json", "model_type", 3), ("config.json", "architectures", "LlamaForCausalLM"),
        ("config.json", "text_config", {"vocab_size": "x"}), ("config.json", "rope_theta", "10000"),
        ("generation_config.json", "eos_token_id", [2, "</s>"]), ("generation_config.json", "temperature", "0.7"),
        ("generation_config.json", "do_sample", 1), ("tokenizer_config.json", "chat_template", {"a": "b"}),
        ("tokenizer_config.json", "eos_token", 2), ("tokenizer_config.json", "chat_template", [{"name": "x"}]),
        ("tokenizer.json", "added_tokens", [{"id": "1", "content": "a"}]), ("tokenizer.json", "model", None),
        ("config.json", "model_type", None), ("config.json", "auto_map", None),
        ("tokenizer_config.json", "auto_map", None), ("tokenizer_config.json", "auto_map", [None, None]),
        ("tokenizer_config.json", "auto_map", {"AutoTokenizer": [None, None]}),
        # What a GGUF header cannot hold.
        ("config.json", "max_position_embeddings", 10**15), ("config.json", "head_dim", 2**32),
        ("config.json", "sliding_window", 2**32), ("config.json", "num_experts_per_tok", -1),
        ("config.json", "moe_intermediate_size", 10**12), ("config.json", "rope_theta", 1e39),
        ("config.json", "rms_norm_eps", 10**60), ("config.json", "partial_rotary_factor", 1e300),
        ("config.json", "text_config", {"max_position_embeddings": 2**33}),
        ("config.json", "rope_scaling", {"rope_type": "linear", "factor": 1e39}),
        ("config.json", "rope_parameters", {"full_attention": {"rope_theta": 1e200}}),
        ("config.json", "rope_parameters", {"original_max_position_embeddings": 2**32}),
        ("generation_config.json", "top_k", 2**31), ("generation_config.json", "top_k", 50.5),
        ("generation_config.json", "temperature", 1e39), ("config.json", "pad_token_id", -1),
        ("config.json", "eos_token_id", [2, -1]), ("config.json", "sep_token_id", -1),
        ("generation_config.json", "eos_token_id", -1), ("tokenizer_config.json", "bos_token_id", -1),
    ],
)  # fmt: skip
def test_values_that_look_almost_right_are_refused(name: str, key: str, value: Any, folder: Path) -> None:
    edit_json(folder, name, **{key: value})
    error = refusal(folder)
    assert error.where == f"m/{name}" and key in error.what


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("config.json", "eos_token_id", [2, 0]), ("config.json", "eos_token_id", None),
        ("generation_config.json", "pad_token_id", -1), ("config.json", "max_position_embeddings", 2**32 - 1),
        ("config.json", "rope_theta", 3e38), ("config.json", "rope_scaling", {"type": "default", "factor": 1}),
        ("config.json", "num_local_experts", 0), ("config.json", "intermediate_size", [128, 96]),
        ("config.json", "rope_scaling", None), ("config.json", "time_step_limit", [0.0, float("inf")]),
        ("config.json", "architectures", None), ("generation_config.json", "top_k", None),
        ("tokenizer_config.json", "eos_token", {"content": "<|im_end|>", "__type": "AddedToken"}),
        ("tokenizer_config.json", "model_max_length", 1e30),
        ("tokenizer_config.json", "extra_special_tokens", ["<|im_end|>"]),
        ("tokenizer_config.json", "chat_template", [{"name": "default", "template": "x"}]),
    ],
)  # fmt: skip
def test_values_that_real_models_have_are_taken(name: str, key: str, value: Any, folder: Path) -> None:
    edit_json(folder, name, **{key: value})
    inspect(folder)


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_chat_template_is_refused(text: str, folder: Path) -> None:
    (folder / "chat_template.jinja").write_text(text, encoding="utf-8")
    error = refusal(folder, folder.parents[1])
    assert error.what.startswith("The chat template is empty") and error.where == "models/m/chat_template.jinja"
    assert error.remedy.endswith("delete the file: rm models/m/chat_template.jinja")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelFileError, match="The chat template is empty"):
        inspect_small(folder, "m")
    (folder / "chat_template.jinja").unlink()
    inspect_small(folder, "m")


def test_missing_files_are_named(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    assert "no tokenizer: neither tokenizer.json nor tokenizer.model" in refusal(folder).what
    (folder / "model.safetensors").unlink()
    assert "no .safetensors file" in refusal(folder).what
    (folder / "config.json").unlink()
    assert "no config.json" in refusal(folder).what


@pytest.mark.parametrize(
    ("config", "names", "refused"),
    [
        ({"num_hidden_layers": 2}, ["model.layers.1.x", "lm_head.weight"], False),
        ({"num_hidden_layers": 1}, ["model.layers.1.x"], True),
        ({"num_hidden_layers": 1, "num_nextn_predict_layers": 1}, ["model.layers.1.x"], False),
        ({"n_layer": 2}, ["transformer.h.2.attn.weight"], True),
        ({"n_layer": 3}, ["transformer.h.2.attn.weight"], False),
        ({"num_layers": 4}, ["transformer.h.3.attn.weight"], False),
        ({"text_config": {"num_hidden_layers": 2}, "vision_config": {"num_hidden_layers": 9}},
         ["language_model.model.layers.1.x", "vision_tower.vision_model.encoder.layers.8.x"], False),
        ({"text_config": {"num_hidden_layers": 1}}, ["model.language_model.layers.1.x"], True),
        ({"num_hidden_layers": 1}, ["mtp.layers.3.x", "model.layers.0.x"], False),
        ({"num_hidden_layers": "1"}, ["model.layers.7.x"], False),
        ({}, ["model.layers.7.x"], False),
    ],
)  # fmt: skip
def test_more_layers_than_the_configuration_says(config: dict[str, Any], names: list[str], refused: bool) -> None:
    if not refused:
        depth.refuse_more(config, names)
        return
    with pytest.raises(ModelFileError, match=r"but the weights have \d layers"):
        depth.refuse_more(config, names)


def test_more_layers_are_refused_before_the_weights_are_read(folder: Path) -> None:
    edit_json(folder, "config.json", num_hidden_layers=1)
    error = refusal(folder)
    assert error.where == "m/config.json" and "num_hidden_layers is 1, but the weights have 2 layers" in error.what
    assert error.remedy.startswith("Use the config.json that belongs to these weights")


def test_two_sets_of_weights_are_both_named(folder: Path) -> None:
    shard(folder, keep_single=True)
    error = refusal(folder)
    assert "two sets of weights: model.safetensors, and model-00001-of-00002.safetensors" in error.what
    (folder / INDEX).unlink()
    assert inspect(folder).shards == ("model.safetensors",)


def test_an_index_must_agree_with_its_files(folder: Path) -> None:
    shard(folder)
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    one, two = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"

    def refused(weight_map: dict[str, str]) -> str:
        (folder / INDEX).write_text(json.dumps({"weight_map": weight_map}), encoding="utf-8")
        return refusal(folder).what

    names = index["weight_map"]
    assert "names tensors that its files lack: model.lost.weight" in refused(
        names | {"model.lost.weight": one}
    )
    assert "does not name tensors that its files have: model.norm" in refused(
        {name: file for name, file in names.items() if name != "model.norm.weight"}
    )
    other = {
        name: {one: two, two: one}[file] if name == "model.norm.weight" else file
        for name, file in names.items()
    }
    assert "names the wrong file for tensors" in refused(other)
    assert "names files that are not in the folder: lost.safetensors; the folder has" in refused(
        names | {"a": "lost.safetensors"}
    )
    assert "weights must be .safetensors files" in refused(names | {"a": "../m/model.safetensors"})
    assert "weights must be .safetensors files" in refused(names | {"a": "pytorch_model.bin"})
    put(folder, tensors(folder, one), two)
    assert "is in both model-00001-of-00002.safetensors and model-00002" in refused(names)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda raw: raw[:-10], "it should have"),
        (lambda raw: raw + b"x", "it should have"),
        (lambda raw: raw[:4], "is incomplete"),
        (lambda raw: struct.pack("<Q", 1 << 60) + raw[8:], "is incomplete"),
        (lambda raw: raw.replace(b'"dtype"', b'"dtypo"', 1), "header cannot be read"),
        (lambda raw: b"\0" * 8 + raw[8:], "is incomplete"),
        (lambda _: b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 7\n", "git lfs pull"),
    ],
)
def test_damaged_weights_are_named(spoil: Callable[[bytes], bytes], words: str, folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(spoil(path.read_bytes()))
    error = refusal(folder)
    assert error.where == "m/model.safetensors" and words in f"{error.what} {error.remedy}"


def test_weights_under_other_names_are_named(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "weights.safetensors")
    assert "only weights.safetensors" in refusal(folder).what


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes, 4 bits"),
        ({"load_in_8bit": True}, "bitsandbytes, 8 bits"),
        ({"quant_method": "gptq", "bits": 4}, "GPTQ, 4 bits"),
        ({"quant_method": "awq", "w_bit": 4}, "AWQ, 4 bits"),
        ({"quant_method": "compressed-tensors"}, "compressed-tensors"),
        ({"quant_method": "some_new_one"}, "some_new_one"),
        ({"bits": 3}, "an unnamed format, 3 bits"),
    ],
)
def test_quantized_sources_are_refused_by_format(given: dict[str, Any], words: str, folder: Path) -> None:
    edit_json(folder, "config.json", quantization_config=given)
    change(folder, lambda t: t.update({"model.layers.0.mlp.up_proj.qweight": np.zeros(4, np.int32)}))
    error = refusal(folder)
    assert words in error.what and "16-bit weights" in error.remedy


def test_packed_tensors_without_a_word_in_the_configuration(folder: Path) -> None:
    change(folder, lambda t: t.update({"model.layers.0.mlp.up_proj.qweight": np.zeros(4, np.int32)}))
    assert "model.layers.0.mlp.up_proj.qweight" in refusal(folder).what


def test_the_merge_command_saves_weights_and_tokenizer(tmp_path: Path) -> None:
    """The command of the remedy, as a user runs it, on an adapter with a tokenizer and on one without."""
    peft = pytest.importorskip("peft")
    transformers = pytest.importorskip("transformers")
    base = transformers.AutoModelForCausalLM.from_pretrained(sound(tmp_path / "base"))
    lora = peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")
    peft.get_peft_model(base, lora).save_pretrained(tmp_path / "ADAPTER")
    found = edit_json(tmp_path / "ADAPTER", "adapter_config.json", base_model_name_or_path=str(tmp_path / "base"))
    assert not (found / "tokenizer.json").exists()
    command = shlex.split(MERGE)
    subprocess.run([sys.executable, *command[1:]], cwd=tmp_path, check=True, capture_output=True)
    assert inspect(tmp_path / "MERGED").vocabulary.size == 355


def test_adapters_alone_next_to_and_inside(folder: Path) -> None:
    change(
        folder,
        lambda t: t.update({"model.layers.0.self_attn.q_proj.lora_A.weight": np.zeros((4, 64), np.float16)}),
    )
    error = refusal(folder)
    assert "lora_A.weight" in error.what and "merge_and_unload" in error.remedy
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}', encoding="utf-8")
    error = refusal(folder)
    assert "next to the weights" in error.what and "rm m/adapter_config.json" in error.remedy
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    (folder / "config.json").unlink()
    assert "is an adapter (LoRA), not a model" in refusal(folder).what


LINEAR = "self_attn.q_proj"


@pytest.mark.parametrize(
    ("rule", "removed"),
    [
        (lambda n: f"base_model.model.{n}".replace(f"{LINEAR}.weight", f"{LINEAR}.base_layer.weight"),
         ["base_model.model.", ".base_layer"]),
        (lambda n: f"module.{n}", ["module."]),
        (lambda n: f"_orig_mod.{n}", ["_orig_mod."]),
        (lambda n: n.replace("layers.1.", "layers.1._orig_mod."), ["_orig_mod."]),
        (lambda n: f"module._orig_mod.{n}", ["_orig_mod.", "module."]),
        (lambda n: n.replace("layers.0.", "layers.0._checkpoint_wrapped_module."), ["_checkpoint_wrapped_module."]),
        (lambda n: f"model.{n}", ["model."]),
        (lambda n: f"base_model.model.{n}" if "layers.0" in n else n, ["base_model.model."]),
    ],
)  # fmt: skip
def test_names_of_wrapped_models_are_mapped_and_reported(
    rule: Callable[[str], str], removed: list[str], folder: Path
) -> None:
    names = set(tensors(folder))
    found = inspect(rename(folder, rule))
    assert set(found.own.values()) == names
    assert [one["removed"] for one in found.rules] == removed
    assert len(found.notes) == len(removed) and record.of_folder(found)["renamed"] == list(found.rules)


def test_names_that_would_become_the_same_are_refused(folder: Path) -> None:
    change(folder, lambda t: t.update({"base_model.model.model.norm.weight": t["model.norm.weight"]}))
    error = refusal(folder)
    assert (
        "base_model.model.model.norm.weight and model.norm.weight would both be model.norm.weight"
        in error.what
    )


def test_rows_without_tokens_are_reported_and_tokens_without_rows_refused(folder: Path) -> None:
    def rows(count: int) -> None:
        edit_json(folder, "config.json", vocab_size=count)
        change(folder, lambda t: t.update({"model.embed_tokens.weight": np.zeros((count, 64), np.float16)}))

    rows(384)
    assert inspect(folder).notes == (
        "the embedding has 384 rows for 355 tokens; the others become unused tokens",
    )
    rows(350)
    error = refusal(folder)
    assert (
        "355 tokens, but the embedding has 350 rows; these have no row:" in error.what
        and "(350)" in error.what
    )


def test_a_marker_without_a_row_that_nothing_names_is_reported(folder: Path) -> None:
    data = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    added = [*data["added_tokens"], {**data["added_tokens"][0], "id": 355, "content": "<image_soft_token>"}]
    edit_json(folder, "tokenizer.json", added_tokens=added)
    assert "left out of the tokenizer: <image_soft_token> (355)" in inspect(folder).notes[0]
    edit_json(folder, "generation_config.json", eos_token_id=[2, 355])
    assert "eos_token_id is 355 (<image_soft_token>), but" in refusal(folder).what


def test_a_token_without_a_row_that_a_text_needs_is_refused(folder: Path) -> None:
    data = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    marker = {**data["added_tokens"][0], "id": 355, "content": "<tool>"}
    edit_json(folder, "tokenizer.json", added_tokens=[*data["added_tokens"], marker])
    (folder / "chat_template.jinja").write_text("<tool>{{ messages[0].content }}", encoding="utf-8")
    error = refusal(folder)
    assert "<tool> (355); the chat template uses <tool>" in error.what
    assert "resize_token_embeddings" in error.remedy and "or remove them" in error.remedy
    (folder / "chat_template.jinja").unlink()
    assert inspect(folder).notes
    placed = {"type": "BertProcessing", "sep": ["<tool>", 355], "cls": ["<s>", 1]}
    edit_json(folder, "tokenizer.json", post_processor=placed)
    assert "<tool> (355)" in refusal(folder).what


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32])
def test_whole_numbers_are_no_weights(dtype: type, folder: Path) -> None:
    name = "model.layers.0.mlp.up_proj.weight"
    change(folder, lambda t: t.update({name: (t[name] * 10).astype(dtype)}))
    assert f"The weights are quantized ({name} of type" in refusal(folder).what


def test_an_end_token_beyond_the_embedding_is_named(folder: Path) -> None:
    edit_json(folder, "generation_config.json", eos_token_id=[2, 400])
    error = refusal(folder)
    assert error.where == "m/generation_config.json" and "eos_token_id is 400" in error.what


def test_an_index_that_names_nothing_and_a_key_that_names_another_file(folder: Path) -> None:
    edit_json(folder, "config.json", transformers_weights="other.safetensors")
    assert "transformers_weights: other.safetensors" in refusal(folder).what
    edit_json(folder, "config.json", transformers_weights=None)
    (folder / "model.safetensors").unlink()
    (folder / INDEX).write_text('{"weight_map": {}}', encoding="utf-8")
    assert refusal(folder).what == "weight_map names no file"


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "generation_config.json", "model.safetensors"])
def test_an_empty_file_is_called_empty(name: str, tmp_path: Path) -> None:
    folder = sound(tmp_path / "m")
    (folder / name).write_bytes(b"")
    with pytest.raises(ModelFileError, match="it is empty") as caught:
        inspect(folder, tmp_path)
    assert name in caught.value.where + caught.value.what
