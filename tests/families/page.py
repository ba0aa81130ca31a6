"""The documentation's page of families, made from the table that the tests release."""

from __future__ import annotations

import families

HEAD = """\
# Model families

Tiny random models of these families go through a whole `zoo release` in the project's tests (`make families`): import,
parity, importance matrix, quantization, evaluation, probes, smoke test, benchmark and publication to a folder hub. Each
has its family's configuration, tokenizer, chat template and special tokens. What you release is checked the same way:
parity compares your exported file with your source, whatever its family.

A family that is not listed may work as well. If llama.cpp's converter does not support the architecture, or cannot
write the tokenizer, `zoo check` and `zoo lock` say so for a folder on this machine, and the import before it reads
weights.

| Family | Published as, for example | Result | Notes |
|---|---|---|---|
"""
NFC = "The tokenizer's Unicode normalization (NFC) is not in llama.cpp; the card says so."
PRUNED = "Also pruned to fewer layers."
TUTORED = "Also pruned to fewer layers and distilled."
DISTILLED, PLAIN_WORDS = "Also distilled", ", under a chat template of plain words"
NO_SYSTEM = "Its chat template accepts no system message; `zoo check` points to the prompts that have one."


def render() -> str:
    """The page's text."""
    return HEAD + "".join(_row(one) for one in families.FAMILIES)


def _row(one: families.Family) -> str:
    notes = [one.note] if one.note else []
    notes += [NFC] if one.vocabulary.normalizer == "NFC" else []
    notes += [] if one.system_role else [NO_SYSTEM]
    notes += [_training(one)] if one.layers or one.tutored else []
    result = f"refused: {one.refused}" if one.refused else "works"
    return f"| {one.name} | {one.example} | {result} | {' '.join(notes)} |\n"


def _training(one: families.Family) -> str:
    if one.layers:
        return TUTORED if one.tutored else PRUNED
    return DISTILLED + ("" if one.template else PLAIN_WORDS) + "."
