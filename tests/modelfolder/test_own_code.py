"""Code that a folder brings along is never run, and that is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tinymodel import make_tiny_llama

from zoo.modelfolder import owncode
from zoo.sources import facts

PHI = {"AutoConfig": "configuration_phi3.Phi3Config", "AutoModelForCausalLM": "modeling_phi3.Phi3ForCausalLM"}


def edited(folder: Path, name: str, **changes: Any) -> None:
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


def test_each_file_that_names_code_is_one_sentence(tmp_path: Path) -> None:
    folder = make_tiny_llama(tmp_path / "model")
    assert facts.read(folder).remarks == ()
    edited(folder, "config.json", auto_map=PHI)
    (said,) = facts.read(folder).remarks
    assert said == (
        "config.json names code of the model's own (auto_map: configuration_phi3.py, modeling_phi3.py), which zoo "
        "never runs; transformers' own code for the architecture llama is used instead"
    )
    edited(folder, "tokenizer_config.json", auto_map={"AutoTokenizer": ["tok.Own", None]})
    assert "tokenizer_config.json names code of the model's own (auto_map: tok.py)" in facts.read(folder).remarks[1]


def test_names_of_others_cannot_change_a_terminal() -> None:
    own = {f"Auto{number}": f"odd\x1b[31m\n{number}.Own" for number in range(9)}
    (said,) = owncode.remarks({"config.json": {"model_type": "x\x1b]0;y\x07", "auto_map": own}})
    assert said.isprintable() and "and 3 more" in said


@pytest.mark.parametrize(
    ("config", "own"),
    [
        ({"architectures": ["Phi3ForCausalLM"], "auto_map": PHI}, "Phi3ForCausalLM"),
        ({"architectures": ["LlamaForCausalLM"], "auto_map": PHI}, ""),
        ({"architectures": ["Own"], "auto_map": {"AutoModelForCausalLM": "me/repo--modeling.Own"}}, "Own"),
        ({"architectures": ["Own"], "auto_map": {"AutoModel": "modeling.Own"}}, ""),
        ({"architectures": ["Own"]}, ""), ({"auto_map": PHI}, ""), ({"architectures": [], "auto_map": PHI}, ""),
    ],
)  # fmt: skip
def test_the_class_that_the_weights_were_saved_from(config: dict[str, Any], own: str) -> None:
    assert owncode.own_model(config) == own
