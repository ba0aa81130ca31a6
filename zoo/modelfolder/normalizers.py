"""Steps of a tokenizer.json that change text before it is cut, and that llama.cpp does not have. Pure.

llama.cpp (0.3.36 of llama-cpp-python) has those of the first Llama: a space before the text, and U+2581 for each space.
NFC is left out: it changes no text that keyboards write, so the parity check reports it and passes.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

from zoo.judge.parity.material import STRINGS

SPACE = "\u2581"
CHANGING = frozenset(("Lowercase", "NFD", "NFKC", "NFKD", "Nmt", "Precompiled", "StripAccents"))
"""Types that always change some of the texts that the parity check compares."""
SIMPLE = re.compile(r"[^()|*+?{}\\]{1,64}(?:[*+?]|\{\d{0,3},?\d{0,3}\})?")
"""Patterns that are tried here: others could take forever on the texts. They are left to the parity check."""
MOST_STEPS, MOST_CHARACTERS = 64, 1_000
"""Steps that are looked at, and the longest replacement that is tried: each step may make a text as much longer."""
FLAGS: Mapping[str, tuple[str, ...]] = {
    "BertNormalizer": ("clean_text", "handle_chinese_chars", "lowercase", "strip_accents"),
    "Strip": ("strip_left", "strip_right"),
}
"""Types that change text if one of these is true."""


def changing(tokenizer: Mapping[str, object] | None) -> Iterator[str]:
    """The types of these steps, as people should see them. tokenizer: content of tokenizer.json."""
    texts = list(STRINGS)
    for step in itertools.islice(_steps((tokenizer or {}).get("normalizer")), MOST_STEPS):
        kind = str(step.get("type"))
        if kind in CHANGING or any(step.get(flag) for flag in FLAGS.get(kind, ())):
            yield kind
        elif kind == "Prepend" and step.get("prepend") != SPACE:
            yield f"Prepend of {_shown(step.get('prepend'))}"
        elif kind == "Replace":
            # An earlier step may have replaced what this one looks for.
            before, texts = texts, [text[:MOST_CHARACTERS] for text in _replaced(step, texts)]
            if texts != before and (_pattern(step)[1], step.get("content")) != (" ", SPACE):
                yield f"Replace of {_shown(_pattern(step)[1])}"


def _shown(text: object) -> str:
    return f"{str(text)[:40]!a}"


def _steps(normalizer: object) -> Iterator[Mapping[str, object]]:
    """The steps of nested sequences, in order. The tokenizer's own reader names whatever is not a step."""
    if isinstance(normalizer, Mapping):
        inner = normalizer.get("normalizers")
        if isinstance(inner, list):
            for step in inner:
                yield from _steps(step)
        else:
            yield normalizer


def _pattern(step: Mapping[str, object]) -> tuple[str, str]:
    """(``String`` or ``Regex``, what is replaced)."""
    given = step.get("pattern")
    pairs = given.items() if isinstance(given, Mapping) else ()
    return next(((str(kind), str(text)) for kind, text in pairs), ("", ""))


def _replaced(step: Mapping[str, object], texts: Sequence[str]) -> list[str]:
    """The texts after a replacement; unchanged for a pattern that is left to the parity check."""
    (kind, pattern), content = _pattern(step), str(step.get("content"))[:MOST_CHARACTERS]
    if kind == "String" and pattern:
        return [text.replace(pattern, content) for text in texts]
    if kind != "Regex" or not SIMPLE.fullmatch(pattern):
        return list(texts)
    try:
        found = re.compile(pattern)
    except re.error:
        return list(texts)
    return [found.sub(lambda _: content, text) for text in texts]
