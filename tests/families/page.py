"""The documentation's page of families, made from the table that the tests release."""

from __future__ import annotations

import families

HEAD = """\
# Model families

The project's tests run a complete `zoo release` with a tiny random model of each of these families (`make families`):
import, parity, importance matrix, quantization, evaluation, probes, smoke test, benchmark and publication to a folder
hub. Each has its family's configuration, tokenizer, chat template and special tokens. Your release is checked in the
same way: parity compares your exported file with your source, whatever its family.

A family that is not listed may work as well. If llama.cpp's converter does not support the architecture, or cannot
write the tokenizer, `zoo check` and `zoo lock` report it for a folder on this machine, and the import reports it before
it reads weights. Both also name weights that a folder lacks, or
that do not have the shape that config.json gives, and weights that its settings exclude.

| Family | Published as, for example | Result | Notes |
|---|---|---|---|
"""
NFC = "llama.cpp does not do the tokenizer's Unicode normalization (NFC); the card mentions it."
PRUNED = "Also pruned to fewer layers."
TUTORED = "Also pruned to fewer layers and distilled."
DISTILLED, PLAIN_WORDS = "Also distilled", ", under a chat template of plain words"
NO_SYSTEM = "Its chat template accepts no system message; a build points to a prompt that has one, after the import."


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
