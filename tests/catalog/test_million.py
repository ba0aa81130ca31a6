"""A catalog with a million entries of one kind ends in a list of problems, not in hours of work."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from sitesamples import sample

from catalog import index, problems, schema


def catalog(kind: str, count: int) -> str:
    """A catalog with ``count`` faulty entries of a kind."""
    data: dict[str, Any] = json.loads(index.to_text(sample()))
    model = data["models"][0]
    if kind == "models":
        data["models"] = [{"name": f"m{number}"} for number in range(count)]
    elif kind == "nothing":
        data["models"] = [None] * count
    elif kind == "keys":
        model |= {f"summary{number}": 1 for number in range(count)}
    elif kind == "files":
        model["releases"][0]["files"] = [{}] * count
    else:
        model["releases"] = [{"version": f"1.0.{number}"} for number in range(count)]
    return json.dumps(data)


@pytest.mark.parametrize("kind", ["models", "nothing", "keys", "files", "releases"])
def test_only_the_first_faults_are_worked_out(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each costs a search for the nearest word, so a million of them would take twenty minutes."""
    searched = []
    real = schema.did_you_mean
    monkeypatch.setattr(schema, "did_you_mean", lambda *given: searched.append(given) or real(*given))
    found, told = index.parse(catalog(kind, 20_000), "catalog.json")
    assert found == index.EMPTY and len(told) == problems.LIMIT + 1 and "it has more" in told[-1].what
    assert len(searched) <= 2 * schema.MOST_ERRORS


@pytest.mark.long
@pytest.mark.parametrize("kind", ["models", "nothing", "keys", "files", "releases"])
def test_a_million_entries_take_seconds(kind: str) -> None:
    text = catalog(kind, 1_000_000)
    started = time.process_time()
    told = index.parse(text, "catalog.json")[1]
    assert told and time.process_time() - started < 30
