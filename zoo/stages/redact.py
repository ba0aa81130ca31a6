"""redact: labelled rows without the personal data that is found in them, with a report of counts.

The answers of the teacher stay in the step before this one, on this machine: only these rows enter a training and a
release. The secret key of the placeholders is in no file of the step.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from catalog import jsontext
from catalog.jsonvalues import table, tables
from zoo import extras
from zoo.corpora import rows
from zoo.corpora.distributions import data_path
from zoo.corpora.privacy import keys, labelled
from zoo.corpora.privacy.decide import IsPhone
from zoo.corpora.privacy.placeholders import Placeholders
from zoo.corpora.privacy.redact import REPORT, Count, Way, report
from zoo.errors import InputError
from zoo.files import journal
from zoo.files.digests import canonical_json, pretty_json
from zoo.files.whole import write_atomic
from zoo.stages import Context, Facts


def run(context: Context) -> Facts:
    """Writes ``train.jsonl``, ``heldout.jsonl``, ``redaction-report.json``, and ``label-report.json`` without the words
    of answers."""
    is_phone: IsPhone = extras.load("zoo.corpora.privacy.phones").is_valid
    kept = context.redaction_key
    if kept and kept.resolve().is_relative_to(context.root.resolve()):
        raise InputError(
            "the secret key would be in the folder of the zoo, which is shared with others",
            where="setting redaction_key", safe="No key was made.", remedy="Name a file outside of it",
        )  # fmt: skip
    way = Way(Placeholders(keys.kept(kept) if kept else keys.fresh()), kept is not None, rows.KIND)
    labels, counts = context.inputs["labels"], []
    for part in ("train", "heldout"):
        one = _Part(labels.path(f"{part}.jsonl"), Count(data_path(part)), way, is_phone)
        write_atomic(context.out / f"{part}.jsonl", one.lines())
        counts.append(one.count)
    found = report(counts, way)
    write_atomic(context.out / REPORT, pretty_json(found))
    answered = table(labels.json("label-report.json"))
    failures = [_silent(failure, way.placeholders) for failure in tables(answered["failures"])]
    write_atomic(context.out / "label-report.json", pretty_json({**answered, "failures": failures}))
    if sum(count.records - count.left_out for count in counts) == 0:
        raise InputError("no row is left after the redaction", remedy="Look at the answers of the step before this one")
    return {name: found[name] for name in ("records", "changed", "left_out", "in_keys", "found")}


def _silent(failure: Mapping[str, object], placeholders: Placeholders) -> dict[str, object]:
    """A failure without what may quote an answer, and without the digest of a prompt."""
    key, reason = placeholders.identifier(str(failure["key"])), str(failure["reason"]).partition(": ")[0]
    return {**failure, "key": key, "reason": reason}


class _Part:
    """The rows of one part while they are redacted."""

    def __init__(self, path: Path, count: Count, way: Way, is_phone: IsPhone) -> None:
        self.path, self.count, self.way, self.is_phone = path, count, way, is_phone

    def lines(self) -> Iterator[bytes]:
        """The lines of the new file."""
        digest = hashlib.sha256()
        for line in journal.lines(self.path):
            for made in self._line(line):
                digest.update(made)
                yield made
        self.count.sha256 = digest.hexdigest()

    def _line(self, line: bytes) -> Iterator[bytes]:
        record = jsontext.parse(line, bounded=False)
        assert isinstance(record, dict)
        made, found, in_keys = labelled.redact(record, self.way.placeholders, self.is_phone)
        self.count.records += 1
        self.count.in_keys += in_keys
        self.count.found.update(Counter(found))
        if made is None:
            self.count.left_out += 1
            return
        self.count.changed += bool(found)
        yield canonical_json(made).encode() + b"\n"
