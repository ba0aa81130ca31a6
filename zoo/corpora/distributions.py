"""The distributions of a labelled dataset, as evidence of its release: rows, tags, languages and lengths. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

SCHEMA = "dataset-report/1"
FILE = "dataset-report.json"
QUANTILES = {"min": 0.0, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "max": 1.0}


def report(splits: Mapping[str, Sequence[Mapping[str, Any]]], languages: Sequence[str]) -> dict[str, Any]:
    """The report on labelled rows by split; splits without rows are omitted.

    languages: those of the recipe; a row counts for each one in its tags, because no program detects the language of a
    row. redaction is null: nothing is looked for or removed.
    """
    return {
        "schema": SCHEMA,
        "splits": [_split(name, rows, languages) for name, rows in splits.items() if rows],
        "redaction": None,
    }


def quantiles(lengths: Sequence[int]) -> dict[str, int]:
    """The length at place floor(q n) of the n sorted lengths, for each of QUANTILES. The sequence must not be empty."""
    found = sorted(lengths)
    return {name: found[min(int(q * len(found)), len(found) - 1)] for name, q in QUANTILES.items()}


def _split(name: str, rows: Sequence[Mapping[str, Any]], languages: Sequence[str]) -> dict[str, Any]:
    tags = Counter(tag for row in rows for tag in set(row["tags"]))
    lengths: dict[str, list[int]] = {}
    for row in rows:
        for message in row["messages"]:
            lengths.setdefault(message["role"], []).append(len(message["content"]))
    known = {language.casefold(): language for language in languages}
    spoken = Counter(
        one
        for row in rows
        for one in {known[tag.casefold()] for tag in row["tags"] if tag.casefold() in known}
    )
    return {
        "name": name,
        "rows": len(rows),
        "json_rows": sum(bool(row["requires_json"]) for row in rows),
        "tags": dict(sorted(tags.items())),
        "languages": dict(sorted(spoken.items())),
        "finish": dict(sorted(Counter(row["finish"] for row in rows).items())),
        "characters": {role: quantiles(found) for role, found in sorted(lengths.items())},
    }


def described(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the card says about the rows of one split; prompt lengths are in characters."""
    lengths = sorted(len(m["content"]) for row in rows for m in row["messages"] if m["role"] == "user")
    return {
        "records": len(rows),
        "json": sum(row["requires_json"] for row in rows),
        "lengths": {"min": lengths[0], "median": lengths[len(lengths) // 2], "max": lengths[-1]},
        "tags": dict(Counter(tag for row in rows for tag in row["tags"])),
    }
