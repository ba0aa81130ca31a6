"""The distributions of a labelled dataset, as evidence of its release: rows, tags, languages and lengths. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypedDict

from catalog.shapes import shaped
from zoo.corpora.rows import Labelled

SCHEMA = "dataset-report/1"
FILE = "dataset-report.json"
QUANTILES = {"min": 0.0, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "max": 1.0}


class Described(TypedDict):
    """The rows of a split in short; lengths of the prompts are in characters."""

    records: int
    json: int
    lengths: dict[str, int]
    tags: dict[str, int]


class Split(Described):
    """The same with the file that the rows are in."""

    name: str
    path: str
    sha256: str


def report(splits: Mapping[str, Sequence[Labelled]], languages: Sequence[str]) -> dict[str, object]:
    """The report on labelled rows by split; splits without rows are omitted.

    languages: those of the recipe; a row counts for each one in its tags, because no program detects the language of a
    row. redaction is null: nothing is looked for or removed.
    """
    return {
        "schema": SCHEMA,
        "splits": [_split(name, rows, languages) for name, rows in splits.items() if rows],
        "redaction": None,
    }


class _Reported(TypedDict):
    name: str
    rows: int
    json_rows: int
    tags: dict[str, int]
    characters: dict[str, dict[str, int]]


class _Report(TypedDict):
    splits: list[_Reported]


def splits_of(told: object, digests: Mapping[str, str]) -> list[Split] | None:
    """The splits that a report is about, as ``described`` has them, with their files; None for a report of another
    form. digests: sha256 of the files of the dataset by path."""
    try:
        return [
            {
                "name": one["name"],
                "path": (path := data_path(one["name"])),
                "sha256": digests[path],
                "records": one["rows"],
                "json": one["json_rows"],
                "lengths": {key: one["characters"]["user"][key] for key in ("min", "median", "max")},
                "tags": one["tags"],
            }
            for one in shaped(told, _Report)["splits"]
        ]
    except (KeyError, ValueError):
        return None


def data_path(split: str) -> str:
    """The file of a split in the dataset repository."""
    return f"data/{split}.jsonl"


def quantiles(lengths: Sequence[int]) -> dict[str, int]:
    """The length at place floor(q n) of the n sorted lengths, for each of QUANTILES. The sequence must not be empty."""
    found = sorted(lengths)
    return {name: found[min(int(q * len(found)), len(found) - 1)] for name, q in QUANTILES.items()}


def _split(name: str, rows: Sequence[Labelled], languages: Sequence[str]) -> dict[str, object]:
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


def described(rows: Sequence[Labelled]) -> Described:
    """What the card says about the rows of one split."""
    lengths = sorted(len(m["content"]) for row in rows for m in row["messages"] if m["role"] == "user")
    return {
        "records": len(rows),
        "json": sum(row["requires_json"] for row in rows),
        "lengths": {"min": lengths[0], "median": lengths[len(lengths) // 2], "max": lengths[-1]},
        "tags": dict(Counter(tag for row in rows for tag in row["tags"])),
    }
