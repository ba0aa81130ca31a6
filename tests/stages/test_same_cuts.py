"""A file that would cut text into other tokens is refused before a model is trained, with its vocabulary alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import tinyzoo

from catalog.checks import check_recipe
from zoo.errors import GateRefused
from zoo.files.listing import records
from zoo.plan import foresight
from zoo.stages import samecuts
from zoo.stages.artifact import Artifact

pytest.importorskip("llama_cpp")
pytest.importorskip("torch")

SPACE = "\u2581"


def spaced(folder: Path) -> None:
    """transformers puts a space before every text, and the converter is told that there is none."""
    path = folder / "tokenizer.json"
    tokenizer: dict[str, Any] = json.loads(path.read_text("utf-8"))
    steps = [{"type": "Prepend", "prepend": SPACE}, tokenizer["normalizer"]]
    tokenizer["normalizer"] = {"type": "Sequence", "normalizers": steps}
    path.write_text(json.dumps(tokenizer), "utf-8")
    said = folder / "tokenizer_config.json"
    said.write_text(json.dumps({**json.loads(said.read_text("utf-8")), "add_prefix_space": False}), "utf-8")


def test_no_weight_is_read(tmp_path: Path) -> None:
    folder = tinyzoo.make_talker(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    samecuts.refuse_early(folder, folder)
    spaced(folder)
    with pytest.raises(GateRefused) as caught:
        samecuts.refuse_early(folder, folder)
    said = str(caught.value)
    assert "The exported file would differ" in said and "  tokenizer: String 1 (" in said
    assert 'If the model was trained with that space, remove "add_prefix_space": false from tokenizer_config' in said
    assert "`parity: {allow: [tokenizer]}`" in said and sorted(one.name for one in tmp_path.iterdir()) == ["model"]


def test_it_is_refused_before_the_teacher_answers(tmp_path: Path) -> None:
    """Only in a recipe that has expensive steps; parity refuses the others right after the export."""
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    recipe = tinyzoo.tutored_recipe(zoo)
    folder = zoo / recipe["student"]["source"].removeprefix("file:")
    shutil.copytree(folder, zoo / "models/spaced")
    spaced(zoo / "models/spaced")
    recipe["student"] = {**recipe["student"], "source": "file:models/spaced"}
    recipe["student"].pop("sha256", None)
    tinyzoo.write_recipe(zoo, recipe)
    assert tinyzoo.run(zoo, "lock", "tutored").returncode == 0
    done = tinyzoo.run(zoo, "build", "tutored")
    assert done.returncode == 3 and "The exported file would differ" in done.stderr, done.stderr
    assert "] import/student done" in done.stderr and "] label" not in done.stderr
    (made,) = (zoo / "build/work").glob("*/source.json")
    student = Artifact("import", "k", made.parent, records(made.parent), {})
    checked = check_recipe(tinyzoo.write_recipe(zoo, recipe), zoo).recipe
    allowed = check_recipe(tinyzoo.write_recipe(zoo, {**recipe, "parity": {"allow": ["tokenizer"]}}), zoo).recipe
    assert checked and allowed
    foresight.refuse_other_tokens(checked, {"prune", "export", "parity"}, student)
    foresight.refuse_other_tokens(allowed, {"label", "export", "parity"}, student)
    with pytest.raises(GateRefused):
        foresight.refuse_other_tokens(checked, {"distill", "export", "parity"}, student)
