"""Special tokens beyond the rows of the embedding: refused with file, key, bound and fix, before anything is loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tinyzoo
from foldersamples import change, edit_json, sound
from tinygguf import make_tiny_gguf

from zoo.__main__ import main
from zoo.errors import ModelFileError
from zoo.gguf.header import read_header, rewrite_header
from zoo.modelfolder import specialtokens
from zoo.modelfolder.inspection import inspect, inspect_small

ROWS = 355
BAD = [
    ("config.json", "pad_token_id", ROWS),
    ("config.json", "bos_token_id", 5000),
    ("config.json", "eos_token_id", [2, 5000]),
    ("config.json", "unk_token_id", 5000),
    ("generation_config.json", "pad_token_id", 5000),
    ("generation_config.json", "bos_token_id", ROWS),
    ("generation_config.json", "eos_token_id", [5000]),
    ("tokenizer_config.json", "pad_token_id", 5000),
]


def zoo_with(model: Path, at: Path) -> Path:
    """A tiny zoo whose plain recipe uses a copy of ``model``."""
    zoo = tinyzoo.make_tiny_zoo(at)
    recipe = tinyzoo.plain_recipe(zoo)
    place = zoo / recipe["student"]["source"].removeprefix("file:")
    shutil.rmtree(place)
    shutil.copytree(model, place)
    tinyzoo.write_recipe(zoo, recipe)
    return zoo


@pytest.mark.parametrize(("file", "key", "value"), BAD)
def test_the_file_the_key_and_the_bound_are_named(file: str, key: str, value: Any, tmp_path: Path) -> None:
    folder = edit_json(sound(tmp_path / "m"), file, **{key: value})
    with pytest.raises(ModelFileError) as caught:
        inspect(folder)
    number = max(value) if isinstance(value, list) else value
    assert caught.value.where == f"m/{file}"
    assert f"{key} is {number}" in caught.value.what and "only 355 rows" in caught.value.what
    assert "354 is the largest number" in caught.value.what
    assert f"Correct {key} in m/{file}" in caught.value.remedy
    assert (f'"{key}": null' in caught.value.remedy) == (key in ("pad_token_id", "unk_token_id"))


@pytest.mark.parametrize(("key", "value", "remedy"), [
    ("pad_token_id", -1, 'Write "pad_token_id": null in m/config.json'), ("unk_token_id", -1, '"unk_token_id": null'),
    ("eos_token_id", -1, "Write the number of a token as eos_token_id in m/config.json"),
    ("bos_token_id", -1, "or delete the key"),
])  # fmt: skip
def test_a_negative_number_is_named_with_what_to_write(key: str, value: int, remedy: str, tmp_path: Path) -> None:
    folder = edit_json(sound(tmp_path / "m"), "config.json", **{key: value})
    with pytest.raises(ModelFileError, match=rf"{key} is -1, but the numbers of tokens begin at 0") as caught:
        inspect(folder)
    assert caught.value.where == "m/config.json" and remedy in caught.value.remedy


@pytest.mark.parametrize("value", [None, 0, ROWS - 1])
def test_numbers_with_a_row_are_fine(value: int | None, tmp_path: Path) -> None:
    folder = sound(tmp_path / "m")
    for file, key, _ in BAD:
        edit_json(folder, file, **{key: value})
    assert inspect(folder).rows == ROWS


def padded(folder: Path) -> Path:
    """A tiny model whose embedding has rows beyond the tokens, as many real ones have."""
    edit_json(folder, "config.json", vocab_size=ROWS + 600)
    return change(folder, lambda t: t.update({"model.embed_tokens.weight": np.zeros((ROWS + 600, 64), np.float16)}))


@pytest.mark.parametrize("key", ["bos_token_id", "eos_token_id"])
def test_a_number_that_no_token_of_the_tokenizer_has_is_named_with_its_line(key: str, tmp_path: Path) -> None:
    folder = padded(sound(tmp_path / "m"))
    inspect(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "generation_config.json").unlink()
    text = json.dumps({**config, key: 900}, indent=2)
    (folder / "config.json").write_text(text, encoding="utf-8")
    line = 1 + text[: text.index(f'"{key}"')].count("\n")
    with pytest.raises(ModelFileError) as caught:
        inspect(folder)
    assert caught.value.where == f"m/config.json:{line}"
    assert caught.value.what.startswith(f"{key} is 900, but the tokenizer has only 355 tokens")
    assert caught.value.remedy.endswith(f"belongs to these weights, or correct {key} in m/config.json:{line}")
    # Tokens that transformers adds to those of tokenizer.json count.
    edit_json(folder, "tokenizer_config.json", added_tokens_decoder={"900": {"content": "<end>"}})
    inspect(folder)


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [("config.json", "pad_token_id", 900), ("generation_config.json", "eos_token_id", [2, 900])],
)
def test_a_left_over_number_that_nothing_uses_is_only_a_note(file: str, key: str, value: Any, tmp_path: Path) -> None:
    folder = edit_json(padded(sound(tmp_path / "m")), file, **{key: value})
    assert f"{key} of {file} is 900, which is not one of the tokenizer's tokens" in inspect(folder).notes


ABSENT = [
    ("tokenizer_config.json", "eos_token", "<end>"),
    ("tokenizer_config.json", "bos_token", {"__type": "AddedToken", "content": "<end>"}),
    ("tokenizer_config.json", "pad_token", "<end>"),
    ("tokenizer_config.json", "sep_token", "<end>"),
    ("tokenizer_config.json", "additional_special_tokens", ["<end>"]),
    ("tokenizer_config.json", "extra_special_tokens", {"image_token": "<end>"}),
    ("special_tokens_map.json", "eos_token", {"content": "<end>"}),
]


@pytest.mark.parametrize(("file", "key", "value"), ABSENT)
def test_a_token_that_the_tokenizer_does_not_have_is_named(file: str, key: str, value: Any, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    folder = edit_json(sound(tmp_path / "m"), file, **{key: value})
    text = (folder / file).read_text(encoding="utf-8")
    (folder / file).write_text(text.replace(f'"{key}"', f'\n"{key}"', 1), encoding="utf-8")
    # transformers adds it behind the others; llama.cpp's converter accepts no number beyond the rows.
    assert len(transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)) == ROWS + 1
    with pytest.raises(ModelFileError) as caught:
        inspect(folder)
    assert caught.value.what == (
        f"{key} is '<end>', which the tokenizer does not have: transformers would add it as token {ROWS} (numbers "
        f"from 0), but the embedding has only {ROWS} rows"
    )
    assert caught.value.where == f"m/{file}:2"
    assert f"Correct {key} in m/{file}:2: write a token that tokenizer.json has" in caught.value.remedy
    is_numbered = key in ("bos_token", "eos_token", "pad_token")
    assert (f"({key}_id of config.json)" in caught.value.remedy) is is_numbered
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelFileError, match=f"{key} is '<end>'"):
        inspect_small(folder, "m")


def test_an_end_of_an_unused_row_is_refused_and_padding_is_not(tmp_path: Path) -> None:
    folder = edit_json(padded(sound(tmp_path / "m")), "tokenizer_config.json", pad_token="<pad>", sep_token="")
    inspect(folder)
    edit_json(folder, "tokenizer_config.json", eos_token="<end>")
    with pytest.raises(ModelFileError, match=r"would add it as token 355 .*, which no training used"):
        inspect(folder)
    # The list of added tokens counts, and with it transformers does not read special_tokens_map.json.
    edit_json(folder, "special_tokens_map.json", eos_token="<other>")
    edit_json(folder, "tokenizer_config.json", added_tokens_decoder={"355": {"content": "<end>"}})
    inspect(folder)


def test_the_part_of_a_larger_configuration() -> None:
    inner = {"text_config": {"pad_token_id": 12, "vocab_size": 10}}
    with pytest.raises(ModelFileError, match=r"text_config\.pad_token_id is 12"):
        specialtokens.refuse_without_row({"config.json": inner}, 10)


def test_a_tokenizer_that_numbers_its_own_tokens() -> None:
    own = {"bos_token": {"content": "<s>"}, "added_tokens_decoder": {"12": {"content": "<s>"}}}
    with pytest.raises(ModelFileError, match="bos_token is 12") as caught:
        specialtokens.refuse_without_row({"tokenizer_config.json": own}, 12)
    assert caught.value.where == "tokenizer_config.json"
    specialtokens.refuse_without_row({"tokenizer_config.json": own}, 13)
    # With a tokenizer.json that file says which tokens there are.
    specialtokens.refuse_without_row({"tokenizer_config.json": own, "tokenizer.json": {}}, 12)


def test_check_and_lock_say_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    zoo = zoo_with(edit_json(sound(tmp_path / "m"), "config.json", pad_token_id=32000), tmp_path / "zoo")
    monkeypatch.chdir(zoo)
    for command, code in ((("check", "recipes/plain.yaml"), 2), (("lock", "plain"), 1)):
        assert main(command) == code
        said = "".join(capsys.readouterr())
        assert "pad_token_id is 32000" in said and "/config.json" in said and "354" in said, said


@pytest.mark.parametrize("name", ["padding", "bos", "eos", "unknown"])
def test_a_gguf_header_with_such_a_number(name: str, tmp_path: Path) -> None:
    sound_file = make_tiny_gguf(tmp_path / "m.gguf", layers=2)
    header = read_header(sound_file)
    key = f"tokenizer.ggml.{name}_token_id"
    specialtokens.refuse_beyond(header.metadata, header.vocabulary_size, "m.gguf")
    with pytest.raises(ModelFileError, match=f"{key} is 1024, but the file has only 1,024 tokens") as caught:
        specialtokens.refuse_beyond({key: 1024}, header.vocabulary_size, "m.gguf")
    assert f"gguf-set-metadata m.gguf {key} NUMBER" in caught.value.remedy
    specialtokens.refuse_beyond({key: 1023}, header.vocabulary_size, "m.gguf")


def test_the_import_and_lock_refuse_that_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("transformers")
    from zoo.progress import Silent
    from zoo.training.importing import import_model

    (tmp_path / "recipes").mkdir()
    (tmp_path / "zoo.toml").touch()
    bad = tmp_path / "m.gguf"
    rewrite_header(
        make_tiny_gguf(tmp_path / "s.gguf", layers=2), bad, {"tokenizer.ggml.padding_token_id": 5000}
    )
    with pytest.raises(ModelFileError, match="padding_token_id is 5000"):
        import_model(bad, tmp_path / "out", Silent())
    recipe = {"student": {"source": "file:m.gguf", "licence": "MIT"}}
    (tmp_path / "recipes/it.yaml").write_text(json.dumps(recipe), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(("lock", "it")) == 1
    assert "padding_token_id is 5000" in "".join(capsys.readouterr())
