"""The report of a pull request and the notes of a quarter, word for word."""

from __future__ import annotations

import os
from pathlib import Path

import benchruns
import pytest
from reviewsamples import HOSTILE, contribution
from sitesamples import sample

from catalog.history import Ack, History
from zoo.review import quarter
from zoo.review.report import report
from zoo.review.trees import Commit

GOLDEN = Path(__file__).parents[1] / "golden/review"
UPDATE = "ZOO_UPDATE_GOLDEN"
RUNS = tuple(benchruns.runs([10.0] * 8))
ACK = Ack("id", "2026-01-09T08:00:00Z", RUNS[0].id, "decode_tokens_per_second", "Someone", "A quieter fan.")
COMMITS = [Commit("Someone", "Add a recipe", ("recipes/a.yaml",)), Commit(HOSTILE, HOSTILE, (HOSTILE,))]
NAMED = {
    "report-passes": report(contribution()),
    "report-asks": report(contribution("It got worse.", words=HOSTILE)),
    "notes": quarter.notes(
        quarter.named("2026-Q1"), sample(), COMMITS, {benchruns.NAME: History(RUNS, (ACK,))}, None
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_every_word_is_as_expected(name: str) -> None:
    path = GOLDEN / f"{name}.md"
    if UPDATE in os.environ:
        path.parent.mkdir(exist_ok=True)
        path.write_text(NAMED[name], encoding="utf-8")
    assert NAMED[name] == path.read_text(encoding="utf-8"), f"If this is right: {UPDATE}=1, and look at git diff"
