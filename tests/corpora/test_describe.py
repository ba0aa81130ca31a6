"""What files of records hold: counts, shares with their exact remedies, and the same numbers in every form."""

from __future__ import annotations

import csv
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from corpussamples import DIALECT, conversation, write
from hypothesis import given
from hypothesis import strategies as st

from zoo.corpora import check, describe
from zoo.corpora.describe import Described, Limit
from zoo.errors import InputError
from zoo.site.pages.charts.coverage import MOST_BARS, coverage

PROMPTS: list[dict[str, Any]] = [
    {"user": "How do I boil an egg?", "tags": ["lang:en", "topic:kitchen"]},
    {"user": "Faque, c’est-tu loin?", "tags": ["lang:fr-CA"], "registre": "AUTH"},
    {"user": "Where is the key?", "tags": ["lang:fr-CA"], "requires_json": True, "tool_schema": {"type": "object"}},
    {"user": "12 + 7", "system_hint": "Only the number."},
]


def described(folder: Path, *rows: dict[str, Any]) -> Described:
    return describe.describe([check.File(write(folder / "some.jsonl", *rows), "some.jsonl")])


def test_records_are_counted_once_for_each_label(tmp_path: Path) -> None:
    found = described(tmp_path, *PROMPTS)
    assert found.records == 4
    assert found.groups["language"] == {"en": 2, "fr": 1, "unknown": 1}
    assert found.groups["dialect"] == {"Connector_Faque": 1, "Phonological_Tu_S": 1}
    assert found.groups["tag"] == {"lang:en": 1, "topic:kitchen": 1, "lang:fr-CA": 2}
    assert found.groups["form"] == {"json": 1, "system": 1}
    assert found.groups["register"] == {"AUTH": 1}
    assert found.disagree == 1, "the third is English and says that it is French"
    assert found.share("tag", "lang:fr-CA") == 0.5, "of records, not of tags"


def test_conversations_have_turns_and_calls(tmp_path: Path) -> None:
    found = described(tmp_path, conversation())
    assert found.groups["form"] == {"tools": 1, "tool_calls": 1} and found.groups["kind"] == {"conversation": 1}


def test_the_smallest_group_of_speakers_is_named(tmp_path: Path) -> None:
    rows = [{**DIALECT, "record_id": f"r{n}"} for n in range(3)]
    speaker = {**DIALECT["sociolinguistic_parameters"], "age_group": "60_plus"}  # type: ignore[dict-item]
    found = described(tmp_path, *rows, {**DIALECT, "record_id": "x", "sociolinguistic_parameters": speaker})
    assert found.smallest_cell() == 1
    nobody = dict.fromkeys(speaker, "Unspecified")
    assert described(tmp_path, {**DIALECT, "sociolinguistic_parameters": nobody}).smallest_cell() is None


def test_more_labels_than_fit_are_left_out_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(describe, "MOST_LABELS", 2)
    found = described(tmp_path, *({"user": str(n), "tags": [f"t{n + 1}", "t0"]} for n in range(5)))
    assert sum(found.groups["tag"].values()) + found.left_out["tag"] == 10 and len(found.groups["tag"]) == 2
    assert describe.report(found)["labels_left_out"] == {"tag": found.left_out["tag"]}
    assert "only the first 2 labels are counted; others came" in describe.as_text(found)
    assert "labels_left_out" not in describe.report(described(tmp_path, {"user": "a"}))


def test_no_group_of_speakers_stops_counting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(describe, "MOST_LABELS", 1)
    assert described(tmp_path, *({**DIALECT, "record_id": f"r{n}"} for n in range(7))).smallest_cell() == 7


@given(records=st.integers(1, 500), data=st.data(), share=st.fractions(0, 1, max_denominator=200))
def test_the_remedy_is_the_least_number_that_helps(records: int, data: st.DataObject, share: Fraction) -> None:
    count = data.draw(st.integers(0, records))
    found = Described(records=records)
    found.groups["tag"]["x"] = count
    for is_most in (False, True):
        missed = list(describe.misses(found, [Limit("tag", "x", share, is_most)]))

        def is_met(more: int, is_most: bool = is_most) -> bool:
            with_it = count if is_most else count + more
            part = Fraction(with_it, records + more)
            return part <= share if is_most else part >= share

        assert bool(missed) != is_met(0)
        for one in missed:
            if one.change is None:
                assert share == (0 if is_most else 1)
            else:
                assert is_met(one.change) and not is_met(one.change - 1)


def test_every_form_shows_the_same_numbers(tmp_path: Path) -> None:
    found = described(tmp_path, *PROMPTS, *({"user": f"Why {n}?", "tags": [f"t:{n}"]} for n in range(20)))
    data = json.loads(json.dumps(describe.report(found)))
    text = describe.as_text(found)
    chart = coverage(found, "some.jsonl")
    rows = list(csv.DictReader(chart.csv.splitlines()))
    for name in describe.GROUPS:
        assert data[name] == {row["label"]: int(row["records"]) for row in rows if row["group"] == name}
        for place, (label, count) in enumerate(describe.ordered(found.groups[name])):
            shown = describe.percent(count / found.records)
            assert any(line.split() == [label, str(count), *shown.split()] for line in text.splitlines()), label
            if place < MOST_BARS:
                assert f">{label}</text>" in chart.svg and f"{label} {shown}" in chart.text
    assert coverage(found, "some.jsonl") == chart, "the same bytes"


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.0, "0 %"), (1.0, "100 %"), (0.5, "50 %"), (0.123, "12.3 %"), (1e-6, "under 0.1 %"), (1 - 1e-6, "over 99.9 %")],
)
def test_a_rare_share_is_not_shown_as_none(share: float, shown: str) -> None:
    assert describe.percent(share) == shown


def test_a_record_that_is_not_valid_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        described(tmp_path, PROMPTS[0], {"user": 5})
    assert caught.value.where == "some.jsonl:2"
    (tmp_path / "none.jsonl").write_text("\n", encoding="utf-8")
    with pytest.raises(InputError, match="no records"):
        describe.describe([check.File(tmp_path / "none.jsonl", "none.jsonl")])
