"""Weights match the source, or the import is refused: through transformers, and value by value."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from foldersamples import Tensors, change, edit_json, rename, shard, sound, tensors  # noqa: E402 - after the skip
from safetensors.torch import load_file, save_file  # noqa: E402 - after the skip
from shortchats import Heard  # noqa: E402 - after the skip
from tinygguf import make_tiny_gguf  # noqa: E402 - after the skip

from zoo.errors import ModelFileError  # noqa: E402 - after the skip
from zoo.progress import Silent  # noqa: E402 - after the skip
from zoo.training import fidelity, importing, models  # noqa: E402 - after the skip
from zoo.training.importing import ImportReport, import_model  # noqa: E402 - after the skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return sound(tmp_path / "m")


def imported(source: Path, layers: tuple[int, ...] | None = None) -> tuple[ImportReport, Tensors]:
    out = source.parent / f"out-{source.name}"
    done = import_model(source, out, Silent(), layers=layers)
    assert not list(source.parent.glob(".import.*"))
    return done, tensors(out)


def refusal(source: Path) -> ModelFileError:
    with pytest.raises(ModelFileError) as caught:
        imported(source)
    assert caught.value.remedy and "report above" not in str(caught.value) and "above report" not in str(caught.value)
    return caught.value


def same(one: Tensors, other: Tensors) -> bool:
    return set(one) == set(other) and all(np.array_equal(one[n], other[n].astype(np.float16)) for n in one)


DOWN = "model.layers.1.mlp.down_proj.weight"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda t: t.pop(DOWN), f"1 weight that the architecture needs is missing: {DOWN}"),
        (lambda t: t.pop("model.embed_tokens.weight"), "model.embed_tokens.weight"),
        (lambda t: [t.pop(n) for n in list(t) if "layers.1." in n], "9 weights that the architecture needs are"),
        (lambda t: t.update({"model.layers.0.self_attn.q_proj.bias": np.ones(64, np.float16)}), "attention_bias"),
        (lambda t: t.update({n.replace("layers.1.", "layers.2."): v for n, v in t.items()}), "num_hidden_layers is 2"),
        (lambda t: t.update({"score.weight": np.ones((2, 64), np.float16)}), "score.weight"),
        (lambda t: t.update({DOWN: t[DOWN].T.copy()}), f"{DOWN} is 128 x 64 in the weights and 64 x 128 by"),
        (lambda t: t.update({DOWN: t[DOWN].reshape(-1)}), f"{DOWN} is 8192 in the weights"),
    ],
)
def test_tensors_that_do_not_fit_are_named(spoil: Callable[[Tensors], Any], words: str, folder: Path) -> None:
    assert words in str(refusal(change(folder, spoil)))
    assert not (folder.parent / "out-m" / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("vocab_size", 300, "is 355 x 64 in the weights and 300 x 64 by config.json (vocab_size: 300)"),
        ("intermediate_size", 96, "(intermediate_size: 96)"),
        ("num_key_value_heads", 4, "(num_key_value_heads: 4, head_dim: 16)"),
        ("num_attention_heads", 8, "(num_attention_heads: 8, head_dim: 16)"),
        ("hidden_size", 32, "(hidden_size: 32)"),
        ("num_hidden_layers", 3, "Or config.json belongs to another model (num_hidden_layers: 3, model_type: llama)"),
        ("num_hidden_layers", 1, "the weights have 2 layers"),
        ("tie_word_embeddings", False, "lm_head.weight"),
        ("model_type", "qwen2", "config.json belongs to another model (model_type: qwen2)"),
        ("attention_bias", True, "config.json belongs to another model (model_type: llama, attention_bias: True)"),
    ],
)
def test_a_configuration_of_another_model_is_refused_with_its_key(
    key: str, value: Any, words: str, folder: Path
) -> None:
    more = {"architectures": ["Qwen2ForCausalLM"]} if value == "qwen2" else {}
    assert words in str(refusal(edit_json(folder, "config.json", **{key: value}, **more)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_type": "brandnew"}, "does not support the architecture brandnew"),
        ({"model_type": "brandnew", "auto_map": {"AutoModelForCausalLM": "x.Y"}}, "its own code (auto_map)"),
        ({"model_type": "t5"}, "The architecture t5 does not write text from left to right"),
        ({"rms_norm_eps": 0}, "'rms_norm_eps' expected float"),
    ],
)
def test_architectures_and_values_that_transformers_does_not_take(
    changes: dict[str, Any], words: str, folder: Path
) -> None:
    error = refusal(edit_json(folder, "config.json", **changes))
    assert words in error.what and "sha256" not in error.remedy


def test_an_index_without_metadata_is_enough(folder: Path) -> None:
    before = tensors(shard(folder), "model-00001-of-00002.safetensors")
    index = folder / "model.safetensors.index.json"
    data = json.loads(index.read_text(encoding="utf-8"))
    index.write_text(json.dumps({"weight_map": data["weight_map"]}), encoding="utf-8")
    _, after = imported(folder)
    assert set(before) < set(after)


WRAPPED = (
    lambda n: f"base_model.model.{n}".replace("q_proj.weight", "q_proj.base_layer.weight"),
    lambda n: f"module.{n}",
    lambda n: f"model.{n}",
    lambda n: f"_orig_mod.{n}" if "layers.0" in n else n,
)


@pytest.mark.parametrize("rule", WRAPPED)
@pytest.mark.parametrize("sharded", [False, True])
def test_wrapped_names_give_the_same_model(rule: Callable[[str], str], sharded: bool, folder: Path) -> None:
    before = tensors(folder)
    rename(folder, rule)
    if sharded:
        shard(folder)
    done, after = imported(folder)
    assert same(after, before) and "were renamed" in done.notes[0]
    said = json.loads((folder.parent / "out-m/source.json").read_text(encoding="utf-8"))
    assert said["renamed"] and said["notes"] == list(done.notes)


def test_wrapped_names_that_do_not_fit_either_are_refused(folder: Path) -> None:
    rename(folder, lambda name: f"base_model.model.{name}".replace("mlp", "feed"))
    error = refusal(folder)
    assert "wrapped model (peft)" in error.remedy and "model.layers.0.feed.down_proj.weight" in error.what


def test_half_of_the_names_changed_is_refused(folder: Path) -> None:
    rename(folder, lambda name: name.replace("model.layers.0", "transformer.h.0"))
    error = refusal(folder)
    assert "are missing: model.layers.0" in error.what and "transformer.h.0" in error.what


def test_a_head_of_its_own_is_kept_and_an_equal_one_is_stored_once(folder: Path) -> None:
    embedding = tensors(folder)["model.embed_tokens.weight"]
    _, after = imported(change(folder, lambda t: t.update({"lm_head.weight": embedding})))
    assert "lm_head.weight" not in after
    _, after = imported(change(folder, lambda t: t.update({"lm_head.weight": embedding * 2})))
    assert np.array_equal(after["lm_head.weight"], embedding * 2)


def test_tables_that_are_computed_are_left_out_and_reported(folder: Path) -> None:
    change(folder, lambda t: t.update({"model.layers.0.self_attn.rotary_emb.inv_freq": np.ones(8, np.float32)}))
    done, after = imported(folder)
    assert not any("inv_freq" in name for name in after)
    assert done.notes == (
        "tables that are computed anyway were left out: model.layers.0.self_attn.rotary_emb.inv_freq",
    )


@pytest.mark.parametrize("kind", ["bf16", "f32", "shards"])
def test_values_are_the_sources_rounded_to_float16(kind: str, folder: Path) -> None:
    before = load_file(folder / "model.safetensors")
    if kind == "shards":
        shard(folder)
    else:
        dtype = {"bf16": torch.bfloat16, "f32": torch.float32}[kind]
        before = {name: (value.float() * 1.0001).to(dtype) for name, value in before.items()}
        save_file(before, folder / "model.safetensors", metadata={"format": "pt"})
    import_model(folder, folder.parent / "out", Silent())
    after = load_file(folder.parent / "out" / "model.safetensors")
    assert set(after) == set(before)
    assert all(torch.equal(after[name], before[name].to(torch.float16)) for name in before)


@pytest.mark.parametrize("layers", [None, (1,), (1, 0)])
def test_a_value_that_changes_on_the_way_is_found(
    layers: tuple[int, ...] | None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = models.save_model

    def spoilt(model: Any, out: Path, dtype: Any) -> None:
        written(model, out, dtype)
        change(out, lambda t: t["model.layers.0.mlp.down_proj.weight"].__setitem__((3, 5), 0.125))

    monkeypatch.setattr(importing, "save_model", spoilt)
    with pytest.raises(ModelFileError, match=r"differ from the source's: model\.layers\.0\.mlp\.down_proj\.weight"):
        imported(folder, layers)


def test_layers_in_another_order_are_compared_with_the_right_ones(folder: Path) -> None:
    before = tensors(folder)
    _, after = imported(folder, (1, 0))
    assert np.array_equal(after["model.layers.0.mlp.up_proj.weight"], before["model.layers.1.mlp.up_proj.weight"])


def fp8(folder: Path) -> Path:
    """Matrices in F8_E4M3 with one scale for each 128 x 128 values, as published FP8 models have them."""
    values = load_file(folder / "model.safetensors")
    for name in [name for name in values if "proj" in name]:
        values[f"{name}_scale_inv"] = torch.full([-(-length // 128) for length in values[name].shape], 0.01)
        values[name] = (values[name].float() / 0.01).to(torch.float8_e4m3fn)
    save_file(values, folder / "model.safetensors", metadata={"format": "pt"})
    given = {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}
    return edit_json(folder, "config.json", quantization_config=given)


def test_fp8_weights_become_plain_ones_and_are_checked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tensors(folder)
    done, after = imported(fp8(folder))
    assert set(after) == set(before) and after[DOWN].dtype == np.float16
    # E4M3 keeps 4 bits of a value: 2^-4 relative, or half of its smallest step, 2^-10, times the scale.
    assert np.allclose(after[DOWN], before[DOWN], rtol=2**-4, atol=0.01 * 2**-10)
    assert done.notes == ("the weights are FP8; they are turned into plain numbers",)
    config = json.loads((folder.parent / "out-m/config.json").read_text(encoding="utf-8"))
    assert "quantization_config" not in config
    monkeypatch.setattr(fidelity, "dequantized", lambda tensor, *_: tensor.float() * 0.0102)
    assert "differ from the source's" in refusal(folder).what


@pytest.mark.parametrize("others", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("extra", [{}, {"fmt": "e4m3", "modules_to_not_convert": ["lm_head"]}])
def test_an_fp8_folder_of_a_family_with_norms_of_its_own(
    others: Any, extra: dict[str, Any], tmp_path: Path
) -> None:
    """Qwen3's published FP8 folders: each matrix has whole blocks, everything else is bfloat16."""
    config = transformers.Qwen3Config(
        vocab_size=355, hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=4, head_dim=32, max_position_embeddings=64, tie_word_embeddings=True,
    )  # fmt: skip
    folder = random_model(tmp_path / "m", config)
    values = {name: value.to(others) for name, value in load_file(folder / "model.safetensors").items()}
    save_file(values, folder / "model.safetensors", metadata={"format": "pt"})
    before = tensors(random_model(tmp_path / "plain", config))
    given = {
        **json.loads((fp8(folder) / "config.json").read_text(encoding="utf-8"))["quantization_config"],
        **extra,
    }
    edit_json(folder, "config.json", quantization_config=given)
    _, after = imported(folder)
    assert set(after) == set(before) and all(value.dtype == np.float16 for value in after.values())


