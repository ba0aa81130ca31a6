"""A folder with tokenizer.model alone is cut as sentencepiece cuts it, whatever class transformers reads it with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")
pytest.importorskip("sentencepiece")

from sentencepiece import SentencePieceProcessor

from zoo.gguf.sentencepieces import BYTE, CONTROL, NORMAL, UNKNOWN, Pieces
from zoo.training import models, tokenizerfile

SPACE = "\u2581"
LETTERS = "abdehlortwz"
JOINED = ["he", "ll", "hell", "hello", "wo", "rl", "worl", "world", f"{SPACE}hello", f"{SPACE}world", f"{SPACE}a"]
TEXTS = ["hello world", "hello", " hello", "a a", "helloworld", "a\nz", "hello  world", "é"]


def folder_of(folder: Path, kind: str, class_: str | None) -> Path:
    """The small files of a model folder of this kind."""
    folder.mkdir()
    special = ["<unk>", "<s>", "</s>"]
    plain = [SPACE, *LETTERS, *JOINED]
    texts = [*special, *(f"<0x{n:02X}>" for n in range(256)), *plain]
    types = [UNKNOWN, CONTROL, CONTROL, *([BYTE] * 256), *([NORMAL] * len(plain))]
    scores = [0.0] * 259 + [float(-number) for number in range(len(plain))]
    (folder / "tokenizer.model").write_bytes(Pieces(texts, scores, types, dummy_prefix=True).model())
    config = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "legacy": True}
    for name, data in (
        ("config.json", {"model_type": kind, "vocab_size": len(texts)}),
        ("tokenizer_config.json", {**config, **({"tokenizer_class": class_} if class_ else {})}),
    ):
        (folder / name).write_text(json.dumps(data), encoding="utf-8")
    return folder


def ids(tokenizer: Any, text: str) -> list[int]:
    found: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return found


@pytest.mark.parametrize("kind", ["mistral", "llama", "mixtral"])
@pytest.mark.parametrize("class_", ["LlamaTokenizer", "LlamaTokenizerFast", None])
def test_spaces_are_pieces(kind: str, class_: str | None, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "m", kind, class_)
    reader = SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    tokenizer = models.load_tokenizer(folder)
    assert not tokenizerfile.lost_spaces(tokenizer, folder)
    expected = {text: reader.encode(text) for text in TEXTS}
    assert {text: ids(tokenizer, text) for text in expected} == expected
    # What the import writes is read the same way.
    out = tmp_path / "out"
    out.mkdir()
    (out / "config.json").write_text((folder / "config.json").read_text(encoding="utf-8"), encoding="utf-8")
    with models.quiet():
        tokenizer.save_pretrained(out)
    again = models.load_tokenizer(out)
    assert {text: ids(again, text) for text in expected} == expected


@pytest.mark.parametrize(("legacy", "after"), [(True, True), (False, False)])
def test_a_space_after_a_marker_is_put_as_the_folder_asks(legacy: bool, after: bool, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "m", "llama", "LlamaTokenizer")
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "legacy": legacy}), encoding="utf-8")
    tokenizer = models.load_tokenizer(folder)
    assert tokenizer.tokenize("hello</s>hello") == [f"{SPACE}hello", "</s>", f"{SPACE}hello" if after else "hello"]
