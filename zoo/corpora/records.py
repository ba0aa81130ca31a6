"""Lines as records: read strictly, checked by the schema of their kind and by its rules. The only reader of records.

Most lines are valid, so a line is first read and checked by machine code, which can only accept. What it does not
accept is read again by the strict reader, which explains.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from catalog import jsontext, quick, schema, unseen
from catalog.jsontext import Json, JsonObject
from catalog.problems import Problem, show
from zoo.corpora import quickjson
from zoo.corpora.quickjson import Encode

Identity = tuple[str, ...]
"""Texts that are equal for two records of which one is too many."""


class Fault(NamedTuple):
    """What is wrong with one place of a record, as in ``messages[2].content``, and what to write instead."""

    path: str
    what: str
    instead: str


@dataclass(frozen=True)
class Kind:
    """A kind of record. marks: keys that only records of this kind have. rules: what the schema cannot say, of a record
    that follows it. identity: of a record; same: words for the earlier one,
    shown: what a person wrote, by which people recognise the record. bulk: the identities of records that follow the
    schema, if none has a fault or a whole number beyond jsontext.LARGEST; else None; for a kind that can find that out
    faster than record by record.
    """

    name: str
    schema: str
    marks: frozenset[str]
    most_bytes: int
    rules: Callable[[JsonObject], Iterator[Fault]]
    identity: Callable[[JsonObject], Identity]
    same: str
    shown: Callable[[JsonObject], str]
    bulk: Callable[[list[JsonObject], Encode], Sequence[Identity] | None] | None = None


class Read(NamedTuple):
    """record is None if there are faults."""

    record: JsonObject | None
    faults: list[Fault]


def read(line: bytes | None, kind: Kind) -> Read:
    """A line as a record of ``kind``, or everything that is wrong with it. None stands for a line too long to keep."""
    if line is None or len(line) > kind.most_bytes:
        return Read(None, [too_long(kind.most_bytes)])
    try:
        data = decoded(line)
    except jsontext.NotJson as error:
        return Read(None, [not_json(error)])
    faults = _by_schema(data, kind)
    if faults or not isinstance(data, dict):
        return Read(None, faults)
    faults = list(kind.rules(data))
    return Read(None if faults else data, faults)


def sound(line: bytes | None, kind: Kind) -> JsonObject | None:
    """The record of a line in which ``read`` finds no fault, else None. It looks for the first fault only."""
    if line is None or len(line) > kind.most_bytes:
        return None
    try:
        data = decoded(line)
    except jsontext.NotJson:
        return None
    follows = quick.verdict(data, kind.schema, schema.load)
    if follows is None:
        follows = not _by_schema(data, kind)
    return data if follows and isinstance(data, dict) and next(kind.rules(data), None) is None else None


def too_long(most_bytes: int) -> Fault:
    """The fault of a line that no record needs."""
    return Fault("", f"longer than {most_bytes} bytes", "Shorten the record")


_ONE_A_LINE = "Correct this line: one JSON object per line, each key once, no number beyond those of a computer"


def not_json(error: jsontext.NotJson) -> Fault:
    """The fault of a line that cannot be read."""
    return Fault("", f"not a JSON object in UTF-8 ({str(error)[:80]})", error.solve or _ONE_A_LINE)


def tags_of(record: JsonObject) -> list[str]:
    """The tags of a record of any kind; those of a dialect record are in a list with another name."""
    found = record.get("tags", record.get("dialect_tag_list"))
    return [tag for tag in found if isinstance(tag, str)] if isinstance(found, list) else []


def repeated(record: JsonObject, kind: Kind, where: str) -> Fault:
    """The fault of a record that an earlier place has too."""
    return Fault("", f"{kind.same} {where}: {show(kind.shown(record))}", "Delete one of the two")


def problem(fault: Fault, shown_as: str, number: int) -> Problem:
    """A fault on its line of a file."""
    return Problem(shown_as, number, 1, fault.path, fault.what, fault.instead)


def _by_schema(data: Json, kind: Kind) -> list[Fault]:
    if quick.sound(data, kind.schema, schema.load):
        return []
    found = schema.record_problems(data, kind.schema)
    return [Fault(one.path, one.what, one.instead) for one in found]


def text_fault(text: str | None, path: str, noun: str) -> Iterator[Fault]:
    """What no schema finds in a text: that it is invisible, or has a NUL, with which llama.cpp ends it."""
    if text is None or (text[:1].isalnum() and "\x00" not in text):
        return
    if unseen.blank(text):
        what = f"the {noun} is empty: nothing in it can be seen"
        yield Fault(path, what, "Write the text, or delete the line")
    elif "\x00" in text:
        yield Fault(path, "U+0000 (NUL) is in the text", "Write the text, or delete the line")


_SPACED_COLON = re.compile(rb'"[ \t\r]+:').search
_DEEP = 200


def decoded(line: bytes) -> Json:
    """The data of a line, every key once. Raises jsontext.NotJson."""
    decode = quickjson.decoder()
    if decode is not None:
        try:
            data = decode(line)
        except (ValueError, RecursionError):
            pass
        else:
            if _is_certain(line, data):
                return data
    return jsontext.parse(line, unique=True)


def decoded_or_none(line: bytes) -> Json:
    """The same; None for what cannot be read."""
    try:
        return decoded(line)
    except jsontext.NotJson:
        return None


def _is_certain(line: bytes, data: Json) -> bool:
    """Whether the strict reader would read the same from the line.

    The quick one keeps whole numbers of any length, and lets the last of two equal keys win. Every key in the line is
    followed by a colon, so if there are no more colons after quotation marks than keys in the data, no key was dropped.
    """
    if b"\\ud" in line or b"\\uD" in line or line.count(b"{") + line.count(b"[") > _DEEP:
        return False
    if (b" :" in line or b"\t:" in line or b"\r:" in line) and _SPACED_COLON(line):
        return False
    return line.count(b'":') == _keys(data)


def _keys(data: Json) -> int:
    """How many keys the data has, at any depth; -1 or less if a whole number in it needs the strict reader."""
    if type(data) is dict:
        count = len(data)
        values: Iterable[Json] = data.values()
    elif type(data) is list:
        count, values = 0, data
    else:
        return 0 if type(data) is not int or abs(data) <= jsontext.LARGEST else -_NEVER
    for value in values:
        # Of text there is nothing to count, and most values are text.
        if type(value) is not str:
            count += _keys(value)
    return count


_NEVER = 1 << 40
