"""Rows of a labelled corpus: the question to the teacher, its answer, and whether the answer is valid. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict, cast

from catalog import jsontext, toolschemas
from catalog.jsontext import JsonObject
from zoo.corpora.prompts import Prompt
from zoo.corpora.records import Fault, Kind
from zoo.files.digests import canonical_json


@dataclass(frozen=True)
class Row:
    """One prompt: part is train or heldout, number its line among the part's records."""

    key: str
    part: str
    number: int
    messages: tuple[tuple[str, str], ...]
    schema: Mapping[str, object] | None
    tags: tuple[str, ...]

    @property
    def conversation(self) -> list[dict[str, str]]:
        """The messages as a chat template takes them."""
        return [{"role": role, "content": content} for role, content in self.messages]


@dataclass(frozen=True)
class Answer:
    """finish: ``stop`` or ``length`` (cut at max_tokens); invalid: why the answer was refused, "" if it is valid."""

    key: str
    text: str
    finish: str
    tokens: int
    attempts: int
    invalid: str


def messages_of(record: Prompt, default_system: str | None) -> tuple[tuple[str, str], ...]:
    """The conversation that the teacher must answer. The system prompt of a row with JSON asks for it."""
    parts = [record.get("system_hint") or default_system or ""]
    if record.get("requires_json"):
        tool = f" with the arguments of the tool {record['tool_name']}" if record.get("tool_name") else ""
        parts.append(
            f"Answer{tool} as JSON of this schema and nothing else: {canonical_json(record['tool_schema'])}"
        )
    system = "\n".join(part for part in parts if part)
    user = (("user", str(record["user"])),)
    return (("system", system), *user) if system else user


def invalid(text: str, finish: str, schema: Mapping[str, object] | None) -> str:
    """Why an answer is refused, "" if it is valid."""
    if not text:
        return "the answer is empty"
    if "�" in text and finish != "length":
        return "the answer is not UTF-8"
    if schema is None:
        return ""
    try:
        data = jsontext.parse(text, bounded=False)
    except jsontext.NotJson as error:
        return f"the answer is not JSON: {error.what}" + (
            " (cut at max_tokens)" if finish == "length" else ""
        )
    why = toolschemas.mismatch(schema, data)
    return f"the answer does not fit the schema: {why[:120]}" if why else ""


class Message(TypedDict):
    """One turn of a conversation."""

    role: str
    content: str


class Labelled(TypedDict):
    """One line of the labelled corpus."""

    key: str
    messages: list[Message]
    tags: list[str]
    requires_json: bool
    finish: str
    attempts: int


def labelled(row: Row, answer: Answer) -> Labelled:
    """The line of a row that was answered."""
    messages: list[Message] = [{"role": role, "content": content} for role, content in row.messages]
    return {
        "key": row.key[:16],
        "messages": [*messages, {"role": "assistant", "content": answer.text}],
        "tags": list(row.tags),
        "requires_json": row.schema is not None,
        "finish": answer.finish,
        "attempts": answer.attempts,
    }


def summary(rows: Sequence[Row], answers: Mapping[str, Answer]) -> dict[str, object]:
    """Counts, and every row that stayed invalid, with its reason."""
    mine = [(row, answers[row.key]) for row in rows]
    return {
        "rows": len(mine),
        "valid_rows": sum(not answer.invalid for _, answer in mine),
        "json_rows": sum(row.schema is not None for row, _ in mine),
        "valid_json_rows": sum(row.schema is not None and not answer.invalid for row, answer in mine),
        "answer_tokens": sum(answer.tokens for _, answer in mine),
        "finish": dict(sorted(Counter(answer.finish for _, answer in mine).items())),
        "attempts": {str(n): c for n, c in sorted(Counter(answer.attempts for _, answer in mine).items())},
        "parts": {
            part: sum(row.part == part and not answer.invalid for row, answer in mine)
            for part in ("train", "heldout")
        },
        "failures": [
            {"part": row.part, "record": row.number, "key": row.key[:16], "reason": answer.invalid}
            for row, answer in mine
            if answer.invalid
        ],
    }


def _rules(record: JsonObject) -> Iterator[Fault]:
    messages = cast("list[Message]", record["messages"])
    roles = [message["role"] for message in messages]
    if roles not in (["user", "assistant"], ["system", "user", "assistant"]):
        what = f"the roles are {', '.join(roles)}"
        yield Fault("messages", what, "A labelled row has system (or not), user and assistant")
    if not messages[-1]["content"]:
        yield Fault(f"messages[{len(messages) - 1}].content", "the answer is empty", "Delete the line")


def _question(record: JsonObject) -> str:
    return canonical_json(cast("list[Message]", record["messages"])[:-1])


def _asked(record: JsonObject) -> str:
    return next((one["content"] for one in cast("list[Message]", record["messages"]) if one["role"] == "user"), "")


KIND = Kind(
    "labelled", "labelled-record-v1", frozenset(("finish", "attempts")), 1 << 20, _rules, _question,
    "the same prompt as", _asked,
)  # fmt: skip
