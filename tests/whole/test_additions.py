"""The page "Extend the program": its changes are made in a copy of the project, counted, and run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import tinyzoo
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "site/docs/how-to/add-to-the-house.md"
MOST_FILES = {
    "A metric for gates": 1,
    "A device": 1,
    "A file type": 1,
    "A stage that measures every file": 2,
    "A command": 2,
    "A kind of page": 2,
}
ROW = ("catalog/quants.py", '    "Q2_0": Quant(41, "Q2_0", 2.3),\n')
"""The file type that the page adds; the project has it."""

STEP = re.compile(
    r"^(?P<verb>Write|In) `(?P<path>[^`]+)`(?:, (?P<how>add to|replace) `(?P<where>[^`]+)`)?:\n\n"
    r"```\w+\n(?P<code>.*?)^```$",
    re.M | re.S,
)


@dataclass(frozen=True)
class Copy:
    """A copy of the project's packages that processes import instead of it."""

    folder: Path

    def apply(self, section: str) -> set[str]:
        """Make the changes of a section. Returns the files that it touched."""
        text = PAGE.read_text(encoding="utf-8")
        body = re.split(r"^## ", text.partition(f"## {section}\n")[2], flags=re.M)[0]
        steps = list(STEP.finditer(body))
        assert steps, section
        for step in steps:
            path = self.folder / step["path"]
            if step["verb"] == "Write":
                assert not path.exists()
                path.write_text(step["code"], encoding="utf-8")
                continue
            old = path.read_text(encoding="utf-8")
            if step["how"] == "replace":
                new = old.replace(step["where"], step["code"].strip())
            else:
                begin = re.search(rf"^{step['where']}\b.*[{{(]\n", old, re.M)
                assert begin, step["where"]
                new = old[: begin.end()] + step["code"] + old[begin.end() :]
            assert new != old, step["where"]
            path.write_text(new, encoding="utf-8")
        return {step["path"] for step in steps}

    def without(self, name: str, row: str) -> None:
        """Take a row out of a file, so that the page can add it."""
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert text.count(row) == 1
        path.write_text(text.replace(row, ""), encoding="utf-8")

    def zoo(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """``zoo ARGUMENTS`` of this copy, in the folder of a zoo."""
        search = os.pathsep.join((str(self.folder), os.environ["PYTHONPATH"]))
        return subprocess.run(
            [sys.executable, "-m", "zoo", *arguments], cwd=folder, env=tinyzoo.environment(PYTHONPATH=search),
            capture_output=True, text=True, check=False,
        )  # fmt: skip


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    for name in ("zoo", "catalog", "pi_runtime", "site", "recipes"):
        shutil.copytree(ROOT / name, tmp_path / "project" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("mkdocs.yml", "pyproject.toml"):
        shutil.copyfile(ROOT / name, tmp_path / "project" / name)
    return Copy(tmp_path / "project")


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    return tinyzoo.make_tiny_zoo(tmp_path / "zoo")


@pytest.fixture
def released(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    shutil.copytree(tinyzoo.released_zoo(tmp_path_factory.getbasetemp()), tmp_path / "released", symlinks=True)
    return tmp_path / "released"


def test_every_section_is_tried_here() -> None:
    found = set(re.findall(r"^## (.*)$", PAGE.read_text(encoding="utf-8"), re.M))
    assert found == {*MOST_FILES, "An extra"}


@pytest.mark.parametrize("section", sorted(MOST_FILES))
def test_an_addition_touches_few_files(section: str, copy: Copy) -> None:
    assert len(copy.apply(section)) <= MOST_FILES[section]


def test_the_additions_follow_the_style(copy: Copy) -> None:
    copy.without(*ROW)
    for section in MOST_FILES:
        copy.apply(section)
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "."], cwd=copy.folder,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_a_metric_is_one_row(copy: Copy, zoo: Path) -> None:
    gate = {"metric": "fallback_tensors", "at_most": 1000}
    path = tinyzoo.write_recipe(zoo, tinyzoo.plain_recipe(zoo, gates=[gate]))
    before = copy.zoo(zoo, "check", str(path))
    assert before.returncode == 2 and "fallback_tensors" in before.stdout + before.stderr
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "fallback_tensors" in text)
    assert f"plain.yaml:{line}" in before.stdout + before.stderr
    copy.apply("A metric for gates")
    after = copy.zoo(zoo, "check", str(path))
    assert after.returncode == 0, after.stderr
    read = "from catalog.metrics import METRICS; print(METRICS['fallback_tensors'].of_file)"
    assert "function" in subprocess.run(
        [sys.executable, "-P", "-c", read], env={**os.environ, "PYTHONPATH": str(copy.folder)},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def test_a_device_is_one_file(copy: Copy, released: Path) -> None:
    question = ("pick", "plain", "--device", "my-board-4gb", "--context", "512", "--experimental")
    assert copy.zoo(released, *question).returncode != 0
    copy.apply("A device")
    after = copy.zoo(released, *question)
    assert after.returncode == 0 and "My board, 4 GB" in after.stdout, after.stdout + after.stderr


def test_a_file_type_is_one_row(copy: Copy, zoo: Path) -> None:
    recipe = tinyzoo.plain_recipe(zoo)
    recipe["quantize"]["ladder"] = ["Q8_0", "Q2_0"]
    path = tinyzoo.write_recipe(zoo, recipe)
    copy.without(*ROW)
    assert copy.zoo(zoo, "check", str(path)).returncode == 2
    copy.apply("A file type")
    after = copy.zoo(zoo, "check", str(path))
    assert after.returncode == 0, after.stderr


def test_a_stage_is_a_file_and_a_row(copy: Copy, zoo: Path, released: Path) -> None:
    """All other steps are those of a release that is there, so only the new one runs."""
    (zoo / "build").mkdir()
    (released / "build/work").rename(zoo / "build/work")
    copy.apply("A stage that measures every file")
    plan = copy.zoo(zoo, "plan", "plain")
    assert plan.returncode == 0 and "outline/Q8_0" in plan.stdout, plan.stdout + plan.stderr
    done = copy.zoo(zoo, "build", "plain")
    assert done.returncode == 0, done.stderr
    assert "list the tensors of 3 files" in done.stderr
    model = next((zoo / "build/releases/plain").glob("[0-9]*/model"))
    rows = yaml.safe_load((model / "evidence" / "outline-Q8_0.json").read_text(encoding="utf-8"))
    assert {row["type"] for row in rows} >= {"Q8_0"}


def test_a_command_is_a_file_and_its_rows(copy: Copy, released: Path) -> None:
    copy.apply("A command")
    assert "lineage" in copy.zoo(released, "--help").stdout
    done = copy.zoo(released, "lineage", "plain")
    assert done.stdout.startswith("file:models/teacher\n"), done.stderr


def test_a_kind_of_page_is_a_file_and_its_place(copy: Copy, released: Path) -> None:
    copy.apply("A kind of page")
    done = copy.zoo(released, "site", "build")
    assert done.returncode == 0, done.stderr
    page = (released / "build/site/terms/index.html").read_text(encoding="utf-8")
    assert "<code>plain</code>: Apache-2.0" in page
