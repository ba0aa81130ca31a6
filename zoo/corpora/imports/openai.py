"""Messages as the API of OpenAI and its fine-tuning files have them: arguments as text, older names of keys. Pure.

Source: the reference of OpenAI's API, "Chat completions", with the keys that it calls deprecated.
"""

from __future__ import annotations

from typing import cast

from catalog.jsontext import Json, JsonObject
from catalog.problems import show
from zoo.corpora.imports import parts
from zoo.corpora.imports.parts import Part

_ROLES = {"developer": "system", "function": "tool"}


def made(line: Part) -> JsonObject:
    """The conversation of a line. Raises NotImportable."""
    messages: list[Json] = [_message(one) for one in line.objects("messages")]
    tools: list[Json] = [parts.tool(one) for key in ("tools", "functions") for one in line.objects(key)]
    found: JsonObject = {"messages": messages, **({"tools": tools} if tools else {}), **parts.kept(line)}
    if (answer := _answer_schema(line)) is not None:
        found["answer_schema"] = answer
    line.rest()
    return found


def _message(part: Part) -> JsonObject:
    written = part.needed("role")
    role = _ROLES.get(written, written)
    if role != written:
        part.drop("role", f"{written} became {role}")
    message: JsonObject = {"role": role, "content": _content(part)}
    calls: list[Json] = [_call(one) for one in part.objects("tool_calls")]
    if (older := part.object("function_call")) is not None:
        calls.append({"type": "function", "function": _function(older)})
        older.rest()
    if calls:
        message["tool_calls"] = calls
    for key in ("tool_call_id", "name") if role == "tool" else ("tool_call_id",):
        if (value := part.text(key)) is not None:
            message[key] = value
    part.rest()
    return message


def _content(part: Part) -> str | None:
    value = part.any("content")
    if value is None or isinstance(value, str):
        return value
    texts = []
    for one in part.objects("content"):
        if one.any("type") not in ("text", "input_text", "output_text"):
            raise one.refuse("type", f"{show(one.data.get('type'))} is not text", "Delete the line: it needs more")
        texts.append(one.needed("text"))
        one.rest()
    return "".join(texts)


def _call(part: Part) -> JsonObject:
    function = part.object("function")
    if function is None:
        raise part.refuse("function", "the key is missing", "Only calls of functions can be imported")
    made: JsonObject = {"type": part.text("type") or "function", "function": _function(function)}
    if (id_ := part.text("id")) is not None:
        made = {"id": id_, **made}
    function.rest()
    # The place in a streamed answer, which the list has too.
    part.any("index")
    part.rest()
    return made


def _function(part: Part) -> JsonObject:
    written = parts.arguments(part.any("arguments"), part.path("arguments"))
    return {"name": part.needed("name"), "arguments": written}


def _answer_schema(line: Part) -> Json:
    """The schema of the last answer, in our place or in that of a request."""
    ours = line.any("answer_schema")
    asked = cast("JsonObject", line.data.get("response_format") or {})
    if ours is not None or not isinstance(asked, dict) or asked.get("type") != "json_schema":
        return ours
    inner = line.object("response_format")
    schema = inner.object("json_schema") if inner else None
    if inner is None or schema is None:
        return None
    inner.any("type")
    inner.rest()
    found = schema.any("schema")
    schema.rest()
    return found
