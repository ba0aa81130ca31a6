"""Conversations with tools: every rule with the place of its fault, and what must pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from corpussamples import LIGHTS, call, conversation

from zoo.corpora import conversations, records

Change = Callable[[dict[str, Any]], object]
TWO = [call("1", room="hall", state="on"), call("2", room="bath", state="off")]


def faults(record: dict[str, Any]) -> list[tuple[str, str]]:
    found = records.read(json.dumps(record).encode(), conversations.KIND)
    assert (found.record is None) == bool(found.faults)
    return [(fault.path, fault.what) for fault in found.faults]


def two_calls(*answers: str) -> dict[str, Any]:
    """Two calls in one turn, and answers to the named ones."""
    record = conversation()
    record["messages"][1]["tool_calls"] = TWO
    record["messages"][2:3] = [{"role": "tool", "tool_call_id": id_, "content": "ok"} for id_ in answers]
    return record


def test_valid_conversations_pass() -> None:
    plain = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}
    system = {"messages": [{"role": "system", "content": "Be brief."}, *conversation()["messages"]], "tools": [LIGHTS]}
    answer = conversation() | {"answer_schema": {"type": "object", "required": ["ok"]}}
    answer["messages"][-1]["content"] = '{"ok": true}'
    for record in (conversation(), plain, system, answer, two_calls("2", "1")):
        assert faults(record) == []


CHANGES: dict[str, tuple[Change, str, str]] = {
    "system in the middle": (
        lambda r: r["messages"].insert(3, {"role": "system", "content": "x"}),
        "messages[3].role", "a system message is only allowed at the beginning",
    ),
    "two users": (
        lambda r: r["messages"].insert(0, {"role": "user", "content": "x"}),
        "messages[1].role", "two user messages follow each other",
    ),
    "two assistants": (
        lambda r: r["messages"].append({"role": "assistant", "content": "x"}),
        "messages[4].role", "two assistant messages follow each other",
    ),
    "assistant first": (
        lambda r: r["messages"].insert(0, {"role": "assistant", "content": "x"}),
        "messages[0].role", "the assistant speaks before the user",
    ),
    "no last answer": (lambda r: r["messages"].pop(), "messages[2]", "the conversation ends without an answer"),
    "dangling call": (
        lambda r: r["messages"].pop(2), "messages[1].tool_calls[0]", "the call of control_light has no answer before",
    ),
    "answer without a call": (
        lambda r: r["messages"][1].update(tool_calls=[], content="x"), "", "",
    ),
    "orphan": (
        lambda r: r["messages"].insert(3, {"role": "tool", "content": "x"}), "messages[3]", "this answers no open call",
    ),
    "unknown tool": (
        lambda r: r["messages"][1]["tool_calls"][0]["function"].update(name="control_lights"),
        "messages[1].tool_calls[0].function.name", "tool control_lights is not declared",
    ),
    "bad arguments": (
        lambda r: r["messages"][1]["tool_calls"][0]["function"]["arguments"].update(state="dim"),
        "messages[1].tool_calls[0].function.arguments", "the arguments do not follow the schema of control_light",
    ),
    "arguments as text": (
        lambda r: r["messages"][1]["tool_calls"][0]["function"].update(arguments='{"room": "a", "state": "on"}'),
        "messages[1].tool_calls[0].function.arguments", '"{\\"room\\"',
    ),
    "another name": (
        lambda r: r["messages"][2].update(name="other"), "messages[2].name", "the call was of control_light",
    ),
    "no content of the tool": (
        lambda r: r["messages"][2].pop("content"), "messages[2].content", "the tool's answer is missing",
    ),
    "declared twice": (
        lambda r: r["tools"].append(LIGHTS), "tools[1].function.name", "tool control_light is declared twice",
    ),
    "remote reference": (
        lambda r: r["tools"][0]["function"].update(parameters={"$ref": "http://127.0.0.1:9/x"}),
        "tools[0].function.parameters", 'the reference "http://127.0.0.1:9/x" names another document',
    ),
    "not JSON": (
        lambda r: r.update(answer_schema={"type": "object"}), "messages[3].content", "the answer is not JSON",
    ),
    "calls of a user": (
        lambda r: r["messages"][0].update(tool_calls=[call(room="a", state="on")]),
        "messages[0].tool_calls", "only the assistant calls tools",
    ),
    "empty answer": (lambda r: r["messages"][3].update(content=" "), "messages[3].content", "the answer is empty"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_broken_rule_is_named_with_its_place(name: str) -> None:
    change, path, what = CHANGES[name]
    record = json.loads(json.dumps(conversation()))
    change(record)
    found = faults(record)
    assert found and (found[0][0] == path or not path) and found[0][1].startswith(what), found


def test_ids_decide_which_call_is_answered() -> None:
    assert faults(two_calls("1")) == [
        ("messages[1].tool_calls[1]", "the call of control_light has no answer before messages[3]")
    ]
    assert faults(two_calls("1", "2", "1")) == [("messages[4]", "the call '1' has an answer already")]
    assert faults(two_calls("1", "2", "3")) == [("messages[4]", "this answers no open call")]
    twice = two_calls("1")
    twice["messages"][1]["tool_calls"] = [TWO[0], TWO[0]]
    assert ("messages[1].tool_calls[1].id", "id '1' is used twice") in faults(twice)
    without = two_calls("1", "2")
    del without["messages"][2]["tool_call_id"]
    assert faults(without)[0] == ("messages[2]", "tool_call_id is missing, and several calls are open")
