"""Weights that float16 cannot represent: kept in bfloat16 and reported, or refused with the line to write."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("llama_cpp")

import tinyzoo  # noqa: E402 - after the skip
from safetensors.torch import load_file, save_file  # noqa: E402 - after the skip
from tinygguf import make_tiny_gguf  # noqa: E402 - after the skip
from tinymodel import make_tiny_llama  # noqa: E402 - after the skip

from zoo.__main__ import main  # noqa: E402 - after the skip
from zoo.errors import ModelFileError  # noqa: E402 - after the skip
from zoo.gguf import overflow  # noqa: E402 - after the skip
from zoo.llama.convert.convert import convert  # noqa: E402 - after the skip
from zoo.progress import Silent  # noqa: E402 - after the skip
from zoo.sources.resolve import content_sha256  # noqa: E402 - after the skip
from zoo.training import precision  # noqa: E402 - after the skip
from zoo.training.importing import import_model  # noqa: E402 - after the skip

UP, DOWN = (f"model.layers.0.mlp.{name}_proj.weight" for name in ("up", "down"))


def wide(folder: Path, dtype: Any = torch.bfloat16, factor: float = 2.0**18) -> Path:
    """A tiny Llama with one matrix beyond float16 and the next one smaller by as much: the same model."""
    make_tiny_llama(folder)
    weights = {name: one.float() for name, one in load_file(folder / "model.safetensors").items()}
    weights[UP] *= factor
    weights[DOWN] /= factor
    save_file({n: w.to(dtype) for n, w in weights.items()}, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def outlier(folder: Path) -> Path:
    """A tiny Llama with one weight beyond float16, on an input that the norm before it makes small."""
    make_tiny_llama(folder)
    weights = {name: one.bfloat16() for name, one in load_file(folder / "model.safetensors").items()}
    weights["model.layers.0.post_attention_layernorm.weight"][7] = 2.0**-20
    weights[UP][3, 7] = 2.0**17
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def imported(source: Path, out: Path, **more: Any) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """What the import reports, its weights, and source.json."""
    done = import_model(source, out, Silent(), **more)
    said = out / "source.json"
    return done, load_file(out / "model.safetensors"), json.loads(said.read_text()) if said.is_file() else {}


def test_a_matrix_beyond_float16_is_kept_exactly(tmp_path: Path) -> None:
    source = wide(tmp_path / "m")
    done, weights, said = imported(source, tmp_path / "out")
    before = load_file(source / "model.safetensors")
    assert done.dtype == "bfloat16" and all(torch.equal(weights[name], before[name]) for name in weights)
    assert said["beyond_float16"] == [UP]
    note = next(one for one in done.notes if "65,504" in one)
    assert UP in note and "the model is kept in bfloat16" in note
    assert json.loads((tmp_path / "out/config.json").read_text())["dtype"] == "bfloat16"


def test_float32_is_rounded_to_bfloat16(tmp_path: Path) -> None:
    source = wide(tmp_path / "m", torch.float32)
    done, weights, _ = imported(source, tmp_path / "out")
    before = load_file(source / "model.safetensors")
    assert done.dtype == "bfloat16"
    assert all(torch.equal(weights[name], before[name].to(torch.bfloat16)) for name in weights)


def test_a_tensor_that_float16_would_lose_is_kept(tmp_path: Path) -> None:
    done, weights, said = imported(wide(tmp_path / "m", factor=2.0**-40), tmp_path / "out")
    note = next(one for one in done.notes if "would lose" in one)
    assert done.dtype == "bfloat16" and UP in note and float(weights[UP].abs().max()) > 0
    # The other matrix is beyond the range.
    assert said["beyond_float16"] == [DOWN]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float16])
def test_usual_weights_become_float16(dtype: Any, tmp_path: Path) -> None:
    done, weights, said = imported(wide(tmp_path / "m", dtype, factor=1.0), tmp_path / "out")
    assert done.dtype == "float16" and weights[UP].dtype == torch.float16 and said["beyond_float16"] == []


def test_a_pruned_model_is_kept_likewise(tmp_path: Path) -> None:
    _, before, _ = imported(wide(tmp_path / "m"), tmp_path / "out")
    done, after, _ = imported(tmp_path / "out", tmp_path / "pruned", layers=(0,))
    assert done.dtype == "bfloat16" and torch.equal(after[UP], before[UP])


def test_the_bound_for_small_tensors() -> None:
    """float16's steps below 2^-14 are all 2^-24: of a tensor of ones of 2^-17 it keeps 2^-8, of 2^-12 more."""
    def faint(scale: float) -> tuple[str, ...]:
        values = torch.randn(64, 64, generator=torch.Generator().manual_seed(1)) * scale
        judge = precision._Judge()
        judge.look("x", values)
        return judge.format().faint

    assert faint(1.0) == faint(2.0**-10) == () and faint(2.0**-22) == faint(1e-30) == ("x",) and faint(0.0) == ()


def test_a_gguf_source_beyond_float16(tmp_path: Path) -> None:
    source = make_tiny_gguf(tmp_path / "s.gguf", layers=2)
    done, weights, said = imported(source, tmp_path / "first")
    assert done.dtype == "float16" and said["beyond_float16"] == []
    weights = {name: one.float() for name, one in weights.items()}
    name = next(one for one in weights if one.endswith("up_proj.weight"))
    weights[name] *= 2.0**20
    save_file({n: w.bfloat16() for n, w in weights.items()}, tmp_path / "first/model.safetensors",
              metadata={"format": "pt"})  # fmt: skip
    convert(tmp_path / "first", tmp_path / "wide.gguf", "bf16")
    again, after, said = imported(tmp_path / "wide.gguf", tmp_path / "second")
    assert again.dtype == "bfloat16" and said["beyond_float16"] == [name]
    assert torch.equal(after[name], weights[name].bfloat16())


def test_a_file_with_infinity_is_refused(tmp_path: Path) -> None:
    imported(wide(tmp_path / "m"), tmp_path / "out")
    convert(tmp_path / "out", tmp_path / "bf16.gguf", "bf16")
    overflow.refuse(tmp_path / "bf16.gguf")
    convert(tmp_path / "out", tmp_path / "f16.gguf", "f16")
    with pytest.raises(ModelFileError, match=r"blk\.0\.ffn_up\.weight has values too large for F16") as caught:
        overflow.refuse(tmp_path / "f16.gguf")
    assert "export: {type: bf16}" in caught.value.remedy


def test_a_release_says_the_line_to_write_and_then_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    recipe = tinyzoo.plain_recipe(zoo)
    place = zoo / recipe["student"]["source"].removeprefix("file:")
    shutil.rmtree(place)
    outlier(place)
    recipe["student"]["sha256"] = content_sha256(place, zoo)
    tinyzoo.write_recipe(zoo, recipe)
    monkeypatch.chdir(zoo)
    monkeypatch.setenv("ZOO_THREADS", "1")
    capsys.readouterr()
    assert main(("release", "plain")) == 2
    said = "".join(capsys.readouterr())
    assert f"cannot represent the weights {UP} (beyond 65,504)" in said and "export: {type: bf16}" in said
    assert "the model is kept in bfloat16" in said and "Traceback" not in said
    recipe["export"] = {"type": "bf16"}
    tinyzoo.write_recipe(zoo, recipe)
    code = main(("release", "plain"))
    assert code == 0, "".join(capsys.readouterr())
    assert [path.name for path in zoo.rglob("*-BF16.gguf")], "the exported file is published as bf16"
