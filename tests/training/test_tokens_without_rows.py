"""Markers that were added to a tokenizer whose model was not resized: removed, reported, and the file works."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("llama_cpp")

from foldersamples import edit_json, sound  # noqa: E402 - after the skip

from zoo.gguf.header import read_header  # noqa: E402 - after the skip
from zoo.llama.convert.convert import convert  # noqa: E402 - after the skip
from zoo.modelfolder import trimming  # noqa: E402 - after the skip
from zoo.progress import Silent  # noqa: E402 - after the skip
from zoo.training.importing import import_model  # noqa: E402 - after the skip

EXTRA = ["<tool0>", "<tool1>", "<pad-me>"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A valid folder whose tokenizer was saved again with three more markers, one of them for padding."""
    folder = sound(tmp_path / "m")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": EXTRA[:2], "pad_token": EXTRA[2]})
    tokenizer.save_pretrained(folder)
    assert len(tokenizer) == 358
    return folder


def text_of(folder: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.json"))


def test_the_import_reports_them_and_the_converter_takes_the_folder(folder: Path, tmp_path: Path) -> None:
    done = import_model(folder, tmp_path / "out", Silent())
    note = next(one for one in done.notes if "no row" in one)
    assert all(name in note for name in EXTRA) and "left out of the tokenizer" in note
    said = json.loads((tmp_path / "out/source.json").read_text(encoding="utf-8"))
    assert said["tokenizer"]["vocabulary_size"] == 355
    (tmp_path / "out/source.json").unlink()
    assert not any(name in text_of(tmp_path / "out") for name in EXTRA)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    assert len(tokenizer) == 355 and tokenizer.pad_token is None
    # A text that spells a marker out is cut into tokens that the model has.
    assert max(tokenizer("<tool0> a")["input_ids"]) < 355
    convert(tmp_path / "out", tmp_path / "m.gguf")
    assert read_header(tmp_path / "m.gguf").vocabulary_size == 355


def test_a_folder_without_such_tokens_keeps_its_bytes(tmp_path: Path) -> None:
    folder = sound(tmp_path / "m")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    trimming.trim(folder, {"<tool0>"})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("added_tokens.json", {"<s>": 1, "<x>": 400}, {"<s>": 1}),
        ("special_tokens_map.json", {"pad_token": {"content": "<x>"}, "bos_token": "<s>"}, {"bos_token": "<s>"}),
        (
            "tokenizer_config.json",
            {"added_tokens_decoder": {"400": {"content": "<x>"}, "1": {"content": "<s>"}}, "extra": ["<x>", "a"]},
            {"added_tokens_decoder": {"1": {"content": "<s>"}}, "extra": ["a"]},
        ),
        (
            "tokenizer.json",
            {"added_tokens": [{"content": "<x>"}], "model": {"type": "Unigram", "vocab": [["a", 0.0], ["<x>", 0.0]]}},
            {"added_tokens": [], "model": {"type": "Unigram", "vocab": [["a", 0.0]]}},
        ),
    ],
)  # fmt: skip
def test_every_file_that_names_a_token_is_changed(
    name: str, before: dict[str, Any], after: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / name).write_text(json.dumps(before), encoding="utf-8")
    trimming.trim(tmp_path, {"<x>"})
    assert json.loads((tmp_path / name).read_text(encoding="utf-8")) == after


def test_an_end_token_without_a_row_is_still_refused(folder: Path, tmp_path: Path) -> None:
    edit_json(folder, "tokenizer_config.json", eos_token="<tool0>")
    with pytest.raises(Exception, match=r"these have no row: <pad-me> \(355\), <tool0>"):
        import_model(folder, tmp_path / "out", Silent())
