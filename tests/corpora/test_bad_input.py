"""What strangers put into files of records: every thing is named on its line, nothing hangs, and nothing is fetched."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from corpussamples import DIALECT, conversation, write

from zoo.cli import recordfiles
from zoo.corpora import check, stream
from zoo.corpora.check import Checked


def found(*paths: Path, **options: Any) -> Checked:
    return check.check([check.File(path, path.name) for path in paths], **options)


def whats(folder: Path, raw: bytes) -> list[tuple[int, str, str]]:
    path = folder / "some.jsonl"
    path.write_bytes(raw)
    return [(one.line, one.path, one.what) for one in found(path).problems]


@pytest.mark.parametrize("char", ["\u2028", "\u2029", "\u0085"], ids=lambda char: hex(ord(char)))
def test_only_line_feeds_and_returns_end_a_line(char: str, tmp_path: Path) -> None:
    assert whats(tmp_path, f'{{"user": "a{char}b"}}\n'.encode()) == []


@pytest.mark.parametrize("char", ["\x0b", "\x0c", "\x1c"], ids=lambda char: hex(ord(char)))
def test_a_control_character_that_is_not_escaped_is_on_one_line(char: str, tmp_path: Path) -> None:
    assert [line for line, _, _ in whats(tmp_path, f'{{"user": "a{char}b"}}\n'.encode())] == [1]


def test_a_table_is_not_records(tmp_path: Path) -> None:
    lines = whats(tmp_path, b"user,tags\nHello,a\n")
    assert [line for line, _, _ in lines] == [1, 2] and all("not a JSON object" in what for _, _, what in lines)


@pytest.mark.parametrize(
    ("row", "path", "what"),
    [
        ({"user": "a", "__proto__": 1}, "__proto__", "unknown key"),
        ({"user": "a", "tags": ["t"] * 30}, "tags", "the list has 30 entries"),
        ({"user": "a", "tags": [str(n) for n in range(1_000_000)]}, "", "longer than 1048576 bytes"),
    ],
    ids=["proto", "30 tags", "a million tags"],
)  # fmt: skip
def test_keys_and_lists_that_no_record_has(row: dict[str, Any], path: str, what: str, tmp_path: Path) -> None:
    lines = whats(tmp_path, json.dumps(row).encode())
    assert any((place, said[: len(what)]) == (path, what) for _, place, said in lines), lines


def with_parameters(schema: dict[str, Any]) -> dict[str, Any]:
    record = conversation()
    record["tools"] = json.loads(json.dumps(record["tools"]))
    record["tools"][0]["function"]["parameters"] = schema
    return record


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        ({"$ref": "#"}, None),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}, None),
        ({"$ref": "file:///etc/passwd"}, 'the reference "file:///etc/passwd" names another document'),
        ({"properties": {"room": {"pattern": "^(a+)+$"}}}, None),
        ({"properties": {"room": {"pattern": "(?=a)b"}}}, 'the pattern "(?=a)b" cannot be used'),
        ({"properties": {"room": {"pattern": "(?P<x>a)(?P=x)"}}}, 'the pattern "(?P<x>a)(?P=x)" cannot be used'),
        ({"properties": {"room": {"format": "no-such-format"}}}, None),
        ({"properties": {"room": {"type": "blob"}}}, "not a JSON Schema"),
        ({"description": "x" * (5 << 20)}, "longer than 1048576 bytes"),
    ],
    ids=["self", "circle", "file", "explodes", "look-ahead", "python", "format", "type", "5 MB"],
)  # fmt: skip
def test_schemas_of_strangers(schema: dict[str, Any], what: str | None, tmp_path: Path) -> None:
    record = with_parameters(schema)
    record["messages"][1]["tool_calls"][0]["function"]["arguments"]["room"] = "a" * 60 + "!"
    lines = whats(tmp_path, json.dumps(record).encode())
    assert what is None or [said[: len(what)] for _, _, said in lines] == [what], lines


def test_two_files_with_one_id(tmp_path: Path) -> None:
    one, other = (write(tmp_path / f"{n}.jsonl", DIALECT | {"notes": str(n)}) for n in (1, 2))
    (problem,) = found(one, other).problems
    assert (problem.file, problem.what) == ("2.jsonl", "the same record_id as line 1 of 1.jsonl")


def test_what_is_no_file_is_named_and_not_opened(tmp_path: Path) -> None:
    pipe, folder = tmp_path / "pipe.jsonl", tmp_path / "folder.jsonl"
    os.mkfifo(pipe)
    folder.mkdir()
    (folder / "a.jsonl").write_text('{"user": "a"}\n', encoding="utf-8")
    files, problems = recordfiles.named((pipe, Path("/dev/zero"), folder))
    assert [file.path for file in files] == [folder / "a.jsonl"]
    assert {problem.what for problem in problems} == {"the file is not a regular file"} and len(problems) == 2


@pytest.mark.parametrize("grows", [True, False])
def test_a_file_that_changes_while_it_is_read_ends(
    grows: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(b'{"user": "question %d"}\n' % number for number in range(20_000)))
    size, changed = path.stat().st_size, threading.Event()
    monkeypatch.setattr(stream, "BLOCK_BYTES", 4096)

    def change(_: int) -> None:
        if not changed.is_set():
            changed.set()
            with path.open("r+b") as file:
                if grows:
                    file.seek(0, os.SEEK_END)
                    file.write(b'{"user": "more"}\n')
                else:
                    file.truncate(size // 2 + 3)

    checked = found(path, advance=change)
    if grows:
        assert (checked.records["prompt"], checked.problems) == (20_001, [])
    else:
        assert checked.records["prompt"] < 20_000 and len(checked.problems) <= 1, "the last line may be cut"


def test_many_tiny_bad_lines_are_counted_in_little_time_and_listed_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"user": "a"}\n' + b"{}\n" * 20_000)
    checked = found(path, most=5)
    assert (len(checked.problems), checked.bad_lines, checked.is_cut) == (5, 20_000, True)


def test_an_access_token_is_named_by_its_line_and_not_shown(tmp_path: Path) -> None:
    token = "hf_" + "aB3" * 12
    rows = [{"user": f"question {number}" + f" {token}" * (number in {7, 290})} for number in range(400)]
    said = found(write(tmp_path / "a.jsonl", *rows))
    assert [one.line for one in said.problems] == [8, 291] and said.records["prompt"] == 398
    assert all("contains what looks like an access token" in one.what for one in said.problems)
    assert token not in "\n".join(map(str, said.problems))
