"""Conversations with tools, as transformers and TRL read them: the rules that no schema can say. Pure.

Servers differ on a conversation that breaks them: one refuses it, another lets the model invent a tool's answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NotRequired, TypedDict, cast

from catalog import jsontext, toolschemas
from catalog.jsontext import Json, JsonObject
from catalog.problems import did_you_mean
from zoo.corpora import records
from zoo.corpora.records import Fault, Identity, Kind
from zoo.files.digests import canonical_json

MOST_BYTES = 1 << 20


class Function(TypedDict):
    """A function that is called, with its arguments as an object."""

    name: str
    arguments: JsonObject


class Call(TypedDict):
    """One call of a tool."""

    function: Function
    id: NotRequired[str]


class Message(TypedDict):
    """One turn."""

    role: str
    content: NotRequired[str | None]
    tool_calls: NotRequired[list[Call]]
    tool_call_id: NotRequired[str]
    name: NotRequired[str]


class Declared(TypedDict):
    """A function that the assistant may call."""

    name: str
    parameters: NotRequired[JsonObject]


class Tool(TypedDict):
    """A tool of a conversation."""

    function: Declared


class Conversation(TypedDict):
    """A record that follows the schema ``conversation-record-v1``."""

    messages: list[Message]
    tools: NotRequired[list[Tool]]
    answer_schema: NotRequired[JsonObject]


def _rules(record: JsonObject) -> Iterator[Fault]:
    # The schema was kept, and a check of every field again would take as long as all rules.
    conversation = cast("Conversation", record)
    walk = _Walk()
    yield from walk.declare(conversation.get("tools", []))
    answer = conversation.get("answer_schema")
    is_usable = answer is not None
    if answer is not None and (fault := toolschemas.fault(answer, local=True)):
        is_usable = False
        yield Fault("answer_schema", *fault)
    messages = conversation["messages"]
    for number, message in enumerate(messages):
        yield from walk.turn(number, message)
    yield from walk.end(messages)
    if answer is not None and is_usable:
        yield from _answer(messages, answer)


@dataclass
class _Walk:
    """What is known after some turns. open: the calls that wait for an answer, as (id, name, place)."""

    tools: dict[str, JsonObject | None] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    open: list[tuple[str | None, str, str]] = field(default_factory=list)
    before: str = ""
    has_question: bool = False

    def declare(self, tools: list[Tool]) -> Iterator[Fault]:
        for number, tool in enumerate(tools):
            place, function = f"tools[{number}].function", tool["function"]
            name, parameters = function["name"], function.get("parameters")
            if name in self.tools:
                yield Fault(f"{place}.name", f"tool {name} is declared twice", "Delete one, or rename it")
            if parameters is not None and (fault := toolschemas.fault(parameters, local=True)):
                yield Fault(f"{place}.parameters", *fault)
                parameters = None
            self.tools.setdefault(name, parameters)

    def turn(self, number: int, message: Message) -> Iterator[Fault]:
        place, role = f"messages[{number}]", message["role"]
        if role == "tool":
            yield from self._tool(place, message)
            self.before = role
            return
        if self.open:
            yield from self._unanswered(place)
        yield from _belongs(place, message, role)
        if role == "system":
            if number:
                yield Fault(f"{place}.role", "a system message is only allowed at the beginning", "Move it there")
        elif role == "user":
            if self.before == "user":
                yield Fault(f"{place}.role", "two user messages follow each other", "Join them, or add the answer")
            self.has_question = True
        else:
            yield from self._assistant(place, message)
        if role != "assistant":
            yield from records.text_fault(message.get("content") or "", f"{place}.content", "message")
        self.before = role

    def _assistant(self, place: str, message: Message) -> Iterator[Fault]:
        if self.before == "assistant":
            yield Fault(f"{place}.role", "two assistant messages follow each other", "Join them")
        elif not self.has_question:
            yield Fault(f"{place}.role", "the assistant speaks before the user", "Begin with the user's question")
        calls = message.get("tool_calls", [])
        content = message.get("content")
        if not calls or content:
            yield from records.text_fault(content or "", f"{place}.content", "answer")
        for number, call in enumerate(calls):
            yield from self._call(f"{place}.tool_calls[{number}]", call, alone=len(calls) == 1)

    def _call(self, place: str, call: Call, *, alone: bool) -> Iterator[Fault]:
        name, arguments, id_ = call["function"]["name"], call["function"]["arguments"], call.get("id")
        if id_ is None and not alone:
            yield Fault(place, "the id is missing, and other calls are open", "Give every call of a turn an id")
        elif id_ is not None and id_ in self.ids:
            yield Fault(f"{place}.id", f"id {id_!r} is used twice", "Give every call an id of its own")
        if id_ is not None:
            self.ids.add(id_)
        self.open.append((id_, name, place))
        if name not in self.tools:
            near = did_you_mean(name, self.tools)
            known = ", ".join(self.tools) or "none"
            instead = f"Did you mean {near}?" if near else f"Declare it under tools; declared: {known}"
            yield Fault(f"{place}.function.name", f"tool {name} is not declared", instead)
            return
        parameters = self.tools[name]
        if parameters is not None and (why := toolschemas.mismatch(parameters, arguments)):
            what = f"the arguments do not follow the schema of {name}: {why[:160]}"
            yield Fault(f"{place}.function.arguments", what, "Change the arguments or the schema")

    def _tool(self, place: str, message: Message) -> Iterator[Fault]:
        if message.get("tool_calls"):
            yield Fault(f"{place}.tool_calls", "only the assistant calls tools", "Delete the key")
        yield from _content(place, message)
        id_ = message.get("tool_call_id")
        found = next((one for one in self.open if id_ is None or one[0] == id_), None)
        if found is None:
            answered = id_ is not None and id_ in self.ids
            what = f"the call {id_!r} has an answer already" if answered else "this answers no open call"
            yield Fault(place, what, "Delete it, or add the call before it")
            return
        if id_ is None and len(self.open) > 1:
            yield Fault(place, "tool_call_id is missing, and several calls are open", "Name the call that it answers")
        elif id_ is None and found[0] is not None:
            yield Fault(place, f"tool_call_id is missing; the call has id {found[0]!r}", "Add it")
        self.open.remove(found)
        name = message.get("name")
        if name is not None and name != found[1]:
            yield Fault(f"{place}.name", f"the call was of {found[1]}, not of {name}", f"Write {found[1]}")

    def _unanswered(self, place: str) -> Iterator[Fault]:
        for _, name, called in self.open:
            yield Fault(called, f"the call of {name} has no answer before {place}", "Add the tool's answer after it")
        self.open.clear()

    def end(self, messages: list[Message]) -> Iterator[Fault]:
        if self.open:
            yield from self._unanswered("the end")
        if not self.has_question:
            yield Fault("messages", "there is no user message", "Add the question")
        last = messages[-1]
        if last["role"] != "assistant" or last.get("tool_calls"):
            yield Fault(
                f"messages[{len(messages) - 1}]", "the conversation ends without an answer of the assistant",
                "Add the last answer",
            )  # fmt: skip


def _belongs(place: str, message: Message, role: str) -> Iterator[Fault]:
    """Keys that only another role has."""
    if role != "assistant" and message.get("tool_calls"):
        yield Fault(f"{place}.tool_calls", "only the assistant calls tools", "Delete the key")
    for key in ("tool_call_id", "name"):
        if key in message:
            yield Fault(f"{place}.{key}", "only a tool's answer has this key", "Delete the key")


def _content(place: str, message: Message) -> Iterator[Fault]:
    if message.get("content") is None:
        yield Fault(f"{place}.content", "the tool's answer is missing", 'Write what the tool returned, or ""')


def _answer(messages: list[Message], schema: JsonObject) -> Iterator[Fault]:
    last = messages[-1]
    content = last.get("content")
    if last["role"] != "assistant" or not content:
        return
    place = f"messages[{len(messages) - 1}].content"
    try:
        data: Json = jsontext.parse(content, bounded=False)
    except jsontext.NotJson as error:
        yield Fault(place, f"the answer is not JSON: {error.what}", "Write JSON that follows answer_schema")
        return
    if why := toolschemas.mismatch(schema, data):
        what = f"the answer does not follow answer_schema: {why[:160]}"
        yield Fault(place, what, "Change the answer or the schema")


def _identity(record: JsonObject) -> Identity:
    return (canonical_json([record["messages"], record.get("tools")]),)


def _shown(record: JsonObject) -> str:
    messages = cast("Conversation", record)["messages"]
    return "\n".join(message.get("content") or "" for message in messages if message["role"] == "user")


KIND = Kind(
    "conversation", "conversation-record-v1", frozenset(("messages",)), MOST_BYTES, _rules, _identity,
    "the same conversation as", _shown,
)  # fmt: skip
