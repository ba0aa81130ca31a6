"""Every view as text: expected pages at three widths, hostile facts, and states that must be in words."""

from __future__ import annotations

import dataclasses
import os
import random
import re
from functools import partial
from pathlib import Path

import pytest
import viewsamples
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.cli import ui
from zoo.runs.reader import State
from zoo.views import publication, runs
from zoo.views.publication import NOTHING, step_of
from zoo.views.screen import Row, Screen, Table, cell_len, clean, lines, spark, text
from zoo.views.table import VIEWS

GOLDEN = Path(__file__).parents[1] / "golden/views"
UPDATE = "ZOO_UPDATE_GOLDEN"
WIDTHS = (80, 120, 200)
UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
HOSTILE = "\x1b]52;c;aGk=\x07\x1b[2J[bold red]x[/]\u202egnp.exe\u2066\x00\x9b31m\t\r::error::x\u200f"
NAMES = tuple(viewsamples.NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_view_is_as_expected_at_three_widths(name: str, tmp_path: Path) -> None:
    screen = viewsamples.screens(tmp_path)[name]
    made = "".join(f"-- {width} columns --\n{text(screen, width)}\n\n" for width in WIDTHS)
    path = GOLDEN / f"{name}.txt"
    if UPDATE in os.environ:
        path.parent.mkdir(exist_ok=True)
        path.write_text(made, encoding="utf-8")
    assert made == path.read_text(encoding="utf-8"), f"If this is right: {UPDATE}=1, and look at git diff"


def test_every_view_has_an_expected_text_and_is_in_the_help() -> None:
    listed = str(ui.command.help).partition("The views are ")[2].split(".")[0]
    assert re.split(", | and ", " ".join(listed.split())) == list(VIEWS)
    assert {name.partition("-")[0] for name in NAMES} == set(VIEWS)
    assert {path.stem for path in GOLDEN.iterdir()} == set(NAMES)


@pytest.mark.parametrize("width", [1, 40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int, tmp_path: Path) -> None:
    for screen in viewsamples.screens(tmp_path).values():
        body = [line.text for line in lines(dataclasses.replace(screen, commands=()), width)]
        assert max(map(cell_len, body)) <= max(width, 40)


def spoiled(screen: Screen, bad: str) -> Screen:
    """The screen with hostile text in every place that can have text of others."""
    def row(one: Row) -> Row:
        return Row(tuple(cell + bad for cell in one.cells), one.opens, partial(str, bad) if one.later else None)

    parts = tuple(
        dataclasses.replace(part, rows=[*map(row, part.rows)]) if isinstance(part, Table) else part + bad
        for part in screen.parts
    )
    return Screen(screen.title + bad, parts, tuple(one + bad for one in screen.commands))


@pytest.mark.parametrize("name", NAMES)
def test_hostile_facts_become_visible_text(name: str, tmp_path: Path) -> None:
    screen = spoiled(viewsamples.screens(tmp_path)[name], HOSTILE)
    for width in (40, *WIDTHS):
        shown = text(screen, width)
        assert not UNSEEN.search(shown), repr(UNSEEN.search(shown))
        assert not re.search("^::", shown, re.MULTILINE) and "\\u001b" in shown


def check_layout(words: str, width: int) -> None:
    table = Table(("a", "#b", words), [Row((words, words, words)), Row(("", "1", ""))])
    screen = Screen(words, (words, table, dataclasses.replace(table, flat=True)))
    for line in lines(screen, width):
        assert not UNSEEN.search(line.text) and "\n" not in line.text
        assert cell_len(line.text) <= max(width, 40)


@given(st.text(max_size=60), st.integers(1, 250))
@settings(max_examples=300, deadline=None)
def test_any_text_is_laid_out_within_the_width(words: str, width: int) -> None:
    check_layout(words, width)


@pytest.mark.long
@given(st.text(max_size=60), st.integers(1, 250))
@settings(max_examples=10_000, deadline=None)
def test_ten_thousand_texts_are_laid_out_within_the_width(words: str, width: int) -> None:
    check_layout(words, width)


def test_a_line_of_a_megabyte_is_cut() -> None:
    screen = Screen("t", ("w" * 1_000_000, Table(("a", "b"), [Row(("x" * 1_000_000, "y" * 1_000_000))])))
    assert len(text(screen, 80)) < 20_000


def test_rows_are_made_when_they_are_looked_at() -> None:
    made = []

    def answer() -> str:
        made.append(1)
        return "Q4_K_M"

    rows = [Row((f"model-{number}",), later=answer) for number in range(10_000)]
    found = lines(Screen("Catalog", (Table(("model", "file"), rows, flat=True, last=20),)), 80)
    assert not made and len(found) > 10_000
    assert found[-1].text.split() == ["model-9999", "Q4_K_M"] and len(made) == 1


def test_every_point_of_a_publication_says_what_is_visible() -> None:
    """Until the first tag, nothing is visible and stopping is safe; from then on the words must not say so."""
    steps = viewsamples.entries("uploaded", "committed", "verified", "tagged", "recorded", "done")
    order = ("built", "uploading", "committing", "verified", "tagged", "tags set", "recorded", "done")
    seen = [step_of(steps[:count], in_catalog=False) for count in range(len(steps) + 1)]
    assert [order.index(one) for one in seen] == sorted(order.index(one) for one in seen) and set(seen) == set(order)
    for count, one in enumerate(seen):
        tagged = any(entry["step"] == "tagged" for entry in steps[:count])
        assert (NOTHING in publication.WORDS[one]) == (not tagged)
    assert step_of([], in_catalog=True) == "published"


def test_a_publication_that_runs_and_one_that_was_interrupted_differ_in_words() -> None:
    busy = publication.State("m", "1.0.0", "committing", True)
    assert busy.words.startswith("being published now")
    assert dataclasses.replace(busy, busy=False).words.startswith("interrupted")


@pytest.mark.parametrize(
    ("state", "command", "resumes"),
    [("died", "zoo release 'my model'", True), ("stopped", "zoo build x", True), ("finished", "zoo build x", False),
     ("running", "zoo build x", False), ("failed", "zoo release x --hub https://***@hub.example", False),
     ("died", "zoo hub serve", False), ("died", "zoo", False)],
)  # fmt: skip
def test_a_run_that_ended_early_names_the_command_that_resumes_it(state: State, command: str, resumes: bool) -> None:
    """Not one that serves, and not one of whose words a secret was taken away."""
    found = dataclasses.replace(viewsamples.summary(state), command=command)
    assert (command in runs.one(found, []).commands) == resumes


def test_bars_show_order_and_runs_that_are_not_valid() -> None:
    random_ = random.Random(7)
    values = [random_.uniform(5, 50) for _ in range(40)]
    bars = spark(values)
    pairs = sorted(zip(values, bars, strict=True))
    assert [bar for _, bar in pairs] == sorted(bars) and {bars[values.index(max(values))]} == {"█"}
    assert spark([1.0, None, 2.0]) == "▁x█" and spark([]) == "" and spark([None]) == "x" and spark([3.0]) == "▁"


def test_text_is_cleaned_of_secrets() -> None:
    assert "hunter2" not in clean("https://ada:hunter2@hub.example/x")
