"""A byte budget from start to end: recipe, search, release folder, catalog, cards; and what stops it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import tinyzoo

from zoo import __main__

pytest.importorskip("llama_cpp")
pytest.importorskip("torch")

QUANTIZE = {"ladder": ["Q4_0"], "allow_fallback": True, "imatrix_window_tokens": 64}


def write(zoo: Path, *budgets: dict[str, Any]) -> None:
    recipe = tinyzoo.plain_recipe(zoo, probes=[], quantize={**QUANTIZE, "budgets": list(budgets)}, gates=[])
    tinyzoo.write_recipe(zoo, recipe)


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = __main__.main(arguments)
    return code, capsys.readouterr().err


def test_a_budget_is_released_like_any_file_and_a_tight_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    monkeypatch.chdir(zoo)
    monkeypatch.setenv("ZOO_THREADS", "1")
    write(zoo, {"bytes": 20_000})
    code, err = call(capsys, "build", "plain")
    assert code == 1
    assert "no choice of types meets the budget B0.02MB" in err
    assert "more than the 20,000 allowed" in err
    assert not (zoo / "build/releases/plain").exists()

    write(zoo, {"bytes": "1MB", "name": "tight"}, {"fits": {"device": "pi-zero-2", "context_tokens": 256}})
    code, err = call(capsys, "build", "plain")
    assert code == 0, err
    assert "measure what every tensor costs" not in err, "sensitivities were measured again"
    folder = zoo / "build/releases/plain/1.0.0"
    release = json.loads((folder / "release.json").read_text())["release"]
    files = {file["type"]: file for file in release["files"]}
    assert list(files) == ["F16", "Q4_0", "tight", "FIT-pi-zero-2"]
    assert files["tight"]["size_bytes"] <= 1_000_000
    assert files["tight"]["imatrix_sha256"] == files["Q4_0"]["imatrix_sha256"] is not None
    loss = files["tight"]["loss"]
    assert loss["kld_mean_nats"] >= 0
    assert [entry["language"] for entry in loss["languages"]] == ["en"]
    assert loss["kld_median_nats"] <= loss["kld_p90_nats"] <= loss["kld_p99_9_nats"] <= loss["kld_max_nats"]
    report = json.loads((folder / "model/evidence/quantize-tight.json").read_text())["budget"]
    assert report["limit_bytes"] == 1_000_000
    assert report["measured_kld_nats"] >= 0
    assert (folder / "model/evidence/kld-curve.svg").read_text().startswith("<svg")
    assert "plain-tight.gguf" in (folder / "model/README.md").read_text()
    shutil.rmtree(zoo / "build")
