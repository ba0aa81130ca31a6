"""Real vocabularies: llama.cpp's test vectors match our door and an exported file."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import families
import llamasource
import pytest
from families import vocabulary as builder

pytest.importorskip("llama_cpp")
pytest.importorskip("transformers")

from tokenizers import Tokenizer, models

from zoo.errors import ModelFileError
from zoo.gguf import sentencepieces
from zoo.llama.convert.convert import convert
from zoo.training import pretokenizers
from zoo.training.models import LOCAL, load_tokenizer, quiet

WITH_VECTORS = [name for name in llamasource.vocabularies() if list(llamasource.vectors(name))]
BUILT = {
    one.vocabulary.source: one for one in families.FAMILIES if one.real_vocabulary and not one.vocabulary.more
}  # fmt: skip


def test_most_vocabularies_have_vectors() -> None:
    assert len(WITH_VECTORS) >= 14
    assert sum(len(list(llamasource.vectors(name))) for name in WITH_VECTORS) >= 600


@pytest.mark.parametrize("name", WITH_VECTORS)
def test_our_door_to_llama_gives_the_stated_ids(name: str) -> None:
    with llamasource.opened(llamasource.vocabulary(name)) as model:
        for text, ids in llamasource.vectors(name):
            assert model.tokenize(text, add_special=False, parse_special=False) == ids, text


@pytest.mark.parametrize("name", [name for name in BUILT if name in WITH_VECTORS])
def test_the_tokenizer_of_the_tests_own_models_gives_the_stated_ids(name: str, tmp_path: Path) -> None:
    """So the tiny models of the families have the tokenizer of their family, except the normalizer."""
    plain = dataclasses.replace(BUILT[name].vocabulary, normalizer=None, rename={}, files=("tokenizer.json",))
    builder.write(tmp_path, plain, {"bos_token": "<s>"})
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for text, ids in llamasource.vectors(name):
        # The vectors do not look for markers in the text, and none of the texts holds one.
        assert tokenizer.encode(text, add_special_tokens=False).ids == ids, text


@pytest.mark.parametrize("name", ["Llama 2", pytest.param("Phi-3", marks=pytest.mark.long), "Gemma 3"])
def test_a_sentencepiece_vocabulary_survives_without_its_model_file(name: str, tmp_path: Path) -> None:
    """Folders that transformers 5 saved have tokenizer.json alone: bytes stay bytes, and merges keep their order."""
    row = families.family(name)
    small = row.vocabulary if name == "Phi-3" else families.LLAMA2
    alone = dataclasses.replace(small, files=("tokenizer.json",), dummy_prefix=name != "Gemma 3")
    texts = {"begin": "<s>", "end": row.end if name == "Phi-3" else "</s>", "pad": None, "template": None}
    ends = row.ends if name == "Phi-3" else ()
    made = dataclasses.replace(row, vocabulary=alone, ends=ends, **texts)
    folder = families.make(made, tmp_path / "model")
    assert not (folder / "tokenizer.model").exists()
    convert(folder, tmp_path / "m.gguf")
    raw = builder.read(tmp_path / "m.gguf")
    assert raw.keys["model"] == "llama" and raw.types.count(sentencepieces.BYTE) == 256
    assert (
        raw.types[0] in (sentencepieces.UNKNOWN, sentencepieces.CONTROL)
        and raw.types[1] == sentencepieces.CONTROL
    )
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    with llamasource.opened(tmp_path / "m.gguf") as model:
        for text, ids in llamasource.vectors(str(small.source)):
            found = model.tokenize(text, add_special=False, parse_special=False)
            assert found == tokenizer.encode(text, add_special_tokens=False).ids, text
            assert found == ids or name == "Gemma 3", text
            # With a dummy prefix llama.cpp puts a space before the text that it gives back.
            assert model.detokenize(found).decode().removeprefix(" ") == text.removeprefix(" ")


def test_pieces_of_a_file_and_of_a_tokenizer_say_the_same(tmp_path: Path) -> None:
    import sentencepiece

    size = builder.write(tmp_path, families.LLAMA2, {"bos_token": "<s>"})
    found = sentencepieces.of_tokenizer(json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8")))
    assert found is not None and len(found.texts) == size and found.dummy_prefix
    raw = builder.read("llama-spm")
    assert list(found.texts) == list(raw.tokens) and list(found.types) == list(raw.types)
    normal = [n for n, kind in enumerate(raw.types) if kind == sentencepieces.NORMAL]
    joined = sorted((n for n in normal if len(raw.tokens[n]) > 1), key=lambda n: -raw.scores[n])
    for one, other in itertools.pairwise(joined):
        assert found.scores[one] > found.scores[other] or raw.scores[one] == raw.scores[other]
    (tmp_path / "made.model").write_bytes(found.model())
    reader = sentencepiece.SentencePieceProcessor(str(tmp_path / "made.model"))
    for text, ids in llamasource.vectors("llama-spm"):
        if text.strip():
            assert reader.encode(text) == ids, text


def test_other_tokenizers_have_no_pieces(tmp_path: Path) -> None:
    builder.write(tmp_path, families.family("GPT-2").vocabulary, {"bos_token": "<|endoftext|>"})
    tokenizer = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    assert sentencepieces.of_tokenizer(tokenizer) is None
    assert sentencepieces.of_tokenizer({}) is None
    gaps = {
        "type": "BPE",
        "byte_fallback": True,
        "unk_token": "a",
        "merges": ["a b"],
        "vocab": {"a": 0, "b": 2},
    }
    assert sentencepieces.of_tokenizer({"model": gaps}) is None


GGUF_KINDS = {"gpt-2": 0, "llama-spm": 0, "phi-3": 0, "falcon": 1, "llama-bpe": 1, "qwen2": 1, "aquila": 1}
"""Vocabularies that transformers reads from a GGUF file; 1: large ones, which it reads for a minute."""
REFUSED = {"deepseek-coder": "deepseek-coder"}


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[pytest.mark.families] if slow else []) for name, slow in GGUF_KINDS.items()
])  # fmt: skip
def test_the_import_of_a_gguf_file_gives_the_stated_ids(name: str) -> None:
    tokenizer = gguf_tokenizer(name)
    for text, ids in llamasource.vectors(name):
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == ids, text


@pytest.mark.families
@pytest.mark.parametrize("name", REFUSED)
def test_a_rule_that_is_not_known_is_refused_by_name(name: str) -> None:
    with pytest.raises(ModelFileError, match=f"by the rule '{REFUSED[name]}'"):
        gguf_tokenizer(name)


def gguf_tokenizer(name: str) -> Any:
    """As the import reads it, from a file without weights."""
    import transformers

    path = llamasource.vocabulary(name)
    with quiet():
        tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name, **LOCAL)
    keys = {f"tokenizer.ggml.{key}": value for key, value in builder.read(name).keys.items()}
    pretokenizers.fit(tokenizer, keys, name)
    return tokenizer


def test_a_rule_nobody_knows_is_refused_and_other_kinds_are_left_alone() -> None:
    class Plain:
        backend_tokenizer = Tokenizer(models.BPE())

    with pytest.raises(ModelFileError, match="'new-rule'"):
        pretokenizers.fit(Plain(), {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "new-rule"}, "m.gguf")
    pretokenizers.fit(Plain(), {"tokenizer.ggml.model": "gpt2"}, "m.gguf")
    pretokenizers.fit(Plain(), {"tokenizer.ggml.model": "bert", "tokenizer.ggml.pre": "new-rule"}, "m.gguf")


def test_a_tokenizer_cuts_as_its_file_says(tmp_path: Path) -> None:
    """The class that transformers 5 takes for Llama puts no space before a text that begins with one."""
    folder = families.make("TinyLlama", tmp_path / "model")
    tokenizer = load_tokenizer(folder)
    for text, ids in llamasource.vectors("llama-spm"):
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == ids, text
    assert tokenizer("a")["input_ids"][0] == 1
    (folder / "tokenizer.json").unlink()
    assert load_tokenizer(folder)("   three", add_special_tokens=False)["input_ids"] == [259, 2211]
