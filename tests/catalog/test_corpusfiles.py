"""The files of a corpus are read once, in blocks, and their lines are those of the complete text."""

from __future__ import annotations

import hashlib
import io
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tinyzoo import make_tiny_zoo, plain_recipe, write_recipe

from catalog import corpusfiles, dataplaces
from catalog.checks import check_recipe

OPENED = """
import collections, json, os, sys
seen = collections.Counter()
sys.addaudithook(lambda event, told: event == "open" and seen.update([os.fspath(told[0])])
                 if event == "open" and isinstance(told[0], (str, os.PathLike)) else None)
from pathlib import Path
from zoo import settings
from zoo.plan import prepare
prepare.make_plan("smollm2-tutor-57m", settings.load(Path(sys.argv[1]), {}, {}))
print(json.dumps({path: count for path, count in seen.items() if "/corpora/" in path}))
"""


@pytest.mark.parametrize("block", [1, 2, 3, 7, 1 << 20])
def test_lines_are_those_of_the_complete_text(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(corpusfiles, "_BLOCK", block)
    dice = random.Random(block)
    for _ in range(200):
        raw = b"".join(dice.choice((b"a", b"\n", b"\r", b"\r\n", b"", "\ufeffé".encode())) for _ in range(12))
        lines = corpusfiles._Lines(io.BytesIO(raw))
        assert list(lines) == raw.splitlines()
        assert (lines.sha256.hexdigest(), lines.feeds) == (hashlib.sha256(raw).hexdigest(), raw.count(b"\n"))


def test_a_plan_reads_every_file_of_its_corpus_once(zoo_folder: Path) -> None:
    command = [sys.executable, "-c", OPENED, str(zoo_folder)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    read = {path: count for path, count in found.items() if path.startswith(str(zoo_folder))}
    assert len(read) >= 3 and set(read.values()) == {1}, read


TEXT = b"The quick brown fox jumps over the lazy dog.\n"
FAULTS = {
    "empty": (b"", "the file has no text"),
    "only a byte order mark": (b"\xef\xbb\xbf", "the file has no text"),
    "only spaces": ("\u00a0 \u200b\r\n\t\n".encode() * 900, "the file has no text"),
    "binary": (TEXT * 90 + bytes(range(128, 256)), "line 91 is not UTF-8 text"),
    "UTF-16": ("hello world\n".encode("utf-16-le") * 900, "line 1: U+0000 (NUL) is in the text"),
    "six characters": (b"hello\n", "has at most 8 tokens, less than one window of "),
    "shorter than a window": (b"a" * 29, "has at most 31 tokens, less than one window of 32"),
    "one window": (b"a" * 40, "the evaluation texts fill at most 1 of 2 windows of 32 tokens"),
}


def checked(zoo: Path, path: str, raw: bytes, name: str = "plain") -> list[str]:
    """Problems of a recipe of the tiny zoo with another file at ``path``."""
    (zoo / path).write_bytes(raw)
    return [f"{one.path}: {one.what}" for one in check_recipe(zoo / "recipes" / f"{name}.yaml", zoo).problems]


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    zoo = make_tiny_zoo(tmp_path / "zoo")
    recipe = plain_recipe(zoo)
    recipe["evaluate"]["window_tokens"] = 32
    recipe["corpus"]["evaluation"] = recipe["corpus"]["evaluation"][:1]
    write_recipe(zoo, recipe)
    return zoo


def part_of(zoo: Path, part: str, name: str = "plain") -> str:
    data = yaml.safe_load((zoo / "recipes" / f"{name}.yaml").read_text(encoding="utf-8"))
    return str(data["corpus"][part][0]["path"])


@pytest.mark.parametrize("fault", FAULTS)
def test_a_text_that_cannot_be_measured_is_a_problem_of_the_recipe(fault: str, zoo: Path) -> None:
    raw, words = FAULTS[fault]
    (problem,) = checked(zoo, part_of(zoo, "evaluation"), raw)
    assert problem.startswith("corpus.evaluation") and words in problem


def test_what_any_tokenizer_may_cut_into_two_windows_is_no_problem(zoo: Path) -> None:
    path = part_of(zoo, "evaluation")
    assert checked(zoo, path, b"a" * 62) == []
    # One character of three bytes that some tokenizers write as eighteen characters first.
    assert checked(zoo, path, "\ufdfa\ufdfa".encode()) == []


@pytest.mark.parametrize(
    ("part", "raw", "words"),
    [
        ("train", b"", "the file has no records"),
        ("train", b"[1]\nnothing\n", "the file has no records"),
        ("heldout", b'{"user": "caf\xe9"}\n', "line 1 is not UTF-8 text"),
        ("heldout", '{"user": "ol\u00e1"}'.encode("utf-16-le"), "is not UTF-8 text"),
        ("train", b'{"user": "one"}\n{"user": "call hf_' + b"a" * 34 + b'"}\n', "line 2 contains what looks like"),
        ("heldout", b'{"user": "ghp_' + b"A1" * 18 + b'"}\n', "line 1 contains what looks like an access token"),
        ("calibration", b"a\n AKIA" + b"Z" * 16, "line 2 contains what looks like an access token"),
        ("calibration", b"a", "has at most 3 tokens, less than one window of "),
    ],
)
def test_every_file_of_a_corpus_is_looked_at(part: str, raw: bytes, words: str, zoo: Path) -> None:
    (problem,) = checked(zoo, part_of(zoo, part, "tutored"), raw, "tutored")
    assert problem.startswith(f"corpus.{part}[0].path: ") and words in problem


@pytest.mark.parametrize("part", corpusfiles.PARTS)
def test_a_file_that_is_kept_says_what_a_larger_one_would(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read twice by each way, in other bytes the second time."""
    words = "one two three four five six seven eight nine ten eleven twelve thirteen"
    path = tmp_path / "a.jsonl"
    turn = f'{{"messages": [{{"role": "system"}}, {{"role": "user", "content": "{words}"}}]}}\n'
    for raw in (f'{{"user": "{words}"}}\n{words}\n\n', f'{{"user": "{words[::-1]}"}}\n{turn}\n\n', "x\x00", ""):
        path.write_text(raw, encoding="utf-8")
        said = []
        for most in (1 << 18, 1 << 18, -1):
            monkeypatch.setattr(corpusfiles, "_KEPT_BYTES", most)
            with path.open("rb", buffering=0) as stream:
                found = corpusfiles._reading(stream, part)
                assert isinstance(found, corpusfiles._Lines) == (most < 0)
                rows = list(found.paragraphs() if part in dataplaces.TEXTS else found.prompts())
                said.append((rows, found.facts(), found.fault()))
        assert said[0] == said[1] == said[2]
