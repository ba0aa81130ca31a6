"""zoo build --measure-again: what was disturbed is measured again, and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import tinyzoo

from zoo import __main__
from zoo.plan.store import Workspace
from zoo.stages.artifact import RECORD

pytest.importorskip("llama_cpp")
pytest.importorskip("torch")


def judge(zoo: Path, key: str, valid: bool, scratch: Path) -> None:
    """Store a finished benchmark again, with another verdict."""
    store = Workspace(zoo / "build/work")
    made = store.finished(key)
    assert made
    spec = json.loads((made.folder / RECORD).read_text())["spec"]
    out = scratch / key
    shutil.copytree(made.folder, out)
    (out / RECORD).unlink()
    report = json.loads((out / "bench.json").read_text())
    reasons = [] if valid else ["it was disturbed"]
    (out / "bench.json").write_text(json.dumps({**report, "valid": valid, "reasons": reasons}))
    store.discard(key)
    store.finish(key, made.kind, out, made.facts, spec)


def test_only_disturbed_benchmarks_are_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    zoo = tmp_path / "zoo"
    shutil.copytree(tinyzoo.released_zoo(tmp_path), zoo)
    monkeypatch.chdir(zoo)

    def call(*words: str) -> tuple[int, str]:
        code = __main__.main(words)
        return code, capsys.readouterr().err

    code, err = call("build", "plain", "--measure-again")
    assert code == 2
    assert "plain 1.0.0 is published, and the measurements of a published version never change" in err

    (zoo / "model_catalog.json").unlink()
    steps = tinyzoo.steps_of(zoo, "plain")

    def made_at() -> dict[str, int]:
        return {name: (zoo / "build/work" / key / RECORD).stat().st_mtime_ns for name, key in steps.items()}

    benchmarks = sorted(name for name in steps if name.startswith("benchmark/"))
    for name in benchmarks:
        judge(zoo, steps[name], name != benchmarks[0], tmp_path)
    shutil.rmtree(zoo / "build/releases")
    code, err = call("build", "plain")
    assert code == 0, err
    assert "repeat the disturbed benchmarks with: zoo build plain --measure-again" in err

    # What a publication leaves that was stopped: the build is kept aside, and must not be found again.
    (zoo / "build/releases/plain/1.0.0.journal.jsonl").write_text('{"step": "committing"}\n', encoding="utf-8")
    before = made_at()
    code, err = call("build", "plain", "--measure-again")
    assert code == 0, err
    assert "1 benchmark to repeat" in err
    after = made_at()
    assert [name for name in before if before[name] != after[name]] == benchmarks[:1]
    report = json.loads((zoo / "build/work" / steps[benchmarks[0]] / "bench.json").read_text())
    assert "it was disturbed" not in report["reasons"]
    assert (zoo / "build/releases/plain/1.0.0/release.json").is_file()
    (aside,) = (zoo / "build/releases/plain/.published").glob("1.0.0-*/model/MANIFEST.json")
    assert not (aside.parents[1] / "release.json").exists()
