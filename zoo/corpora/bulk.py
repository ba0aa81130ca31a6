"""Some hundred lines accepted together, by machine code that looks at all of them in a few calls.

It can only accept. Lines of which it does not accept every one are left to ``records``, which reads each by itself
and explains; a test compares the two on damaged lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

from catalog import quick, schema
from catalog.jsontext import JsonObject
from zoo.corpora import quickjson
from zoo.corpora.records import Identity, Kind

PART = 128
"""Lines that are accepted together. More do not fit into the caches of a processor."""

_AS_ZERO = bytes(ord("0") if chr(byte).isdigit() and byte < 128 else ord(" ") for byte in range(256))
_LONG = b"0" * 16
"""No whole number of fewer digits is beyond jsontext.LARGEST."""


class Accepted(NamedTuple):
    """The record of every line, and its identity."""

    records: list[JsonObject]
    identities: Sequence[Identity]


def accepted(lines: Sequence[bytes | None], kind: Kind) -> Accepted | None:
    """What the lines are, if every line certainly has a record without a fault; else None."""
    decode, encode = quickjson.decoder(), quickjson.encoder()
    if decode is None or encode is None:
        return None
    if None in lines:
        return None
    whole = cast("Sequence[bytes]", lines)
    text = b"".join(whole)
    if len(text) > kind.most_bytes and max(map(len, whole)) > kind.most_bytes:
        return None
    try:
        data = list(map(decode, whole))
        # A key that is written twice is read once: then quotation marks are missing. No other thing adds or takes away
        # one but such a mark that was written as a number.
        if b"u0022" in text or encode(data).count(b'"') != text.count(b'"'):
            return None
    except (ValueError, RecursionError):
        return None
    if not quick.every_sound(data, kind.schema, schema.load):
        return None
    found = cast("list[JsonObject]", data)
    identities = kind.bulk(found, encode) if kind.bulk is not None else _one_by_one(found, kind, text)
    return None if identities is None else Accepted(found, identities)


def _one_by_one(found: list[JsonObject], kind: Kind, text: bytes) -> Sequence[Identity] | None:
    if _LONG in text.translate(_AS_ZERO):
        return None
    for record in found:
        if next(kind.rules(record), None) is not None:
            return None
    return list(map(kind.identity, found))
