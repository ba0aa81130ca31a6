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


def test_the_published_copy_is_kept_when_its_version_is_built_again(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, folder = zoo / "recipes/plain.yaml", zoo / "build/releases/plain"
    text, before = recipe.read_bytes(), tinyzoo.tree(folder / "1.0.0")
    change_recipe(zoo, "plain", summary="Other words for the same version.")
    code, _, err = call(capsys, "build", "plain")
    (kept,) = (folder / ".published").glob("1.0.0-????????????")
    assert code == 0 and err.count(f"its published files are kept in {kept.relative_to(zoo)}, for zoo publish") == 1
    assert tinyzoo.tree(kept) == before != tinyzoo.tree(folder / "1.0.0")
    # A hub that lost them gets them again, and so does a mirror; verify compares them and names the other build.
    hub = tinyzoo.tree(zoo / "build/hub/objects")
    (weights,) = (zoo / "build/hub/objects").glob(f"??/{release_file_sha256(kept)}")
    weights.unlink()
    code, out, err = call(capsys, "publish", "plain", "--repair")
    assert code == 0 and "sent again" in out, err
    assert tinyzoo.tree(zoo / "build/hub/objects") == hub
    code, out, err = call(capsys, "verify", "plain")
    assert code == 0 and out.count("as released") == 1 and "is another build of plain 1.0.0" in err
    # Other builds come and go; the published one stays, once.
    change_recipe(zoo, "plain", summary="Third words for the same version.")
    assert call(capsys, "build", "plain")[0] == 0
    recipe.write_bytes(text)
    code, out, _ = call(capsys, "release", "plain")
    assert code == 0 and "was released before" in out
    assert call(capsys, "build", "plain")[0] == 0
    assert [path for path in (folder / ".published").iterdir() if path.is_dir()] == [kept]
    assert tinyzoo.tree(kept) == before
    code, out, _ = call(capsys, "clean")
    assert code == 0 and re.search(r"published +\d\d", out) and kept.is_dir()
    assert call(capsys, "clean", "published")[0] == 0 and not list((folder / ".published").iterdir())


def test_a_mirror_gets_the_published_bytes_whatever_the_recipe_says(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("huggingface_hub")
    change_recipe(zoo, "plain", summary="Other words for the same version.")
    assert call(capsys, "build", "plain")[0] == 0
    catalog = json.loads((zoo / "model_catalog.json").read_text())
    for release in next(one for one in catalog["models"] if one["name"] == "plain")["releases"]:
        release["location"]["hub"] = "https://hub.example"
    (zoo / "model_catalog.json").write_text(json.dumps(catalog, indent=2, ensure_ascii=False) + "\n")
    code, out, err = call(capsys, "publish", "plain", "--mirror", "--hub", "second")
    assert code == 0 and "has a mirror on hub folder" in out, err


def release_file_sha256(folder: Path) -> str:
    record = json.loads((folder / "release.json").read_text(encoding="utf-8"))
    return str(record["release"]["files"][0]["sha256"])
