"""Texts of somebody else's catalog in a terminal: no command of the terminal, and no line that is turned round."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from sitesamples import sample

from catalog import index
from zoo.__main__ import main

HOSTILE = "\x1b]0;title\x07\x1b[2J\x1b[31mred \u202egnp.exe\u2066 \u200f::error::x\r\x9b31m"
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
NAME = "smollm2-135m-instruct"
COMMANDS = (
    ("catalog",), ("show", NAME), ("show", f"{NAME}@1.0.0"), ("pick", NAME), ("pull", NAME), ("pull", "nobody"),
    ("verify", NAME, "--on-hub"), ("watch", "--no-upstream"), ("check", "catalog.json"),
)  # fmt: skip


def spoil(data: Any, key: str) -> int:
    """Put the hostile text behind every text of this key. Returns how many there were."""
    count = 0
    if isinstance(data, dict):
        for name, value in data.items():
            if name == key and isinstance(value, str):
                data[name], count = value + HOSTILE, count + 1
            elif name == key and isinstance(value, list) and value and isinstance(value[0], str):
                value[0], count = value[0] + HOSTILE, count + 1
            else:
                count += spoil(value, key)
    elif isinstance(data, list):
        count += sum(spoil(one, key) for one in data)
    return count


def keys(data: Any) -> set[str]:
    """Every key that has a text or a list of texts."""
    if isinstance(data, list):
        return set().union(*map(keys, data))
    if not isinstance(data, dict):
        return set()
    own = {name for name, value in data.items() if isinstance(value, str)}
    own |= {name for name, value in data.items() if isinstance(value, list) and value and isinstance(value[0], str)}
    return own | set().union(*map(keys, data.values()))


SAMPLE = json.loads(index.to_text(sample()))


@pytest.mark.parametrize("key", sorted(keys(SAMPLE)))
def test_nothing_unseen_reaches_the_terminal(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = json.loads(json.dumps(SAMPLE))
    assert spoil(data, key)
    (tmp_path / "zoo.toml").touch()
    (tmp_path / "catalog.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for words in COMMANDS:
        named = () if words[0] == "check" else ("--catalog", "catalog.json")
        assert main([*words, *named]) in (0, 1, 2, 3)
        captured = capsys.readouterr()
        for text in (captured.out, captured.err):
            found = UNSEEN.search(text)
            assert not found, (words, text[max(found.start() - 60, 0) :][:120])
            assert not re.search(r"^::", text, re.MULTILINE), words
        assert "fault of the program" not in captured.err
