"""The order of versions (https://semver.org, rule 11), and which of several is meant by who names none."""

from __future__ import annotations

import re

VersionKey = tuple[tuple[int, ...], bool, tuple[tuple[int, int, str], ...], str]
"""What versions are sorted by."""


def version_key(version: str) -> VersionKey:
    """Sort key of a semantic version: a pre-release comes before its release."""
    core, _, pre = version.partition("-")
    numbers = tuple(int(part) for part in core.split("."))
    identifiers = tuple(
        (0, int(p), "") if re.fullmatch(r"[0-9]+", p) else (1, 0, p) for p in pre.split(".") if p
    )
    # The text itself comes last, so that versions that are equal by rule 11 (1.0.0-1, 1.0.0-01) still have an order.
    return (numbers, not pre, identifiers, version)


def is_prerelease(version: str) -> bool:
    """Whether a version comes before a release, such as 1.1.0-rc.1."""
    return "-" in version


def preference(version: str) -> tuple[bool, VersionKey]:
    """Sort key by which the largest is recommended: the highest stable version, else the highest pre-release."""
    return (not is_prerelease(version), version_key(version))
