"""``zoo clean``: sizes before, nothing with --dry-run, nothing in use is deleted, and the same bytes afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tinygguf import make_tiny_gguf

from zoo import __main__
from zoo.llama.quantize.quantize import Wanted, quantize
from zoo.plan.store import Workspace

pytest.importorskip("llama_cpp")


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zoo with two interrupted steps, a finished one, a joined source, labels and a teacher's answers."""
    (tmp_path / "zoo.toml").write_text('namespace = "tiny"\n')
    monkeypatch.chdir(tmp_path)
    work = tmp_path / "build/work"
    for name in ("partial/aa/scratch/journal.jsonl", "partial/bb/out/model.gguf", "teachers/cc/part-0.npz",
                 "teachers/cc.lock", "dd/artifact.json", "labels/ee.jsonl", "joined/ff/m.gguf"):  # fmt: skip
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_bytes(b"x" * 1000)
    return work


def clean(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, dict[str, int]], str]:
    code = __main__.main(("clean", "--json", *arguments))
    said = capsys.readouterr()
    answer = json.loads(said.out) if said.out else {"kinds": []}
    return code, {one["kind"]: one for one in answer.get("kinds", ())}, said.err


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_nothing_is_deleted_without_a_kind_or_in_a_dry_run(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = names(work)
    code, found, _ = clean(capsys)
    assert code == 0
    assert {kind: (one["files"], one["size_bytes"]) for kind, one in found.items()} == {
        "tensors": (0, 0),
        "interrupted": (2, 2000),
        "joined": (1, 1000),
        "teachers": (1, 1000),
        "runs": (0, 0),
        "published": (0, 0),
    }
    assert clean(capsys, "--dry-run", "interrupted")[1]["interrupted"]["size_bytes"] == 2000
    assert names(work) == there
    assert clean(capsys, "labels")[0] == 2


def test_what_a_process_works_on_stays(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Workspace(work).growing("aa", lambda: None):
        code, found, err = clean(capsys, "interrupted", "joined", "teachers")
    assert code == 0
    assert (found["interrupted"]["files"], found["interrupted"]["busy"]) == (1, 1)
    assert "interrupted: 1 file, 1.0 kB" in err
    assert names(work) == {
        "partial/aa/scratch/journal.jsonl", "teachers/cc.lock", "dd/artifact.json", "labels/ee.jsonl",
        "locks/aa", "locks/bb",
    }  # fmt: skip
    assert not any((work / gone).exists() for gone in ("partial/bb", "teachers/cc", "joined/ff"))


def test_tensors_are_made_again_in_the_same_bytes(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, cache = make_tiny_gguf(work / "model.gguf"), work / "tensors"
    first = quantize(source, work / "one.gguf", Wanted("Q4_0"), threads=1, cache_folder=cache)
    (cache / ".new-growing").write_bytes(b"another process")
    found = clean(capsys, "tensors")[1]["tensors"]
    assert found["files"] == first.computed > 0
    assert found["size_bytes"] > 100_000
    assert names(cache) == {".new-growing"}
    again = quantize(source, work / "two.gguf", Wanted("Q4_0"), threads=1, cache_folder=cache)
    assert (again.computed, again.reused) == (first.computed, 0)
    assert (work / "one.gguf").read_bytes() == (work / "two.gguf").read_bytes()
