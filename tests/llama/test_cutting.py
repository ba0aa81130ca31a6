"""Byte-level tokenizers that somebody trained: llama.cpp's rule is identified by the steps, and parity verifies it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import families
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("llama_cpp")

import llamasource
from families.vocabulary import BYTE_LEVEL, SPLITS
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from zoo.errors import GateRefused
from zoo.gguf.header import read_header
from zoo.judge.parity.material import STRINGS, TEXTS
from zoo.llama.convert import cutting
from zoo.llama.convert.convert import convert

CUTS = {"gpt2": "gpt-2", "digits": "starcoder", "llama3": "dbrx", "qwen2": "qwen2", "falcon": "falcon"}
ODD = {"type": "Split", "pattern": {"Regex": "[aeiou]+"}, "behavior": "Isolated", "invert": False}


def tokenizer_json(pre: dict[str, Any], **model: Any) -> dict[str, Any]:
    return {"model": {"type": "BPE", **model}, "pre_tokenizer": pre}


@pytest.mark.parametrize("kind", CUTS)
def test_a_rule_has_llama_cpps_name(kind: str) -> None:
    assert cutting.rule_of(tokenizer_json(SPLITS[kind])) == CUTS[kind]
    whole = "llama-bpe" if kind == "llama3" else None
    assert cutting.rule_of(tokenizer_json(SPLITS[kind], ignore_merges=True)) == whole


@pytest.mark.parametrize(
    "pre",
    [
        ODD,
        {"type": "Sequence", "pretokenizers": [ODD, BYTE_LEVEL]},
        {**SPLITS["gpt2"], "add_prefix_space": True},
        {"type": "Whitespace"},
        {"type": "Sequence", "pretokenizers": []},
    ],
)
def test_other_rules_have_none(pre: dict[str, Any]) -> None:
    assert cutting.rule_of(tokenizer_json(pre)) is None
    assert cutting.described({"pre_tokenizer": pre})
    assert cutting.rule_of({"model": {"type": "Unigram"}, "pre_tokenizer": SPLITS["gpt2"]}) is None
    assert cutting.rule_of({}) is None and cutting.described({}) == "none"


def test_the_same_rule_in_another_form() -> None:
    split = {**SPLITS["qwen2"]["pretokenizers"][0], "behavior": "Removed", "invert": True}
    nested = {"type": "Sequence", "pretokenizers": [split, BYTE_LEVEL]}
    assert cutting.rule_of(tokenizer_json({"type": "Sequence", "pretokenizers": [nested]})) == "qwen2"


def trained(folder: Path, pre: dict[str, Any]) -> Path:
    """A tiny GPT-2 whose tokenizer was trained here, so that no list of published vocabularies has it."""
    made = families.make("GPT-2", folder)
    path = made / "tokenizer.json"
    made_words = Tokenizer(models.BPE())
    made_words.pre_tokenizer = Tokenizer.from_str(
        json.dumps({"version": "1.0", "added_tokens": [], "model": {"type": "BPE", "vocab": {}, "merges": []},
                    "pre_tokenizer": pre})
    ).pre_tokenizer  # fmt: skip
    made_words.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<|endoftext|>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    made_words.train_from_iterator(TEXTS, trainer)
    made_words.save(str(path))
    for name in ("vocab.json", "merges.txt"):
        (made / name).unlink(missing_ok=True)
    config = json.loads((made / "tokenizer_config.json").read_text(encoding="utf-8"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>",
              "chat_template": config.get("chat_template")}  # fmt: skip
    (made / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    end = made_words.token_to_id("<|endoftext|>")
    for path in (made / "config.json", made / "generation_config.json"):
        if path.is_file():
            numbers = json.loads(path.read_text(encoding="utf-8")) | {"bos_token_id": end, "eos_token_id": end}
            path.write_text(json.dumps(numbers), encoding="utf-8")
    return made


@pytest.mark.parametrize("kind", ["gpt2", "llama3", "digits"])
def test_a_trained_vocabulary_is_exported_by_its_rule(kind: str, tmp_path: Path) -> None:
    folder = trained(tmp_path / "model", SPLITS[kind])
    convert(folder, tmp_path / "m.gguf")
    assert read_header(tmp_path / "m.gguf").metadata["tokenizer.ggml.pre"] == CUTS[kind]
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    with llamasource.opened(tmp_path / "m.gguf") as model:
        for text in STRINGS:
            found = model.tokenize(text, add_special=True, parse_special=True)
            assert found == tokenizer.encode(text).ids, text


def test_an_unknown_rule_is_refused_with_its_steps(tmp_path: Path) -> None:
    folder = trained(tmp_path / "model", {"type": "Sequence", "pretokenizers": [ODD, SPLITS["gpt2"]]})
    with pytest.raises(GateRefused, match=r"Split \[aeiou\]\+, then ByteLevel by words"):
        convert(folder, tmp_path / "m.gguf")
    assert not (tmp_path / "m.gguf").exists()
