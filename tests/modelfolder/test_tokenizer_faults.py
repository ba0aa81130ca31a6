"""A tokenizer.json that contradicts itself is refused by its file alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from foldersamples import refusal
from tinymodel import make_tiny_llama

from zoo.modelfolder import tokenizerfaults, vocabulary
from zoo.modelfolder.inspection import inspect, inspect_small

Tokenizer = dict[str, Any]


def changed(folder: Path, change: Callable[[Tokenizer], object]) -> Path:
    path = folder / "tokenizer.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    return folder


def same_word(data: Tokenizer) -> None:
    data["model"]["vocab"]["a"] = data["model"]["vocab"]["b"]


def same_marker(data: Tokenizer) -> None:
    data["added_tokens"].append({**data["added_tokens"][0], "content": "<|more|>", "id": data["model"]["vocab"]["b"]})


def two_markers(data: Tokenizer) -> None:
    data["added_tokens"].append({**data["added_tokens"][1], "content": "<|more|>"})


def lost_part(data: Tokenizer) -> None:
    data["model"]["merges"] = ["a b"]


def lost_result(data: Tokenizer) -> None:
    data["model"]["merges"] = [["a", "zz"]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (same_word, "Different tokens have the same number: "),
        (same_marker, "'b' and '<|more|>' ("),
        (two_markers, "Different tokens have the same number: "),
        (lost_part, "model.merges uses tokens that model.vocab does not have: 'ab'"),
        (lost_result, "model.merges uses tokens that model.vocab does not have: 'zz', 'azz'"),
    ],
)
def test_a_contradiction_is_named_with_its_file(
    change: Callable[[Tokenizer], object], words: str, folder: Path
) -> None:
    found = refusal(changed(folder, change))
    assert words in found.what and found.where == "m/tokenizer.json" and "Fetch the file again" in found.remedy
    (folder / "model.safetensors").unlink()
    with pytest.raises(type(found), match="tokenizer"):
        inspect_small(folder, "m")


@pytest.mark.parametrize(
    ("cutter", "words"),
    [
        ({"type": "ByteLevel"}, 'the decoder that belongs to its pre-tokenizer: "decoder": {"type": "ByteLevel",'),
        ({"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}]}, '"decoder": {"type": "ByteLevel",'),
        (None, "such as ByteLevel, or Replace, ByteFallback and Fuse"),
    ],
)
def test_a_tokenizer_without_a_decoder_is_refused_by_its_file(
    cutter: Tokenizer | None, words: str, folder: Path
) -> None:
    found = refusal(changed(folder, lambda data: data.update(decoder=None, pre_tokenizer=cutter)))
    assert found.what.startswith("The tokenizer has no decoder") and found.where == "m/tokenizer.json"
    assert words in found.remedy


def test_the_decoder_of_the_remedy_is_one(folder: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    cutter = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    said = refusal(changed(folder, lambda data: data.update(decoder=None, pre_tokenizer=cutter))).remedy
    entry = json.loads("{" + said.partition(": ")[2].rstrip(".") + "}")
    changed(folder, lambda data: data.update(entry))
    assert tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")).decoder is not None


def test_tokens_that_are_listed_twice_or_share_a_prefix_are_fine(tmp_path: Path) -> None:
    assert inspect(make_tiny_llama(tmp_path / "m")).vocabulary.added.items() <= {
        **inspect(tmp_path / "m").vocabulary.words
    }.items()
    tokenizer: Tokenizer = {
        "model": {
            "type": "BPE", "vocab": {"a": 0, "##b": 1, "ab": 2},
            "merges": [["a", "##b"]], "continuing_subword_prefix": "##",
        },
        "decoder": {"type": "WordPiece"},
        "added_tokens": [{"id": 0, "content": "a"}],
    }  # fmt: skip
    tokenizerfaults.refuse(tokenizer, vocabulary.read(tokenizer, None))
