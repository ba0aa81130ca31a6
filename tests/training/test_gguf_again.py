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


@pytest.fixture(scope="module", params=["my-phi3-small", pytest.param("another", marks=pytest.mark.long)])
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


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen2 as a GGUF file. Its vocabulary is byte-level BPE: no tokenizer.model can carry types of tokens."""
    base = tmp_path_factory.mktemp("qwen2")
    convert(families.make("Qwen2", base / "model"), base / "m.gguf", name="merged")
    return base / "m.gguf"


def pruned_again(source: Path, folder: Path) -> Path:
    """The file of a model whose layers 0 and 2 are kept; the release exports it with the record of its source."""
    complete, pruned, out = folder / "folder", folder / "pruned", folder / "out"
    import_model(source, complete, Silent())
    import_model(complete, pruned, Silent(), layers=(0, 2))
    out.mkdir()
    inputs = {
        "model": Artifact("prune", "p", pruned, records(pruned), {}),
        "source": Artifact("import", "k", complete, records(complete), {}),
    }
    spec = {"type": "f16", "header": {"general.name": read_header(source).metadata["general.name"]}}
    export.run(Context(spec, inputs, out, folder, folder, folder, 1, "cpu", Silent()))
    return out / "model.gguf"


def marked(source: Path, target: Path) -> Path:
    """A copy of ``source`` with two ordinary tokens of other types."""
    runs = vocabulary_facts(source)["token_types"] or []
    types = [kind for kind, count in runs for _ in range(count)]
    plain = [number for number in range(400, len(types)) if types[number] == 1]
    types[plain[0]], types[plain[-1]] = USER_DEFINED, UNUSED
    changed = struct.pack(f"<IIQ{len(types)}i", ARRAY, INT32, len(types), *types)
    rewrite_header(source, target, {tokentypes.KEY: changed})
    assert vocabulary_facts(target)["token_types"] != runs
    return target


@pytest.mark.long
def test_pruned_it_keeps_the_ends_of_its_source(source: Path, tmp_path: Path) -> None:
    """An end that only the header names: a pruned folder has no record of its own. tokenizer.model keeps the types."""
    wanted = marked(source, tmp_path / "marked.gguf")
    made = pruned_again(wanted, tmp_path)
    assert vocabulary_facts(made)["token_types"] == vocabulary_facts(wanted)["token_types"]
    assert read_header(made).block_count == 2
    with llamasource.opened(source) as one, llamasource.opened(made) as other:
        assert other.end_tokens == one.end_tokens


@pytest.mark.long
def test_pruned_it_keeps_types_that_only_its_source_states(merged: Path, tmp_path: Path) -> None:
    """Padding of the embedding is unused tokens in the file, but ordinary ones in a model folder."""
    wanted = vocabulary_facts(merged)["token_types"]
    assert wanted and wanted[-1][0] == UNUSED
    assert vocabulary_facts(pruned_again(merged, tmp_path))["token_types"] == wanted
