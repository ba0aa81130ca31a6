"""Every key and value of JSON text has its line and column."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sitesamples import sample

from catalog import index, jsonplaces
from zoo.__main__ import main

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


def every(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    """Every path with its value."""
    parts = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [(path, data), *(found for key, one in parts for found in every(one, (*path, key)))]


@given(VALUES, st.sampled_from([None, 0, 2]), st.booleans())
def test_each_place_is_where_its_text_begins(data: Any, indent: int | None, plain: bool) -> None:
    text = json.dumps(data, indent=indent, ensure_ascii=plain)
    found = jsonplaces.document(text, "x", data)
    lines = text.split("\n")
    for path, value in every(data):
        line, column = found.value_places[path]
        rest = "\n".join([lines[line - 1][column - 1 :], *lines[line:]])
        assert json.JSONDecoder().raw_decode(rest)[0] == value
        if path and isinstance(path[-1], str):
            line, column = found.key_places[path]
            assert json.JSONDecoder().raw_decode(lines[line - 1][column - 1 :])[0] == path[-1]
    assert len(found.value_places) == len(every(data))


def test_signs_inside_of_texts_and_a_byte_order_mark() -> None:
    text = '\ufeff{"a": "}]\\",{:", "b" : [ "\\\\", [], {}, -1.5e3 ],\r\n "c": {"": null}}'
    found = jsonplaces.document(text, "x", None)
    assert found.value_places[("a",)] == (1, 7) and found.value_places[("b", 3)] == (1, text.index("-1.5"))
    assert found.key_places[("c",)] == (2, 2) and found.value_places[("c", "")] == (2, 12)


def changed(edit: Any) -> tuple[str, list[Any]]:
    data = json.loads(index.to_text(sample()))
    edit(data)
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    return text, index.parse(text, "model_catalog.json")[1]


@pytest.mark.parametrize(
    ("edit", "stands"),
    [
        (lambda d: d["models"][1].update(sumary="x"), '"sumary"'),
        (lambda d: d["models"][0].update(name="No Name"), '"No Name"'),
        (lambda d: d["models"][0]["releases"][0].update(version=3), "3"),
        (lambda d: d["models"][1]["releases"][0].pop("date"), "{"),
        (lambda d: d["models"].reverse(), "["),
        (lambda d: d["models"][0].update(yanks=[{"version": "9.9.9", "date": "2026-11-25", "action": "yank",
                                                 "reason": "it is bad", "replacement": None, "severity": "low"}]), "{"),
    ],
)  # fmt: skip
def test_a_problem_of_a_catalog_is_at_its_key_or_value(edit: Any, stands: str) -> None:
    text, problems = changed(edit)
    problem = problems[0]
    assert problem.line > 1, problem
    assert text.split("\n")[problem.line - 1][problem.column - 1 :].startswith(stands), problem


def test_check_prints_the_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, problems = changed(lambda d: d["models"][0].update(name="No Name"))
    path = tmp_path / "model_catalog.json"
    path.write_text(text, encoding="utf-8")
    assert main(("check", str(path), "--format", "github")) == 2
    assert f"line={problems[0].line},col={problems[0].column}" in capsys.readouterr().out
