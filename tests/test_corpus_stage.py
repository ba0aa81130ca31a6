"""Prompt and text files: every bad line named, sound ones copied byte for byte and counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from zoo.errors import InputError
from zoo.progress import Silent
from zoo.stages import Context
from zoo.stages.corpus import MAX_LINE_BYTES, distribution, parse_prompts, read_prompts, run
from zoo.workspace import canonical_json

REPOSITORY = Path(__file__).parent.parent
SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}


def line(**row: Any) -> bytes:
    return json.dumps(row).encode()


def context(root: Path, spec: dict[str, Any]) -> Context:
    out, scratch = root / "out", root / "scratch"
    out.mkdir()
    scratch.mkdir()
    return Context(spec, {}, out, scratch, root, root / "work", 1, "cpu", Silent())


@pytest.mark.parametrize("part", ["train", "heldout"])
def test_the_prompts_of_the_project_are_sound(part: str) -> None:
    path = REPOSITORY / "recipes" / "corpora" / "tutor" / f"prompts.{part}.jsonl"
    rows, problems = parse_prompts(path.read_bytes(), "x")
    assert not problems and len(rows) == path.read_bytes().count(b"\n")


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"{", "not a JSON object in UTF-8"),
        (b'{"user": "caf\xe9"}', "not a JSON object in UTF-8"),
        (b'{"user": "a\\ud800"}', "not a JSON object in UTF-8"),
        (
            b'{"user": "a", "tool_schema": {"const": NaN}, "requires_json": true}',
            "not a JSON object in UTF-8",
        ),
        (b"[" * 100_000, "longer than 65536 bytes"),
        (b"[" * 60_000, "not a JSON object in UTF-8"),
        (b'{"user": "' + b"x" * MAX_LINE_BYTES + b'"}', "longer than 65536 bytes"),
        (b"[1]", "(file): [1] is not a block"),
        (b"{}", '(file): key "user" is missing'),
        (line(user=""), "user: the text has 0 characters"),
        (line(user=5), "user: 5 is not text"),
        (line(user="a", colour="red"), 'colour: unknown key "colour"'),
        (line(user="a", requires_json=True), "(file): "),
        (line(user="a", tool_schema=SCHEMA), "(file): "),
        (
            line(user="a", requires_json=True, tool_schema={"type": "objekt"}),
            "tool_schema: not a JSON Schema",
        ),
        (line(user="a", tags=["x", "x"]), "tags: the list has the same entry twice"),
        (line(user="a", requires_json=True, tool_schema=SCHEMA, tool_name="Not A Name"), "tool_name: "),
    ],
)
def test_a_bad_line_is_named(raw: bytes, what: str) -> None:
    rows, problems = parse_prompts(line(user="first") + b"\n\n" + raw + b"\n" + line(user="last"), "p.jsonl")
    assert [row["user"] for row in rows] == ["first", "last"]
    (problem,) = problems
    assert (problem.file, problem.line, problem.path) == ("p.jsonl", 3, "line 3")
    assert problem.what.startswith(what), problem
    assert problem.instead and "\n" not in str(problem)


def test_the_same_prompt_twice() -> None:
    raw = b"\n".join([line(user="a"), line(user="a", system_hint="b"), line(user="a", tags=["x"])])
    rows, problems = parse_prompts(raw, "x")
    assert len(rows) == 2
    assert [(p.line, p.what) for p in problems] == [(3, 'the same prompt as line 1: "a"')]


@pytest.mark.parametrize("raw", [b"", b"\n\n", b"  \n"])
def test_an_empty_file(raw: bytes) -> None:
    rows, (problem,) = parse_prompts(raw, "x")
    assert not rows and problem.what == "the file has no records"


def test_all_bad_lines_come_at_once(tmp_path: Path) -> None:
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


def test_the_stage_copies_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    prompts = (
        line(user="a", tags=["lang:en"]) + b"\r\n\n" + line(user="b")
    )  # no final newline, and it stays so
    (tmp_path / "d" / "p.jsonl").write_bytes(prompts)
    (tmp_path / "p.jsonl").write_bytes(prompts)
    (tmp_path / "t.txt").write_bytes("é\r\n".encode())
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
    assert (there.out / "train" / "01-p.jsonl").read_bytes() == prompts
    assert (there.out / "evaluation" / "00-t.txt").read_bytes() == "é\r\n".encode()
    assert facts["train"][0]["rows"] == 2 and facts["train"][0]["name"] == "train/00-p.jsonl"
    assert facts["evaluation"][0]["characters"] == 3 and facts["evaluation"][0]["size_bytes"] == 4
    assert facts["calibration"] == []
    assert str(tmp_path) not in canonical_json(facts)


def test_a_text_that_is_not_utf_8_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_bytes(b"one\ntwo\ncaf\xe9\n")
    with pytest.raises(InputError, match="not UTF-8 text") as caught:
        run(context(tmp_path, {"evaluation": [{"path": "t.txt"}]}))
    assert caught.value.where == "t.txt:3"
