"""A model folder with several chat templates: one counts, everywhere, and it is reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tinymodel import make_tiny_llama

from zoo.modelfolder import templates
from zoo.modelfolder.inspection import inspect

ONE, OTHER = "{{ messages[0].content }}", "other {{ messages[0].content }}"
NAMED = [{"name": "tool_use", "template": OTHER}, {"name": "default", "template": ONE}]
CASES: dict[str, tuple[dict[str, Any], str | None, str, str]] = {
    # what is in the three files; the template that counts; its file; what is reported
    "one": ({"jinja": ONE}, ONE, "chat_template.jinja", ""),
    "in the configuration": ({"config": ONE}, ONE, "tokenizer_config.json", ""),
    "of a processor": ({"processor": ONE}, ONE, "chat_template.json", ""),
    "alike": ({"jinja": ONE, "config": ONE, "processor": ONE}, ONE, "chat_template.jinja", ""),
    "two": ({"jinja": ONE, "config": OTHER}, ONE, "chat_template.jinja", "in tokenizer_config.json, does not"),
    "two files": (
        {"config": ONE, "processor": OTHER}, ONE, "tokenizer_config.json", "in chat_template.json, does not",
    ),
    "three": (
        {"jinja": ONE, "config": OTHER, "processor": OTHER}, ONE, "chat_template.jinja",
        "in tokenizer_config.json and chat_template.json",
    ),
    "named": ({"config": NAMED}, ONE, "tokenizer_config.json", "(default, tool_use) the one named default counts"),
    "named, and a file": ({"config": NAMED, "jinja": OTHER}, OTHER, "chat_template.jinja", "another one"),
    "named without a default": ({"config": NAMED[:1]}, None, "", "(tool_use) is named default, so none counts"),
    "none": ({}, None, "", ""),
}  # fmt: skip


def folder_with(folder: Path, given: dict[str, Any]) -> Path:
    make_tiny_llama(folder, layers=1)
    (folder / "chat_template.jinja").unlink()
    if "jinja" in given:
        (folder / "chat_template.jinja").write_text(given["jinja"], encoding="utf-8")
    if "processor" in given:
        text = json.dumps({"chat_template": given["processor"]})
        (folder / "chat_template.json").write_text(text, encoding="utf-8")
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config.pop("chat_template", None)
    path.write_text(json.dumps(config | ({"chat_template": given["config"]} if "config" in given else {})))
    return folder


@pytest.mark.parametrize("name", sorted(CASES))
def test_one_template_counts_and_the_others_are_reported(tmp_path: Path, name: str) -> None:
    given, text, file, said = CASES[name]
    found = inspect(folder_with(tmp_path / "m", given))
    choice = templates.choose(found.files)
    assert (choice.text, choice.file) == (text, file)
    notes = [note for note in found.notes if "chat template" in note]
    assert len(notes) == bool(said)
    assert all(said in note for note in notes)


@pytest.mark.parametrize("name", sorted(CASES))
def test_transformers_and_the_converter_take_the_same_of_an_imported_copy(tmp_path: Path, name: str) -> None:
    pytest.importorskip("torch")
    gguf = pytest.importorskip("gguf")
    from zoo.errors import ZooError
    from zoo.progress import Silent
    from zoo.training.importing import import_model
    from zoo.training.models import load_tokenizer
    from zoo.training.prompts import Prompts

    given, text, _, _ = CASES[name]
    out = tmp_path / "out"
    report = import_model(folder_with(tmp_path / "m", given), out, Silent())
    assert any("chat template" in note for note in report.notes) == bool(CASES[name][3])
    tokenizer = load_tokenizer(out)
    converted = gguf.SpecialVocab(out, load_merges=False).chat_template
    if isinstance(converted, list):
        converted = {one["name"]: one["template"] for one in converted}["default"]
    assert converted == text
    if text is None:
        with pytest.raises(ZooError, match="no chat template"):
            Prompts(tokenizer)
    else:
        assert tokenizer.get_chat_template() == text


def test_a_template_of_many_megabytes_is_refused_in_a_sentence() -> None:
    from zoo.errors import ModelFileError
    from zoo.templates.limits import Limits
    from zoo.templates.renderer import Renderer

    template = "{{ messages }}" * 3_000_000
    with (
        Renderer(template, special={}, source="m", limits=Limits(cpu_seconds=0.5)) as renderer,
        pytest.raises(ModelFileError, match=r"0\.5 seconds of processor time|512 MiB of memory"),
    ):
        renderer.render([{"role": "user", "content": "a"}])
