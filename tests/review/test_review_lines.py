"""Problems on a pull request: ten annotations at most, everything in the summary, and hostile text is inert."""

from __future__ import annotations

import re

import pytest
from fences import outside

from catalog.problems import LIMIT, Problem, limited
from zoo.review import lines

COMMAND = "zoo check"
HOSTILE = "</code><img src=https://x.example/b.png> @someone ``` ```` ![a](https://x.example) \u202e\x1b]0;x\x07\n# H"


def problems(count: int, file: str = "recipes/a.yaml") -> list[Problem]:
    return [Problem(file, at + 1, 1, f"gates[{at}]", f"problem {at}", "Write another") for at in range(count)]


@pytest.mark.parametrize("count", [0, 1, 10, 11, 60, 300])
def test_at_most_ten_are_on_the_lines_and_the_last_says_how_many_are_not(count: int) -> None:
    made = lines.on_lines(problems(count), COMMAND)
    assert len(made) == min(count, 10) and all(line.startswith("::error file=") for line in made)
    assert not any("not shown" in line for line in made[:9])
    if count > 10:
        more = "1 more problem" if count == 11 else f"{count - 10} more problems"
        words = f"{more} not shown on the lines: see the job summary, or run: zoo check."
        assert made[9].endswith(f"Write another. {words}")
    text = lines.summary(problems(count), [], 3, COMMAND)
    assert all(
        f"recipes/a.yaml:{at + 1}:1: gates[{at}]: problem {at}. Write another." in text for at in range(count)
    )
    assert ("zoo check" in text) == bool(count) and len(text.encode()) < 2**20


def test_the_first_problem_of_each_file_comes_first() -> None:
    found = [*problems(30, "recipes/a.yaml"), *problems(2, "recipes/b.yaml"), *problems(1, "recipes/c.yaml")]
    first = lines.best_first(found)
    assert [(one.file[8], one.line) for one in first[:6]] == [
        ("a", 1), ("b", 1), ("c", 1), ("a", 2), ("b", 2), ("a", 3)
    ]  # fmt: skip
    assert sorted(first) == sorted(found)


def test_a_summary_that_is_too_large_is_cut_and_says_so() -> None:
    found = [Problem(f"recipes/{at}.yaml", 1, 1, "x", "w" * 500, "i" * 500) for at in range(3000)]
    text = lines.summary(found, found, 3000, COMMAND)
    assert len(text.encode()) <= lines.MOST_SUMMARY_BYTES
    kept = text.partition("Worth a look")[0].count("recipes/")
    assert 500 < kept < 3000 and f"... and {3000 - kept} more. To see all of them, run: zoo check" in text


def test_the_text_of_a_stranger_stays_inside_its_block() -> None:
    found = [Problem(HOSTILE, 1, 1, HOSTILE, HOSTILE, HOSTILE)]
    text = lines.summary(found, found, 1, COMMAND)
    assert not re.search(r"@|<|\]\(", outside(text))
    assert not set("\x1b\x07\u202e") & set(text)
    (line,) = lines.on_lines(found, COMMAND)
    assert "\n" not in line and line.startswith("::error file=")


def test_more_problems_than_are_listed_are_mentioned() -> None:
    assert limited(problems(LIMIT)) == problems(LIMIT) == limited(problems(LIMIT) * 2)
    cut = limited(problems(300))
    assert cut[:LIMIT] == problems(LIMIT) and len(cut) == LIMIT + 1
    assert "only 60 problems of this file are listed, and it has more" in str(cut[-1])
    assert limited([*cut, *problems(5, "recipes/a.yaml")]) == cut
