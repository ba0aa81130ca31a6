"""Another version, other words or another program: what runs again, and what a published version keeps."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import tinyzoo
from test_pipeline import MEASURING, SMALL, call, change_recipe, made_now
from test_pipeline import whole as whole
from test_pipeline import zoo as zoo

pytest.importorskip("torch")
pytest.importorskip("llama_cpp")

from zoo.gguf.header import read_header
from zoo.gguf.wording import unworded_sha256


def test_published_versions_never_change(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change_recipe(zoo, "plain", summary="Other words for the same version.")
    before = tinyzoo.tree(zoo / "build/hub")
    code, _, err = call(capsys, "release", "plain")
    assert code == 1
    assert "plain 1.0.0 is already released from a different recipe" in err and "Raise the version" in err
    assert not made_now(err), "it is refused before dear work"
    assert call(capsys, "build", "plain")[0] == 0
    code, _, err = call(capsys, "publish", "plain")
    assert code == 1
    assert "plain 1.0.0 is in the catalog with different content" in err and "Raise the version" in err
    # Without the catalog's record, the hub's is enough.
    (zoo / "model_catalog.json").unlink()
    code, _, err = call(capsys, "publish", "plain")
    assert code == 1
    assert "plain 1.0.0 is already published with different content" in err and "Raise the version" in err
    assert tinyzoo.tree(zoo / "build/hub") == before


def test_a_newer_program_keeps_what_is_published(
    zoo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo.release.folder.VERSION", 10_000)
    before = tinyzoo.tree(zoo / "build/hub")
    code, out, err = call(capsys, "release", "plain")
    assert (code, made_now(err)) == (0, []) and "was released before" in out
    assert "plain 1.0.0 is published, so nothing is built" in err and "raise the version in" in err
    code, _, err = call(capsys, "publish", "plain")
    assert code == 0, err
    assert tinyzoo.tree(zoo / "build/hub") == before
    # A folder with anything else is no copy of the published version.
    record = zoo / "build/releases/plain/1.0.0/release.json"
    data = json.loads(record.read_text(encoding="utf-8"))
    data["release"]["files"][0]["sha256"] = "0" * 64
    record.write_text(json.dumps(data), encoding="utf-8")
    code, _, err = call(capsys, "release", "plain")
    assert code == 1 and "is already released with different bytes" in err


def test_another_version_or_other_words_run_no_step(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measured = {file["type"]: file["measured_sha256"] for file in release_files(zoo, "1.0.0")}
    change_recipe(zoo, "plain", version="1.0.1", summary="Other words for another version.", languages=["fr"])
    code, _, err = call(capsys, "build", "plain")
    assert (code, made_now(err)) == (0, []), err
    assert not list((zoo / "build/work/partial").glob("*"))
    for file in release_files(zoo, "1.0.1"):
        path = zoo / "build/releases/plain/1.0.1/model" / file["path"]
        header = read_header(path).metadata
        assert header["general.version"] == "1.0.1"
        assert str(header["general.description"]).startswith("Other words for another version.")
        assert file["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert file["measured_sha256"] == measured[file["type"]] == unworded_sha256(path) != file["sha256"]
        report = json.loads((path.parent / f"evidence/bench-{file['type']}.json").read_text(encoding="utf-8"))
        assert report["file"]["sha256"] == file["measured_sha256"]


def release_files(zoo: Path, version: str) -> list[dict[str, Any]]:
    record = json.loads((zoo / "build/releases/plain" / version / "release.json").read_text(encoding="utf-8"))
    files: list[dict[str, Any]] = record["release"]["files"]
    return files


def test_one_more_quant_runs_only_what_is_new(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Every header has the version, so it is kept and the release is built, not published.
    change_recipe(zoo, "plain", quantize={**SMALL, "ladder": ["Q8_0", "Q4_0", "Q5_0"]})
    code, _, err = call(capsys, "build", "plain")
    assert code == 0, err
    assert made_now(err) == ["quantize/Q5_0", "evaluate", *(f"{stage}/Q5_0" for stage in MEASURING)]
    # The embedding of the tiny model becomes Q8_0 in a Q5_0 file too.
    assert re.search(r"Q5_0: 14 tensors quantized, 1 reused", err)
