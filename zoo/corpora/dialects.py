"""Records of Québec French with their dialect. What is unknown about a speaker is Unspecified; nothing is filled in."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.jsontext import JsonObject
from zoo.corpora import records
from zoo.corpora.records import Fault, Identity, Kind


def _rules(record: JsonObject) -> Iterator[Fault]:
    for name in ("text_orthographic_raw", "text_normalized_mf"):
        text = record.get(name)
        yield from records.text_fault(text if isinstance(text, str) else None, name, "text")


def _identity(record: JsonObject) -> Identity:
    return (str(record["record_id"]),)


KIND = Kind(
    "dialect", "dialect-record-v1", frozenset(("record_id", "text_orthographic_raw")), 64 * 1024, _rules, _identity,
    "the same record_id as", lambda record: str(record["text_orthographic_raw"]),
)  # fmt: skip
