"""How much personal data ``zoo corpus redact`` finds in 5,000 made-up records, and how often it is wrong.

Each record is a sentence in Québec French or in English, written for this purpose, with one made-up value. In 2,000 of
them, 100 for each of 20 ways, the value or its surroundings are written in an unusual form. 600 more records only look
like personal data. A value counts as found if exactly its characters are found, with the right kind. No time is
measured, so a busy machine changes nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks import pairs
from benchmarks.privacyrecords import ALIKE, EACH_WAY, PLAIN, SEED, VALUES, WAYS, records
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


def document() -> dict[str, object]:
    """Counts per kind and language, and per way, with whether the targets are reached."""
    there, right, wrong = Counter[tuple[str, str]](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    ways, found_ways, in_alike = Counter[str](), Counter[str](), 0
    for one in records():
        found = {(hit.kind, hit.start, hit.end) for hit in find(one.text, "user", phones.is_valid)}
        wanted = (one.kind, one.start, one.end)
        is_found = wanted in found
        for kind, _, _ in found - {wanted}:
            wrong[kind, one.language] += 1
        if not one.kind:
            in_alike += bool(found)
            continue
        there[one.kind, one.language] += 1
        right[one.kind, one.language] += is_found
        ways[one.way] += 1
        found_ways[one.way] += is_found
    rows = []
    for kind in VALUES:
        for language in ("fr", "en"):
            of, yes, no = there[kind, language], right[kind, language], wrong[kind, language]
            rows.append({
                "kind": kind, "language": language, "values": of, "found": yes, "wrong": no,
                "recall": yes / of, "recall_95": interval(yes, of),
                "precision": yes / (yes + no) if yes + no else 0.0, "precision_95": interval(yes, yes + no),
            })  # fmt: skip
    groups = {}
    for name, kinds in GROUPS.items():
        of, yes, no = (
            sum(count for (kind, _), count in some.items() if kind in kinds) for some in (there, right, wrong)
        )
        recall, precision = yes / of, yes / (yes + no)
        reached = recall >= TARGETS[name][0] and precision >= TARGETS[name][1]
        groups[name] = {"recall": recall, "precision": precision, "reached": reached}
    return {
        "schema": SCHEMA, "seed": SEED, "records": PLAIN + EACH_WAY * len(WAYS), "look_alikes": ALIKE,
        "look_alikes_with_a_find": in_alike, "targets": TARGETS, "groups": groups,
        "kept": all(group["reached"] for group in groups.values()), "kinds": rows,
        "ways": [{"way": way or "usual", "values": ways[way], "found": found_ways[way]} for way in ("", *WAYS)],
    }  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.redaction_quality", description=__doc__)
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the result there")
    parser.add_argument("--missed", action="store_true", help="print what is wrong instead, as JSON Lines")
    arguments = parser.parse_args(argv)
    if arguments.missed:
        for one in records():
            found = sorted((hit.kind, hit.start, hit.end) for hit in find(one.text, "user", phones.is_valid))
            if found != ([(one.kind, one.start, one.end)] if one.kind else []):
                print(json.dumps([one.kind, one.way, one.text, found], ensure_ascii=False))
        return 0
    return pairs.kept(document(), arguments.out)


if __name__ == "__main__":
    sys.exit(main())
