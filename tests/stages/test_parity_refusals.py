"""Conversions with typical faults: the stage refuses each, with exit code 3 and the place."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tinymodel
import tinyzoo
from safetensors.numpy import load_file, save_file
from tinygguf import make_tiny_gguf

from zoo import __main__
from zoo.errors import GateRefused, ModelFileError
from zoo.files.listing import records
from zoo.gguf.header import rewrite_header
from zoo.llama.convert.convert import convert
from zoo.llama.quantize.quantize import Wanted, quantize
from zoo.progress import Silent
from zoo.stages import Context
from zoo.stages import parity as stage
from zoo.stages.artifact import Artifact

pytest.importorskip("llama_cpp")
pytest.importorskip("torch")

Edit = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def talker(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder as a person has it, and the file that llama.cpp's converter makes of it."""
    base = tmp_path_factory.mktemp("talker")
    folder = tinyzoo.make_talker(base / "model")
    convert(folder, base / "model.gguf")
    return folder, base / "model.gguf"


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same with a byte-level BPE tokenizer, which has a pre-tokenizer."""
    from zoo.training.importing import import_model

    base = tmp_path_factory.mktemp("words")
    file = make_tiny_gguf(base / "model.gguf")
    import_model(file, base / "model", Silent())
    return base / "model", file


def judge(
    folder: Path, file: Path, place: Path, type_: str = "f16", allow: Sequence[str] = ()
) -> dict[str, Any]:
    """Run the stage on copies; returns its report. Raises GateRefused."""
    place.mkdir()
    (place / "file").mkdir()
    (place / "out").mkdir()
    shutil.copyfile(file, place / "file" / "model.gguf")
    inputs = {
        role: Artifact(role, "k", path, records(path), {})
        for role, path in (("weights", folder), ("model", place / "file"), ("source", folder))
    }
    spec = {"type": type_, "allow": list(allow)}
    return stage.run(Context(spec, inputs, place / "out", place, place, place, 1, "cpu", Silent()))


def refusal(folder: Path, file: Path, place: Path) -> str:
    with pytest.raises(GateRefused) as refused:
        judge(folder, file, place)
    assert refused.value.exit_code == 3
    assert not list((place / "out").iterdir())
    return str(refused.value)


def edited(folder: Path, target: Path, name: str, edit: Edit) -> Path:
    """A copy of the folder whose JSON file ``name`` went through ``edit``."""
    shutil.copytree(folder, target)
    data = json.loads((target / name).read_text())
    edit(data)
    (target / name).write_text(json.dumps(data))
    return target


def test_good_pairs_pass(talker: tuple[Path, Path], words: tuple[Path, Path], tmp_path: Path) -> None:
    judge(*talker, tmp_path / "talker")
    judge(*words, tmp_path / "words")


@pytest.mark.parametrize("type_", ["bf16", "f32"])
def test_a_file_in_another_format_is_compared_with_the_weights_that_it_can_hold(
    type_: str, talker: tuple[Path, Path], tmp_path: Path
) -> None:
    """The recipe asks to round the weights to bf16; this is not a difference of the file."""
    quantize(talker[1], tmp_path / "b.gguf", Wanted(type_.upper()), threads=1)
    report = judge(talker[0], tmp_path / "b.gguf", tmp_path / "run", type_)
    figures = next(check["figures"] for check in report["checks"] if check["name"] == "logits")
    assert figures["float32"]["mean_ratio"] < 0.01 and figures["stored"]["mean_ratio"] < 0.5


def test_a_sharply_attending_model_is_not_refused_for_one_position(tmp_path: Path) -> None:
    """Its positions are ill-conditioned: some move by more than 0.02 under rounding, which a fixed bound refused."""
    folder = tinyzoo.make_talker(tmp_path / "model")
    tensors = load_file(folder / "model.safetensors")
    for name in tensors:
        if "q_proj" in name or "k_proj" in name:
            tensors[name] = tensors[name] * np.float16(6)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    convert(folder, tmp_path / "b.gguf")
    report = judge(folder, tmp_path / "b.gguf", tmp_path / "run")
    figures = next(check["figures"] for check in report["checks"] if check["name"] == "logits")
    assert figures["stored"]["worst"]["own_noise"] > 0.001 and figures["float32"]["mean_ratio"] < 0.05


def test_a_longrope_model_is_compared_within_its_original_context(words: tuple[Path, Path], tmp_path: Path) -> None:
    """Beyond it llama.cpp takes other factors for a whole context, transformers for a long text only."""
    import torch
    from transformers import Phi3Config, Phi3ForCausalLM

    folder = edited(
        words[0], tmp_path / "m", "tokenizer_config.json", lambda data: data.update(tokenizer_class="GPT2Tokenizer")
    )
    (folder / "source.json").unlink()  # it describes another model
    # Eight numbers: half of the 16 of a head.
    rope = {
        "rope_type": "longrope", "rope_theta": 10_000.0, "original_max_position_embeddings": 512,
        "short_factor": [1.0 + n / 100 for n in range(8)], "long_factor": [1.0 + n / 2 for n in range(8)],
    }  # fmt: skip
    config = Phi3Config(
        vocab_size=json.loads((folder / "config.json").read_text())["vocab_size"], hidden_size=64,
        intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, bos_token_id=1,
        eos_token_id=2, pad_token_id=2, max_position_embeddings=2048, original_max_position_embeddings=512,
        rope_parameters=rope, initializer_range=0.3,
    )  # fmt: skip
    torch.manual_seed(0)
    Phi3ForCausalLM(config).to(torch.float16).save_pretrained(folder)
    convert(folder, tmp_path / "b.gguf")
    seen = {one["name"]: one for one in judge(folder, tmp_path / "b.gguf", tmp_path / "run")["checks"]}
    assert seen["logits"]["figures"]["stored"]["mean_ratio"] < 0.5


def test_an_overflow_of_f16_names_the_type_to_export(tmp_path: Path) -> None:
    folder = tinyzoo.make_talker(tmp_path / "model")
    tensors = load_file(folder / "model.safetensors")
    for name in tensors:
        if "layernorm" in name:
            tensors[name] = np.full_like(tensors[name], 60_000)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    convert(folder, tmp_path / "b.gguf")
    said = refusal(folder, tmp_path / "b.gguf", tmp_path / "run")
    assert "an infinite amount" in said and "Write `export: {type: bf16}` in the recipe" in said


def normalizing(talker: tuple[Path, Path], target: Path, *steps: str) -> Path:
    """The folder with more steps in front of its tokenizer's normalizer."""

    def edit(tokenizer: dict[str, Any]) -> None:
        both = {"strip_left": True, "strip_right": True}
        first = [{"type": step, **(both if step == "Strip" else {})} for step in steps]
        tokenizer["normalizer"] = {"type": "Sequence", "normalizers": [*first, tokenizer["normalizer"]]}

    return edited(talker[0], target, "tokenizer.json", edit)


