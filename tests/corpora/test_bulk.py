"""Lines accepted at once: never one that the reader of single lines refuses, and with the same identity."""

from __future__ import annotations

import json
import random
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from corpussamples import DIALECT, LABELLED, conversation, write

from catalog import unseen
from zoo.corpora import bulk, check, quickjson, records
from zoo.corpora.kinds import KINDS

pytest.importorskip("msgspec")

TOOL = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 9}}, "required": ["n"]}
PROMPTS: list[dict[str, Any]] = [
    {"user": "Où est l’érable ?", "tags": ["lang:fr-CA", "topic:garden"]},
    {"user": "What is 3 + 4: \"seven\"?", "system_hint": "Be brief.", "goal": "sum"},
    {"user": "two\nlines and  two spaces", "system_hint": "Réponds."},
    {"user": "Count.", "requires_json": True, "tool_name": "count", "tool_schema": TOOL},
]  # fmt: skip
SAMPLES = {"prompt": PROMPTS, "labelled": [LABELLED], "conversation": [conversation()], "dialect": [DIALECT]}
FRAGMENTS = (
    b'"', b":", b",", b"{", b"}", b"[", b"]", b"\\", b" ", b"\t", b"\r", b"\n", b"\x00", b"\xff", b"\\u0000",
    b"\\u0022", b"\\ud800", b"\\u200b", b"9007199254740993", b"1e999", b"-0", b"NaN", b"null", b"true", b"\xe2\x80\x8b",
    b'"user":"b",', b'"user" : "b",', b'"us\\u0065r":"\\u0022",', b'"n":1,', b'"tags":["a","a"],', b"e\xcc\x81",
)  # fmt: skip


def damaged(line: bytes, chance: random.Random) -> bytes:
    """A line with one to three pieces put in, taken out or moved."""
    for _ in range(chance.randint(1, 3)):
        place, other = sorted(chance.choices(range(len(line) + 1), k=2))
        way = chance.randrange(3)
        if way == 0:
            line = line[:place] + chance.choice(FRAGMENTS) + line[place:]
        elif way == 1:
            line = line[:place] + line[min(other, place + 6) :]
        else:
            line = line[:place] + line[other : other + 9] + line[place:]
    return line


@pytest.mark.parametrize("name", KINDS)
def test_what_is_accepted_at_once_is_accepted_line_by_line(name: str) -> None:
    kind, chance, accepted = KINDS[name], random.Random(name), 0
    sound = [json.dumps(row, ensure_ascii=False).encode() for row in SAMPLES[name]]
    found = bulk.accepted(sound, kind)
    assert found and found.records == list(map(json.loads, sound))
    assert found.identities == list(map(kind.identity, found.records))
    for _ in range(1000):
        line = damaged(chance.choice(sound), chance)
        found = bulk.accepted([sound[0], line], kind)
        if found is not None:
            accepted += 1
            record = records.sound(line, kind)
            assert record is not None, line
            assert found.identities[1] == kind.identity(record) and found.records[1] == record, line
    assert accepted > 5, "too much damage shows nothing"


def test_a_key_that_is_written_twice_is_never_accepted() -> None:
    for twice in (b'"user": "b"', b'"user" : "b"', b'"us\\u0065r":"\\u0022\\u0022"', b'"user":"\\""'):
        line = b'{"user": "a", %s}' % twice
        assert json.loads(line) and bulk.accepted([line], KINDS["prompt"]) is None


@pytest.mark.parametrize("name", ["conversation", "prompt"])
def test_a_number_that_no_float_holds_is_never_accepted(name: str) -> None:
    text = json.dumps(SAMPLES[name][-1]).replace('"maximum": 9', '"maximum": 9007199254740993')
    line = text.replace('"living room"', "9007199254740993").encode()
    assert line != text.encode() or name == "prompt"
    assert bulk.accepted([line], KINDS[name]) is None


def test_plain_text_is_its_own_normal_form() -> None:
    inner = re.compile(unseen.PLAIN_TEXT)
    plain = [char for char in map(chr, range(0x110000)) if inner.match(char)]
    assert len(plain) > 1000 and not any(map(unseen.blank, plain))
    for char in plain:
        assert unseen.same_text(f"e{char} {char}e") == f"e{char} {char}e", hex(ord(char))
    assert not any(map(unicodedata.combining, plain))
    assert not any(inner.match(text) for text in ("", " a", "a ", "a  b", "a\tb", "a\u00a0b", "e\u0301", "a\x00b"))


def test_one_bad_line_among_thousands_is_found_and_the_others_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[dict[str, Any]] = [{"user": f"question {number}"} for number in range(3000)]
    rows[1234] = {"user": 5}
    rows[2500] = rows[77]
    path = write(tmp_path / "a.jsonl", *rows)
    quick = check.check([check.File(path, "a.jsonl")])
    assert [one.line for one in quick.problems] == [1235, 2501] and quick.records == {"prompt": 2999}
    monkeypatch.setattr(quickjson, "encoder", lambda: None)
    assert check.check([check.File(path, "a.jsonl")]) == quick
