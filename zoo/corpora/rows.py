"""Rows of a labelled corpus: the question to the teacher, its answer, and whether the answer is valid. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypedDict, cast

from catalog import jsontext, toolschemas
from catalog.jsontext import JsonObject
from zoo.corpora.prompts import Prompt
from zoo.corpora.records import Fault, Identity, Kind
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


_BY_SCHEMA = "as JSON of this schema and nothing else: "


def asked_schema(system: str) -> tuple[str, str]:
    """A system prompt as ``messages_of`` writes it, divided before the schema of the answer; "" without a schema."""
    begin, mark, schema = system.rpartition(_BY_SCHEMA)
    return (f"{begin}{mark}", schema) if mark else (system, "")


def messages_of(record: Prompt, default_system: str | None) -> tuple[tuple[str, str], ...]:
    """The conversation that the teacher must answer. The system prompt of a row with JSON asks for it."""
    parts = [record.get("system_hint") or default_system or ""]
    if record.get("requires_json"):
        tool = f" with the arguments of the tool {record['tool_name']}" if record.get("tool_name") else ""
        parts.append(f"Answer{tool} {_BY_SCHEMA}{canonical_json(record['tool_schema'])}")
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


class Failure(TypedDict):
    """A row that stayed invalid."""

    part: str
    record: int
    key: str
    reason: str


@dataclass
class Tally:
    """Counts of answered rows, one after the other."""

    counts: Counter[str] = field(default_factory=Counter)
    finish: Counter[str] = field(default_factory=Counter)
    attempts: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)

    def add(self, row: Row, answer: Answer) -> None:
        """Count a row with its answer."""
        is_json, is_valid = row.schema is not None, not answer.invalid
        self.counts.update({
            "rows": 1, "valid_rows": is_valid, "json_rows": is_json, "valid_json_rows": is_json and is_valid,
            "answer_tokens": answer.tokens, row.part: is_valid,
        })  # fmt: skip
        self.finish[answer.finish] += 1
        self.attempts[str(answer.attempts)] += 1
        if answer.invalid:
            key, reason = row.key[:16], answer.invalid
            self.failures.append({"part": row.part, "record": row.number, "key": key, "reason": reason})

    def facts(self) -> dict[str, object]:
        """The counts, and every row that stayed invalid, with its reason."""
        names = ("rows", "valid_rows", "json_rows", "valid_json_rows", "answer_tokens")
        return {
            **{name: self.counts[name] for name in names},
            "finish": dict(sorted(self.finish.items())),
            "attempts": dict(sorted(self.attempts.items(), key=lambda pair: int(pair[0]))),
            "parts": {part: self.counts[part] for part in ("train", "heldout")},
            "failures": self.failures,
        }


def summary(rows: Iterable[Row], answers: Mapping[str, Answer]) -> dict[str, object]:
    """Counts, and every row that stayed invalid, with its reason."""
    tally = Tally()
    for row in rows:
        tally.add(row, answers[row.key])
    return tally.facts()


def _rules(record: JsonObject) -> Iterator[Fault]:
    messages = cast("list[Message]", record["messages"])
    roles = [message["role"] for message in messages]
    if roles not in (["user", "assistant"], ["system", "user", "assistant"]):
        what = f"the roles are {', '.join(roles)}"
        yield Fault("messages", what, "A labelled row has system (or not), user and assistant")
    if not messages[-1]["content"]:
        yield Fault(f"messages[{len(messages) - 1}].content", "the answer is empty", "Delete the line")


def _question(record: JsonObject) -> Identity:
    return (canonical_json(cast("list[Message]", record["messages"])[:-1]),)


def _asked(record: JsonObject) -> str:
    return next((one["content"] for one in cast("list[Message]", record["messages"]) if one["role"] == "user"), "")


KIND = Kind(
    "labelled", "labelled-record-v1", frozenset(("finish", "attempts")), 1 << 20, _rules, _question,
    "the same prompt as", _asked,
)  # fmt: skip
