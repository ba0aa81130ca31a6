"""A teacher that is trained before its student learns from it: from the recipe to the card."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tinyzoo
import tunesamples

TUNE = {"adapter": "none", "steps": 4, "batch_rows": 4, "row_tokens": 384, "learning_rate": 0.002, "warmup_steps": 1}


@pytest.mark.long
def test_a_release_with_a_trained_teacher(tmp_path: Path) -> None:
    """In two processes that share the weights, as for a teacher that fits no single one."""
    pytest.importorskip("llama_cpp")
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    settings = {"ZOO_PROCESSES": "2", "ZOO_SHARDING": "full", "ZOO_THREADS": "2"}

    def release(**changes: int) -> tuple[int, str]:
        teacher = {**tinyzoo.source(zoo), "tune": {**TUNE, **changes}}
        tinyzoo.write_recipe(zoo, tinyzoo.tutored_recipe(zoo, teacher=teacher))
        done = tinyzoo.run(zoo, "release", "tutored", timeout_seconds=1200, **settings)
        return done.returncode, done.stderr

    code, said = release(row_tokens=16)
    assert code == 2 and "Raise teacher.tune.row_tokens" in said and "distill." not in said, said
    code, said = release()
    assert code == 0, said
    model = zoo / "build/releases/tutored/1.0.0/model"
    evidence = model / "evidence"
    tuned, taught = (json.loads((evidence / f"{one}-report.json").read_bytes()) for one in ("tune", "distill"))
    assert (tuned["method"], tuned["steps"], tuned["sharding"], taught["sharding"]) == ("labels", 4, "full", "full")
    assert tuned["heldout_after"]["perplexity"] < tuned["heldout_before"]["perplexity"]
    # The student's own figures before are those against the trained teacher.
    assert taught["heldout_before"]["kld_mean_nats"] > taught["heldout_after"]["kld_mean_nats"]
    assert "It was trained itself before, for 4 steps (adapter: none)" in (model / "README.md").read_text()
    statement = json.loads((model / "provenance.intoto.json").read_bytes())
    listed = statement["predicate"]["buildDefinition"]["internalParameters"]["steps"]
    assert "tune" in {one["stage"] for one in listed}


@pytest.mark.long
def test_a_release_with_a_teacher_that_learnt_a_corpus(tmp_path: Path) -> None:
    """Its answers are those of the trained one."""
    pytest.importorskip("llama_cpp")
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "whole")
    tunesamples.write(zoo)
    block = {**tunesamples.TUNE, "steps": 8, "corpus": tunesamples.corpus()}
    recipe = tinyzoo.tutored_recipe(zoo, teacher={**tinyzoo.source(zoo), "tune": block})
    tinyzoo.write_recipe(zoo, recipe)
    done = tinyzoo.run(zoo, "release", "tutored", timeout_seconds=1200)
    assert done.returncode == 0, done.stderr
    model = zoo / "build/releases/tutored/1.0.0/model"
    tuned = json.loads((model / "evidence/tune-report.json").read_bytes())
    assert (tuned["rows"], tuned["heldout_before"]["rows"]) == (9, 3)
    assert tuned["heldout_after"]["perplexity"] < tuned["heldout_before"]["perplexity"]
    corpus = json.loads((model / "evidence/tune-corpus.json").read_bytes())
    assert [(one["path"], one["licence"], one["rows"]) for one in corpus["train"]] == [
        (tunesamples.TRAIN_FILE, "CC0-1.0", 9)
    ]
    for card in (model / "README.md", model.parent / "dataset/README.md"):
        text = card.read_text(encoding="utf-8")
        assert f"| tune.train | {tunesamples.TRAIN_FILE}" in text and "it was trained" in text, text
    statement = json.loads((model / "provenance.intoto.json").read_bytes())
    used = {one["name"]: one for one in statement["predicate"]["buildDefinition"]["resolvedDependencies"]}
    assert used["tune.train"]["uri"] == f"file:{tunesamples.TRAIN_FILE}"
    assert used["tune.train"]["annotations"] == {"licence": "CC0-1.0"} and used["tune.train"]["digest"]["sha256"]
    untrained = tinyzoo.tutored_recipe(zoo, "untrained")
    tinyzoo.write_recipe(zoo, untrained)
    for step in ("export/teacher", "label"):
        done = tinyzoo.run(zoo, "build", "untrained", "--step", step)
        assert done.returncode == 0, done.stderr
    labels = {path.parent: path.read_bytes() for path in (zoo / "build/work").glob("*/train.jsonl")}
    assert len(set(labels.values())) > 2, "the trained teacher answers otherwise"
