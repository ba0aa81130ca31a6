"""Bad models, texts and disks as a user meets them: a sentence, exit code 1 or 2, and no incomplete files."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tinyzoo
from badgguf import cut, future, no_tensors
from smalldisk import mounted
from tinygguf import make_tiny_gguf

from zoo import __main__
from zoo.gguf.header import read_header
from zoo.plan import preflight
from zoo.sources.resolve import content_sha256

pytest.importorskip("llama_cpp")
pytest.importorskip("torch")

Harm = Callable[[bytearray], None]


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    monkeypatch.chdir(zoo)
    monkeypatch.setenv("ZOO_THREADS", "1")
    return zoo


def build(zoo: Path, capsys: pytest.CaptureFixture[str], **changes: Any) -> tuple[int, str]:
    tinyzoo.write_recipe(zoo, tinyzoo.plain_recipe(zoo, **{"probes": [], "gates": [], **changes}))
    code = __main__.main(("build", "plain"))
    said = capsys.readouterr()
    assert not said.out
    assert "Traceback" not in said.err
    assert not (zoo / "build/releases/plain").exists() or not list((zoo / "build/releases/plain").glob("[0-9]*"))
    for made in (zoo / "build/work").glob("*/*.gguf"):
        read_header(made)
    lines = said.err.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("zoo: "))
    return code, "\n".join(lines[first:])


def gguf_source(zoo: Path, raw: bytes) -> dict[str, Any]:
    path = zoo / "models/bad.gguf"
    path.write_bytes(raw)
    sha256 = content_sha256(path)
    return {"source": "file:models/bad.gguf", "sha256": sha256, "licence": "Apache-2.0", "upstream": "tests/bad"}


def other_format(raw: bytearray) -> None:
    raw[:4] = b"PK\x03\x04"


def flipped(raw: bytearray) -> None:
    raw[raw.index(b"llama.embedding_length") + 5] ^= 0x40


def flipped_type(raw: bytearray) -> None:
    at = raw.index(b"token_embd.weight") + len("token_embd.weight") + 4 + 16
    raw[at : at + 4] = struct.pack("<I", 250)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (cut, "not a valid GGUF file"),
        (other_format, "it does not begin with the letters GGUF"),
        (future, "version 9"),
        (no_tensors, "it has no tensors"),
        (flipped, "the key 'llama.embedding_length' is missing"),
        (flipped_type, "250"),
    ],
)
def test_a_model_file_that_is_damaged(
    harm: Harm, words: str, zoo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = bytearray(make_tiny_gguf(tmp_path / "good.gguf", vocabulary=300).read_bytes())
    harm(raw)
    code, said = build(zoo, capsys, student=gguf_source(zoo, bytes(raw)))
    assert code == 1
    assert said.startswith("zoo: models/bad.gguf: ") and words in said
    assert str(tmp_path) not in said


def test_a_model_that_holds_nan(zoo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoilt = make_tiny_gguf(tmp_path / "nan.gguf", vocabulary=300, spoil="blk.1.ffn_up.weight")
    code, said = build(zoo, capsys, student=gguf_source(zoo, spoilt.read_bytes()))
    assert code == 1
    assert "blk.1.ffn_up" in said or "layers.1.mlp.up_proj.weight has NaN" in said


def test_rows_that_a_type_does_not_divide(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quantize = {"ladder": ["Q4_K_M"], "imatrix": False}
    code, said = build(zoo, capsys, quantize=quantize)
    assert code == 2, said
    assert "256" in said and "Q4_K" in said and "allow_fallback: true" in said


def test_a_text_shorter_than_a_window(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate = {"window_tokens": 512, "windows": 4}
    texts = tinyzoo.plain_recipe(zoo)["corpus"]
    (zoo / "texts/words.txt").write_text("too short. " * 5)
    code, said = build(zoo, capsys, evaluate=evaluate, corpus=texts, quantize={"ladder": ["Q8_0"], "imatrix": False})
    assert code == 2
    assert 'words.txt" has at most 57 tokens' in said and "less than one window of 512" in said


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", "400k") as folder:
        yield folder


def test_a_disk_that_fills_up_partway(
    zoo: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZOO_WORK", str(small_disk / "work"))
    code, said = build(zoo, capsys)
    assert (code, "disk: " in said or "cannot be" in said) == (1, True), said
    figures = re.findall(r"[\d.]+ [kMG]B must be free", said)
    assert __main__.main(("plan", "plain")) == 0
    assert len(figures) == 1 and f"({figures[0]}) and" in "".join(capsys.readouterr())
    # Others may use up what was free when the run began.
    monkeypatch.setattr(preflight, "free_bytes", lambda _: 10**12)
    code, said = build(zoo, capsys)
    assert code == 1
    assert "No space left on device" in said or "the disk is full" in said
    assert not list((small_disk / "work").glob("*/model.gguf"))
    left = [path.name for path in (small_disk / "work").rglob("*") if path.is_file() and ".tmp" in path.name]
    assert not left


def test_a_disk_that_fills_up_at_import(
    zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(preflight, "free_bytes", lambda _: 10**12)
    with mounted(tmp_path / "tiny-disk", "120k") as disk:
        monkeypatch.setenv("ZOO_WORK", str(disk / "work"))
        code, said = build(zoo, capsys)
    assert code == 1
    assert "step import/student could not write: No space left on device" in said


def test_a_model_folder_that_is_refused_is_named_before_any_step(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = zoo / "models/teacher"
    path = folder / "generation_config.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    code, said = build(zoo, capsys)
    assert code == 1 and "models/teacher/generation_config.json: The file cannot be used: it begins with a byte" in said
    assert not list((zoo / "build").rglob("artifact.json"))
    assert __main__.main(("lock", "plain")) == 1
    assert "sed -i" in capsys.readouterr().err
