"""A GGUF file that is imported and exported again keeps its end tokens, and markers that its name makes special."""

from __future__ import annotations

from pathlib import Path

import families
import llamasource
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("llama_cpp")

from zoo.files.listing import records
from zoo.gguf.header import read_header, rewrite_header
from zoo.judge.parity.material import STRINGS
from zoo.llama.convert.convert import convert
from zoo.progress import Silent
from zoo.stages import Context, export
from zoo.stages.artifact import Artifact
from zoo.training.importing import import_model
from zoo.training.models import load_tokenizer

USER = "<|user|>"
MARKED = ("<|system|> one<|end|>  two", "<|end|>\n three", "</s> four", "<s> five", "<|endoftext|> six", " <|end|> ")


@pytest.fixture(scope="module", params=["my-phi3-small", "another"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Phi-3 as a GGUF file, which also ends an answer at a marker that nothing but its header names."""
    base = tmp_path_factory.mktemp("phi3")
    folder = families.make("Phi-3", base / "model")
    user = int(load_tokenizer(folder).convert_tokens_to_ids(USER))
    convert(folder, base / "made.gguf", name=request.param)
    rewrite_header(base / "made.gguf", base / "m.gguf", {"tokenizer.ggml.eot_token_id": user})
    return base / "m.gguf"


def test_it_is_the_same_file_again(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    import_model(source, folder, Silent())
    tokenizer = load_tokenizer(folder)
    with llamasource.opened(source) as model:
        for text in (*STRINGS, *MARKED):
            found = model.tokenize(text, add_special=False, parse_special=True)
            assert found == tokenizer(text, add_special_tokens=False)["input_ids"], text
    (tmp_path / "out").mkdir()
    inputs = {"model": Artifact("model", "k", folder, records(folder), {})}
    name = read_header(source).metadata["general.name"]
    spec = {"type": "f16", "header": {"general.name": name}}
    export.run(Context(spec, inputs, tmp_path / "out", tmp_path, tmp_path, tmp_path, 1, "cpu", Silent()))
    made = tmp_path / "out" / "model.gguf"
    with llamasource.opened(source) as before, llamasource.opened(made) as after:
        assert after.end_tokens == before.end_tokens
        assert after.tokenize(USER, add_special=False, parse_special=True)[0] in after.end_tokens
