"""tokenizer_config.json as llama.cpp's converter needs it, completed from tokenizer.json.

transformers 5 states added tokens and begin tokens in tokenizer.json alone. The converter reads both from
tokenizer_config.json, and otherwise uses llama.cpp's defaults.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from catalog.jsonvalues import listed, table, tables

PHI3 = "phi3"
BYTE_LEVEL, PIECES = "GPT2Tokenizer", "LlamaTokenizer"


def completed(config: Mapping[str, object], tokenizer: Mapping[str, object]) -> dict[str, object]:
    """``config`` with the added tokens of ``tokenizer``, and without a begin token if ``tokenizer`` adds none.

    Existing values of ``config`` stay.
    """
    found = dict(config)
    if not found.get("added_tokens_decoder") and (added := tables(tokenizer.get("added_tokens"))):
        found["added_tokens_decoder"] = {
            str(token["id"]): {name: value for name, value in token.items() if name != "id"} for token in added
        }
    if found.get("add_bos_token") is None and not any(_markers(table(tokenizer.get("post_processor")))):
        found["add_bos_token"] = False
    return found


def classed(
    config: Mapping[str, object], tokenizer: Mapping[str, object], model_type: object, *, has_pieces: bool
) -> dict[str, object]:
    """``config`` with the tokenizer_class by which the converter chooses how it reads a Phi-3's vocabulary.

    It reads tokenizer.json only for GPT2Tokenizer, as Phi-4-mini names it, and fails without a class. transformers
    writes other names for the same byte-level tokenizer.json, and cuts text by that file whatever the name.
    has_pieces: whether there is a tokenizer.model, which it reads for every other class.
    """
    if model_type != PHI3:
        return dict(config)
    model = table(tokenizer.get("model"))
    if not has_pieces and model.get("type") == "BPE" and not model.get("byte_fallback"):
        return {**config, "tokenizer_class": BYTE_LEVEL}
    return {**config, "tokenizer_class": config.get("tokenizer_class") or PIECES}


def _markers(step: Mapping[str, object]) -> Iterator[str]:
    """Special tokens that a post-processor puts around one text."""
    for part in tables(step.get("processors")):
        yield from _markers(part)
    for part in tables(step.get("single")):
        if "SpecialToken" in part:
            yield str(table(part["SpecialToken"])["id"])
    for name in ("cls", "sep"):
        if name in step:
            yield str(listed(step[name])[0])
