"""Turns of Hermes: tools, calls and answers are JSON, or Python's way to write it, in text between tags. Pure.

Source: the system prompts and the records of NousResearch/hermes-function-calling-v1.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from catalog import jsontext
from catalog.jsontext import Json, JsonObject
from catalog.problems import show
from zoo.corpora.imports import parts
from zoo.corpora.imports.parts import NotImportable, Part

_ROLES = {
    "system": "system", "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant",
    "model": "assistant",
    "tool": "tool", "function": "tool", "function_response": "tool", "observation": "tool",
}  # fmt: skip
_SPACE = re.compile(r"[\s,]*")
_INSTRUCTIONS = ("You are a function calling AI", "# Tools\n\nYou may call")
"""How the explanation of tags begins in the system prompts of Hermes, and of models such as Qwen with the same tags."""


class Divided(NamedTuple):
    """A text without its tags, and what was between them."""

    outside: str
    inside: list[str]


def made(line: Part) -> JsonObject:
    """The conversation of a line. Raises NotImportable."""
    walk = _Walk()
    for part in line.objects("conversations", "messages"):
        walk.turn(part)
        part.rest()
    tools = walk.tools
    if (beside := line.any("tools")) is not None:
        others = _declared(beside, Part({}, "tools", line.dropped))
        if tools and others != tools:
            line.drop("tools", "other tools than those in the system prompt, which count")
        tools = tools or others
    line.rest()
    return {"messages": walk.messages, **({"tools": tools} if tools else {}), **parts.kept(line)}


@dataclass
class _Walk:
    """What the turns so far gave. open: name and id of the calls that wait for an answer."""

    messages: list[Json] = field(default_factory=list)
    tools: list[Json] = field(default_factory=list)
    open: list[tuple[str, str | None]] = field(default_factory=list)

    def turn(self, part: Part) -> None:
        written = part.needed("from", "role")
        role = _ROLES.get(written)
        if role is None:
            raise part.refuse("from", f"nobody is called {show(written)}", f"Known: {', '.join(_ROLES)}")
        text = part.needed("value", "content")
        if role == "system":
            self._system(part, text)
        elif role == "assistant":
            self._assistant(part, text)
        elif role == "tool" or text.lstrip().startswith("<tool_response>"):
            self._answers(part, text)
        else:
            self.messages.append({"role": role, "content": text})

    def _system(self, part: Part, text: str) -> None:
        for block in divided(text, "tools", part).inside:
            if block.strip():
                self.tools += _declared(block, part)
        begin = next((place for start in _INSTRUCTIONS if (place := text.find(start)) >= 0), -1)
        if begin < 0 and self.tools:
            begin = text.rfind("\n", 0, text.find("<tools>")) + 1
        if begin >= 0:
            tags = ("</tool_call>", "</tools>")
            end = max(text.rfind(tag) + len(tag) for tag in tags)
            if end > begin:
                part.drop("value", f"{end - begin} characters that explain tags, which a chat template writes itself")
                text = f"{text[:begin].rstrip()}\n\n{text[end:].lstrip()}".strip()
        if text:
            self.messages.append({"role": "system", "content": text})

    def _assistant(self, part: Part, text: str) -> None:
        found = divided(text, "tool_call", part)
        content = found.outside.strip() if found.inside else text
        message: JsonObject = {"role": "assistant", "content": content or None}
        calls: list[Json] = []
        for number, block in enumerate(found.inside):
            call = _object(block, part, "call")
            # One call alone needs no id, and Hermes has none.
            id_ = f"call_{len(self.messages)}_{number}" if len(found.inside) > 1 else None
            name = call.needed("name")
            arguments = parts.arguments(call.any("arguments", "parameters"), call.path("arguments"))
            call.rest()
            function: JsonObject = {"name": name, "arguments": arguments}
            calls.append({**({"id": id_} if id_ else {}), "type": "function", "function": function})
            self.open.append((name, id_))
        if calls:
            message["tool_calls"] = calls
        self.messages.append(message)

    def _answers(self, part: Part, text: str) -> None:
        found = divided(text, "tool_response", part)
        if found.inside and found.outside.strip():
            part.drop("value", f"text between the answers of tools: {show(found.outside.strip())}")
        for block in found.inside or [text]:
            name, content = _answer(block.strip())
            near = [one for one in self.open if name is None or one[0] == name]
            message: JsonObject = {"role": "tool", "content": content}
            if near:
                self.open.remove(near[0])
                name, id_ = near[0]
                message |= {"tool_call_id": id_} if id_ else {}
            if name is not None:
                message["name"] = name
            self.messages.append(message)


def divided(text: str, tag: str, part: Part) -> Divided:
    """A text, and what is between each <tag> and </tag> of it. Raises NotImportable for a tag that is not closed."""
    outside, inside, place = [], [], 0
    begin, end = f"<{tag}>", f"</{tag}>"
    while (start := text.find(begin, place)) >= 0:
        stop = text.find(end, start)
        if stop < 0:
            raise part.refuse("value", f"{begin} has no {end}", "Fix the text, or delete the line")
        outside.append(text[place:start])
        inside.append(text[start + len(begin) : stop])
        place = stop + len(end)
    return Divided("".join([*outside, text[place:]]), inside)


def _declared(written: Json, part: Part) -> list[Json]:
    """Tools: a list, one object, or objects after each other; as data or as text."""
    found = _data(written) if isinstance(written, str) else written
    if found is None and isinstance(written, str):
        found = _sequence(written)
    every = found if isinstance(found, list) else [found]
    if not all(isinstance(one, dict) for one in every):
        raise part.refuse("value", "the tools are not JSON", "Fix the text between <tools> and </tools>")
    place = f"{part.path('value')}<tools>" if part.data else part.place
    return [
        parts.tool(Part(one, f"{place}[{number}]", part.dropped))
        for number, one in enumerate(every) if isinstance(one, dict)
    ]  # fmt: skip


def _object(block: str, part: Part, noun: str) -> Part:
    found = _data(block.strip())
    if not isinstance(found, dict):
        what = f"the {noun} is not a JSON object: {show(block.strip()[:60])}"
        raise part.refuse("value", what, "Fix the text between the tags, or delete the line")
    return Part(found, part.path(f"value<{noun}>"), part.dropped)


def _answer(block: str) -> tuple[str | None, str]:
    """Name and content of a tool's answer. Many hold both in an object, others the answer itself."""
    found = _data(block)
    if not isinstance(found, dict) or "content" not in found or not found.keys() <= {"name", "content"}:
        return None, block
    name, content = found.get("name"), found["content"]
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return (name if isinstance(name, str) else None), text


