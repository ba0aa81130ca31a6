"""A merge that git left unfinished, in each kind of file that people commit; and a catalog that is not there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from calling import Captured, called
from recipesamples import PLAIN
from sitesamples import sample

from catalog import conflicts, index

LOCK = "zoo_lock: 1\nsources: {}\n"
CARD = "---\nlicense: mit\n---\n\n# A model\n\nIt tells stories.\n"
FILES = {
    "model_catalog.json": index.to_text(sample()),
    "recipes/plain.yaml": PLAIN,
    "recipes/plain.lock.yaml": LOCK,
    "README.md": CARD,
    "zoo.toml": 'namespace = "me"\n',
}
WORDS = f"{conflicts.WHAT}. {conflicts.SOLVE}"


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def merge(zoo: Path, name: str, style: str) -> int:
    """Let git merge two versions of a file whose last line both changed. The line of the first mark."""
    base, path = zoo / "base", zoo / name
    text = path.read_text(encoding="utf-8")
    before, end, last = text.rstrip("\n").rpartition("\n")
    base.write_text(text, encoding="utf-8")
    for other, word in (("ours", "one"), ("theirs", "two")):
        (zoo / other).write_text(f"{before}{end}{last} # {word}\n", encoding="utf-8")
    command = ["git", "merge-file", "-p", *([f"--{style}"] if style else []), "ours", "base", "theirs"]
    path.write_bytes(subprocess.run(command, cwd=zoo, capture_output=True, check=False).stdout)
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.startswith("<<<<<<<"))


@pytest.mark.parametrize("style", ["", "diff3"])
@pytest.mark.parametrize("name", [name for name in FILES if name != "zoo.toml"])
def test_a_merge_conflict_is_named_with_its_line(name: str, style: str, zoo: Path, capsys: Captured) -> None:
    line = merge(zoo, name, style)
    code, out, _ = called(capsys, "check", name)
    assert code == 2 and f"{name}:{line}:1: " in out and conflicts.WHAT in out and conflicts.SOLVE in out


def test_commands_that_read_the_catalog_name_it_too(zoo: Path, capsys: Captured) -> None:
    line = merge(zoo, "model_catalog.json", "")
    for words in (("catalog",), ("show", "x"), ("pick", "x", "--device", "pi-400"), ("site", "build")):
        code, _, err = called(capsys, *words)
        assert code == 2 and f"model_catalog.json:{line}:1: (file): " in err and conflicts.WHAT in err
        assert "Restore" not in err


def test_settings_with_a_merge_conflict(zoo: Path, capsys: Captured) -> None:
    line = merge(zoo, "zoo.toml", "")
    code, _, err = called(capsys, "catalog")
    assert code == 2 and f"zoo.toml:{line}: {WORDS}." in err


@pytest.mark.parametrize(
    "text",
    ["a\n=======\nb\n", "see <<<<<<< here >>>>>>> \n", "<<<<<<< a mark alone\n", " <<<<<<< a\n=======\n>>>>>>> b\n"],
)
def test_prose_may_have_such_marks(text: str) -> None:
    assert conflicts.line_in_prose(text) == 0
    assert conflicts.line_in_prose(f"first\n<<<<<<< HEAD\n{text}=======\n>>>>>>> x\n") == 2


@pytest.mark.parametrize("command", ["catalog", "pick x --device pi-400", "show x", "watch", "bench history x"])
def test_a_named_catalog_that_is_not_there(command: str, zoo: Path, capsys: Captured) -> None:
    del zoo
    code, _, err = called(capsys, *command.split(), "--catalog", "typo.json")
    assert code == 2 and "setting catalog (flag --catalog): the catalog typo.json does not exist" in err


@pytest.mark.parametrize("command", ["catalog", "pick x --device pi-400", "pull x", "watch", "site build"])
def test_a_lost_catalog_of_published_releases(command: str, zoo: Path, capsys: Captured) -> None:
    (zoo / "model_catalog.json").unlink()
    empty = called(capsys, "catalog")
    assert empty[0] == 0 and "Nothing is released yet" in empty[1]
    (zoo / "site/evidence/tutor/1.0.0").mkdir(parents=True)
    code, _, err = called(capsys, *command.split())
    assert code == 2 and "catalog" in err and ("version control" in err or command == "site build"), err
    assert not (zoo / "build/site").exists()
