"""The converter's process, with a test script instead of llama.cpp's."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tinygguf import make_tiny_gguf
from tinymodel import make_tiny_llama

from zoo.errors import GateRefused, InputError, ModelFileError, ZooError
from zoo.gguf.header import read_header
from zoo.llama.convert import converting, failing, source
from zoo.llama.convert.convert import convert, environment
from zoo.llama.convert.source import SCRIPT

STAND_IN = """
import os, pathlib, shutil, sys
arguments = sys.argv[1:]
assert arguments[0] == "model" and pathlib.Path("model/config.json").is_file()
assert os.environ["HF_HUB_OFFLINE"] == "1" and "HF_TOKEN" not in os.environ
sys.stderr.write("Writing:  40%|####      | 1/2\\rWriting: 100%|##########| 2/2\\n")
{more}
shutil.copy(pathlib.Path(__file__).parent / "made.gguf", arguments[arguments.index("--outfile") + 1])
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    converter = tmp_path / "converter"
    converter.mkdir()
    (converter / SCRIPT).write_text(STAND_IN.replace("{more}", ""))
    make_tiny_gguf(converter / "made.gguf", width=64, layers=1)
    monkeypatch.setenv("ZOO_CONVERTER", str(converter))
    monkeypatch.setenv("HF_TOKEN", "secret")
    model = tmp_path / "student"
    model.mkdir()
    (model / "config.json").write_text("{}")
    return model


SETTINGS = "supports this architecture, but not every size and setting of it, and not this model's"
CONFIG = {"attn_logit_softcapping": 50.0, "hidden_act": "gelu", "expand": 3, "vocab_size": 40}


@pytest.mark.parametrize(
    ("tail", "reason", "own"),
    [
        (["    assert d_inner == 2 * d_model", "           ^^^^^^^^^^^", "AssertionError"], SETTINGS,
         "it wants d_inner == 2 * d_model"),
        (['    assert hparams.get("attn_logit_softcapping") is None', "AssertionError"],
         "does not support what this model's config.json says (attn_logit_softcapping: 50.0)",
         'it wants hparams.get("attn_logit_softcapping") is None'),
        (['    assert self.hparams.get("hidden_act") in [None, "silu"], "Only SILU activation supported"',
          "AssertionError: Only SILU activation supported"],
         "does not support what this model's config.json says (hidden_act: \"gelu\")",
         "Only SILU activation supported"),
        (["    assert max(tokenizer.vocab.values()) < vocab_size  # ty: ignore", "AssertionError"],
         "the tokenizer numbers its tokens beyond vocab_size", "< vocab_size"),
        (["NotImplementedError: Unknown expand"], "config.json says (expand: 3)", "Unknown expand"),
        (["  File \"x.py\"", "AssertionError"], SETTINGS, "it does not say more"),
    ],
)  # fmt: skip
def test_a_condition_of_the_converter_is_a_reason(tail: list[str], reason: str, own: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    error = failing.failure(tail, 1, tmp_path)
    assert isinstance(error, GateRefused) and error.remedy
    told, _, quoted = error.what.partition(". Its own words: ")
    assert reason in told and own in quoted and "ssert" not in str(error) and "Traceback" not in str(error)


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        ("ValueError: Can not map tensor 'model.odd.weight'", "has no place for the weight model.odd.weight"),
        ("KeyError: 'rotary_pct'", "needs the key rotary_pct in config.json"),
        ("ValueError: Missing <MODEL_TENSOR.ROPE_FREQS: 18> for MODEL_TENSORS of <MODEL_ARCH.GRANITE: 97>",
         "makes a tensor rope_freqs of this model's settings, for which a file of the architecture granite has no"),
    ],
)
def test_what_lacks_is_named(last: str, reason: str, tmp_path: Path) -> None:
    error = failing.failure(["Traceback (most recent call last):", last], 1, tmp_path)
    assert isinstance(error, GateRefused) and reason in error.what and "Error" not in error.what
    (tmp_path / "config.json").write_text('{"rotary_pct": 1}', encoding="utf-8")
    assert isinstance(failing.failure([last], 1, tmp_path), GateRefused) == ("KeyError" not in last)


def test_the_converter_loads_no_part_of_transformers_that_it_does_not_use(tmp_path: Path) -> None:
    """What transformers has for models takes longer to load than a small model to convert."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    make_tiny_llama(tmp_path / "model")
    command = [sys.executable, "-X", "importtime", "-P", converting.__file__, str((source.found() / SCRIPT).resolve())]
    done = subprocess.run(
        [*command, "model", "--vocab-only", "--outfile", "made.gguf"], cwd=tmp_path, capture_output=True, text=True,
        env=environment(source.found(), str(tmp_path)), check=True,
    )  # fmt: skip
    loaded = set(re.findall(r"\| +([\w.]+)$", done.stderr, re.M))
    assert {"conversion.base", "torch", "transformers.configuration_utils"} <= loaded
    assert not {"torch.distributed.tensor", "transformers.core_model_loading"} & loaded


def test_the_result_is_moved_into_place_whole(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    convert(folder, out / "f16.gguf")
    assert [path.name for path in out.iterdir()] == ["f16.gguf"]
    assert read_header(out / "f16.gguf").architecture == "llama"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("sys.exit('ValueError: no such model')", "ValueError: no such model"),
        ("sys.exit(0)", "wrote no file"),
        ("import nowhere_to_be_found", "ModuleNotFoundError"),
    ],
)
def test_a_failed_run_quotes_the_last_line(folder: Path, tmp_path: Path, more: str, said: str) -> None:
    (tmp_path / "converter" / SCRIPT).write_text(STAND_IN.replace("{more}", more))
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ZooError, match=said):
        convert(folder, tmp_path / "f16.gguf")
    assert sorted(tmp_path.iterdir()) == before


def test_wrong_input_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="f99"):
        convert(folder, tmp_path / "f16.gguf", "f99")
    with pytest.raises(ModelFileError, match=r"config\.json"):
        convert(tmp_path, tmp_path / "f16.gguf")
    shutil.rmtree(tmp_path / "converter")
    with pytest.raises(ZooError, match="not installed") as caught:
        convert(folder, tmp_path / "f16.gguf")
    assert "zoo converter" in caught.value.remedy
