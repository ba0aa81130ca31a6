"""Records of the project with one fault each, of twenty kinds: every one is found on its line, at its place, and no
other line is complained about."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zoo.corpora import check

STARTER = Path(__file__).parents[2] / "recipes/corpora/starter"
Record = dict[str, Any]
Fault = Callable[[Record, random.Random], str]
"""Damages a record, and says the place of the fault."""


def rows(name: str) -> list[Record]:
    return [json.loads(line) for line in (STARTER / name).read_text(encoding="utf-8").splitlines()]


PROMPTS = rows("prompts.train.jsonl")
TALKS = [row for row in rows("conversations.train.jsonl") if any(one.get("tool_calls") for one in row["messages"])]


def called(record: Record) -> tuple[int, Record]:
    """The first message that calls a tool, with its place."""
    return next((number, one) for number, one in enumerate(record["messages"]) if one.get("tool_calls"))


def put(place: str, **values: Any) -> Fault:
    return lambda record, _: (record.update(copy.deepcopy(values)), place)[1]


def without(key: str, place: str) -> Fault:
    return lambda record, _: (record.pop(key), place)[1]


def renamed(record: Record, chance: random.Random) -> str:
    number, message = called(record)
    message["tool_calls"][0]["function"]["name"] += chance.choice(("s", "_x", "2"))
    return f"messages[{number}].tool_calls[0].function.name"


def as_text(record: Record, _: random.Random) -> str:
    number, message = called(record)
    function = message["tool_calls"][0]["function"]
    function["arguments"] = json.dumps(function["arguments"])
    return f"messages[{number}].tool_calls[0].function.arguments"


def unanswered(record: Record, _: random.Random) -> str:
    number, _message = called(record)
    del record["messages"][number + 1]
    return f"messages[{number}].tool_calls[0]"


def extra_argument(record: Record, _: random.Random) -> str:
    number, message = called(record)
    message["tool_calls"][0]["function"]["arguments"]["no such argument"] = 1
    return f"messages[{number}].tool_calls[0].function.arguments"


def other_id(record: Record, _: random.Random) -> str:
    number, _message = called(record)
    record["messages"][number + 1]["tool_call_id"] = "another"
    return f"messages[{number + 1}]"


def other_name(record: Record, _: random.Random) -> str:
    number, _message = called(record)
    record["messages"][number + 1]["name"] = "another"
    return f"messages[{number + 1}].name"


def no_end(record: Record, _: random.Random) -> str:
    record["messages"].pop()
    return f"messages[{len(record['messages']) - 1}]"


def late_system(record: Record, _: random.Random) -> str:
    record["messages"].append({"role": "system", "content": "Be brief."})
    return f"messages[{len(record['messages']) - 1}].role"


def twice(record: Record, _: random.Random) -> str:
    record["tools"].append(record["tools"][0])
    return f"tools[{len(record['tools']) - 1}].function.name"


def role(record: Record, chance: random.Random) -> str:
    place = chance.randrange(len(record["messages"]))
    record["messages"][place]["role"] = "teacher"
    return f"messages[{place}].role"


OF_PROMPTS: dict[str, Fault] = {
    "no user": without("user", ""), "user as number": put("user", user=5), "user empty": put("user", user=""),
    "user invisible": put("user", user="\u200b \u00ad"), "user with NUL": put("user", user="a\x00b"),
    "unknown key": put("usr", usr="x"), "tags as text": put("tags", tags="lang:en"),
    "tag twice": put("tags", tags=["a", "a"]), "JSON without a schema": put("", requires_json=True),
    "schema with a reference": put("tool_schema", requires_json=True, tool_schema={"$ref": "#/x"}),
    "schema without JSON": put("", tool_schema={"type": "object"}), "tool without schema": put("", tool_name="find"),
}  # fmt: skip
WITHOUT = {
    "JSON without a schema": ("tool_schema", "tool_name"), "schema without JSON": ("requires_json",),
    "tool without schema": ("tool_schema", "requires_json"),
}  # fmt: skip
"""Keys that a sound record may have, and the faulty one must not."""
OF_TALKS: dict[str, Fault] = {
    "undeclared tool": renamed, "arguments as text": as_text, "unanswered call": unanswered,
    "extra argument": extra_argument, "answer to another call": other_id, "answer of another tool": other_name,
    "no last answer": no_end, "late system message": late_system, "tool twice": twice, "unknown role": role,
}  # fmt: skip
KINDS = {**{name: (PROMPTS, fault) for name, fault in OF_PROMPTS.items()},
         **{name: (TALKS, fault) for name, fault in OF_TALKS.items()}}  # fmt: skip


def mutants(name: str, count: int, folder: Path) -> None:
    chance, (sound, fault) = random.Random(name), KINDS[name]
    lines, wanted = [], {}
    for number in range(count):
        good, bad = (copy.deepcopy(chance.choice(sound)) for _ in range(2))
        for row, mark in ((good, "good"), (bad, "bad")):
            # Each record is another one.
            asked = next((one for one in row.get("messages", ()) if one["role"] == "user"), row)
            asked["content" if "messages" in row else "user"] += f" ({mark} {number})"
        for key in WITHOUT.get(name, ()):
            bad.pop(key, None)
        place = fault(bad, chance)
        lines += [good, bad]
        wanted[len(lines)] = place
    path = folder / "a.jsonl"
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    found: dict[int, list[str]] = {}
    for problem in check.check([check.File(path, "a.jsonl")], most=100_000).problems:
        found.setdefault(problem.line, []).append(problem.path)
        assert problem.instead and "reference page" not in problem.instead, problem
    assert found.keys() == wanted.keys()
    for line, place in wanted.items():
        assert place in found[line], (lines[line - 1], place, found[line])


@pytest.mark.parametrize("name", KINDS)
def test_a_fault_is_found_at_its_place(name: str, tmp_path: Path) -> None:
    mutants(name, 3, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("name", KINDS)
def test_a_hundred_faults_of_each_kind_are_found_at_their_place(name: str, tmp_path: Path) -> None:
    mutants(name, 100, tmp_path)
