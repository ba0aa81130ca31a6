"""Files of records as streams: every form they have on a disk, and what is not one."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from corpussamples import DIALECT, LABELLED, conversation, write

from zoo.corpora import check, quickjson, records, stream
from zoo.corpora.kinds import KINDS
from zoo.corpora.prompts import KIND as PROMPT
from zoo.corpora.repeats import Repeats
from zoo.errors import InputError

ROWS = b"".join(b'{"user": "question %d"}\n' % number for number in range(5000))


def found(*paths: Path, most: int = 60) -> check.Checked:
    return check.check([check.File(path, path.name) for path in paths], most=most)


def whats(path: Path) -> list[tuple[int, str]]:
    return [(problem.line, problem.what) for problem in found(path).problems]


@pytest.mark.parametrize("row", [{"user": "a"}, LABELLED, conversation(), DIALECT], ids=KINDS)
def test_every_kind_is_recognised(tmp_path: Path, row: dict[str, object]) -> None:
    checked = found(write(tmp_path / "a.jsonl", row))
    assert not checked.problems and checked.records.total() == 1
    assert set(checked.records) <= set(KINDS)


def test_plain_and_compressed_files_have_the_same_lines(tmp_path: Path) -> None:
    zstd = pytest.importorskip("backports.zstd")
    half = ROWS.index(b"\n", len(ROWS) // 2) + 1
    forms = {
        "plain": ROWS,
        "gz": gzip.compress(ROWS[:half]) + gzip.compress(ROWS[half:]),
        "zst": zstd.compress(ROWS[:half]) + zstd.compress(ROWS[half:]),
        "windows": b"\xef\xbb\xbf" + ROWS.replace(b"\n", b"\r\n"),
        "mac": ROWS.replace(b"\n", b"\r"),
        "no end": ROWS[:-1],
    }
    for name, raw in forms.items():
        path = tmp_path / name
        path.write_bytes(raw)
        checked = found(path)
        assert (checked.records["prompt"], checked.problems) == (5000, []), name


@pytest.mark.parametrize("form", ["gz", "zst"])
def test_a_cut_file_is_an_error(tmp_path: Path, form: str) -> None:
    # A block of zstd is 128 KiB of text.
    raw = b"".join(b'{"user": "%x"}\n' % (number**9) for number in range(20_000))
    packed = gzip.compress(raw) if form == "gz" else pytest.importorskip("backports.zstd").compress(raw)
    path = tmp_path / f"a.jsonl.{form}"
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(InputError, match="damaged or cut") as caught:
        found(path)
    # The line that is cut, as far as the file can be read.
    opened = gzip.GzipFile(path) if form == "gz" else pytest.importorskip("backports.zstd").ZstdFile(path)
    readable = b""
    with suppress(EOFError), opened:
        while block := opened.read1(100):
            readable += block
    assert 0 < readable.count(b"\n") < 20_000
    # A change is noticed by a checksum at the end of many lines, so none of them is promised to be right.
    assert caught.value.safe == "The lines before this one can be read, but may be damaged too."
    assert caught.value.where == f"a.jsonl.{form}:{readable.count(chr(10).encode()) + 1}"


def test_lines_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = b"one\r\ntwo\r\r\n\nfive" + b"x" * 40 + b"\nsix\rseven"
    path = tmp_path / "a"
    path.write_bytes(raw)
    monkeypatch.setattr(stream, "MOST_LINE_BYTES", 20)
    for size in range(1, len(raw) + 1):
        monkeypatch.setattr(stream, "BLOCK_BYTES", size)
        lines, next_number = [], 1
        for number, batch in stream.batches(path, "a"):
            assert number == next_number
            next_number += len(batch)
            lines += batch
        # A line that is too long may also be whole in one block.
        kept = [one if one is None or len(one) <= 20 else None for one in lines]
        assert kept == [None if len(one) > 20 else one for one in raw.splitlines()], size


def test_a_huge_line_is_skipped_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"user": "a"}\n{"user": "' + b"x" * (40 << 20) + b'"}\n{"user": "b"}\n')
    tracemalloc.start()
    checked = found(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [(one.line, one.what) for one in checked.problems] == [(2, "longer than 65536 bytes")]
    assert checked.records["prompt"] == 2 and peak < 16 << 20


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "this is a pointer of Git LFS, not the file"),
        (b"<!DOCTYPE html>\n<html>\n", "this is a web page, not records"),
        ('{"user": "a"}\n'.encode("utf-16"), "the text is UTF-16"),
        (b'[\n  {"user": "a"}\n]\n', "the JSON is spread over several lines"),
        (b'[{"user": "a"}]\n', "this is one JSON list, not JSON Lines"),
        (b"", "the file has no records"),
        (b"\n \n", "the file has no records"),
    ],
)  # fmt: skip
def test_another_file_is_named_once(tmp_path: Path, raw: bytes, what: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(raw)
    assert whats(path) == [(1, what)]


@pytest.mark.parametrize(
    "line",
    [
        b'{"user": "a", "user": "b"}', b'{"user": "a", "user" : "b"}', b'{"user" :"a\\":", "user":"b"}',
        b'{"user": "a\\ud800"}', b'{"user": "a\\ud83d"}', b'{"user": 123456789012345678901234567890}',
        b'{"user": 9007199254740993}', b'{"user": 1e999}', b'{"user": NaN}', b'{"user": "caf\xe9"}', b'{"user": "a"',
        b'{"user": "\x00"}', b"[" * 1500 + b"]" * 1500, b"", b'\xff\xfe{"user"', b'{"user": "a"} {"user": "b"}',
    ],
)  # fmt: skip
def test_the_quick_reader_accepts_nothing_that_the_strict_one_refuses(
    line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = records.sound(line, PROMPT)
    assert quick is None and records.read(line, PROMPT).faults
    monkeypatch.setattr(quickjson, "decoder", lambda: None)
    assert records.sound(line, PROMPT) is None


@pytest.mark.parametrize(
    "line",
    [
        b'{"user": "a : b \\" : c", "tags": ["x:y"]}', '{"user": "Québec \\u00e9t\\u00e9 😀"}'.encode(),
        b'{"user" : "a"}', b'  {"user":"\\ud83d\\ude00"}\r',
    ],
)  # fmt: skip
def test_both_readers_read_the_same(line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = records.read(line, PROMPT)
    monkeypatch.setattr(quickjson, "decoder", lambda: None)
    assert quick == records.read(line, PROMPT) and quick.record


def test_repeated_records_are_found_across_files(tmp_path: Path) -> None:
    one = write(tmp_path / "1.jsonl", {"user": "a"}, {"user": "b"}, {"user": "c"})
    other = write(tmp_path / "2.jsonl", {"user": "d"}, {"user": " b "}, {"user": "c", "tags": ["x"]})
    checked = found(one, other)
    assert [(p.file, p.line, p.what) for p in checked.problems] == [
        ("2.jsonl", 2, "the same prompt as line 2 of 1.jsonl"),
        ("2.jsonl", 3, "the same prompt as line 3 of 1.jsonl"),
    ]
    limited = found(one, other, most=1)
    assert (len(limited.problems), limited.repeated, limited.is_cut) == (1, 2, True)


def test_digests_on_the_disk_give_the_same_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.corpora.repeats.FULL", 100)
    repeats = Repeats(tmp_path)
    for number in range(3000):
        repeats.add("prompt", [(f"record {number % 2900}",)], 0, number)
    assert list(tmp_path.iterdir())
    assert sorted(repeats.found()) == [((0, 2900 + n), (0, n)) for n in range(100)]


def test_problems_beyond_the_limit_are_counted(tmp_path: Path) -> None:
    rows = [{"user": 5} if number % 2 else {"user": str(number)} for number in range(200)]
    checked = found(write(tmp_path / "a.jsonl", *rows), most=7)
    assert (len(checked.problems), checked.bad_lines, checked.records["prompt"], checked.is_cut) == (7, 100, 100, True)
    assert [problem.line for problem in checked.problems] == list(range(2, 16, 2))


def test_the_first_record_decides_the_kind(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"user": "a"}, conversation())
    assert {line for line, _ in whats(path)} == {2}
    other = write(tmp_path / "b.jsonl", {"text": "a"})
    assert whats(other)[0][1].startswith('the record has the keys ["text"], which no kind of record has')


def test_a_file_that_grows_a_thousandfold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_BOMB_BYTES", 1 << 20)
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps({"user": "a"}).encode() + b"\n" * (8 << 20)))
    with pytest.raises(InputError, match="grows to more than 300 times its size"):
        found(path)
