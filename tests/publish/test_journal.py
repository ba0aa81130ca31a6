"""Journals of all kinds after anybody wrote into them: unusable lines are skipped and reported."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from zoo.errors import ZooError
from zoo.files import journal
from zoo.progress import Silent, heard_by
from zoo.publish.journal import Journal

BEGIN = {"step": "begin", "files": "f1"}
STEPS: list[dict[str, Any]] = [
    {"step": "uploaded", "kind": "model", "path": "a.gguf", "sha256": "0" * 64},
    {"step": "committing", "kind": "model", "parent": None, "keep": ["theirs.txt"]},
    {"step": "committed", "kind": "model", "oid": "c" * 40},
    {"step": "verified", "kind": "model", "oid": "c" * 40, "how": "tree"},
    {"step": "tagged", "kind": "model", "oid": "c" * 40},
]


class Heard(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def lines(path: Path, *entries: Any) -> None:
    path.write_bytes(b"".join(e if isinstance(e, bytes) else json.dumps(e).encode() + b"\n" for e in entries))


@pytest.mark.parametrize("entry", STEPS, ids=lambda entry: entry["step"])
@pytest.mark.parametrize("change", ["without", "null", "number", "list", "object"])
def test_a_step_of_another_shape_is_skipped(tmp_path: Path, entry: dict[str, Any], change: str) -> None:
    path = tmp_path / "1.0.0.journal.jsonl"
    for key in [key for key in entry if key != "parent" and key != "sha256"]:
        wrong: dict[str, Any] = {"without": None, "null": None, "number": 7, "list": [1], "object": {}}
        damaged = {k: v for k, v in entry.items() if k != key}
        if change != "without":
            damaged |= {key: wrong[change]}
        lines(path, BEGIN, damaged, STEPS[2])
        heard = Heard()
        with heard_by(heard):
            found = Journal(path, "f1")
        assert found.kept("model") == frozenset()
        assert found.committed("model") == "c" * 40
        assert heard.warnings == ["1 line of 1.0.0.journal.jsonl cannot be used and is skipped"]


def test_the_lines_around_a_bad_one_count(tmp_path: Path) -> None:
    path = tmp_path / "j"
    lines(path, BEGIN, b"\xff\xfe\n", b"[" * 50_000 + b"\n", b'{"step": NaN}\n', *STEPS, b'{"step": "tag')
    heard = Heard()
    with heard_by(heard):
        found = Journal(path, "f1")
        assert found.kept("model") == {"theirs.txt"}
        found.note("done")
    assert [e["step"] for e in Journal(path, "f1").entries][-1] == "done"
    assert len(heard.warnings) == 2
    assert path.read_bytes().endswith(b'"step":"done"}\n')


def test_of_another_publication_nothing_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "j"
    lines(path, BEGIN, *STEPS, {"step": "begin", "files": "f2"})
    assert Journal(path, "f1").committed("model") is None
    lines(path, BEGIN, *STEPS, {"step": "begin", "files": {"f": 2}})
    assert Journal(path, "f1").committed("model") == "c" * 40


def test_no_bytes_make_a_journal_fail(tmp_path: Path) -> None:
    rng = random.Random(3)
    path = tmp_path / "j"
    whole = b"".join(json.dumps(e).encode() + b"\n" for e in (BEGIN, *STEPS))
    for _ in range(1000):
        raw = bytearray(whole)
        for _ in range(rng.randint(1, 5)):
            raw[rng.randrange(len(raw))] = rng.choice(b'"{}[],:0119eE-. \n\\nul\xff\x00')
        path.write_bytes(raw[: rng.randint(0, len(raw))])
        found = Journal(path, "f1")
        assert isinstance(found.kept("model"), frozenset)
        assert found.committed("model") is None or isinstance(found.committed("model"), str)


def test_a_folder_in_its_place_is_reported(tmp_path: Path) -> None:
    (tmp_path / "j").mkdir()
    with pytest.raises(ZooError, match="the label journal cannot be written"):
        journal.open_to_append(tmp_path / "j", "label journal")


def test_a_journal_beyond_any_size_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "1.0.0.journal.jsonl"
    lines(path, BEGIN, *STEPS)
    with path.open("r+b") as stream:
        stream.truncate(journal.MOST_BYTES + 1)
    with pytest.raises(ZooError) as caught:
        Journal(path, "f1")
    assert "1.0.0.journal.jsonl is larger than 64 MiB" in caught.value.what and "Move it away" in caught.value.remedy
    assert path.stat().st_size == journal.MOST_BYTES + 1


def test_a_line_that_would_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with journal.open_to_append(path, "journal") as stream:
        journal.append(stream, "a" * 50, "journal", 100)
        with pytest.raises(ZooError, match="larger than"):
            journal.append(stream, "b" * 50, "journal", 100)
    assert journal.read(path, journal.text, 100) == ["a" * 50]


@pytest.mark.parametrize("rest", [b"", b"x", b"x" * 65_535, b"x" * 65_536, b"x" * 200_000])
@pytest.mark.parametrize("start", [b"", b"1\n", b"1\n22\n"])
def test_an_incomplete_end_of_any_length_is_cut_off(tmp_path: Path, start: bytes, rest: bytes) -> None:
    path = tmp_path / "j"
    path.write_bytes(start + rest)
    with journal.open_to_append(path, "journal") as stream:
        journal.append(stream, 3, "journal")
    assert path.read_bytes() == start + b"3\n"
