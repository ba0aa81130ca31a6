"""A GGUF file that is imported and exported again keeps its end tokens, and markers that its name makes special."""

from __future__ import annotations

import struct
from pathlib import Path

import families
import llamasource
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("llama_cpp")

from zoo.files.listing import records
from zoo.gguf import tokentypes
from zoo.gguf.header import read_header, rewrite_header
from zoo.gguf.layout import ARRAY
from zoo.gguf.vocabfacts import INT32, vocabulary_facts
from zoo.judge.parity.material import STRINGS
from zoo.llama.convert.convert import convert
from zoo.progress import Silent
from zoo.stages import Context, export
from zoo.stages.artifact import Artifact
from zoo.training.importing import import_model
from zoo.training.models import load_tokenizer

USER = "<|user|>"
MARKED = ("<|system|> one<|end|>  two", "<|end|>\n three", "</s> four", "<s> five", "<|endoftext|> six", " <|end|> ")


USER_DEFINED, UNUSED = 4, 5
"""Of llama.cpp's types of tokens."""


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


def test_pruned_it_keeps_the_types_and_ends_of_its_source(source: Path, tmp_path: Path) -> None:
    """User-defined tokens, and an end that only the header names: a pruned folder has no record of its own."""
    marked = tmp_path / "marked.gguf"
    before = vocabulary_facts(source)
    runs = before["token_types"]
    types = [kind for kind, count in runs for _ in range(count)]
    plain = [number for number in range(400, len(types)) if types[number] == 1]
    types[plain[0]], types[plain[-1]] = USER_DEFINED, UNUSED
    changed = struct.pack(f"<IIQ{len(types)}i", ARRAY, INT32, len(types), *types)
    rewrite_header(source, marked, {tokentypes.KEY: changed})
    wanted = vocabulary_facts(marked)
    assert wanted["token_types"] != runs
    folder, pruned = tmp_path / "folder", tmp_path / "pruned"
    import_model(marked, folder, Silent())
    import_model(folder, pruned, Silent(), layers=(0, 2))
    (tmp_path / "out").mkdir()
    inputs = {
        "model": Artifact("prune", "p", pruned, records(pruned), {}),
        "source": Artifact("import", "k", folder, records(folder), {}),
    }
    spec = {"type": "f16", "header": {"general.name": read_header(source).metadata["general.name"]}}
    export.run(Context(spec, inputs, tmp_path / "out", tmp_path, tmp_path, tmp_path, 1, "cpu", Silent()))
    made = tmp_path / "out" / "model.gguf"
    assert vocabulary_facts(made)["token_types"] == wanted["token_types"]
    assert read_header(made).block_count == 2
    with llamasource.opened(source) as one, llamasource.opened(made) as other:
        assert other.end_tokens == one.end_tokens
