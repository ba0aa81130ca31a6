"""tokenizer_config.json as llama.cpp's converter needs it, completed from tokenizer.json.

transformers 5 states added tokens and begin tokens in tokenizer.json alone. The converter reads both from
tokenizer_config.json, and otherwise uses llama.cpp's defaults.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from catalog.jsonvalues import listed, table, tables


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
