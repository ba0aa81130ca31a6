"""The exported file against what the source itself says: what the import lost or rewrote is detected."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from tinygguf import make_tiny_gguf

from zoo.gguf.header import rewrite_header
from zoo.gguf.vocabfacts import vocabulary_facts
from zoo.judge.parity.check import known_differences
from zoo.judge.parity.seen import Cut, Parameter, Seen
from zoo.judge.parity.source import source

FILE = Seen(
    side="the GGUF file",
    cut=Cut([], [], []),
    texts=[],
    logits=[],
    renderings=[],
    parameters={"context_length": Parameter("c", 2048), "vocab_size": Parameter("v", 100)},
    ends=frozenset({2, 7}),
    name_of=lambda token: f"<{token}>",
)
FACTS = {"tokens_sha256": "a" * 64, "token_types": [[3, 3], [1, 97]], "pre_tokenizer": "llama-bpe"}
RECORD: dict[str, Any] = {
    "end_tokens": [
        {"id": 2, "file": "generation_config.json"},
        {"id": 7, "file": "generation_config.json"},
        {"id": 9, "file": "config.json"},
    ],
    "context_tokens": 2048,
    "embedding_rows": 100,
    "tokenizer": {"vocabulary_size": 96, **FACTS, "pre_tokenizer": "llama3"},
}


def changed(**changes: Any) -> dict[str, Any]:
    words = {key: changes.pop(key) for key in list(changes) if key in RECORD["tokenizer"]}
    return {**RECORD, **changes, "tokenizer": {**RECORD["tokenizer"], **words}}


def test_a_file_that_keeps_all_passes_with_what_was_compared() -> None:
    found = source(RECORD, FILE, FACTS)
    assert found.passed and found.detail.endswith(
        "end tokens, context, vocabulary size, list of tokens, types of tokens, pre-tokenizer."
    )
    assert source(None, FILE, FACTS).passed
    assert source(changed(vocabulary_size=100), dataclasses.replace(FILE, parameters={}), FACTS).passed


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"end_tokens": [{"id": 8, "file": "generation_config.json"}]},
         "generation_config.json of the source ends an answer after 8 '<8>'; the GGUF file goes on."),
        ({"end_tokens": [{"id": 8, "file": "config.json"}]}, "config.json of the source ends"),
        ({"end_tokens": [{"id": 8, "file": "tokenizer.ggml.eot_token_id"}]}, "eot_token_id of the source ends"),
        ({"context_tokens": 4096}, "The source has a context of 4096 tokens, the file of 2048."),
        ({"vocabulary_size": 101}, "The source has 101 tokens, the file has 100."),
        ({"vocabulary_size": 90, "embedding_rows": 96}, "90 tokens and 96 rows for them, the file has 100."),
        ({"tokens_sha256": "b" * 64}, "The list of tokens is not the source's"),
        ({"token_types": [[3, 2], [6, 1], [1, 97]]}, "Token 2 '<2>' has the type 6 in the source and 3 in the file."),
        ({"pre_tokenizer": "gpt-2"}, "by the rule 'gpt-2' (tokenizer.ggml.pre), the file by 'llama-bpe'"),
    ],
)  # fmt: skip
def test_what_is_lost_is_named(changes: dict[str, Any], words: str) -> None:
    found = source(changed(**changes), FILE, FACTS)
    assert not found.passed and words in found.detail


def test_equal_rules_of_other_names_are_equal() -> None:
    """By the table of rules that the import of GGUF files goes by: pattern, and whether whole pieces come first."""
    from zoo.training.pretokenizers import RULES, WHOLE_FIRST

    for one in RULES:
        for other in RULES:
            equal = RULES[one] is RULES[other] and (one in WHOLE_FIRST) == (other in WHOLE_FIRST)
            facts = {**FACTS, "pre_tokenizer": other}
            assert source(changed(pre_tokenizer=one), FILE, facts).passed == equal, (one, other)


def test_two_tokenizers_that_contradict_each_other_are_on_the_card() -> None:
    found = source({**RECORD, "pieces_contradicted": True}, FILE, FACTS)
    assert found.passed and found.outcome(False) == "reported" and "follow tokenizer.json" in found.note
    assert known_differences([{"outcome": "reported", "note": found.note}]) == (found.note,)
    assert source(RECORD, FILE, FACTS).note == ""


def test_kinds_of_plain_text_count_as_one() -> None:
    assert source(changed(token_types=[[3, 3], [5, 90], [2, 7]]), FILE, FACTS).passed


def test_the_import_of_a_gguf_file_records_its_vocabulary(tmp_path: Path) -> None:
    """A real import and a real file: a rewritten pre-tokenizer and a lost type are detected, equal ones pass."""
    pytest.importorskip("torch")
    from zoo.progress import Silent
    from zoo.training.importing import import_model

    file = make_tiny_gguf(tmp_path / "model.gguf")
    import_model(file, tmp_path / "model", Silent())
    record = json.loads((tmp_path / "model" / "source.json").read_text(encoding="utf-8"))
    facts = vocabulary_facts(file)
    assert facts["pre_tokenizer"] == "smollm" and facts["token_types"][0][0] == 3
    seen = dataclasses.replace(FILE, parameters={}, ends=frozenset(end["id"] for end in record["end_tokens"]))
    assert source(record, seen, facts).detail.endswith("list of tokens, types of tokens, pre-tokenizer.")
    rewrite_header(file, tmp_path / "other.gguf", {"tokenizer.ggml.pre": "default"})
    found = source(record, seen, vocabulary_facts(tmp_path / "other.gguf"))
    assert not found.passed and "'smollm' (tokenizer.ggml.pre), the file by 'default'" in found.detail
