"""Sources that did not change are not read again, and what is remembered never hides a change or a refusal."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tinygguf import make_tiny_gguf
from tinymodel import make_tiny_llama

from zoo.errors import ModelFileError
from zoo.files.whole import GRAIN_SECONDS
from zoo.plan import known, systemprompts
from zoo.plan.known import MEMORY, Known
from zoo.sources.facts import SourceFacts
from zoo.templates.renderer import Renderer

ENDLESS = "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every source that is read."""
    found: list[Path] = []
    real = known.sourcefacts.read

    def read(path: Path, *more: object) -> SourceFacts:
        found.append(path)
        return real(path, *more)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(known.sourcefacts, "read", read)
    return found


@pytest.fixture(params=["folder", "gguf"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    model = tmp_path / "model"
    made = make_tiny_llama(model) if request.param == "folder" else make_tiny_gguf(tmp_path / "model.gguf")
    time.sleep(2 * GRAIN_SECONDS)
    yield made


def facts(source: Path, *, imported: bool = False) -> SourceFacts:
    with Known(source.parent) as memory:
        return memory.facts(source, source.parent, imported=imported)


def test_a_source_is_read_once_until_it_changes(source: Path, reads: list[Path]) -> None:
    first = facts(source)
    assert facts(source) == first and reads == [source]
    assert facts(source, imported=True) == first and len(reads) == 2, "the import refuses more"
    changed = source / "config.json" if source.is_dir() else source
    os.utime(changed, ns=(1, 1))
    time.sleep(2 * GRAIN_SECONDS)
    assert facts(source) == first and len(reads) == 3


def test_a_change_just_now_is_not_remembered(source: Path, reads: list[Path]) -> None:
    with Known(source.parent) as memory:
        os.utime(source / "config.json" if source.is_dir() else source)
        memory.facts(source, source.parent, imported=False)
        memory.facts(source, source.parent, imported=False)
    assert len(reads) == 2


def test_what_a_link_leads_to_counts(tmp_path: Path, reads: list[Path]) -> None:
    folder = make_tiny_llama(tmp_path / "model")
    (folder / "config.json").rename(tmp_path / "elsewhere.json")
    (folder / "config.json").symlink_to(tmp_path / "elsewhere.json")
    time.sleep(2 * GRAIN_SECONDS)
    assert facts(folder) and facts(folder) and len(reads) == 1
    text = (tmp_path / "elsewhere.json").read_text(encoding="utf-8")
    (tmp_path / "elsewhere.json").write_text(text + " ", encoding="utf-8")
    time.sleep(2 * GRAIN_SECONDS)
    assert facts(folder) and len(reads) == 2
    (tmp_path / "elsewhere.json").write_text("{", encoding="utf-8")
    for _ in range(2):
        with pytest.raises(ModelFileError):
            facts(folder)
    assert len(reads) == 4, "what is refused is read again"


@pytest.mark.parametrize("damage", ["{", "[]", '{"program": 1}', "older", "facts"])
def test_a_memory_that_does_not_fit_is_made_again(damage: str, source: Path, reads: list[Path]) -> None:
    first = facts(source)
    memory = source.parent / MEMORY
    data = json.loads(memory.read_text(encoding="utf-8"))
    if damage == "older":
        data["program"] = "0" * 64
    if damage == "facts":
        for one in data["sources"].values():
            one["facts"]["layers"] = "many"
    memory.write_text(json.dumps(data) if damage in ("older", "facts") else damage, encoding="utf-8")
    assert facts(source) == first and len(reads) == 2
    assert facts(source) == first and len(reads) == 2


def said(memory: Known, *templates: str) -> list[str]:
    given = {
        f"model {at}": SourceFacts("gguf", 1, 1, 1, None, text, None, ()) for at, text in enumerate(templates)
    }
    return [error.what for _, error in systemprompts.unusable(given, memory)]


def test_a_usable_template_is_tried_once_and_a_refused_one_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = "{{ messages[0].content }}", "{% if %}"
    with Known(tmp_path) as memory:
        (what,) = said(memory, good, bad, good)
        assert "the chat template of the model 1 cannot be rendered: line 1" in what
    rendered: list[str] = []
    real = Renderer.render
    monkeypatch.setattr(
        Renderer, "render", lambda self, *words: (rendered.append(self.source), real(self, *words))[1]
    )
    with Known(tmp_path) as memory:
        assert said(memory, good, bad) == [what] and set(rendered) == {"the model 1"}


def test_one_process_tries_many_templates_and_blames_none_for_another() -> None:
    with Known() as memory:
        templates = [f"{{{{ messages[0].content }}}} {at}" for at in range(5)]
        assert said(memory, *templates) == []
        renderer = memory.renderer(templates[0], systemprompts.SPECIAL, "m")
        assert renderer._worker
        process = renderer._worker._process
        assert said(memory, "{{ messages[0].content }} another") == [] and renderer._worker._process is process
        (what,) = said(memory, ENDLESS)
        assert "recurses without end" in what
        assert process.poll() is not None, "a limit counts only in a process of its own"
        assert said(memory, "{{ messages[0].content }} last") == []
        last = renderer._worker._process
        assert last is not process
    assert last.poll() is not None, "no process is left"