def test_a_normalizer_that_leaves_ordinary_text_alone_is_reported(
    talker: tuple[Path, Path], tmp_path: Path
) -> None:
    report = judge(normalizing(talker, tmp_path / "model", "NFC"), talker[1], tmp_path / "run")
    found = next(check for check in report["checks"] if check["name"] == "tokenizer")
    assert found["outcome"] == "reported" and "Write composed letters" in found["note"]
    assert "has the normalizer NFC, which llama.cpp does not apply. Nothing else differs" in found["detail"]


CHANGES_TEXT = "which llama.cpp does not apply. Nothing else differs"


@pytest.mark.parametrize(
    ("step", "words_"),
    [
        ("NFD", CHANGES_TEXT),
        ("NFKC", CHANGES_TEXT),
        ("Lowercase", CHANGES_TEXT),
        ("StripAccents", CHANGES_TEXT),
        # It works between markers, so it cannot be shown to be the only difference.
        ("Strip", "String 11 ("),
    ],
)
def test_a_normalizer_that_changes_ordinary_text_is_refused(
    step: str, words_: str, talker: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = normalizing(talker, tmp_path / "model", *(("NFD",) if step == "StripAccents" else ()), step)
    said = refusal(folder, talker[1], tmp_path / "run")
    assert words_ in said and ("It changes letters of ordinary text" in said) == (words_ == CHANGES_TEXT)


def test_a_normalizer_does_not_hide_another_difference(words: tuple[Path, Path], tmp_path: Path) -> None:
    def compose(tokenizer: dict[str, Any]) -> None:
        tokenizer["normalizer"] = {"type": "NFC"}

    folder = edited(words[0], tmp_path / "model", "tokenizer.json", compose)
    report = judge(folder, words[1], tmp_path / "good")
    assert {check["name"] for check in report["checks"] if check["outcome"] == "reported"} == {"tokenizer"}
    rewrite_header(words[1], tmp_path / "b.gguf", {"tokenizer.ggml.pre": "default"})
    assert "llama.cpp does not apply" not in refusal(folder, tmp_path / "b.gguf", tmp_path / "bad")


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_rope_base_a_tenth_off(factor: float, talker: tuple[Path, Path], tmp_path: Path) -> None:
    rewrite_header(talker[1], tmp_path / "b.gguf", {"llama.rope.freq_base": 10_000.0 * factor})
    said = refusal(talker[0], tmp_path / "b.gguf", tmp_path / "run")
    assert f"rope_theta is 10000 in the folder, llama.rope.freq_base is {10_000 * factor:g} in the file" in said
    # The logits alone show it too: a header can be correct but misread.
    assert re.search(r"logits: Text \d, token \d+ \(", said)


@pytest.mark.parametrize(
    ("key", "value", "words_"),
    [
        ("llama.attention.layer_norm_rms_epsilon", 1e-3, "the norms' constant is 1e-05 in the folder"),
        ("llama.context_length", 512, "max_position_embeddings is 1024 in the folder, llama.context_length is 512"),
        ("llama.rope.scaling.type", "linear", "rope_type is none in the folder, llama.rope.scaling.type is linear"),
    ],
)
def test_a_constant_of_the_header(
    key: str, value: str | float, words_: str, talker: tuple[Path, Path], tmp_path: Path
) -> None:
    rewrite_header(talker[1], tmp_path / "b.gguf", {key: value})
    assert words_ in refusal(talker[0], tmp_path / "b.gguf", tmp_path / "run")


@pytest.mark.parametrize("kind", ["linear", "llama3"])
def test_a_rope_scaling_that_is_converted_and_one_that_is_lost(
    kind: str, talker: tuple[Path, Path], tmp_path: Path
) -> None:
    factors = {"original_max_position_embeddings": 256, "low_freq_factor": 1.0, "high_freq_factor": 4.0}

    def scale(config: dict[str, Any]) -> None:
        config["rope_scaling"] = {"rope_type": kind, "factor": 2.0, **(factors if kind == "llama3" else {})}

    folder = edited(talker[0], tmp_path / "model", "config.json", scale)
    convert(folder, tmp_path / "scaled.gguf")
    judge(folder, tmp_path / "scaled.gguf", tmp_path / "good")
    said = refusal(folder, talker[1], tmp_path / "bad")
    assert "parameters: rope_type is " in said and "llama.rope.scaling.type is none in the file" in said
    assert re.search(r"logits: Text \d, token \d+ \(", said)


def untied(folder: Path, target: Path, seed: int) -> Path:
    edited(folder, target, "config.json", lambda config: config.update(tie_word_embeddings=False))
    tensors = load_file(target / "model.safetensors")
    other = load_file(tinymodel.make_tiny_llama(target.parent / f"seed-{seed}", seed=seed) / "model.safetensors")
    tensors["lm_head.weight"] = other["model.embed_tokens.weight"]
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
    return target


def test_a_head_that_is_lost_and_one_that_is_not_the_folders(talker: tuple[Path, Path], tmp_path: Path) -> None:
    own = untied(talker[0], tmp_path / "own", 5)
    convert(own, tmp_path / "own.gguf")
    judge(own, tmp_path / "own.gguf", tmp_path / "good")
    lost = refusal(own, talker[1], tmp_path / "lost")
    assert "the head is its own in the folder, the head is the embedding in the file" in lost
    assert re.search(r"logits: Text \d, token \d+ \(", lost)
    assert re.search(r"logits: Text \d, token \d+ \(", refusal(talker[0], tmp_path / "own.gguf", tmp_path / "untied"))


def test_a_begin_of_text_token_that_is_missing_and_one_too_many(
    words: tuple[Path, Path], tmp_path: Path
) -> None:
    def begin(tokenizer: dict[str, Any]) -> None:
        tokenizer["post_processor"] = {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<|im_start|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [],
            "special_tokens": {"<|im_start|>": {"id": "<|im_start|>", "ids": [1], "tokens": ["<|im_start|>"]}},
        }

    begins = edited(words[0], tmp_path / "begins", "tokenizer.json", begin)
    rewrite_header(words[1], tmp_path / "bos.gguf", {"tokenizer.ggml.add_bos_token": True})
    judge(begins, tmp_path / "bos.gguf", tmp_path / "good")
    place = r"tokenizer: String 1 \('Hello, world!'\) with its markers, token 0: "
    assert re.search(place + r"1 '<\|im_start\|>' in transformers", refusal(begins, words[1], tmp_path / "missing"))
    too_many = refusal(words[0], tmp_path / "bos.gguf", tmp_path / "more")
    assert re.search(place + r".* in transformers, 1 '<\|im_start\|>' in the GGUF file", too_many)


@pytest.mark.parametrize("pre", ["default", "deepseek-llm"])
def test_a_pre_tokenizer_that_cuts_otherwise(pre: str, words: tuple[Path, Path], tmp_path: Path) -> None:
    rewrite_header(words[1], tmp_path / "b.gguf", {"tokenizer.ggml.pre": pre})
    said = refusal(words[0], tmp_path / "b.gguf", tmp_path / "run")
    assert re.search(r"tokenizer: String \d+ \(.*\), token \d+: \d+ .* in transformers, \d+ .* in the GGUF", said)


def test_tokens_are_compared_before_any_logits(
    words: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logits take minutes. The message has the entry that allows the difference, and then the rest is compared."""
    rewrite_header(words[1], tmp_path / "b.gguf", {"tokenizer.ggml.pre": "deepseek-llm"})
    with monkeypatch.context() as patched:
        patched.setattr("zoo.training.parity.look", lambda *_, **__: pytest.fail("the weights were read"))
        said = refusal(words[0], tmp_path / "b.gguf", tmp_path / "run")
    assert "  tokenizer: String " in said and "write `parity: {allow: [tokenizer]}` into the recipe" in said
    report = judge(words[0], tmp_path / "b.gguf", tmp_path / "allowed", allow=["tokenizer", "source"])
    outcomes = {check["name"]: check["outcome"] for check in report["checks"]}
    assert outcomes["tokenizer"] == "allowed" and outcomes["logits"] == "passed"


@pytest.mark.parametrize("in_file", [True, False])
def test_a_space_that_only_one_side_puts_before_a_text_is_named(
    in_file: bool, talker: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = talker[0]
    if not in_file:

        def spaced(tokenizer: dict[str, Any]) -> None:
            steps = [{"type": "Prepend", "prepend": "\u2581"}, tokenizer["normalizer"]]
            tokenizer["normalizer"] = {"type": "Sequence", "normalizers": steps}

        folder = edited(folder, tmp_path / "model", "tokenizer.json", spaced)
    rewrite_header(talker[1], tmp_path / "b.gguf", {"tokenizer.ggml.add_space_prefix": in_file})
    said = refusal(folder, tmp_path / "b.gguf", tmp_path / "run")
    sides = ("the GGUF file", "transformers") if in_file else ("transformers", "the GGUF file")
    assert f"Likely cause: {sides[0]} puts a space before every text, {sides[1]} does not" in said
    fix = ("write", "into") if in_file else ("remove", "from")
    assert f'{fix[0]} "add_prefix_space": false {fix[1]} tokenizer_config.json of the source' in said


def test_a_pre_tokenizer_that_llama_cpp_does_not_know(words: tuple[Path, Path], tmp_path: Path) -> None:
    rewrite_header(words[1], tmp_path / "b.gguf", {"tokenizer.ggml.pre": "nonsense"})
    said = refusal(words[0], tmp_path / "b.gguf", tmp_path / "run")
    assert "unknown pre-tokenizer type: 'nonsense'" in said and "Nothing was quantized or published" in said


def test_the_converter_refuses_a_pre_tokenizer_that_it_does_not_know(
    words: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A build of a folder whose tokenizer llama.cpp does not support ends before its first step."""
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    shutil.rmtree(zoo / "models/teacher")
    shutil.copytree(words[0], zoo / "models/teacher")
    path = zoo / "models/teacher/tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    split = {"type": "Split", "pattern": {"Regex": "[aeiou]+"}, "behavior": "Isolated", "invert": False}
    tokenizer["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, tokenizer["pre_tokenizer"]]}
    path.write_text(json.dumps(tokenizer), encoding="utf-8")
    tinyzoo.write_recipe(zoo, tinyzoo.plain_recipe(zoo))
    monkeypatch.chdir(zoo)
    monkeypatch.setenv("ZOO_THREADS", "1")
    assert __main__.main(("build", "plain")) == 1
    err = capsys.readouterr().err
    assert not list(zoo.glob("work/*/import*"))
    assert "has no rule that splits text as this model's tokenizer does" in err
    assert "(pre_tokenizer of tokenizer.json: Split [aeiou]+, then " in err
    assert "Traceback" not in err


def test_a_file_that_llama_cannot_load_is_refused_with_its_reason(talker: tuple[Path, Path], tmp_path: Path) -> None:
    folder, file = talker
    rewrite_header(file, tmp_path / "more.gguf", {"llama.block_count": 9})
    said = refusal(folder, tmp_path / "more.gguf", tmp_path / "place")
    assert "cannot be compared" in said and "llama.cpp cannot load model.gguf" in said
    assert "allow" not in said and str(tmp_path) not in said


def test_memory_that_ran_out_is_not_a_difference(
    talker: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object, **__: object) -> None:
        raise ModelFileError("llama.cpp cannot load model.gguf: failed to allocate compute buffers")

    monkeypatch.setattr(stage, "examine", no_room)
    with pytest.raises(ModelFileError, match="failed to allocate"):
        judge(*talker, tmp_path / "place")
