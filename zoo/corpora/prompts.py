"""Prompt files: JSON Lines, every line checked, and their counts for a card."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NotRequired, TypedDict, cast

from catalog import corpora, jsontext, packed, plainfiles, quick, toolschemas, unseen
from catalog.jsontext import JsonObject
from catalog.problems import LIMIT, Problem
from catalog.shapes import shaped
from catalog.words import counted
from zoo.corpora import records, stream
from zoo.corpora.quickjson import Encode
from zoo.corpora.records import Fault, Identity, Kind
from zoo.errors import InputError

MAX_LINE_BYTES = 64 * 1024


class Prompt(TypedDict):
    """A record of a prompt file, as the schema ``corpus-record-v1`` has it."""

    user: str
    system_hint: NotRequired[str]
    requires_json: NotRequired[bool]
    tool_name: NotRequired[str]
    tool_schema: NotRequired[dict[str, object]]
    tags: NotRequired[list[str]]
    goal: NotRequired[str]
    registre: NotRequired[str]


def read_prompts(path: Path, shown_as: str) -> list[Prompt]:
    """The records of a prompt file. Raises InputError with every bad line."""
    return sound_prompts(plainfiles.read_bounded(path, plainfiles.MOST_CORPUS_BYTES), shown_as)


def each_prompt(path: Path, shown_as: str) -> Iterator[Prompt]:
    """The records of a prompt file that was checked before, one after the other. Raises InputError for one that is not
    valid, OSError."""
    for first, lines in stream.batches(path, shown_as):
        for number, line in enumerate(lines, first):
            if line is not None and not line.strip():
                continue
            record = records.sound(line, KIND)
            if record is None:
                raise InputError(
                    "the record is not valid", where=f"{shown_as}:{number}",
                    remedy=f"See its problems with: zoo corpus check {shown_as}",
                )  # fmt: skip
            yield shaped(record, Prompt)


def sound_prompts(raw: bytes, shown_as: str) -> list[Prompt]:
    """The records in the bytes of a prompt file. Raises InputError with every bad line."""
    rows, problems = parse_prompts(raw, shown_as)
    if problems:
        raise InputError("\n".join([f"{counted(len(problems), 'problem')} in {shown_as}", *map(str, problems[:20])]))
    return rows


def parse_prompts(raw: bytes, shown_as: str) -> tuple[list[Prompt], list[Problem]]:
    """The valid records of JSON Lines text and the problems of the others: the first LIMIT, with one that says that the
    lines after it were not checked. Pure.
    """
    if fault := packed.fault(raw, shown_as):
        return [], [Problem(shown_as, 1, 1, "", *fault)]
    rows: list[Prompt] = []
    problems: list[Problem] = []
    seen: dict[Identity, int] = {}
    for number, line in enumerate(raw.removeprefix(corpora.BOM.encode()).splitlines(), 1):
        if not line.strip():
            continue
        record, faults = records.read(line, KIND)
        if record is not None:
            first = seen.setdefault(identity(record), number)
            if first != number:
                faults = [records.repeated(record, KIND, f"line {first}")]
            else:
                rows.append(shaped(record, Prompt))
        problems += [records.problem(fault, shown_as, number) for fault in faults]
        if len(problems) >= LIMIT:
            what = "the lines after this one were not checked, because so many have problems"
            problems.append(Problem(shown_as, number, 1, "", what, "Fix the lines above first"))
            break
    if not rows and not problems:
        problems.append(
            Problem(shown_as, 1, 1, "", "the file has no records", "Write one JSON object per line")
        )
    return rows, problems


def _rules(record: JsonObject) -> Iterator[Fault]:
    """What the schema of a prompt cannot say."""
    if isinstance(tool := record.get("tool_schema"), dict) and (fault := toolschemas.fault(tool)):
        yield Fault("tool_schema", *fault)
    yield from _text_faults(*texts(record))


def _text_faults(user: str, system: str | None) -> Iterator[Fault]:
    yield from records.text_fault(user, "user", "prompt")
    yield from records.text_fault(system, "system_hint", "system prompt")


def texts(record: JsonObject) -> tuple[str, str | None]:
    """What the person writes, and the system prompt, of a record that follows the schema."""
    user, system = record["user"], record.get("system_hint")
    assert isinstance(user, str)
    return user, system if isinstance(system, str) else None


def identity(record: JsonObject) -> Identity:
    """Equal for prompts that read the same."""
    user, system = texts(record)
    return unseen.same_text(user), unseen.same_text(system or "")


def _bulk(found: list[JsonObject], encode: Encode) -> Sequence[Identity] | None:
    """The identities of records that follow the schema, if no rule and no number has a fault. Only tools have
    numbers."""
    if not all(_is_usable(encode(record["tool_schema"])) for record in found if "tool_schema" in record):
        return None
    # By the schema both are texts.
    users = cast("list[str]", [record["user"] for record in found])
    systems = cast("list[str]", [record.get("system_hint", "") for record in found])
    if quick.every_matches(users, unseen.PLAIN_TEXT) and quick.every_matches(
        [system for system in systems if system], unseen.PLAIN_TEXT
    ):
        return list(zip(users, systems, strict=True))
    for user, system in zip(users, systems, strict=True):
        if next(_text_faults(user, system or None), None) is not None:
            return None
    return list(map(identity, found))


@functools.lru_cache(toolschemas.KEPT)
def _is_usable(written: bytes) -> bool:
    try:
        tool = jsontext.parse(written)
    except jsontext.NotJson:
        return False
    return isinstance(tool, dict) and toolschemas.fault(tool) is None


KIND = Kind(
    "prompt", "corpus-record-v1", frozenset(("user",)), MAX_LINE_BYTES, _rules, identity, "the same prompt as",
    lambda record: texts(record)[0], _bulk,
)  # fmt: skip


def distribution(rows: list[Prompt]) -> dict[str, object]:
    """Counts for a dataset card: rows, tags, prompts that require JSON, and prompt lengths in characters."""
    lengths = sorted(len(row["user"]) for row in rows)
    return {
        "rows": len(rows),
        "requires_json": sum(bool(row.get("requires_json")) for row in rows),
        "tags": dict(sorted(Counter(tag for row in rows for tag in row.get("tags", [])).items())),
        "user_characters": {
            "min": lengths[0],
            "median": lengths[len(lengths) // 2],
            "max": lengths[-1],
        },
    }
