"""Wrong headers of safetensors, and configurations of another size: refused before memory is used."""

from __future__ import annotations

import itertools
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from foldersamples import edit_json, sound

from zoo.errors import ModelFileError
from zoo.modelfolder import layershapes
from zoo.modelfolder.inspection import inspect

NORM, MATRIX = "model.norm.weight", "model.layers.0.mlp.down_proj.weight"
Header = dict[str, Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return sound(tmp_path / "m")


def written(folder: Path, change: Callable[[Header], object]) -> None:
    """Another header before the same data."""
    path = folder / "model.safetensors"
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    made = change(header)
    text = made if isinstance(made, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + length :])


def put(key: str, value: Any, name: str = NORM) -> Callable[[Header], object]:
    return lambda header: header[name].update({key: value})


def twice(header: Header) -> bytes:
    text = json.dumps(header)
    return f"{text[:-1]}, {json.dumps(NORM)}: {json.dumps(header[NORM])}}}".encode()


def swapped_sizes(header: Header) -> None:
    """Two shapes are swapped, so the sum is right and each one is wrong."""
    header[NORM]["shape"], header[MATRIX]["shape"] = header[MATRIX]["shape"], header[NORM]["shape"]


LIES: dict[str, tuple[Callable[[Header], object], str]] = {
    "overlap": (lambda h: put("data_offsets", h[MATRIX]["data_offsets"])(h), "overlap"),
    "swapped": (swapped_sizes, "a size that does not match its shape"),
    "backwards": (lambda h: h[NORM]["data_offsets"].reverse(), "header cannot be read"),
    "truth": (put("data_offsets", [False, True]), "header cannot be read"),
    "fractions": (lambda h: put("data_offsets", [float(n) for n in h[NORM]["data_offsets"]])(h), "cannot be read"),
    "three offsets": (lambda h: put("data_offsets", [*h[NORM]["data_offsets"], 0])(h), "header cannot be read"),
    "no offsets": (lambda h: h[NORM].pop("data_offsets"), "header cannot be read"),
    "text": (put("shape", ["64"]), "header cannot be read"),
    "negative": (put("shape", [-64]), "header cannot be read"),
    "endless": (put("shape", [1 << 40, 1 << 40]), "a size that does not match its shape"),
    "list of types": (put("dtype", ["F16"]), "header cannot be read"),
    "not an entry": (lambda h: h.update({NORM: True}), "header cannot be read"),
    "number in metadata": (lambda h: h.update({"__metadata__": {"format": 3}}), "header cannot be read"),
    "metadata in a list": (lambda h: h.update({"__metadata__": ["pt"]}), "header cannot be read"),
    "twice": (twice, "header cannot be read"),
    "deep": (lambda _: b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "header cannot be read"),
    "a list": (lambda _: b"[1, 2]", "header cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_header_that_is_wrong_is_named_before_anything_is_loaded(lie: str, folder: Path) -> None:
    change, words = LIES[lie]
    written(folder, change)
    with pytest.raises(ModelFileError, match=words) as caught:
        inspect(folder)
    assert caught.value.where == "m/model.safetensors" and "Fetch the file again" in caught.value.remedy


def test_an_unknown_type_is_not_judged_by_size(folder: Path) -> None:
    written(folder, lambda header: [one.update(dtype="F99") for name, one in header.items() if name == NORM])
    with pytest.raises(ModelFileError, match="F99"):
        inspect(folder)


@pytest.mark.parametrize("key", ["num_hidden_layers", "n_layer", "num_experts", "n_routed_experts"])
@pytest.mark.parametrize("value", [1_000_000, 10**12, 10**300])
def test_more_layers_or_experts_than_there_are_tensors_are_refused(
    key: str, value: int, folder: Path
) -> None:
    edit_json(folder, "config.json", **{key: value})
    with pytest.raises(ModelFileError, match=f"{key} is ") as caught:
        inspect(folder)
    assert caught.value.where == "m/config.json" and len(caught.value.what) < 200


def test_the_inner_configuration_counts(folder: Path) -> None:
    inner = json.loads((folder / "config.json").read_text()) | {"num_hidden_layers": 10**9}
    edit_json(folder, "config.json", text_config=inner)
    with pytest.raises(ModelFileError, match=r"num_hidden_layers is 1,000,000,000, but the weights are only"):
        inspect(folder)


@pytest.mark.parametrize(
    "changes",
    [{"intermediate_size": 10**9}, {"head_dim": 10**9}, {"hidden_size": 10**9}, {"vocab_size": 10**9}],
)
def test_a_model_beyond_its_files_is_refused_before_memory_is_taken(
    changes: dict[str, int], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from zoo.training.folders import load_folder

    edit_json(folder, "config.json", **changes)
    # As of a family whose shapes are not known by name.
    monkeypatch.setattr(layershapes, "FAMILIES", {})
    found = inspect(folder)
    with pytest.raises(ModelFileError, match="describes a model of") as caught:
        load_folder(found, tmp_path / "scratch", torch.float16)
    assert caught.value.where == "m/config.json" and "one revision" in caught.value.remedy


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_act": "exec"},
        {"rope_scaling": {"rope_type": "evil", "factor": 2.0}},
        {"rope_scaling": {"type": ["a"], "factor": {}}},
        {"rope_scaling": {"rope_type": "yarn", "factor": "2"}},
    ],
    ids=str,
)
def test_values_of_which_no_model_can_be_built_are_the_configurations_fault(
    changes: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    import torch

    from zoo.training.folders import load_folder

    edit_json(folder, "config.json", **changes)
    with pytest.raises(ModelFileError) as caught:
        load_folder(inspect(folder), tmp_path / "scratch", torch.float16)
    assert caught.value.where == "m/config.json" and "onfig" in caught.value.remedy
    assert str(tmp_path) not in str(caught.value)


def test_a_tokenizer_that_cannot_be_read_is_called_one(folder: Path, tmp_path: Path) -> None:
    import torch

    from zoo.training.folders import load_folder

    whole = json.loads((folder / "tokenizer.json").read_text())
    whole["model"]["merges"] = [["a"], 3, None]
    edit_json(folder, "tokenizer.json", **whole)
    with pytest.raises(ModelFileError, match="This tokenizer cannot be read"):
        load_folder(inspect(folder), tmp_path / "scratch", torch.float16)


@pytest.mark.parametrize("value", ["1e999", "-1e999", "NaN", "Infinity"])
def test_a_constant_without_a_value_is_refused_with_its_key(value: str, folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(path.read_text().replace("1e-05", value))
    with pytest.raises(ModelFileError, match=r"rms_norm_eps is .*; it must be a number") as caught:
        inspect(folder)
    assert "__float__" not in caught.value.what


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("embedding_length", 3),
        *itertools.product(
            ("block_count", "embedding_length", "feed_forward_length", "attention.head_count"),
            (1_000_000_000, 2**32 - 1),
        ),
    ],
)
def test_a_header_of_another_size_is_refused_before_memory_is_taken(
    key: str, value: int, tmp_path: Path
) -> None:
    from tinygguf import make_tiny_gguf

    from zoo.progress import Silent
    from zoo.training.ggufs import load_gguf

    path = make_tiny_gguf(tmp_path / "tiny.gguf")
    raw, name = path.read_bytes(), f"llama.{key}".encode()
    place = raw.index(struct.pack("<Q", len(name)) + name) + 8 + len(name) + 4
    path.write_bytes(raw[:place] + struct.pack("<I", value) + raw[place + 4 :])
    with pytest.raises(ModelFileError, match=f"llama.{key} is {value:,}, but") as caught:
        load_gguf(path, Silent())
    assert caught.value.where == "tiny.gguf" and "Fetch or build" in caught.value.remedy
