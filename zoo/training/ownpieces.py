"""User-defined tokens of a sentencepiece vocabulary, as in a GGUF file.

llama.cpp finds them in the text before it merges anything, the longest first. Gemma's are runs of spaces and of line
breaks. transformers' reader writes their spaces as U+2581, as in other pieces, and leaves the runs to the merges, which
split long ones differently.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from catalog import jsontext
from catalog.jsonvalues import listed, table, tables, texts, whole
from zoo.gguf.sentencepieces import USER_DEFINED, Pieces

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_PLAIN = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}


def fit(tokenizer: PreTrainedTokenizerBase, pieces: Pieces | None) -> None:
    """Make ``tokenizer``, which transformers read from a file with ``pieces``, find these tokens in the text itself."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or pieces is None:
        return
    own = {number: text for number, text in enumerate(pieces.texts) if pieces.types[number] == USER_DEFINED}
    data = table(jsontext.parse(backend.to_str(), bounded=False))
    model, tokens = table(data["model"]), tables(data["added_tokens"])
    known = {token["id"]: token["content"] for token in tokens}
    missing = {number: text for number, text in own.items() if known.get(number) != text}
    if not missing or model["type"] != "BPE" or any(number in known for number in missing):
        return
    numbers = {text: whole(number) for text, number in table(model["vocab"]).items()}
    lost = {text for text, number in numbers.items() if number in missing and text != missing[number]}
    model["vocab"] = {missing.get(number, text): number for text, number in numbers.items()}
    merges = [texts(merge) for merge in listed(model["merges"])]
    model["merges"] = [merge for merge in merges if not lost & {*merge, "".join(merge)}]
    added = [{"id": number, "content": text, **_PLAIN} for number, text in missing.items()]
    data["added_tokens"] = sorted([*tokens, *added], key=lambda token: whole(token["id"]))
    tokenizer._tokenizer = type(backend).from_str(json.dumps(data))
