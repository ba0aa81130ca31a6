"""Llama-style folders as transformers 5 saves them: only tokenizer.json, with less information than older files."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import families
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("llama_cpp")

from zoo.gguf import sentencepieces
from zoo.gguf.header import read_header
from zoo.gguf.vocabfacts import vocabulary_facts
from zoo.judge.parity.seen import Cut, Seen, Spaced
from zoo.judge.parity.tokens import tokenizer
from zoo.llama.convert import staging
from zoo.llama.convert.convert import convert
from zoo.llama.measure import parity as file_side
from zoo.progress import Silent
from zoo.training.importing import import_model
from zoo.training.models import LOCAL, quiet
from zoo.training.parity import look

BOS = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}]}
NONE = {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A"}}]}
ADDED = {"id": 7, "content": "<turn>", "special": True, "rstrip": False}


@pytest.mark.parametrize(
    ("config", "step", "bos"),
    [
        ({}, NONE, False),
        ({}, None, False),
        ({}, BOS, None),
        ({}, {"type": "Sequence", "processors": [{"type": "ByteLevel"}, BOS]}, None),
        ({}, {"type": "BertProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1]}, None),
        ({"add_bos_token": True}, NONE, True),
    ],
)
def test_a_begin_token_is_stated_where_only_tokenizer_json_says_it(
    config: dict[str, Any], step: dict[str, Any] | None, bos: bool | None
) -> None:
    assert staging.completed(config, {"post_processor": step}).get("add_bos_token") is bos


def test_added_tokens_are_taken_over_unless_they_are_stated() -> None:
    found = staging.completed({}, {"added_tokens": [ADDED]})
    assert found["added_tokens_decoder"] == {"7": {"content": "<turn>", "special": True, "rstrip": False}}
    own = {"added_tokens_decoder": {"1": {"content": "<s>"}}}
    assert staging.completed(own, {"added_tokens": [ADDED]})["added_tokens_decoder"] == own["added_tokens_decoder"]


BYTES, FALLBACK = {"model": {"type": "BPE"}}, {"model": {"type": "BPE", "byte_fallback": True}}


@pytest.mark.parametrize(
    ("given", "tokenizer", "has_pieces", "expected"),
    [
        ("TokenizersBackend", BYTES, False, "GPT2Tokenizer"),
        (None, BYTES, False, "GPT2Tokenizer"),
        (None, FALLBACK, True, "LlamaTokenizer"),
        (None, FALLBACK, False, "LlamaTokenizer"),
        ("LlamaTokenizerFast", FALLBACK, True, "LlamaTokenizerFast"),
        ("GPT2Tokenizer", BYTES, True, "GPT2Tokenizer"),
        ("LlamaTokenizer", BYTES, True, "LlamaTokenizer"),
    ],
)
def test_a_phi3_gets_the_class_by_which_the_converter_chooses(
    given: str | None, tokenizer: dict[str, Any], has_pieces: bool, expected: str
) -> None:
    config = {"tokenizer_class": given} if given else {}
    found = staging.classed(config, tokenizer, "phi3", has_pieces=has_pieces)
    assert found["tokenizer_class"] == expected
    assert staging.classed(config, tokenizer, "llama", has_pieces=has_pieces) == config


@pytest.fixture(
    scope="module",
    params=[pytest.param(True, id="begin"), pytest.param(False, id="no begin", marks=pytest.mark.long)],
)
def resaved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama whose tokenizer was loaded and saved by transformers 5, with or without a begin token."""
    import transformers

    base = tmp_path_factory.mktemp("resaved")
    row = families.family("TinyLlama")
    alone = dataclasses.replace(row.vocabulary, files=("tokenizer.json",))
    folder = families.make(dataclasses.replace(row, vocabulary=alone), base / "model")
    with quiet():
        made = transformers.AutoTokenizer.from_pretrained(folder, add_bos_token=request.param, **LOCAL)
        for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
            (folder / name).unlink(missing_ok=True)
        made.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    for name in ("add_bos_token", "added_tokens_decoder"):
        told.pop(name, None)
    path.write_text(json.dumps(told), encoding="utf-8")
    words = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    assert words["pre_tokenizer"]["type"] == "Metaspace" and words["model"]["unk_token"] is None
    return folder


def test_a_resaved_folder_gives_the_same_model(resaved: Path, tmp_path: Path) -> None:
    convert(resaved, tmp_path / "m.gguf")
    assert read_header(tmp_path / "m.gguf").metadata["tokenizer.ggml.model"] == "llama"
    types = vocabulary_facts(tmp_path / "m.gguf")["token_types"]
    assert types[0] == [3, 3] or types[:2] == [[2, 1], [3, 2]]
    folder = look(resaved, "f16", threads=1)
    found = tokenizer(folder, file_side.look(tmp_path / "m.gguf", folder.texts, threads=1).seen)
    assert found.passed and found.note.startswith("llama.cpp puts a space before"), found.detail
    # Without the explanation the difference is a fault, and so is any additional one.
    file = file_side.look(tmp_path / "m.gguf", folder.texts, threads=1).seen
    assert not tokenizer(dataclasses.replace(folder, spaced=None), file).passed
    more = tokenizer(folder, _with(file, 0))
    assert not more.passed and more.detail.startswith("With a space before every text, as in the file: String 1 ")
    assert folder.spaced is not None
    other = dataclasses.replace(folder.spaced, cut=_with(file, 0).cut)
    assert not tokenizer(dataclasses.replace(folder, spaced=other), _with(file, 0)).passed
    unmarked = Spaced(folder.spaced.cut, folder.spaced.normalizer, ())
    assert not tokenizer(dataclasses.replace(folder, spaced=unmarked), file).passed


