"""Folders in another layout are recognised by the names of their files, and the remedy is a command that works."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tinymodel import make_tiny_llama

from zoo.errors import ModelFileError
from zoo.modelfolder.commands import filled
from zoo.modelfolder.formats import MERGE
from zoo.modelfolder.inspection import inspect


def refused(root: Path, folder: Path) -> ModelFileError:
    with pytest.raises(ModelFileError) as caught:
        inspect(folder, root)
    return caught.value


def made(folder: Path, names: str) -> Path:
    """A folder with these files, names apart by spaces; one that ends in / is a folder."""
    for name in names.split():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir(exist_ok=True)
        else:
            path.write_text('{"model_type": "llama"}', encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("names", "what", "remedy"),
    [
        ("params.json consolidated.safetensors tekken.json", "their maker's own layout (params.json, consolidated.saf",
         "Use the files of transformers' format"),
        ("params.json consolidated.00.pth tokenizer.model", "their maker's own layout", "transformers' format"),
        ("config.json consolidated.safetensors", "their maker's own layout", "transformers' format"),
        ("checkpoint-20/config.json checkpoint-100/config.json", "a training (checkpoint-20, checkpoint-100)",
         "file:models/my run/checkpoint-100"),
        ("m-Q8_0.gguf m-Q4_0.gguf README.md", "GGUF files (m-Q4_0.gguf, m-Q8_0.gguf)",
         "file:models/my run/m-Q4_0.gguf"),
        ("blobs/aa refs/main snapshots/0123/config.json", "a cache of the hub's client. The models are in it",
         "file:models/my run/snapshots/0123"),
        ("models--me--x/snapshots/0123/config.json models--me--y/blobs/aa", "in it (models--me--x/snapshots/0123)",
         "file:models/my run/models--me--x/snapshots/0123"),
        ("config.json zero_to_fp32.py global_step9/x.pt latest", "a checkpoint of DeepSpeed",
         "python 'models/my run/zero_to_fp32.py' 'models/my run' 'models/my run' --safe_serialization"),
        ("config.json pytorch_model_fsdp_0/__0_0.distcp", "a checkpoint of FSDP",
         "accelerate merge-weights 'models/my run/pytorch_model_fsdp_0' 'models/my run'"),
        ("config.json pytorch_model.bin training_args.bin", "pickled (pytorch_model.bin);", "let transformers convert"),
        ("config.json training_args.bin optimizer.pt checkpoint-5/config.json", "a training (checkpoint-5)",
         "checkpoint-5"),
        ("config.json tf_model.h5 onnx/", "belong to another library (tf_model.h5, onnx)", "model*.safetensors"),
        ("config.json README.md", "has no .safetensors file", "Fetch the model's weights as well"),
        ("tokenizer.json", "has no config.json", "Use a GGUF file or a Hugging Face model folder"),
    ],
)  # fmt: skip
def test_what_a_folder_holds_and_what_to_do(names: str, what: str, remedy: str, tmp_path: Path) -> None:
    error = refused(tmp_path, made(tmp_path / "models/my run", names))
    assert what in error.what and error.where == "models/my run"
    assert remedy in error.remedy and "FOLDER" not in error.remedy, error.remedy


def test_the_command_converts_pickled_weights(tmp_path: Path) -> None:
    """As a user runs it, from the zoo's folder, on a folder with a space and an accent in its name."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder = make_tiny_llama(tmp_path / "models/mon modèle")
    before = inspect(folder, tmp_path).tensors
    torch.save(transformers.AutoModelForCausalLM.from_pretrained(folder).state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    command = shlex.split(refused(tmp_path, folder).remedy.split(": ", 1)[1])
    assert command[0] == "python"
    subprocess.run([sys.executable, *command[1:]], cwd=tmp_path, check=True, capture_output=True)
    assert {name: one.shape for name, one in inspect(folder, tmp_path).tensors.items() if name in before} == {
        name: one.shape for name, one in before.items()
    }


def test_mlx_is_named(tmp_path: Path) -> None:
    folder = make_tiny_llama(tmp_path / "m")
    numpy = pytest.importorskip("safetensors.numpy")
    weights = folder / "model.safetensors"
    packed = {"model.layers.0.mlp.up_proj.weight": np.zeros((8, 4), np.uint32)}
    numpy.save_file(numpy.load_file(weights) | packed, weights)
    path = folder / "config.json"
    plain = json.loads(path.read_text("utf-8"))
    for keys in (("quantization",), ("quantization", "quantization_config")):
        path.write_text(json.dumps(plain | {key: {"group_size": 64, "bits": 4} for key in keys}), "utf-8")
        error = refused(tmp_path, folder)
        assert "MLX, 4 bits" in error.what and "16-bit weights" in error.remedy


@pytest.mark.parametrize(
    ("remedy", "place", "said"),
    [
        ("cp -rL FOLDER NEW_FOLDER", "models/m", "cp -rL models/m models/m-copy"),
        ("cp -rL FOLDER NEW_FOLDER", "my models/é", "cp -rL 'my models/é' 'my models/é-copy'"),
        ("f('ADAPTER/x.json', 'MERGED')", "my models/m", "f('my models/m/x.json', 'my models/m-merged')"),
        ("write file:MERGED", "my models/m", "write file:my models/m-merged"),
        ("cp -rL FOLDER NEW_FOLDER", "it's", "cp -rL FOLDER NEW_FOLDER"),
        ("f('ADAPTER')", "$(x)", "f('ADAPTER')"),
        ("MY_FOLDERS stay", "m", "MY_FOLDERS stay"),
    ],
)
def test_commands_name_the_places_that_the_user_has(remedy: str, place: str, said: str) -> None:
    assert filled(remedy, place) == said


def test_the_merge_command_of_a_folder_is_one_word_for_python() -> None:
    words = shlex.split(filled(MERGE, "my models/m"))
    assert words[:2] == ["python", "-c"] and len(words) == 3
    compile(words[2], "remedy", "exec")
    assert "'my models/m-merged'" in words[2] and "MERGED" not in words[2]
