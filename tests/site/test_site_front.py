"""The front page by task."""

from __future__ import annotations

import random
from typing import Any

from sitesamples import CONTENT, sample

from catalog.words import plus_minus
from zoo.site import pages
from zoo.site.pages import front, offers


def model(name: str, task: str, date: str = "2026-11-01", **more: Any) -> dict[str, Any]:
    return {"name": name, "task": task, "date": date, "yanked": False, "experimental": False, **more}


def test_frequent_tasks_are_first_and_experiments_and_yanked_models_are_not() -> None:
    models = [
        model("a", "chat", experimental=True, date="2026-11-20"),
        model("b", "chat"),
        model("c", "chat", date="2026-11-09"),
        model("d", "chat", yanked=True),
        model("e", "code"),
    ]
    assert front.by_task(models) == [("chat", 3, ["c", "b", "a"]), ("code", 1, ["e"])]
    many = [model(f"m-{number}", f"task {number}") for number in range(20)]
    assert len(front.by_task(many)) == front.TASKS
    assert len(front.by_task([model(f"m-{n}", "chat") for n in range(20)])[0][2]) == front.NAMED


def test_the_front_page_leads_to_the_models_of_a_task() -> None:
    html = str(pages.render(sample(), pages.Site(), lambda *_: CONTENT)["index.html"])
    assert 'href="./models/?task=chat"' in html and "2 models:" in html


def test_figures_with_fewer_digits_are_shown_as_the_measured_ones() -> None:
    """Rounded twice, 0.00014459 would be 0.000145 and then 0.00015."""
    chance = random.Random(5)
    for _ in range(20_000):
        error = chance.uniform(1, 10) * 10.0 ** chance.randint(-6, -2)
        value = error * chance.uniform(0.1, 30)
        kept = offers._digits(value), offers._digits(error, offers.ERROR_DIGITS)
        assert plus_minus(*kept) == plus_minus(value, error), (value, error)
    assert [offers._digits(one) for one in (0.0, 1234.4, 0.1, 7.0)] == [0.0, 1234.0, 0.1, 7.0]
