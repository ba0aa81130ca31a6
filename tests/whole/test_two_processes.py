"""Two ``zoo release`` at the same time on one work folder, one hub and one catalog."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import tinyzoo

pytest.importorskip("torch")
pytest.importorskip("llama_cpp")

from catalog import index


def together(zoo: Path, *commands: tuple[str, ...]) -> list[subprocess.CompletedProcess[str]]:
    """Start them at the same time and wait for all."""
    processes = [tinyzoo.start(zoo, *command) for command in commands]
    try:
        said = [process.communicate(timeout=300) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [
        subprocess.CompletedProcess(p.args, p.returncode, *streams) for p, streams in zip(processes, said, strict=True)
    ]


def names_in_catalog(zoo: Path) -> list[str]:
    text = (zoo / "model_catalog.json").read_text(encoding="utf-8")
    catalog, problems = index.parse(text, "model_catalog.json")
    assert not problems and index.to_text(catalog) == text
    return [f"{model.name} {release.version}" for model in catalog.models for release in model.releases]


def commits(zoo: Path, repository: str) -> list[str]:
    """Every commit of a repository, after a look at its refs and its log."""
    folder = zoo / "build/hub/repos" / repository
    oids = [path.stem for path in (folder / "commits").iterdir()]
    refs = {name: raw.decode().strip() for name, raw in tinyzoo.tree(folder / "refs").items()}
    assert set(refs) == {"heads/main", "tags/v1.0.0"} and set(refs.values()) == set(oids)
    assert len((folder / "refs.log").read_text().splitlines()) == 2
    return oids


@pytest.mark.long
def test_the_same_recipe_twice_and_another_one_at_once(tmp_path: Path) -> None:
    """Three processes: two make the same release, the third shares the source and the texts with them."""
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    tinyzoo.write_recipe(zoo, tinyzoo.tutored_recipe(zoo, "second", summary="Another student of the same teacher."))
    commands = [("release", name) for name in ("tutored", "tutored", "second")]
    done = together(zoo, *commands)
    assert [process.returncode for process in done] == [0, 0, 0], "\n\n".join(process.stderr for process in done)
    said = [process.stderr for process in done]
    assert any("another zoo" in text and "waiting" in text for text in said)
    # One process makes what two need: each question and each training once.
    (journal,) = (zoo / "build/work/labels").glob("*.jsonl")
    keys = [json.loads(line)["key"] for line in journal.read_text(encoding="utf-8").splitlines()]
    assert len(keys) == len(set(keys)) == len(tinyzoo.TRAIN) + len(tinyzoo.HELDOUT)
    released = [process.stdout for process in done[:2]]
    assert all(re.match(r"tutored 1\.0\.0 (is released|was released before)", text) for text in released)
    for name in ("tutored", "second"):
        assert len(commits(zoo, f"model/tiny/{name}-gguf")) == len(commits(zoo, f"dataset/tiny/{name}-prompts")) == 1
    assert names_in_catalog(zoo) == ["second 1.0.0", "tutored 1.0.0"]
    assert not list((zoo / "build/work/partial").iterdir())
    assert not [path for path in (zoo / "build/releases").rglob(".*") if not path.name.endswith(".lock")]
    check = tinyzoo.run(zoo, "check")
    assert check.returncode == 0, check.stdout


@pytest.mark.parametrize("attempts", [1, pytest.param(4, marks=pytest.mark.long)])
def test_two_publications_of_one_built_release(
    attempts: int, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    """Only publishing, so that both are at the hub in the same instant, again and again."""
    whole = tinyzoo.released_zoo(tmp_path_factory.mktemp("two-reference"))
    zoo = tmp_path / "zoo"
    shutil.copytree(whole, zoo)
    for attempt in range(attempts):
        shutil.rmtree(zoo / "build/hub")
        shutil.rmtree(zoo / "site")
        (zoo / "model_catalog.json").unlink()
        done = together(zoo, ("publish", "tutored"), ("publish", "tutored"), ("publish", "plain"))
        assert [p.returncode for p in done] == [0, 0, 0], (attempt, [p.stderr for p in done])
        for repository in ("model/tiny/plain-gguf", "model/tiny/tutored-gguf", "dataset/tiny/tutored-prompts"):
            assert len(commits(zoo, repository)) == 1
        assert names_in_catalog(zoo) == ["plain 1.0.0", "tutored 1.0.0"]
