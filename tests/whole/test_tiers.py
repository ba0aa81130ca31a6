"""Slow tiers run again only if their inputs changed."""

from __future__ import annotations

import ast
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tiers() -> dict[str, Any]:
    return runpy.run_path(str(REPOSITORY / "scripts/tiers.py"))


@pytest.fixture
def copy(tiers: dict[str, Any], tmp_path: Path) -> Path:
    """The inputs of every tier, and all of them passed."""
    (tmp_path / "tests").mkdir()
    for name in {name for tier in tiers["TIERS"] for name in tier.inputs}:
        source, aim = REPOSITORY / name, tmp_path / name
        aim.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, aim, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        else:
            shutil.copyfile(source, aim)
    for tier in tiers["TIERS"]:
        tiers["passed"](tier.target, tmp_path)
    return tmp_path


def waiting(tiers: dict[str, Any], root: Path) -> set[str]:
    return {tier.target for tier in tiers["stale"](root)}


def test_nothing_runs_again_while_nothing_changed(tiers: dict[str, Any], copy: Path) -> None:
    assert waiting(tiers, copy) == set()


def test_comments_docstrings_and_annotations_change_nothing(tiers: dict[str, Any], copy: Path) -> None:
    module = copy / "zoo/training/added.py"
    module.write_text('"""One."""\n\ndef f(x: int) -> int:\n    """Two."""\n    return x\n', encoding="utf-8")
    for target in ("long", "families", "matrix"):
        tiers["passed"](target, copy)
    module.write_text('"""1."""\n\ndef f(x: float) -> object:\n    # Why.\n    return x\n', encoding="utf-8")
    assert waiting(tiers, copy) == set()
    module.write_text('"""1."""\n\ndef f(x: float) -> object:\n    return x + 1\n', encoding="utf-8")
    assert waiting(tiers, copy) == {"long", "families", "matrix"}


def test_a_pinned_version_sends_all_but_the_readers_again(tiers: dict[str, Any], copy: Path) -> None:
    with (copy / "constraints.txt").open("a", encoding="utf-8") as file:
        file.write("added==1.0\n")
    assert waiting(tiers, copy) == {"installs", "long", "pages", "families", "matrix", "coreml"}


def test_a_contributed_recipe_or_corpus_sends_no_tier_again(tiers: dict[str, Any], copy: Path) -> None:
    starter = copy / "recipes/smollm2-135m-instruct.yaml"
    shutil.copyfile(starter, copy / "recipes/offered.yaml")
    shutil.copytree(copy / "recipes/corpora/tutor", copy / "recipes/corpora/offered")
    assert waiting(tiers, copy) == set()
    starter.write_text("zoo: 1\n", encoding="utf-8")
    assert waiting(tiers, copy) == {"long", "matrix"}


def test_an_input_that_moved_is_an_error(tiers: dict[str, Any], copy: Path) -> None:
    shutil.rmtree(copy / "zoo/llama/convert")
    with pytest.raises(FileNotFoundError, match="zoo/llama/convert"):
        tiers["stale"](copy)


def test_every_file_with_a_long_test_is_an_input_of_that_tier(tiers: dict[str, Any]) -> None:
    marked = {
        path.relative_to(REPOSITORY).as_posix()
        for path in (REPOSITORY / "tests").rglob("test_*.py")
        if "pytest.mark.long" in path.read_text(encoding="utf-8") and path != Path(__file__)
    }
    assert len(marked) > 5 and marked <= set(tiers["LONG"])


def imported(path: Path) -> set[Path]:
    """Files of this repository that a file imports, with the packages that they are in."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    parts = [name.split(".")[:end] for name in names for end in range(1, name.count(".") + 2)]
    places = [base.joinpath(*part) for part in parts for base in (REPOSITORY, REPOSITORY / "tests", path.parent)]
    files = [file for place in places for file in (place.with_suffix(".py"), place / "__init__.py")]
    return {file for file in files if file.is_file()}


def test_whatever_the_pages_are_made_with_is_an_input_of_their_tier(tiers: dict[str, Any]) -> None:
    """From the site, its hooks and its tests along every import."""
    waits = [*(REPOSITORY / "zoo/site").rglob("*.py"), *(REPOSITORY / "tests/browser").glob("*.py")]
    waits.append(REPOSITORY / "site/hooks.py")
    found: set[Path] = set()
    while waits:
        file = waits.pop()
        if file not in found:
            found.add(file)
            waits += imported(file)
    inputs = [REPOSITORY / name for name in tiers["PAGES"]]
    assert len(found) > 150
    assert sorted(file for file in found if not any(file.is_relative_to(one) for one in inputs)) == []


def test_every_test_in_a_browser_is_of_make_pages_and_each_that_make_test_runs_exists() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", "-m", "not pages"]
    done = subprocess.run([*command, "tests/browser"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    chosen = {line.removeprefix("tests/browser/") for line in done.stdout.splitlines() if "::" in line}
    tree = ast.parse((REPOSITORY / "tests/browser/conftest.py").read_text(encoding="utf-8"))
    (listed,) = (ast.literal_eval(one.value) for one in tree.body if isinstance(one, ast.Assign)
                 and ast.unparse(one.targets[0]) == "GLANCE")  # fmt: skip
    assert chosen == set(listed)
    kinds = {path.name for path in (REPOSITORY / "tests/browser").glob("test_*.py")}
    assert len({name.partition("::")[0] for name in chosen}) > len(kinds) / 2


def test_each_target_of_make_records_that_it_passed(tiers: dict[str, Any]) -> None:
    text = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for tier in tiers["TIERS"]:
        (rule,) = re.findall(rf"^{tier.target}:.*\n((?:\t.*\n)+)", text, re.M)
        assert rule.splitlines()[-1] == f"\t@$(BIN)/python scripts/tiers.py passed {tier.target}"
    assert "make tiers" in (REPOSITORY / ".ci/run").read_text(encoding="utf-8")
