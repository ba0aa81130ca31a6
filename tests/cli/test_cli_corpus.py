"""zoo corpus: files of records on the command line, in any folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from calling import Captured, as_json, called


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.jsonl").write_text('{"user": "a"}\n{"user": 5}\n{"user": "b"}\n', encoding="utf-8")
    (tmp_path / "data/b.jsonl").write_text('{"user": "a"}\n', encoding="utf-8")
    return tmp_path


def test_problems_have_their_place(capsys: Captured) -> None:
    code, out, err = called(capsys, "corpus", "check", "data")
    assert code == 2
    assert out.splitlines() == [
        'data/a.jsonl:2:1: user: 5 is not text. Put it in quotes: "5".',
        "data/b.jsonl:1:1: (file): the same prompt as line 1 of data/a.jsonl. Delete one of the two.",
    ]
    assert "2 files checked, 2 problems. 3 valid records." in err


def test_json_and_annotations(capsys: Captured) -> None:
    _, out, _ = called(capsys, "corpus", "check", "data", "--format", "json", "--max-errors", "1")
    data = json.loads(out)
    assert (data["records"], data["lines_with_problems"], data["repeated_records"]) == ({"prompt": 3}, 2, 1)
    assert len(data["problems"]) == 1 and not data["all_problems_listed"]
    _, out, _ = called(capsys, "corpus", "check", "data", "--format", "github")
    assert out.count("::error ") == 2


def test_valid_files(capsys: Captured) -> None:
    code, out, _ = called(capsys, "corpus", "check", "data/b.jsonl")
    assert (code, out) == (0, "1 file checked, no problems. 1 valid record.\n")


def test_paths_that_are_no_files(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "loop.jsonl").symlink_to("loop.jsonl")
    files = ("data/b.jsonl", "./data/b.jsonl", "none.jsonl", "/dev/null", "loop.jsonl")
    code, out, _ = called(capsys, "corpus", "check", *files)
    whats = [line.split(": ", 2)[2] for line in out.splitlines()]
    assert code == 2 and whats == [
        "the same file as data/b.jsonl. Name it once.",
        "the file was not found. Name an existing file.",
        "the file is not a regular file. Name an existing file.",
        "the file was not found. Name an existing file.",
    ]


def test_another_kind_is_a_problem(capsys: Captured) -> None:
    code, out, _ = called(capsys, "corpus", "check", "data/b.jsonl", "--kind", "conversation")
    assert code == 2 and 'key "messages" is missing' in out


def test_redact_and_forget(tmp_path: Path, capsys: Captured) -> None:
    pytest.importorskip("phonenumbers")
    (tmp_path / "p.jsonl").write_text('{"user": "Call 418 683-4471 or mail jo@telus.net"}\n', encoding="utf-8")
    code, out, _ = called(capsys, "corpus", "redact", "p.jsonl", "--out", "clean", "--key", "secret")
    assert code == 0 and "1 record, 1 changed. Found: PHONE 1, EMAIL 1." in out
    called(capsys, "corpus", "redact", "p.jsonl", "--out", "again", "--key", "secret")
    assert (tmp_path / "clean/p.jsonl").read_bytes() == (tmp_path / "again/p.jsonl").read_bytes()
    secret = (tmp_path / "secret").read_text(encoding="utf-8").split()[1]
    assert not any(secret in path.read_text(encoding="utf-8") for path in (tmp_path / "clean").iterdir())
    code, out, _ = called(capsys, "corpus", "forget", "secret")
    assert (code, out) == (0, "secret is overwritten and deleted.\n") and not (tmp_path / "secret").exists()
    code, _, err = called(capsys, "corpus", "redact", "p.jsonl", "--out", "x", "--key", "x/secret")
    assert code == 2 and "the key would be in the folder of the redacted files" in err
    code, _, err = called(capsys, "corpus", "redact", "data/a.jsonl", "--out", "x")
    assert code == 2 and "zoo corpus check data/a.jsonl" in err and not (tmp_path / "x").exists()
    (tmp_path / "none.jsonl").write_bytes(b"")
    code, _, err = called(capsys, "corpus", "redact", "none.jsonl", "--out", "x")
    assert code == 2 and "the files have no records" in err and not (tmp_path / "x").exists()


def test_overlap(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "held.jsonl").write_text('{"user": "Why is the sky so blue in June?"}\n', encoding="utf-8")
    (tmp_path / "train.jsonl").write_text(
        '{"user": "why is the sky so blue in june"}\n{"user": "x"}\n', encoding="utf-8"
    )
    code, out, err = called(capsys, "corpus", "overlap", "train.jsonl", "--against", "held.jsonl")
    assert code == 2 and out.startswith("train.jsonl:1:1: (file): the same words as line 1 of held.jsonl")
    assert "3 texts compared, 1 with an overlap." in err
    code, out, _ = called(capsys, "corpus", "overlap", "train.jsonl", "--format", "json")
    assert code == 0 and json.loads(out)["overlaps"] == 0


def test_describe_says_how_many_records_to_add(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "some.jsonl").write_text('{"user": "Where is it?"}\n' * 2 + '{"user": "C’est où?"}\n', encoding="utf-8")
    line = ["corpus", "describe", "some.jsonl", "--at-least", "language:fr=0.5", "--at-most", "language:en=0.6"]
    code, out, _ = called(capsys, *line, "--svg", "shares.svg")
    assert code == 2
    assert "at least 50 % language:fr, and 1 of 3 records (33.3 %) have it" in out
    assert "Add 1 record that has it" in out and "Add 1 record that does not have it" in out
    picture = (tmp_path / "shares.svg").read_text(encoding="utf-8")
    assert picture.startswith("<svg") and "<style>" in picture
    code, data = as_json(capsys, *line)
    assert [one["add"] for one in data["missed"]] == [1, 1] and data["language"] == {"en": 2, "fr": 1}
    assert called(capsys, "corpus", "describe", "some.jsonl", "--at-least", "language:fr=1/3")[0] == 0


@pytest.mark.parametrize("wrong", ["fr=0.5", "language:=0.5", "language:fr", "language:fr=1.5", "colour:red=0.1"])
def test_a_share_that_cannot_be_read_is_explained(wrong: str, capsys: Captured) -> None:
    code, _, err = called(capsys, "corpus", "describe", "data/b.jsonl", "--at-least", wrong)
    assert code == 2 and "such as language:fr=0.45" in err


def test_croissant_is_written_checked_and_keeps_its_version(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "data/a.jsonl").unlink()
    (tmp_path / "data/README.md").write_text(
        "---\nlicense: cc0-1.0\nlanguage: [en]\npretty_name: Some\nconfigs:\n- config_name: default\n  data_files:\n"
        "  - {split: train, path: b.jsonl}\n---\n# Some\n",
        encoding="utf-8",
    )
    code, _, err = called(capsys, "corpus", "croissant", "data")
    assert code == 2 and "--version, --date and --url" in err
    made = ("--version", "1.0.0", "--date", "2026-11-29", "--url", "https://example.org/")
    assert called(capsys, "corpus", "croissant", "data", *made)[0] == 0
    assert called(capsys, "corpus", "croissant", "data", "--check")[0] == 0
    (tmp_path / "data/b.jsonl").write_text('{"user": "c"}\n', encoding="utf-8")
    code, out, _ = called(capsys, "corpus", "croissant", "data", "--check")
    assert code == 2 and "out of date. Write it again: zoo corpus croissant data" in out
    assert called(capsys, "corpus", "croissant", "data")[0] == 0
    assert json.loads((tmp_path / "data/croissant.json").read_text(encoding="utf-8"))["version"] == "1.0.0"


def test_import_says_what_is_left_out_and_what_records_lose(tmp_path: Path, capsys: Captured) -> None:
    turns = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]
    rows = [{"id": 7, "conversations": turns}, {"conversations": turns[:1]}]
    (tmp_path / "theirs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    code, out, err = called(capsys, "corpus", "import", "theirs.jsonl", "--from", "hermes", "--out", "ours.jsonl")
    assert code == 2
    what = "the conversation ends without an answer of the assistant. Add the last answer."
    assert out == f"theirs.jsonl:2:1: messages[0]: {what}\n"
    assert "hint: theirs.jsonl:1:1: id: no record has this key; its value was 7. It is not in the record." in err
    assert "1 record written to ours.jsonl, 1 line left out." in err
    assert called(capsys, "corpus", "check", "ours.jsonl")[0] == 0
    code, _, err = called(capsys, "corpus", "import", "theirs.jsonl", "--from", "bfcl", "--out", "none.jsonl")
    assert code == 2 and "no line is a record of this form" in err and not (tmp_path / "none.jsonl").exists()
