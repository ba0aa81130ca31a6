"""Licence words: SPDX expressions, and the Hub's own identifiers for them."""

from __future__ import annotations

import re

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from catalog import hublists

# The Hub's identifiers that are not simply the SPDX one in lower case
# (https://huggingface.co/docs/hub/repositories-licenses).
_HUB_NAMES = {
    "LicenseRef-Gemma": "gemma",
    "LicenseRef-Llama-2": "llama2",
    "LicenseRef-Llama-3": "llama3",
    "LicenseRef-Llama-3.1": "llama3.1",
    "LicenseRef-Llama-3.2": "llama3.2",
    "LicenseRef-Llama-3.3": "llama3.3",
    "LicenseRef-Llama-4": "llama4",
    "C-UDA-1.0": "c-uda",
    "ODC-By-1.0": "odc-by",
    "ODbL-1.0": "odbl",
    "PDDL-1.0": "pddl",
}
_NO_LICENCE = frozenset({"unknown", "other"})


_WORDS = {
    "LicenseRef-Gemma": "Gemma Terms of Use",
    "LicenseRef-Llama-3": "Meta Llama 3 Community License",
    **{f"LicenseRef-Llama-{one}": f"Llama {one} Community License" for one in ("2", "3.1", "3.2", "3.3", "4")},
}
"""The titles of texts that SPDX has no identifier for."""


def in_words(expression: str) -> str:
    """A licence expression for readers: a text without an SPDX identifier by its title, or by its own name."""
    return re.sub(r"LicenseRef-([A-Za-z0-9.-]+)", lambda found: _WORDS.get(found[0], found[1]), expression)


def canonical(expression: str) -> str | None:
    """The expression in SPDX's spelling, or None if it is not valid."""
    try:
        return str(canonicalize_license_expression(expression))
    except InvalidLicenseExpression:
        return None


def of_hub(word: str) -> str | None:
    """The SPDX expression of a word that the Hub uses on cards, such as ``llama3.2``; None for any other."""
    ours = {hub: spdx for spdx, hub in _HUB_NAMES.items()}
    return ours.get(word.strip().lower()) or canonical(word.strip())


def hub_identifier(expression: str) -> str:
    """The ``license:`` value for a Hub card; ``other`` when the Hub has no word for it."""
    if expression in _HUB_NAMES:
        return _HUB_NAMES[expression]
    folded = expression.lower().removesuffix("-only").removesuffix("-or-later")
    return folded if folded in hublists.licences() and folded not in _NO_LICENCE else "other"
