"""Records of every kind, for the tests of their rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LIGHTS = {
    "type": "function",
    "function": {
        "name": "control_light",
        "description": "Switch the lights of a room.",
        "parameters": {
            "type": "object",
            "properties": {"room": {"type": "string"}, "state": {"enum": ["on", "off"]}},
            "required": ["room", "state"],
            "additionalProperties": False,
        },
    },
}

DIALECT = {
    "record_id": "qf-1",
    "text_orthographic_raw": "Faque j’y vas à soir.",
    "dialect_tag_list": ["Connector_Faque"],
    "register": "Casual",
    "sociolinguistic_parameters": {
        "region_qc": "Saguenay–Lac-Saint-Jean", "age_group": "Unspecified", "education_level": "Unspecified",
        "gender": "Unspecified",
    },
    "time_period_code": "2001-2050",
    "source_corpus_id": "written for the tests",
}  # fmt: skip

LABELLED = {
    "key": "0123456789abcdef",
    "messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because."}],
    "tags": [],
    "requires_json": False,
    "finish": "stop",
    "attempts": 1,
}


def call(id_: str | None = None, **arguments: Any) -> dict[str, Any]:
    """A call of LIGHTS."""
    made = {"type": "function", "function": {"name": "control_light", "arguments": arguments}}
    return made if id_ is None else {"id": id_, **made}


def conversation() -> dict[str, Any]:
    """One call, its answer and a last answer, as TRL's documents show it, without ids."""
    return {
        "messages": [
            {"role": "user", "content": "Turn on the living room lights."},
            {"role": "assistant", "tool_calls": [call(room="living room", state="on")]},
            {"role": "tool", "name": "control_light", "content": "The lights in the living room are now on."},
            {"role": "assistant", "content": "Done!"},
        ],
        "tools": [LIGHTS],
    }


def write(path: Path, *rows: object) -> Path:
    """A file of records."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path