def _with(file: Seen, number: int) -> Seen:
    """The same with one more token in a string."""
    tokens = [[*ids, 5] if n == number else ids for n, ids in enumerate(file.cut.tokens)]
    return dataclasses.replace(file, cut=Cut(tokens, file.cut.whole, file.cut.decoded))


def test_pieces_without_a_stated_unknown_token(resaved: Path) -> None:
    words = json.loads((resaved / "tokenizer.json").read_text(encoding="utf-8"))
    pieces = sentencepieces.of_tokenizer(words)
    assert pieces is not None and pieces.dummy_prefix
    assert pieces.texts[list(pieces.types).index(sentencepieces.UNKNOWN)] == "<unk>"
    renamed = json.loads(json.dumps(words).replace("<unk>", "<none>"))
    assert sentencepieces.of_tokenizer(renamed) is None
    assert sentencepieces.of_tokenizer(renamed, "<none>") is not None


def test_merges_in_another_order_than_the_scores_are_a_contradiction(tmp_path: Path) -> None:
    """As transformers 5 makes them from tokenizer.model: by id, although runs of spaces come last by score."""
    texts = ["<unk>", *(f"<0x{n:02X}>" for n in range(256)), "a", "b", "\u2581", "\u2581\u2581", "ab", "\u2581a"]
    merges = [["\u2581", "\u2581"], ["a", "b"], ["\u2581", "a"]]
    vocab = {text: number for number, text in enumerate(texts)}
    by_id = {"model": {"type": "BPE", "byte_fallback": True, "vocab": vocab, "merges": merges}}
    by_score = {"model": {**by_id["model"], "merges": [*merges[1:], merges[0]]}}
    for one, other in ((by_id, by_score), (by_score, by_id)):
        pieces = sentencepieces.of_tokenizer(one)
        assert pieces is not None
        (tmp_path / "tokenizer.model").write_bytes(pieces.model())
        assert not sentencepieces.contradicts(tmp_path / "tokenizer.model", one)
        assert sentencepieces.contradicts(tmp_path / "tokenizer.model", other)
        assert sentencepieces.disagree(tmp_path / "tokenizer.model", other)
        assert not sentencepieces.disagree(tmp_path / "tokenizer.model", one)
        assert not sentencepieces.disagree(None, one)
    (tmp_path / "tokenizer.model").write_bytes(b"nothing")
    assert sentencepieces.contradicts(tmp_path / "tokenizer.model", by_id)


def test_a_merge_that_makes_an_added_token_contradicts_nothing(tmp_path: Path) -> None:
    """Gemma's runs of line breaks: found before any merge, and at the very end by score."""
    texts = ["<unk>", *(f"<0x{n:02X}>" for n in range(256)), "a", "b", "\n", "\n\n", "ab"]
    vocab = {text: number for number, text in enumerate(texts)}
    model = {"type": "BPE", "byte_fallback": True, "vocab": vocab, "merges": [["\n", "\n"], ["a", "b"]]}
    added = [{"id": vocab["\n\n"], "content": "\n\n", "special": False}]
    pieces = sentencepieces.of_tokenizer({"model": model})
    assert pieces is not None
    runs = [text == "\n\n" for text in pieces.texts]
    late = [-1000.0 if run else score for run, score in zip(runs, pieces.scores, strict=True)]
    kinds = [sentencepieces.USER_DEFINED if run else kind for run, kind in zip(runs, pieces.types, strict=True)]
    given = tmp_path / "tokenizer.model"
    given.write_bytes(dataclasses.replace(pieces, scores=late, types=kinds).model())
    assert not sentencepieces.contradicts(given, {"model": model, "added_tokens": added})
    assert sentencepieces.contradicts(given, {"model": model, "added_tokens": []})


def test_the_import_reports_which_of_two_tokenizers_counts(resaved: Path, tmp_path: Path) -> None:
    words = json.loads((resaved / "tokenizer.json").read_text(encoding="utf-8"))
    other = {**words, "model": {**words["model"], "merges": words["model"]["merges"][::-1]}}
    for name, tokenizer_json, reported in (("same", words, False), ("other", other, True)):
        folder = Path(shutil.copytree(resaved, tmp_path / name))
        pieces = sentencepieces.of_tokenizer(tokenizer_json)
        assert pieces is not None
        (folder / "tokenizer.model").write_bytes(pieces.model())
        done = import_model(folder, tmp_path / f"{name}-out", Silent())
        said = json.loads((tmp_path / f"{name}-out/source.json").read_text(encoding="utf-8"))
        assert said.get("pieces_contradicted", False) == reported
        assert any("tokenizer.json counts" in note for note in done.notes) == reported
