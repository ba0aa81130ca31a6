"""Words in a header: what they are added to stays the measured file."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from tinygguf import make_tiny_gguf

from zoo.errors import ModelFileError
from zoo.gguf import fingerprint, wording
from zoo.gguf.header import read_header, rewrite_header

WORDS: dict[str, str | int | float | bool | list[str]] = {
    "general.version": "1.0.0",
    "general.license": "Apache-2.0",
    "general.description": "Words about it, é.",
    "general.languages": ["en", "fr"],
    "general.base_model.count": 1,
    "general.base_model.0.repo_url": "https://huggingface.co/a/b",
}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """A file as the steps make it: in the one form, without words."""
    make_tiny_gguf(tmp_path / "raw.gguf")
    rewrite_header(tmp_path / "raw.gguf", tmp_path / "measured.gguf", wording.removed())
    return tmp_path / "measured.gguf"


def test_the_words_are_in_the_header_and_nothing_else_changes(measured: Path, tmp_path: Path) -> None:
    wording.place(measured, tmp_path / "out.gguf", WORDS)
    before, after = fingerprint.digests(measured), fingerprint.digests(tmp_path / "out.gguf")
    assert after["tensors"] == before["tensors"]
    assert isinstance(before["keys"], dict) and isinstance(after["keys"], dict)
    assert after["keys"].keys() - before["keys"].keys() == WORDS.keys()
    assert {key: after["keys"][key] for key in before["keys"]} == before["keys"]
    assert read_header(tmp_path / "out.gguf").metadata["general.version"] == "1.0.0"


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 300])
def test_without_its_words_it_is_the_measured_file(length: int, measured: Path, tmp_path: Path) -> None:
    wording.place(measured, tmp_path / "out.gguf", {**WORDS, "general.description": "x" * length})
    assert sha256(tmp_path / "out.gguf") != sha256(measured)
    assert wording.unworded_sha256(tmp_path / "out.gguf") == sha256(measured) == wording.unworded_sha256(measured)
    # Words on a file with words replace them all.
    wording.place(tmp_path / "out.gguf", tmp_path / "again.gguf", {"general.version": "2.0.0"})
    assert wording.unworded_sha256(tmp_path / "again.gguf") == sha256(measured)
    assert "general.license" not in read_header(tmp_path / "again.gguf").metadata


@pytest.mark.parametrize("what", ["weight", "key"])
def test_any_other_change_is_seen(what: str, measured: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gguf"
    wording.place(measured, out, WORDS)
    if what == "key":
        rewrite_header(out, out, {"general.name": "phi-3"})
    else:
        raw = bytearray(out.read_bytes())
        raw[-1] ^= 1
        out.write_bytes(raw)
    assert wording.unworded_sha256(out) != sha256(measured)


def test_only_words_that_nothing_computes_with_are_left_out() -> None:
    """llama.cpp reads the name, and every key that is not about the model in general."""
    assert all(key.startswith("general.") for key in wording.KEYS)
    assert not {"general.name", "general.architecture", "general.file_type", "general.alignment"} & set(wording.KEYS)


def test_a_broken_file_gets_no_words(tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + bytes(20))
    with pytest.raises(ModelFileError):
        wording.place(tmp_path / "bad.gguf", tmp_path / "out.gguf", WORDS)
    assert not (tmp_path / "out.gguf").exists()


def test_a_kill_leaves_the_old_file_or_the_new_one(measured: Path, tmp_path: Path) -> None:
    folder = tmp_path / "places"
    folder.mkdir()
    wording.place(measured, folder / "out.gguf", {"general.version": "1.0.0"})
    wording.place(measured, tmp_path / "new.gguf", {"general.version": "2.0.0"})
    code = f"""
        from pathlib import Path
        from zoo.gguf import wording
        print("ready", flush=True)
        measured, out = Path({str(measured)!r}), Path({str(folder / "out.gguf")!r})
        while True:
            for version in ("1.0.0", "2.0.0"):
                wording.place(measured, out, {{"general.version": version}})
    """
    good = {sha256(folder / "out.gguf"), sha256(tmp_path / "new.gguf")}
    for moment in (0.0, 0.003, 0.011, 0.02, 0.05):
        process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE)
        assert process.stdout and process.stdout.readline()
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert sha256(folder / "out.gguf") in good
