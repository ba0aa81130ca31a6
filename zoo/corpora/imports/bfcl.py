"""Questions of the Berkeley Function-Calling Leaderboard (BFCL), as prompts for a teacher. Pure.

The leaderboard has no answers of tools and no last answers, so its lines are no conversations, and nothing here makes
them up. A line with one tool is a prompt that asks for the arguments of that tool. Source: the data and the type names
of ShishirPatil/gorilla, versions 1 to 4.
"""

from __future__ import annotations

from catalog.jsontext import Json, JsonObject
from catalog.problems import show
from zoo.corpora.imports import parts
from zoo.corpora.imports.parts import NotImportable, Part

_TYPES: dict[str, str | None] = {
    **{name: name for name in ("integer", "number", "string", "boolean", "array", "object", "null")},
    "dict": "object", "HashMap": "object", "Hashtable": "object", "list": "array", "tuple": "array",
    "ArrayList": "array", "Array": "array", "Queue": "array", "Stack": "array", "Set": "array", "float": "number",
    "double": "number", "byte": "integer", "short": "integer", "long": "integer", "int": "integer", "Bigint": "integer",
    "bool": "boolean", "Boolean": "boolean", "char": "string", "String": "string", "any": None, "Any": None,
}  # fmt: skip
"""Types of Python, Java and JavaScript in JSON Schema; None: every value is allowed."""

_SCHEMAS = ("items", "additionalProperties")


def made(line: Part) -> JsonObject:
    """The prompt of a line. Raises NotImportable."""
    user, system = _question(line)
    tool = _tool(line)
    found: JsonObject = {"user": user, **({"system_hint": system} if system else {}), "requires_json": True, **tool}
    found |= parts.kept(line)
    line.rest()
    return found


def _question(line: Part) -> tuple[str, str | None]:
    turns = line.any("question")
    if isinstance(turns, str):
        return turns, None
    if isinstance(turns, list) and turns and isinstance(turns[0], list):
        if len(turns) != 1:
            what = f"{len(turns)} turns, of which each needs the answers of tools to the one before"
            raise line.refuse("question", what, "Delete the line")
        line = Part({"question": turns[0]}, "", line.dropped)
    said = [(one, one.needed("role"), one.needed("content")) for one in line.objects("question")]
    for one, _, _ in said:
        one.rest()
    if [role for _, role, _ in said] not in (["user"], ["system", "user"]):
        what = f"the roles are {', '.join(role for _, role, _ in said) or 'none'}"
        raise line.refuse("question", what, "A prompt has system (or not) and user")
    return said[-1][2], said[0][2] if len(said) == 2 else None


def _tool(line: Part) -> JsonObject:
    declared = line.any("function")
    if isinstance(declared, dict):
        line = Part({"function": [declared]}, "", line.dropped)
    found = list(line.objects("function"))
    if len(found) != 1:
        what = f"{len(found)} tools, and a prompt asks for the arguments of one"
        raise line.refuse("function", what, "Delete the line, or the tools that the answer does not call")
    part = found[0]
    written = part.needed("name")
    name = written.replace(".", "_")
    if name != written:
        part.drop("name", f"{written} became {name}")
    schema = translated(part.any("parameters") or {"type": "dict", "properties": {}}, part.path("parameters"))
    if not isinstance(schema, dict):
        raise part.refuse("parameters", f"{show(schema)} is not a schema", "Write a JSON Schema")
    if description := part.text("description"):
        schema = {"description": description, **schema}
    part.rest()
    return {"tool_name": name, "tool_schema": schema}


def translated(schema: Json, path: str) -> Json:
    """A schema of the leaderboard as JSON Schema. Raises NotImportable for a type that is not known."""
    if not isinstance(schema, dict):
        return schema
    made: JsonObject = {}
    for key, value in schema.items():
        if key == "type" and isinstance(value, str):
            if value not in _TYPES:
                what = f"{show(value)} is not a type that is known"
                raise NotImportable(f"{path}.type", what, f"Known: {', '.join(_TYPES)}")
            if (known := _TYPES[value]) is not None:
                made[key] = known
        elif key == "properties" and isinstance(value, dict):
            made[key] = {name: translated(inner, f"{path}.properties.{name}") for name, inner in value.items()}
        elif key in _SCHEMAS:
            made[key] = translated(value, f"{path}.{key}")
        else:
            made[key] = value
    return made
