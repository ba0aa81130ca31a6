"""conversations: what a teacher is trained on, from files of the zoo, checked and written as labelled rows are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from catalog.jsontext import JsonObject
from catalog.jsonvalues import tables, text
from zoo.corpora import records, taught
from zoo.corpora.check import File
from zoo.errors import InputError
from zoo.files.digests import canonical_json, digest, pretty_json
from zoo.files.whole import write_atomic
from zoo.stages import Context, Facts

REPORT = "tune-corpus.json"
"""What the teacher is trained on: the files with their sources, licences and counts."""


def run(context: Context) -> Facts:
    """Writes ``train.jsonl``, ``heldout.jsonl`` and the report. facts: the report, files with their counts by part."""
    facts: dict[str, list[dict[str, object]]] = {}
    for part, files in context.spec.items():
        name = part.rpartition(".")[2]
        one = _Part(context)
        write_atomic(context.out / f"{name}.jsonl", one.lines(list(tables(files))))
        facts[name] = one.found
    write_atomic(context.out / REPORT, pretty_json(facts))
    return facts


@dataclass
class _Part:
    """The files of one part while they are read. found: each with its counts."""

    context: Context
    found: list[dict[str, object]] = field(default_factory=list)

    def lines(self, files: list[Mapping[str, object]]) -> Iterator[bytes]:
        for file in files:
            path = text(file["path"])
            rows = answers = 0
            for record in taught.each(File(self.context.root / path, path)):
                row = _row(record)
                rows += 1
                answers += sum(turn["role"] == "assistant" for turn in taught.messages(record))
                yield canonical_json(row).encode() + b"\n"
            if not rows:
                raise InputError("the file has no records", where=path, remedy="Write one JSON object per line")
            self.found.append({**file, "rows": rows, "answers": answers})


def _row(record: JsonObject) -> dict[str, object]:
    """A conversation as a training reads it. finish: of a labelled row its own."""
    messages = taught.messages(record)
    return {
        "key": digest({"messages": messages})[:16],
        "messages": messages,
        "tags": records.tags_of(record),
        "finish": record.get("finish", "stop"),
    }
