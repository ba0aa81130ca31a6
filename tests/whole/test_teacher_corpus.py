"""``benchmarks.teacher_corpus``: one recipe in three ways, measured on the same conversations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tinyzoo
import tunesamples

from benchmarks import teacher_corpus


def test_the_ways_differ_in_the_training_of_the_teacher_only() -> None:
    recipe = {"name": "a", "teacher": {"source": "x", "tune": {"steps": 3, "corpus": {"train": []}}}}
    made = {way: teacher_corpus.variant(recipe, way)["teacher"] for way in teacher_corpus.WAYS}
    assert made["untrained"] == {"source": "x"} and made["own"] == {"source": "x", "tune": {"steps": 3}}
    assert made["corpus"] == recipe["teacher"]


def test_a_recipe_without_a_corpus_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    assert teacher_corpus.main(["tutored", "--zoo", str(zoo)]) == 2
    assert "no teacher.tune.corpus" in capsys.readouterr().err


@pytest.mark.long
def test_a_teacher_that_learnt_its_corpus_is_nearer_to_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("llama_cpp")
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    tunesamples.write(zoo)
    tunesamples.recipe(zoo)
    out = tmp_path / "found.json"
    assert teacher_corpus.main(["tutored", "--zoo", str(zoo), "--out", str(out)]) == 0, capsys.readouterr().err
    found = json.loads(out.read_text(encoding="utf-8"))["ways"]
    assert [found[way]["teacher"]["conversations"] for way in teacher_corpus.WAYS] == [3, 3, 3]
    assert found["untrained"]["student"]["difference_nats"] == 0 == found["untrained"]["teacher"]["difference_nats"]
    assert found["corpus"]["teacher"]["difference_nats"] < 0 < found["corpus"]["teacher"]["difference_se_nats"]
