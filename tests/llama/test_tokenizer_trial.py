"""A tokenizer that llama.cpp's converter cannot write is refused before any weight is read; others are not refused."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import families
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("llama_cpp")

import tinyzoo
from families.vocabulary import SPLITS
from test_cutting import ODD, trained
from tinymodel import make_tiny_llama

from catalog import jsontext
from zoo.__main__ import main
from zoo.errors import ModelFileError
from zoo.llama import tokenizertrial, trialmemory
from zoo.modelfolder.inspection import inspect
from zoo.progress import Silent
from zoo.sources.resolve import content_sha256
from zoo.stages import Context, importing
from zoo.training import models

NO_RULE = "llama.cpp has no rule that splits text as this model's tokenizer does"


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GPT-2 with a pre-tokenizer that llama.cpp does not have."""
    return trained(
        tmp_path_factory.mktemp("odd") / "model", {"type": "Sequence", "pretokenizers": [ODD, SPLITS["gpt2"]]}
    )


@pytest.fixture(autouse=True)
def forgetful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered of earlier tests."""
    monkeypatch.setattr(trialmemory, "MEMORY", tmp_path / "memory")


def edited(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**jsontext.read(path), **values}), encoding="utf-8")


def tried(folder: Path) -> str:
    """The error for a folder; "" if there is none."""
    try:
        tokenizertrial.refuse_unwritable(inspect(folder))
    except ModelFileError as error:
        return str(error)
    return ""


def test_check_lock_and_import_refuse_it(
    odd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    recipe = tinyzoo.plain_recipe(zoo)
    place = zoo / recipe["student"]["source"].removeprefix("file:")
    shutil.rmtree(place)
    shutil.copytree(odd, place)
    tinyzoo.write_recipe(zoo, recipe)
    monkeypatch.chdir(zoo)
    place_in_zoo = f"{place.relative_to(zoo)}/tokenizer.json"
    for command, code in (
        (("check", "recipes/plain.yaml"), 2),
        (("lock", "plain"), 1),
        (("plan", "plain"), 1),
    ):
        assert main(command) == code, command
        said = "".join(capsys.readouterr())
        assert NO_RULE in said and place_in_zoo in said and "Use a model whose tokenizer" in said, said
        assert "Split [aeiou]+, then ByteLevel by words" in said and "Traceback" not in said
    spec = {"source": recipe["student"]["source"], "sha256": content_sha256(place, zoo)}
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(ModelFileError, match="has no rule that splits text"):
        importing.run(Context(spec, {}, out, tmp_path, zoo, tmp_path / "work", 1, "cpu", Silent()))
    assert not list(out.iterdir()), "refused before anything is written"


def test_nothing_is_said_without_the_converter_or_its_packages(
    odd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_CONVERTER", str(tmp_path))
    assert tried(odd) == ""
    monkeypatch.delenv("ZOO_CONVERTER")
    monkeypatch.setattr(tokenizertrial, "PACKAGES", ("torch", "no-such-package"))
    assert tried(odd) == ""


@pytest.mark.long
def test_a_trial_is_made_once(odd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command is a process of its own, so the disk remembers it; other files or code are another trial."""
    made: list[Any] = []
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda *given, **more: made.append(given) or run(*given, **more))
    first = tried(odd)
    assert NO_RULE in first and len(made) == 1
    assert tried(odd) == first and len(made) == 1
    (kept,) = (tmp_path / "memory").iterdir()
    kept.write_text('{"what": 1, "never": "heard"}', encoding="utf-8")
    assert tried(odd) == first and len(made) == 2, "what cannot be read is tried again"
    other = Path(shutil.copytree(odd, tmp_path / "other"))
    edited(other, n_ctx=77)
    assert NO_RULE in tried(other) and len(made) == 3
    monkeypatch.setattr(trialmemory, "_code", lambda: "changed")
    assert tried(odd) == first and len(made) == 4


@pytest.mark.long
def test_an_environment_that_cannot_be_written_to_tries_again(odd: Path, tmp_path: Path) -> None:
    (tmp_path / "memory").write_text("a file", encoding="utf-8")
    assert NO_RULE in tried(odd) and NO_RULE in tried(odd)


@pytest.mark.long
def test_a_converter_that_fails_for_another_reason_says_nothing(
    odd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "convert_hf_to_gguf.py").write_text("raise SystemExit('no memory')\n", encoding="utf-8")
    monkeypatch.setenv("ZOO_CONVERTER", str(tmp_path))
    assert tried(odd) == ""


