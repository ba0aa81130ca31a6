"""The conversations of a teacher as rows of a training, with the counts and licences of their files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tinyzoo
import tunesamples
from tunesamples import CHATS, HELDOUT_FILE, TRAIN_FILE, chat

from zoo.errors import InputError
from zoo.progress import Silent
from zoo.stages import Context
from zoo.stages.conversations import run


def context(root: Path) -> Context:
    for name in ("out", "scratch"):
        (root / name).mkdir()
    spec = {f"tune.{part}": files for part, files in tunesamples.corpus().items()}
    return Context(spec, {}, root / "out", root / "scratch", root, root / "work", 1, "cpu", Silent())


def test_rows_and_counts(tmp_path: Path) -> None:
    long = {**chat("one", "two", "three", "four", system="Count."), "tags": ["lang:en"]}
    labelled = {"key": "0" * 16, "tags": [], "requires_json": False, "finish": "length", "attempts": 2}
    cut = {**chat("and", "cut off"), **labelled}
    tunesamples.write(tmp_path, [*CHATS[:2], long], [cut])
    raw = (tmp_path / TRAIN_FILE).read_bytes()
    (tmp_path / TRAIN_FILE).write_bytes("\ufeff".encode() + raw.replace(b"\n", b"\r\n"))
    facts = run(context(tmp_path))
    lines = (tmp_path / "out/train.jsonl").read_text(encoding="utf-8").splitlines()
    made = [json.loads(line) for line in lines]
    assert [one["messages"] for one in made] == [one["messages"] for one in (*CHATS[:2], long)]
    assert [one["finish"] for one in made] == ["stop"] * 3 and made[2]["tags"] == ["lang:en"]
    assert len({one["key"] for one in made}) == 3
    (held,) = map(json.loads, (tmp_path / "out/heldout.jsonl").read_text(encoding="utf-8").splitlines())
    assert held["finish"] == "length", "its end of turn is not the answer's"
    assert facts == {
        "train": [{**tinyzoo.text_file(TRAIN_FILE), "rows": 3, "answers": 4}],
        "heldout": [{**tinyzoo.text_file(HELDOUT_FILE), "rows": 1, "answers": 1}],
    }
    assert json.loads((tmp_path / "out/tune-corpus.json").read_text(encoding="utf-8")) == facts


def test_a_line_that_became_invalid_is_named(tmp_path: Path) -> None:
    tunesamples.write(tmp_path, [CHATS[0], chat("no answer")])
    with pytest.raises(InputError, match=rf"{TRAIN_FILE}:2:1: .*without an answer"):
        run(context(tmp_path))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    tunesamples.write(tmp_path, heldout=[])
    with pytest.raises(InputError, match="no records") as raised:
        run(context(tmp_path))
    assert raised.value.where == HELDOUT_FILE
