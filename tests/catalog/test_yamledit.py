"""Edits of YAML keep every other byte, whatever the text looks like, or are refused."""

from __future__ import annotations

import random

import pytest

from catalog import yamledit, yamltext
from catalog.yamledit import CannotEdit, flow, with_value, without
from catalog.yamltext import Path_

TEXT = """\
# first
a: 1  # one

b:
  - x   # of x
  - y
# about c
c: {d: e, f: [g, h]}
i:
- j: 1
  k: 2
- j: 3
l: |
  block
  text

m:
n: "o"
"""


@pytest.mark.parametrize(
    ("path", "value", "before", "after"),
    [
        (("a",), 2, "a: 1  # one", "a: 2  # one"),
        (("b", 0), "z", "- x   # of x", "- z   # of x"),
        (("b", 2), "z", "  - y\n", "  - y\n  - z\n"),
        (("c", "f", 2), "no: w", "[g, h]", '[g, h, "no: w"]'),
        (("c", "p"), True, "[g, h]}", "[g, h], p: true}"),
        (("i", 1, "k"), 4, "- j: 3\n", "- j: 3\n  k: 4\n"),
        (("i", 2), {"j": 5}, "- j: 3\n", "- j: 3\n- {j: 5}\n"),
        (("i",), [], "i:\n- j: 1\n  k: 2\n- j: 3\n", "i: []\n"),
        (("l",), "short", "l: |\n  block\n  text\n", "l: short\n"),
        (("m",), "r", "m:\n", "m: r\n"),
        (("q", "r"), 1, 'n: "o"\n', 'n: "o"\nq:\n  r: 1\n'),
    ],
)
def test_a_value_is_set_and_nothing_else_changes(path: Path_, value: object, before: str, after: str) -> None:
    assert with_value(TEXT, path, value) == TEXT.replace(before, after, 1)  # type: ignore[arg-type] - of a table


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        (("a",), "a: 1  # one\n", ""), (("b", 0), "  - x   # of x\n", ""), (("b", 1), "  - y\n", ""),
        (("c", "d"), "{d: e, f", "{f"), (("c", "f", 1), "[g, h]", "[g]"), (("c", "f"), "{d: e, f: [g, h]}", "{d: e}"),
        (("i", 0, "k"), "  k: 2\n", ""), (("i", 0, "j"), "- j: 1\n  k: 2", "- k: 2"), (("i", 1, "j"), "- j: 3\n", ""),
        (("l",), "l: |\n  block\n  text\n", ""), (("nothing",), "", ""),
    ],
)  # fmt: skip
def test_a_value_is_taken_away_and_nothing_else_changes(path: Path_, before: str, after: str) -> None:
    assert without(TEXT, path) == TEXT.replace(before, after, 1)


def test_a_new_key_comes_in_its_order() -> None:
    order = {(): "abcd"}
    assert with_value("b: 1\nd: 2\n", ("c",), 3, order.__getitem__) == "b: 1\nc: 3\nd: 2\n"
    assert with_value("b: 1\nd: 2\n", ("a",), 3, order.__getitem__) == "a: 3\nb: 1\nd: 2\n"


def test_line_breaks_of_windows_and_a_missing_last_one_stay() -> None:
    assert with_value("a: 1\r\nb: 2\r\n", ("c",), 3) == "a: 1\r\nb: 2\r\nc: 3\r\n"
    assert with_value("a: 1", ("b",), 2) == "a: 1\nb: 2"
    assert without("a: 1\r\nb: 2\r\n", ("a",)) == "b: 2\r\n"


WORDS = ("a", "yes", "null", "1", "1.5", "# x", "a: b", "[", "é", "", "a\nb", "- x", "'", '"', " a ")


@pytest.mark.parametrize("value", WORDS)
def test_text_stays_text(value: str) -> None:
    assert yamltext.parse(f"k: {flow(value)}\nl: [{flow(value)}]\n".encode(), "").data == {"k": value, "l": [value]}


@pytest.mark.parametrize(("text", "path"), [("a: [", ("a",)), ("a: 1\n", ("a", "b")), ("a: 1\n", ())])
def test_what_cannot_be_edited_is_refused(text: str, path: Path_) -> None:
    with pytest.raises((CannotEdit, IndexError)):
        with_value(text, path, 1)


def test_random_edits_are_read_back_or_refused() -> None:
    """yamledit itself compares; here, that what it accepts is what was asked for."""
    choose = random.Random(4)
    paths: list[Path_] = [
        ("a",), ("b", 1), ("b", 2), ("c", "d"), ("c", "z"), ("i", 0), ("i", 1, "k"), ("l",), ("m",), ("z",)
    ]  # fmt: skip
    text = TEXT
    for _ in range(200):
        path = choose.choice(paths)
        try:
            if choose.random() < 0.6:
                text = with_value(text, path, choose.choice([1, "x: y", ["a", 2], {"k": "v"}, True, None]))
            else:
                text = yamledit.without(text, path)
        except CannotEdit:
            continue
        assert not yamltext.parse(text.encode(), "").problems and text.startswith("# first\n")
