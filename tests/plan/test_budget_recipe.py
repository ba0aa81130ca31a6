"""Byte budgets in a recipe: sizes, names, refusals, and the resulting steps."""

from __future__ import annotations

from pathlib import Path

import pytest
from recipesamples import PLAIN

from catalog import budgets, device
from catalog.checks import check_recipe
from catalog.problems import Problem
from catalog.release import Cache
from zoo.plan import plan

ROOT = Path(__file__).resolve().parents[2]
CALIBRATION = """\
  calibration:
    - {path: recipes/corpora/texts/calibration.en.txt, licence: CC0-1.0, source: the project, language: en}

quantize:
"""


def checked(tmp_path: Path, entries: str, calibration: bool = True) -> tuple[Problem, ...]:
    text = PLAIN.replace("\nquantize:\n", CALIBRATION) if calibration else PLAIN
    text = text.replace("  allow_fallback: true\n", f"  allow_fallback: true\n  budgets:\n{entries}")
    (tmp_path / "plain.yaml").write_text(text, encoding="utf-8")
    return check_recipe(tmp_path / "plain.yaml", ROOT).problems


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("92MB", 92_000_000), ("91.7 MB", 91_700_000), ("88MiB", 88 * 2**20), ("1GB", 10**9), (91_700_000, 91_700_000),
        ("0MB", None), ("92 mb", None), ("92", None), ("-1MB", None), (0, None), (True, None), ("MB", None),
        (None, None),
    ],
)  # fmt: skip
def test_sizes(text: object, expected: int | None) -> None:
    assert budgets.parse_bytes(text) == expected


def test_labels() -> None:
    assert budgets.label(None, "92MB", None) == "B92MB"
    assert budgets.label(None, 91_700_000, None) == "B91.7MB"
    assert budgets.label(None, "88MiB", None) == "B92.274688MB"
    assert budgets.label(None, None, "pi-zero-2") == "FIT-pi-zero-2"
    assert budgets.label("small", "92MB", None) == "small"


def test_what_fits_a_device_leaves_room_for_cache_and_buffer() -> None:
    board = device.DEVICES[0]
    limit = {"free_bytes": board.free_bytes, "context_tokens": 2048}
    cache = Cache(1000, 0, 0, 0, known=True)
    assert budgets.file_bytes(limit, cache, 50_000) == board.free_bytes - 2048 * 1000 - 4 * 50_000 * 512
    windowed = Cache(100, 900, 512, 77, known=True)
    beside = 100 * 2048 + 900 * 1024 + 77 + 4 * 50_000 * 512
    assert budgets.file_bytes(limit, windowed, 50_000) == board.free_bytes - beside
    assert budgets.file_bytes({"bytes": 7}, cache, 50_000) == 7


def test_a_valid_budget_becomes_a_file_of_the_release(tmp_path: Path) -> None:
    entries = "    - {bytes: 92MB}\n    - {fits: {device: pi-zero-2}}\n"
    assert checked(tmp_path, entries) == ()
    recipe = check_recipe(tmp_path / "plain.yaml", ROOT).recipe
    assert recipe
    makers = plan.file_makers(recipe)
    assert makers["B92MB"] == "budget/B92MB"
    assert makers["FIT-pi-zero-2"] == "budget/FIT-pi-zero-2"


def test_the_search_sees_no_evaluation_text_and_measures_once(tmp_path: Path) -> None:
    checked(tmp_path, "    - {bytes: 92MB}\n    - {bytes: 95MB}\n")
    found = check_recipe(tmp_path / "plain.yaml", ROOT)
    assert found.recipe
    files = dict.fromkeys(plan.own_files(found.recipe), "0" * 64)
    made = plan.make(found.recipe, "0" * 64, found.lock, plan.World({}, files, 1, "cpu"))
    assert [step.id for step in made.steps if step.stage == "sensitivity"] == ["sensitivity"]
    for label in ("B92MB", "B95MB"):
        step = made.step(f"budget/{label}")
        texts = made.step(step.inputs["texts"])
        assert list(texts.spec) == ["calibration"]
        assert step.inputs["sensitivity"] == "sensitivity"
    assert set(made.step("evaluate").inputs) >= {"B92MB", "B95MB"}


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{bytes: 92mb}", "is not a valid size"),
        ("{bytes: 92MB, fits: {device: pi-5-8gb}}", "needs one limit"),
        ("{name: x}", "needs one limit"),
        ("{fits: {device: pi-zero-3}}", "Did you mean `pi-zero-2"),
        ("{bytes: 92MB, name: Q8_0}", 'two files are called "Q8_0"'),
        ("{bytes: 92MB, name: a/b}", "has the wrong form"),
        ("{byte: 92MB}", "Did you mean `bytes`"),
    ],
)
def test_what_is_wrong_with_a_budget_is_said_on_its_line(tmp_path: Path, entry: str, words: str) -> None:
    problems = checked(tmp_path, f"    - {entry}\n")
    lines = (tmp_path / "plain.yaml").read_text().splitlines()
    assert any(words in problem.text for problem in problems), problems
    assert all(entry in lines[problem.line - 1] for problem in problems), problems


def test_a_search_needs_calibration_text(tmp_path: Path) -> None:
    (problem,) = checked(tmp_path, "    - {bytes: 92MB}\n", calibration=False)
    assert "corpus: calibration" in problem.text
