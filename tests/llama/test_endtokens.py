"""End tokens that only generation_config.json names are stored in the header."""

from __future__ import annotations

from pathlib import Path

import pytest
from tinymodel import make_tiny_llama

pytest.importorskip("llama_cpp")
pytest.importorskip("transformers")

from zoo.gguf import header
from zoo.llama.convert import endtokens
from zoo.llama.convert.convert import convert


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("ends")
    convert(make_tiny_llama(base / "model"), base / "m.gguf")
    return base / "m.gguf"


@pytest.mark.parametrize(
    ("wanted", "placed"),
    [
        ([2], []),
        ([2, 300], [300]),
        ([300, 301, 302], [300, 301]),
        ([300, 300, 2], [300]),
        ([9999, -1], []),
        ([], []),
    ],
)
def test_ids_that_llama_does_not_end_on_get_the_free_keys(file: Path, wanted: list[int], placed: list[int]) -> None:
    found = endtokens.placed(file, wanted, header.read_header(file).metadata)
    assert found == dict(zip(endtokens.SLOTS, placed, strict=False))


def test_the_file_then_ends_there_and_a_used_key_stays(file: Path, tmp_path: Path) -> None:
    changes = endtokens.placed(file, [2, 300], header.read_header(file).metadata)
    header.rewrite_header(file, tmp_path / "m.gguf", changes)
    metadata = header.read_header(tmp_path / "m.gguf").metadata
    assert endtokens.placed(tmp_path / "m.gguf", [2, 300], metadata) == {}
    assert endtokens.placed(tmp_path / "m.gguf", [301], metadata) == {endtokens.SLOTS[1]: 301}