def test_mxfp4_experts_become_plain_ones_and_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = transformers.GptOssConfig(
        **SIZES, **SMALL, num_key_value_heads=2, head_dim=16, intermediate_size=64, num_local_experts=4,
        num_experts_per_tok=2, layer_types=["sliding_attention", "full_attention", "sliding_attention"],
    )  # fmt: skip
    source = random_model(tmp_path / "m", config)
    values = load_file(source / "model.safetensors")
    plain = set(values)
    for name in [name for name in values if name.endswith(("experts.gate_up_proj", "experts.down_proj"))]:
        experts, columns, rows = values.pop(name).shape
        values[f"{name}_blocks"] = torch.randint(0, 256, (experts, rows, columns // 32, 16), dtype=torch.uint8)
        values[f"{name}_scales"] = torch.full((experts, rows, columns // 32), 122, dtype=torch.uint8)
    save_file(values, source / "model.safetensors", metadata={"format": "pt"})
    kept = ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"]
    edit_json(source, "config.json", quantization_config={"quant_method": "mxfp4", "modules_to_not_convert": kept})
    done, after = imported(source)
    assert set(after) == plain and "MXFP4" in done.notes[0]
    down = values["model.layers.0.mlp.experts.down_proj_blocks"]
    # The lower half of the first byte is the first value; 2 ** (122 - 127) is its scale.
    table = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
    nibble = int(down[1, 5, 0, 0]) & 15
    wanted = table[nibble & 7] * (-1 if nibble & 8 else 1) / 32
    assert float(after["model.layers.0.mlp.experts.down_proj"][1, 0, 5]) == wanted
    monkeypatch.setattr(fidelity, "FP4", (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0))
    assert "differ from the source's" in refusal(source).what


def random_model(folder: Path, config: Any) -> Path:
    """A random model of another architecture with the tokenizer of the tiny Llama."""
    sound(folder)
    for name in ("model.safetensors", "config.json", "generation_config.json"):
        (folder / name).unlink()
    transformers.set_seed(1)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


SIZES = {"vocab_size": 355, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2}
SMALL = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "max_position_embeddings": 256}
OTHERS: dict[str, tuple[str, dict[str, Any], str]] = {
    "gpt2": ("GPT2Config", {"n_embd": 64, "n_layer": 3, "n_head": 4, "n_positions": 256}, "transformer.h"),
    "neox": ("GPTNeoXConfig", {**SMALL, "intermediate_size": 128}, "gpt_neox.layers"),
    "falcon": ("FalconConfig", SMALL, "transformer.h"),
    "mpt": ("MptConfig", {"d_model": 64, "n_layers": 3, "n_heads": 4, "max_seq_len": 256}, "transformer.blocks"),
    "qwen3-moe": ("Qwen3MoeConfig", {**SMALL, "num_key_value_heads": 2, "head_dim": 16, "moe_intermediate_size": 32,
                                     "num_experts": 4, "num_experts_per_tok": 2, "norm_topk_prob": True},
                  "model.layers"),
    "gemma3": ("Gemma3TextConfig", {**SMALL, "intermediate_size": 128, "num_key_value_heads": 2, "head_dim": 16},
               "model.layers"),
    "lfm2": ("Lfm2Config", {**SMALL, "intermediate_size": 128, "num_key_value_heads": 2,
                            "layer_types": ["full_attention", "conv", "conv"]}, "model.layers"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_other_architectures_are_imported_exactly_and_pruned_by_structure(name: str, tmp_path: Path) -> None:
    kind, sizes, _ = OTHERS[name]
    source = random_model(tmp_path / "m", getattr(transformers, kind)(**SIZES, **sizes))
    before = load_file(source / "model.safetensors")
    done, _ = imported(source)
    after = load_file(tmp_path / "out-m" / "model.safetensors")
    assert done.layers_total == 3 and set(after) == set(before)
    assert all(torch.equal(after[key], before[key].to(torch.float16)) for key in before)
    pruned, _ = imported(source, (0, 2))
    assert (pruned.layers_kept, pruned.layers_total) == ((0, 2), 3)
    model = models.load_model(tmp_path / "out-m", torch.float32, "cpu")
    assert model(input_ids=torch.tensor([[1, 5, 9]])).logits.shape == (1, 3, 355)


@pytest.mark.parametrize(
    ("name", "shape", "remedy"),
    [
        ("transformer.norm_f.weight", (32, 3), "or fetch the weights again"),
        ("transformer.blocks.0.attn.out_proj.weight", (64, 32), "or fix the key named above"),
    ],
)
def test_the_remedy_for_another_shape_points_to_a_key_only_if_one_is_named(
    name: str, shape: tuple[int, ...], remedy: str, tmp_path: Path
) -> None:
    """Of a family whose shapes are known to transformers alone."""
    source = random_model(tmp_path / "m", transformers.MptConfig(**SIZES, **OTHERS["mpt"][1]))
    error = refusal(change(source, lambda t: t.update({name: np.ones(shape, np.float32)})))
    assert f"{name} is {' x '.join(map(str, shape))} in the weights" in error.what
    assert error.remedy.endswith(remedy) and ("d_model: 64" in error.what) is ("key" in remedy)


def test_an_original_gpt2_without_its_prefix_and_with_masks(tmp_path: Path) -> None:
    source = random_model(tmp_path / "m", transformers.GPT2Config(**SIZES, **OTHERS["gpt2"][1]))
    before = tensors(source)
    rename(source, lambda name: name.removeprefix("transformer."))
    change(source, lambda t: t.update({f"h.{n}.attn.bias": np.ones((1, 1, 256, 256), np.float32) for n in range(3)}))
    done, after = imported(source)
    assert same(after, before)
    assert "h.0.attn.bias" in done.notes[-1]


def test_layers_are_not_chosen_from_two_lists() -> None:
    from zoo.training.layers import decoder_layers

    def stack() -> Any:
        return torch.nn.ModuleList([torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)])

    model = torch.nn.Module()
    model.config = transformers.LlamaConfig(num_hidden_layers=2)
    model.encoder, model.decoder = stack(), stack()
    with pytest.raises(ModelFileError, match="no single list of decoder layers"):
        decoder_layers(model)


# GGUF sources.


def test_every_tensor_of_a_gguf_reaches_the_model(tmp_path: Path) -> None:
    source = make_tiny_gguf(tmp_path / "m.gguf", vocabulary=300)
    import_model(source, tmp_path / "out", Silent())
    said = json.loads((tmp_path / "out/source.json").read_text(encoding="utf-8"))
    assert (said["kind"], said["quantized"], said["context_tokens"]) == ("gguf", None, 512)
    assert said["end_tokens"] == [{"id": 2, "file": "tokenizer.ggml.eos_token_id"}]
    assert said["tokenizer"]["vocabulary_size"] == said["embedding_rows"] == 300


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"more": {"rope_freqs.weight": (16,)}}, "1 tensor of the source has no place in the architecture: rope_freqs"),
        ({"more": {"blk.1.attn_q.bias": (256,)}}, "no place in the architecture: blk.1.attn_q.bias"),
        ({"more": {"blk.2.ffn_norm.weight": (256,)}}, "blk.2.ffn_norm.weight"),
        ({"without": "blk.1.ffn_up.weight"}, "needs is missing: model.layers.1.mlp.up_proj.weight"),
        ({"without": "token_embd.weight"}, "model.embed_tokens.weight"),
    ],
)
def test_a_gguf_whose_tensors_are_not_the_architectures_is_refused(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    source = make_tiny_gguf(tmp_path / "m.gguf", vocabulary=300, **changes)
    with pytest.raises(ModelFileError) as caught:
        import_model(source, tmp_path / "out", Silent())
    assert words in str(caught.value) and "model folder (safetensors)" in caught.value.remedy


@pytest.mark.parametrize("name", ["model.layers.1.mlp.down_proj.weight", "model.norm.weight", "lm_head.weight"])
def test_a_value_of_a_gguf_that_changes_on_the_way_is_found(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_tiny_gguf(tmp_path / "m.gguf", vocabulary=300)
    written = models.save_model

    def spoilt(model: Any, out: Path, dtype: Any) -> None:
        written(model, out, dtype)
        change(out, lambda t: t.setdefault(name, np.ones((4, 4), np.float16)).reshape(-1).__setitem__(7, 0.3))

    monkeypatch.setattr(importing, "save_model", spoilt)
    with pytest.raises(ModelFileError, match=f"differ from the file's.*{name}"):
        import_model(source, tmp_path / "out", Silent())


def test_a_full_disk_is_an_error_of_the_disk(folder: Path) -> None:
    from smalldisk import mounted

    with mounted(folder.parent / "disk", "120k") as disk, pytest.raises(OSError, match="No space left on device"):
        import_model(folder, disk / "out", Silent())


def fill(value: float, *names: str) -> Callable[[Tensors], Any]:
    """Fill every matrix with a number, or those that are named; norms keep theirs."""

    def edit(values: Tensors) -> None:
        for name in names or [name for name, tensor in values.items() if tensor.ndim > 1]:
            values[name] = np.full_like(values[name], value)

    return edit


@pytest.mark.parametrize(("value", "words"), [(0.0, "hold only zeros"), (0.25, "hold one number only")])
def test_weights_that_were_never_filled_are_refused(value: float, words: str, folder: Path) -> None:
    change(folder, fill(value))
    matrices = sum(tensor.ndim > 1 for tensor in tensors(folder).values())
    error = refusal(folder)
    assert f"All {matrices} matrices of the weights {words}: " in error.what and "model." in error.what
    assert error.where == folder.name and "SHA-256" in error.remedy


@pytest.mark.parametrize("name", [DOWN, "model.embed_tokens.weight"])
def test_one_matrix_of_one_number_is_a_warning_with_its_share(name: str, folder: Path) -> None:
    values = tensors(change(folder, fill(0.0, name)))
    share = 100 * values[name].size / sum(tensor.size for tensor in values.values())
    heard = Heard()
    import_model(folder, folder.parent / "out", heard)
    (warning,) = heard.warnings
    assert f" matrix holds only zeros ({share:.2g} % of the weights): {name}. " in warning and "m: 1 of " in warning
    change(folder, fill(2.0, name))
    heard = Heard()
    import_model(folder, folder.parent / "again", heard)
    assert f" matrix holds only one number ({share:.2g} % of the weights): {name}. " in heard.warnings[0]


def test_norms_of_one_and_biases_of_zero_are_no_fault(folder: Path) -> None:
    heard = Heard()
    import_model(folder, folder.parent / "out", heard)
    assert not heard.warnings


OWN = {"AutoModelForCausalLM": "modeling_own.OwnForCausalLM", "AutoConfig": "modeling_own.OwnConfig"}


def test_code_of_the_folder_is_not_run_and_that_is_said(folder: Path) -> None:
    edit_json(folder, "config.json", auto_map=OWN)
    heard = Heard()
    import_model(folder, folder.parent / "out", heard)
    (warning,) = heard.warnings
    assert "m: config.json names code of the model's own (auto_map: modeling_own.py), which zoo never runs" in warning
    assert "transformers' own code for the architecture llama is used instead" in warning


def test_an_architecture_that_only_the_folders_code_has_is_refused(folder: Path) -> None:
    edit_json(folder, "config.json", architectures=["OwnForCausalLM"], auto_map=OWN)
    error = refusal(folder)
    assert "OwnForCausalLM is only known by the model's own code (auto_map), which zoo never runs" in error.what
    assert error.where == "m/config.json" and '"architectures": ["LlamaForCausalLM"]' in error.remedy
    # The same class in other letters is transformers' own.
    edit_json(folder, "config.json", architectures=["LLaMAForCausalLM"], auto_map={
        "AutoModelForCausalLM": "modeling_own.LLaMAForCausalLM"
    })  # fmt: skip
    imported(folder)
