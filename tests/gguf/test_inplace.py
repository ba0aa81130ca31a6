"""Rewriting a header where the file is: the bytes of the copy, whatever the header's new size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tinygguf import make_tiny_gguf

from zoo.errors import InputError
from zoo.gguf import inplace
from zoo.gguf.header import rewrite_header
from zoo.gguf.inplace import rewrite_in_place


@pytest.mark.parametrize("part", [64, 1 << 22])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"general.name": "x" * 5000},
        {"tokenizer.ggml.token_type": None},
        {"general.name": "other", "a.b": [str(number) for number in range(999)]},
    ],
)
def test_the_bytes_are_those_of_a_copy(
    changes: dict[str, Any], part: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inplace, "_PART_BYTES", part)
    file = make_tiny_gguf(tmp_path / "one.gguf")
    rewrite_header(file, tmp_path / "copy.gguf", changes)
    rewrite_in_place(file, changes)
    assert file.read_bytes() == (tmp_path / "copy.gguf").read_bytes()


def test_an_impossible_change_leaves_the_file_alone(tmp_path: Path) -> None:
    file = make_tiny_gguf(tmp_path / "one.gguf")
    before = file.read_bytes()
    with pytest.raises(InputError, match="cannot be rewritten"):
        rewrite_in_place(file, {"general.alignment": 64})
    assert file.read_bytes() == before
