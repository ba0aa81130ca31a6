"""Prompt and text files: every bad line reported, valid ones copied byte for byte and counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from zoo.corpora.prompts import MAX_LINE_BYTES, distribution, parse_prompts, read_prompts
from zoo.errors import InputError
from zoo.files.digests import canonical_json
from zoo.progress import Silent
from zoo.stages import Context
from zoo.stages.corpus import run

REPOSITORY = Path(__file__).parents[2]
SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}


def line(**row: Any) -> bytes:
    return json.dumps(row).encode()


def context(root: Path, spec: dict[str, Any]) -> Context:
    out, scratch = root / "out", root / "scratch"
    out.mkdir()
    scratch.mkdir()
    return Context(spec, {}, out, scratch, root, root / "work", 1, "cpu", Silent())


@pytest.mark.parametrize("part", ["train", "heldout"])
def test_the_prompts_of_the_project_are_valid(part: str) -> None:
    path = REPOSITORY / "recipes" / "corpora" / "tutor" / f"prompts.{part}.jsonl"
    rows, problems = parse_prompts(path.read_bytes(), "x")
    assert not problems and len(rows) == path.read_bytes().count(b"\n")


@pytest.mark.parametrize(
    ("raw", "path", "what"),
    [
        (b"{", "", "not a JSON object in UTF-8"),
        (b'{"user": "caf\xe9"}', "", "not a JSON object in UTF-8"),
        (b'{"user": "a\\ud800"}', "", "not a JSON object in UTF-8"),
        (
            b'{"user": "a", "tool_schema": {"const": NaN}, "requires_json": true}',
            "",
            "not a JSON object in UTF-8",
        ),
        (b'{"user": "a", "user": "b"}', "", "not a JSON object in UTF-8 (key 'user' is written twice)"),
        (b"[" * 100_000, "", "longer than 65536 bytes"),
        (b"[" * 60_000, "", "not a JSON object in UTF-8"),
        (b'{"user": "' + b"x" * MAX_LINE_BYTES + b'"}', "", "longer than 65536 bytes"),
        (b"[1]", "", "[1] is not a JSON object"),
        (b"{}", "", 'key "user" is missing'),
        (line(user=""), "user", "the text has 0 characters"),
        (line(user=5), "user", "5 is not text"),
        (line(user="   "), "user", "the prompt is empty"),
        (line(user="\u00a0\u3000\n"), "user", "the prompt is empty"),
        (line(user="\u200b\u200d\ufeff"), "user", "the prompt is empty"),
        (line(user="\u2800"), "user", "the prompt is empty"),
        (line(user="a", system_hint=" "), "system_hint", "the system prompt is empty"),
        (line(user="a\0b"), "user", "U+0000 (NUL)"),
        (line(user="a", colour="red"), "colour", 'unknown key "colour"'),
        (line(user="a", requires_json=True), "", ""),
        (line(user="a", tool_schema=SCHEMA), "", ""),
        (
            line(user="a", requires_json=True, tool_schema={"type": "objekt"}),
            "tool_schema",
            "not a JSON Schema",
        ),
        (
            line(user="a", requires_json=True, tool_schema={"properties": {"x": {"$ref": "#/$defs/y"}}}),
            "tool_schema",
            "references are not allowed",
        ),
        (line(user="a", tags=["x", "x"]), "tags", "the list has the same entry twice"),
        (line(user="a", requires_json=True, tool_schema=SCHEMA, tool_name="Not A Name"), "tool_name", ""),
    ],
)
def test_a_bad_line_is_named(raw: bytes, path: str, what: str) -> None:
    rows, problems = parse_prompts(line(user="first") + b"\n\n" + raw + b"\n" + line(user="last"), "p.jsonl")
    assert [row["user"] for row in rows] == ["first", "last"]
    (problem,) = problems
    assert (problem.file, problem.line, problem.path) == ("p.jsonl", 3, path)
    assert problem.what.startswith(what), problem
    assert problem.instead and "\n" not in str(problem)


def test_a_tool_may_have_a_property_named_as_a_reference() -> None:
    schema = {"type": "object", "properties": {"$ref": {"type": "string"}}, "required": ["$ref"]}
    rows, problems = parse_prompts(line(user="a", requires_json=True, tool_schema=schema, tool_name="AddNote"), "x")
    assert not problems and rows[0]["tool_name"] == "AddNote"


def test_the_same_prompt_twice() -> None:
    raw = b"\n".join([line(user="a"), line(user="a", system_hint="b"), line(user="a", tags=["x"])])
    rows, problems = parse_prompts(raw, "x")
    assert len(rows) == 2
    assert [(p.line, p.what) for p in problems] == [(3, 'the same prompt as line 1: "a"')]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\u00e9t\u00e9", "e\u0301te\u0301"),
        ("What  is it?", "What is it? "),
        ("a\u00a0b", "a b"),
        ("ab", "a\u200bb"),
        ("\u30c9\u30a2", "\u30c8\u3099\u30a2"),
    ],
)
def test_prompts_that_read_the_same(one: str, other: str) -> None:
    _, problems = parse_prompts(line(user=one) + b"\n" + line(user=other), "x")
    assert [(p.line, p.what.startswith("the same prompt as line 1")) for p in problems] == [(2, True)]


def test_prompts_that_read_otherwise() -> None:
    texts = ["a", "A", "a.", "\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u062e", "\u304b", "\u304c", "\u2764\ufe0f"]
    rows, problems = parse_prompts(b"\n".join(line(user=text) for text in texts), "x")
    assert [row["user"] for row in rows] == texts and not problems


def test_a_byte_order_mark_is_left_out_of_prompts() -> None:
    rows, problems = parse_prompts(b"\xef\xbb\xbf" + line(user="a") + b"\r\n" + line(user="b\u2028c"), "x")
    assert [row["user"] for row in rows] == ["a", "b\u2028c"] and not problems
    joined = line(user="a") + b"\n\xef\xbb\xbf" + line(user="b")  # as two such files become one
    rows, problems = parse_prompts(joined, "x")
    assert [row["user"] for row in rows] == ["a", "b"] and not problems


@pytest.mark.parametrize("raw", [b"", b"\n\n", b"  \n"])
def test_an_empty_file(raw: bytes) -> None:
    rows, (problem,) = parse_prompts(raw, "x")
    assert not rows and problem.what == "the file has no records"


def test_all_bad_lines_come_together(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(b"\n".join(b"{" for _ in range(30)))
    with pytest.raises(InputError) as caught:
        read_prompts(path, "p.jsonl")
    assert caught.value.what.startswith("30 problems in p.jsonl\np.jsonl:1:1: ")
    assert caught.value.what.count("\n") == 20


@given(st.lists(st.binary(max_size=40) | st.text(max_size=20).map(lambda text: line(user=text)), max_size=5))
@hypothesis_settings(max_examples=80, deadline=None)
def test_any_lines(lines: list[bytes]) -> None:
    rows, problems = parse_prompts(b"\n".join(lines), "x")
    assert rows or problems
    canonical_json(rows).encode()
    "\n".join(map(str, problems)).encode()


def test_counts() -> None:
    rows = [
        {"user": "abc", "tags": ["b", "a"]},
        {"user": "a", "tags": ["a"], "requires_json": True, "tool_schema": SCHEMA},
        {"user": "abcdefg", "requires_json": False},
    ]
    assert distribution(rows) == {
        "rows": 3, "requires_json": 1, "tags": {"a": 2, "b": 1}, "user_characters": {"min": 1, "median": 3, "max": 7},
    }  # fmt: skip


def test_the_stage_copies_text_without_the_marks_of_editors(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    prompts = (
        b"\xef\xbb\xbf" + line(user="a", tags=["lang:en"]) + b"\r\n\n" + line(user="b")
    )  # no final newline, and it stays so
    (tmp_path / "d" / "p.jsonl").write_bytes(prompts)
    (tmp_path / "p.jsonl").write_bytes(prompts)
    (tmp_path / "t.txt").write_bytes("\ufeffé\r\nb\rc\n".encode())
    about = {"licence": "CC0-1.0", "source": "tests", "language": None, "sha256": "f"}
    spec = {
        "train": [{"path": "d/p.jsonl", **about}, {"path": "p.jsonl", **about}],
        "evaluation": [{"path": "t.txt", **about}],
        "calibration": [],
    }
    there = context(tmp_path, spec)
    facts = run(there)
    names = [
        path.relative_to(there.out).as_posix() for path in sorted(there.out.rglob("*")) if path.is_file()
    ]
    assert names == ["evaluation/00-t.txt", "train/00-p.jsonl", "train/01-p.jsonl"]
    assert (there.out / "train" / "01-p.jsonl").read_bytes() == prompts[3:].replace(b"\r\n", b"\n")
    assert (there.out / "evaluation" / "00-t.txt").read_bytes() == "é\nb\nc\n".encode()
    assert facts["train"][0]["rows"] == 2 and facts["train"][0]["name"] == "train/00-p.jsonl"
    assert facts["evaluation"][0]["characters"] == 6 and facts["evaluation"][0]["size_bytes"] == 11
    assert facts["calibration"] == []
    assert str(tmp_path) not in canonical_json(facts)


def test_a_text_that_is_not_utf_8_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_bytes(b"one\ntwo\ncaf\xe9\n")
    with pytest.raises(InputError, match="not UTF-8 text") as caught:
        run(context(tmp_path, {"evaluation": [{"path": "t.txt"}]}))
    assert caught.value.where == "t.txt:3"


@pytest.mark.parametrize(
    ("raw", "what", "where"),
    [
        ("one\ntwo".encode("utf-16-le"), "U+0000 (NUL) is in the text", "t.txt:1"),
        ("\ufeff \r\n\u3000\r\n".encode(), "the file has no text", "t.txt:1"),
        (b"", "the file has no text", "t.txt:1"),
    ],
)
def test_a_text_that_is_invalid(tmp_path: Path, raw: bytes, what: str, where: str) -> None:
    (tmp_path / "t.txt").write_bytes(raw)
    with pytest.raises(InputError) as caught:
        run(context(tmp_path, {"evaluation": [{"path": "t.txt"}]}))
    assert caught.value.what.startswith(what) and caught.value.where == where and caught.value.remedy


def test_long_lines_and_languages_without_spaces_are_text(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("\u8a9e" * 300_000, encoding="utf-8")
    facts = run(context(tmp_path, {"evaluation": [{"path": "t.txt"}]}))
    assert facts["evaluation"][0]["characters"] == 300_000
