"""The evidence file with the distributions of a dataset."""

from __future__ import annotations

import json

from zoo.corpora import distributions
from zoo.site.pages import datasets


def row(user: str, *tags: str, json_: bool = False, finish: str = "stop") -> dict[str, object]:
    messages = [{"role": "user", "content": user}, {"role": "assistant", "content": "ok"}]
    return {"messages": messages, "tags": list(tags), "requires_json": json_, "finish": finish}


ROWS = [row("a" * n, "fr-ca" if n % 2 else "chat", finish="stop" if n < 4 else "length") for n in range(1, 5)]


def test_rows_are_counted_by_tag_language_and_end() -> None:
    report = distributions.report({"train": [*ROWS, row("b", json_=True)], "heldout": []}, ("fr-CA", "en"))
    (split,) = report["splits"]
    assert report["redaction"] is None
    assert (split["name"], split["rows"], split["json_rows"]) == ("train", 5, 1)
    assert split["tags"] == {"chat": 2, "fr-ca": 2}
    assert split["languages"] == {"fr-CA": 2}
    assert split["finish"] == {"length": 1, "stop": 4}
    assert split["characters"]["user"] == {"min": 1, "p25": 1, "median": 2, "p75": 3, "p95": 4, "max": 4}


def test_quantiles_of_one_length_are_that_length() -> None:
    assert set(distributions.quantiles([7]).values()) == {7}


def test_the_page_reads_what_a_release_writes() -> None:
    report = distributions.report({"train": ROWS}, ("fr-CA",))
    read = datasets._report(json.dumps(report).encode())
    assert datasets.REPORT == distributions.FILE
    assert read and read["splits"] == report["splits"]
