"""Licence words: SPDX expressions, and the Hub's own identifiers for them."""

from __future__ import annotations

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

# The Hub's identifiers that are not simply the SPDX one in lower case
# (https://huggingface.co/docs/hub/repositories-licenses).
_HUB_NAMES = {
    "LicenseRef-Gemma": "gemma",
    "LicenseRef-Llama-3.2": "llama3.2",
    "LicenseRef-Llama-3.1": "llama3.1",
}
_HUB_SPDX = frozenset({
    "apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "bsd-3-clause-clear", "cc0-1.0", "cc-by-4.0",
    "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-3.0", "cc-by-sa-3.0", "gpl-3.0", "gpl-2.0",
    "lgpl-3.0", "lgpl-2.1", "agpl-3.0", "mpl-2.0", "isc", "zlib", "unlicense", "wtfpl", "artistic-2.0",
    "bsl-1.0", "epl-2.0", "eupl-1.1", "eupl-1.2", "odc-by", "odbl", "pddl", "postgresql", "ncsa",
    "osl-3.0", "ecl-2.0", "afl-3.0", "ofl-1.1", "ms-pl",
})  # fmt: skip


def canonical(expression: str) -> str | None:
    """The expression in SPDX's own spelling, or None when it is none."""
    try:
        return str(canonicalize_license_expression(expression))
    except InvalidLicenseExpression:
        return None


def hub_identifier(expression: str) -> str:
    """The ``license:`` value for a Hub card; ``other`` when the Hub has no word for it."""
    if expression in _HUB_NAMES:
        return _HUB_NAMES[expression]
    folded = expression.lower().removesuffix("-only").removesuffix("-or-later")
    return folded if folded in _HUB_SPDX else "other"
