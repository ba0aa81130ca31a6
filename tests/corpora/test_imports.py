"""Conversations in the forms of others: what becomes of them, by the same rules, and what is said of what is lost."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from corpussamples import LIGHTS, call, conversation, write
from test_conversations import CHANGES, faults

from zoo.corpora import check, prompts
from zoo.corpora.imports import files
from zoo.corpora.imports.files import Imported
from zoo.corpora.imports.forms import FORMS
from zoo.errors import InputError
from zoo.templates.renderer import Renderer

STARTER = Path(__file__).parents[2] / "recipes/corpora/starter/conversations.train.jsonl"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in STARTER.read_text(encoding="utf-8").splitlines()]
PAIR = {"prompt": "Why?", "completion": "Because."}
TURNS = {"system": "system", "user": "human", "assistant": "gpt", "tool": "tool"}


def imported(folder: Path, form: str, *rows: object) -> tuple[list[dict[str, Any]], Imported]:
    source, out = write(folder / "theirs.jsonl", *rows), folder / "ours.jsonl"
    out.unlink(missing_ok=True)
    found = files.import_([check.File(source, "theirs.jsonl")], FORMS[form], out)
    assert not check.check([check.File(out, "ours.jsonl")]).problems
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()], found


def refused(folder: Path, form: str, row: object) -> tuple[int, str, str]:
    """The first problem of a row that follows one that can be imported."""
    first = {"bfcl": BFCL, "openai": conversation(), "hermes": HERMES, "pairs": PAIR}[form]
    rows, found = imported(folder, form, first, row)
    assert len(rows) == 1 and found.left_out == 1
    return found.problems[0].line, found.problems[0].path, found.problems[0].what


def on_the_wire(record: dict[str, Any]) -> dict[str, Any]:
    """A conversation as a server with the API of OpenAI has it: arguments as text."""
    made = json.loads(json.dumps(record))
    for message in made["messages"]:
        for one in message.get("tool_calls") or ():
            if not isinstance(one["function"]["arguments"], str):
                one["function"]["arguments"] = json.dumps(one["function"]["arguments"])
    return made  # type: ignore[no-any-return]  # by json


def without_empty(record: dict[str, Any], *others: str) -> dict[str, Any]:
    made = json.loads(json.dumps(record))
    for message in made["messages"]:
        for key in [key for key, value in message.items() if key in others or value in (None, "")]:
            del message[key]
        for one in message.get("tool_calls", ()):
            for key in others:
                one.pop(key, None)
    return made  # type: ignore[no-any-return]  # by json


def test_every_conversation_of_the_project_comes_back_from_the_wire(tmp_path: Path) -> None:
    rows, found = imported(tmp_path, "openai", *map(on_the_wire, ROWS))
    assert len(rows) == len(ROWS) >= 40 and not (found.left_out or found.dropped)
    assert [without_empty(row) for row in rows] == [without_empty(row) for row in ROWS]


@pytest.mark.parametrize("name", CHANGES)
def test_the_rules_are_those_of_every_conversation(name: str, tmp_path: Path) -> None:
    record = conversation()
    record["tools"] = [json.loads(json.dumps(LIGHTS))]
    CHANGES[name][0](record)
    if name in ("arguments as text", "answer without a call"):
        return  # On the wire arguments are text, and a list without calls says nothing.
    line, path, what = refused(tmp_path, "openai", on_the_wire(record))
    assert (line, (path, what)) == (2, faults(record)[0])


def test_older_and_other_keys_of_the_wire(tmp_path: Path) -> None:
    older = {
        "messages": [
            {"role": "developer", "content": [{"type": "text", "text": "Be "}, {"type": "text", "text": "brief."}]},
            {"role": "user", "content": "Turn it on.", "name": "ann"},
            {"role": "assistant", "content": None, "refusal": None, "function_call": {"name": "f", "arguments": ""}},
            {"role": "function", "name": "f", "content": "on"},
            {"role": "assistant", "content": '{"ok": true}', "weight": 1, "tool_calls": []},
        ],
        "functions": [{"name": "f", "parameters": {"type": "object"}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"required": ["ok"]}}},
        "parallel_tool_calls": False,
    }  # fmt: skip
    (row,), found = imported(tmp_path, "openai", older)
    assert row["messages"][0] == {"role": "system", "content": "Be brief."}
    assert row["messages"][2]["tool_calls"] == [{"type": "function", "function": {"name": "f", "arguments": {}}}]
    assert row["messages"][3] == {"role": "tool", "content": "on", "name": "f"}
    assert row["answer_schema"] == {"required": ["ok"]} and "tool_calls" not in row["messages"][4]
    assert [(note.line, note.path) for note in found.notes] == [
        (1, "messages[0].role"), (1, "messages[1].name"), (1, "messages[3].role"), (1, "messages[4].weight"),
        (1, "response_format.json_schema.name"), (1, "parallel_tool_calls"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "path", "what"),
    [
        (lambda r: r["messages"][1]["tool_calls"][0]["function"].update(arguments='"{}"'),
         "messages[1].tool_calls[0].function.arguments", 'the arguments are "{}", not an object'),
        (lambda r: r["messages"][1]["tool_calls"][0]["function"].update(arguments='{"a": 1, "a": 2}'),
         "messages[1].tool_calls[0].function.arguments", "the arguments are not JSON: key 'a' is written twice"),
        (lambda r: r["messages"][0].update(content=[{"type": "image_url", "image_url": {"url": "x"}}]),
         "messages[0].content[0].type", '"image_url" is not text'),
        (lambda r: r["messages"][1].update(tool_calls=[{"type": "custom", "custom": {}}]),
         "messages[1].tool_calls[0].function", "the key is missing"),
        (lambda r: r.update(messages="x"), "messages", '"x" is not a list'),
        (lambda r: r["messages"].insert(0, 5), "messages[0]", "5 is not an object"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_left_out_with_its_place(change: Any, path: str, what: str, tmp_path: Path) -> None:
    record = on_the_wire(conversation())
    change(record)
    assert refused(tmp_path, "openai", record) == (2, path, what)


def turns(name: str, record: dict[str, Any]) -> list[dict[str, str]]:
    """A conversation as the turns that a real template writes."""
    messages = [{**message, "content": message.get("content") or ""} for message in record["messages"]]
    template = pytest.importorskip("llamasource").template(name)
    with Renderer(template, special={"bos_token": "", "eos_token": ""}, source=name) as renderer:
        text = renderer.render(messages, tools=record["tools"], add_generation_prompt=False)
    found = re.findall(r"<\|im_start\|>(\w+)\n(.*?)\n?<\|im_end\|>", text, re.DOTALL)
    return [{"from": TURNS[role], "value": value} for role, value in found]


@pytest.mark.parametrize("name", ["NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use", "Qwen-Qwen2.5-7B-Instruct"])
def test_conversations_come_back_from_real_templates(name: str, tmp_path: Path) -> None:
    # Qwen's template adds a system prompt where there is none.
    asked = [row for row in ROWS if "tools" in row and row["messages"][0]["role"] == "system"][::3]
    written = [{"conversations": turns(name, row)} for row in asked]
    if "Hermes" in name:
        # This template leaves out a brace after each tool, so the tools come beside the turns.
        written = [
            {"conversations": one["conversations"][1:], "tools": json.dumps(row["tools"])}
            for one, row in zip(written, asked, strict=True)
        ]
    rows, found = imported(tmp_path, "hermes", *written)
    assert len(rows) == len(asked) > 3 and not found.left_out
    for row, before in zip(rows, asked, strict=True):
        assert row["tools"] == before["tools"]
        assert said(row) == said(before)
    assert all(note.what.endswith("which a chat template writes itself") for note in found.notes)


def said(record: dict[str, Any]) -> list[Any]:
    """The turns without what these templates do not have: ids, and the names of tools that answer."""
    return without_empty(record, "id", "tool_call_id", "name")["messages"]  # type: ignore[no-any-return]  # by json


PROMPT = (
    "Tu es poli.\nYou are a function calling AI model. Signatures are within <tools></tools> XML tags.\n"
    f"<tools> [{LIGHTS!r}] </tools>\nCalls are within <tool_call></tool_call> tags:\n<tool_call>\n"
    "{'arguments': <args-dict>, 'name': <function-name>}\n</tool_call>\nToday is Monday."
)
HERMES = {
    "conversations": [
        {"from": "system", "value": PROMPT},
        {"from": "human", "value": "Les deux, svp."},
        {"from": "gpt", "value": "Voilà.\n<tool_call>\n{'arguments': {'room': 'hall', 'state': 'on'}, 'name': "
         "'control_light'}\n</tool_call>\n<tool_call>{\"name\": \"control_light\", \"arguments\": {\"room\": \"bath\", "
         "\"state\": \"off\"}}</tool_call>"},
        {"from": "tool", "value": "<tool_response>{\"name\": \"control_light\", \"content\": {\"ok\": true}}"
         "</tool_response><tool_response>done</tool_response>"},
        {"from": "gpt", "value": "C’est fait."},
    ],
}  # fmt: skip


def test_data_as_python_writes_it_and_two_calls_of_a_turn(tmp_path: Path) -> None:
    (row,), found = imported(tmp_path, "hermes", {**HERMES, "tools": json.dumps([LIGHTS]), "category": "lights"})
    assert row["tools"] == [LIGHTS]
    assert row["messages"][0]["content"] == "Tu es poli.\n\nToday is Monday."
    first, second = row["messages"][2]["tool_calls"]
    assert row["messages"][2]["content"] == "Voilà."
    assert first["function"]["arguments"] == {"room": "hall", "state": "on"}
    answers = row["messages"][3:5]
    assert [one["tool_call_id"] for one in answers] == [first["id"], second["id"]] and first["id"] != second["id"]
    assert [one["content"] for one in answers] == ['{"ok": true}', "done"]
    assert [note.path for note in found.notes] == ["conversations[0].value", "category"]


@pytest.mark.parametrize(
    ("turn", "value", "what"),
    [
        (2, "<tool_call>{}", "<tool_call> has no </tool_call>"),
        (2, "<tool_call>" * 40_000, "<tool_call> has no </tool_call>"),
        (2, "<tool_call>__import__('os')</tool_call>", "the call is not a JSON object: \"__import__('os')\""),
        (2, "<tool_call>" + "(" * 4000 + "</tool_call>", "the call is not a JSON object: "),
        (2, "<tool_call>{1: 2}</tool_call>", "the call is not a JSON object: \"{1: 2}\""),
        (0, "<tools>{]</tools>", "the tools are not JSON"),
        (3, "on", "the call of control_light has no answer before messages[4]"),
    ],
)  # fmt: skip
def test_turns_that_cannot_be_read_are_left_out(turn: int, value: str, what: str, tmp_path: Path) -> None:
    row = json.loads(json.dumps(HERMES))
    row["conversations"][turn]["value"] = value
    line, _, found = refused(tmp_path, "hermes", row)
    assert line == 2 and found.startswith(what), found


BFCL = {
    "id": "simple_0",
    "question": [[{"role": "system", "content": "Be exact."}, {"role": "user", "content": "Area of 10 by 5?"}]],
    "function": [{
        "name": "geometry.area", "description": "Area of a triangle.",
        "parameters": {
            "type": "dict", "required": ["base"],
            "properties": {
                "base": {"type": "float"}, "sides": {"type": "tuple", "items": {"type": "long"}},
                "more": {"type": "any"}, "type": {"type": "String"},
            },
        },
    }],
    "ground_truth": [{"geometry.area": {"base": [10]}}],
}  # fmt: skip


def test_questions_of_the_leaderboard_become_prompts(tmp_path: Path) -> None:
    (row,), found = imported(tmp_path, "bfcl", BFCL)
    assert row == {
        "user": "Area of 10 by 5?", "system_hint": "Be exact.", "requires_json": True, "tool_name": "geometry_area",
        "tool_schema": {
            "description": "Area of a triangle.", "type": "object", "required": ["base"],
            "properties": {
                "base": {"type": "number"}, "sides": {"type": "array", "items": {"type": "integer"}}, "more": {},
                "type": {"type": "string"},
            },
        },
    }  # fmt: skip
    assert [note.path for note in found.notes] == ["function[0].name", "id", "ground_truth"]
    assert prompts.read_prompts(tmp_path / "ours.jsonl", "ours.jsonl")


@pytest.mark.parametrize(
    ("change", "path", "what"),
    [
        ({"question": [[{"role": "user", "content": "a"}]] * 2}, "question", "2 turns, of which each needs"),
        ({"question": [[{"role": "assistant", "content": "a"}]]}, "question", "the roles are assistant"),
        ({"question": []}, "question", "the roles are none"),
        ({"function": BFCL["function"] * 2}, "function", "2 tools, and a prompt asks for the arguments of one"),  # type: ignore[operator]  # a list
        ({"function": [{"name": "f", "parameters": {"type": "blob"}}]}, "function[0].parameters.type", '"blob" is'),
        ({"function": [{"name": "f", "parameters": {"type": "dict", "properties": {"a": 5}}}]}, "tool_schema", "not a"),
        ({"question": [[{"role": "user", "content": "\u200b"}]]}, "user", "the prompt is empty"),
    ],
)  # fmt: skip
def test_questions_that_are_no_prompt_are_left_out(change: Any, path: str, what: str, tmp_path: Path) -> None:
    line, place, found = refused(tmp_path, "bfcl", BFCL | change)
    assert (line, place) == (2, path) and found.startswith(what), found


def test_nothing_is_written_of_a_file_of_another_form(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", conversation(), {"x": 1})
    with pytest.raises(InputError, match="no line is a record of this form"):
        files.import_([check.File(source, "a.jsonl")], FORMS["hermes"], tmp_path / "out.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]
    with pytest.raises(InputError, match="exists already"):
        files.import_([check.File(source, "a.jsonl")], FORMS["openai"], source)


def test_lines_that_are_no_records_are_named_and_the_list_has_a_limit(tmp_path: Path) -> None:
    source = tmp_path / "a.jsonl"
    good = json.dumps(on_the_wire(conversation() | {"x": 1})).encode()
    twice, half, number = b'{"messages": 1, "messages": 2}', b'{"messages": "\\ud800"}', b'{"messages": [{"role": 1}]}'
    bad = [b"[1]", twice, half, b"\xff", number]
    source.write_bytes(b"\xef\xbb\xbf" + b"\n".join([good, *bad, b"", good + b'{"a']) + b"\n" + b"x" * (2 << 20))
    found = files.import_([check.File(source, "a.jsonl")], FORMS["openai"], tmp_path / "b.jsonl", most=3)
    assert (found.records, found.left_out, found.dropped, len(found.notes)) == (1, 7, 1, 1)
    assert [problem.line for problem in found.problems] == [2, 3, 4]
    assert call() and json.loads((tmp_path / "b.jsonl").read_bytes())["tools"] == [LIGHTS]


@pytest.mark.parametrize(
    ("row", "turns"),
    [
        (PAIR, ["Why?", "Because."]),
        ({"prompt": "2+2 =", "completion": " 4"}, ["2+2 =", "4"]),
        ({"instruction": "Count.", "input": "", "output": "1"}, ["Count.", "1"]),
        ({"instruction": "Sum up.", "input": "A text.", "output": "T."}, ["Sum up.\n\nA text.", "T."]),
        ({"system": "Be kind.", "question": "Q?", "answer": "A."}, ["Be kind.", "Q?", "A."]),
        ({"user": "Q?", "response": "A."}, ["Q?", "A."]),
    ],
)
def test_a_question_with_its_answer_is_a_conversation(
    row: dict[str, Any], turns: list[str], tmp_path: Path
) -> None:
    (made,), found = imported(tmp_path, "pairs", {**row, "tags": ["lang:en"], "score": 3})
    assert [one["content"] for one in made["messages"]] == turns
    assert [one["role"] for one in made["messages"]][-2:] == ["user", "assistant"] and made["tags"] == ["lang:en"]
    assert [note.path for note in found.notes] == ["score"], "what is lost is listed"


@pytest.mark.parametrize(
    ("row", "path", "what"),
    [
        ({"prompt": "Why?"}, "completion", "the key is missing"),
        ({"completion": "Because."}, "prompt", "the key is missing"),
        ({"prompt": [{"role": "user", "content": "Why?"}], "completion": "Because."}, "prompt", "is not text"),
        ({"prompt": "Why?", "completion": "  "}, "messages[1].content", "the answer is empty"),
    ],
)
def test_half_a_pair_is_left_out_with_its_line(row: dict[str, Any], path: str, what: str, tmp_path: Path) -> None:
    line, place, found = refused(tmp_path, "pairs", row)
    assert (line, place) == (2, path) and what in found