def test_an_architecture_that_the_converter_lacks(odd: Path, tmp_path: Path) -> None:
    """transformers supports CodeGen, llama.cpp does not."""
    folder = Path(shutil.copytree(odd, tmp_path / "model"))
    edited(folder, model_type="codegen", architectures=["CodeGenForCausalLM"], rotary_dim=16)
    said = tried(folder)
    assert "does not support the architecture CodeGenForCausalLM" in said and "model/config.json" in said


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"model_type": "internlm2", "auto_map": {"AutoConfig": "c.C"}}, "does not support the architecture internlm2"),
        ({"model_type": "t5", "architectures": ["T5ForConditionalGeneration"]}, "t5 does not write text"),
        pytest.param(
            {"model_type": "codegen", "resid_pdrop": "much"}, "does not accept this configuration",
            marks=pytest.mark.long,
        ),
    ],
)
def test_an_architecture_that_the_import_would_refuse(
    odd: Path, tmp_path: Path, config: dict[str, Any], said: str
) -> None:
    """With the same message as the import. The remedy is not a GGUF file, which would also be refused."""
    folder = Path(shutil.copytree(odd, tmp_path / "model"))
    edited(folder, **config)
    found = tried(folder)
    assert said in found and "model/config.json" in found and "GGUF" not in found, found


def test_a_vocabulary_that_only_tokenizer_model_could_give(tmp_path: Path) -> None:
    """Gemma is written from tokenizer.model alone, and none can be made of a byte-level tokenizer.json."""
    folder = trained(tmp_path / "model", SPLITS["gpt2"])
    config = {"model_type": "gemma", "architectures": ["GemmaForCausalLM"]}
    edited(folder, **config, hidden_size=64, num_hidden_layers=3, num_attention_heads=4, head_dim=16)
    said = tried(folder)
    assert "reads the vocabulary of this architecture from tokenizer.model" in said and "zoo lock" in said


def test_an_unusual_family_with_a_known_rule_is_tried_and_passes(tmp_path: Path) -> None:
    """Markers without a row are removed first, as in the import; the converter would fail on them."""
    folder = trained(tmp_path / "model", SPLITS["gpt2"])
    path = folder / "tokenizer.json"
    words = json.loads(path.read_text(encoding="utf-8"))
    rows = inspect(folder).rows
    marker = {**words["added_tokens"][0], "id": rows, "content": "[PAD]"}
    words["added_tokens"] += [marker]
    path.write_text(json.dumps(words), encoding="utf-8")
    edited(folder, model_type="starcoder2", architectures=None, hidden_size=64, num_hidden_layers=3,
           num_attention_heads=4, num_key_value_heads=2, intermediate_size=128)  # fmt: skip
    found = inspect(folder)
    assert found.without_row == {"[PAD]": rows}
    assert not tokenizertrial.is_known("starcoder2", words, has_pieces=False)
    assert tried(folder) == ""


def test_the_families_of_the_table_need_no_trial() -> None:
    kinds = tokenizertrial.BYTE_LEVEL | tokenizertrial.SENTENCEPIECE
    import transformers

    listed = {getattr(transformers, one.config).model_type for one in families.FAMILIES if not one.refused}
    assert listed <= kinds and kinds - listed <= {"gemma"}
    bytes_ = {"model": {"type": "BPE"}, "pre_tokenizer": SPLITS["qwen2"]}
    odd = {"model": {"type": "BPE"}, "pre_tokenizer": ODD}
    known = tokenizertrial.is_known
    assert known("qwen2", bytes_, has_pieces=False) and not known("gemma2", bytes_, has_pieces=False)
    assert not known("qwen2", odd, has_pieces=False) and not known("qwen2", {}, has_pieces=False)
    assert known("gemma2", odd, has_pieces=True) and not known("qwen2", bytes_, has_pieces=True)


def test_the_usual_tiny_models_need_none_either(tmp_path: Path) -> None:
    """So checking them starts no process."""
    found = inspect(make_tiny_llama(tmp_path / "model"))
    words = found.small["tokenizer.json"]
    assert tokenizertrial.is_known("llama", words, has_pieces="tokenizer.model" in found.files)


@pytest.mark.parametrize(
    ("own", "kind", "refused"),
    [
        ({"AutoTokenizer": ["tok.Own", None]}, "OwnTokenizer", True),
        pytest.param({"AutoTokenizer": ["tok.Own", None]}, "LlamaTokenizer", False, marks=pytest.mark.long),
        (None, "OwnTokenizer", False),
    ],
    ids=["own", "known", "without auto_map"],
)
def test_a_tokenizer_with_code_of_its_own_is_refused_in_our_words(
    own: Any, kind: str, refused: bool, tmp_path: Path
) -> None:
    folder = make_tiny_llama(tmp_path / "model")
    path = folder / "tokenizer_config.json"
    more = {"auto_map": own} if own else {}
    path.write_text(json.dumps({**jsontext.read(path), "tokenizer_class": kind, **more}), encoding="utf-8")
    said = tried(folder)
    if not refused:
        assert said == "" and models.load_tokenizer(folder)
        return
    assert "model/tokenizer_config.json: This tokenizer requires its own code (auto_map)" in said
    assert "remove auto_map" in said and "trust_remote_code" not in said
    with pytest.raises(ModelFileError, match="requires its own code"):
        models.load_tokenizer(folder)
