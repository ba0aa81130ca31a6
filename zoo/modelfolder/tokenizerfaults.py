"""Contradictions in a tokenizer.json: numbers of two tokens, merges of tokens that do not exist, no way back from
tokens to text. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from catalog.jsonvalues import table
from zoo.errors import ModelFileError
from zoo.modelfolder.vocabulary import Vocabulary
from zoo.modelfolder.weights import named

TOKENIZER_JSON = "tokenizer.json"
BYTE_LEVEL = '"ByteLevel"'
REMEDY = "Fetch the file again and compare its sha256 with the publisher's. If you edited it, correct these entries"


def refuse(tokenizer: Mapping[str, object] | None, words: Vocabulary) -> None:
    """Raise ModelFileError for a tokenizer that is not one rule: a GGUF file has one text for each number, so other
    programs would cut text differently. tokenizer: content of tokenizer.json. words: its tokens."""
    if tokenizer is None:
        return
    if twice := list(_twice(words)):
        raise ModelFileError(
            f"Different tokens have the same number: {named(twice)}", where=TOKENIZER_JSON, remedy=REMEDY
        )
    model = table(tokenizer.get("model"))
    if model.get("type") == "BPE" and (lost := _lost(model, words.words)):
        raise ModelFileError(
            f"model.merges uses tokens that model.vocab does not have: {named(lost)}",
            where=TOKENIZER_JSON,
            remedy=REMEDY,
        )
    if model.get("type") == "BPE" and not tokenizer.get("decoder"):
        raise ModelFileError(
            "The tokenizer has no decoder, so its tokens become text with a space between all of them",
            where=TOKENIZER_JSON,
            remedy=f"Write the decoder that belongs to its pre-tokenizer: {_decoder(tokenizer)}",
        )


def _decoder(tokenizer: Mapping[str, object]) -> str:
    """What to write for a decoder."""
    if BYTE_LEVEL in json.dumps(tokenizer.get("pre_tokenizer")):
        return (
            '"decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}'
        )
    return "such as ByteLevel, or Replace, ByteFallback and Fuse for pieces of SentencePiece"


def _twice(words: Vocabulary) -> Iterator[str]:
    """``"a" and "b" (400)`` for each number of two texts. One text may be listed as a word and as an added token."""
    first: dict[int, str] = {}
    for listed in (words.words, words.added):
        for text, number in listed.items():
            other = first.setdefault(number, text)
            if other != text:
                yield f"{other!r} and {text!r} ({number})"


def _lost(model: Mapping[str, object], words: Mapping[str, int]) -> list[str]:
    """What merges name or make that is not a token, each text once. A prefix of later parts is left out when two parts
    are joined."""
    merges, prefix = model.get("merges"), model.get("continuing_subword_prefix") or ""
    if not isinstance(merges, list) or not isinstance(prefix, str):
        return []
    lost: dict[str, None] = {}
    for merge in merges:
        parts = merge.split(" ") if isinstance(merge, str) else merge
        if not (isinstance(parts, list) and len(parts) == 2 and all(isinstance(part, str) for part in parts)):
            # The tokenizer's own reader names the line.
            return []
        left, right = parts
        for part in (left, right, left + right.removeprefix(prefix)):
            if part not in words:
                lost[repr(part)] = None
    return list(lost)
