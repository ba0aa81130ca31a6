"""Conversations that a model learns from as they are: each ends with an answer, and none uses tools."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import cast

from catalog.jsontext import JsonObject
from catalog.problems import Problem
from zoo.corpora import check, conversations, kinds, records, rows, stream
from zoo.corpora.check import File
from zoo.corpora.records import Fault, Kind
from zoo.corpora.rows import Message
from zoo.errors import InputError

_INSTEAD = "Write it as messages, which end with an answer of the assistant"


def _without_tools(record: JsonObject) -> Iterator[Fault]:
    yield from conversations.KIND.rules(record)
    instead = "Delete the line, or write the conversation without tools"
    if record.get("tools"):
        yield Fault("tools", "a teacher is not trained on conversations with tools", instead)
    for number, message in enumerate(cast("list[JsonObject]", record["messages"])):
        if message["role"] == "tool" or message.get("tool_calls"):
            yield Fault(f"messages[{number}]", "a teacher is not trained on calls of tools", instead)


KINDS = {
    conversations.KIND.name: dataclasses.replace(conversations.KIND, rules=_without_tools),
    rows.KIND.name: rows.KIND,
}
"""The kinds of records that are learnt, by name."""


def problems(files: Sequence[File], most: int) -> list[Problem]:
    """What is wrong with the lines of these files: the first ``most`` by file and line. Raises InputError for a damaged
    file, OSError."""
    found: list[Problem] = []
    together: dict[str, list[File]] = {}
    for file in files:
        kind = _kind(file)
        if isinstance(kind, Problem):
            found.append(kind)
        else:
            together.setdefault(kind.name, []).append(file)
    for name, alike in together.items():
        # Together, because a conversation may be in two of them.
        found += check.check(alike, KINDS[name], most).problems
    order = {file.shown: number for number, file in reversed(list(enumerate(files)))}
    return sorted(found, key=lambda one: (order[one.file], one.line))[:most]


def _kind(file: File) -> Kind | Problem:
    """The kind of a file by its first record; a problem for one whose records have no answers."""
    for first, lines in stream.batches(file.path, file.shown):
        for number, line in enumerate(lines, first):
            data = records.decoded_or_none(line or b"")
            if not isinstance(data, dict):
                continue
            kind = kinds.kind_of(data)
            if kind is None or kind.name in KINDS:
                return KINDS[kind.name if kind else conversations.KIND.name]
            what = f"the record is of the kind {kind.name}, which has no answer of an assistant"
            return records.problem(Fault("", what, _INSTEAD), file.shown, number)
    return KINDS[conversations.KIND.name]


def each(file: File) -> Iterator[JsonObject]:
    """The records of a file, one after the other. Raises InputError for the first bad line, OSError."""
    kind = _kind(file)
    if isinstance(kind, Problem):
        raise _refused([kind], file)
    for first, lines in stream.batches(file.path, file.shown):
        for number, line in enumerate(lines, first):
            if line is not None and not line.strip():
                continue
            record = records.sound(line, kind)
            if record is None:
                faults = records.read(line, kind).faults
                raise _refused([records.problem(one, file.shown, number) for one in faults], file)
            yield record


def _refused(found: Sequence[Problem], file: File) -> InputError:
    listed = "\n".join(["the record is not valid", *map(str, found)])
    return InputError(listed, where=file.shown, remedy=f"See all problems with: zoo corpus check {file.shown}")


def messages(record: JsonObject) -> list[Message]:
    """The turns of a record that follows its kind."""
    turns = cast("list[Message]", record["messages"])
    return [{"role": one["role"], "content": one["content"]} for one in turns]


def questions(record: JsonObject) -> list[str]:
    """What people ask, turn by turn."""
    return [one["content"] for one in messages(record) if one["role"] == "user"]


def said(record: JsonObject) -> list[str]:
    """What people ask and the assistant answers, turn by turn."""
    return [one["content"] for one in messages(record) if one["role"] != "system"]
