"""The script for a machine with a GPU: every row runs with tiny shapes on a processor, and is empty without a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# The benchmarks belong to the repository, not to the source distribution.
rows = pytest.importorskip("benchmarks.gpu.rows")
torch = pytest.importorskip("torch")


def measured(out: Path, *options: str) -> dict[str, dict[str, object]]:
    environment = {**os.environ, "PYTHON": sys.executable, "CUDA_VISIBLE_DEVICES": ""}
    script = ROOT / "benchmarks/gpu/run.sh"
    done = subprocess.run([script, out, *options], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, dict[str, object]] = json.loads(out.read_text(encoding="utf-8"))["rows"]
    assert found.keys() == rows.ROWS.keys()
    return found


@pytest.mark.long
def test_every_row_runs_with_tiny_shapes_and_is_empty_without_a_gpu(tmp_path: Path) -> None:
    tiny = measured(tmp_path / "tiny.json", "--tiny")
    assert all(one["value"] and not one["why"] for one in tiny.values()), tiny
    values = {name: one["value"] for name, one in tiny.items()}
    assert isinstance(values["S10_resume"], dict) and values["S10_resume"]["same"]
    assert isinstance(values["G3_gradient"], dict) and values["G3_gradient"]["reached"]
    assert isinstance(values["G13_presets"], dict)
    assert not [one for one in values["G13_presets"].values() if "why" in one], values["G13_presets"]
    empty = measured(tmp_path / "empty.json")
    assert {(one["value"], one["why"]) for one in empty.values()} == {(None, "no GPU on this machine")}
