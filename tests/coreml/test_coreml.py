"""The Core ML prototype on a tiny model: the structure is checked; the program is not run, because only macOS can."""

from __future__ import annotations

import importlib.util
import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from tinymodel import make_tiny_llama

from zoo.errors import InputError, ZooError

pytestmark = [
    pytest.mark.coreml,
    pytest.mark.skipif(importlib.util.find_spec("coremltools") is None, reason="needs the extra coreml: make coreml"),
]
TOKENS, VOCABULARY, LAYERS = 16, 355, 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_llama(tmp_path_factory.mktemp("tiny") / "model", layers=LAYERS)


@pytest.fixture(scope="module")
def converted(folder: Path) -> tuple[dict[str, object], Path, str]:
    out = folder.with_name("tiny.mlpackage")
    line = [sys.executable, "-m", "zoo.coreml", str(folder), str(out), "--tokens", str(TOKENS)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), out, done.stderr


def test_the_program_has_the_model_s_shape_operations_and_weights(
    converted: tuple[dict[str, object], Path, str],
) -> None:
    found, out, said = converted
    assert (found["tokens"], found["vocabulary"]) == (TOKENS, VOCABULARY)
    operations = found["operations"]
    assert isinstance(operations, dict)
    # Seven products and one attention in each layer, and the head.
    assert operations["linear"] == 7 * LAYERS + 1 and operations["softmax"] == operations["silu"] == LAYERS
    # The embedding, which is also the head, and the seven matrices of each layer.
    assert found["weights"] == 1 + 7 * LAYERS
    assert (out / "Manifest.json").is_file() and list(out.rglob("weight.bin"))
    assert "Traceback" not in said and "ops/s" not in said


def test_what_is_converted_computes_what_transformers_computes(converted: tuple[dict[str, object], Path, str]) -> None:
    difference = converted[0]["torch_difference"]
    # float32 has 24 bits; the sums of this model have at most 128 terms, in another order.
    assert isinstance(difference, float) and difference <= 128 * 2**-24


def test_that_it_was_not_run_is_said(converted: tuple[dict[str, object], Path, str]) -> None:
    found = converted[0]
    if platform.system() == "Darwin":
        pytest.skip("Core ML is here, so it was run")
    assert found["predicted_difference"] is None and "macOS only, and this is Linux" in str(found["not_run"])


def test_a_changed_weight_is_seen(folder: Path) -> None:
    import torch

    from zoo.coreml import convert, torchprogram

    model = torchprogram.load(folder)
    program = torchprogram.exported(model, TOKENS)
    made = convert.converted(program)
    assert convert.checked(made, model, TOKENS).vocabulary == VOCABULARY
    with torch.no_grad():
        model.get_submodule("model.layers.1.mlp.up_proj").weight[3, 5] += 1
    other = torchprogram.load(folder)
    assert torchprogram.difference(program, other, TOKENS, 1) > 0
    with pytest.raises(ZooError, match=r"up_proj\.weight is not in the converted program"):
        convert.checked(made, model, TOKENS)
    with pytest.raises(ZooError, match="has the shapes"):
        convert.checked(made, model, TOKENS + 1)


@pytest.mark.parametrize(
    ("name", "tokens", "words"),
    [("x.mlmodel", 4, "must end with .mlpackage"), ("there.mlpackage", 4, "exists"), ("x.mlpackage", 0, "at least 1")],
)
def test_invalid_requests(folder: Path, tmp_path: Path, name: str, tokens: int, words: str) -> None:
    from zoo.coreml.convert import convert

    (tmp_path / "there.mlpackage").mkdir()
    with pytest.raises(InputError, match=words):
        convert(folder, tmp_path / name, tokens)
    assert [one.name for one in tmp_path.iterdir()] == ["there.mlpackage"]
