"""Hostile or accidental bad input for the quantizer: a sentence each time, and no incomplete file."""

from __future__ import annotations

import json
import random
import resource
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from badgguf import cut, future, no_tensors
from llamaquant import random_imatrix
from smalldisk import mounted
from tinygguf import make_tiny_gguf

from zoo.errors import InputError, ModelFileError, ZooError
from zoo.llama.quantize.quantize import Override, Wanted, quantize

pytest.importorskip("llama_cpp")

QUANTIZE = """
import json, resource, sys
from pathlib import Path
from zoo.errors import ZooError
from zoo.llama.quantize.quantize import Wanted, quantize
source, target, cache, limit = sys.argv[1:]
if limit != "0":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    quantize(Path(source), Path(target), Wanted("Q8_0"), threads=2, cache_folder=Path(cache) if cache else None)
except ZooError as error:
    print(json.dumps([error.exit_code, str(error)]))
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_gguf(tmp_path_factory.mktemp("gguf") / "model.gguf", vocabulary=300)


def cut_header(raw: bytearray) -> None:
    del raw[500:]


def other_format(raw: bytearray) -> None:
    raw[:4] = b"GGML"


def more_tensors(raw: bytearray) -> None:
    raw[8:16] = struct.pack("<Q", 1 << 60)


def empty(raw: bytearray) -> None:
    raw.clear()


@pytest.mark.parametrize("harm", [cut, cut_header, other_format, future, no_tensors, more_tensors, empty])
def test_a_file_that_is_not_a_valid_gguf(model: Path, tmp_path: Path, harm: Callable[[bytearray], None]) -> None:
    raw = bytearray(model.read_bytes())
    harm(raw)
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(raw)
    with pytest.raises(ModelFileError, match=r"bad\.gguf is not a valid GGUF file") as caught:
        quantize(bad, tmp_path / "q.gguf", Wanted("Q8_0"), threads=1, cache_folder=tmp_path / "cache")
    assert caught.value.exit_code == 1
    assert caught.value.remedy
    assert [path.name for path in tmp_path.iterdir()] == ["bad.gguf"]


def test_flipped_bits_give_a_sentence_or_a_complete_file(model: Path, tmp_path: Path) -> None:
    """A flipped bit in a header is detected or harmless; never a traceback, never an incomplete file."""
    sound, draw = model.read_bytes(), random.Random(5)
    for _ in range(40):
        raw = bytearray(sound)
        raw[draw.randrange(12000)] ^= 1 << draw.randrange(8)
        (tmp_path / "bad.gguf").write_bytes(raw)
        try:
            quantize(tmp_path / "bad.gguf", tmp_path / "q.gguf", Wanted("Q8_0"), threads=1)
        except ZooError as error:
            assert error.exit_code in (1, 2)
            assert not (tmp_path / "q.gguf").exists()
        else:
            (tmp_path / "q.gguf").unlink()
        assert [path.name for path in tmp_path.iterdir()] == ["bad.gguf"]


@pytest.mark.parametrize(
    ("override", "says"),
    [
        (Override("blk.0.attn_q.weight", "Q9"), "is not a tensor type"),
        (Override("blk.7.*", "Q8_0"), "matches no tensor that is quantized"),
        (Override("*_norm.weight", "Q8_0"), "matches no tensor that is quantized"),
        (Override("blk.0.attn_q.weight", "Q4_K"), "its rows of 64 weights are not a multiple of 256"),
        (Override("blk.0.attn_q.weight", "IQ2_XXS"), "rows of 64 weights are not a multiple of 256"),
    ],
)
def test_an_exception_that_cannot_be(tmp_path: Path, override: Override, says: str) -> None:
    narrow = make_tiny_gguf(tmp_path / "narrow.gguf", width=64, vocabulary=300)
    with pytest.raises(InputError, match=says):
        quantize(narrow, tmp_path / "q.gguf", Wanted("Q8_0", overrides=[override]), threads=1)
    assert not (tmp_path / "q.gguf").exists()


def test_the_first_exception_that_matches_decides(model: Path, tmp_path: Path) -> None:
    overrides = [
        Override("blk.0.*", "Q6_K"),
        Override("blk.*.ffn_*", "IQ4_NL"),
        Override("token_embd.weight", "F16"),
    ]
    report = quantize(model, tmp_path / "q.gguf", Wanted("Q4_0", overrides=overrides), threads=1)
    assert report.tensor_types == {"F16": 1, "F32": 5, "IQ4_NL": 3, "Q4_0": 4, "Q6_K": 7}
    assert report.overridden["blk.0.ffn_down.weight"] == "Q6_K"
    assert len(report.overridden) == 11


def test_a_matrix_of_another_model(model: Path, tmp_path: Path) -> None:
    other = random_imatrix(make_tiny_gguf(tmp_path / "other.gguf", layers=4, vocabulary=300))
    with pytest.raises(InputError, match=r"does not belong to model\.gguf: the model has no blk\.2") as caught:
        quantize(model, tmp_path / "q.gguf", Wanted("Q4_0", imatrix=other), threads=1)
    assert caught.value.exit_code == 2
    assert not (tmp_path / "q.gguf").exists()


def _run(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", QUANTIZE, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    code, said = json.loads(done.stdout)
    return code, said


@pytest.mark.parametrize("limit_bytes", [40_000, 400_000])
@pytest.mark.parametrize("cached", [False, True])
def test_a_file_that_may_not_grow(model: Path, tmp_path: Path, limit_bytes: int, cached: bool) -> None:
    """Fails while tensors are written, or while the file is assembled from finished ones."""
    cache = tmp_path / "cache"
    if cached:
        quantize(model, tmp_path / "first.gguf", Wanted("Q8_0"), threads=1, cache_folder=cache)
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    code, said = _run(str(model), str(tmp_path / "q.gguf"), str(cache), str(limit_bytes))
    assert code == 1
    assert "could not be written" in said and "Free some space on the disk" in said
    assert not list(tmp_path.glob("*q.gguf*")) and not list(tmp_path.glob(".*"))
    assert not list(cache.glob(".new-*"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", "1m") as folder:
        yield folder


@pytest.mark.parametrize("cache", ["", "cache"])
def test_a_disk_that_is_full_partway(model: Path, small_disk: Path, cache: str) -> None:
    code, said = _run(str(model), str(small_disk / "q.gguf"), cache and str(small_disk / cache), "0")
    assert code == 1
    assert "No space left on device" in said and "Free some space on the disk" in said
    left = [path for path in small_disk.rglob("*") if path.is_file()]
    assert not [path for path in left if "q.gguf" in path.name or path.name.startswith(".new-")]
