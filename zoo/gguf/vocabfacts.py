"""Facts of a GGUF file's vocabulary: the list of tokens, their types and the rule that splits text."""

from __future__ import annotations

import hashlib
import itertools
import struct
from pathlib import Path

from zoo.gguf.layout import ARRAY, STRING, opened, read_raw
from zoo.judge.parity.sourcerecord import VocabularyFacts

INT32 = 5
"""GGUF's number for the type of token types."""


def vocabulary_facts(path: Path) -> VocabularyFacts:
    """tokens_sha256: of the token list as it is stored. token_types: runs of equal types, as [type, count] pairs; types
    are llama.cpp's (1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte). pre_tokenizer: its name. None if
    the file does not say. Raises ModelFileError if the file is not a valid GGUF.
    """
    with opened(path) as source:
        entries = read_raw(source).entries
        tokens, types = entries.get("tokenizer.ggml.tokens"), entries.get("tokenizer.ggml.token_type")
        pre = entries.get("tokenizer.ggml.pre")
        runs = None
        if types is not None and types.value_type == ARRAY and types.item_type == INT32:
            values = struct.unpack_from(f"<{types.count}i", source.data, types.start)
            runs = [[kind, len(list(run))] for kind, run in itertools.groupby(values)]
        named = pre is not None and pre.value_type == STRING
        return {
            "tokens_sha256": hashlib.sha256(source.data[tokens.start : tokens.end]).hexdigest()
            if tokens
            else None,
            "token_types": runs,
            "pre_tokenizer": source.data[pre.start + 8 : pre.end].decode("utf-8", "replace")
            if pre and named
            else None,
        }
