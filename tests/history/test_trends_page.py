"""Charts of a history on the page of its model: the figures of the command, and made again after an import."""

from __future__ import annotations

import json
import re
from pathlib import Path

import benchruns
import pytest

from catalog import entries
from catalog import history as formats
from zoo import settings as settings_room
from zoo.__main__ import main
from zoo.history import store
from zoo.site import content, pages
from zoo.site.pages import trends

NAME = benchruns.NAME
STEADY = [40.0, 40.4, 39.6, 40, 40.2, 39.8, 40, 40.4, 39.6, 40]


def lines(speeds: list[float], **more: str) -> list[dict[str, object]]:
    reports = [benchruns.report(day, speed, **more) for day, speed in enumerate(speeds)]
    return [formats.run_line(report, model=NAME, type_="Q8_0") for report in reports]


def raw(*some: dict[str, object]) -> bytes:
    return "".join(formats.canonical(line) + "\n" for line in some).encode()


def evidence(history: bytes) -> pages.Evidence:
    return lambda version, path: history if (version, path) == ("", formats.FILE) else None


def test_the_page_has_the_figures_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(benchruns.zoo(tmp_path))
    some = lines([*STEADY, 34, 34])
    store.add(tmp_path / "site/evidence", NAME, some)
    assert main(["bench", "history", NAME, "--json"]) == 0
    (series,) = json.loads(capsys.readouterr().out)["tracks"][0]["series"]
    made = pages.make_each(benchruns.model(), pages.Site(), evidence(raw(*some)))
    page = made.files[f"models/{NAME}/index.html"]
    assert isinstance(page, str) and 'id="speed-over-time-1"' in page
    for run in series["runs"]:
        one = run["decode_tokens_per_second"]
        assert f"{run['measured_at_utc'][:10]}: {one['median']:.1f} tokens/s, {one['state']}" in page
    assert 'class="band"' in page and "decode is 15% slower than usual since 2026-01-12" in page
    table = made.files[f"models/{NAME}/pictures/speed-over-time-1.csv"]
    assert isinstance(table, str) and len(table.splitlines()) == 13


def test_breaks_are_named_and_runs_that_are_not_valid_are_crossed_out() -> None:
    report = benchruns.report(50, 20, valid=False, llama="0.6.0")
    some = [*lines(STEADY), *lines(STEADY, llama="0.6.0"), formats.run_line(report, model=NAME, type_="Q8_0")]
    (chart,) = trends.of_model(benchruns.model(), evidence(raw(*some)))
    assert "not comparable with the runs before: llama.cpp 0.5.0 to 0.6.0" in chart.svg
    crossed = re.findall(r'<g class="off">.*?</g>.*?×</text></g>', chart.svg)
    assert len(crossed) == 1 and "not valid (other processes used 31%" in crossed[0]


def test_without_a_trend_there_is_no_chart() -> None:
    for history in (b"", b"garbage\n", raw(*lines([40, 40]))):
        assert trends.of_model(benchruns.model(), evidence(history)) == []


def test_a_page_has_four_of_many_tracks() -> None:
    some = [line for number in range(6) for line in lines([40, 41, 42], label=f"board-{number}")]
    found = trends.of_model(benchruns.model(), evidence(raw(*some)))
    assert [chart.id for chart in found] == [f"speed-over-time-{number}" for number in range(1, 5)]


def test_a_new_measurement_makes_the_pages_of_its_model_again(tmp_path: Path) -> None:
    settings = settings_room.load(benchruns.zoo(tmp_path), {}, {})
    text = entries.piece_of(benchruns.model())

    def key() -> str:
        history = store.content(settings.evidence, NAME)
        return content._Piece(text, None, (), {}, history).digest()

    before = key()
    assert key() == before
    store.add(settings.evidence, NAME, lines([40]))
    assert key() != before
