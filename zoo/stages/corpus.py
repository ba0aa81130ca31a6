"""corpus: the zoo's own prompt and text files, checked and copied as clean text, with counts for the cards."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema

from catalog import corpora, jsontext, unseen
from catalog.problems import Problem, show
from catalog.schema import violations
from zoo.errors import InputError
from zoo.files.whole import write_atomic
from zoo.stages import Context, Facts

MAX_LINE_BYTES = 64 * 1024


def run(context: Context) -> Facts:
    """Writes ``PART/NUMBER-NAME`` for every file, in UTF-8 with line feeds and without a byte order mark.

    facts hold paths, rows and distributions per part.
    """
    facts: Facts = {}
    for part, files in context.spec.items():
        facts[part] = []
        for number, file in enumerate(files):
            source = context.root / file["path"]
            name = f"{part}/{number:02d}-{source.name}"
            raw = source.read_bytes()
            entry = {**file, "name": name, "size_bytes": len(raw)}
            text, left_out = corpora.clean(_text(raw, file["path"]))
            if left_out:
                context.report.say(f"{file['path']}: read without {' and '.join(left_out)}")
            if source.suffix == ".jsonl":
                entry |= distribution(read_prompts(source, file["path"]))
            else:
                entry["characters"] = len(_measurable(text, file["path"]))
            write_atomic(context.out / name, text)
            facts[part].append(entry)
    return facts


def read_prompts(path: Path, shown_as: str) -> list[dict[str, Any]]:
    """The records of a prompt file. Raises InputError with every bad line."""
    rows, problems = parse_prompts(path.read_bytes(), shown_as)
    if problems:
        raise InputError("\n".join([f"{len(problems)} problems in {shown_as}", *map(str, problems[:20])]))
    return rows


def parse_prompts(raw: bytes, shown_as: str) -> tuple[list[dict[str, Any]], list[Problem]]:
    """The sound records of JSON Lines text and the problems of the others. Pure."""
    rows: list[dict[str, Any]] = []
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(raw.removeprefix(corpora.BOM.encode()).splitlines(), 1):
        if not line.strip():
            continue
        for what, instead in _line_faults(line, rows, seen, number):
            problems.append(Problem(shown_as, number, 1, f"line {number}", what, instead))
    if not rows and not problems:
        problems.append(
            Problem(shown_as, 1, 1, "", "the file has no records", "Write one JSON object per line")
        )
    return rows, problems


def _line_faults(
    line: bytes, rows: list[dict[str, Any]], seen: dict[str, int], number: int
) -> Iterator[tuple[str, str]]:
    if len(line) > MAX_LINE_BYTES:
        yield f"longer than {MAX_LINE_BYTES} bytes", "Shorten the prompt"
        return
    try:
        row = jsontext.parse(line)
    except jsontext.NotJson as error:
        yield f"not a JSON object in UTF-8 ({str(error)[:80]})", "Write one JSON object per line"
        return
    faults = violations(row, "corpus-record-v1")
    if not faults and "tool_schema" in row:
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
        texts = [(name, _blank(row.get(name))) for name in ("user", "system_hint")]
        faults = [f"{name}: {why}" for name, why in texts if why]
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
    """What is wrong with a text of a prompt that the schema found sound."""
    if text is None:
        return None
    if unseen.blank(text):
        return "the prompt is empty: nothing in it can be seen"
    return "U+0000 (NUL) is in the text" if "\x00" in text else None


def distribution(rows: list[dict[str, Any]]) -> Facts:
    """Counts for a dataset card: rows, tags, prompts that ask for JSON, and prompt lengths in characters."""
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


def _measurable(text: str, shown_as: str) -> str:
    if fault := corpora.text_fault(text):
        what, instead, offset = fault
        line = text.count("\n", 0, offset) + 1
        raise InputError(what, where=f"{shown_as}:{line}", remedy=instead)
    return text


def _text(raw: bytes, shown_as: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(
            "not UTF-8 text", where=f"{shown_as}:{line}", remedy="Save the file as UTF-8"
        ) from error
