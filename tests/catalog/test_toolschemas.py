"""Schemas of strangers: nothing they refer to is opened, and none of their expressions hangs the program."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from catalog import toolschemas

REMOTE = ("http://127.0.0.1:9/x.json", "https://example.com/x.json")


@pytest.fixture(params=["machine code", "python"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both engines: jsonschema-rs is not built for every machine."""
    if request.param == "python":
        monkeypatch.setattr(toolschemas, "_quick", lambda _text: None)
        monkeypatch.setattr(toolschemas, "_linear", lambda _pattern: None)
        monkeypatch.setattr(toolschemas, "_has_quick", lambda: False)
    toolschemas._fault.cache_clear()
    return str(request.param)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses that somebody tries to reach."""
    found: list[str] = []

    def connect(_self: socket.socket, address: Any) -> None:
        found.append(str(address))
        raise OSError("shut")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *given, **_: connect(socket.socket(), given))
    return found


@pytest.mark.parametrize("local", [True, False])
def test_references_to_other_documents_are_refused_and_never_opened(
    engine: str, opened: list[str], tmp_path: Path, local: bool
) -> None:
    planted = tmp_path / "planted.json"
    planted.write_text('{"type": "integer"}', encoding="utf-8")
    for target in (*REMOTE, planted.as_uri(), str(planted), "other.json"):
        for schema in ({"properties": {"a": {"$ref": target}}}, {"allOf": [{"$dynamicRef": target}]}):
            fault = toolschemas.fault(schema, local=local)
            assert fault and ("never read" if local else "not allowed") in fault[0], (engine, target)
            # Even if it is used unchecked, nothing is opened: what it says has no effect, or is an error.
            try:
                assert toolschemas.mismatch(schema, {"a": "text"}) in ("", toolschemas.UNRESOLVED)
            except RecursionError:
                pytest.fail("no end")
    assert not opened


def test_local_references_may_be_allowed(engine: str) -> None:
    schema = {"$defs": {"n": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/n"}}}
    assert toolschemas.fault(schema, local=True) is None
    assert toolschemas.mismatch(schema, {"a": 1}) == ""
    assert "'x' is not of type 'integer'" in toolschemas.mismatch(schema, {"a": "x"}), engine
    assert toolschemas.fault(schema) == ("references are not allowed", "Write the schema out")


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"$ref": {"type": "string"}}}, {"enum": [{"$ref": "http://x"}]}, {"const": {"$ref": 1}},
        {"default": {"$ref": "x"}}, {"properties": {"pattern": {"type": "string"}}},
    ],
)  # fmt: skip
def test_data_and_names_are_not_references(engine: str, schema: dict[str, object]) -> None:
    assert toolschemas.fault(schema) is None, engine


def test_an_exploding_expression_ends_quickly() -> None:
    schema = {"type": "object", "properties": {"a": {"pattern": "^(a+)+$"}}, "patternProperties": {"^(b+)+$": False}}
    assert toolschemas.fault(schema) is None
    began = time.process_time()
    assert "does not match" in toolschemas.mismatch(schema, {"a": "a" * 40 + "!"})
    assert toolschemas.mismatch(schema, {"b" * 40 + "!": 1}) == ""
    assert time.process_time() - began < 2


@pytest.mark.parametrize("pattern", ["(?=a)b", r"(a)\1", "(", "a{1,99999999}"])
def test_an_expression_of_another_engine_is_named(pattern: str) -> None:
    fault = toolschemas.fault({"properties": {"a": {"pattern": pattern}}})
    assert fault and (json.dumps(pattern) in fault[0] or "is not a 'regex'" in fault[0])


def test_both_engines_refuse_the_same(engine: str) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 5}}, "required": ["n"]}
    for data in ({"n": 5}, {"n": 1.0}, {"n": 2}):
        assert toolschemas.mismatch(schema, data) == "", engine
    for wrong in ({"n": 6}, {}, [], {"n": "1"}, {"n": 2**80}):
        assert toolschemas.mismatch(schema, wrong), (engine, wrong)
