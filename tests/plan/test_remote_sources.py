"""What the small files of a source on a hub show is refused before a weight is fetched or anything is made."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

huggingface_hub = pytest.importorskip("huggingface_hub")
pytest.importorskip("torch")

import yaml  # noqa: E402 - after the skip
from hubserving import Start  # noqa: E402 - after the skip
from tinyzoo import make_tiny_zoo  # noqa: E402 - after the skip

from catalog import sources  # noqa: E402 - after the skip
from zoo.__main__ import main  # noqa: E402 - after the skip
from zoo.hub.huggingface import incoming  # noqa: E402 - after the skip

pytest_plugins = ("hubserving",)
pytestmark = pytest.mark.usefixtures("online")

REPO = "tiny/teacher.gguf"
"""A repository may be called like a file."""


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = make_tiny_zoo(tmp_path / "zoo")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def serve(zoo: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], str]:
    """Publishes a folder and makes it the teacher of ``tutored``; returns the address of the hub."""

    def serve_(model: Path) -> str:
        server = start()
        with incoming.XET.off():
            api = huggingface_hub.HfApi(endpoint=server.address, token=False)
            api.create_repo(REPO)
            commit = str(api.upload_folder(repo_id=REPO, folder_path=model).oid)
        path = zoo / "recipes" / "tutored.yaml"
        recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
        recipe["teacher"] = {"source": f"hf:{REPO}@{commit}", "licence": "Apache-2.0"}
        path.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        return server.address

    return serve_


def without_template(model: Path) -> None:
    (model / "chat_template.jinja").unlink()


def other_words(model: Path) -> None:
    data = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))
    words: dict[str, int] = data["model"]["vocab"]
    *_, one, other = sorted(words, key=lambda word: words[word])
    words[one], words[other] = words[other], words[one]
    (model / "tokenizer.json").write_text(json.dumps(data), encoding="utf-8")


def short_context(model: Path) -> None:
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    (model / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 16}), encoding="utf-8")


def impossible_end(model: Path) -> None:
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    (model / "config.json").write_text(json.dumps({**config, "pad_token_id": 99_999}), encoding="utf-8")


def gguf_only(model: Path) -> None:
    (model / "model.safetensors").rename(model / "model-Q8_0.gguf")


@pytest.mark.parametrize(("spoil", "code", "words"), [
    (without_template, 2, "teacher.source: the teacher answers prompts, but its source has no chat template"),
    (other_words, 2, "distill.method: logits are compared, but student and teacher have different tokens"),
    (short_context, 2, "label.max_tokens: answers of the teacher have 24 tokens, but the teacher's model has"),
    (impossible_end, 1, "pad_token_id is 99999"),
    (gguf_only, 1, "has GGUF files (model-Q8_0.gguf) but no safetensors"),
])  # fmt: skip
def test_a_teacher_on_a_hub_is_refused_before_anything_is_made(
    spoil: Callable[[Path], None], code: int, words: str, zoo: Path, serve: Callable[[Path], str], capsys: Any
) -> None:
    model = shutil.copytree(zoo / "models" / "teacher", zoo / "remote")
    spoil(model)
    serve(model)
    assert main(["release", "tutored"]) == code
    said = capsys.readouterr().err
    assert words in said and "[1/" not in said
    assert not list((zoo / "work").glob("steps/*")) and not list((zoo / "work").rglob("*.safetensors"))


def test_a_hub_that_does_not_answer_is_reported_and_the_local_steps_run(
    zoo: Path, serve: Callable[[Path], str], capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(zoo / "models" / "teacher")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert main(["release", "tutored"]) == 1
    said = capsys.readouterr().err
    assert "is only checked when it is imported: " in said and "import/student done" in said


def test_a_repository_that_is_called_like_a_file_is_a_folder() -> None:
    for revision in ("main", "v1.gguf", "a" * 40):
        assert not sources.is_gguf(f"hf:{REPO}@{revision}") and not sources.is_gguf(f"hf:{REPO}")
