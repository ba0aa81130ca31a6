"""Steps of a tokenizer that llama.cpp lacks are known from tokenizer.json alone."""

from __future__ import annotations

from typing import Any

import pytest

from zoo.modelfolder.normalizers import changing

LLAMA = [{"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]


def sequence(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", "normalizers": list(steps)}


def replace(pattern: str, content: str, kind: str = "String") -> dict[str, Any]:
    return {"type": "Replace", "pattern": {kind: pattern}, "content": content}


@pytest.mark.parametrize(
    ("normalizer", "kinds"),
    [
        ({"type": "Lowercase"}, ["Lowercase"]),
        (sequence(*LLAMA, sequence({"type": "NFD"}, {"type": "StripAccents"})), ["NFD", "StripAccents"]),
        ({"type": "Strip", "strip_left": False, "strip_right": True}, ["Strip"]),
        ({"type": "BertNormalizer", "clean_text": False, "lowercase": True}, ["BertNormalizer"]),
        ({"type": "Precompiled", "precompiled_charsmap": ""}, ["Precompiled"]),
        (replace("`", "'"), ["Replace of '`'"]),
        (replace(" {2,}", " ", "Regex"), ["Replace of ' {2,}'"]),
        ({"type": "Prepend", "prepend": "x"}, ["Prepend of 'x'"]),
    ],
)
def test_a_step_that_changes_text_is_named(normalizer: dict[str, Any], kinds: list[str]) -> None:
    assert list(changing({"normalizer": normalizer})) == kinds


def test_hostile_steps_take_no_time_and_no_memory() -> None:
    slow = replace("(a+)+$", "b", "Regex")
    larger = replace("a", "a" * 10_000)
    many = [replace("a", "aa") for _ in range(100)]
    large = [replace("a{1,99999999999}", "b", "Regex"), replace("a{999,999}{999}", "b", "Regex")]
    kinds = list(changing({"normalizer": sequence(slow, larger, *large, *many)}))
    assert kinds and set(kinds) == {"Replace of 'a'"}
    assert len(next(changing({"normalizer": {"type": "Prepend", "prepend": "x" * 10_000}}))) < 100


@pytest.mark.parametrize(
    "normalizer",
    [
        None, {}, {"type": "NFC"}, sequence(), sequence(*LLAMA), LLAMA[1],
        {"type": "Strip", "strip_left": False, "strip_right": False},
        {"type": "BertNormalizer", "clean_text": False, "handle_chinese_chars": False, "strip_accents": None,
         "lowercase": False},
        replace("no text of the parity check has this", "x"), replace("(?<name", "x", "Regex"),
        {"type": "Replace"}, {"type": "Replace", "pattern": 7, "content": None}, sequence(7), {"normalizers": [None]},  # type: ignore[arg-type]  # broken on purpose
        "Lowercase", ["Lowercase"], sequence(*LLAMA, replace(" {2,}", " ", "Regex")),
    ],
)  # fmt: skip
def test_others_are_not(normalizer: Any) -> None:
    assert list(changing({"normalizer": normalizer})) == []
    assert list(changing(None)) == []
