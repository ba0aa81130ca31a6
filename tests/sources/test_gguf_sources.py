"""GGUF architectures that can be a source: transformers' own list, refused by the header, and documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tinyzoo
from tinygguf import make_tiny_gguf

from zoo import __main__
from zoo.errors import ModelFileError
from zoo.modelfolder.ggufsources import READABLE
from zoo.sources import resolve

DOCUMENT = Path(__file__).parents[2] / "site/docs/how-to/pin-a-source.md"


def test_the_table_is_transformers_own_list() -> None:
    pytest.importorskip("transformers")
    gguf = pytest.importorskip("gguf")
    from transformers import modeling_gguf_pytorch_utils as old
    from transformers.integrations.gguf import gguf_config_mapping as new

    newer = set(re.findall(r'^    "(\w+)": _\w+_config,$', Path(new.__file__).read_text(encoding="utf-8"), re.M))
    assert "lfm2" in newer
    # The reader's names are transformers'; llama.cpp writes them with a hyphen or without an underscore.
    known = {name.replace("_", "").replace("-", "") for name in {*old.GGUF_SUPPORTED_ARCHITECTURES, *newer}}
    named = set(gguf.MODEL_ARCH_NAMES.values())
    encoders = {name for name in named if name.startswith("t5")}
    assert set(READABLE) == {name for name in named if name.replace("-", "").replace("_", "") in known} - encoders


def test_the_documentation_lists_the_table() -> None:
    section = DOCUMENT.read_text(encoding="utf-8").split("## GGUF files as sources")[1].split("\n## ")[0]
    assert re.findall(r"^\| `([^`]+)` \|$", section, re.M) == list(READABLE)


def other(path: Path) -> Path:
    """A valid file with an architecture name of the same length."""
    raw = make_tiny_gguf(path, vocabulary=300).read_bytes()
    path.write_bytes(raw.replace(b"llama", b"olmoe"))
    return path


def test_another_architecture_is_refused_by_the_header(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    with pytest.raises(ModelFileError, match=r"models/m\.gguf: .* of the architecture olmoe") as caught:
        resolve.refuse_gguf(other(tmp_path / "models/m.gguf"), tmp_path)
    assert "model folder" in caught.value.remedy
    resolve.refuse_gguf(make_tiny_gguf(tmp_path / "models/n.gguf", vocabulary=300), tmp_path)


@pytest.mark.parametrize("command", [("lock", "recipes/plain.yaml"), ("plan", "plain"), ("build", "plain")])
def test_every_command_that_reads_the_source_reports_it(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    path = other(zoo / "models/m.gguf")
    student = {"source": "file:models/m.gguf", "sha256": resolve.content_sha256(path), "licence": "Apache-2.0"}
    tinyzoo.write_recipe(zoo, tinyzoo.plain_recipe(zoo, student=student))
    monkeypatch.chdir(zoo)
    assert __main__.main(command) in (1, 2)
    said = capsys.readouterr().err
    assert "models/m.gguf" in said and "of the architecture olmoe" in said
