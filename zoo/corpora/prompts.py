"""Prompt files: JSON Lines, every line checked, and their counts for a card."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NotRequired, TypedDict

from catalog import corpora, jsontext, plainfiles, unseen
from catalog.problems import LIMIT, Problem, show
from catalog.schema import violations
from catalog.shapes import shaped
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


def read_prompts(path: Path, shown_as: str) -> list[Prompt]:
    """The records of a prompt file. Raises InputError with every bad line."""
    return sound_prompts(plainfiles.read_bounded(path, plainfiles.MOST_CORPUS_BYTES), shown_as)


def sound_prompts(raw: bytes, shown_as: str) -> list[Prompt]:
    """The records in the bytes of a prompt file. Raises InputError with every bad line."""
    rows, problems = parse_prompts(raw, shown_as)
    if problems:
        raise InputError("\n".join([f"{len(problems)} problems in {shown_as}", *map(str, problems[:20])]))
    return rows


def parse_prompts(raw: bytes, shown_as: str) -> tuple[list[Prompt], list[Problem]]:
    """The valid records of JSON Lines text and the problems of the others: the first LIMIT, with one that says that the
    lines after it were not checked. Pure.
    """
    rows: list[Prompt] = []
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(raw.removeprefix(corpora.BOM.encode()).splitlines(), 1):
        if not line.strip():
            continue
        for what, instead in _line_faults(line, rows, seen, number):
            problems.append(Problem(shown_as, number, 1, f"line {number}", what, instead))
        if len(problems) >= LIMIT:
            what = "the lines after this one were not checked, because so many have problems"
            problems.append(Problem(shown_as, number, 1, f"line {number}", what, "Fix the lines above first"))
            break
    if not rows and not problems:
        problems.append(
            Problem(shown_as, 1, 1, "", "the file has no records", "Write one JSON object per line")
        )
    return rows, problems


def _line_faults(
    line: bytes, rows: list[Prompt], seen: dict[str, int], number: int
) -> Iterator[tuple[str, str]]:
    if len(line) > MAX_LINE_BYTES:
        yield f"longer than {MAX_LINE_BYTES} bytes", "Shorten the prompt"
        return
    try:
        told = jsontext.parse(line)
    except jsontext.NotJson as error:
        yield f"not a JSON object in UTF-8 ({str(error)[:80]})", "Write one JSON object per line"
        return
    faults = violations(told, "corpus-record-v1")
    row: Prompt = {"user": ""} if faults else shaped(told, Prompt)
    if "tool_schema" in row:
        # Only here: its import takes longer than the check of an ordinary file.
        from catalog.lightschema import jsonschema

        try:
            jsonschema.Draft202012Validator.check_schema(row["tool_schema"])
        except jsonschema.SchemaError as error:
            faults = [f"tool_schema: not a JSON Schema ({error.message[:80]}). See https://json-schema.org"]
        if "$ref" in json.dumps(row["tool_schema"]):
            # A reference could name another host, or nothing at all; a tool's arguments need none.
            faults = ["tool_schema: references are not allowed. Write the schema out"]
    for fault in faults:
        what, _, instead = fault.partition(". ")
        yield what, instead.rstrip(".")
    if not faults:
        texts = {"user": _blank(row["user"]), "system_hint": _blank(row.get("system_hint"))}
        faults = [f"{name}: {why}" for name, why in texts.items() if why]
        for fault in faults:
            yield fault, "Write the text, or delete the line"
    if faults:
        return
    key = corpora.prompt_key(row["user"], row.get("system_hint"))
    if key in seen:
        yield f"the same prompt as line {seen[key]}: {show(row['user'])}", "Delete one of the two"
        return
    seen[key] = number
    rows.append(row)


def _blank(text: str | None) -> str | None:
    """What is wrong with a text of a prompt that follows the schema."""
    if text is None:
        return None
    if unseen.blank(text):
        return "the prompt is empty: nothing in it can be seen"
    return "U+0000 (NUL) is in the text" if "\x00" in text else None


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
