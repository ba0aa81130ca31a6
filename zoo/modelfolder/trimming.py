"""Removes tokens without a row in the embedding from a tokenizer's files.

This happens when someone adds markers to a tokenizer without resizing the model. No text may contain such a token,
since the model has no vector for it, and llama.cpp's converter refuses a vocabulary with more tokens than rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Mapping
from pathlib import Path

from catalog import jsontext
from catalog.jsonvalues import table, tables


def trim(folder: Path, lost: Container[str]) -> None:
    """Rewrite the tokenizer's JSON files of ``folder`` without the tokens ``lost`` (their texts).

    A role that one of them has (padding) is then not set. Files without such a token keep their bytes.
    """
    changes: dict[str, Callable[[Mapping[str, object], Container[str]], dict[str, object]]] = {
        "tokenizer.json": _tokenizer,
        "tokenizer_config.json": _configuration,
        "special_tokens_map.json": _configuration,
        "added_tokens.json": _numbers,
    }
    for name, change in changes.items():
        path = folder / name
        if not path.is_file():
            continue
        before = table(jsontext.read(path, bounded=False))
        after = change(before, lost)
        if after != before:
            path.write_text(json.dumps(after, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _tokenizer(data: Mapping[str, object], lost: Container[str]) -> dict[str, object]:
    added = [one for one in tables(data.get("added_tokens")) if one["content"] not in lost]
    model = dict(table(data["model"]))
    words = model.get("vocab")
    if isinstance(words, dict):
        model["vocab"] = _numbers(words, lost)
    elif isinstance(words, list):
        model["vocab"] = [one for one in words if one[0] not in lost]
    return {**data, "added_tokens": added, "model": model}


def _configuration(data: Mapping[str, object], lost: Container[str]) -> dict[str, object]:
    """Without the tokens as values, as members of a list, and as entries of added_tokens_decoder."""
    kept: dict[str, object] = {}
    for key, value in data.items():
        if _text(value) in lost:
            continue
        if isinstance(value, list):
            kept[key] = [one for one in value if _text(one) not in lost]
        elif isinstance(value, dict) and "content" not in value:
            kept[key] = {name: one for name, one in value.items() if _text(one) not in lost}
        else:
            kept[key] = value
    return kept


def _numbers(data: Mapping[str, object], lost: Container[str]) -> dict[str, object]:
    return {text: number for text, number in data.items() if text not in lost}


def _text(value: object) -> str | None:
    """The text of a token that is given as text or as an object; None for anything else."""
    text = value.get("content") if isinstance(value, dict) else value
    return text if isinstance(text, str) else None
