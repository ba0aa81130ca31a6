"""How a tokenizer splits strings, with and without the steps that change letters first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from catalog.jsonvalues import tables
from zoo.judge.parity.seen import Cut, Normalizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer, normalizers
    from transformers import PreTrainedTokenizerBase

CHANGING = frozenset(
    (
        "NFC",
        "NFD",
        "NFKC",
        "NFKD",
        "Lowercase",
        "StripAccents",
        "Strip",
        "Nmt",
        "BertNormalizer",
        "Precompiled",
    )
)
"""Types of normalizers that llama.cpp lacks. It has those of Llama itself: Prepend, and Replace of the space."""


def cut(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> Cut:
    """The strings' ids without and with markers, and the bytes that the former decode to."""
    tokens = [ids_of(tokenizer, text, markers=False) for text in texts]
    whole = [ids_of(tokenizer, text, markers=True) for text in texts]
    return Cut(tokens, whole, [_decoded(tokenizer, ids) for ids in tokens])


def ids_of(tokenizer: PreTrainedTokenizerBase, text: str, *, markers: bool) -> list[int]:
    """Token ids; markers: with the begin and end tokens that the tokenizer adds."""
    return [int(token) for token in tokenizer(text, add_special_tokens=markers)["input_ids"]]


def normalizer_of(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> Normalizer | None:
    """The steps of the tokenizer's normalizer that change letters; None if it has none."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    steps = list(_steps(json.loads(backend.to_str()).get("normalizer")))
    changing = [step for step in steps if step["type"] in CHANGING]
    if not changing:
        return None
    step = _made(changing)
    with _normalizing(backend, [step for step in steps if step["type"] not in CHANGING]):
        without = cut(tokenizer, texts)
    kinds = tuple(dict.fromkeys(str(step["type"]) for step in changing))
    return Normalizer(kinds, tuple(step.normalize_str(text) for text in texts), without)


def _steps(normalizer: Mapping[str, object] | None) -> Iterator[Mapping[str, object]]:
    """The steps of nested sequences, in order."""
    if normalizer is None:
        return
    if normalizer["type"] == "Sequence":
        for step in tables(normalizer["normalizers"]):
            yield from _steps(step)
    else:
        yield normalizer


@contextmanager
def _normalizing(backend: Tokenizer, steps: Sequence[Mapping[str, object]]) -> Iterator[None]:
    before = backend.normalizer
    backend.normalizer = _made(steps)
    try:
        yield
    finally:
        backend.normalizer = before


def _made(steps: Sequence[Mapping[str, object]]) -> normalizers.Normalizer:
    """A normalizer of the ``tokenizers`` library from its own description, which only a complete tokenizer can read."""
    from tokenizers import Tokenizer

    model = {"type": "BPE", "vocab": {}, "merges": []}
    sequence = {"type": "Sequence", "normalizers": list(steps)}
    whole = {"version": "1.0", "added_tokens": [], "normalizer": sequence, "model": model}
    made: normalizers.Normalizer = Tokenizer.from_str(json.dumps(whole)).normalizer
    return made


def _decoded(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> bytes:
    text = tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return str(text).encode("utf-8", "surrogatepass")
