"""How much personal data ``zoo corpus redact`` finds in 5,000 made-up records, and how often it is wrong.

Each record is a sentence in Québec French or in English, written for this purpose, with one made-up value. In 2,000 of
them, 100 for each of 20 ways, the value or its surroundings are written in an unusual form. 600 more records only look
like personal data. A value counts as found if exactly its characters are found, with the right kind. Presidio's pattern
recognizers get the same records (pip install presidio-analyzer==2.2.366, or --alone). No time is measured, so a busy
machine changes nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import math
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import pairs, presidio
from benchmarks.privacyrecords import ALIKE, EACH_WAY, PLAIN, SEED, VALUES, WAYS, Record, records
from catalog import jsontext
from catalog.jsonvalues import table
from zoo.corpora.privacy import phones
from zoo.corpora.privacy.finding import find

SCHEMA = "redaction-quality/1"
TARGETS = {"checked": (0.99, 0.98), "shaped": (0.97, 0.95), "described": (0.90, 0.90)}
"""Recall and precision of the kinds of each group."""
GROUPS = {
    "checked": ("CARD", "IBAN", "SIN", "RAMQ"),
    "shaped": ("EMAIL", "PHONE", "IP", "MAC", "KEY", "PASSWORD"),
    "described": ("ADDRESS", "POSTAL", "BIRTH"),
}
NORMAL = 1.959964
"""Half the width of a 95 % interval in standard errors."""


def interval(right: int, every: int) -> tuple[float, float]:
    """The 95 % interval of a share (E. B. Wilson, 1927)."""
    if not every:
        return 0.0, 1.0
    share, square = right / every, NORMAL**2
    middle = (share + square / (2 * every)) / (1 + square / every)
    half = NORMAL / (1 + square / every) * math.sqrt(share * (1 - share) / every + square / (4 * every * every))
    return max(0.0, middle - half), min(1.0, middle + half)


Finds = set[tuple[str, int, int]]
"""(kind, start, end) of what was found in a text."""


def ours(text: str) -> Finds:
    """What this program finds."""
    return {(hit.kind, hit.start, hit.end) for hit in find(text, "user", phones.is_valid)}


def counted(made: Sequence[Record], finds: Sequence[Finds], kinds: Iterable[str]) -> list[dict[str, object]]:
    """Counts and shares per kind and language. usual: of the records that are not written in an unusual way."""
    there, right, wrong = Counter[tuple[str, str]](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    usual, right_usual = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for one, found in zip(made, finds, strict=True):
        wanted, place = (one.kind, one.start, one.end), (one.kind, one.language)
        for kind, _, _ in found - {wanted}:
            wrong[kind, one.language] += 1
        there[place] += 1
        right[place] += wanted in found
        usual[place] += not one.way
        right_usual[place] += not one.way and wanted in found
    rows: list[dict[str, object]] = []
    for place in itertools.product(kinds, ("fr", "en")):
        of, yes, no = there[place], right[place], wrong[place]
        rows.append({
            "kind": place[0], "language": place[1], "values": of, "found": yes, "wrong": no,
            "recall": yes / of, "recall_95": interval(yes, of),
            "precision": yes / (yes + no) if yes + no else 0.0, "precision_95": interval(yes, yes + no),
            "usual": {"values": usual[place], "found": right_usual[place], "recall": right_usual[place] / usual[place]},
        })  # fmt: skip
    return rows


def document() -> dict[str, object]:
    """Counts per kind and language, and per way, with whether the targets are reached."""
    made = records()
    finds = [ours(one.text) for one in made]
    is_found = [(one.kind, one.start, one.end) in found for one, found in zip(made, finds, strict=True)]
    ways = Counter(one.way for one in made if one.kind)
    found_ways = Counter(one.way for one, found in zip(made, is_found, strict=True) if found)
    rows = counted(made, finds, VALUES)
    groups = {name: _group(name, [row for row in rows if row["kind"] in kinds]) for name, kinds in GROUPS.items()}
    return {
        "schema": SCHEMA, "seed": SEED, "records": PLAIN + EACH_WAY * len(WAYS), "look_alikes": ALIKE,
        "look_alikes_with_a_find": _alike(made, finds), "records_sha256": digest(made),
        "targets": TARGETS, "groups": groups,
        "kept": all(group["reached"] for group in groups.values()), "kinds": rows,
        "ways": [{"way": way or "usual", "values": ways[way], "found": found_ways[way]} for way in ("", *WAYS)],
    }  # fmt: skip


def _group(name: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """The shares of the kinds of a group together, and which of its rows miss a target."""
    of, yes, no = (sum(row[key] for row in rows) for key in ("values", "found", "wrong"))
    least, right = TARGETS[name]
    missed = [f"{row['kind']} {row['language']}" for row in rows if row["recall"] < least or row["precision"] < right]
    recall, precision = yes / of, yes / (yes + no)
    reached = recall >= least and precision >= right
    return {"recall": recall, "precision": precision, "reached": reached, "rows_that_miss": missed}


def theirs() -> dict[str, object]:
    """The same records, looked at by Presidio's recognizers of the kinds that both know. Raises InputError without the
    package."""
    made, finder = records(), presidio.finder()
    finds = [finder(one.text) for one in made]
    return {
        "package": presidio.PACKAGE, "recognizers": list(presidio.SHARED.values()), "phone_regions": presidio.REGIONS,
        "records_sha256": digest(made), "look_alikes_with_a_find": _alike(made, finds),
        "kinds": counted(made, finds, presidio.SHARED),
    }  # fmt: skip


def _alike(made: Sequence[Record], finds: Sequence[Finds]) -> int:
    return sum(bool(found) for one, found in zip(made, finds, strict=True) if not one.kind)


def digest(made: Sequence[Record]) -> str:
    """By which a result shows that it is of these records."""
    return hashlib.sha256(json.dumps(made, ensure_ascii=False).encode()).hexdigest()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.redaction_quality", description=__doc__)
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the result there")
    parser.add_argument("--missed", action="store_true", help="print what is wrong instead, as JSON Lines")
    parser.add_argument("--alone", action="store_true", help="without Presidio; the file keeps what it has of it")
    arguments = parser.parse_args(argv)
    if arguments.missed:
        for one in records():
            found = sorted(ours(one.text))
            if found != ([(one.kind, one.start, one.end)] if one.kind else []):
                print(json.dumps([one.kind, one.way, one.text, found], ensure_ascii=False))
        return 0
    before = jsontext.read(arguments.out) if arguments.alone and arguments.out else {}
    other = table(before).get("presidio") if arguments.alone else theirs()
    return pairs.kept(document() | ({"presidio": other} if other else {}), arguments.out)


if __name__ == "__main__":
    sys.exit(main())
