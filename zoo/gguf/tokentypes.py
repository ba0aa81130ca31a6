"""The types of tokens as a GGUF source has them (control, user-defined, byte and others), for the exported file."""

from __future__ import annotations

import struct
from pathlib import Path

from zoo.gguf.layout import ARRAY
from zoo.gguf.vocabfacts import INT32, vocabulary_facts
from zoo.judge.parity.sourcerecord import SourceTokenizer

KEY = "tokenizer.ggml.token_type"


def stated(path: Path, source: SourceTokenizer) -> dict[str, bytes]:
    """Changes for ``rewrite_header`` that give the tokens of ``path`` the types that their source states.

    source: what source.json says about the tokenizer. Empty unless both have the same list of tokens.
    """
    runs = source.get("token_types")
    here = vocabulary_facts(path)
    same = source.get("tokens_sha256") is not None and source.get("tokens_sha256") == here["tokens_sha256"]
    if not runs or not same or runs == here["token_types"]:
        return {}
    types = [kind for kind, count in runs for _ in range(count)]
    return {KEY: struct.pack(f"<IIQ{len(types)}i", ARRAY, INT32, len(types), *types)}