def _data(text: str) -> Json:
    """JSON, or the same data as Python writes it; None for neither."""
    try:
        return jsontext.parse(text, unique=True)
    except jsontext.NotJson:
        pass
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found: object = ast.literal_eval(text.strip())
        return _plain(found)
    except (ValueError, SyntaxError, RecursionError, MemoryError, NotImportable):
        return None


def _sequence(text: str) -> list[Json]:
    """Values of JSON after each other; templates of Hermes do not escape a line break in a description. The last one is
    None if it cannot be read."""
    read = json.JSONDecoder(strict=False, object_pairs_hook=_once).raw_decode
    found: list[Json] = []
    place = 0
    while (place := _SPACE.match(text, place).end()) < len(text):  # type: ignore[union-attr]  # it matches everywhere
        try:
            value, place = read(text, place)
        except (ValueError, RecursionError):
            return [*found, None]
        found.append(value)
    return found


def _once(pairs: list[tuple[str, Json]]) -> JsonObject:
    if len(made := dict(pairs)) != len(pairs):
        raise ValueError("a key is written twice")
    return made


def _plain(value: object) -> Json:
    """Data that JSON has too. Raises ValueError for others."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return dict(_pairs(value))
    raise ValueError("JSON has no such data")


def _pairs(value: dict[object, object]) -> Iterator[tuple[str, Json]]:
    for key, inner in value.items():
        if not isinstance(key, str):
            raise ValueError("a key of JSON is text")
        yield key, _plain(inner)
