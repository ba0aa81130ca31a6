"""``benchmarks.teacher_tune``: every way to train a teacher trains the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import teacher_tune


def test_the_configuration_of_zero3_divides_weights_and_clips_as_we_do() -> None:
    config = json.loads(teacher_tune.ZERO3.read_text(encoding="utf-8"))
    assert config["zero_optimization"]["stage"] == 3 and config["gradient_clipping"] == 1.0
    runs = {name: [{"losses": [4.0, loss]}] for name, loss in {"alone": 2.0, "fsdp2": 2.002, "lora": 3.0}.items()}
    assert teacher_tune.farthest(runs) == pytest.approx(0.001), "an adapter is another training"


@pytest.mark.long
def test_ways_to_train_a_teacher_train_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("peft")
    out = tmp_path / "found.json"
    size = ["--width", "64", "--layers", "2", "--vocabulary", "64", "--rows", "6", "--row-tokens", "16", "--steps", "2"]
    ways = ["alone", "fsdp2", "fsdp2_lora"]
    assert teacher_tune.main([*size, "--rounds", "1", "--ways", *ways, "--out", str(out)]) == 0, capsys.readouterr()
    report = json.loads(out.read_text(encoding="utf-8"))
    assert report["ways"].keys() == {*ways}
    assert all(row["tokens_per_second"] > 0 and row["peak_bytes_per_process"] > 0 for row in report["ways"].values())
