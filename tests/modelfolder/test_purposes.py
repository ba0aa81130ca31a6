"""Sources without a complete language model are refused because of their small files and headers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import pytest
import tinyzoo
from tinygguf import make_tiny_gguf
from tinymodel import make_tiny_llama

from zoo import __main__
from zoo.errors import ModelFileError
from zoo.modelfolder.inspection import inspect
from zoo.modelfolder.purposes import refuse_other
from zoo.sources import resolve as sources


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Qwen3ForSequenceClassification", "scores or sorts texts"),
        ("LlamaForTokenClassification", "labels the tokens"),
        ("BertForMaskedLM", "fills gaps"),
        ("Qwen3Model", "no output head"),
        ("MistralModel", "no output head"),
    ],
)
def test_a_folder_that_writes_no_text(name: str, said: str, tmp_path: Path) -> None:
    folder = make_tiny_llama(tmp_path / "model")
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "architectures": [name]}), "utf-8")
    with pytest.raises(ModelFileError, match=said) as caught:
        inspect(folder)
    assert name in caught.value.what and caught.value.where == "model/config.json"
    assert "language model that it was made from" in caught.value.remedy


@pytest.mark.parametrize("config", [
    {}, {"architectures": None}, {"architectures": []}, {"architectures": ["LlamaForCausalLM"]},
    {"architectures": ["GPT2LMHeadModel"]}, {"architectures": ["Gemma3ForConditionalGeneration"]},
    {"architectures": ["ChatGLMModel"], "auto_map": {"AutoModelForCausalLM": "modeling_chatglm.ChatGLM"}},
])  # fmt: skip
def test_folders_that_may_write_text(config: dict[str, Any]) -> None:
    refuse_other(config)


def test_the_remedy_for_a_folder_without_a_head_is_one(tmp_path: Path) -> None:
    folder = make_tiny_llama(tmp_path / "model")
    path = folder / "config.json"
    plain = {**json.loads(path.read_text("utf-8")), "architectures": ["LlamaModel"]}
    path.write_text(json.dumps(plain), "utf-8")
    with pytest.raises(ModelFileError) as caught:
        inspect(folder)
    wanted = '"architectures": ["LlamaForCausalLM"]'
    assert wanted in caught.value.remedy
    path.write_text(json.dumps({**plain, **json.loads("{" + wanted + "}")}), "utf-8")
    inspect(folder)


def small_file(path: Path, architecture: str, **values: str | int) -> Path:
    """A GGUF file with these keys, one tensor, and nothing that only language models have."""
    import numpy as np

    writer = gguf.GGUFWriter(str(path), architecture)
    for key, value in values.items():
        name = key.replace("__", ".")
        if isinstance(value, int):
            writer.add_uint16(name, value)
        else:
            writer.add_string(name, value)
    writer.add_tensor("x.weight", np.ones(32, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize(
    ("architecture", "values", "said"),
    [
        ("llama", {"split__no": 0, "split__count": 3}, "one of 3 parts"),
        ("llama", {"general__type": "adapter", "adapter__type": "lora"}, "an adapter"),
        ("clip", {"general__type": "mmproj"}, "encoder"),
        ("clip", {"general__type": "imatrix"}, "importance matrix"),
        ("qwen3", {"qwen3__pooling_type": 3}, "pooling_type"),
    ],
)
def test_a_gguf_file_that_is_not_a_complete_language_model(
    architecture: str, values: dict[str, str | int], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    path = small_file(zoo / "models/m.gguf", architecture, **values)
    student = {"source": "file:models/m.gguf", "sha256": sources.content_sha256(path), "licence": "Apache-2.0"}
    tinyzoo.write_recipe(zoo, tinyzoo.plain_recipe(zoo, student=student))
    monkeypatch.chdir(zoo)
    for command in (("check", "recipes/plain.yaml"), ("lock", "plain"), ("plan", "plain")):
        assert __main__.main(command) in (1, 2), command
        shown = "".join(capsys.readouterr())
        assert "models/m.gguf" in shown and said in shown and "damaged" not in shown, shown


def test_a_complete_model_is_none_of_these(tmp_path: Path) -> None:
    sources.refuse_gguf(make_tiny_gguf(tmp_path / "m.gguf", vocabulary=300), tmp_path)
